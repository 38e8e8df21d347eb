//! A server that stops without breaking its word: `cargo run --example shutdown`.
//!
//! ```text
//! the server stops accepting
//! a call that was open is answered: 42
//! a call that comes later is not: connection closed
//! the caller was told why: maintenance
//! nobody is left
//! ```
#![expect(clippy::print_stdout, reason = "what an example shows is its output")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rpc_core::connection::Close;
use rpc_core::{Client, Connection, Implementations, Rpc, Server};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// The answer, when it is ready.
static PONDER: Rpc<(), i64> = Rpc::new("ponder", 1);

/// Those who are to be told. A clone of a connection keeps it open until it is closed.
type Connections = Arc<Mutex<Vec<Connection>>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (asked, ready) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (asked.clone(), ready.clone());
    let implementations = Implementations::builder()
        .implement(&PONDER, move |(): &(), ()| {
            tell.notify_one();
            let wait = wait.clone();
            async move {
                wait.notified().await;
                Ok(42)
            }
        })
        .build()?;
    let connections = Connections::default();
    let kept = connections.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = Server::builder(implementations, move |_peer, connection| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|connection| !connection.is_closed());
        kept.push(connection.clone());
    })
    .serve(listener)?;

    let caller = Client::new().connect(server.local_addr()).await?;
    let open = tokio::spawn(PONDER.dispatch(&caller, &()));
    asked.notified().await;

    server.stop_accepting().await;
    let refused = Client::new().connect(server.local_addr()).await.is_err();
    anyhow::ensure!(refused, "the server still accepts");
    println!("the server stops accepting");
    // Callers are asked to begin nothing new; what they have begun may take ten seconds.
    let close = Close::new()
        .reason("maintenance")
        .wait_for_open_queries(Duration::from_secs(10));
    let leaving = std::mem::take(&mut *connections.lock().unwrap_or_else(PoisonError::into_inner));
    leaving
        .iter()
        .for_each(|connection| connection.close_with(close.clone()));
    // The caller knows when it has been asked.
    while !caller.is_closed() {
        tokio::task::yield_now().await;
    }
    let late = PONDER.dispatch(&caller, &());
    ready.notify_one();
    println!("a call that was open is answered: {}", open.await??);
    match late.await {
        Ok(number) => anyhow::bail!("answered {number}"),
        Err(_closed) => println!("a call that comes later is not: connection closed"),
    }
    let closed = caller.closed().await;
    let why = closed.reason.to_string();
    let told = why.contains("maintenance");
    println!(
        "the caller was told why: {}",
        if told { "maintenance" } else { &why }
    );
    server.shutdown().await;
    println!("nobody is left");
    Ok(())
}
