//! Runs the benchmarks of the package `benches`.

use anyhow::Result;
use clap::ValueEnum;

use crate::cargo::Cargo;

/// Which benchmark, and what it is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this one; without it, all.
    which: Option<Which>,
    /// Passed on to the benchmark, after `--`.
    #[arg(last = true, requires = "which")]
    rest: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// Encoding and decoding of frames, by criterion.
    Framing,
    /// Calls and updates over TCP, beside a raw echo.
    Load,
}

impl Which {
    /// Its command, up to the benchmark's own arguments.
    fn cargo(self) -> Cargo {
        Cargo::new(match self {
            Self::Framing => "bench -p benches --bench framing --",
            Self::Load => "run --release -p benches --bin load --",
        })
    }
}

/// Runs what was asked for, at full length unless the arguments say otherwise.
///
/// # Errors
/// The command that failed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let chosen = match arguments.which {
        Some(which) => vec![which],
        None => Which::value_variants().to_vec(),
    };
    chosen
        .into_iter()
        .try_for_each(|which| which.cargo().arguments(&arguments.rest).run())
}

/// Builds all benchmarks and runs each for a moment: proves that they work, measures nothing.
///
/// # Errors
/// The command that failed.
pub(crate) fn smoke() -> Result<()> {
    Cargo::new("bench -p benches --no-run").run()?;
    Which::Framing
        .cargo()
        .arguments(&["--test".to_owned()])
        .run()?;
    Which::Load.cargo().arguments(&["--quick".to_owned()]).run()
}
