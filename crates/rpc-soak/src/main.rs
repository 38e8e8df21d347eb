//! Programs that wear the runtime out, run by `cargo xtask soak`, `hostile` and `bench idle`.
//!
//! They know the libraries' public interfaces only, and the wire where a peer has to be worse than
//! the libraries would let it be.

#![expect(clippy::print_stdout, reason = "a program's report is its output")]

mod allocator;
mod chance;
mod hostile;
mod idle;
mod process;
mod soak;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Wears the runtime out.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything at random, with faults, for some time.
    Run(soak::Arguments),
    /// Every hostile peer against a server in another process.
    Hostile(hostile::Arguments),
    /// Many idle connections, and a busy one beside them.
    Idle(idle::Arguments),
    /// The clients of those connections, in a process of their own.
    #[command(hide = true)]
    IdleClients {
        /// Where the server listens.
        address: SocketAddr,
        /// How many.
        connections: usize,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(arguments) => soak::run(&arguments),
        Command::Hostile(arguments) => hostile::run(&arguments),
        Command::Idle(arguments) => idle::run(&arguments),
        Command::IdleClients {
            address,
            connections,
        } => idle::clients(address, connections),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
