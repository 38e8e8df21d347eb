//! What is measured: the workloads, and the trait of those that answer them.

use std::{fmt, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum, builder::PossibleValue};

use super::report::Table;

/// The payload of this number: both sides count, so that nothing lost or reordered is missed.
///
/// # Panics
/// There is no room for the number, which takes 8 bytes.
pub fn payload(number: u64, bytes: usize) -> Vec<u8> {
    let mut payload = vec![0; bytes];
    payload[..8].copy_from_slice(&number.to_le_bytes());
    payload
}

/// Whether this is the payload of this number.
///
/// # Errors
/// What it is instead.
#[inline]
pub fn check(payload: &[u8], number: u64, bytes: usize) -> Result<()> {
    ensure!(payload.len() == bytes, "payload of {} bytes", payload.len());
    ensure!(
        payload.starts_with(&number.to_le_bytes()),
        "not payload number {number}"
    );
    Ok(())
}

/// A way to talk over TCP.
pub trait System {
    /// Its name in the table and on the command line.
    fn name(&self) -> &'static str;

    /// Whether it can do this, and it says anything that another system has not said already.
    fn takes(&self, _workload: Workload) -> bool {
        true
    }

    /// Connects over the loopback, keeps the workload up for a warm-up and then for `duration`, and
    /// closes.
    ///
    /// # Errors
    /// Whatever kept either side from finishing, a wrong answer included.
    fn round(&self, workload: Workload, duration: Duration) -> Result<Sample>;
}

/// What the caller and the callee do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its name in the table and on the command line.
    pub name: &'static str,
    /// What is done.
    pub kind: Kind,
    /// With payloads of this size.
    pub bytes: usize,
}

/// What is done, in whatever size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Calls over one connection, so many of them at any time. One alone is timed.
    Calls {
        /// How many.
        in_flight: u64,
    },
    /// Updates from the callee to the caller, as fast as both can, taken out of a stream.
    Stream,
    /// The same, handed to a function.
    Callback,
    /// Updates to a state, taken out of a stream.
    State,
    /// Messages without an answer, as fast as they are taken.
    OneWay,
    /// The same update to 1000 subscribers on 10 connections, over and over.
    Group,
    /// One connection after the other, each with one call.
    Connect,
}

/// Subscribers of [`Kind::Group`].
pub const MEMBERS: usize = 1000;

/// Their connections.
pub const CONNECTIONS: usize = 10;

const fn calls(name: &'static str, in_flight: u64, bytes: usize) -> Workload {
    let kind = Kind::Calls { in_flight };
    Workload { name, kind, bytes }
}

const KIB: usize = 1024;

const ALL: [Workload; 15] = [
    calls("ping", 1, 32),
    calls("ping-1k", 1, KIB),
    calls("ping-64k", 1, 64 * KIB),
    calls("calls-64", 64, 32),
    calls("calls-64-1k", 64, KIB),
    calls("calls-64-64k", 64, 64 * KIB),
    calls("calls-1024", 1024, 32),
    calls("calls-1024-1k", 1024, KIB),
    calls("calls-1024-64k", 1024, 64 * KIB),
    Workload {
        name: "stream",
        kind: Kind::Stream,
        bytes: 8,
    },
    Workload {
        name: "callback",
        kind: Kind::Callback,
        bytes: 8,
    },
    Workload {
        name: "state",
        kind: Kind::State,
        bytes: 8,
    },
    Workload {
        name: "one-way",
        kind: Kind::OneWay,
        bytes: 32,
    },
    Workload {
        name: "group",
        kind: Kind::Group,
        bytes: 64,
    },
    Workload {
        name: "connect",
        kind: Kind::Connect,
        bytes: 32,
    },
];

impl ValueEnum for Workload {
    fn value_variants<'a>() -> &'a [Self] {
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name))
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What one system did in one round.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Calls answered, updates received, or connections made.
    pub count: u64,
    /// How long that took.
    pub wall: Duration,
    /// What the process spent on it, both sides and the kernel's work for them together.
    pub cpu: Duration,
    /// Each call's time, in no order; empty where several are in flight.
    pub round_trips: Vec<Duration>,
}

/// Which workloads and systems, for how long.
#[derive(Debug, Args)]
pub struct Plan {
    /// How long one system is measured in one round, after a warm-up of a fifth of that.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How often every system gets its turn.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// One round of a tenth of a second: proves that everything runs, measures nothing.
    #[arg(long, conflicts_with_all = ["seconds", "rounds"])]
    quick: bool,
    /// Only this workload; may be repeated.
    #[arg(long)]
    workload: Vec<Workload>,
    /// Only this system; may be repeated.
    #[arg(long)]
    system: Vec<String>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        match self.quick {
            true => write!(f, "{cores} cores, one short round: measures nothing"),
            false => write!(
                f,
                "{cores} cores, {} rounds of {} s",
                self.rounds, self.seconds
            ),
        }
    }
}

impl Plan {
    /// Carries it out, and hands over the table of each workload. The first of the systems is the
    /// one that the others are compared to.
    ///
    /// # Errors
    /// That of a system, or the plan does not name anything.
    pub fn run(&self, systems: &[&dyn System], mut done: impl FnMut(Table)) -> Result<()> {
        let duration = Duration::try_from_secs_f64(if self.quick { 0.1 } else { self.seconds });
        let duration = duration.context("--seconds")?;
        let rounds = if self.quick { 1 } else { self.rounds };
        let names = |system: &&dyn System| {
            self.system.is_empty() || self.system.iter().any(|name| name == system.name())
        };
        let systems: Vec<&dyn System> = systems.iter().copied().filter(names).collect();
        ensure!(
            !systems.is_empty(),
            "no such system: {}",
            self.system.join(", ")
        );
        for workload in ALL {
            if !self.workload.is_empty() && !self.workload.contains(&workload) {
                continue;
            }
            let takes = |system: &&dyn System| system.takes(workload);
            let systems: Vec<&dyn System> = systems.iter().copied().filter(takes).collect();
            done(measure(workload, &systems, rounds, duration)?);
        }
        Ok(())
    }
}

/// Gives every system its turn in every round.
fn measure(
    workload: Workload,
    systems: &[&dyn System],
    rounds: usize,
    duration: Duration,
) -> Result<Table> {
    let names = systems.iter().map(|system| system.name()).collect();
    let mut table = Table::new(workload, names);
    for round in 0..rounds {
        // Every other round in reverse: nobody always runs on the heels of the same neighbour.
        let mut turns: Vec<usize> = (0..systems.len()).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for turn in turns {
            let system = systems[turn];
            let sample = system
                .round(workload, duration)
                .with_context(|| format!("{} of {} in round {round}", workload, system.name()))?;
            table.add(turn, sample);
        }
    }
    Ok(table)
}

/// Runs every workload that these systems take for a moment.
///
/// # Panics
/// One of them fails, does nothing, or does not time what is to be timed.
pub fn assert_moves(systems: &[&dyn System]) {
    for system in systems {
        for workload in ALL.into_iter().filter(|workload| system.takes(*workload)) {
            let mut duration = Duration::from_millis(50);
            // Busy machines take longer to set a thousand subscriptions up.
            let sample = loop {
                let sample = system.round(workload, duration).expect("no failure");
                if sample.count > 0 || duration > Duration::from_secs(20) {
                    break sample;
                }
                duration *= 4;
            };
            assert!(sample.count > 0, "{} of {workload}", system.name());
            let timed = workload.kind == Kind::Calls { in_flight: 1 };
            assert_eq!(!sample.round_trips.is_empty(), timed, "{workload}");
        }
    }
}
