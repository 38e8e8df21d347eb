//! Starts both sides, and reads what the kernel says of them before and after.

use std::{
    env, fmt, fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use tokio::{
    net::TcpListener,
    runtime::{LocalOptions, LocalRuntime},
    sync::oneshot,
};

use super::{Idle, System};
use crate::{Spread, load::results::Conditions};

/// How many, and how often.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Idle connections or subscriptions.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// How often every system gets its turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Memory {
    /// Where it was measured, and how many there were.
    pub conditions: Conditions,
    /// By system and by what is idle.
    pub rows: Vec<Row>,
}

/// What one idle connection or subscription of a system keeps in memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The system's name.
    pub system: String,
    /// What there are many of.
    pub idle: Idle,
    /// Resident bytes for each at the end that serves.
    pub callee_bytes: Spread,
    /// At the end that connects.
    pub caller_bytes: Spread,
}

/// One side, as the process of its own that it is.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Side {
    /// Serve, and say where.
    Callee {
        /// The system's name.
        system: String,
    },
    /// Open one to begin with, and the others when told to.
    Caller {
        /// The system's name.
        system: String,
        /// Where the callee listens.
        to: SocketAddr,
        /// What is opened.
        idle: Idle,
        /// How many.
        count: usize,
    },
}

impl Side {
    /// Does it, until the input ends.
    ///
    /// # Errors
    /// Whatever kept it from doing so.
    pub fn run(&self, systems: &[&dyn System]) -> Result<()> {
        let runtime = runtime()?;
        match self {
            Self::Callee { system } => runtime.block_on(callee(find(systems, system)?)),
            Self::Caller {
                system,
                to,
                idle,
                count,
            } => runtime.block_on(async {
                let system = find(systems, system)?;
                // What only the first one takes is none of the others'.
                let _first = system.open(*to, *idle, 1).await?;
                say("ready")?;
                io::stdin().lock().read_line(&mut String::new())?;
                let _others = system.open(*to, *idle, *count).await?;
                say("open")?;
                until_input_ends().await;
                Ok(())
            }),
        }
    }

    fn arguments(&self) -> Vec<String> {
        match self {
            Self::Callee { system } => vec!["callee".to_owned(), system.clone()],
            Self::Caller {
                system,
                to,
                idle,
                count,
            } => {
                let idle = match idle {
                    Idle::Connections => "connections",
                    Idle::Subscriptions => "subscriptions",
                };
                let count = count.to_string();
                vec![
                    "caller".to_owned(),
                    system.clone(),
                    to.to_string(),
                    idle.to_owned(),
                    count,
                ]
            }
        }
    }
}

async fn callee(system: &dyn System) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    say(&listener.local_addr()?.to_string())?;
    tokio::select! {
        ended = system.serve(listener) => ended,
        () = until_input_ends() => Ok(()),
    }
}

fn runtime() -> Result<LocalRuntime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?)
}

fn find<'a>(systems: &[&'a dyn System], name: &str) -> Result<&'a dyn System> {
    let found = systems.iter().find(|system| system.name() == name);
    found.copied().with_context(|| format!("no {name}"))
}

fn say(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

async fn until_input_ends() {
    let (end, ended) = oneshot::channel::<()>();
    thread::spawn(move || {
        // An input that fails has ended, too.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        drop(end);
    });
    let _ = ended.await;
}

/// Gives every system its turn in every round.
///
/// # Errors
/// That of a side.
pub fn measure(systems: &[&dyn System], arguments: &Arguments) -> Result<Memory> {
    let mut rows = Vec::new();
    for idle in [Idle::Connections, Idle::Subscriptions] {
        let systems: Vec<_> = systems.iter().filter(|system| system.has(idle)).collect();
        let mut sides = vec![(Vec::new(), Vec::new()); systems.len()];
        for _ in 0..arguments.rounds {
            for (system, (callees, callers)) in systems.iter().zip(&mut sides) {
                let (callee, caller) = round(system.name(), idle, arguments.count)
                    .with_context(|| format!("{idle:?} of {}", system.name()))?;
                callees.push(callee);
                callers.push(caller);
            }
        }
        let spreads = systems.iter().zip(sides);
        rows.extend(spreads.map(|(system, (callees, callers))| Row {
            system: system.name().to_owned(),
            idle,
            callee_bytes: Spread::of(callees),
            caller_bytes: Spread::of(callers),
        }));
    }
    let Arguments { count, rounds } = arguments;
    Ok(Memory {
        conditions: Conditions::new(format!("{count} of each, {rounds} rounds")),
        rows,
    })
}

/// What each of so many takes, at the callee and at the caller.
fn round(system: &str, idle: Idle, count: usize) -> Result<(f64, f64)> {
    let system = system.to_owned();
    let mut callee = Process::start(&Side::Callee {
        system: system.clone(),
    })?;
    let to = callee.line()?.parse()?;
    let mut caller = Process::start(&Side::Caller {
        system,
        to,
        idle,
        count,
    })?;
    ensure!(caller.line()? == "ready", "the caller is not ready");
    thread::sleep(SETTLING);
    let before = (callee.resident()?, caller.resident()?);
    caller.tell("go")?;
    ensure!(caller.line()? == "open", "not all are open");
    thread::sleep(SETTLING);
    let each = |before: u64, now: u64| (now as f64 - before as f64) / count as f64;
    Ok((
        each(before.0, callee.resident()?),
        each(before.1, caller.resident()?),
    ))
}

/// What is given back after a while has been given back after this.
const SETTLING: Duration = Duration::from_millis(500);

/// One side's process, which ends when its input does.
struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(side: &Side) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .arg("memory-side")
            .args(side.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Self { child, output })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("no input")?;
        Ok(writeln!(input, "{line}")?)
    }

    /// Resident bytes. Not those of `status`, which the kernel counts in batches.
    fn resident(&self) -> Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        let kib = text.lines().find_map(|line| {
            let rest = line.strip_prefix("Rss:")?;
            rest.trim_end_matches(" kB").trim().parse::<u64>().ok()
        });
        Ok(1024 * kib.with_context(|| format!("{path} has no Rss"))?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It has ended, or it will now.
        let _status = self.child.wait();
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for idle in [Idle::Connections, Idle::Subscriptions] {
            let name = match idle {
                Idle::Connections => "idle connection, bytes",
                Idle::Subscriptions => "idle subscription, bytes",
            };
            writeln!(
                f,
                "{name:<26} {:>30} {:>30}",
                "callee (min to max)", "caller (min to max)"
            )?;
            for row in self.rows.iter().filter(|row| row.idle == idle) {
                let (callee, caller) = (row.callee_bytes.to_text(0), row.caller_bytes.to_text(0));
                writeln!(f, "  {:<24} {callee:>30} {caller:>30}", row.system)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
