//! Everything at random, for some time: hundreds of connections over memory, TCP and Unix sockets,
//! with faults, against servers that come and go.
//!
//! What is checked: each dispatch has exactly one outcome; a stream is a prefix of what was
//! produced, and whole if it ended in the ordinary way; so is what a member of a group gets; what
//! one task sends arrives in that order; bytes come back as they were sent; of a query's metadata
//! comes what the wire version carries, and nothing else; events keep to their grammar on both
//! sides; an error of a call means that its connection is over; and at the end tables are empty,
//! and tasks, descriptors and memory are what they were. `docs/soak.md` says more.

mod board;
mod connect;
mod expert;
mod faulty;
mod grammar;
mod ledger;
mod member;
mod metadata;
mod rpcs;
mod stream;
mod turns;
mod worker;
mod world;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::allocator;
use crate::chance::Chance;
use crate::process::Usage;
use ledger::{Done, Ledger};
use world::World;

/// Bytes that the process may hold at the end beyond what it held after warming up: what the
/// runtime and the system's libraries keep for the next time.
const TOLERANCE: usize = 1024 * 1024;

/// Longer than any timeout that a connection here has.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long, and which one.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// For how long to go on.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// What determines every choice, though not how threads take turns. Default: the time.
    #[arg(long)]
    seed: Option<u64>,
    /// Connections at once.
    #[arg(long, default_value_t = 300)]
    connections: u64,
}

/// What a process has when nothing is going on.
#[derive(Clone, Copy, Debug)]
struct Idle {
    tasks: usize,
    held: usize,
    usage: Usage,
}

impl Idle {
    fn now() -> Result<Self> {
        Ok(Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            held: allocator::held(),
            usage: Usage::of_this_process()?,
        })
    }
}

/// Goes on for as long as it was told.
///
/// # Errors
/// An invariant was violated, or something is left at the end.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => std::time::UNIX_EPOCH.elapsed()?.as_secs(),
    };
    println!(
        "soak: {} s, {} connections, seed {seed}",
        arguments.seconds, arguments.connections
    );
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let ledger = Arc::<Ledger>::default();
    let result = runtime.block_on(soak(arguments, seed, &ledger));
    ledger.print();
    result?;
    match ledger.violations() {
        0 => Ok(()),
        violations => bail!("{violations} violations; seed {seed}"),
    }
}

async fn soak(arguments: &Arguments, seed: u64, ledger: &Arc<Ledger>) -> Result<()> {
    let begin = Instant::now();
    let total = Duration::from_secs(arguments.seconds);
    // What is allocated once and kept shall not look like a leak.
    let warm_up = (total / 5).clamp(Duration::from_secs(2), Duration::from_secs(20));
    round(arguments, seed, ledger, warm_up).await?;
    let before = idle().await?;
    round(arguments, !seed, ledger, total.saturating_sub(warm_up)).await?;
    let after = idle().await?;
    println!(
        "{:.0} s; memory in use: peak {}, after warming up {}, at the end {} KiB",
        begin.elapsed().as_secs_f64(),
        allocator::peak() / 1024,
        before.held / 1024,
        after.held / 1024
    );
    println!(
        "resident: peak {}, after warming up {}, at the end {} KiB",
        after.usage.peak, before.usage.resident, after.usage.resident
    );
    println!(
        "tasks {} and {}, descriptors {} and {}, threads {} and {}",
        before.tasks,
        after.tasks,
        before.usage.descriptors,
        after.usage.descriptors,
        before.usage.threads,
        after.usage.threads
    );
    for (what, was, is) in [
        ("tasks", 0, before.tasks),
        ("tasks", 0, after.tasks),
        (
            "descriptors",
            before.usage.descriptors,
            after.usage.descriptors,
        ),
    ] {
        ledger.check(was == is, format_args!("{is} {what} are left of {was}"));
    }
    let held = after.held.saturating_sub(before.held);
    ledger.check(held <= TOLERANCE, format_args!("{held} bytes are left"));
    let outcomes = [Done::Answers, Done::Failures, Done::Forgotten];
    let outcomes: u64 = outcomes.map(|outcome| ledger.times(outcome)).iter().sum();
    let dispatches = ledger.times(Done::Dispatches);
    ledger.check(
        dispatches == outcomes,
        format_args!("{dispatches} dispatches had {outcomes} outcomes"),
    );
    Ok(())
}

/// What there is once everything that was about to end has ended.
async fn idle() -> Result<Idle> {
    let mut idle = Idle::now()?;
    // Tasks and sockets of the system's end a moment after whoever waited for them was told.
    for _ in 0..100 {
        sleep(Duration::from_millis(50)).await;
        let now = Idle::now()?;
        if now.tasks == 0 && now.held == idle.held {
            break;
        }
        idle = now;
    }
    Idle::now()
}

/// A world, and everybody in it, from the beginning to the end.
async fn round(
    arguments: &Arguments,
    seed: u64,
    ledger: &Arc<Ledger>,
    time: Duration,
) -> Result<()> {
    let mut chance = Chance::new(seed);
    ledger.over.store(false, Ordering::Relaxed);
    let world = Arc::new(World::new(ledger, &mut chance)?);
    let mut workers = JoinSet::new();
    for _ in 0..arguments.connections {
        workers.spawn(worker::work(world.clone(), chance.fork()));
    }
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        sleep(Duration::from_millis(200 + chance.below(1500))).await;
        world.replace_one(&mut chance).await?;
    }
    ledger.over.store(true, Ordering::Relaxed);
    let ended = timeout(PATIENCE, async {
        while let Some(worker) = workers.join_next().await {
            worker?;
        }
        anyhow::Ok(())
    });
    ended.await.context("workers do not end")??;
    let world = Arc::into_inner(world).context("somebody keeps the world")?;
    timeout(PATIENCE, world.end())
        .await
        .context("servers do not end")
}
