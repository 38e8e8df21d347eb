//! Somebody who uses the server meanwhile, and has to be answered whatever its other peers do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bin_prot::ByteString;
use rpc_core::{Client, Connection, Rpc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

static ECHO: Rpc<ByteString, ByteString> = Rpc::new("echo-string", 1);

/// How long a call may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls for each connection that is made for one call.
const CALLS_FOR_A_NEWCOMER: u64 = 50;

/// On one connection that stays, and on a new one now and then.
pub(super) struct Others {
    tally: Arc<Tally>,
    task: JoinHandle<Result<()>>,
}

#[derive(Debug, Default)]
struct Tally {
    over: AtomicBool,
    answered: AtomicU64,
    /// In microseconds.
    slowest: AtomicU64,
    /// Those who came for one call and have left.
    newcomers: AtomicU64,
}

impl Others {
    pub(super) async fn start(address: SocketAddr) -> Result<Self> {
        let tally = Arc::<Tally>::default();
        let connection = Client::new().connect(address).await?;
        let task = tokio::spawn(tally.clone().go_on(address, connection));
        Ok(Self { tally, task })
    }

    /// Until some have come and all have gone again.
    pub(super) async fn warm_up(address: SocketAddr) -> Result<()> {
        let others = Self::start(address).await?;
        while others.tally.newcomers.load(Ordering::Relaxed) < 3 && !others.task.is_finished() {
            sleep(Duration::from_millis(10)).await;
        }
        others.stop().await?;
        Ok(())
    }

    /// How many calls there were.
    ///
    /// # Errors
    /// One was not answered.
    pub(super) async fn stop(self) -> Result<String> {
        self.tally.over.store(true, Ordering::Relaxed);
        self.task.await??;
        Ok(format!(
            "{} calls answered, the slowest after {:.1} ms",
            self.tally.answered.load(Ordering::Relaxed),
            self.tally.slowest.load(Ordering::Relaxed) as f64 / 1e3
        ))
    }
}

impl Tally {
    async fn go_on(self: Arc<Self>, address: SocketAddr, connection: Connection) -> Result<()> {
        let mut calls = 0_u64;
        while !self.over.load(Ordering::Relaxed) {
            self.ask(&connection).await?;
            calls += 1;
            if calls.is_multiple_of(CALLS_FOR_A_NEWCOMER) {
                let newcomer = timeout(PATIENCE, Client::new().connect(address)).await;
                let newcomer = newcomer.context("a newcomer is not let in")??;
                self.ask(&newcomer).await?;
                newcomer.close();
                newcomer.closed().await;
                self.newcomers.fetch_add(1, Ordering::Relaxed);
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
        ensure!(answer == text, "somebody else got another answer");
        let micros = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.slowest.fetch_max(micros, Ordering::Relaxed);
        self.answered.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
