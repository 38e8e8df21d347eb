//! Every hostile peer against a server in another process, which goes on answering others and has
//! in the end the memory and the descriptors that it had in the beginning.

mod cases;
mod peer;

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bin_prot::ByteString;
use rpc_core::{Client, Connection, Rpc};
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::process::Usage;
use cases::{CASES, Case};

/// What others ask for meanwhile.
static ECHO: Rpc<ByteString, ByteString> = Rpc::new("echo-string", 1);

/// How long somebody else's call may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs all cases twice: once to warm up, and once between two looks at the server.
///
/// # Errors
/// A case went otherwise than it should, somebody else was not answered, or something is left.
pub(crate) fn run(address: SocketAddr, process: u32) -> Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run_all(address, process))
}

async fn run_all(address: SocketAddr, process: u32) -> Result<()> {
    println!("warming up");
    round(address, process, false).await?;
    let before = settled(process).await?;
    println!("before: {before:?}");
    let others = round(address, process, true).await?;
    let after = settled(process).await?;
    println!("after:  {after:?}");
    println!(
        "others: {} calls answered, the slowest after {:.1} ms",
        others.answered.load(Ordering::Relaxed),
        others.slowest.load(Ordering::Relaxed) as f64 / 1e3
    );
    let (was, is) = (before.resident, after.resident);
    let percent = 100.0 * (is as f64 - was as f64) / was as f64;
    println!("resident memory: {was} KiB before, {is} KiB after ({percent:+.1} %)");
    ensure!(
        percent <= 5.0,
        "resident memory has grown by {percent:.1} %"
    );
    ensure!(
        before.descriptors == after.descriptors,
        "{} descriptors before, {} after",
        before.descriptors,
        after.descriptors
    );
    Ok(())
}

/// The server when nothing changes any more.
async fn settled(process: u32) -> Result<Usage> {
    let mut last = Usage::of(process)?;
    for _ in 0..40 {
        sleep(Duration::from_millis(250)).await;
        let now = Usage::of(process)?;
        if (now.resident, now.descriptors) == (last.resident, last.descriptors) {
            break;
        }
        last = now;
    }
    Usage::of(process)
}

/// Lets Linux begin the peak anew.
fn reset_peak(process: u32) -> Result<()> {
    let path = format!("/proc/{process}/clear_refs");
    fs::write(&path, "5").with_context(|| path)
}

async fn round(address: SocketAddr, process: u32, told: bool) -> Result<Arc<Others>> {
    let others = Others::start(address).await?;
    // Those who take their time do so beside the others.
    let mut slow = JoinSet::new();
    for case in CASES.iter().filter(|case| case.slow) {
        slow.spawn(one(case, address));
    }
    for case in CASES.iter().filter(|case| !case.slow) {
        reset_peak(process)?;
        let before = Usage::of(process)?.resident;
        let outcome = one(case, address).await?;
        let peak = Usage::of(process)?.peak.saturating_sub(before);
        if told {
            println!("{outcome}; {peak} KiB more at the peak");
        }
    }
    while let Some(outcome) = slow.join_next().await {
        let outcome = outcome??;
        if told {
            println!("{outcome}");
        }
    }
    others.stop().await
}

async fn one(case: &'static Case, address: SocketAddr) -> Result<String> {
    let begin = Instant::now();
    let outcome = timeout(Duration::from_secs(120), (case.run)(address)).await;
    let outcome = outcome.context("does not end").and_then(|outcome| outcome);
    let outcome = outcome.with_context(|| case.name)?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(format!("{}: {outcome}, after {seconds:.1} s", case.name))
}

/// Somebody who uses the server meanwhile, on one connection, and on a new one now and then.
#[derive(Debug, Default)]
struct Others {
    over: AtomicBool,
    answered: AtomicU64,
    /// In microseconds.
    slowest: AtomicU64,
}

struct Running {
    others: Arc<Others>,
    task: JoinHandle<Result<()>>,
}

impl Others {
    async fn start(address: SocketAddr) -> Result<Running> {
        let others = Arc::<Self>::default();
        let connection = Client::new().connect(address).await?;
        let task = tokio::spawn(others.clone().go_on(address, connection));
        Ok(Running { others, task })
    }

    async fn go_on(self: Arc<Self>, address: SocketAddr, connection: Connection) -> Result<()> {
        let mut calls = 0_u64;
        while !self.over.load(Ordering::Relaxed) {
            self.ask(&connection).await?;
            calls += 1;
            if calls.is_multiple_of(50) {
                let client = Client::new();
                let newcomer = timeout(PATIENCE, client.connect(address)).await;
                let newcomer = newcomer.context("a newcomer is not let in")??;
                self.ask(&newcomer).await?;
                newcomer.close();
                newcomer.closed().await;
            }
            sleep(Duration::from_millis(5)).await;
        }
        connection.close();
        connection.closed().await;
        Ok(())
    }

    async fn ask(&self, connection: &Connection) -> Result<()> {
        let begin = Instant::now();
        let text = ByteString::from("others");
        let answer = timeout(PATIENCE, ECHO.dispatch(connection, &text)).await;
        let answer = answer.context("somebody else waits in vain")??;
        if answer != text {
            bail!("somebody else got another answer");
        }
        let micros = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.slowest.fetch_max(micros, Ordering::Relaxed);
        self.answered.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Running {
    async fn stop(self) -> Result<Arc<Others>> {
        self.others.over.store(true, Ordering::Relaxed);
        self.task.await??;
        Ok(self.others)
    }
}
