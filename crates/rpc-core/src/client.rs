//! Connecting over TCP.

use std::fmt;
use std::io;

use thiserror::Error;
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::time::{Instant, timeout_at};

use crate::connection::{Config, Connection, HandshakeError, after};
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
#[derive(Clone, Debug, Default)]
pub struct Client {
    config: Config,
}

/// Why there is no connection to a server.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No TCP connection to any of the addresses.
    #[error("cannot connect to {address}")]
    Connect {
        /// The address as it was given.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// There was one, but its other end does not agree.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
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

    /// Connects to the first address that answers. This side implements nothing.
    ///
    /// [`Config::handshake_timeout`] limits connecting and each step of the handshake together:
    /// what connecting used up is missing afterwards (rule C-HS-22).
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
        let timeout = self.config.handshake_timeout;
        let deadline = after(timeout);
        let stream = timeout_at(deadline, TcpStream::connect(address))
            .await
            .unwrap_or_else(|elapsed| Err(elapsed.into()))
            .map_err(failed)?;
        refuse_itself(&stream).map_err(failed)?;
        // Messages are batched by us; waiting for more would only delay them.
        stream.set_nodelay(true).map_err(failed)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let config = self.config.clone().handshake_timeout(left).described(
            format!("Client connected via TCP to {name}"),
            &format!("via TCP {name}"),
        );
        Ok(Connection::serve(stream, config, implementations, state).await?)
    }
}

/// Connecting to a local port on which nobody listens can end up at its own socket, when the
/// system happens to choose that very port for our end. The handshake would succeed.
fn refuse_itself(stream: &TcpStream) -> io::Result<()> {
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(())
}
