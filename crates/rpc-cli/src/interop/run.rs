//! The client's connections to the server under test.

use std::ops::RangeInclusive;
use std::time::Duration;

use rpc_core::connection::{Config, heartbeat};
use rpc_core::{Client, ConnectError, Connection};
use rpc_versioned::ConnectionWithMenu;
use rpc_wire::ProtocolVersion;
use tokio::net::TcpStream;

use super::check::{Failure, Outcome, within};
use super::prices::PriceVersions;
use super::tap::{Seen, Tap};
use crate::environment;

/// How often both ends send heartbeats. The other end may have a short timeout, so that its own
/// heartbeat case is quick; the recorded ones sent one every 300 ms.
pub(crate) const HEARTBEAT_EVERY: Duration = Duration::from_millis(100);

/// The configuration of both ends; without versions they offer all that the environment lets them.
pub(crate) fn config(wire: Option<RangeInclusive<ProtocolVersion>>) -> Config {
    let heartbeat = heartbeat::Config::default().send_every(HEARTBEAT_EVERY);
    let config = environment::config().heartbeat(heartbeat);
    match wire {
        Some(versions) => config.versions(versions),
        None => config,
    }
}

/// Whom the cases are run against, and how.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// HOST:PORT.
    pub(crate) address: String,
    /// The versions to offer, if not all.
    pub(crate) wire: Option<RangeInclusive<ProtocolVersion>>,
    /// How to introduce ourselves.
    pub(crate) identification: String,
    /// The version that has to be negotiated.
    pub(crate) expect_wire: Option<ProtocolVersion>,
    /// The versions of `price` that the server has to have.
    pub(crate) price: PriceVersions,
}

impl Target {
    /// The configuration of every connection.
    pub(crate) fn config(&self) -> Config {
        config(self.wire.clone()).identification(self.identification.clone())
    }

    /// A new connection, configured otherwise.
    pub(crate) async fn connect_with(&self, config: Config) -> Outcome<Connection> {
        let connection = Client::new().config(config).connect(&self.address).await?;
        self.check_version(connection.version())?;
        Ok(connection)
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Outcome<Connection> {
        self.connect_with(self.config()).await
    }

    /// A new connection whose bytes can be seen.
    pub(super) async fn connect_tapped(&self) -> Outcome<(Connection, Seen)> {
        let connected = TcpStream::connect(&self.address).await;
        let transport = connected.map_err(|source| ConnectError::Connect {
            address: self.address.clone(),
            source,
        })?;
        let (transport, seen) = Tap::new(transport);
        let connection = Connection::create(transport, self.config()).await;
        let connection = connection.map_err(ConnectError::from)?;
        self.check_version(connection.version())?;
        Ok((connection, seen))
    }

    /// Whether this version may have been negotiated.
    fn check_version(&self, negotiated: ProtocolVersion) -> Outcome {
        match self.expect_wire {
            Some(expected) if expected != negotiated => Err(Failure::WireVersion {
                negotiated,
                expected,
            }),
            _ => Ok(()),
        }
    }
}

/// A run of the suite: what its cases share.
#[derive(Debug)]
pub(crate) struct Run {
    /// For connections of a case's own.
    pub(crate) target: Target,
    connection: Option<Connection>,
}

impl Run {
    /// A run that has not connected yet.
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            connection: None,
        }
    }

    /// The connection that the cases share; a new one if the last one has ended.
    pub(crate) async fn connection(&mut self) -> Outcome<Connection> {
        match &self.connection {
            Some(connection) if !connection.is_closed() => Ok(connection.clone()),
            _ => {
                let connection = self.target.connect().await?;
                Ok(self.connection.insert(connection).clone())
            }
        }
    }

    /// Whether the server implements an RPC of this name, in whichever version.
    pub(crate) async fn is_offered(&mut self, name: &str) -> Outcome<bool> {
        let connection = self.connection().await?;
        let connection = within("menu", ConnectionWithMenu::request(connection)).await??;
        Ok(connection.menu().has_name(name.as_bytes()))
    }

    /// Takes another connection for what follows.
    pub(crate) fn forget_connection(&mut self) {
        self.connection = None;
    }
}
