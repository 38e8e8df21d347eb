//! Updates to a state, out of the plain RPC and out of subscriptions that outlive a connection.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use anyhow::{Result, anyhow, bail, ensure};
use bin_prot::Int64Bits;
use durable_rpc::{Durable, Event, state};
use rpc_core::{Client, Connection, Implementations, StateRpc, connection::Config};
use tokio::net::TcpListener;

use super::{
    Kind, Sample, System, Workload,
    duel::{self, Tally},
    ours::Counter,
};

static STATE: StateRpc<(), Int64Bits, Int64Bits, String> = StateRpc::new("state", 1);

/// Longer than a measurement: nothing is to be lost.
const DELAY: Duration = Duration::from_secs(60);

/// Durable subscriptions of `durable-rpc`.
#[derive(Clone, Copy, Debug)]
pub enum Lasting {
    /// The consumer takes the events.
    Durable,
    /// The updates are folded into the state, of which the consumer looks at what it finds.
    Followed,
}

impl System for Lasting {
    fn name(&self) -> &'static str {
        match self {
            Self::Durable => "ours-durable",
            Self::Followed => "ours-followed",
        }
    }

    fn takes(&self, workload: Workload) -> bool {
        workload.kind == Kind::State
    }

    fn round(&self, _: Workload, duration: Duration) -> Result<Sample> {
        match self {
            Self::Durable => duel::run(duration, serve, durable),
            Self::Followed => duel::run(duration, serve, followed),
        }
    }
}

/// The plain RPC.
pub(super) fn plain(duration: Duration) -> Result<Sample> {
    duel::run(duration, serve, receive)
}

async fn serve(listener: TcpListener) -> Result<()> {
    let implementations = Implementations::<()>::builder()
        .implement_state(&STATE, |_state, ()| async {
            Ok(Ok((Int64Bits(-1), Counter(0))))
        })
        .build()?;
    let socket = duel::accept(&listener).await?;
    let connection = Connection::serve(socket, Config::default(), &implementations, |_| ()).await?;
    let closed = connection.closed().await;
    Err(anyhow!("{closed}"))
}

async fn receive(to: SocketAddr, tally: Tally) -> Result<Infallible> {
    let socket = duel::connect(to).await?;
    let connection = Connection::create(socket, Config::default()).await?;
    let answer = STATE.dispatch(&connection, &()).await?;
    let (Int64Bits(mut last), mut updates) = answer.map_err(|refusal| anyhow!(refusal))?;
    while let Some(Int64Bits(update)) = updates.next().await {
        ensure!(update == last + 1, "update {update} after {last}");
        last = update;
        tally.add(1);
    }
    bail!("ended: {:?}", updates.close_reason().await)
}

fn subscribe(to: SocketAddr) -> state::Subscription<Int64Bits, Int64Bits, String> {
    let create = move || async move { Client::new().connect(to).await };
    let connection = Durable::new(create, Connection::is_closed);
    state::create(&STATE, &connection, (), DELAY)
}

async fn durable(to: SocketAddr, tally: Tally) -> Result<Infallible> {
    let mut events = subscribe(to);
    let mut last = None;
    while let Some(event) = events.next().await {
        match event {
            Event::AttemptingNewConnection | Event::ConnectionSuccess(_) => {}
            Event::State(Int64Bits(state)) => last = Some(state),
            Event::Update(Int64Bits(update)) => {
                ensure!(Some(update - 1) == last, "update {update} after {last:?}");
                last = Some(update);
                tally.add(1);
            }
            Event::LostConnection => bail!("lost"),
            Event::FailedToConnect(error) => return Err(error.into()),
            Event::RpcError(refusal) => bail!(refusal),
        }
    }
    bail!("given up")
}

async fn followed(to: SocketAddr, tally: Tally) -> Result<Infallible> {
    let counting = tally.clone();
    let mut followed = subscribe(to).follow(move |Int64Bits(last), Int64Bits(update)| {
        assert_eq!(update, *last + 1, "the next number");
        *last = update;
        counting.add(1);
    });
    loop {
        followed.changed().await?;
        let status = followed.monitor().stats();
        ensure!(
            status.losses + status.failures == 0,
            "{}",
            followed.monitor()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_moves;
    use super::*;

    #[test]
    fn every_workload_moves() {
        assert_moves(&[&Lasting::Durable, &Lasting::Followed]);
    }
}
