//! The message: what every frame after the handshake holds (*protocol* §5).

mod head;
pub(crate) mod query;
pub(crate) mod response;
pub mod stream;

use std::fmt;

use bin_prot::{BinRead, BinWrite, Info, ReadError, Reader, WriteError, variant};

use crate::{CloseReasonV2, Metadata, MetadataV2, Query, Response};

const CONSTRUCTORS: u16 = 13;

/// One message, borrowing names and payloads from its frame (*protocol* §5).
///
/// A receiver understands every message at every negotiated version; the version selects what is
/// sent (rule C-RD-4).
///
/// ```text
/// offset  width  meaning
///      0  1      the tag
///      1  …      the fields:
///                00 Heartbeat
///                01 Query_v1                 see Query
///                02 Response_v1              see Response
///                03 Query_v2                 see Query
///                04 Metadata                 see Metadata
///                05 Close_reason             an Info
///                06 Close_reason_duplicated  an Info
///                07 Metadata_v2              see MetadataV2
///                08 Response_v2              see Response
///                09 Query_v3                 see Query
///                0a Close_started
///                0b Close_reason_v2          see CloseReasonV2
///                0c Query_v4                 see Query
///
/// 05  01 03 62 79 65    Close_reason, the Info String "bye"
/// ```
///
/// ```
/// use rpc_wire::Message;
///
/// let message = Message::decode(b"\x05\x01\x03bye")?;
/// assert_eq!(message, Message::CloseReason("bye".into()));
/// assert_eq!(bin_prot::to_vec(&message)?, b"\x05\x01\x03bye");
/// assert_eq!(bin_prot::to_vec(&Message::Heartbeat)?, [0x00]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A sign of life. `00`
    Heartbeat,
    /// A query, an abort or a one-way message, in the form that its [`Envelope`](crate::Envelope) says.
    Query(Query<'a>),
    /// An answer to a query, or one item of a stream.
    Response(Response<'a>),
    /// Identification and menu, first form.
    Metadata(Metadata),
    /// Identification and menu, second form.
    MetadataV2(MetadataV2),
    /// Why the sender closes, as one value: versions 4 to 9.
    CloseReason(Info),
    /// The same under a second tag, from a historical slip. Accepted, never sent.
    CloseReasonDuplicated(Info),
    /// The sender takes no new queries and finishes the open ones.
    CloseStarted,
    /// Why the sender closes, structured: from version 10. Boxed, since it is more than twice as
    /// large as a query, and every message would be copied at that size.
    CloseReasonV2(Box<CloseReasonV2>),
}

/// A message's constructor, for errors and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// `Heartbeat`.
    Heartbeat,
    /// `Query_v1` to `Query_v4`.
    Query,
    /// `Response_v1` or `Response_v2`.
    Response,
    /// `Metadata` or `Metadata_v2`.
    Metadata,
    /// `Close_reason`, its duplicate, or `Close_reason_v2`.
    CloseReason,
    /// `Close_started`.
    CloseStarted,
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Heartbeat => "heartbeat",
            Self::Query => "query",
            Self::Response => "response",
            Self::Metadata => "connection metadata",
            Self::CloseReason => "close reason",
            Self::CloseStarted => "close started",
        })
    }
}

impl<'a> Message<'a> {
    /// Reads the message that a frame's body begins with. Bytes after it are tolerated: a later
    /// version may add fields (decision 17).
    ///
    /// # Errors
    /// The tag is unknown or a field malformed; an empty body is `Buffer_short` (decision 18). A
    /// malformed *payload* is no error here, see [`Data`](crate::Data).
    #[inline]
    pub fn decode(body: &'a [u8]) -> Result<Self, ReadError> {
        Self::bin_read(&mut Reader::new(body))
    }

    /// What kind of message this is.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Heartbeat => MessageKind::Heartbeat,
            Self::Query(_) => MessageKind::Query,
            Self::Response(_) => MessageKind::Response,
            Self::Metadata(_) | Self::MetadataV2(_) => MessageKind::Metadata,
            Self::CloseReason(_) | Self::CloseReasonDuplicated(_) | Self::CloseReasonV2(_) => {
                MessageKind::CloseReason
            }
            Self::CloseStarted => MessageKind::CloseStarted,
        }
    }
}

impl<'a> BinRead<'a> for Message<'a> {
    #[inline]
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        let tag = variant::read_tag(reader, CONSTRUCTORS)?;
        match tag {
            query::V1 | query::V2 | query::V3 | query::V4 => {
                Query::read_after_tag(tag, reader).map(Self::Query)
            }
            response::V1 | response::V2 => {
                Response::read_after_tag(tag, reader).map(Self::Response)
            }
            _ => Self::read_rare(tag, reader),
        }
    }
}

impl<'a> Message<'a> {
    /// Reads what follows the tag of a message that is neither query nor response. A function of
    /// its own, so that those two stay small enough to be inlined.
    #[cold]
    fn read_rare(tag: u8, reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        match tag {
            0x00 => Ok(Self::Heartbeat),
            0x04 => Metadata::bin_read(reader).map(Self::Metadata),
            0x05 => Info::bin_read(reader).map(Self::CloseReason),
            0x06 => Info::bin_read(reader).map(Self::CloseReasonDuplicated),
            0x07 => MetadataV2::bin_read(reader).map(Self::MetadataV2),
            0x0a => Ok(Self::CloseStarted),
            0x0b => {
                CloseReasonV2::bin_read(reader).map(|reason| Self::CloseReasonV2(Box::new(reason)))
            }
            _ => Err(variant::bad_tag(reader, tag.into(), CONSTRUCTORS)),
        }
    }
}

impl BinWrite for Message<'_> {
    fn bin_size(&self) -> usize {
        match self {
            Self::Heartbeat | Self::CloseStarted => 1,
            Self::Query(query) => query.bin_size(),
            Self::Response(response) => response.bin_size(),
            Self::Metadata(metadata) => 1 + metadata.bin_size(),
            Self::MetadataV2(metadata) => 1 + metadata.bin_size(),
            Self::CloseReason(info) | Self::CloseReasonDuplicated(info) => 1 + info.bin_size(),
            Self::CloseReasonV2(reason) => 1 + reason.bin_size(),
        }
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        let mut tagged = |tag: u8, fields: &dyn Fn(&mut Vec<u8>) -> Result<(), WriteError>| {
            buffer.push(tag);
            fields(buffer)
        };
        match self {
            Self::Heartbeat => tagged(0x00, &|_| Ok(())),
            Self::Query(query) => query.bin_write(buffer),
            Self::Response(response) => response.bin_write(buffer),
            Self::Metadata(metadata) => tagged(0x04, &|buffer| metadata.bin_write(buffer)),
            Self::CloseReason(info) => tagged(0x05, &|buffer| info.bin_write(buffer)),
            Self::CloseReasonDuplicated(info) => tagged(0x06, &|buffer| info.bin_write(buffer)),
            Self::MetadataV2(metadata) => tagged(0x07, &|buffer| metadata.bin_write(buffer)),
            Self::CloseStarted => tagged(0x0a, &|_| Ok(())),
            Self::CloseReasonV2(reason) => tagged(0x0b, &|buffer| reason.bin_write(buffer)),
        }
    }
}
