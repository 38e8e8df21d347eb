//! Connecting to servers.

use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpSocket, TcpStream, ToSocketAddrs, lookup_host};
use tokio::time::{Instant, timeout_at};

use crate::connection::{Config, Connection, HandshakeError, Transport, after};
use crate::implementations::Implementations;

/// Makes connections to servers.
///
/// ```no_run
/// # // A server has to listen for this to run.
/// # async fn example() -> Result<(), rpc_core::ConnectError> {
/// let connection = rpc_core::Client::new().connect("127.0.0.1:8080").await?;
/// # drop(connection);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    config: Config,
    bind: Option<SocketAddr>,
    nodelay: bool,
    keepalive: Option<Duration>,
}

/// Why there is no connection to a server.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No connection to any of the addresses.
    #[error("cannot connect to {address}")]
    Connect {
        /// The address as it was given.
        address: String,
        /// Why not: what the last of several addresses had to say.
        source: io::Error,
    },
    /// There was one, but its other end does not agree.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

impl Default for Client {
    fn default() -> Self {
        Self {
            config: Config::default(),
            bind: None,
            nodelay: true,
            keepalive: None,
        }
    }
}

impl Client {
    /// A client with the default configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another configuration. The server's address is added to the description.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The local address of TCP connections; port 0 lets the system choose one. Servers' addresses
    /// of the other family are passed over. Default: the system chooses.
    #[must_use]
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.bind = Some(address);
        self
    }

    /// Whether small segments of TCP leave at once. Default: yes. Messages are batched before, so
    /// that waiting for more would only delay them.
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }

    /// After how much silence the system probes whether the other end of a TCP connection is
    /// there. Default: never, since heartbeats find out sooner, and whether it answers, too. Of
    /// use against routers that forget silent connections, when heartbeats are rare.
    #[must_use]
    pub fn keepalive(mut self, after: Duration) -> Self {
        self.keepalive = Some(after);
        self
    }

    /// Connects to the first address that answers. This side implements nothing.
    ///
    /// [`Config::handshake_timeout`] limits looking the name up, all of its addresses and each step
    /// of the handshake together: what connecting used up is missing afterwards (rule C-HS-22). Of
    /// the time that is left, each address gets its equal share, so that one that does not answer
    /// leaves time for the others.
    ///
    /// # Cancel safety
    /// Dropping the future closes the socket.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(
        &self,
        address: impl ToSocketAddrs + fmt::Debug,
    ) -> Result<Connection, ConnectError> {
        self.connect_serving(address, &Implementations::empty(), |_| ())
            .await
    }

    /// The same, answering the server's queries with `implementations`.
    ///
    /// # Cancel safety
    /// Dropping the future closes the socket.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect_serving<S: Send + Sync + 'static>(
        &self,
        address: impl ToSocketAddrs + fmt::Debug,
        implementations: &Implementations<S>,
        state: impl FnOnce(&Connection) -> S,
    ) -> Result<Connection, ConnectError> {
        let name = format!("{address:?}").trim_matches('"').to_owned();
        let failed = |source| ConnectError::Connect {
            address: name.clone(),
            source,
        };
        let deadline = after(self.config.handshake_timeout);
        let stream = self.connect_tcp(address, deadline).await.map_err(failed)?;
        let over = Over {
            transport: "TCP",
            name: &name,
            deadline,
        };
        self.shake_hands(stream, over, implementations, state).await
    }

    /// Connects to the Unix socket at this path. This side implements nothing. The time is limited
    /// as [above](Self::connect).
    ///
    /// # Cancel safety
    /// Dropping the future closes the socket.
    ///
    /// # Errors
    /// See [`ConnectError`].
    #[cfg(unix)]
    pub async fn connect_unix(&self, path: impl AsRef<Path>) -> Result<Connection, ConnectError> {
        self.connect_unix_serving(path, &Implementations::empty(), |_| ())
            .await
    }

    /// The same, answering the server's queries with `implementations`.
    ///
    /// # Cancel safety
    /// Dropping the future closes the socket.
    ///
    /// # Errors
    /// See [`ConnectError`].
    #[cfg(unix)]
    pub async fn connect_unix_serving<S: Send + Sync + 'static>(
        &self,
        path: impl AsRef<Path>,
        implementations: &Implementations<S>,
        state: impl FnOnce(&Connection) -> S,
    ) -> Result<Connection, ConnectError> {
        let name = path.as_ref().display().to_string();
        let deadline = after(self.config.handshake_timeout);
        let stream = timeout_at(deadline, UnixStream::connect(path))
            .await
            .unwrap_or_else(|elapsed| Err(elapsed.into()))
            .map_err(|source| ConnectError::Connect {
                address: name.clone(),
                source,
            })?;
        let over = Over {
            transport: "Unix",
            name: &name,
            deadline,
        };
        self.shake_hands(stream, over, implementations, state).await
    }

    async fn connect_tcp(
        &self,
        address: impl ToSocketAddrs,
        deadline: Instant,
    ) -> io::Result<TcpStream> {
        let found = timeout_at(deadline, lookup_host(address)).await??;
        let same_family = |address: &SocketAddr| {
            self.bind
                .is_none_or(|bind| bind.is_ipv4() == address.is_ipv4())
        };
        let addresses: Vec<_> = found.filter(same_family).collect();
        let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to");
        for (tried, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let others = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            let attempt = timeout_at(after(left / others), self.connect_to(*address));
            match attempt.await.unwrap_or_else(|elapsed| Err(elapsed.into())) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_to(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        if let Some(bind) = self.bind {
            socket.bind(bind)?;
        }
        let stream = socket.connect(address).await?;
        refuse_itself(&stream)?;
        stream.set_nodelay(self.nodelay)?;
        if let Some(after) = self.keepalive {
            let keepalive = TcpKeepalive::new().with_time(after);
            SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        }
        Ok(stream)
    }

    async fn shake_hands<S: Send + Sync + 'static>(
        &self,
        stream: impl Transport,
        over: Over<'_>,
        implementations: &Implementations<S>,
        state: impl FnOnce(&Connection) -> S,
    ) -> Result<Connection, ConnectError> {
        let Over {
            transport,
            name,
            deadline,
        } = over;
        let left = deadline.saturating_duration_since(Instant::now());
        let config = self.config.clone().handshake_timeout(left).described(
            format!("Client connected via {transport} to {name}"),
            &format!("via {transport} {name}"),
        );
        Ok(Connection::serve(stream, config, implementations, state).await?)
    }
}

/// What the server was reached by, and until when the next step of the handshake may wait.
struct Over<'a> {
    transport: &'a str,
    name: &'a str,
    deadline: Instant,
}

/// Connecting to a local port on which nobody listens can end up at its own socket, when the
/// system happens to choose that very port for our end. The handshake would succeed.
fn refuse_itself(stream: &TcpStream) -> io::Result<()> {
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(())
}
