//! Runs the benchmarks in `benches`, which is a workspace of its own.

use std::fs;

use anyhow::{Context as _, Result};
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Frames, headers and values beside other formats and beside a copy of the same bytes.
    Framing,
    /// Instructions of the hot paths, counted by callgrind, beside the counts checked in.
    Instructions,
    /// Calls and updates over TCP, beside a raw echo.
    Load,
    /// The same, beside other RPC crates. Needs the compiler of Cap'n Proto.
    Peers,
    /// What idle connections and subscriptions keep in memory, ours and other RPC crates'.
    Memory,
    /// What calls and updates cost as there is more of something.
    Curves,
    /// Ten thousand idle connections on one server, and a busy one beside them.
    Idle,
    /// Charts and the table of targets, from the JSON in docs/performance.
    Report,
    /// Peers (twice, once with processors that are kept awake, which takes root), memory and curves,
    /// three times, written into docs/performance, and the report of them.
    Measure,
}

/// Where JSON, charts and the table of targets are.
const FOLDER: &str = "docs/performance";

/// How often everything is measured.
const RUNS: usize = 3;

/// What keeps processors awake.
const LATENCY: &str = "/dev/cpu_dma_latency";

/// What the report is made of.
const MEASURED: [(Which, &[&str], &str); 4] = [
    (Which::Peers, &[], "peers.json"),
    (Which::Peers, &["--awake"], "peers-awake.json"),
    (Which::Memory, &[], "memory.json"),
    (Which::Curves, &[], "curves.json"),
];

impl Which {
    /// Its command, up to the benchmark's own arguments.
    fn cargo(self) -> Cargo {
        let (package, name, arguments) = match self {
            // Its process counts what it allocates, and is not compared with anything.
            Self::Idle => return Cargo::new("run --release -p rpc-soak -- idle"),
            Self::Framing => ("benches", "framing", None),
            Self::Instructions => ("benches", "instructions", None),
            Self::Load => ("benches", "load", None),
            Self::Curves => ("benches", "curves", None),
            Self::Peers => ("peers", "peers", None),
            Self::Memory => ("peers", "peers", Some("memory")),
            Self::Report | Self::Measure => ("benches", "report", Some(FOLDER)),
        };
        let arguments: Vec<String> = ["--"]
            .into_iter()
            .chain(arguments)
            .map(str::to_owned)
            .collect();
        in_benches(&format!("run --release --package {package} --bin {name}")).arguments(&arguments)
    }

    fn run(self, arguments: &[String]) -> Result<()> {
        if self == Self::Measure {
            // Before half an hour has gone into it.
            let open = fs::OpenOptions::new().write(true).open(LATENCY);
            open.with_context(|| format!("`--awake` writes to {LATENCY}, which takes root"))?;
            for run in 1..=RUNS {
                let folder = format!("{FOLDER}/run-{run}");
                fs::create_dir_all(&folder).with_context(|| format!("creating {folder}"))?;
                for (which, options, file) in MEASURED {
                    let mut arguments: Vec<_> = options.iter().map(|&it| it.to_owned()).collect();
                    arguments.extend(["--json".to_owned(), format!("{folder}/{file}")]);
                    which.cargo().arguments(&arguments).run()?;
                }
            }
        }
        self.cargo().arguments(arguments).run()
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
    match arguments.which {
        Some(which) => which.run(&arguments.rest),
        None => Which::value_variants()
            .iter()
            // What it measures has been measured by then, and nothing of it is kept.
            .filter(|which| !matches!(which, Which::Report | Which::Measure))
            .try_for_each(|which| which.run(&[])),
    }
}

/// Everything that CI asks of the package: that each benchmark runs for a moment, which measures
/// nothing; that no hot path takes more instructions than before; and that charts and targets are
/// what the JSON says.
///
/// # Errors
/// The command that failed.
pub(crate) fn smoke() -> Result<()> {
    in_benches("fmt --all --check").run()?;
    // In the profile in which they run, so that dependencies are built once.
    in_benches("clippy --release --workspace --all-targets")
        .arguments(&["--", "-D", "warnings"].map(str::to_owned))
        .run()?;
    // The peers' tests would take another minute or two to link, and say no more than that a short
    // run of each goes well, as it does below.
    in_benches("test --release --workspace --exclude peers").run()?;
    for &which in Which::value_variants() {
        let quick: &[&str] = match which {
            Which::Framing | Which::Load | Which::Peers | Which::Curves => &["--quick"],
            Which::Memory => &["--count", "50", "--rounds", "1"],
            Which::Idle => &["--connections", "500", "--seconds", "1"],
            // Counts, which are the same on a busy machine.
            Which::Instructions => &[],
            Which::Report => &["--check"],
            // All of it has run.
            Which::Measure => continue,
        };
        let quick: Vec<String> = quick.iter().map(|&argument| argument.to_owned()).collect();
        which.run(&quick)?;
    }
    Ok(())
}
