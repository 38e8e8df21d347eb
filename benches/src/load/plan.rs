//! Which systems are measured doing what.

use std::fmt;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use super::{Rounds, System, Table, Workload, workload};

/// Which workloads and systems, for how long.
#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    rounds: Rounds,
    /// Only this workload; may be repeated.
    #[arg(long)]
    workload: Vec<Workload>,
    /// Only this system; may be repeated.
    #[arg(long)]
    system: Vec<String>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rounds.fmt(f)
    }
}

impl Plan {
    /// Carries it out, and hands over the table of each workload. The first of the systems is the
    /// one that the others are compared to.
    ///
    /// # Errors
    /// That of a system, or the plan does not name anything.
    pub fn run(&self, systems: &[&dyn System], mut done: impl FnMut(Table)) -> Result<()> {
        let names = |system: &&dyn System| {
            self.system.is_empty() || self.system.iter().any(|name| name == system.name())
        };
        let systems: Vec<&dyn System> = systems.iter().copied().filter(names).collect();
        ensure!(
            !systems.is_empty(),
            "no such system: {}",
            self.system.join(", ")
        );
        let _awake = self.rounds.keep_awake()?;
        for workload in workload::ALL {
            if !self.workload.is_empty() && !self.workload.contains(&workload) {
                continue;
            }
            let takes = |system: &&dyn System| system.takes(workload);
            let systems: Vec<&dyn System> = systems.iter().copied().filter(takes).collect();
            done(measure(workload, &systems, &self.rounds)?);
        }
        Ok(())
    }
}

/// Gives every system its turn in every round.
fn measure(workload: Workload, systems: &[&dyn System], rounds: &Rounds) -> Result<Table> {
    let names = systems.iter().map(|system| system.name()).collect();
    let duration = rounds.duration()?;
    let mut table = Table::new(workload, names);
    for round in 0..rounds.count() {
        for turn in rounds.turns(round, systems.len()) {
            let system = systems[turn];
            let sample = rounds
                .take(|| system.round(workload, duration))
                .with_context(|| format!("{workload} of {} in round {round}", system.name()))?;
            table.add(turn, sample);
        }
    }
    Ok(table)
}
