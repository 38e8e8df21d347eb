//! Every hostile peer against a server in another process, which goes on answering others and has
//! in the end the memory, the tasks and the descriptors that it had in the beginning.

mod cases;
mod others;
mod peer;
mod server;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::timeout;

use cases::{CASES, Case};
use others::Others;
use server::Server;

/// How much more resident memory there may be in the end, in percent.
const TOLERANCE: f64 = 5.0;

/// For how long nothing changes when whoever has left is gone.
const SHORTLY: Duration = Duration::from_millis(500);

/// The same when memory has been given back, too: the server's allocator takes 10 s for that.
const FOR_GOOD: Duration = Duration::from_secs(12);

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
    for case in quick() {
        one(case, server.address).await?;
    }
    let before = server.settled(FOR_GOOD).await?;
    println!("before: {before}");
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
    let (was, is) = (before.usage.resident, after.usage.resident);
    let percent = 100.0 * (is as f64 - was as f64) / was as f64;
    println!("resident memory: {was} KiB before, {is} KiB after ({percent:+.1} %)");
    ensure!(
        percent <= TOLERANCE,
        "resident memory has grown by {percent:.1} %"
    );
    Ok(())
}

async fn one(case: &'static Case, address: SocketAddr) -> Result<String> {
    let begin = Instant::now();
    let outcome = timeout(Duration::from_secs(120), (case.run)(address)).await;
    let outcome = outcome.context("does not end").and_then(|outcome| outcome);
    let outcome = outcome.with_context(|| case.name)?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(format!("{}: {outcome}, after {seconds:.1} s", case.name))
}
