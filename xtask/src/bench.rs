//! Runs the benchmarks in `benches`, which is a workspace of its own.

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
    /// Frames, headers and values beside other formats and beside a copy of the same bytes.
    Framing,
    /// Instructions of the hot paths, counted by callgrind, beside the counts checked in.
    Instructions,
    /// Calls and updates over TCP, beside a raw echo.
    Load,
    /// The same, beside other RPC crates.
    Peers,
    /// Ten thousand idle connections on one server, and a busy one beside them.
    Idle,
}

impl Which {
    /// Its command, up to the benchmark's own arguments.
    fn cargo(self) -> Cargo {
        let (package, name) = match self {
            // Its process counts what it allocates, and is not compared with anything.
            Self::Idle => return Cargo::new("run --release -p rpc-soak -- idle"),
            Self::Framing => ("benches", "framing"),
            Self::Instructions => ("benches", "instructions"),
            Self::Load => ("benches", "load"),
            Self::Peers => ("peers", "peers"),
        };
        in_benches(&format!("run --release --package {package} --bin {name}"))
            .arguments(&["--".to_owned()])
    }
}

/// A command of cargo for the package.
fn in_benches(line: &str) -> Cargo {
    Cargo::new(&format!("{line} --manifest-path benches/Cargo.toml"))
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

/// Everything that CI asks of the package: that each benchmark runs for a moment, which measures
/// nothing, and that no hot path takes more instructions than before.
///
/// # Errors
/// The command that failed.
pub(crate) fn smoke() -> Result<()> {
    in_benches("fmt --all --check").run()?;
    // In the profile in which they run, so that dependencies are built once.
    in_benches("clippy --release --workspace --all-targets")
        .arguments(&["--", "-D", "warnings"].map(str::to_owned))
        .run()?;
    in_benches("test --release --workspace").run()?;
    for which in Which::value_variants() {
        let quick: &[String] = match which {
            Which::Framing | Which::Load | Which::Peers => &["--quick".to_owned()],
            Which::Idle => &["--connections", "500", "--seconds", "1"].map(str::to_owned),
            // Counts, which are the same on a busy machine.
            Which::Instructions => &[],
        };
        which.cargo().arguments(quick).run()?;
    }
    Ok(())
}
