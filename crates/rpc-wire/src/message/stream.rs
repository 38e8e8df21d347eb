//! The layer inside the payloads of pipe and state RPCs (*protocol* §8).
//!
//! ```text
//! query             d1 f5 2f e2 ‖ nat0 length ‖ the user's query
//! abort             21 77 4e 5c
//! initial response  int (0 when we send it, ignored) ‖ 00 ‖ state, or 01 ‖ the user's error
//! update            79 8a 00 00 ‖ nat0 length ‖ the user's update
//! end               39 79 69 00
//! ```
//!
//! State and error of the initial response have no length of their own; for a pipe RPC the state
//! is unit, `00`.
//!
//! ```
//! use rpc_wire::Data;
//! use rpc_wire::stream::{self, Initial, StreamQuery, StreamResponse};
//!
//! // A stream of a state RPC, payload by payload: "hello", state 7, update "upd", end.
//! let query = StreamQuery::Query(Data::new(b"\x05hello"));
//! assert_eq!(bin_prot::to_vec(&query)?, b"\xd1\xf5\x2f\xe2\x06\x05hello");
//! assert_eq!(Initial::split(&[0, 0, 7])?, (Initial::Ok, &[7][..]));
//! let update: StreamResponse<'_> = bin_prot::from_slice(b"\x79\x8a\0\0\x04\x03upd")?;
//! assert_eq!(update, StreamResponse::Ok(Data::new(b"\x03upd")));
//! let end = bin_prot::from_slice(stream::EOF_PAYLOAD)?;
//! assert_eq!(StreamResponse::Eof, end);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use bin_prot::{
    BinRead, BinWrite, ReadError, ReadErrorKind, Reader, nat0_size, variant, write_nat0,
};

use crate::Data;

const QUERY: [u8; 4] = variant::tag("Query");
const ABORT: [u8; 4] = variant::tag("Abort");
const OK: [u8; 4] = variant::tag("Ok");
const EOF: [u8; 4] = variant::tag("Eof");

const TAG_BYTES: usize = 4;
/// The unused query id and the tag of the result.
const INITIAL_BYTES: usize = 2;

/// The payload of a query message that concerns a stream (*protocol* §8.1).
///
/// ```text
/// offset  width  meaning
///      0  4      d1 f5 2f e2: opens the stream; 21 77 4e 5c: ends it
///      4  …      of the first: the user's query, see Data
///
/// d1 f5 2f e2  02 01 78    opens it with the string "x"
/// 21 77 4e 5c              ends it
/// ```
///
/// ```
/// use rpc_wire::Data;
/// use rpc_wire::stream::{ABORT_PAYLOAD, StreamQuery};
///
/// let query = StreamQuery::Query(Data::new(b"\x01x"));
/// assert_eq!(bin_prot::to_vec(&query)?, b"\xd1\xf5\x2f\xe2\x02\x01x");
/// assert_eq!(bin_prot::to_vec(&StreamQuery::Abort)?, ABORT_PAYLOAD);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamQuery<'a> {
    /// Opens the stream.
    Query(Data<'a>),
    /// Ends it; the end of the stream acknowledges.
    Abort,
}

impl<'a> BinRead<'a> for StreamQuery<'a> {
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        match variant::read_polymorphic(reader)? {
            QUERY => Data::bin_read(reader).map(Self::Query),
            ABORT => Ok(Self::Abort),
            tag => Err(variant::unknown(reader, tag)),
        }
    }
}

/// Whether the payload of a query asks to end the stream with its id.
#[inline]
pub fn is_abort(payload: &[u8]) -> bool {
    payload == ABORT
}

/// The payload of an abort.
pub const ABORT_PAYLOAD: &[u8] = &ABORT;

/// The payload of the end of a stream.
pub const EOF_PAYLOAD: &[u8] = &EOF;

/// Size of the payload that opens a stream with a query of `query` bytes.
#[inline]
pub fn query_size(query: usize) -> usize {
    TAG_BYTES + nat0_size(query) + query
}

/// Appends what precedes a query of `query` bytes.
#[inline]
pub fn write_before_query(query: usize, buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(&QUERY);
    write_nat0(buffer, query);
}

/// Size of an update's payload, for an update of `update` bytes.
#[inline]
pub fn update_size(update: usize) -> usize {
    TAG_BYTES + nat0_size(update) + update
}

/// Appends what precedes an update of `update` bytes.
#[inline]
pub fn write_before_update(update: usize, buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(&OK);
    write_nat0(buffer, update);
}

