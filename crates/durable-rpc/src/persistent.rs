//! Connections that are made again as soon as they are lost.
//!
//! ```text
//!   emit AttemptingToConnect
//!     └► attempt: start the retry timer ─► look up the address ─► (ObtainedAddress) ─► connect
//!          ├ failed ─► (FailedToConnect) ─► wait for the timer ─► attempt again
//!          └ ok ─► Connected ─► until the connection is closed ─► Disconnected
//!                                   ─► wait for that attempt's timer ─► next cycle
//! ```
//!
//! The timer starts before the attempt: it throttles attempts, not reconnections. A connection that
//! lived longer than the delay is made again at once (rule P-CY-6).

mod builder;
mod closable;
mod context;
mod cycle;
mod delay;
mod event;
mod failure;
mod progress;
mod tcp;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::durable::Durable;
use crate::listeners::{Listeners, Listening};
use progress::{Progress, Stop};
use tokio::sync::watch;

pub use builder::Builder;
pub use closable::Closable;
pub use context::ConnectContext;
pub use event::Event;
pub use failure::{AttemptPanicked, ConnectFailure, NotConnected, PersistentConnectionClosed};
pub use tcp::{tcp, tcp_serving};

/// A connection that is kept: a task makes it, and makes it again when it is lost, whether or not
/// somebody uses it.
///
/// Cheap to clone. When the last clone is dropped, it is [closed](Self::close). Made by
/// [`tcp`], or by a [`Builder`] with a connect function of one's own; `E` is why attempts fail.
///
/// ```
/// use std::time::Duration;
/// use durable_rpc::Endpoints;
/// use durable_rpc::persistent::{self, PersistentConnection};
/// use rpc_core::{Connection, connection::Config};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let servers = Endpoints::new(["127.0.0.1:1", "127.0.0.1:2"]);
/// let prices: PersistentConnection<Connection> =
///     persistent::tcp("prices", servers, Config::default())
///         .retry_delay(Duration::from_secs(1))
///         .start();
/// // There is nobody.
/// let failed = prices.connected_or_failed().await.unwrap_err();
/// assert!(failed.to_string().starts_with("cannot connect to 127.0.0.1:1"));
/// prices.close();
/// prices.closed().await;
/// # }
/// ```
pub struct PersistentConnection<C: Closable, E: Clone + Send + Sync + 'static = ConnectFailure> {
    handle: Arc<Handle<C, E>>,
}

struct Handle<C: Closable, E: Clone + Send + Sync + 'static> {
    shared: Arc<Shared<C, E>>,
}

/// What the handles and the task have in common.
struct Shared<C, E> {
    server_name: Arc<str>,
    progress: watch::Sender<Progress<C, E>>,
    listeners: Arc<Listeners<Event<(), E>>>,
}

