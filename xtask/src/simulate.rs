//! Runs the simulation of durable subscriptions (`crates/rpc-simulation`), which needs flags of
//! its own: tokio's choices have to follow from the seed, too.

mod mutations;

use std::env;

use anyhow::Result;

use crate::cargo::Cargo;

/// Which seeds, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many seeds; of each mutation, 300 by default.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Only this seed, with its script.
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
    /// Everything that happened, of that seed or of the first one that fails.
    #[arg(long)]
    verbose: bool,
    /// Run each seed twice, and compare: the same must happen.
    #[arg(long)]
    twice: bool,
    /// How many seeds at a time. Default: one on each core.
    #[arg(long)]
    jobs: Option<u64>,
    /// Break the code in each of the ways in `crates/rpc-simulation/mutations`, in a copy, and
    /// see whether that is noticed.
    #[arg(long, conflicts_with_all = ["seed", "verbose", "twice"])]
    mutations: bool,
}

/// Seeds, unless it is said how many.
const SEEDS: u64 = 1_000;

/// Runs seeds, or mutations.
///
/// # Errors
/// An invariant does not hold, which has been shown; or a mutation was not noticed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.mutations {
        return mutations::run(arguments);
    }
    let mut line = Vec::new();
    let mut option = |name: &str, value: Option<u64>| {
        if let Some(value) = value {
            line.extend([format!("--{name}"), value.to_string()]);
        }
    };
    match arguments.seed {
        Some(seed) => option("seed", Some(seed)),
        None => {
            option("seeds", arguments.seeds.or(Some(SEEDS)));
            option("first", Some(arguments.first));
            option("jobs", arguments.jobs);
        }
    }
    let flags = [
        ("--verbose", arguments.verbose),
        ("--twice", arguments.twice),
    ];
    let flags = flags.iter().filter(|(_, wanted)| *wanted);
    line.extend(flags.map(|(flag, _)| (*flag).to_owned()));
    simulation("run", &line).run()
}

/// A thousand seeds, each twice; and the mutations still are mutations of something.
///
/// # Errors
/// As [`run`].
pub(crate) fn ci() -> Result<()> {
    mutations::check()?;
    let line = ["--seeds", "1000", "--twice"].map(str::to_owned);
    simulation("run", &line).run()
}

/// Cargo, about to build or run the simulation.
fn simulation(what: &str, arguments: &[String]) -> Cargo {
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    let cargo = Cargo::new(&format!("{what} --profile simulation -p rpc-simulation"));
    let cargo = cargo.environment("RUSTFLAGS", format!("{flags} --cfg tokio_unstable").trim());
    if arguments.is_empty() {
        return cargo;
    }
    cargo.arguments(&["--".to_owned()]).arguments(arguments)
}
