//! Accepting connections over TCP.

mod accepting;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::connection::{Config, Connection, HandshakeError};
use crate::implementation::BoxFuture;
use crate::implementations::Implementations;
use accepting::accept;

type MakeState<S> = dyn Fn(SocketAddr, &Connection) -> S + Send + Sync;
type Admission = dyn Fn(SocketAddr) -> BoxFuture<bool> + Send + Sync;
type OnHandshakeError = dyn Fn(SocketAddr, &HandshakeError) + Send + Sync;

/// Collects what a server needs. Made by [`Server::builder`].
pub struct Builder<S> {
    implementations: Implementations<S>,
    config: Config,
    state: Arc<MakeState<S>>,
    max_connections: Option<NonZeroUsize>,
    admission: Option<Box<Admission>>,
    on_handshake_error: Option<Box<OnHandshakeError>>,
}

/// What a server has been asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Accepting,
    /// Serves the connections that it has.
    Serving,
    /// Closes them.
    Stopping,
}

/// A running server: accepts connections and answers their queries.
///
/// Dropping it stops it as [`shutdown`](Self::shutdown) does, without waiting.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    phase: watch::Sender<Phase>,
    /// Whether the listener is open.
    listening: watch::Receiver<bool>,
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
        Builder {
            implementations,
            config: Config::default(),
            state: Arc::new(state),
            max_connections: None,
            admission: None,
            on_handshake_error: None,
        }
    }

    /// The address that the server listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops accepting: connections that are there live on, and new ones are refused by the
    /// system. Returns when that is so.
    ///
    /// # Cancel safety
    /// Once polled, the server stops accepting even if the future is dropped.
    pub async fn stop_accepting(&self) {
        self.advance(Phase::Serving);
        let mut listening = self.listening.clone();
        // An error is the end of the accepting task, and with it of the listener.
        let _closed = listening.wait_for(|open| !open).await;
    }

    /// Stops accepting, closes every connection, and waits until they are over.
    ///
    /// # Cancel safety
    /// Once polled, everything is closed even if the future is dropped.
    pub async fn shutdown(mut self) {
        self.advance(Phase::Stopping);
        // A panic of the accepting task is its own report.
        let _over = (&mut self.accepting).await;
    }

    /// Moves on, never back.
    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let further = *phase < to;
            *phase = to.max(*phase);
            further
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.advance(Phase::Stopping);
    }
}

impl<S: Send + Sync + 'static> Builder<S> {
    /// How connections behave. The two addresses are added to the description.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The most connections that are served at once, those whose handshake has not ended included.
    /// Default: any number. Further ones wait in the system's backlog until another one has ended;
    /// meanwhile their handshake may time out on the client's side (rule C-SK-3).
    #[must_use]
    pub fn max_connections(mut self, most: NonZeroUsize) -> Self {
        self.max_connections = Some(most);
        self
    }

    /// Decides by its address whether a client is accepted; one that is not sees the end of its
    /// connection, without a byte (rule C-SK-1). Default: everybody is.
    ///
    /// A client that nothing has been decided about counts as a connection. A panic is a refusal.
    #[must_use]
    pub fn accept_if<Fut>(
        mut self,
        admit: impl Fn(SocketAddr) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.admission = Some(Box::new(move |peer| Box::pin(admit(peer))));
        self
    }

    /// Gets every error of a handshake, with the client's address, in place of the log
    /// (rule C-SK-2). Default: they are logged, and nothing else.
    #[must_use]
    pub fn on_handshake_error(
        mut self,
        on_error: impl Fn(SocketAddr, &HandshakeError) + Send + Sync + 'static,
    ) -> Self {
        self.on_handshake_error = Some(Box::new(on_error));
        self
    }

    /// Starts accepting. Must be called within a tokio runtime.
    ///
    /// Failed handshakes concern nobody else; running out of file descriptors pauses accepting.
    ///
    /// # Errors
    /// The listener cannot tell its address.
    pub fn serve(self, listener: TcpListener) -> io::Result<Server> {
        let local_addr = listener.local_addr()?;
        let (phase, asked) = watch::channel(Phase::Accepting);
        let (open, listening) = watch::channel(true);
        let accepting = tokio::spawn(accept(listener, self, asked, open));
        Ok(Server {
            local_addr,
            phase,
            listening,
            accepting,
        })
    }
}

impl<S> fmt::Debug for Builder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("implementations", &self.implementations)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
