//! Every byte that two Async_rpc peers exchange, in wire versions 1 to 11; no I/O, no clock.
//!
//! ```text
//!   stream of bytes      frame      8-byte length, then that many bytes
//!     first frame        handshake  the versions a peer speaks; the highest common one is used
//!     second frame       handshake  from version 3: identification and menu
//!     all others         Message    heartbeat, query, response, close reason …
//!       data of a query or response:  length, then the user's value
//!         of a stream:   stream     query or abort; update or end
//! ```
//!
//! Decoding borrows from the frame, or shares it ([`OwnedMessage`]); encoding appends to a
//! buffer, with the exact size known before the first byte. The types keep what was sent, an
//! unsorted menu included: what was decoded encodes to the same bytes again, unless the sender
//! wrote a number in a longer form than needed, which no known implementation does.
//!
//! # Decoding a capture
//!
//! Both directions of a connection, with names found and responses matched to their queries:
//!
//! ```
//! use rpc_wire::conversation::{Content, Conversation, Direction};
//!
//! # let header = [7, 0, 0, 0, 0, 0, 0, 0, 2, 0xfd, b'R', b'P', b'C', 0, 1];
//! # let client = [&header[..], b"\x0f\0\0\0\0\0\0\0\x01\x04echo\x01\x01\x06\x05hello"].concat();
//! # let server = [&header[..], b"\x0a\0\0\0\0\0\0\0\x02\x01\0\x06\x05hello"].concat();
//! # let mut lines = Vec::new();
//! let mut conversation = Conversation::default();
//! for (direction, bytes) in [(Direction::FromClient, client), (Direction::FromServer, server)] {
//!     conversation.feed(direction, &bytes);
//!     conversation.end(direction);
//! }
//! while let Some(event) = conversation.next_event() {
//!     match event?.content {
//!         Content::Query(query) => println!("{}: {:?}", query.rpc, query.payload),
//!         Content::Response(response) => println!("{:?}: {:?}", response.query, response.item),
//!         other => println!("{other:?}"),
//!     }
//! #   lines.push(());
//! }
//! # assert_eq!(lines.len(), 5);
//! # Ok::<(), rpc_wire::conversation::Error>(())
//! ```
//!
//! One direction alone, message by message:
//!
//! ```
//! use rpc_wire::{Header, Message, frame};
//!
//! # let mut capture = vec![7, 0, 0, 0, 0, 0, 0, 0, 2, 0xfd, 0x52, 0x50, 0x43, 0, 1];
//! # capture.extend([1, 0, 0, 0, 0, 0, 0, 0, 0]);
//! let mut frames = frame::Frames::new(&capture, frame::DEFAULT_LIMIT);
//! let header = Header::decode(frames.next().expect("a header")?)?;
//! assert_eq!(header.versions().collect::<Vec<_>>(), [1]);
//! for body in frames {
//!     let message = Message::decode(body?)?;
//!     assert_eq!(message, Message::Heartbeat);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to find what
//!
//! | Of *protocol* | Here |
//! |---|---|
//! | §1 frames | [`frame`] |
//! | §2 header, negotiation | [`Header`], [`handshake`] |
//! | §3 versions and features | [`ProtocolVersion`] |
//! | §5 messages | [`Message`], [`Query`], [`Response`] |
//! | §6 payloads | [`Data`] |
//! | §7 errors, and what old peers get | [`RpcError`] |
//! | §8 streams | [`stream`] |
//! | §9 connection metadata, menus | [`Metadata`], [`MetadataV2`], [`Menu`] |
//! | §10 query metadata | [`QueryMetadata`], [`KeyedMetadata`] |
//! | §11 ids, ranks, menu indices | [`QueryId`], [`Specifier`], [`ResponseForm`] |
//! | §12 the menu RPCs | [`menu_rpc`], [`RpcShapes`] |
//! | §13 closing | [`CloseReason`], [`CloseReasonV2`] |
//!
//! The encoding of the values inside, integers and strings among them, is `bin_prot`'s.
//!
//! Names of pages such as *protocol*, and rules such as C-RD-2 (of the page *connection*), are those
//! of `docs/spec` in the repository, where *decisions* overrides the others.
//!
//! # Features
//!
//! None is on by default, and none changes what the rest does.
//!
//! - `tokio-codec`: the module `codec`, frames and messages for `tokio_util::codec`.
#![forbid(unsafe_code)]
#![warn(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

mod close_reason;
#[cfg(feature = "tokio-codec")]
pub mod codec;
mod connection_metadata;
pub mod conversation;
mod data;
mod description;
pub mod frame;
pub mod handshake;
mod menu;
pub mod menu_rpc;
mod message;
mod owned;
mod protocol_version;
mod query_id;
mod query_metadata;
mod rpc_error;

pub use close_reason::{CloseReason, CloseReasonKind, CloseReasonV2, UnknownKind};
pub use connection_metadata::{MenuV3, Metadata, MetadataV2};
pub use data::{Data, Overlong};
pub use description::{Description, DescriptionRef};
#[doc(inline)]
pub use handshake::Header;
pub use menu::{InconsistentMenus, Menu, MenuEntry, MenuError, RpcDigests, ShapeDigest};
#[doc(inline)]
pub use menu_rpc::RpcShapes;
pub use message::query::{Envelope, Query, QueryHeader, Specifier};
pub use message::response::{Response, ResponseForm, ResponseHeader};
pub use message::stream;
pub use message::{Message, MessageKind};
pub use owned::{OwnedData, OwnedMessage, OwnedQuery, OwnedResponse};
pub use protocol_version::ProtocolVersion;
pub use query_id::QueryId;
pub use query_metadata::{DEFAULT_KEY, KeyedMetadata, QueryMetadata};
pub use rpc_error::{RpcError, UnimplementedVersion};
