//! The header: the first frame in each direction (*protocol* §2).

use std::fmt;

use bin_prot::{BinRead, BinWrite, ReadError, Reader, WriteError};
use thiserror::Error;

use crate::ProtocolVersion;

/// Entries that a header may have; refused by its count alone.
pub const MAX_ENTRIES: u64 = 100;

/// Numbers above this are not versions (*protocol* §2.2).
const MAX_VERSION: i64 = 1_000_000;

const RPC: i64 = 4_411_474;
const KRB2: i64 = 843_207_243;
const KBT: i64 = 5_521_995;

/// What a peer says of itself first: its protocol and the versions that it speaks
/// (*protocol* §2). Keeps the entries as they were sent.
///
/// ```text
/// offset  width  meaning
///      0  1      N, a nat0, at most 100
///      1  5      the magic number, an int: fd, then "RPC" and 00
///      6  …      N − 1 more ints: the versions, ascending
///
/// 02  fd 52 50 43 00  01       version 1
/// 0c  fd 52 50 43 00  01 02 03 04 05 06 07 08 09 0a 0b    the default, 1 to 11
/// ```
///
/// ```
/// use rpc_wire::Header;
///
/// let bytes = b"\x0c\xfdRPC\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b";
/// assert_eq!(Header::decode(bytes)?, Header::default());
/// assert_eq!(bin_prot::to_vec(&Header::default())?, bytes);
/// let header = Header::decode(b"\x02\xfdRPC\0\x01")?;
/// assert_eq!(header.versions().collect::<Vec<_>>(), [1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    entries: Vec<i64>,
}

/// Whether a stream that begins with these bytes begins with a header of this protocol; `None` if
/// they are too few to tell. Fourteen are enough: the frame's length, the count of entries and the
/// magic number (rule C-SK-10). For servers that look at a connection before they decide what
/// speaks on it, without taking anything from it.
///
/// A legacy peer, whose header has no magic number, is not recognised.
///
/// ```
/// use rpc_wire::handshake::begins_header;
///
/// let stream = [17, 0, 0, 0, 0, 0, 0, 0, 0x0c, 0xfd, b'R', b'P', b'C', 0, 1, 2];
/// assert_eq!(begins_header(&stream), Some(true));
/// assert_eq!(begins_header(&stream[..13]), None);
/// assert_eq!(begins_header(b"GET / HTTP/1.1"), Some(false));
/// ```
pub fn begins_header(stream: &[u8]) -> Option<bool> {
    const MAGIC: [u8; 5] = [0xfd, b'R', b'P', b'C', 0];
    // Each entry of the list takes at most nine bytes.
    const MAX_BODY: i64 = 1 + 9 * MAX_ENTRIES as i64;
    let (length, body) = stream.split_first_chunk()?;
    let length = i64::from_le_bytes(*length);
    if !(1 + MAGIC.len() as i64..=MAX_BODY).contains(&length) {
        return Some(false);
    }
    let (count, magic) = body.split_first()?;
    if !(1..=MAX_ENTRIES).contains(&u64::from(*count)) {
        return Some(false);
    }
    let there = magic.len().min(MAGIC.len());
    if magic.get(..there) != MAGIC.get(..there) {
        return Some(false);
    }
    (there == MAGIC.len()).then_some(true)
}

/// A protocol that can stand in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Rpc,
    Other(OtherProtocol),
}

/// A protocol that begins its header as this one does, but is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherProtocol {
    /// Async_rpc wrapped in Kerberos.
    Krb,
    /// The same in its test mode.
    KrbTest,
}

impl fmt::Display for OtherProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Krb => "KRB2 (Kerberos)",
            Self::KrbTest => "KBT (Kerberos in test mode)",
        })
    }
}

impl Protocol {
    fn of(entry: i64) -> Option<Self> {
        match entry {
            RPC => Some(Self::Rpc),
            KRB2 => Some(Self::Other(OtherProtocol::Krb)),
            KBT => Some(Self::Other(OtherProtocol::KrbTest)),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rpc => f.write_str("RPC"),
            Self::Other(other) => other.fmt(f),
        }
    }
}

