//! Sixteen bytes of MD5 in the types that are not [`Digest`](crate::shape::Digest), which is
//! Core's `Md5`.

use crate::BinProt;
use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::read::{BinRead, Reader};
use crate::shape::{BinShape, Digest, Shape};
use crate::write::BinWrite;

/// The `Digest` of OCaml's standard library: the bytes of `Md5`, in another shape.
///
/// ```text
/// offset  width  meaning
///      0  16     the digest
///
/// 90 01 50 98 3c d2 4f b0 d6 96 3f 7d 28 e1 7f 72    of "abc"
/// ```
///
/// ```
/// use bin_prot::library::StdlibDigest;
/// use bin_prot::shape::Digest;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&StdlibDigest(Digest::of("abc")))?[..3], [0x90, 0x01, 0x50]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
#[bin_prot(base = "digest")]
pub struct StdlibDigest(pub Digest);

/// Core's `Md5.As_binary_string`: a string of 16 bytes.
///
/// ```text
/// offset  width  meaning
///      0  1      10
///      1  16     the digest
///
/// 10  90 01 50 98 3c d2 4f b0 d6 96 3f 7d 28 e1 7f 72    of "abc"
/// ```
///
/// ```
/// use bin_prot::library::Md5AsBinaryString;
/// use bin_prot::shape::Digest;
/// use bin_prot::to_vec;
///
/// let bytes = to_vec(&Md5AsBinaryString(Digest::of("abc")))?;
/// assert_eq!(bytes[..3], [0x10, 0x90, 0x01]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Md5AsBinaryString(pub Digest);

impl BinWrite for Md5AsBinaryString {
    fn bin_size(&self) -> usize {
        self.0.0.as_slice().bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.0.0.as_slice().bin_write(buffer)
    }
}

impl BinRead<'_> for Md5AsBinaryString {
    const MIN_SIZE: usize = 17;

    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let start = reader.offset();
        match reader.byte_string()?.try_into() {
            Ok(bytes) => Ok(Self(Digest(bytes))),
            Err(_) => Err(reader.error_at(start, ReadErrorKind::Invalid("MD5 has 16 bytes"))),
        }
    }
}

impl BinShape for Md5AsBinaryString {
    fn bin_shape() -> Shape {
        String::bin_shape()
    }
}
