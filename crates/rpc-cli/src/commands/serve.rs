//! `rpc host serve`: publishes the live state of this host.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use rpc_core::connection::heartbeat;
use rpc_core::{Implementations, OnUnknownRpc, Server};
use rpc_observe::{EventHub, Metrics};
use rpc_versioned::MenuWithShapes;
use tokio::net::TcpListener;

use crate::args::Serve;
use crate::environment;
use crate::exposition::Exposition;
use crate::host::HOST;
use crate::host::publisher::Publisher;

/// Viewers want to notice a frozen server within seconds.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

/// Events that are kept for whoever reads them slowly.
const KEPT_EVENTS: usize = 1024;

/// Serves until Ctrl-C, or the end of the input if that is asked for. Prints `listening on ADDR`
/// when ready; before that, where the metrics are, if they are anywhere.
pub(crate) async fn run(args: Serve) -> anyhow::Result<ExitCode> {
    let config = environment::config()
        .identification("rpc host serve")
        .provide_shapes(true)
        .heartbeat(
            heartbeat::Config::default()
                .send_every(HEARTBEAT_EVERY.min(args.silence / 2))
                .timeout(args.silence),
        );
    // The recorder has to be there before anything is measured.
    let exposition = match args.metrics {
        Some(address) => Some(Exposition::start(address, config.limits_met().clone()).await?),
        None => None,
    };
    let publisher = Publisher::start(args.interval).await?;
    let events = EventHub::new(KEPT_EVENTS);
    let implementations = Implementations::builder()
        .implement_state(&HOST, |publisher: &Publisher, ()| {
            let subscription = publisher.subscribe();
            async move { Ok(Ok(subscription)) }
        })
        .implementation(events.implementation())
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()?;
    // For `rpc menu --shapes`.
    let menu = MenuWithShapes::of(implementations.iter())?;
    let implementations = implementations.add(menu.implementation())?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let metrics = Metrics::new().implementing(implementations.descriptions());
    let is_measured = exposition.is_some();
    let server = Server::builder(implementations, move |_, connection| {
        events.observe(connection);
        if is_measured {
            metrics.observe(connection);
        }
        publisher.clone()
    })
    .config(config)
    .serve(listener)?;
    let mut out = std::io::stdout();
    if let Some(exposition) = &exposition {
        writeln!(out, "metrics on http://{}/metrics", exposition.local_addr)?;
    }
    writeln!(out, "listening on {}", server.local_addr())?;
    out.flush()?;
    tokio::select! {
        // Whichever comes first; the other one is of no interest then.
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        () = input_ended(), if args.until_input_ends => {}
    }
    server.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

/// Ready at the end of the standard input, which is read by a thread of its own.
async fn input_ended() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // An error is an end too.
        let _end = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _nobody = ended.send(());
    });
    let _ended = end.await;
}
