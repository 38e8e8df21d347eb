//! How many instructions do the hot paths take, and has that grown?
//!
//! Counted by callgrind, which does not depend on what else the machine does: each path runs in a
//! process of its own, once with few and once with many repetitions, and the difference is what
//! the repetitions took. The counts are compared with those checked in.

#![expect(clippy::print_stdout, reason = "the report is the output")]

mod calls;
mod paths;

use std::{collections::BTreeMap, env, fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};

use crate::paths::PATHS;

/// Counts the instructions of the hot paths and compares them with the counts checked in.
#[derive(Debug, Parser)]
struct Arguments {
    /// Check in what is counted now.
    #[arg(long)]
    bless: bool,
    #[command(subcommand)]
    command: Option<Step>,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Run one path; what callgrind is started with.
    Run {
        /// Its name.
        path: String,
        /// How often.
        times: u32,
    },
}

/// Repetitions of the two runs.
const FEW: u32 = 1_000;
const MANY: u32 = 11_000;

/// Growth that is not yet worth a look, as a factor.
const TOLERANCE: f64 = 1.05;

/// What is checked in.
#[derive(Debug, Serialize, Deserialize)]
struct Counts {
    /// The compiler of the programs that were counted.
    compiler: String,
    /// Instructions, by path.
    instructions: BTreeMap<String, f64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(Step::Run { path, times }) = arguments.command {
        return run(&path, times);
    }
    let now = Counts::now()?;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions/counts.json");
    if arguments.bless {
        let json = format!("{}\n", serde_json::to_string_pretty(&now)?);
        return fs::write(&file, json).with_context(|| format!("writing {}", file.display()));
    }
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let before: Counts = serde_json::from_str(&text)?;
    let grown = compare(&before, &now);
    if before.compiler != now.compiler {
        println!(
            "The counts checked in are those of {}; bless those of {} to compare.",
            before.compiler, now.compiler
        );
    } else if !grown.is_empty() {
        bail!("more instructions than before: {}", grown.join(", "));
    }
    Ok(())
}

fn run(path: &str, times: u32) -> Result<()> {
    let found = PATHS.iter().find(|(name, _)| *name == path);
    let (_, prepare) = found.with_context(|| format!("no such path: {path}"))?;
    let mut operation = prepare();
    for _ in 0..times {
        operation();
    }
    Ok(())
}

/// Prints every path's counts, and tells which have grown by more than is tolerated.
fn compare(before: &Counts, now: &Counts) -> Vec<String> {
    let mut grown = Vec::new();
    println!("{:<28} {:>10} {:>10}", "instructions", "checked in", "now");
    for (path, now) in &now.instructions {
        let before = before.instructions.get(path).copied().unwrap_or(f64::NAN);
        let change = (now / before - 1.0) * 100.0;
        println!("{path:<28} {before:>10.1} {now:>10.1} {change:>+7.1} %");
        // A path without a count is no less in need of a look.
        if before.is_nan() || now / before > TOLERANCE {
            grown.push(path.clone());
        }
    }
    grown
}

impl Counts {
    fn now() -> Result<Self> {
        let compiler = Command::new("rustc").arg("--version").output()?;
        ensure!(compiler.status.success(), "rustc --version failed");
        let instructions = PATHS
            .iter()
            .map(|(path, _)| {
                let few = total(path, FEW)?;
                let many = total(path, MANY)?;
                let each = (many - few) / f64::from(MANY - FEW);
                Ok((path.to_string(), (each * 10.0).round() / 10.0))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            compiler: String::from_utf8(compiler.stdout)?.trim().to_owned(),
            instructions,
        })
    }
}

/// The instructions of a process that runs the path so often.
fn total(path: &str, times: u32) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["run", path, &times.to_string()])
        .output()
        .context("valgrind, of the package of this name, could not be started")?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind failed: {log}");
    collected(&log).with_context(|| format!("valgrind did not say what it counted: {log}"))
}

/// The count in callgrind's log: `==1== Collected : 123`.
fn collected(log: &str) -> Option<f64> {
    let (_, count) = log.split_once("Collected : ")?;
    count.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(instructions: f64) -> Counts {
        Counts {
            compiler: String::new(),
            instructions: BTreeMap::from([("path".to_owned(), instructions)]),
        }
    }

    #[test]
    fn growth_beyond_the_tolerance_is_told() {
        let before = counts(100.0);
        assert!(compare(&before, &counts(105.0)).is_empty());
        assert!(compare(&before, &counts(50.0)).is_empty());
        assert_eq!(compare(&before, &counts(105.2)), ["path"]);
    }

    #[test]
    fn a_path_never_counted_is_told() {
        let mut before = counts(100.0);
        before.instructions.clear();
        assert_eq!(compare(&before, &counts(1.0)), ["path"]);
    }

    #[test]
    fn callgrind_says_what_it_collected() {
        let log = "==7== Events    : Ir\n==7== Collected : 2045\n==7== \n";
        assert_eq!(collected(log), Some(2045.0));
        assert_eq!(collected("==7== Events    : Ir"), None);
    }
}
