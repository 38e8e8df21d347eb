//! Every hostile peer against a server in another process, which goes on answering others and has
//! in the end the memory, the tasks and the descriptors that it had in the beginning.

mod cases;
mod others;
mod peer;
mod server;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::timeout;

use cases::{CASES, Case};
use others::Others;
use server::{Server, State};

/// How much more resident memory there may be in the end, in percent.
const TOLERANCE: f64 = 5.0;

/// How much the last round of warming up may add to the most before it, in percent.
const STABLE: f64 = 3.0;

/// How many rounds that takes. What the allocator keeps goes up and down in the first ones.
const WARM_UP_ROUNDS: RangeInclusive<u32> = 4..=10;

/// For how long nothing changes when whoever has left is gone.
const SHORTLY: Duration = Duration::from_millis(500);

/// The same when memory has been given back, too: the server's allocator takes a second for that.
const FOR_GOOD: Duration = Duration::from_secs(3);

/// Which server.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The built `rpc` command, whose `interop serve` is run.
    program: PathBuf,
}

/// Runs each case against a server of its own, whose peak is then that case's; and all of them
/// twice against one server: once to warm up, and once between two looks at it.
///
/// # Errors
/// A case went otherwise than it should, somebody else was not answered, or something is left.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("each against a server of its own:");
        for case in quick() {
            alone(&arguments.program, case)
                .await
                .with_context(|| case.name)?;
        }
        println!("all against one server:");
        together(&arguments.program).await
    })
}

/// Those that do not take as long as one of the server's timeouts.
fn quick() -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(|case| !case.slow)
}

async fn alone(program: &Path, case: &'static Case) -> Result<()> {
    let mut server = Server::start(program).await?;
    Others::warm_up(server.address).await?;
    let before = server.settled(SHORTLY).await?;
    server.reset_peak()?;
    let others = Others::start(server.address).await?;
    let outcome = one(case, server.address).await?;
    others.stop().await?;
    let peak = server.usage()?.peak;
    let after = server.until_over(before).await?;
    println!(
        "{outcome}; {} KiB more at the peak, {} KiB soon afterwards",
        peak.saturating_sub(before.usage.resident),
        after.usage.resident.saturating_sub(before.usage.resident),
    );
    Ok(())
}

async fn together(program: &Path) -> Result<()> {
    let mut server = Server::start(program).await?;
    Others::warm_up(server.address).await?;
    println!("fresh:  {}", server.settled(SHORTLY).await?);
    let before = warmed_up(&mut server).await?;
    let others = Others::start(server.address).await?;
    // Those who take their time do so beside the others.
    let mut slow = JoinSet::new();
    for case in CASES.iter().filter(|case| case.slow) {
        slow.spawn(one(case, server.address));
    }
    for case in quick() {
        one(case, server.address).await?;
    }
    while let Some(outcome) = slow.join_next().await {
        println!("{}", outcome??);
    }
    println!("others: {}", others.stop().await?);
    server.until_over(before).await?;
    let after = server.settled(FOR_GOOD).await?;
    println!("after:  {after}");
    let percent = growth(before, after);
    println!("resident memory: {percent:+.1} %");
    ensure!(
        percent <= TOLERANCE,
        "resident memory has grown by {percent:.1} %"
    );
    Ok(())
}

/// The server at its largest, once a round of all quick cases adds nothing any more: what its allocator
/// keeps between objects that live on has found its size by then.
///
/// # Errors
/// Every round adds something, as with something that is never freed.
async fn warmed_up(server: &mut Server) -> Result<State> {
    let mut largest = server.settled(FOR_GOOD).await?;
    for round in 1..=*WARM_UP_ROUNDS.end() {
        for case in quick() {
            one(case, server.address).await?;
        }
        let after = server.settled(FOR_GOOD).await?;
        println!("round {round}: {after}");
        let added = growth(largest, after);
        if added > 0.0 {
            largest = after;
        }
        if added < STABLE && WARM_UP_ROUNDS.contains(&round) {
            return Ok(largest);
        }
    }
    let rounds = WARM_UP_ROUNDS.end();
    bail!("resident memory grows in {rounds} rounds");
}

/// Of resident memory, in percent.
fn growth(before: State, after: State) -> f64 {
    let (was, is) = (before.usage.resident as f64, after.usage.resident as f64);
    100.0 * (is - was) / was
}

async fn one(case: &'static Case, address: SocketAddr) -> Result<String> {
    let begin = Instant::now();
    let outcome = timeout(Duration::from_secs(300), (case.run)(address)).await;
    let outcome = outcome.context("does not end").and_then(|outcome| outcome);
    let outcome = outcome.with_context(|| case.name)?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(format!("{}: {outcome}, after {seconds:.1} s", case.name))
}
