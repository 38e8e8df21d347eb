//! Runs vectors and recordings, or tells which rules have tests.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};

use crate::{cargo::Cargo, rules};

/// What is run; without arguments, the vectors and recordings of the repository.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Run this file of vectors; may be given several times.
    #[arg(long, value_name = "FILE")]
    vectors: Vec<PathBuf>,
    /// Run the recordings in this folder; may be given several times.
    #[arg(long, value_name = "DIR")]
    recordings: Vec<PathBuf>,
    /// Instead, write the table of rules and tests, and print the rules without one.
    #[arg(long, conflicts_with_all = ["vectors", "recordings"])]
    rules: bool,
    /// Write nothing: fail if the table is not up to date.
    #[arg(long, requires = "rules")]
    check: bool,
}

/// The runner, up to its arguments. Without optimisation: it is built sooner, and runs for less
/// than a second.
const RUNNER: &str = "run --quiet -p rpc-conformance --";

/// Runs what was asked for. Whatever did not pass has been printed, and the last line counts it.
///
/// # Errors
/// The runner could not be built or started, or the table of rules is not up to date.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.rules {
        rules::run(arguments.check)?;
        return Ok(ExitCode::SUCCESS);
    }
    let option = |name: &'static str, paths: &[PathBuf]| {
        let path = |path: &PathBuf| [name.to_owned(), path.display().to_string()];
        paths.iter().flat_map(path).collect::<Vec<_>>()
    };
    let mut given = option("--vectors", &arguments.vectors);
    given.extend(option("--recordings", &arguments.recordings));
    // Paths are relative to where the user is.
    let runner = Cargo::new(RUNNER).arguments(&given).here();
    let (shown, status) = (runner.to_string(), runner.status()?);
    match status.code() {
        Some(0) => Ok(ExitCode::SUCCESS),
        // The report has said everything.
        Some(1) => Ok(ExitCode::FAILURE),
        _ => bail!("failed ({status}): {shown}"),
    }
}

/// Runs everything of the repository, and fails unless all of it passes.
///
/// # Errors
/// Something failed or was skipped, or the table of rules is not up to date.
pub(crate) fn ci() -> Result<()> {
    Cargo::new(RUNNER).run()?;
    rules::run(true)
}
