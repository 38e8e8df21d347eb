//! `rpc-simulation`: runs seeds, and shows what went wrong. `cargo xtask simulate` starts it.

#![expect(clippy::print_stdout, reason = "a command's report is its output")]

use std::io;
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::Result;
use clap::Parser;

use rpc_simulation::fleet::{self, Summary};
use rpc_simulation::invariants;
use rpc_simulation::judge::judge;
use rpc_simulation::plan::Plan;
use rpc_simulation::run::run;
use rpc_simulation::shrink::shrink;
use rpc_simulation::world::Violation;

/// Durable subscriptions against a seeded adversary.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Only this seed: with its script.
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
    /// Everything that happened, of the one seed or of the first one that fails.
    #[arg(long)]
    verbose: bool,
    /// Run each seed twice, and compare.
    #[arg(long)]
    twice: bool,
    /// How many seeds at a time. Default: one on each core.
    #[arg(long)]
    jobs: Option<usize>,
    /// Only count what fails, in one line for each invariant.
    #[arg(long)]
    count: bool,
}

/// Facts shown of a trace that failed, unless all are wanted.
const LAST_FACTS: usize = 40;

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        return one(seed, &arguments);
    }
    let jobs = arguments.jobs;
    let jobs = jobs.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    let seeds = arguments.first..arguments.first.saturating_add(arguments.seeds);
    let summary = fleet::run(seeds, jobs, arguments.twice)?;
    if arguments.count {
        for (invariant, count) in summary.by_invariant() {
            println!("{invariant} {count}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    show(&summary);
    match summary.violations.first_key_value() {
        None => Ok(ExitCode::SUCCESS),
        Some((seed, violation)) => {
            let plan = Plan::from_seed(*seed);
            show_failure(&plan, violation, arguments.verbose)?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// One seed, with what it is.
fn one(seed: u64, arguments: &Arguments) -> Result<ExitCode> {
    let plan = Plan::from_seed(seed);
    // What a thread's first runtime leaves behind is not the seed's.
    judge(&plan, false)?;
    let verdict = judge(&plan, arguments.twice)?;
    if let Some(violation) = verdict.violation {
        show_failure(&plan, &violation, arguments.verbose)?;
        return Ok(ExitCode::FAILURE);
    }
    println!("{plan}");
    if arguments.verbose {
        println!();
        for entry in run(&plan)?.trace {
            println!("{entry}");
        }
    }
    println!("\nall invariants hold\n{}", verdict.tally);
    Ok(ExitCode::SUCCESS)
}

fn show(summary: &Summary) {
    let (memory, seed) = summary.most_memory;
    let elapsed = summary.elapsed.as_secs_f64();
    println!(
        "{} seeds in {elapsed:.1} s, {:.2} ms each\n{}\n{:>14.1} MB at most, trace included (seed {seed})",
        summary.seeds,
        elapsed * 1e3 / summary.seeds.max(1) as f64,
        summary.tally,
        memory as f64 / 1e6,
    );
    if summary.violations.is_empty() {
        println!("all invariants hold: {}", invariants::names().join(", "));
        return;
    }
    println!("{} seeds failed", summary.violations.len());
    for (invariant, count) in summary.by_invariant() {
        let violations = summary.violations.iter();
        let seeds = violations.filter(|(_, violation)| violation.invariant == invariant);
        let seeds: Vec<_> = seeds.map(|(seed, _)| seed.to_string()).take(10).collect();
        println!("{count:>14} {invariant}: {}", seeds.join(" "));
    }
}

/// The violation, the script, the smallest script that was found, and the end of its trace.
fn show_failure(plan: &Plan, violation: &Violation, verbose: bool) -> Result<()> {
    println!("\nseed {} failed: {violation}\n\n{plan}", plan.seed);
    let twice = violation.invariant == "determinism";
    let smallest = shrink(plan, |plan| {
        let found = judge(plan, twice)?.violation;
        Ok::<_, io::Error>(found.is_some_and(|found| found.invariant == violation.invariant))
    })?;
    let outcome = run(&smallest)?;
    println!("\nof that, this is enough:\n\n{smallest}");
    if let Some(violation) = &outcome.violation {
        println!("\n{violation}");
    }
    let all = outcome.trace.len();
    let shown = if verbose { all } else { all.min(LAST_FACTS) };
    println!("\nthe last {shown} of {all} facts:\n");
    for entry in &outcome.trace[all - shown..] {
        println!("{entry}");
    }
    let seed = plan.seed;
    println!("\nagain: cargo xtask simulate --seed {seed} --verbose");
    Ok(())
}
