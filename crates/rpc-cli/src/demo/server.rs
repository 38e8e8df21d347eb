//! A server in a process of its own, which can be killed and frozen.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// How long a server may take until it listens.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How long it may take to shut down.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// The port may not be free at once when its last owner was killed.
const BIND_ATTEMPTS: u32 = 20;
const BIND_PAUSE: Duration = Duration::from_millis(100);

/// `rpc host serve` as a child process, killed when dropped.
pub(crate) struct ServerProcess {
    child: Child,
    address: SocketAddr,
}

impl ServerProcess {
    /// Starts one that listens here; port 0 picks a free one.
    pub(crate) async fn start(listen: SocketAddr, interval: Duration) -> anyhow::Result<Self> {
        let mut attempts = 1;
        loop {
            match Self::try_start(listen, interval).await {
                Err(_) if attempts < BIND_ATTEMPTS => attempts += 1,
                result => return result,
            }
            sleep(BIND_PAUSE).await;
        }
    }

    async fn try_start(listen: SocketAddr, interval: Duration) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find the rpc command itself")?;
        let mut child = Command::new(program)
            .args(["host", "serve", "--listen"])
            .arg(listen.to_string())
            .arg("--every")
            .arg(interval.as_millis().to_string())
            // However this process ends, its end of the pipe closes, and the server follows.
            .arg("--until-input-ends")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a server process")?;
        let stdout = child.stdout.take().context("server has no output")?;
        let mut line = String::new();
        let mut lines = BufReader::new(stdout);
        timeout(START_TIMEOUT, lines.read_line(&mut line))
            .await
            .context("server did not start in time")??;
        let Some(address) = line.trim_end().strip_prefix("listening on ") else {
            bail!("server did not start: it said {line:?}");
        };
        let address = address.parse().context("server's address")?;
        Ok(Self { child, address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Kills it, and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot kill the server")
    }

    /// Lets it shut down by itself, and waits until it has.
    pub(crate) async fn shut_down(&mut self) -> anyhow::Result<()> {
        // It ends with its input.
        drop(self.child.stdin.take());
        let ended = timeout(END_TIMEOUT, self.child.wait()).await;
        ended
            .context("server does not end")?
            .context("cannot wait for the server")?;
        Ok(())
    }

    /// Stops it, so that it does nothing any more, or continues it.
    #[cfg(unix)]
    pub(crate) fn freeze(&self, freezes: bool) -> anyhow::Result<()> {
        use rustix::process::{Pid, Signal, kill_process};

        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw).context("server is gone")?;
        let signal = if freezes { Signal::STOP } else { Signal::CONT };
        kill_process(id, signal).context("cannot send the server a signal")
    }

    /// Stops it, so that it does nothing any more, or continues it.
    #[cfg(not(unix))]
    pub(crate) fn freeze(&self, _freezes: bool) -> anyhow::Result<()> {
        bail!("there are no signals by which to freeze a process")
    }
}
