//! The server as a process, and what can be seen of it from outside.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::process::Usage;

/// How long it may take until all that belonged to a peer is gone, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `rpc interop serve`, killed when dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    process: Pid,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

/// What it has at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) usage: Usage,
    /// That its runtime has.
    tasks: usize,
}

impl State {
    /// Whether everything that belongs to a connection is as it was there.
    fn has_what(self, other: Self) -> bool {
        (self.tasks, self.usage.descriptors) == (other.tasks, other.usage.descriptors)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { usage, tasks } = self;
        let (resident, descriptors) = (usage.resident, usage.descriptors);
        write!(
            f,
            "{resident} KiB resident, {tasks} tasks, {descriptors} descriptors"
        )
    }
}

impl Server {
    /// On a free port.
    pub(super) async fn start(program: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .args(["interop", "serve", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| program.display().to_string())?;
        let id = child.id().context("the server has ended")?;
        let process = Pid::from_raw(id.try_into()?).context("no process")?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = line(&mut lines).await?;
        let address = line.strip_prefix("listening on ");
        let address = address.with_context(|| format!("the server said {line:?}"))?;
        Ok(Self {
            address: address.parse()?,
            process,
            lines,
            _child: child,
        })
    }

    pub(super) fn usage(&self) -> Result<Usage> {
        Usage::of(self.process.as_raw_nonzero().get().cast_unsigned())
    }

    /// It says by itself how many tasks there are, when asked.
    pub(super) async fn state(&mut self) -> Result<State> {
        kill_process(self.process, Signal::USR1)?;
        let line = line(&mut self.lines).await?;
        let tasks = line.split_once("tasks ").map(|(_, tasks)| tasks.parse());
        Ok(State {
            tasks: tasks.with_context(|| format!("the server said {line:?}"))??,
            usage: self.usage()?,
        })
    }

    /// Lets Linux begin the peak anew.
    pub(super) fn reset_peak(&self) -> Result<()> {
        let path = format!("/proc/{}/clear_refs", self.process.as_raw_nonzero());
        fs::write(&path, "5").with_context(|| path)
    }

    /// What it has as soon as it has the tasks and descriptors that it had `before`.
    ///
    /// # Errors
    /// It never has.
    pub(super) async fn until_over(&mut self, before: State) -> Result<State> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.state().await?;
            if now.has_what(before) {
                return Ok(now);
            }
            ensure!(Instant::now() < deadline, "before: {before}; now: {now}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// What it has when nothing has changed for so long.
    ///
    /// # Errors
    /// Something always changes.
    pub(super) async fn settled(&mut self, quiet: Duration) -> Result<State> {
        let deadline = Instant::now() + PATIENCE;
        let (mut last, mut since) = (self.state().await?, Instant::now());
        while since.elapsed() < quiet {
            sleep(Duration::from_millis(100)).await;
            let now = self.state().await?;
            // Within a hundredth.
            let resident = now.usage.resident.abs_diff(last.usage.resident) * 100;
            if !now.has_what(last) || resident > last.usage.resident {
                (last, since) = (now, Instant::now());
            }
            ensure!(Instant::now() < deadline, "{last} becomes {now}");
        }
        self.state().await
    }
}

async fn line(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<String> {
    let line = timeout(PATIENCE, lines.next_line()).await;
    let line = line.context("the server says nothing")??;
    line.context("the server has ended")
}
