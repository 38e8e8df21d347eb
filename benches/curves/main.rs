//! What does a call or an update cost as there is more of something?
//!
//! The points of all systems have their turns round by round, so that a noisy neighbour meets all of
//! them. A curve's points are compared with the one at a hundred, or with the first if it has none.

#![expect(clippy::print_stdout, reason = "the table is the output")]

use std::{
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
};

use anyhow::Result;
use benches::{
    curve::{Curve, Curves, Line},
    load::{
        Kind, Rounds, Sample, System, Workload,
        ours::{self, Beside, Ours},
        raw::Raw,
        results::{self, Conditions},
    },
};
use clap::{Parser, Subcommand};

/// Measures what calls and updates cost as there is more of something.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    rounds: Rounds,
    /// Where everything goes that was found.
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keep connections idle; what this program starts itself with.
    #[command(hide = true)]
    Idle {
        /// Where the server listens.
        address: SocketAddr,
        /// How many.
        connections: usize,
    },
}

/// What there is more of, and up to how much.
enum More {
    CallsInFlight,
    Beside(Beside),
}

const CURVES: [(&str, More, &[usize]); 5] = [
    (
        "calls in flight",
        More::CallsInFlight,
        &[1, 10, 100, 1_000, 10_000],
    ),
    (
        "implementations in the table",
        More::Beside(Beside::Implementations),
        &[3, 10, 100, 1_000],
    ),
    (
        "idle streams on the connection",
        More::Beside(Beside::Streams),
        &[1, 10, 100, 1_000, 10_000],
    ),
    (
        "streams with the same updates",
        More::Beside(Beside::Members),
        &[1, 10, 100, 1_000, 10_000],
    ),
    (
        "idle connections of the server",
        More::Beside(Beside::Connections),
        &[0, 100, 1_000, 10_000],
    ),
];

fn main() -> Result<()> {
    let Arguments {
        rounds,
        json,
        command,
    } = Arguments::parse();
    if let Some(Command::Idle {
        address,
        connections,
    }) = command
    {
        return idle(address, connections);
    }
    println!("{rounds}\n");
    let conditions = Conditions::new(&rounds);
    let _awake = rounds.keep_awake()?;
    let mut curves = Vec::new();
    for (of, more, counts) in CURVES {
        let curve = measure(of, &more, counts, &rounds)?;
        print!("{curve}");
        curves.push(curve);
    }
    match json {
        Some(path) => results::write(&path, &Curves { conditions, curves }),
        None => Ok(()),
    }
}

fn measure(of: &str, more: &More, counts: &[usize], rounds: &Rounds) -> Result<Curve> {
    // A moment is too short to set the largest up.
    let counts = if rounds.is_quick() {
        &counts[..2]
    } else {
        counts
    };
    let systems: &[&dyn System] = match more {
        More::CallsInFlight => &[&Ours::Pipelined, &Raw],
        More::Beside(_) => &[&Ours::Pipelined],
    };
    let points: Vec<(usize, usize)> = (0..systems.len())
        .flat_map(|system| counts.iter().map(move |&count| (system, count)))
        .collect();
    let duration = rounds.duration()?;
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); points.len()];
    for round in 0..rounds.count() {
        for turn in rounds.turns(round, points.len()) {
            let (system, count) = points[turn];
            samples[turn].push(rounds.take(|| match more {
                More::CallsInFlight => systems[system].round(calls(count as u64), duration),
                More::Beside(beside) => beside.round(count, duration),
            })?);
        }
    }
    let lines = systems.iter().zip(samples.chunks(counts.len()));
    let lines = lines.map(|(system, samples)| Line::new(system.name(), counts, samples));
    Ok(Curve {
        of: of.to_owned(),
        lines: lines.collect(),
    })
}

fn calls(in_flight: u64) -> Workload {
    Workload {
        name: "calls",
        kind: Kind::Calls { in_flight },
        bytes: 32,
    }
}

/// Until the input ends.
fn idle(address: SocketAddr, connections: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // An input that fails has ended, too.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        drop(end);
    });
    let say = |line: &str| {
        print!("{line}");
        io::stdout().flush().expect("whoever started this reads it");
    };
    let until_ended = async {
        let _ = ended.await;
    };
    runtime.block_on(ours::keep_idle(address, connections, say, until_ended))
}
