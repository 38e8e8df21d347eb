//! This workspace's connections, with their default configuration.

mod group;
mod versioned;

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bin_prot::{ByteString, Int64Bits};
use futures_core::Stream;
use rpc_core::{
    Connection, Implementations, OneWay, PipeMessage, PipeRpc, Rpc, TracingSubscription,
    connection::Config,
};
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    Kind, Sample, System, Workload, check,
    duel::{self, Tally},
    lasting, payload,
};

pub use versioned::Versioned;

static ECHO: Rpc<ByteString, ByteString> = Rpc::new("echo", 1);
static COUNT: PipeRpc<(), Int64Bits, String> = PipeRpc::new("count", 1);
static NOTE: OneWay<ByteString> = OneWay::new("note", 1);

/// Bytes of one-way messages that may wait before their sender does.
const HIGH_WATER: u64 = 256 * 1024;

/// Calls and pipes of `rpc-core`, by the way in which the caller keeps calls in flight.
#[derive(Clone, Copy, Debug)]
pub enum Ours {
    /// One task dispatches ahead and takes the answers in order, as raw does.
    Pipelined,
    /// As many tasks as calls, each waiting for its own.
    Tasks,
    /// As the first, with a listener to the tracing events at either end, who counts them.
    Heard,
}

impl System for Ours {
    fn name(&self) -> &'static str {
        match self {
            Self::Pipelined => "ours",
            Self::Tasks => "ours-tasks",
            Self::Heard => "ours-heard",
        }
    }

    fn takes(&self, workload: Workload) -> bool {
        let calls = matches!(workload.kind, Kind::Calls { .. });
        match self {
            Self::Pipelined => true,
            Self::Tasks => calls && workload.kind != Kind::Calls { in_flight: 1 },
            Self::Heard => (calls && workload.bytes == 32) || workload.kind == Kind::Stream,
        }
    }

    fn round(&self, workload: Workload, duration: Duration) -> Result<Sample> {
        let (bytes, heard) = (workload.bytes, matches!(self, Self::Heard));
        let serve = move |listener| serve(listener, heard);
        match workload.kind {
            Kind::Calls { in_flight: 1 } => duel::run(duration, serve, move |to, tally| {
                ping(to, tally, bytes, heard)
            }),
            Kind::Calls { in_flight } => match self {
                Self::Pipelined | Self::Heard => duel::run(duration, serve, move |to, tally| {
                    pipelined(to, tally, in_flight, bytes, heard)
                }),
                Self::Tasks => duel::run(duration, serve, move |to, tally| {
                    tasks(to, tally, in_flight, bytes)
                }),
            },
            Kind::Stream => duel::run(duration, serve, move |to, tally| receive(to, tally, heard)),
            Kind::Callback => duel::run(duration, serve, called_back),
            Kind::State => lasting::plain(duration),
            Kind::OneWay => duel::run(
                duration,
                // Who takes the messages counts them.
                move |listener| note(listener, bytes),
                move |to, tally| take_notes(to, tally, bytes),
            ),
            Kind::Group => duel::run(
                duration,
                move |listener| group::serve(listener, bytes),
                move |to, tally| group::subscribe(to, tally, bytes),
            ),
            Kind::Connect => duel::run(duration, serve, move |to, tally| connect(to, tally, bytes)),
        }
    }
}

/// Counts the events of a connection, if they are to be heard.
fn listen(connection: &Connection, heard: bool) -> Option<TracingSubscription> {
    let events = AtomicU64::new(0);
    heard.then(|| {
        connection.subscribe(move |_| {
            events.fetch_add(1, Ordering::Relaxed);
        })
    })
}

/// A connection that calls.
async fn caller(to: SocketAddr) -> Result<Connection> {
    Ok(Connection::create(duel::connect(to).await?, Config::default()).await?)
}

async fn serve(listener: TcpListener, heard: bool) -> Result<()> {
    let implementations = Implementations::<()>::builder()
        .implement(&ECHO, |_state, query| async move { Ok(query) })
        .implement_pipe(&COUNT, |_state, ()| async { Ok(Ok(Counter(0))) })
        .build()?;
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

async fn ping(to: SocketAddr, tally: Tally, bytes: usize, heard: bool) -> Result<Infallible> {
    let connection = caller(to).await?;
    let _listening = listen(&connection, heard);
    for number in 0.. {
        let start = Instant::now();
        call(&connection, number, bytes).await?;
        tally.add_round_trip(start.elapsed());
    }
    bail!("out of numbers")
}

async fn call(connection: &Connection, number: u64, bytes: usize) -> Result<()> {
    let query = ByteString(payload(number, bytes));
    let ByteString(response) = ECHO.dispatch(connection, &query).await?;
    check(&response, number, bytes)
}

async fn connect(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    for number in 0.. {
        call(&caller(to).await?, number, bytes).await?;
        tally.add(1);
    }
    bail!("out of numbers")
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
    let dispatch = |number| ECHO.dispatch(&connection, &ByteString(payload(number, bytes)));
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

async fn tasks(to: SocketAddr, tally: Tally, in_flight: u64, bytes: usize) -> Result<Infallible> {
    let connection = caller(to).await?;
    let mut tasks = JoinSet::new();
    for number in 0..in_flight {
        let (connection, tally) = (connection.clone(), tally.clone());
        tasks.spawn(async move {
            loop {
                call(&connection, number, bytes).await?;
                tally.add(1);
            }
        });
    }
    tasks.join_next().await.context("nothing in flight")??
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

/// Sends messages for as long as they are taken.
async fn note(listener: TcpListener, bytes: usize) -> Result<()> {
    let socket = duel::accept(&listener).await?;
    let connection = Connection::create(socket, Config::default()).await?;
    for number in 0.. {
        NOTE.dispatch(&connection, &ByteString(payload(number, bytes)))?;
        if number % 256 == 0 && connection.bytes_to_write() > HIGH_WATER {
            connection.flushed().await;
        }
    }
    Ok(())
}

async fn take_notes(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    let taken = AtomicU64::new(0);
    let implementations = Implementations::<()>::builder()
        .implement_one_way(&NOTE, move |_state, ByteString(message)| {
            let number = taken.load(Ordering::Relaxed);
            taken.store(number + 1, Ordering::Relaxed);
            check(&message, number, bytes).expect("the next number");
            tally.add(1);
            async { Ok(()) }
        })
        .build()?;
    let socket = duel::connect(to).await?;
    let connection = Connection::serve(socket, Config::default(), &implementations, |_| ()).await?;
    let closed = connection.closed().await;
    Err(anyhow!("{closed}"))
}

#[cfg(test)]
mod tests {
    use super::super::assert_moves;
    use super::*;

    #[test]
    fn every_workload_moves() {
        assert_moves(&[&Ours::Pipelined, &Ours::Tasks, &Ours::Heard]);
    }
}
