//! Builds the fuzz targets, instrumented by the stable compiler, and runs them.
//!
//! What a run writes is below `fuzz/target`, which is not checked in: binaries, what each target
//! printed, inputs that reached something new, and inputs that broke something.

mod build;
mod corpus;
mod target;

use std::{fs, sync::Mutex, thread, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::cargo::{Cargo, root};
use target::{Report, Target};

/// What to run, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long each target runs.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Only this target; may be given several times. Without it, all.
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// How many targets run at the same time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Fuzzes nothing, but makes the corpora anew: from the golden vectors, the recordings, what is
    /// there, and what earlier runs found, few inputs that reach much.
    #[arg(long)]
    corpus: bool,
}

/// Runs the targets.
///
/// # Errors
/// A target does not exist, could not be built or started, or broke something.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let targets = chosen(&arguments.targets)?;
    let binaries = build::build(&targets)?;
    if arguments.corpus {
        return corpora(&targets, &binaries);
    }
    let jobs = usize::from(arguments.jobs).min(targets.len());
    let seconds = Duration::from_secs(arguments.seconds);
    fuzz(&targets, &binaries, seconds, jobs)
}

/// A moment for each target, two at a time: finds what everybody would find.
///
/// # Errors
/// As [`run`].
pub(crate) fn smoke() -> Result<()> {
    let targets = chosen(&[])?;
    let binaries = build::build(&targets)?;
    fuzz(&targets, &binaries, Duration::from_secs(3), 2)
}

/// All targets, or those of these names.
fn chosen(names: &[String]) -> Result<Vec<Target>> {
    let folder = root().join("fuzz/fuzz_targets");
    let mut all = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))? {
        if let Some(name) = entry?.path().file_stem() {
            all.push(Target::new(&name.to_string_lossy()));
        }
    }
    all.sort();
    if names.is_empty() {
        return Ok(all);
    }
    if let Some(name) = names
        .iter()
        .find(|name| all.iter().all(|target| target.name() != *name))
    {
        let known: Vec<_> = all.iter().map(Target::name).collect();
        bail!("no target {name}; there are {}", known.join(", "));
    }
    all.retain(|target| names.iter().any(|name| target.name() == name));
    Ok(all)
}

fn fuzz(
    targets: &[Target],
    binaries: &build::Binaries,
    duration: Duration,
    jobs: usize,
) -> Result<()> {
    println!("{}", Report::HEADING);
    let waiting = Mutex::new(targets.iter());
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().map(|mut waiting| waiting.next());
                    let Ok(Some(target)) = next else { return };
                    let outcome = target.fuzz(binaries, duration);
                    match &outcome {
                        Ok(report) => println!("{report}"),
                        Err(error) => println!("{}: {error:#}", target.name()),
                    }
                    if !outcome.is_ok_and(|report| report.found_nothing())
                        && let Ok(mut failed) = failed.lock()
                    {
                        failed.push(target.name());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    if failed.is_empty() {
        println!("fuzz: {} targets found nothing", targets.len());
        return Ok(());
    }
    bail!(
        "fuzz: {} of {} targets found something: {}",
        failed.len(),
        targets.len(),
        failed.join(", ")
    );
}

fn corpora(targets: &[Target], binaries: &build::Binaries) -> Result<()> {
    let seeds = root().join("fuzz/target/seeds");
    if seeds.exists() {
        fs::remove_dir_all(&seeds)?;
    }
    Cargo::new("run -p rpc-checks --example seeds --")
        .arguments(&[seeds.display().to_string()])
        .run()?;
    for target in targets {
        let made = corpus::make(target, binaries, &seeds.join(target.name()))?;
        println!("{}: {made}", target.name());
    }
    Ok(())
}
