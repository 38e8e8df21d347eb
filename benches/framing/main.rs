//! What do frames, message headers and values cost beside other formats, and beside a copy of the
//! same bytes?
//!
//! All contestants of a case are measured in turn, in many short rounds of one process; the table
//! shows medians with their extremes, and ratios of medians. Compare only within one run.

#![expect(clippy::print_stdout, reason = "the table is the output")]

mod allocations;
mod bulk;
mod envelope;
mod measure;
mod names;
mod record;
mod report;
mod target;

use std::{fs, hint::black_box, path::PathBuf, thread, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;

use crate::{
    measure::{Case, Plan},
    report::Report,
    target::Target,
};

/// Measures frames, headers and values beside other formats.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often everything is set up anew and measured: how fast something is depends on where in
    /// memory it happens to lie.
    #[arg(long, default_value_t = 8)]
    passes: usize,
    /// How often each contestant has its turn in a pass.
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// How long a turn takes, in microseconds.
    #[arg(long, default_value_t = 500)]
    turn: u64,
    /// One short turn each: proves that everything runs, measures nothing.
    #[arg(long, conflicts_with_all = ["passes", "rounds", "turn"])]
    quick: bool,
    /// Only the cases with this in their name; may be repeated.
    #[arg(long)]
    case: Vec<String>,
    /// Also write all figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (passes, rounds, turn) = if arguments.quick {
        (1, 1, 5)
    } else {
        (arguments.passes, arguments.rounds, arguments.turn)
    };
    let plan = Plan {
        rounds,
        turn: Duration::from_micros(turn),
    };

    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{cores} cores, {passes} passes of {rounds} rounds of {turn} µs. Nanoseconds: median (min \
         to max), ours divided by it, [allocations].\n"
    );
    let mut report = Report::default();
    for pass in 0..passes {
        // What is allocated after these lies elsewhere than in the pass before.
        let _displacing: Vec<Vec<u8>> = (0..pass).map(|n| Vec::with_capacity(48 * n + 1)).collect();
        deeper(pass, &mut || {
            for mut case in cases(&arguments.case) {
                let samples = case.measure(plan);
                report.add(&case, samples);
            }
        });
    }
    ensure!(!report.is_empty(), "nothing to measure");
    print!("{report}");

    let targets = Target::all();
    println!();
    for outcome in targets.iter().filter_map(|target| target.of(&report)) {
        println!("{outcome}");
    }
    if let Some(file) = &arguments.json {
        let json = report.to_json(cores, &targets);
        fs::write(file, format!("{json:#}\n"))
            .with_context(|| format!("could not write {}", file.display()))?;
    }
    let allocating = report.allocating_frames();
    if !allocating.is_empty() {
        bail!("our frames allocate: {}", allocating.join("; "));
    }
    Ok(())
}

/// The cases with one of these in their name; all of them if there are none.
fn cases(parts: &[String]) -> Vec<Case> {
    let mut cases = envelope::cases();
    cases.extend(record::cases());
    cases.extend(bulk::cases());
    cases.retain(|case| parts.is_empty() || parts.iter().any(|part| case.name.contains(part)));
    cases
}

/// Runs `work` some levels down the stack, so that what it keeps there lies elsewhere too. Where
/// stores and loads have the same place within their pages, a processor may take them for the same.
fn deeper(levels: usize, work: &mut dyn FnMut()) {
    const FRAME_BYTES: usize = 512;
    match levels {
        0 => work(),
        _ => {
            let frame = black_box([0_u8; FRAME_BYTES]);
            deeper(levels - 1, work);
            black_box(&frame);
        }
    }
}
