//! What developers and CI run, as `cargo xtask <command>`.
//!
//! Knows how to start other programs and read the tree; links none of the workspace's crates, so
//! that it builds while they do not.

#![expect(clippy::print_stdout, reason = "a command's report is its output")]

mod bench;
mod cargo;
mod ci;
mod conformance;
mod examples;
mod fuzz;
mod hostile;
mod interop;
mod picture;
mod rules;
mod simulate;
mod soak;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of the async-rpc workspace.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything that CI runs, in order, up to the first failure.
    Ci,
    /// Run the benchmarks: the codec beside others, and the load over TCP beside a raw echo.
    Bench(bench::Arguments),
    /// Run golden vectors and recordings, or tell which rules of the specification have tests.
    Conformance(conformance::Arguments),
    /// Run the examples, and compare what they print with what they say.
    Examples,
    /// Run the fuzz targets, all or some, for some seconds each.
    Fuzz(fuzz::Arguments),
    /// Run every hostile peer against a server, and see what it costs the server.
    Hostile,
    /// Run both ends of the interoperability suite against each other, at every wire version.
    Interop,
    /// Draw what a demo has printed (on the standard input), for README.
    Picture,
    /// Run the simulation of durable subscriptions, some seeds of it.
    Simulate(simulate::Arguments),
    /// Do everything at random for some time, with faults, and check what has to hold.
    Soak(soak::Arguments),
    /// Read the sources: what is never right fails, what may be right is listed.
    Tidy,
}

fn main() -> ExitCode {
    let success = |()| ExitCode::SUCCESS;
    let done = match Arguments::parse().command {
        Command::Ci => ci::run().map(success),
        Command::Bench(arguments) => bench::run(&arguments).map(success),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Examples => examples::run().map(success),
        Command::Fuzz(arguments) => fuzz::run(&arguments).map(success),
        Command::Hostile => hostile::run().map(success),
        Command::Interop => interop::run().map(success),
        Command::Picture => picture::run().map(success),
        Command::Simulate(arguments) => simulate::run(&arguments).map(success),
        Command::Soak(arguments) => soak::run(&arguments).map(success),
        Command::Tidy => tidy::run().map(success),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            // One line and no backtrace: what failed is another program, not this one.
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
