//! The `rpc` command.

mod args;
mod commands;
mod decode;
mod demo;
mod environment;
mod exposition;
mod host;
mod interop;
mod menu;
mod ping;
mod progress;
mod watch;

use std::process::ExitCode;

use clap::Parser;

/// Gives back what a server used at its peak, within seconds, whoever freed it and whether or not
/// anything happens afterwards. The system's keeps it: docs/hostile-peers.md has the figures.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args = args::Args::parse();
    if let Err(error) = rpc_core::Environment::of_process() {
        return failed(&error.into());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let outcome = runtime.block_on(commands::run(args));
    // Threads that wait for keys or measure the host must not hold up the end.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let io = error.downcast_ref::<std::io::Error>();
    if io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
        // Whoever read the output has seen enough, as in `rpc … | head`.
        return ExitCode::FAILURE;
    }
    eprintln!("rpc: {error:#}");
    ExitCode::FAILURE
}
