//! How close do calls and updates over TCP come to a raw echo of the same payload?
//!
//! Every system answers every workload in the same process, round by round in turn, so that a noisy
//! neighbour meets all of them; the table shows medians over the rounds, and the extremes beside
//! them. Caller and callee each have one thread, and a runtime of their own on it.
//!
//! Where waking another core is slow, as on many virtual machines, that is what the workloads with
//! few calls in flight measure; pinned to one core (`taskset -c 0`) they measure the work.

#![expect(clippy::print_stdout, reason = "the table is the output")]

use std::path::PathBuf;

use anyhow::Result;
use benches::load::{
    Plan, System,
    lasting::Lasting,
    ours::{Ours, Versioned},
    raw::{Raw, RawHandshake},
    results::{self, Conditions, Results},
};
use clap::Parser;

/// Measures calls and updates over TCP, beside a raw echo.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    plan: Plan,
    /// Where everything goes that was found.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let Arguments { plan, json } = Arguments::parse();
    println!("{plan}\n");
    let systems: [&dyn System; 9] = [
        &Raw,
        &RawHandshake,
        &Ours::Pipelined,
        &Ours::Tasks,
        &Ours::Heard,
        &Ours::Single,
        &Versioned,
        &Lasting::Durable,
        &Lasting::Followed,
    ];
    let conditions = Conditions::new(&plan);
    let mut tables = Vec::new();
    plan.run(&systems, |table| {
        print!("{table}");
        tables.push(table.results());
    })?;
    match json {
        Some(path) => results::write(&path, &Results { conditions, tables }),
        None => Ok(()),
    }
}
