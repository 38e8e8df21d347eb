//! How close do calls and updates over TCP come to a raw echo of the same payload?
//!
//! Every system answers every workload in the same process, round by round in turn, so that a noisy
//! neighbour meets all of them; the table shows medians over the rounds, and the extremes beside
//! them. Caller and callee each have one thread, and a runtime of their own on it.
//!
//! Where waking another core is slow, as on many virtual machines, that is what the workloads with
//! few calls in flight measure; pinned to one core (`taskset -c 0`) they measure the work.

#![expect(clippy::print_stdout, reason = "the table is the output")]

mod duel;
mod ours;
mod raw;
mod report;
mod system;

use std::{thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

use crate::{
    ours::Ours,
    raw::Raw,
    report::Table,
    system::{PAYLOAD_BYTES, System, Workload},
};

/// Measures calls and updates over TCP, beside a raw echo.
#[derive(Debug, Parser)]
struct Arguments {
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

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (rounds, seconds) = if arguments.quick {
        (1, 0.1)
    } else {
        (arguments.rounds, arguments.seconds)
    };
    let duration = Duration::try_from_secs_f64(seconds).context("--seconds")?;
    let chosen = |system: &&dyn System| {
        arguments.system.is_empty() || arguments.system.iter().any(|name| name == system.name())
    };
    // The first is what the others are compared to.
    let systems: [&dyn System; 4] = [&Raw, &Ours::Pipelined, &Ours::Tasks, &Ours::Heard];
    let systems: Vec<&dyn System> = systems.into_iter().filter(chosen).collect();

    ensure!(
        !systems.is_empty(),
        "no such system: {}",
        arguments.system.join(", ")
    );

    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores, {rounds} rounds of {seconds} s, payload of {PAYLOAD_BYTES} bytes\n");
    for workload in Workload::chosen(&arguments.workload) {
        let systems: Vec<&dyn System> = (systems.iter().copied())
            .filter(|system| system.takes(workload))
            .collect();
        print!("{}", measure(workload, &systems, rounds, duration)?);
    }
    Ok(())
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