/// The user's update, if that is what this payload is and no more; `None` says nothing but that
/// [`StreamResponse`] has to be read.
///
/// ```
/// assert_eq!(rpc_wire::stream::split_update(b"\x79\x8a\0\0\x03upd"), Some(&b"upd"[..]));
/// ```
#[inline]
pub fn split_update(payload: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(payload.strip_prefix(&OK)?);
    let length = reader.nat0().ok()?;
    let update = reader.rest();
    (length == update.len() as u64).then_some(update)
}

/// The payload of a response after the initial one (*protocol* §8.3).
///
/// ```text
/// offset  width  meaning
///      0  4      79 8a 00 00: an update; 39 79 69 00: the end
///      4  …      of the first: the user's update, see Data
///
/// 79 8a 00 00  01 07    the update 7
/// 39 79 69 00           the end
/// ```
///
/// ```
/// use rpc_wire::Data;
/// use rpc_wire::stream::StreamResponse;
///
/// let update = bin_prot::from_slice(&[0x79, 0x8a, 0x00, 0x00, 0x01, 0x07])?;
/// assert_eq!(StreamResponse::Ok(Data::new(&[0x07])), update);
/// # Ok::<(), bin_prot::ReadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamResponse<'a> {
    /// One update.
    Ok(Data<'a>),
    /// The end.
    Eof,
}

impl<'a> BinRead<'a> for StreamResponse<'a> {
    #[inline]
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        match variant::read_polymorphic(reader)? {
            OK => Data::bin_read(reader).map(Self::Ok),
            EOF => Ok(Self::Eof),
            tag => Err(variant::unknown(reader, tag)),
        }
    }
}

/// Which of the two a callee's initial response carries (*protocol* §8.2).
///
/// ```text
/// offset  width  meaning, of the payload
///      0  1 to 9 an unused query id, an int: 0 when we send it, ignored when we read it
///      …  1      00: the state follows; 01: the user's error follows
///      …  …      the state, or the error, without a length of its own
///
/// 00 00 07    the state 7
/// ```
///
/// ```
/// use rpc_wire::stream::Initial;
///
/// let mut payload = Vec::new();
/// Initial::Ok.write_before(&mut payload);
/// payload.push(0x07);
/// assert_eq!(payload, [0x00, 0x00, 0x07]);
/// assert_eq!(Initial::split(&payload)?, (Initial::Ok, &[0x07][..]));
/// # Ok::<(), bin_prot::ReadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initial {
    /// The state follows, and later the updates. `00`
    Ok,
    /// The user's error follows, and nothing more. `01`
    Error,
}

impl Initial {
    /// Size of the initial response's payload, with a state or error of `value` bytes.
    #[inline]
    pub fn payload_size(value: usize) -> usize {
        INITIAL_BYTES + value
    }

    /// Appends what precedes the state or the error.
    pub fn write_before(self, buffer: &mut Vec<u8>) {
        // The unused query id: 0 is what the reference writes (rule C-DI-2).
        let tag = match self {
            Self::Ok => 0,
            Self::Error => 1,
        };
        buffer.extend_from_slice(&[0, tag]);
    }

    /// Splits the payload of an initial response into this and the value's encoding.
    ///
    /// # Errors
    /// The payload does not begin as one.
    pub fn split(payload: &[u8]) -> Result<(Self, &[u8]), ReadError> {
        let mut reader = Reader::new(payload);
        reader.int()?;
        let initial = match variant::read_tag(&mut reader, 2)? {
            0 => Self::Ok,
            _ => Self::Error,
        };
        Ok((initial, reader.rest()))
    }
}

/// The inner value's bytes, with an overlong inner length as an error of reading.
///
/// # Errors
/// The length passes the end of the payload.
pub fn exact(data: Data<'_>) -> Result<&[u8], ReadError> {
    data.bytes().map_err(|overlong| ReadError {
        kind: ReadErrorKind::BufferShort {
            needed: overlong.announced,
            left: overlong.left,
        },
        offset: 0,
    })
}

impl BinWrite for StreamQuery<'_> {
    fn bin_size(&self) -> usize {
        match self {
            Self::Query(data) => TAG_BYTES + data.bin_size(),
            Self::Abort => TAG_BYTES,
        }
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), bin_prot::WriteError> {
        match self {
            Self::Query(data) => {
                buffer.extend_from_slice(&QUERY);
                data.bin_write(buffer)
            }
            Self::Abort => {
                buffer.extend_from_slice(&ABORT);
                Ok(())
            }
        }
    }
}
