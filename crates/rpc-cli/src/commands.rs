//! The subcommands.

mod decode;
mod demo;
mod events;
mod interop;
mod menu;
mod ping;
mod serve;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::{Args, Command, Host, Interop};

/// Runs what was asked for; the code is the process's exit status.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Decode(args) => decode::run(&args),
        Command::Demo(args) => demo::run(args).await,
        Command::Menu(args) => menu::run(&args).await,
        Command::Host(Host::Serve(args)) => serve::run(args).await,
        Command::Host(Host::Watch(args)) => watch::run(args).await,
        Command::Interop(Interop::Serve(args)) => interop::serve(args).await,
        Command::Interop(Interop::Client(args)) => interop::client(args).await,
        Command::Ping(args) => ping::run(args).await,
        Command::Events(args) => events::run(args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "rpc", &mut script);
            std::io::stdout().write_all(&script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
