//! Round trips to a server, and what they amount to.

mod round_trips;

use std::time::Duration;

use rpc_core::{Client, ConnectError, Connection, DispatchError, ExpertRpc, MENU_RPC};
use rpc_wire::RpcError;
use tokio::time::{Instant, timeout};

pub(crate) use round_trips::{Micros, RoundTrips};

/// The encoding of the menu's query, which is a unit.
const UNIT: &[u8] = &[0];

/// A connection over which round trips are measured.
#[derive(Debug)]
pub(crate) struct Pinging {
    client: Client,
    address: String,
    timeout: Duration,
    connection: Connection,
    /// The time from the attempt to connect to the end of the handshake.
    pub(crate) handshake: Duration,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
    #[error("no connection")]
    Connect(#[source] Box<ConnectError>),
    #[error("no answer")]
    Dispatch(#[source] Box<DispatchError>),
}

impl Pinging {
    /// Connects to a server.
    ///
    /// # Errors
    /// There is no connection.
    pub(crate) async fn connect(
        client: Client,
        address: String,
        timeout: Duration,
    ) -> Result<Self, ConnectError> {
        let start = Instant::now();
        let connection = client.connect(&*address).await?;
        Ok(Self {
            client,
            address,
            timeout,
            connection,
            handshake: start.elapsed(),
        })
    }

    /// The connection as it is now.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Asks once, and results in the time until the answer was there.
    ///
    /// There is no query that every server implements, but every server answers: some close the
    /// connection after saying that there is no menu. The next round trip begins with a new one
    /// then, whose handshake does not count.
    ///
    /// # Errors
    /// See [`NoAnswer`].
    pub(crate) async fn round_trip(&mut self) -> Result<Duration, NoAnswer> {
        if self.connection.is_closed() {
            let connected = self.client.connect(&*self.address).await;
            self.connection = connected.map_err(|error| NoAnswer::Connect(Box::new(error)))?;
        }
        let start = Instant::now();
        let menu = ExpertRpc::from(MENU_RPC.description());
        let answer = timeout(self.timeout, menu.dispatch(&self.connection, UNIT)).await;
        let time = start.elapsed();
        match answer {
            Err(_) => Err(NoAnswer::Late(self.timeout)),
            Ok(Ok(_) | Err(DispatchError::Rpc(RpcError::UnimplementedRpc(..)))) => Ok(time),
            Ok(Err(error)) => Err(NoAnswer::Dispatch(Box::new(error))),
        }
    }
}
