//! A caller's side of the workloads that consist of calls, for whatever can make one.

use std::{convert::Infallible, net::SocketAddr, time::Duration, time::Instant};

use anyhow::{Context as _, Result, bail};
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    Kind, Sample, Workload,
    duel::{self, Tally},
    pacer::Pacer,
};

/// The calling end of a connection; clones share it.
pub trait Caller: Clone + 'static {
    /// Connects.
    fn connect(to: SocketAddr) -> impl Future<Output = Result<Self>>;

    /// Sends the payload of this number and checks that it comes back.
    fn call(&mut self, number: u64, bytes: usize) -> impl Future<Output = Result<()>>;
}

/// One round of a workload that consists of calls, made as a program of many tasks makes them.
///
/// # Errors
/// Whatever kept either side from finishing; or the workload is none of calls.
pub fn round<C: Caller, Callee>(
    workload: Workload,
    duration: Duration,
    serve: impl FnOnce(TcpListener) -> Callee + Send,
) -> Result<Sample>
where
    Callee: Future<Output = Result<()>> + 'static,
{
    let bytes = workload.bytes;
    match workload.kind {
        Kind::Calls { in_flight: 1 } => duel::run(duration, serve, move |to, tally| {
            ping::<C>(to, tally, bytes)
        }),
        Kind::Calls { in_flight } => duel::run(duration, serve, move |to, tally| {
            tasks::<C>(to, tally, in_flight, bytes)
        }),
        Kind::Paced { per_second } => duel::run(duration, serve, move |to, tally| {
            paced::<C>(to, tally, per_second, bytes)
        }),
        Kind::Connect => duel::run(duration, serve, move |to, tally| {
            connect::<C>(to, tally, bytes)
        }),
        Kind::Stream | Kind::Callback | Kind::State | Kind::OneWay | Kind::Group => {
            bail!("{workload} does not consist of calls")
        }
    }
}

async fn ping<C: Caller>(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    let mut caller = C::connect(to).await?;
    for number in 0.. {
        let start = Instant::now();
        caller.call(number, bytes).await?;
        tally.add_call_since(start);
    }
    bail!("out of numbers")
}

/// As many tasks as calls, each waiting for its own.
async fn tasks<C: Caller>(
    to: SocketAddr,
    tally: Tally,
    in_flight: u64,
    bytes: usize,
) -> Result<Infallible> {
    let caller = C::connect(to).await?;
    let mut tasks = JoinSet::new();
    for number in 0..in_flight {
        let (mut caller, tally) = (caller.clone(), tally.clone());
        tasks.spawn_local(async move {
            loop {
                caller.call(number, bytes).await?;
                tally.add(1);
            }
        });
    }
    tasks.join_next().await.context("nothing in flight")??
}

/// A task for each call that is due.
async fn paced<C: Caller>(
    to: SocketAddr,
    tally: Tally,
    per_second: u32,
    bytes: usize,
) -> Result<Infallible> {
    let caller = C::connect(to).await?;
    let mut pacer = Pacer::new(per_second)?;
    let mut calls = JoinSet::<Result<()>>::new();
    loop {
        tokio::select! {
            // Both are asked again, whichever comes first; neither loses anything.
            due = pacer.due() => {
                for (number, time) in due? {
                    let (mut caller, tally) = (caller.clone(), tally.clone());
                    calls.spawn_local(async move {
                        caller.call(number, bytes).await?;
                        tally.add_call_since(time);
                        Ok(())
                    });
                }
            }
            Some(ended) = calls.join_next() => ended??,
        }
        // Those that have ended with it, without being polled again for each.
        while let Some(ended) = calls.try_join_next() {
            ended??;
        }
    }
}

async fn connect<C: Caller>(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    for number in 0.. {
        C::connect(to).await?.call(number, bytes).await?;
        tally.add(1);
    }
    bail!("out of numbers")
}