/// Why a frame is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// It cannot be read, or goes on after the list.
    #[error("unreadable header")]
    Unreadable(#[from] ReadError),
    /// It announces more than [`MAX_ENTRIES`].
    #[error("header of {0} entries, at most {MAX_ENTRIES} allowed")]
    TooLong(u64),
}

impl Header {
    /// The header of a peer that speaks these versions.
    pub fn new(versions: impl IntoIterator<Item = ProtocolVersion>) -> Self {
        let versions = versions.into_iter().map(|version| version.number().into());
        Self {
            entries: std::iter::once(RPC).chain(versions).collect(),
        }
    }

    /// A header of these entries, whatever they mean.
    pub fn from_entries(entries: Vec<i64>) -> Self {
        Self { entries }
    }

    /// Reads the body of the first frame.
    ///
    /// # Errors
    /// See [`HeaderError`].
    pub fn decode(body: &[u8]) -> Result<Self, HeaderError> {
        let mut reader = Reader::new(body);
        let count = reader.nat0()?;
        if count > MAX_ENTRIES {
            return Err(HeaderError::TooLong(count));
        }
        let entries = (0..count)
            .map(|_| i64::bin_read(&mut reader))
            .collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self { entries })
    }

    /// The entries, as sent.
    pub fn entries(&self) -> &[i64] {
        &self.entries
    }

    /// The versions among the entries, in the order sent. Unknown numbers above 1,000,000 carry
    /// something else and are passed over.
    pub fn versions(&self) -> impl Iterator<Item = i64> {
        let is_version = |entry: &i64| *entry <= MAX_VERSION && Protocol::of(*entry).is_none();
        self.entries.iter().copied().filter(is_version)
    }

    /// The first protocol that the header names and that is not Async_rpc itself.
    pub fn other_protocol(&self) -> Option<OtherProtocol> {
        self.protocols().find_map(|protocol| match protocol {
            Protocol::Rpc => None,
            Protocol::Other(other) => Some(other),
        })
    }

    pub(super) fn protocols(&self) -> impl Iterator<Item = Protocol> {
        self.entries.iter().copied().filter_map(Protocol::of)
    }
}

impl Default for Header {
    /// All versions.
    fn default() -> Self {
        Self::new(ProtocolVersion::all())
    }
}

impl BinWrite for Header {
    fn bin_size(&self) -> usize {
        self.entries.bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.entries.bin_write(buffer)
    }
}

#[cfg(test)]
mod tests {
    use bin_prot::to_vec;

    use super::*;

    fn stream(header: &Header) -> Vec<u8> {
        let body = to_vec(header).unwrap();
        [&(body.len() as u64).to_le_bytes(), &body[..]].concat()
    }

    /// C-SK-10, B3: recognised by fourteen bytes, and not by fewer.
    #[test]
    fn header_is_recognised_by_its_first_fourteen_bytes() {
        for header in [
            Header::default(),
            Header::new([]),
            Header::from_entries(vec![RPC, 7]),
        ] {
            let stream = stream(&header);
            for end in 0..14 {
                assert_eq!(begins_header(&stream[..end]), None, "{end} bytes");
            }
            for end in 14..=stream.len() {
                assert_eq!(begins_header(&stream[..end]), Some(true));
            }
        }
    }

    /// C-SK-10: other protocols, also those that begin their header alike.
    #[test]
    fn other_protocols_are_not_taken_for_this_one() {
        for other in [vec![KRB2, 1], vec![KBT, 1], vec![1, 2, 3, 4, 5, 6, 7]] {
            assert_eq!(
                begins_header(&stream(&Header::from_entries(other))),
                Some(false)
            );
        }
        for first in [
            &[0xff; 8][..],
            &[0; 8],
            &[5, 0, 0, 0, 0, 0, 0, 0],
            b"SSH-2.0-",
        ] {
            assert_eq!(begins_header(first), Some(false), "{first:02x?}");
        }
        let empty_list = [6, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(begins_header(&empty_list), Some(false));
    }
}
