//! What idle connections and subscriptions keep in memory, each side in a process of its own.
//!
//! Resident memory, as the kernel counts it: what the allocator holds on to counts, the kernel's own
//! buffers of a socket do not.

mod measure;
mod ours;

use std::{any::Any, net::SocketAddr, pin::Pin};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::load::caller::Caller;

pub use measure::{Arguments, Memory, Row, Side, measure};
pub use ours::{Bare, Ours};

/// A future that stays on its thread.
pub type LocalBox<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What lives for as long as this does.
pub type Kept = Box<dyn Any>;

/// What there is many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Idle {
    /// Connections, over each of which one call has been made.
    Connections,
    /// Subscriptions without an update yet, on one connection.
    Subscriptions,
}

/// A system that can keep things idle.
pub trait System {
    /// Its name in the table.
    fn name(&self) -> &'static str;

    /// Whether it has such a thing.
    fn has(&self, idle: Idle) -> bool;

    /// Serves until the listener fails.
    fn serve(&self, listener: TcpListener) -> LocalBox<'_, Result<()>>;

    /// Opens so many of them.
    fn open(&self, to: SocketAddr, idle: Idle, count: usize) -> LocalBox<'_, Result<Kept>>;
}

/// Bytes of the one call.
const CALL_BYTES: usize = 32;

/// Opens connections, and makes one call over each.
///
/// # Errors
/// That of a connection.
pub async fn connections<C: Caller>(to: SocketAddr, count: usize) -> Result<Kept> {
    let mut all = Vec::with_capacity(count);
    for number in 0..count as u64 {
        let mut caller = C::connect(to).await?;
        caller.call(number, CALL_BYTES).await?;
        all.push(caller);
    }
    Ok(Box::new(all))
}
