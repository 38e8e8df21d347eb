//! Subscriptions on one connection, to which nothing is ever said.

use std::net::SocketAddr;

use anyhow::{Result, anyhow};
use bin_prot::Int64Bits;
use rpc_core::{Connection, Pipe};
use tokio::net::TcpListener;

use super::{QUIET, caller, serve, table};

/// The receiving ends, and their connection.
#[derive(Debug)]
pub struct Quiet {
    pub(super) connection: Connection,
    _subscriptions: Vec<Pipe<Int64Bits>>,
}

/// Answers those who subscribe, and whoever calls.
///
/// # Errors
/// That of the listener.
pub async fn serve_quietly(listener: TcpListener) -> Result<()> {
    serve(listener, &table(0)?, false).await
}

/// Connects, and subscribes so often.
///
/// # Errors
/// That of the connection.
pub async fn subscribe_quietly(to: SocketAddr, count: usize) -> Result<Quiet> {
    let connection = caller(to).await?;
    let mut subscriptions = Vec::with_capacity(count);
    for _ in 0..count {
        let opened = QUIET.dispatch(&connection, &()).await?;
        subscriptions.push(opened.map_err(|refusal| anyhow!(refusal))?);
    }
    Ok(Quiet {
        connection,
        _subscriptions: subscriptions,
    })
}
