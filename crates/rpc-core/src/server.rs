//! Accepting connections, and serving them.

mod accepting;
mod builder;
mod listener;
mod tally;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::connection::{Connection, LimitsMet, after};
use crate::implementations::Implementations;
use tally::Tally;

pub use builder::Builder;
#[cfg(unix)]
pub use listener::UnixPeer;
pub use listener::{Listener, Origin};
pub use tally::ServerStats;

/// How far a server is to go, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Accepting,
    /// Serves the connections that it has.
    Serving,
    /// Closes them.
    Stopping,
}

/// What a server has been asked to do.
#[derive(Clone, Copy, Debug)]
struct Asked {
    phase: Phase,
    /// Until when queries that are open when it stops may be answered.
    deadline: Option<Instant>,
}

/// A running server: accepts connections and answers their queries.
///
/// Dropping it stops it as [`shutdown`](Self::shutdown) does, without waiting.
#[derive(Debug)]
pub struct Server<A = SocketAddr> {
    local_addr: A,
    asking: watch::Sender<Asked>,
    /// Whether the listener is open.
    listening: watch::Receiver<bool>,
    tally: Arc<Tally>,
    limits_met: Arc<LimitsMet>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts with what is to be served, and the function that makes each connection's state
    /// from its peer's address. It runs after the handshake, before any query is handled.
    ///
    /// # Examples
    ///
    /// ```
    /// use rpc_core::{Client, Implementations, Rpc, Server};
    /// use tokio::net::TcpListener;
    ///
    /// static WHO_AM_I: Rpc<(), String> = Rpc::new("who-am-i", 1);
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let implementations = Implementations::builder()
    ///     .implement_blocking(&WHO_AM_I, |peer: &String, ()| Ok(peer.clone()))
    ///     .build()?;
    /// let server = Server::builder(implementations, |peer, _| peer.to_string())
    ///     .serve(TcpListener::bind("127.0.0.1:0").await?)?;
    ///
    /// let connection = Client::new().connect(server.local_addr()).await?;
    /// let me = WHO_AM_I.dispatch(&connection, &()).await?;
    /// assert!(me.starts_with("127.0.0.1:"));
    /// server.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder<S: Send + Sync + 'static>(
        implementations: Implementations<S>,
        state: impl Fn(SocketAddr, &Connection) -> S + Send + Sync + 'static,
    ) -> Builder<S> {
        Builder::new(implementations, state)
    }

    /// The same for Unix sockets, where the system says who the client is.
    ///
    /// # Examples
    ///
    /// ```
    /// use rpc_core::{Client, Implementations, Rpc, Server};
    /// use tokio::net::UnixListener;
    ///
    /// static MY_PROCESS: Rpc<(), Option<i64>> = Rpc::new("my-process", 1);
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let implementations = Implementations::builder()
    ///     .implement_blocking(&MY_PROCESS, |process: &Option<i32>, ()| Ok(process.map(Into::into)))
    ///     .build()?;
    /// # let directory = std::env::temp_dir().join(format!("unix-doc-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// let path = directory.join("socket");
    /// let server = Server::unix_builder(implementations, |peer, _| peer.process)
    ///     .accept_if(|peer| async move { peer.user == 0 || peer.group != 0 })
    ///     .serve(UnixListener::bind(&path)?)?;
    ///
    /// let connection = Client::new().connect_unix(&path).await?;
    /// let process = MY_PROCESS.dispatch(&connection, &()).await?;
    /// assert_eq!(process, Some(i64::from(std::process::id())));
    /// server.shutdown().await;
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(unix)]
    pub fn unix_builder<S: Send + Sync + 'static>(
        implementations: Implementations<S>,
        state: impl Fn(UnixPeer, &Connection) -> S + Send + Sync + 'static,
    ) -> Builder<S, UnixPeer> {
        Builder::new(implementations, state)
    }
}

impl<A> Server<A> {
    /// What the server has done, and has, in numbers.
    pub fn stats(&self) -> ServerStats {
        self.tally.stats()
    }

    /// How often each limit was met, by this server and its connections.
    pub fn limits_met(&self) -> &Arc<LimitsMet> {
        &self.limits_met
    }

    /// The address that the server listens on.
    pub fn local_addr(&self) -> A
    where
        A: Clone,
    {
        self.local_addr.clone()
    }

    /// Stops accepting: connections that are there live on, and new ones are refused by the
    /// system. Returns when that is so.
    ///
    /// # Cancel safety
    /// Once polled, the server stops accepting even if the future is dropped.
    pub async fn stop_accepting(&self) {
        self.advance(Phase::Serving, None);
        let mut listening = self.listening.clone();
        // An error is the end of the accepting task, and with it of the listener.
        let _closed = listening.wait_for(|open| !open).await;
    }

    /// Stops accepting, closes every connection, and waits until they are over.
    ///
    /// # Cancel safety
    /// Once polled, everything is closed even if the future is dropped.
    pub async fn shutdown(self) {
        self.stop(None).await;
    }

    /// Stops accepting, asks every client for no more queries, finishes those that are open, and
    /// closes each connection as soon as nothing is open on it, or `grace` is over: what is then
    /// unfinished is dropped. Streams end with the connection, and the close reason that clients
    /// see is theirs, too. Below version 9 clients cannot be asked, and are not waited for.
    ///
    /// Returns when all are over. After `grace` that takes as long as
    /// [`Config::flush_timeout`](crate::connection::Config::flush_timeout) gives a client to read
    /// what is on its way.
    ///
    /// # Cancel safety
    /// Once polled, everything is closed even if the future is dropped, and by then.
    pub async fn shutdown_within(self, grace: Duration) {
        self.stop(Some(after(grace))).await;
    }

    async fn stop(mut self, deadline: Option<Instant>) {
        self.advance(Phase::Stopping, deadline);
        // A panic of the accepting task is its own report.
        let _over = (&mut self.accepting).await;
    }

    /// Moves on, never back.
    fn advance(&self, to: Phase, deadline: Option<Instant>) {
        self.asking.send_if_modified(|asked| {
            let further = asked.phase < to;
            if further {
                *asked = Asked {
                    phase: to,
                    deadline,
                };
            }
            further
        });
    }
}

impl<A> Drop for Server<A> {
    fn drop(&mut self) {
        self.advance(Phase::Stopping, None);
    }
}
