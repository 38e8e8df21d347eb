//! Where a server's connections come from: TCP, Unix sockets, or whatever a program accepts on.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use crate::connection::Transport;

/// Something that connections can be accepted on.
///
/// Built in are [`TcpListener`] and [`UnixListener`]; another one, for TLS or for tests, is a type
/// of the program's.
pub trait Listener: Send + 'static {
    /// What an accepted connection reads and writes.
    type Io: Transport;
    /// What is known of a client before it has said anything.
    type Peer: Clone + fmt::Debug + Send + Sync + 'static;
    /// The listener's own address.
    type Address: Send + Sync + 'static;

    /// Waits for the next client.
    ///
    /// # Cancel safety
    /// Dropping the future must lose no client.
    ///
    /// # Errors
    /// Whatever the system says. The server goes on: at once if the error is of the one
    /// connection, else after a pause.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Self::Peer)>> + Send;

    /// The listener's own address.
    ///
    /// # Errors
    /// It is not known.
    fn address(&self) -> io::Result<Self::Address>;

    /// How a connection is described on the server's side (rule C-SK-4).
    fn describe(io: &Self::Io, peer: &Self::Peer) -> String;

    /// Who the client is as far as
    /// [`max_connections_per_address`](crate::ServerBuilder::max_connections_per_address) is
    /// concerned; nobody's connections are counted if there is no answer.
    fn origin(peer: &Self::Peer) -> Option<Origin>;
}

/// Whose connections are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// Those from an address, whatever the port.
    Address(IpAddr),
    /// Those of a user of this machine.
    User(u32),
}

impl Listener for TcpListener {
    type Io = TcpStream;
    type Peer = SocketAddr;
    type Address = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = Self::accept(self).await?;
        // Messages are batched by us; waiting for more would only delay them. A connection that
        // has failed already will say so when it is used.
        let _set = stream.set_nodelay(true);
        Ok((stream, peer))
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn describe(io: &TcpStream, peer: &SocketAddr) -> String {
        let local = io.local_addr();
        let local = local.map_or_else(|_| "unknown address".to_owned(), |addr| addr.to_string());
        format!("TCP server {local} serving {peer}")
    }

    fn origin(peer: &SocketAddr) -> Option<Origin> {
        Some(Origin::Address(peer.ip().to_canonical()))
    }
}

/// Which process is at the other end of a Unix socket, by the system's word.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnixPeer {
    /// The user it runs as.
    pub user: u32,
    /// The group it runs as.
    pub group: u32,
    /// Its number, where the system tells.
    pub process: Option<i32>,
}

#[cfg(unix)]
impl fmt::Display for UnixPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process {
            Some(process) => write!(f, "process {process} of user {}", self.user),
            None => write!(f, "user {}", self.user),
        }
    }
}

#[cfg(unix)]
impl Listener for UnixListener {
    type Io = UnixStream;
    type Peer = UnixPeer;
    type Address = tokio::net::unix::SocketAddr;

    async fn accept(&mut self) -> io::Result<(UnixStream, UnixPeer)> {
        let (stream, _unnamed) = Self::accept(self).await?;
        let credentials = stream.peer_cred()?;
        let peer = UnixPeer {
            user: credentials.uid(),
            group: credentials.gid(),
            process: credentials.pid(),
        };
        Ok((stream, peer))
    }

    fn address(&self) -> io::Result<Self::Address> {
        self.local_addr()
    }

    fn describe(io: &UnixStream, peer: &UnixPeer) -> String {
        let local = io.local_addr();
        let local = local.ok().and_then(|address| {
            let path = address.as_pathname()?;
            Some(path.display().to_string())
        });
        let local = local.unwrap_or_else(|| "without a path".to_owned());
        format!("Unix server {local} serving {peer}")
    }

    fn origin(peer: &UnixPeer) -> Option<Origin> {
        Some(Origin::User(peer.user))
    }
}
