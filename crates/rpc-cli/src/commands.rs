//! The subcommands.

mod decode;
mod demo;
mod interop;
mod menu;
mod serve;
mod watch;

use std::process::ExitCode;

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
    }
}
