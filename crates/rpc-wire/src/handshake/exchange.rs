//! The handshake of one side as a state machine: what to send, what to wait for, what comes next.
//!
//! ```text
//!                receive(header)              receive(metadata)
//! AwaitingHeader ───────────────► Negotiated ───┬─ AwaitingMetadata ──► Agreement
//!        └── receive_header(pre-shared) ──┘     └─ Complete(Agreement), versions 1 and 2
//! ```
//!
//! Each state is consumed by the frame that ends it, so no step can be taken twice or out of
//! order. Bodies of frames go in, values to send come out; when and how they travel is the
//! business of whoever owns the transport.

use thiserror::Error;

use super::{Header, HeaderError, MetadataError, NegotiationError, PeerMetadata, negotiate};
use crate::{Message, ProtocolVersion};

/// The first state: our [`header`](Self::header) is to be sent at once, without waiting for the
/// peer's (rule C-HS-1).
///
/// # Examples
///
/// Both sides of a handshake, with their frames handed over directly:
///
/// ```
/// use rpc_wire::Header;
/// use rpc_wire::handshake::{AwaitingHeader, Negotiated, PeerMetadata};
///
/// let nothing = PeerMetadata::default();
/// let client = AwaitingHeader::new(Header::default(), &nothing);
/// let server = AwaitingHeader::new(Header::default(), &nothing);
/// let from_client = bin_prot::to_vec(client.header())?;
/// let from_server = bin_prot::to_vec(server.header())?;
///
/// let Negotiated::AwaitingMetadata(client) = client.receive(&from_server)? else { panic!() };
/// let Negotiated::AwaitingMetadata(server) = server.receive(&from_client)? else { panic!() };
/// let from_server = bin_prot::to_vec(server.message())?;
/// assert_eq!(from_server, [0x07, 0x00, 0x00]);
///
/// let agreed = client.receive(&from_server)?;
/// assert_eq!(agreed.version.number(), 11);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is agreed before the peer's header was received"]
pub struct AwaitingHeader<'a> {
    ours: Header,
    metadata: &'a PeerMetadata,
}

/// What follows the exchange of headers.
#[derive(Clone, Debug)]
#[must_use = "metadata may have to be exchanged"]
pub enum Negotiated {
    /// Versions 1 and 2: the handshake is over (rule C-HS-4).
    Complete(Agreement),
    /// From version 3: metadata is exchanged.
    AwaitingMetadata(AwaitingMetadata),
}

/// The second state, from version 3: our [`message`](Self::message) is to be sent at once, without
/// waiting for the peer's (rule C-HS-5).
#[derive(Clone, Debug)]
#[must_use = "nothing is agreed before the peer's metadata was received"]
pub struct AwaitingMetadata {
    version: ProtocolVersion,
    message: Message<'static>,
}

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The version that selects what is sent.
    pub version: ProtocolVersion,
    /// What the peer told of itself; empty at versions 1 and 2.
    pub peer: PeerMetadata,
}

/// Why the peer's first frame led to no agreement: there are these two reasons (rules C-HF-4 and
/// C-HF-7). Nothing is sent to the peer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderFailure {
    /// It is no header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The two headers do not agree.
    #[error(transparent)]
    Negotiation(#[from] NegotiationError),
}

impl<'a> AwaitingHeader<'a> {
    /// The handshake of a side that sends `ours` first, and `metadata` to peers that know it.
    pub fn new(ours: Header, metadata: &'a PeerMetadata) -> Self {
        Self { ours, metadata }
    }

    /// What to send in our first frame.
    pub fn header(&self) -> &Header {
        &self.ours
    }

    /// Takes the body of the peer's first frame.
    ///
    /// # Errors
    /// It is no header, or names another protocol or no common version.
    pub fn receive(self, body: &[u8]) -> Result<Negotiated, HeaderFailure> {
        let peers = Header::decode(body)?;
        Ok(self.receive_header(&peers)?)
    }

    /// Takes the peer's header by other means than a frame: headers that both sides know
    /// beforehand are not exchanged, and [`header`](Self::header) is not sent (rule C-HS-11).
    ///
    /// # Errors
    /// The two headers do not agree.
    pub fn receive_header(self, peers: &Header) -> Result<Negotiated, NegotiationError> {
        let version = negotiate(&self.ours, peers)?;
        Ok(match self.metadata.to_message(version) {
            Some(message) => Negotiated::AwaitingMetadata(AwaitingMetadata { version, message }),
            None => Negotiated::Complete(Agreement {
                version,
                peer: PeerMetadata::default(),
            }),
        })
    }
}

impl Negotiated {
    /// The version agreed on.
    pub fn version(&self) -> ProtocolVersion {
        match self {
            Self::Complete(agreement) => agreement.version,
            Self::AwaitingMetadata(next) => next.version,
        }
    }
}

impl AwaitingMetadata {
    /// The version agreed on: what a close reason may use if the peer is refused.
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// What to send in our second frame.
    pub fn message(&self) -> &Message<'static> {
        &self.message
    }

    /// Takes the body of the peer's second frame.
    ///
    /// # Errors
    /// It is no connection metadata, or the peer refused us.
    pub fn receive(self, body: &[u8]) -> Result<Agreement, MetadataError> {
        Ok(Agreement {
            version: self.version,
            peer: PeerMetadata::decode(body)?,
        })
    }
}
