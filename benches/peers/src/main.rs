//! How do calls and updates over TCP compare with other RPC crates'?
//!
//! All systems answer the same workloads with the same payloads, in the same process, round by
//! round in turn. Each is used as its own documentation says, with Nagle's algorithm off.

#![expect(clippy::print_stdout, reason = "the table is the output")]

mod grpc;
mod tarpc_;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use benches::load::{Plan, System, ours::Ours, raw::Raw};
use clap::Parser;
use serde_json::json;

use crate::{grpc::Tonic, tarpc_::Tarpc};

/// Measures calls and updates over TCP, beside a raw echo and other RPC crates.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    plan: Plan,
    /// Where every sample goes.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let Arguments { plan, json } = Arguments::parse();
    println!("{plan}\n");
    let systems: [&dyn System; 5] = [&Raw, &Ours::Pipelined, &Ours::Tasks, &Tarpc, &Tonic];
    let mut tables = Vec::new();
    plan.run(&systems, |table| {
        print!("{table}");
        tables.push(table.to_json());
    })?;
    if let Some(path) = json {
        let all = json!({ "plan": plan.to_string(), "tables": tables });
        let text = format!("{}\n", serde_json::to_string_pretty(&all)?);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use benches::load::assert_moves;

    use super::*;

    #[test]
    fn every_workload_moves() {
        assert_moves(&[&Tarpc, &Tonic]);
    }
}
