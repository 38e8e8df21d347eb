//! The 16 bytes that identify a shape, and the hashing that makes them (*shapes* §6).

use std::fmt;
use std::str::FromStr;

use md5::{Digest as _, Md5};
use thiserror::Error;

use crate::error::{ReadError, WriteError};
use crate::read::{BinRead, Reader};
use crate::write::BinWrite;

/// An MD5 digest: 16 bytes on the wire, without a length; 32 lowercase hex digits as text.
///
/// ```text
/// offset  width  meaning
///      0  16     the digest
///
/// 90 01 50 98 3c d2 4f b0 d6 96 3f 7d 28 e1 7f 72    of "abc"
/// ```
///
/// ```
/// use bin_prot::shape::{BinShape, Digest};
///
/// let int: Digest = "698cfa4093fe5e51523842d37b92aeac".parse()?;
/// assert_eq!(i64::bin_shape().digest()?, int);
/// assert_eq!(bin_prot::to_vec(&Digest::of("abc"))?[..4], [0x90, 0x01, 0x50, 0x98]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// The MD5 digest of some bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Md5::digest(bytes).into())
    }

    /// MD5 of the digests one after the other; a list, or a pair.
    pub(super) fn of_list(digests: impl IntoIterator<Item = Self>) -> Self {
        let hash = digests
            .into_iter()
            .fold(Md5::new(), |hash, digest| hash.chain_update(digest.0));
        Self(hash.finalize().into())
    }

    /// MD5 of a word and the list of some digests.
    pub(super) fn of_node(word: &str, digests: impl IntoIterator<Item = Self>) -> Self {
        let hash = Md5::new()
            .chain_update(word)
            .chain_update(Self::of_list(digests).0);
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A text that is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a digest is 32 hex digits")]
pub struct ParseDigestError;

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        // The number parser would take a sign.
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParseDigestError);
        }
        u128::from_str_radix(text, 16)
            .map(|number| Self(number.to_be_bytes()))
            .map_err(|_| ParseDigestError)
    }
}

impl BinWrite for Digest {
    #[inline]
    fn bin_size(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.extend_from_slice(&self.0);
        Ok(())
    }
}

impl BinRead<'_> for Digest {
    const MIN_SIZE: usize = 16;

    #[inline]
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.array().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back() {
        let text = "00f1869400f1869400f18694deadbeef";
        assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
        for wrong in ["", "+0f1869400f1869400f18694deadbeef", "00f1"] {
            assert_eq!(wrong.parse::<Digest>(), Err(ParseDigestError));
        }
    }

    #[test]
    fn building_blocks_are_the_documented_ones() {
        let check = |digest: Digest, text: &str| assert_eq!(digest.to_string(), text);
        check(Digest::of("int"), "fa7153f7ed1cb6c0fcf2ffb2fac21748");
        check(Digest::of_list([]), "d41d8cd98f00b204e9800998ecf8427e");
        check(
            Digest::of_node("none", []),
            "0cad39eb4b5baf3620b4578966beddff",
        );
    }
}
