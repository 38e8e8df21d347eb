//! `rpc interop serve` and `rpc interop client`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use rpc_core::Server;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{InteropClient, InteropServe};
use crate::interop::cases::{CASES, Case};
use crate::interop::prices::PriceVersions;
use crate::interop::run::{Target, config};
use crate::interop::server::{Tallies, table, table_with_price_streams};
use crate::interop::{client, durable};

/// Serves until it is told to stop. Says what there is of it whenever it is sent `SIGUSR1`.
pub(crate) async fn serve(args: InteropServe) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(&args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let config = config(args.wire.map(|wire| wire.0))
        .identification(args.identification)
        .provide_shapes(true);
    let table = match args.price {
        Some(versions) => table_with_price_streams(&versions)?,
        None => table(&PriceVersions::default())?,
    };
    let tallies = Tallies::default();
    // All before anybody is told that the server listens: who is told may end it at once.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut asked = signal(SignalKind::user_defined1())?;
    let server = Server::builder(table, move |_, _| tallies.clone())
        .config(config)
        .serve(listener)?;
    let mut out = io::stdout();
    writeln!(out, "listening on {}", server.local_addr())?;
    out.flush()?;
    loop {
        tokio::select! {
            // Whichever of these comes first; the others are of no interest then.
            _ = interrupted.recv() => break,
            _ = terminated.recv() => break,
            _ = asked.recv() => {
                let connections = server.stats().connections;
                let tasks = Handle::current().metrics().num_alive_tasks();
                writeln!(out, "connections {connections}, tasks {tasks}")?;
                out.flush()?;
            }
        }
    }
    server.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

/// Runs the cases, all that the suite's page has if none was picked; or holds the durable subscription.
pub(crate) async fn client(args: InteropClient) -> anyhow::Result<ExitCode> {
    let with_streams = args.price.is_some();
    let target = Target {
        address: args.address,
        wire: args.wire.map(|wire| wire.0),
        identification: args.identification,
        expect_wire: args.expect_wire,
        price: args.price.unwrap_or_default(),
    };
    let mut out = io::stdout();
    if args.durable {
        durable::run(target, Duration::from_secs(args.seconds), &mut out).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let picked = |case: &&Case| match args.only.as_slice() {
        [] => with_streams || case.needs.is_none(),
        only => only.iter().any(|one| one.name == case.name),
    };
    let cases = CASES.iter().filter(picked);
    let tally = client::run(target, cases, &mut out).await?;
    Ok(if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
