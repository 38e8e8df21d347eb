//! Strings and byte strings: a length, then the bytes (*bin_prot* §4).

use std::fmt;

use bytes::Bytes;

use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::integer::nat0_size;
use crate::read::{BinRead, Reader};
use crate::write::{BinWrite, write_nat0};

/// OCaml's `string`: any bytes.
///
/// Shown as text, with bytes that are no printable text escaped.
///
/// ```text
/// offset  width       meaning
///      0  1, 3, 5, 9  N, a nat0
///                     then
///         N           the bytes
///
/// 02  61 ff    "a\xff"
/// ```
///
/// ```
/// use bin_prot::{ByteString, to_vec};
///
/// assert_eq!(to_vec(&ByteString::from(&b"a\xff"[..]))?, [2, b'a', 0xff]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
///
/// ```
/// use bin_prot::ByteString;
///
/// assert_eq!(ByteString::from("caf\u{e9}").to_string(), "café");
/// assert_eq!(ByteString::from(&b"a\xff\n"[..]).to_string(), "a\\xff\\n");
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteString(pub Vec<u8>);

impl ByteString {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ByteString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for char in chunk.valid().chars() {
                if char.is_control() {
                    write!(f, "{}", char.escape_default())?;
                } else {
                    write!(f, "{char}")?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ByteString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl From<&str> for ByteString {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for ByteString {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&[u8]> for ByteString {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl PartialEq<str> for ByteString {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

#[inline]
fn size(bytes: &[u8]) -> usize {
    nat0_size(bytes.len()) + bytes.len()
}

#[inline(always)]
fn put(buffer: &mut Vec<u8>, bytes: &[u8]) {
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        // Names, mostly: two stores, which may overlap, take less time than a call of `memcpy`.
        (Some(first), Some(last)) if bytes.len() <= 16 => {
            let end = buffer.len() + 1 + bytes.len();
            #[expect(clippy::cast_possible_truncation, reason = "it is at most 16")]
            let length = bytes.len() as u8;
            let [b0, b1, b2, b3, b4, b5, b6, b7] = *first;
            buffer.extend_from_slice(&[length, b0, b1, b2, b3, b4, b5, b6, b7]);
            buffer.truncate(end - last.len());
            buffer.extend_from_slice(last);
        }
        _ => {
            write_nat0(buffer, bytes.len());
            buffer.extend_from_slice(bytes);
        }
    }
}

macro_rules! write_as_bytes {
    ($($type:ty, $self:ident => $bytes:expr;)*) => {$(
        impl BinWrite for $type {
            #[inline]
            fn bin_size(&$self) -> usize {
                size($bytes)
            }

            #[inline]
            fn bin_write(&$self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                put(buffer, $bytes);
                Ok(())
            }
        }
    )*};
}
write_as_bytes! {
    str, self => self.as_bytes();
    String, self => self.as_bytes();
    ByteString, self => &self.0;
    [u8], self => self;
    Vec<u8>, self => self;
    Bytes, self => self;
}

impl<'a> BinRead<'a> for &'a [u8] {
    #[inline]
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        reader.byte_string()
    }
}

impl<'a> BinRead<'a> for &'a str {
    #[inline]
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        let start = reader.offset();
        str::from_utf8(reader.byte_string()?)
            .map_err(|_| reader.error_at(start, ReadErrorKind::NotUtf8))
    }
}

impl BinRead<'_> for String {
    #[inline]
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        <&str>::bin_read(reader).map(Self::from)
    }
}

impl BinRead<'_> for ByteString {
    #[inline]
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.byte_string().map(Self::from)
    }
}

impl BinRead<'_> for Vec<u8> {
    #[inline]
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.byte_string().map(Self::from)
    }
}

impl BinRead<'_> for Bytes {
    #[inline]
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.byte_string().map(Self::copy_from_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{from_slice, to_vec};

    #[test]
    fn bytes_of_every_length_are_written_as_they_are_and_to_size() {
        for length in 0..200_u8 {
            let bytes: Vec<u8> = (0..length).collect();
            let written = to_vec(&bytes).unwrap();
            assert_eq!(from_slice::<&[u8]>(&written), Ok(bytes.as_slice()));
            assert_eq!(written.len(), bytes.bin_size());
            assert_eq!(written.capacity(), written.len());
        }
    }
}
