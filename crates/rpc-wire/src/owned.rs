//! Messages that own their frame: names and payloads are slices of it, nothing is copied.
//!
//! [`Message`] borrows from a buffer and is the form for reading in place. Where a message outlives
//! the buffer (it is queued, handed to a task, passed on by a proxy), [`OwnedMessage`] keeps the
//! parts as [`Bytes`]: each one a reference to the frame, which is freed with the last of them.
//!
//! ```text
//! frame body   0c 01 00 01 00 06 05 68 65 6c 6c 6f
//! OwnedQuery   ├──── head ──┤    ├──── payload ──┤     two references, no copy
//! ```

use bin_prot::{BinRead, BinWrite, Info, ReadError, Reader, WriteError};
use bytes::Bytes;

use crate::{
    CloseReasonV2, Data, Message, Metadata, MetadataV2, Overlong, Query, QueryHeader, QueryId,
    Response, ResponseHeader, RpcError,
};

/// One message that owns its frame.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use rpc_wire::{OwnedMessage, Specifier};
///
/// let body = Bytes::from_static(b"\x0c\x01\x00\x01\x00\x06\x05hello");
/// let OwnedMessage::Query(query) = OwnedMessage::decode(&body)? else { unreachable!() };
/// assert_eq!(query.header().specifier(), Specifier::Rank(0));
/// let payload = query.payload.bytes()?;
/// assert_eq!(payload, b"\x05hello"[..]);
/// assert_eq!(payload.as_ptr(), body[6..].as_ptr());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedMessage {
    /// See [`Message::Heartbeat`].
    Heartbeat,
    /// See [`Message::Query`].
    Query(OwnedQuery),
    /// See [`Message::Response`].
    Response(OwnedResponse),
    /// See [`Message::Metadata`].
    Metadata(Metadata),
    /// See [`Message::MetadataV2`].
    MetadataV2(MetadataV2),
    /// See [`Message::CloseReason`].
    CloseReason(Info),
    /// See [`Message::CloseReasonDuplicated`].
    CloseReasonDuplicated(Info),
    /// See [`Message::CloseStarted`].
    CloseStarted,
    /// See [`Message::CloseReasonV2`].
    CloseReasonV2(Box<CloseReasonV2>),
}

/// A query message that owns its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedQuery {
    /// The message up to the payload's length: what [`QueryHeader`] reads.
    head: Bytes,
    id: QueryId,
    /// The payload.
    pub payload: OwnedData,
}

/// A response message that owns its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedResponse {
    /// Everything before the result.
    pub header: ResponseHeader,
    /// The payload, or why there is none.
    pub result: Result<OwnedData, RpcError>,
}

/// A length-prefixed payload as a slice of its frame; the owned form of [`Data`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedData {
    announced: u64,
    bytes: Bytes,
}

impl OwnedMessage {
    /// Reads the message that a frame's body begins with, as [`Message::decode`] does. Bytes after
    /// it are tolerated, and dropped.
    ///
    /// # Errors
    /// The tag is unknown or a field malformed.
    pub fn decode(body: &Bytes) -> Result<Self, ReadError> {
        Ok(match Message::decode(body)? {
            Message::Heartbeat => Self::Heartbeat,
            Message::Query(query) => Self::Query(OwnedQuery::new(query, body)),
            Message::Response(response) => Self::Response(OwnedResponse::new(response, body)),
            Message::Metadata(metadata) => Self::Metadata(metadata),
            Message::MetadataV2(metadata) => Self::MetadataV2(metadata),
            Message::CloseReason(info) => Self::CloseReason(info),
            Message::CloseReasonDuplicated(info) => Self::CloseReasonDuplicated(info),
            Message::CloseStarted => Self::CloseStarted,
            Message::CloseReasonV2(reason) => Self::CloseReasonV2(reason),
        })
    }

    /// The same message, borrowed. Clones what is neither query nor response.
    pub fn to_message(&self) -> Message<'_> {
        match self {
            Self::Heartbeat => Message::Heartbeat,
            Self::Query(query) => Message::Query(query.to_query()),
            Self::Response(response) => Message::Response(response.to_response()),
            Self::Metadata(metadata) => Message::Metadata(metadata.clone()),
            Self::MetadataV2(metadata) => Message::MetadataV2(metadata.clone()),
            Self::CloseReason(info) => Message::CloseReason(info.clone()),
            Self::CloseReasonDuplicated(info) => Message::CloseReasonDuplicated(info.clone()),
            Self::CloseStarted => Message::CloseStarted,
            Self::CloseReasonV2(reason) => Message::CloseReasonV2(reason.clone()),
        }
    }
}

impl OwnedQuery {
    /// `query` was read from the start of `body`.
    fn new(query: Query<'_>, body: &Bytes) -> Self {
        let payload = OwnedData::new(query.data, body);
        let mut rest = Reader::new(body);
        // It was read once already, so it can be read again.
        let read = QueryHeader::bin_read(&mut rest);
        debug_assert_eq!(read, Ok(query.header));
        Self {
            head: body.slice(..rest.offset()),
            id: query.header.id,
            payload,
        }
    }

    /// The id that the response will echo.
    pub fn id(&self) -> QueryId {
        self.id
    }

    /// Which RPC is asked and with which metadata; read from the frame each time, without
    /// allocating.
    pub fn header(&self) -> QueryHeader<'_> {
        QueryHeader::bin_read(&mut Reader::new(&self.head))
            .expect("`new` keeps the bytes that a header was read from")
    }

    /// A part of the header, such as a metadata payload, sharing the frame.
    ///
    /// # Panics
    /// If `part` was not borrowed from this query's [`header`](Self::header).
    pub(crate) fn share(&self, part: &[u8]) -> Bytes {
        self.head.slice_ref(part)
    }

    /// The same query, borrowed.
    pub fn to_query(&self) -> Query<'_> {
        Query {
            header: self.header(),
            data: self.payload.to_data(),
        }
    }
}

impl OwnedResponse {
    fn new(response: Response<'_>, body: &Bytes) -> Self {
        Self {
            header: response.header,
            result: response.result.map(|data| OwnedData::new(data, body)),
        }
    }

    /// The same response, borrowed. Clones an error.
    pub fn to_response(&self) -> Response<'_> {
        let result = self.result.as_ref().map(OwnedData::to_data);
        Response {
            header: self.header,
            result: result.map_err(Clone::clone),
        }
    }
}

impl OwnedData {
    fn new(data: Data<'_>, body: &Bytes) -> Self {
        Self {
            announced: data.announced(),
            bytes: body.slice_ref(data.present()),
        }
    }

    /// The payload's bytes, sharing the frame.
    ///
    /// # Errors
    /// Fewer bytes were left in the frame than the length announced.
    pub fn bytes(&self) -> Result<Bytes, Overlong> {
        self.to_data().bytes().map(|_| self.bytes.clone())
    }

    /// The same payload, borrowed.
    pub fn to_data(&self) -> Data<'_> {
        Data::from_parts(self.announced, &self.bytes)
    }
}

impl BinWrite for OwnedMessage {
    fn bin_size(&self) -> usize {
        self.to_message().bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.to_message().bin_write(buffer)
    }
}
