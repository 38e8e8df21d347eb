//! This workspace's connections, with their default configuration.

mod beside;
mod connected;
mod group;
mod notes;
mod quiet;
mod versioned;

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bin_prot::{ByteString, Int64Bits};
use futures_core::Stream;
use rpc_core::{Connection, Implementations, PipeMessage, PipeRpc, Rpc, connection::Config};
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    Kind, MENU, Sample, System, Workload, caller, check,
    duel::{self, Tally},
    lasting, payload,
};

pub use beside::{Beside, keep_idle};
pub use connected::Connected;
use connected::{Heard, listen};
use group::Shape;
use notes::Sending;
pub use quiet::{serve_quietly, subscribe_quietly};
pub use versioned::Versioned;

static ECHO: Rpc<ByteString, ByteString> = Rpc::new("echo", 1);
static COUNT: PipeRpc<(), Int64Bits, String> = PipeRpc::new("count", 1);
static QUIET: PipeRpc<(), Int64Bits, String> = PipeRpc::new("quiet", 1);

/// Calls and pipes of `rpc-core`, by the way in which the caller keeps calls in flight.
#[derive(Clone, Copy, Debug)]
pub enum Ours {
    /// One task dispatches ahead and takes the answers in order, as raw does.
    Pipelined,
    /// As many tasks as calls, each waiting for its own.
    Tasks,
    /// As the first, with a listener to the tracing events at either end, who counts them.
    Heard,
    /// One-way messages dispatched one by one, where the first dispatches many of them together.
    Single,
}

impl System for Ours {
    fn name(&self) -> &'static str {
        match self {
            Self::Pipelined => "ours",
            Self::Tasks => "ours-tasks",
            Self::Heard => "ours-heard",
            Self::Single => "ours-single",
        }
    }

    fn takes(&self, workload: Workload) -> bool {
        let calls = matches!(workload.kind, Kind::Calls { .. });
        match self {
            Self::Pipelined => true,
            Self::Tasks => calls && workload.kind != Kind::Calls { in_flight: 1 },
            Self::Heard => (calls && workload.bytes == 32) || workload.kind == Kind::Stream,
            Self::Single => workload.kind == Kind::OneWay,
        }
    }

    fn round(&self, workload: Workload, duration: Duration) -> Result<Sample> {
        let (bytes, heard) = (workload.bytes, matches!(self, Self::Heard));
        let serve = move |listener| async move {
            let others = if workload.kind == Kind::Connect {
                MENU - OWN
            } else {
                0
            };
            serve(listener, &table(others)?, heard).await
        };
        match workload.kind {
            Kind::Calls { in_flight } if in_flight > 1 && !matches!(self, Self::Tasks) => {
                duel::run(duration, serve, move |to, tally| {
                    pipelined(to, tally, in_flight, bytes, heard)
                })
            }
            Kind::Calls { .. } | Kind::Paced { .. } | Kind::Connect => match self {
                Self::Heard => caller::round::<Heard, _>(workload, duration, serve),
                Self::Pipelined | Self::Tasks | Self::Single => {
                    caller::round::<Connected, _>(workload, duration, serve)
                }
            },
            Kind::Stream => duel::run(duration, serve, move |to, tally| receive(to, tally, heard)),
            Kind::Callback => duel::run(duration, serve, called_back),
            Kind::State => lasting::plain(duration),
            Kind::OneWay => {
                let sending = match self {
                    Self::Single => Sending::Single,
                    Self::Pipelined | Self::Tasks | Self::Heard => Sending::Together,
                };
                duel::run(
                    duration,
                    // Who takes the messages counts them.
                    move |listener| notes::send(listener, bytes, sending),
                    move |to, tally| notes::take(to, tally, bytes),
                )
            }
            Kind::Group => duel::run(
                duration,
                move |listener| group::serve(listener, Shape::MANY, bytes),
                move |to, tally| group::subscribe(to, tally, Shape::MANY, bytes),
            ),
        }
    }
}

