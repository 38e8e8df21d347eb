//! The same calls and streams through converters at both ends: what they cost beside direct ones.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bin_prot::ByteString;
use rpc_core::{Connection, Implementations, PipeRpc, Rpc, connection::Config};
use rpc_versioned::{ConnectionWithMenu, callee_converts, caller_converts, convert::into};
use tokio::net::TcpListener;

use super::{Counter, Int64Bits, caller};
use crate::load::{
    Kind, Sample, System, Workload, check,
    duel::{self, Tally},
    payload,
};

static ECHO_1: Rpc<String, String> = Rpc::new("echo", 1);
static ECHO_2: Rpc<ByteString, ByteString> = Rpc::new("echo", 2);
static COUNT_1: PipeRpc<(), i64, String> = PipeRpc::new("count", 1);
static COUNT_2: PipeRpc<(), Int64Bits, String> = PipeRpc::new("count", 2);

/// Calls and pipes of `rpc-versioned`: the callee has two versions, and the caller knows these and a
/// third. What is converted costs nothing, so that dispatching does.
#[derive(Clone, Copy, Debug)]
pub struct Versioned;

impl System for Versioned {
    fn name(&self) -> &'static str {
        "ours-converted"
    }

    fn takes(&self, workload: Workload) -> bool {
        match workload.kind {
            Kind::Calls { .. } => workload.bytes == 32,
            Kind::Stream => true,
            Kind::Paced { .. }
            | Kind::Callback
            | Kind::OneWay
            | Kind::Group
            | Kind::Connect
            | Kind::State => false,
        }
    }

    fn round(&self, workload: Workload, duration: Duration) -> Result<Sample> {
        let bytes = workload.bytes;
        match workload.kind {
            Kind::Calls { in_flight: 1 } => {
                duel::run(duration, serve, move |to, tally| ping(to, tally, bytes))
            }
            Kind::Calls { in_flight } => duel::run(duration, serve, move |to, tally| {
                pipelined(to, tally, in_flight, bytes)
            }),
            Kind::Stream => duel::run(duration, serve, receive),
            kind @ (Kind::Paced { .. }
            | Kind::Callback
            | Kind::OneWay
            | Kind::Group
            | Kind::Connect
            | Kind::State) => {
                bail!("{kind:?} is not taken")
            }
        }
    }
}

type Echo = caller_converts::Rpc<ByteString, ByteString>;

fn echo() -> Result<Echo> {
    Ok(Echo::builder("echo")
        .version(
            &ECHO_1,
            |query| Ok(String::from_utf8(query.0)?),
            |response| Ok(response.into()),
        )
        .version_from(&ECHO_2)
        .version_from(&Rpc::<ByteString, ByteString>::new("echo", 3))
        .build()?)
}

async fn serve(listener: TcpListener) -> Result<()> {
    let echo = callee_converts::Rpc::builder("echo")
        .version(&ECHO_1, into, |response: ByteString| {
            Ok(String::from_utf8(response.0)?)
        })
        .version_from(&ECHO_2)
        .build()?;
    let count = callee_converts::PipeRpc::builder("count")
        .version(&COUNT_1, Ok, |Int64Bits(number)| Ok(number), Ok)
        .version_from(&COUNT_2)
        .build()?;
    let implementations = Implementations::<()>::builder()
        .implementations(
            echo.implement(|_state, _version, query: ByteString| async move { Ok(query) }),
        )
        .implementations(
            count.implement(|_state, _version, ()| async { Ok(Ok::<_, String>(Counter(0))) }),
        )
        .build()?;
    let socket = duel::accept(&listener).await?;
    let connection = Connection::serve(socket, Config::default(), &implementations, |_| ()).await?;
    let closed = connection.closed().await;
    Err(anyhow!("{closed}"))
}

async fn connected(to: SocketAddr) -> Result<ConnectionWithMenu> {
    Ok(ConnectionWithMenu::request(caller(to).await?).await?)
}

async fn ping(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    let (connection, echo) = (connected(to).await?, echo()?);
    for number in 0.. {
        let start = Instant::now();
        let query = ByteString(payload(number, bytes));
        let ByteString(response) = echo.dispatch(&connection, query).await?;
        check(&response, number, bytes)?;
        tally.add_call_since(start);
    }
    bail!("out of numbers")
}

async fn pipelined(
    to: SocketAddr,
    tally: Tally,
    in_flight: u64,
    bytes: usize,
) -> Result<Infallible> {
    let (connection, echo) = (connected(to).await?, echo()?);
    let dispatch = |number| echo.dispatch(&connection, ByteString(payload(number, bytes)));
    let mut waiting: VecDeque<_> = (0..in_flight).map(dispatch).collect();
    for number in 0.. {
        let first = waiting.pop_front().context("nothing in flight")?;
        let ByteString(response) = first.await?;
        check(&response, number, bytes)?;
        tally.add(1);
        waiting.push_back(dispatch(number + in_flight));
    }
    bail!("out of numbers")
}

async fn receive(to: SocketAddr, tally: Tally) -> Result<Infallible> {
    let connection = connected(to).await?;
    let count = caller_converts::PipeRpc::<(), Int64Bits, String>::builder("count")
        .version(&COUNT_1, Ok, |number| Ok(Int64Bits(number)), Ok)
        .version_from(&COUNT_2)
        .build()?;
    let counting = count.dispatch(&connection, ()).await?;
    let mut updates = counting.map_err(|refusal| anyhow!(refusal))?;
    let mut received = 0;
    while let Some(update) = updates.next().await {
        let Int64Bits(update) = update?;
        ensure!(update == received, "update {update} instead of {received}");
        tally.add(1);
        received += 1;
    }
    bail!("ended: {:?}", updates.close_reason().await)
}

#[cfg(test)]
mod tests {
    use super::super::super::assert_moves;
    use super::*;

    #[test]
    fn every_workload_moves() {
        assert_moves(&[&Versioned]);
    }
}
