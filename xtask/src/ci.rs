//! Everything that CI runs, in the order a developer would: the quick checks first, the demo last.

use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::{
    bench, cargo::Cargo, conformance, examples, fuzz, hostile, interop, simulate, soak, tidy,
};

/// One announced part of the run.
struct Step {
    name: &'static str,
    run: fn() -> Result<()>,
}

const STEPS: &[Step] = &[
    Step {
        name: "format",
        run: || Cargo::new("fmt --all --check").run(),
    },
    Step {
        name: "tidy",
        run: tidy::run,
    },
    Step {
        name: "lints",
        run: || Cargo::new("clippy --workspace --all-targets -- -D warnings").run(),
    },
    Step {
        name: "features",
        run: features,
    },
    Step {
        name: "tests",
        run: tests,
    },
    Step {
        name: "conformance",
        run: conformance::ci,
    },
    Step {
        name: "documentation",
        run: documentation,
    },
    Step {
        name: "examples",
        run: examples::run,
    },
    Step {
        name: "fuzz targets",
        run: fuzz::smoke,
    },
    Step {
        name: "simulation",
        run: simulate::ci,
    },
    Step {
        name: "benches",
        run: bench::smoke,
    },
    Step {
        name: "interop",
        run: interop::run,
    },
    Step {
        name: "soak",
        run: soak::ci,
    },
    Step {
        name: "hostile peers",
        run: hostile::run,
    },
    Step {
        name: "demo",
        run: || Cargo::new("run --release -p rpc-cli -- demo --seconds 20 --plain").run(),
    },
];

/// Feature sets in which a user may build a library, beside the workspace's own.
const FEATURES: &[&str] = &[
    "-p bin-prot --no-default-features",
    "-p bin-prot --all-features",
    "-p rpc-wire --no-default-features",
    "-p rpc-wire --all-features",
    "-p rpc-core --no-default-features",
    "-p rpc-core --all-features",
    "-p rpc-observe --no-default-features",
    "-p rpc-observe --features tracing",
    "-p rpc-observe --features metrics",
    "-p rpc-observe --features events",
    "-p rpc-observe --all-features",
    "-p rpc-versioned --no-default-features",
    "-p rpc-versioned --all-features",
    "-p durable-rpc --no-default-features",
    "-p durable-rpc --all-features",
];

/// Runs every step and stops at the first that fails.
///
/// # Errors
/// The step, and the command within it, that failed.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    let count = STEPS.len();
    for (index, step) in STEPS.iter().enumerate() {
        let name = step.name;
        println!("\n==> {}/{count} {name}", index + 1);
        let step_start = Instant::now();
        (step.run)().with_context(|| format!("ci stopped at step {name}"))?;
        println!("<== {name}: {:.1} s", step_start.elapsed().as_secs_f64());
    }
    println!(
        "\nci: all {count} steps passed in {:.0} s",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// What README says, and then what only exists with a feature.
fn tests() -> Result<()> {
    Cargo::new("test --workspace").run()?;
    Cargo::new("test -p bin-prot --all-features").run()?;
    Cargo::new("test -p rpc-wire --all-features").run()?;
    Cargo::new("test -p rpc-core --all-features").run()?;
    Cargo::new("test -p rpc-observe --all-features").run()
}

fn features() -> Result<()> {
    // Clippy is `check` that can also refuse warnings without rebuilding the dependencies for it.
    FEATURES
        .iter()
        .try_for_each(|set| Cargo::new(&format!("clippy {set} -- -D warnings")).run())
}

fn documentation() -> Result<()> {
    Cargo::new("doc --workspace --no-deps")
        .environment("RUSTDOCFLAGS", "-D warnings")
        .run()
}
