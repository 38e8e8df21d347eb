//! The handshake, as pure functions and a state machine: header, negotiation, connection metadata.
//!
//! ```text
//!   ours                                  peer's
//!   header frame ─────────►      ◄─────── header frame        both at once
//!                negotiate: the highest common version
//!   (from version 3)
//!   metadata ─────────────►      ◄─────── metadata            both at once
//! ```
//!
//! [`AwaitingHeader`] leads one side through these steps. Who waits how long, and what becomes of
//! the transport, is not decided here.
//!
//! ```
//! use rpc_wire::Header;
//! use rpc_wire::handshake::{AwaitingHeader, Negotiated, PeerMetadata};
//!
//! let nothing = PeerMetadata::default();
//! let ours = AwaitingHeader::new(Header::default(), &nothing);
//! assert_eq!(bin_prot::to_vec(ours.header())?[..6], *b"\x0c\xfdRPC\0");
//!
//! // The peer speaks versions 1 and 2, where no metadata follows.
//! let Negotiated::Complete(agreement) = ours.receive(b"\x03\xfdRPC\0\x01\x02")? else {
//!     unreachable!()
//! };
//! assert_eq!(agreement.version.number(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod exchange;
mod foreign;
mod header;
mod negotiation;

use bin_prot::{BinRead, OrNull, ReadError, Reader};
use bytes::Bytes;
use thiserror::Error;

use crate::ProtocolVersion;
use crate::{CloseReason, Menu, MenuError, Message, MessageKind, Metadata, MetadataV2};

pub use exchange::{Agreement, AwaitingHeader, AwaitingMetadata, HeaderFailure, Negotiated};
pub use foreign::{FirstFrameError, Foreign};
pub use header::{Header, HeaderError, MAX_ENTRIES, OtherProtocol, begins_header};
pub use negotiation::{NegotiationError, negotiate};

/// What one side tells of itself, in either wire form: [`Metadata`] or [`MetadataV2`].
///
/// ```
/// use rpc_wire::ProtocolVersion;
/// use rpc_wire::handshake::PeerMetadata;
///
/// let me = PeerMetadata { identification: Some("me".into()), menu: None };
/// let body = |version| {
///     let version = ProtocolVersion::new(version).expect("1 to 11");
///     me.to_message(version).map(|message| bin_prot::to_vec(&message))
/// };
/// assert_eq!(body(2), None);
/// assert_eq!(body(3), Some(Ok(b"\x04\x01\x02me\x00".to_vec())));
/// assert_eq!(body(6), Some(Ok(b"\x07\x01\x02me\x00".to_vec())));
/// assert_eq!(PeerMetadata::decode(b"\x07\x01\x02me\x00")?, me);
/// # Ok::<(), rpc_wire::handshake::MetadataError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerMetadata {
    /// Opaque bytes by which it introduces itself.
    pub identification: Option<Bytes>,
    /// What it implements; absent when it answers menu queries in its own way.
    pub menu: Option<Menu>,
}

impl PeerMetadata {
    /// The message for a peer at `version`; `None` where no metadata is exchanged.
    pub fn to_message(&self, version: ProtocolVersion) -> Option<Message<'static>> {
        let identification = OrNull(self.identification.clone());
        if version.has_metadata_v2() {
            Some(Message::MetadataV2(MetadataV2 {
                identification,
                menu: OrNull(self.menu.as_ref().map(Menu::to_v3)),
            }))
        } else if version.has_connection_metadata() {
            Some(Message::Metadata(Metadata {
                identification,
                menu: OrNull(self.menu.as_ref().map(Menu::to_v2)),
            }))
        } else {
            None
        }
    }

    /// Reads the frame that follows the header, from version 3. Either form is accepted at any
    /// version (rule C-HS-7), and it has to be consumed exactly (rule C-HS-12).
    ///
    /// # Errors
    /// See [`MetadataError`].
    pub fn decode(body: &[u8]) -> Result<Self, MetadataError> {
        let mut reader = Reader::new(body);
        let message = Message::bin_read(&mut reader)?;
        reader.finish()?;
        let (identification, menu) = match message {
            Message::Query(_)
            | Message::Response(_)
            | Message::Heartbeat
            | Message::CloseStarted => {
                return Err(MetadataError::Unexpected(message.kind()));
            }
            Message::CloseReason(info) | Message::CloseReasonDuplicated(info) => {
                return Err(MetadataError::Closed(Box::new(info.into())));
            }
            Message::CloseReasonV2(reason) => {
                return Err(MetadataError::Closed(Box::new((*reason).into())));
            }
            Message::Metadata(Metadata {
                identification,
                menu,
            }) => (identification, menu.0.map(Menu::with_digests)),
            Message::MetadataV2(MetadataV2 {
                identification,
                menu,
            }) => (identification, menu.0.map(Menu::from_v3)),
        };
        Ok(Self {
            identification: identification.0,
            menu: menu.transpose()?,
        })
    }
}

/// Why the frame after the header is no connection metadata.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// It cannot be read, or goes on after the message.
    #[error("unreadable connection metadata")]
    Unreadable(#[from] ReadError),
    /// Its menu breaks the rules.
    #[error("unacceptable menu in the connection metadata")]
    Menu(#[from] MenuError),
    /// It is another message.
    #[error("expected connection metadata, found a {0}")]
    Unexpected(MessageKind),
    /// The peer refused and told why (decision 19).
    #[error("peer closed the connection: {0}")]
    Closed(Box<CloseReason>),
}
