//! How do calls and updates over TCP compare with other RPC crates'?
//!
//! All systems answer the same workloads with the same payloads, in the same process, round by
//! round in turn. Each is used as its own documentation says, with Nagle's algorithm off.

#![expect(clippy::print_stdout, reason = "the table is the output")]

mod capnproto;
mod grpc;
mod memory;
mod tarpc_;
mod thrift;

use std::path::PathBuf;

use anyhow::Result;
use benches::load::{
    Plan, System,
    ours::Ours,
    raw::{Raw, RawHandshake},
    results::{self, Conditions, Results},
};
use benches::memory::{self as idle, Bare, Side};
use clap::{Parser, Subcommand};

use crate::{capnproto::Capnp, grpc::Tonic, memory::Peer, tarpc_::Tarpc, thrift::Volo};

/// Measures calls and updates over TCP, beside a raw echo and other RPC crates.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    plan: Plan,
    /// Where everything goes that was found.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure what idle connections and subscriptions keep in memory instead.
    Memory(idle::Arguments),
    /// One side of that; what this program starts itself with.
    #[command(hide = true, subcommand)]
    MemorySide(Side),
}

fn main() -> Result<()> {
    let Arguments {
        plan,
        json,
        command,
    } = Arguments::parse();
    match command {
        None => compare(&plan, json),
        Some(Command::MemorySide(side)) => side.run(&IDLE),
        Some(Command::Memory(arguments)) => {
            let memory = idle::measure(&IDLE, &arguments)?;
            print!("{memory}");
            json.map_or(Ok(()), |path| results::write(&path, &memory))
        }
    }
}

const IDLE: [&dyn idle::System; 6] = [
    &idle::Ours,
    &Bare,
    &Peer::Tarpc,
    &Peer::Tonic,
    &Peer::Capnp,
    &Peer::Volo,
];

/// All systems, in all workloads that are asked for.
fn compare(plan: &Plan, json: Option<PathBuf>) -> Result<()> {
    println!("{plan}\n");
    let systems: [&dyn System; 9] = [
        &Raw,
        &RawHandshake,
        &Ours::Pipelined,
        &Ours::Tasks,
        &Ours::Single,
        &Tarpc,
        &Tonic,
        &Capnp,
        &Volo,
    ];
    let conditions = Conditions::new(plan);
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

#[cfg(test)]
mod tests {
    use benches::load::assert_moves;

    use super::*;

    #[test]
    fn every_workload_moves() {
        assert_moves(&[&Tarpc, &Tonic, &Capnp, &Volo]);
    }
}