/// A connection that calls.
async fn caller(to: SocketAddr) -> Result<Connection> {
    Ok(Connection::create(duel::connect(to).await?, Config::default()).await?)
}

/// RPCs of [`table`] beside the others.
const OWN: usize = 3;

/// The calls and the pipe that are measured, a pipe that never says anything, and so many others
/// that nobody calls.
fn table(others: usize) -> Result<Implementations<()>> {
    let mut table = Implementations::<()>::builder()
        .implement(&ECHO, |_state, query| async move { Ok(query) })
        .implement_pipe(&COUNT, |_state, ()| async { Ok(Ok(Counter(0))) })
        .implement_pipe(&QUIET, |_state, ()| async { Ok(Ok(Silence)) });
    for version in 1..=i64::try_from(others)? {
        let other = Rpc::<ByteString, ByteString>::new("other", version);
        table = table.implement(&other, |_state, query| async move { Ok(query) });
    }
    Ok(table.build()?)
}

async fn serve(
    listener: TcpListener,
    implementations: &Implementations<()>,
    heard: bool,
) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            socket = duel::accept(&listener) => {
                let (socket, implementations) = (socket?, implementations.clone());
                connections.spawn(async move {
                    let config = Config::default();
                    let serving = Connection::serve(socket, config, &implementations, |_| ());
                    let connection = serving.await?;
                    let _listening = listen(&connection, heard);
                    connection.closed().await;
                    anyhow::Ok(())
                });
            }
            Some(ended) = connections.join_next() => ended??,
        }
    }
}

/// As many updates as are taken.
pub(super) struct Counter(pub(super) i64);

impl Stream for Counter {
    type Item = Int64Bits;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Int64Bits>> {
        let update = Int64Bits(self.0);
        self.0 += 1;
        Poll::Ready(Some(update))
    }
}

/// Never an update.
struct Silence;

impl Stream for Silence {
    type Item = Int64Bits;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Int64Bits>> {
        Poll::Pending
    }
}

async fn pipelined(
    to: SocketAddr,
    tally: Tally,
    in_flight: u64,
    bytes: usize,
    heard: bool,
) -> Result<Infallible> {
    let connection = caller(to).await?;
    let _listening = listen(&connection, heard);
    keep_in_flight(&connection, tally, in_flight, bytes).await
}

/// One task dispatches ahead, and takes the answers in order.
async fn keep_in_flight(
    connection: &Connection,
    tally: Tally,
    in_flight: u64,
    bytes: usize,
) -> Result<Infallible> {
    let dispatch = |number| ECHO.dispatch(connection, &ByteString(payload(number, bytes)));
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

async fn receive(to: SocketAddr, tally: Tally, heard: bool) -> Result<Infallible> {
    let connection = caller(to).await?;
    let _listening = listen(&connection, heard);
    let counting = COUNT.dispatch(&connection, &()).await?;
    let mut updates = counting.map_err(|refusal| anyhow!(refusal))?;
    let mut received = 0;
    while let Some(Int64Bits(update)) = updates.next().await {
        ensure!(update == received, "update {update} instead of {received}");
        tally.add(1);
        received += 1;
    }
    bail!("ended: {:?}", updates.close_reason().await)
}

async fn called_back(to: SocketAddr, tally: Tally) -> Result<Infallible> {
    let connection = caller(to).await?;
    let mut received = 0;
    let counting = COUNT.dispatch_with(&connection, &(), move |message| {
        if let PipeMessage::Update(Int64Bits(update)) = message {
            assert_eq!(update, received, "the next number");
            tally.add(1);
            received += 1;
        }
    });
    let updates = counting.await?.map_err(|refusal| anyhow!(refusal))?;
    bail!("ended: {:?}", updates.close_reason().await)
}

#[cfg(test)]
mod tests {
    use super::super::assert_moves;
    use super::*;

    #[test]
    fn every_workload_moves() {
        assert_moves(&[&Ours::Pipelined, &Ours::Tasks, &Ours::Heard, &Ours::Single]);
    }
}
