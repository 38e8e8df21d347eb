//! This workspace's connections, with their default configuration.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use futures_core::Stream;
use rpc_core::{
    Connection, Implementations, PipeRpc, Rpc, TracingSubscription, connection::Config,
};
use tokio::{net::TcpStream, task::JoinSet};

use crate::{
    duel::{self, Tally},
    system::{Sample, System, Workload, check, payload},
};

static ECHO: Rpc<Vec<u8>, Vec<u8>> = Rpc::new("echo", 1);
static COUNT: PipeRpc<(), Vec<u8>, String> = PipeRpc::new("count", 1);

/// Calls and pipes of `rpc-core`, by the way in which the caller keeps calls in flight.
#[derive(Clone, Copy)]
pub(crate) enum Ours {
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
        match (self, workload) {
            (Self::Pipelined | Self::Heard, _)
            | (Self::Tasks, Workload::Calls64 | Workload::Calls1024) => true,
            (Self::Tasks, Workload::Ping | Workload::Stream) => false,
        }
    }

    fn round(&self, workload: Workload, duration: Duration) -> Result<Sample> {
        let heard = matches!(self, Self::Heard);
        let serve = move |socket| serve(socket, heard);
        let in_flight = match workload {
            Workload::Ping => {
                return duel::run(duration, serve, move |socket, tally| {
                    ping(socket, tally, heard)
                });
            }
            Workload::Stream => {
                return duel::run(duration, serve, move |socket, tally| {
                    receive(socket, tally, heard)
                });
            }
            Workload::Calls64 => 64,
            Workload::Calls1024 => 1024,
        };
        match self {
            Self::Pipelined | Self::Heard => duel::run(duration, serve, move |socket, tally| {
                pipelined(socket, tally, in_flight, heard)
            }),
            Self::Tasks => duel::run(duration, serve, move |socket, tally| {
                tasks(socket, tally, in_flight)
            }),
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

async fn serve(socket: TcpStream, heard: bool) -> Result<()> {
    let implementations = Implementations::<()>::builder()
        .implement(&ECHO, |_state, query| async move { Ok(query) })
        .implement_pipe(&COUNT, |_state, ()| async { Ok(Ok(Counter(0))) })
        .build()?;
    let connection = Connection::serve(socket, Config::default(), &implementations, |_| ()).await?;
    let _listening = listen(&connection, heard);
    let closed = connection.closed().await;
    Err(anyhow!("{closed}"))
}

/// As many updates as are taken.
struct Counter(u64);

impl Stream for Counter {
    type Item = Vec<u8>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let update = payload(self.0).to_vec();
        self.0 += 1;
        Poll::Ready(Some(update))
    }
}

async fn ping(socket: TcpStream, tally: Tally, heard: bool) -> Result<Infallible> {
    let connection = Connection::create(socket, Config::default()).await?;
    let _listening = listen(&connection, heard);
    for number in 0.. {
        let start = Instant::now();
        let response = ECHO
            .dispatch(&connection, &payload(number).to_vec())
            .await?;
        check(&response, number)?;
        tally.add_round_trip(start.elapsed());
    }
    bail!("out of numbers")
}

async fn pipelined(
    socket: TcpStream,
    tally: Tally,
    in_flight: u64,
    heard: bool,
) -> Result<Infallible> {
    let connection = Connection::create(socket, Config::default()).await?;
    let _listening = listen(&connection, heard);
    let dispatch = |number| ECHO.dispatch(&connection, &payload(number).to_vec());
    let mut waiting: VecDeque<_> = (0..in_flight).map(dispatch).collect();
    for number in 0.. {
        let first = waiting.pop_front().context("nothing in flight")?;
        check(&first.await?, number)?;
        tally.add(1);
        waiting.push_back(dispatch(number + in_flight));
    }
    bail!("out of numbers")
}

async fn tasks(socket: TcpStream, tally: Tally, in_flight: u64) -> Result<Infallible> {
    let connection = Connection::create(socket, Config::default()).await?;
    let mut tasks = JoinSet::new();
    for number in 0..in_flight {
        let (connection, tally) = (connection.clone(), tally.clone());
        tasks.spawn(async move {
            loop {
                let response = ECHO
                    .dispatch(&connection, &payload(number).to_vec())
                    .await?;
                check(&response, number)?;
                tally.add(1);
            }
        });
    }
    tasks.join_next().await.context("nothing in flight")??
}

async fn receive(socket: TcpStream, tally: Tally, heard: bool) -> Result<Infallible> {
    let connection = Connection::create(socket, Config::default()).await?;
    let _listening = listen(&connection, heard);
    let counting = COUNT.dispatch(&connection, &()).await?;
    let mut updates = counting.map_err(|refusal| anyhow!(refusal))?;
    let mut received = 0;
    while let Some(update) = updates.next().await {
        check(&update, received)?;
        tally.add(1);
        received += 1;
    }
    bail!("ended: {:?}", updates.close_reason().await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_moves() {
        for system in [Ours::Pipelined, Ours::Tasks, Ours::Heard] {
            for workload in Workload::chosen(&[]) {
                let sample = system.round(workload, Duration::from_millis(30)).unwrap();
                assert!(sample.count > 0, "{workload}");
            }
        }
    }
}
