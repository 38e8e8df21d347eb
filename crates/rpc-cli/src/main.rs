//! The `rpc` command.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod allocator;
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
