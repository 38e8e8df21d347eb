//! Accepting connections over TCP.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::connection::{Config, Connection};
use crate::error::describe;
use crate::implementations::Implementations;

/// How long to wait after accepting failed for want of resources: file descriptors come back
/// only when connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type MakeState<S> = dyn Fn(SocketAddr, &Connection) -> S + Send + Sync;

/// Collects what a server needs. Made by [`Server::builder`].
pub struct Builder<S> {
    implementations: Implementations<S>,
    config: Config,
    state: Arc<MakeState<S>>,
}

/// A running server: accepts connections and answers their queries.
///
/// Dropping it stops it as [`shutdown`](Self::shutdown) does, without waiting.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    stop: watch::Sender<bool>,
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
        }
    }

    /// The address that the server listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops accepting, closes every connection, and waits until they are over.
    ///
    /// # Cancel safety
    /// Once polled, everything is closed even if the future is dropped.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // A panic of the accepting task is its own report.
        let _over = (&mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl<S: Send + Sync + 'static> Builder<S> {
    /// How connections behave. The two addresses are added to the description.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Starts accepting. Must be called within a tokio runtime.
    ///
    /// Failed handshakes are logged and concern nobody else; running out of file descriptors
    /// pauses accepting.
    ///
    /// # Errors
    /// The listener cannot tell its address.
    pub fn serve(self, listener: TcpListener) -> io::Result<Server> {
        let local_addr = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, self, stopped));
        Ok(Server {
            local_addr,
            stop,
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

async fn accept<S: Send + Sync + 'static>(
    listener: TcpListener,
    builder: Builder<S>,
    mut stopped: watch::Receiver<bool>,
) {
    let builder = Arc::new(builder);
    let mut connections = JoinSet::new();
    let told = stopped.clone();
    loop {
        tokio::select! {
            // Nothing is lost with the others: accepting is cancel safe, and ended connections
            // are collected by the next round.
            _ = stop_asked(&mut stopped) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve(stream, peer, builder.clone(), told.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting failed");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve<S: Send + Sync + 'static>(
    stream: TcpStream,
    peer: SocketAddr,
    builder: Arc<Builder<S>>,
    mut stopped: watch::Receiver<bool>,
) {
    let local = stream.local_addr();
    let local = local.map_or_else(|_| "unknown address".to_owned(), |addr| addr.to_string());
    let description = format!("TCP server {local} serving {peer}");
    let config = builder
        .config
        .clone()
        .described(description.clone(), &description);
    // Messages are batched by us; waiting for more would only delay them.
    let nodelay = stream.set_nodelay(true);
    let state = |connection: &Connection| (builder.state)(peer, connection);
    let create = async {
        nodelay.ok()?;
        let created = Connection::serve(stream, config, &builder.implementations, state).await;
        created
            .inspect_err(|error| tracing::info!(%peer, error = describe(error), "no connection"))
            .ok()
    };
    let connection = tokio::select! {
        // A handshake that is cut short leaves nothing behind but its socket, which closes.
        _ = stop_asked(&mut stopped) => return,
        connection = create => connection,
    };
    let Some(connection) = connection else { return };
    tokio::select! {
        // Waiting for the end is cancel safe.
        _ = connection.closed() => return,
        _ = stop_asked(&mut stopped) => connection.close_with_reason("server is shutting down"),
    }
    connection.closed().await;
}

/// Ready once the server is to stop, or is gone.
async fn stop_asked(stopped: &mut watch::Receiver<bool>) {
    let _asked = stopped.wait_for(|stop| *stop).await;
}
