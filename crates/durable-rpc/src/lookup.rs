//! Where a server is: asked before every attempt to connect to it.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::endpoints::Endpoints;

/// Finds a server's address, each time anew: the place for discovering servers.
///
/// [`Endpoints`] are a list in the order of preference, [`Dns`] asks for a name; and so does any
/// function that results in a future.
pub trait Lookup: Send + Sync + 'static {
    /// What one connects to.
    type Address;
    /// Why there is none.
    type Error;

    /// The address for an attempt, after so many that have failed since the last connection.
    fn look_up(
        &self,
        failed_attempts: u64,
    ) -> impl Future<Output = Result<Self::Address, Self::Error>> + Send;
}

impl<F, Fut, A, E> Lookup for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<A, E>> + Send,
{
    type Address = A;
    type Error = E;

    fn look_up(&self, _: u64) -> impl Future<Output = Result<A, E>> + Send {
        self()
    }
}

/// The first one, and after each failure the next: once there has been a connection, the first one
/// again.
impl<A: Clone + Send + Sync + 'static> Lookup for Endpoints<A> {
    type Address = A;
    type Error = io::Error;

    async fn look_up(&self, failed_attempts: u64) -> Result<A, io::Error> {
        Ok(self.in_turn(failed_attempts).clone())
    }
}

/// Asks the system's resolver for a name, before every attempt. If it has several addresses, they
/// have their turns like [`Endpoints`].
#[derive(Clone, PartialEq, Eq)]
pub struct Dns {
    host: String,
    port: u16,
}

impl Dns {
    /// This port of this host.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }
}

impl Lookup for Dns {
    type Address = SocketAddr;
    type Error = io::Error;

    async fn look_up(&self, failed_attempts: u64) -> Result<SocketAddr, io::Error> {
        let found = tokio::net::lookup_host((&*self.host, self.port)).await?;
        let found = Endpoints::try_new(found).ok_or_else(|| {
            let text = format!("{} has no address", self.host);
            io::Error::new(io::ErrorKind::NotFound, text)
        })?;
        Ok(*found.in_turn(failed_attempts))
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dns({}:{})", self.host, self.port)
    }
}
