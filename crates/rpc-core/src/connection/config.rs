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
    /// The user's words; the addresses are added by whoever knows them.
    pub(crate) description: Option<String>,
    pub(crate) versions: RangeInclusive<ProtocolVersion>,
    pub(crate) identification: Option<Bytes>,
    pub(crate) provide_shapes: bool,
    pub(crate) handshake_timeout: Duration,
    pub(crate) heartbeat: heartbeat::Config,
    pub(crate) max_message_size: usize,
    pub(crate) max_buffered_output: usize,
    pub(crate) max_metadata_bytes_per_key: usize,
    pub(crate) write_timeout: Duration,
    pub(crate) flush_timeout: Duration,
    pub(crate) reader_drain_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            description: None,
            versions: ProtocolVersion::MIN..=ProtocolVersion::MAX,
            identification: None,
            provide_shapes: false,
            handshake_timeout: Duration::from_secs(30),
            heartbeat: heartbeat::Config::default(),
            max_message_size: frame::DEFAULT_LIMIT,
            max_buffered_output: 256 * 1024 * 1024,
            max_metadata_bytes_per_key: 1024,
            write_timeout: Duration::from_secs(120),
            flush_timeout: Duration::from_secs(5),
            reader_drain_timeout: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// What the connection is called in errors and logs on this side. Default
    /// `<created-directly>`; [`Client`](crate::Client) and [`Server`](crate::Server) add the
    /// addresses (rule C-SK-4).
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
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

    /// How many bytes of queries and answers may wait for the peer to read what is before them.
    /// Default 256 MiB; ours, since the reference has no such limit. One message may pass it.
    /// Streams are not counted, since they wait by themselves, except what is written through a
    /// [`DirectStreamWriter`](crate::DirectStreamWriter), which does not.
    ///
    /// A peer that makes *answers* pile up beyond this is given up: the connection closes. A
    /// *query* of ours beyond it fails with
    /// [`OutputFull`](crate::DispatchError::OutputFull), and nothing closes.
    #[must_use]
    pub fn max_buffered_output(mut self, bytes: usize) -> Self {
        self.max_buffered_output = bytes;
        self
    }

    /// To how many bytes the metadata that goes with our queries is cut, for each key. Default
    /// 1024. Characters may be cut in two. What the peer sends is not cut.
    #[must_use]
    pub fn max_metadata_bytes_per_key(mut self, bytes: usize) -> Self {
        self.max_metadata_bytes_per_key = bytes;
        self
    }

    /// How long what was sent may wait for the transport to take it. Default 2 minutes. A peer
    /// that makes its oldest byte wait longer is given up: the connection closes (rule C-BP-7).
    ///
    /// Heartbeats usually find out sooner. They do not when the peer goes on sending, and does not
    /// read.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How long closing may wait for what is in the output buffer, and for what streams have
    /// ready, to be taken by the transport, unless the
    /// [close](super::Close::flush_timeout) says otherwise. Default 5 s. What is then still
    /// unsent is lost.
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

    /// The description of a connection whose transport is described by `transport`.
    pub(crate) fn described(mut self, transport: String) -> Self {
        self.description = Some(match self.description {
            Some(description) => format!("({description} {transport})"),
            None => transport,
        });
        self
    }

    pub(crate) fn text(&self) -> &str {
        self.description.as_deref().unwrap_or("<created-directly>")
    }

    pub(crate) fn header(&self) -> Header {
        let offered = |version: &ProtocolVersion| self.versions.contains(version);
        Header::new(ProtocolVersion::all().filter(offered))
    }
}