impl<C: Closable, E: Clone + Send + Sync + 'static> PersistentConnection<C, E> {
    fn new(shared: Arc<Shared<C, E>>) -> Self {
        Self {
            handle: Arc::new(Handle { shared }),
        }
    }

    fn progress(&self) -> &watch::Sender<Progress<C, E>> {
        &self.handle.shared.progress
    }

    /// What the server is called.
    pub fn server_name(&self) -> &str {
        &self.handle.shared.server_name
    }

    /// The connection, if there is one that is open; otherwise the next one. If the present one
    /// is known to be closed, that is a later one (rule P-US-1).
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    ///
    /// # Errors
    /// No connection will be made any more. In the reference this then never resolves.
    pub async fn connected(&self) -> Result<C, PersistentConnectionClosed> {
        let mut progress = self.progress().subscribe();
        loop {
            if let Some(settled) = progress.borrow_and_update().settled() {
                return settled.map_err(|_| PersistentConnectionClosed);
            }
            let changed = progress.changed().await;
            changed.map_err(|_| PersistentConnectionClosed)?;
        }
    }

    /// The connection, if there is one that is open; otherwise what comes of the next attempt, or
    /// of the one that is being made (rule P-US-2).
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    ///
    /// # Errors
    /// The attempt failed, or none will be made any more.
    pub async fn connected_or_failed(&self) -> Result<C, NotConnected<E>> {
        let mut progress = self.progress().subscribe();
        let failures = progress.borrow().failures;
        loop {
            {
                let now = progress.borrow_and_update();
                if let Some(settled) = now.settled() {
                    return settled;
                }
                if let Some(error) = now.failed_since(failures) {
                    return Err(NotConnected::Failed(error));
                }
            }
            let changed = progress.changed().await;
            changed.map_err(|_| NotConnected::Closed)?;
        }
    }

    /// The present connection, which may be closed already (rule P-US-3).
    pub fn current_connection(&self) -> Option<C> {
        self.progress().borrow().current.clone()
    }

    /// Ends it: no further attempt is made, an attempt that is going on is waited for and its
    /// connection closed, and so is the present connection (rule P-US-4). Twice has no further
    /// effect; [`closed`](Self::closed) waits until all of it is done.
    pub fn close(&self) {
        self.handle.shared.close();
    }

    /// Makes no connection any more, and leaves the present one as it is, if it is open. Without
    /// one, this is [`close`](Self::close) (rule P-US-6).
    pub fn close_when_current_connection_is_closed(&self) {
        self.handle.shared.stop(Stop::WhenDisconnected);
    }

    /// Whether it is being closed or has been (rule P-US-4).
    pub fn is_closed(&self) -> bool {
        self.progress().borrow().is_closed()
    }

    /// Waits until all is done that [closing](Self::close) entails. Does not start it.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn closed(&self) {
        let mut progress = self.progress().subscribe();
        // An error would mean that the sender is gone, which this borrows.
        let _finished = progress.wait_for(|now| now.is_finished).await;
    }

    /// Calls `listener` for each event, without the address, until the result is dropped. The last
    /// one that there has been is told at once (rule P-CY-8).
    ///
    /// The listener runs in the task, and should be quick. If it panics, that is logged, and
    /// concerns nobody else.
    pub fn on_event(&self, listener: impl Fn(&Event<(), E>) + Send + Sync + 'static) -> Listening {
        self.handle.shared.listeners.subscribe(listener)
    }

    /// A durable value over it: its builds are [`connected_or_failed`](Self::connected_or_failed),
    /// and it is broken when its connection is closed (§4.4).
    pub fn durable(&self) -> Durable<C>
    where
        E: Error,
    {
        let this = self.clone();
        let create = move || {
            let this = this.clone();
            async move { this.connected_or_failed().await }
        };
        Durable::new(create, Closable::is_closed)
    }
}

impl<C: Closable, E: Clone + Send + Sync + 'static> Shared<C, E> {
    fn close(&self) {
        self.stop(Stop::Close);
        let current = self.progress.borrow().current.clone();
        if let Some(current) = current {
            current.close();
        }
    }

    /// The first wish counts, unless it is to close: that wins.
    fn stop(&self, stop: Stop<E>) {
        self.progress.send_if_modified(|progress| {
            let counts = match (&progress.stop, &stop) {
                (Stop::No, _) | (Stop::WhenDisconnected | Stop::Aborted(_), Stop::Close) => true,
                (Stop::WhenDisconnected | Stop::Aborted(_) | Stop::Close, _) => false,
            };
            if counts {
                progress.stop = stop;
            }
            counts
        });
    }
}

impl<C: Closable, E: Clone + Send + Sync + 'static> Drop for Handle<C, E> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl<C: Closable, E: Clone + Send + Sync + 'static> Clone for PersistentConnection<C, E> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
        }
    }
}

impl<C: Closable, E: Clone + Send + Sync + 'static> fmt::Debug for PersistentConnection<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let progress = self.progress().borrow();
        f.debug_struct("PersistentConnection")
            .field("server_name", &self.server_name())
            .field("is_connected", &progress.open().is_some())
            .field("is_closed", &progress.is_closed())
            .finish_non_exhaustive()
    }
}
