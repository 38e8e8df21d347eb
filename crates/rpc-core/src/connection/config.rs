//! Every knob of a connection.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use rpc_wire::{Header, ProtocolVersion, frame};

use super::heartbeat;

/// How a connection behaves. Plain data; the defaults are the reference's.
///
/// ```
/// use std::time::Duration;
/// use rpc_core::connection::Config;
///
/// let config = Config::default()
///     .description("prices, from the exchange")
///     .handshake_timeout(Duration::from_secs(5));
/// # let _ = config;
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) description: String,
    pub(crate) versions: RangeInclusive<ProtocolVersion>,
    pub(crate) identification: Option<Bytes>,
    pub(crate) provide_shapes: bool,
    pub(crate) handshake_timeout: Duration,
    pub(crate) heartbeat: heartbeat::Config,
    pub(crate) max_message_size: usize,
    pub(crate) flush_timeout: Duration,
    pub(crate) reader_drain_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            description: "<created-directly>".to_owned(),
            versions: ProtocolVersion::MIN..=ProtocolVersion::MAX,
            identification: None,
            provide_shapes: false,
            handshake_timeout: Duration::from_secs(30),
            heartbeat: heartbeat::Config::default(),
            max_message_size: frame::DEFAULT_LIMIT,
            flush_timeout: Duration::from_secs(5),
            reader_drain_timeout: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// What the connection is called in errors and logs on this side. Default
    /// `<created-directly>`; [`Client`](crate::Client) and [`Server`](crate::Server) replace that
    /// by the addresses.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// The wire versions to offer. Default: all. The highest that both sides offer is used.
    #[must_use]
    pub fn versions(mut self, versions: RangeInclusive<ProtocolVersion>) -> Self {
        self.versions = versions;
        self
    }

    /// Opaque bytes by which this side introduces itself, from version 3. Default: none.
    #[must_use]
    pub fn identification(mut self, identification: impl Into<Bytes>) -> Self {
        self.identification = Some(identification.into());
        self
    }

    /// Whether the menu that this side offers carries the digests of its RPCs' types. Default:
    /// no; they make the handshake longer by up to 64 bytes for each RPC.
    #[must_use]
    pub fn provide_shapes(mut self, provide: bool) -> Self {
        self.provide_shapes = provide;
        self
    }

    /// How long each of the two steps of the handshake may wait for the peer. Default 30 s
    /// (rule C-HS-20).
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// When heartbeats are sent, and when a silent peer is given up.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: heartbeat::Config) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// The largest body of a message, in bytes, for reading and for writing. Default 100 MiB.
    /// A message above it is not sent; one that arrives ends the connection. The two sides'
    /// limits are independent. A large message takes that much memory, though never before its
    /// bytes have arrived.
    #[must_use]
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// How long closing may wait for what is in the output buffer to be taken by the transport.
    /// Default 5 s. What is then still unsent is lost.
    #[must_use]
    pub fn flush_timeout(mut self, timeout: Duration) -> Self {
        self.flush_timeout = timeout;
        self
    }

    /// How long to go on reading after the transport stopped taking our bytes, in the hope of
    /// learning the peer's close reason. Default 5 s (rule C-CL-30).
    #[must_use]
    pub fn reader_drain_timeout(mut self, timeout: Duration) -> Self {
        self.reader_drain_timeout = timeout;
        self
    }

    pub(crate) fn header(&self) -> Header {
        let offered = |version: &ProtocolVersion| self.versions.contains(version);
        Header::new(ProtocolVersion::all().filter(offered))
    }
}
