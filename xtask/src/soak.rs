//! Everything at random: how long, and with which seed.

use anyhow::Result;

use crate::cargo::Cargo;

const PACKAGE: &str = "run --release -p rpc-soak --";

/// For CI: long enough for every fault and a few restarts.
const CI_SECONDS: u64 = 10;

/// How long, and which one.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// For how long to go on.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// What determines every choice. Default: the time.
    #[arg(long)]
    seed: Option<u64>,
}

/// Goes on for as long as it was told.
///
/// # Errors
/// An invariant was violated, or something was left at the end.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let seed = arguments.seed.map(|seed| format!(" --seed {seed}"));
    let seed = seed.unwrap_or_default();
    Cargo::new(&format!(
        "{PACKAGE} run --seconds {}{seed}",
        arguments.seconds
    ))
    .run()
}

/// A short run, whose seed is another one each time.
///
/// # Errors
/// As above.
pub(crate) fn ci() -> Result<()> {
    run(&Arguments {
        seconds: CI_SECONDS,
        seed: None,
    })
}
