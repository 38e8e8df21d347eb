//! `rpc demo`: what durability means, seen in one terminal.
//!
//! ```text
//! 0            1/3              1/2                            1
//! server 1 ────┤ SIGKILL        server 2, same port ───────────┤
//! view         LOST             recovered by itself            summary
//! ```

use std::io::Write;
use std::net::SocketAddr;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::watch::{Target, watch};
use crate::args::Demo;

/// How long a server may take until it listens.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// The port may not be free at once when its last owner was killed.
const BIND_ATTEMPTS: u32 = 20;
const BIND_PAUSE: Duration = Duration::from_millis(100);

/// Runs the whole story.
pub(crate) async fn run(args: Demo) -> anyhow::Result<ExitCode> {
    let length = Duration::from_secs(args.seconds);
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = ServerProcess::start(any_port, args.interval).await?;
    let target = Target {
        address: server.address.to_string(),
        retry: Duration::from_millis(500),
        silence: Duration::from_secs(4),
    };
    let (notes, noted) = mpsc::unbounded_channel();
    let story = tokio::spawn(story(server, args.interval, length, notes));
    let watched = watch(&target, args.view, Some(length), noted).await;
    // With the story ends its server. It only ends by itself when it failed.
    story.abort();
    match story.await {
        Ok(outcome) => outcome?,
        Err(error) if error.is_cancelled() => {}
        Err(error) => return Err(error.into()),
    }
    let (monitor, watched) = watched?;
    let summary = monitor.summary(watched);
    let mut out = std::io::stdout();
    writeln!(out, "\n{summary}")?;
    let held = summary.recovered() && summary.check_held();
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Kills the server after a third of the time, and starts another one on its port at the half,
/// which runs until this is dropped.
async fn story(
    mut server: ServerProcess,
    interval: Duration,
    length: Duration,
    notes: mpsc::UnboundedSender<String>,
) -> anyhow::Result<()> {
    // Nobody listens any more when the user has left.
    let note = |text: String| drop(notes.send(text));
    note(format!("server process {} is up", server.id()));
    sleep(length / 3).await;
    note(format!(
        "killing server process {} with SIGKILL",
        server.id()
    ));
    let address = server.address;
    server
        .child
        .kill()
        .await
        .context("cannot kill the server")?;
    sleep(length / 6).await;
    let server = ServerProcess::start(address, interval).await?;
    note(format!(
        "server process {} is up on the same port",
        server.id()
    ));
    // Until the view has ended, and this with it.
    std::future::pending::<()>().await;
    Ok(())
}

/// `rpc host serve` as a child process, killed when dropped.
struct ServerProcess {
    child: Child,
    address: SocketAddr,
}

impl ServerProcess {
    async fn start(listen: SocketAddr, interval: Duration) -> anyhow::Result<Self> {
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

    fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }
}
