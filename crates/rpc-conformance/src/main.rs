//! The program that `cargo xtask conformance` starts.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use rpc_conformance::Places;

/// Run golden vectors and recordings; without arguments, those of the repository.
#[derive(Debug, Parser)]
struct Arguments {
    /// A file of vectors; may be given several times.
    #[arg(long, value_name = "FILE")]
    vectors: Vec<PathBuf>,
    /// A folder of recordings, or a single one; may be given several times.
    #[arg(long, value_name = "DIR")]
    recordings: Vec<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let is_default = arguments.vectors.is_empty() && arguments.recordings.is_empty();
    let places = match is_default {
        true => Places::default(),
        false => Places {
            vectors: arguments.vectors,
            recordings: arguments.recordings,
        },
    };
    let summary = rpc_conformance::run(&places, &mut io::stdout())
        .context("the report could not be written")?;
    // All of our own vectors are known here; of others, some may be of kinds to come.
    let has_passed = summary.failed == 0 && !(is_default && summary.skipped > 0);
    Ok(match has_passed {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
