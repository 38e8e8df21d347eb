//! Values with their size before them, so that they can be carried on without being understood
//! (*bin_prot* §11).

use bytes::Bytes;

use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::fixed::Int64Bit;
use crate::read::{BinRead, Reader, from_slice};
use crate::write::{BinWrite, to_vec};

/// A value with its size before it. Reading it checks that the value has this size.
///
/// ```text
/// offset  width  meaning
///      0  8      N, LE
///      8  N      the value's encoding
///
/// 03 00 00 00 00 00 00 00  fe e8 03    the int 1,000
/// ```
///
/// ```
/// use bin_prot::{Blob, from_slice, to_vec};
///
/// let bytes = to_vec(&Blob(1_000_i64))?;
/// assert_eq!(bytes, [3, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xe8, 0x03]);
/// assert_eq!(from_slice::<Blob<i64>>(&bytes)?, Blob(1_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blob<T>(pub T);

/// The encoding of a value of some other place's type, with its size before it: somebody in
/// between need not know the type.
///
/// ```text
/// offset  width  meaning
///      0  8      N, LE
///      8  N      the value's encoding
///
/// 03 00 00 00 00 00 00 00  fe e8 03    the int 1,000
/// ```
///
/// ```
/// use bin_prot::{OpaqueBlob, from_slice, to_vec};
///
/// let bytes = [3, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xe8, 0x03];
/// let opaque: OpaqueBlob = from_slice(&bytes)?;
/// assert_eq!(to_vec(&opaque)?, bytes);
/// assert_eq!(opaque.decode::<i64>()?, 1_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpaqueBlob(pub Bytes);

/// A value that is skipped. It can only be read; what it was is forgotten.
///
/// ```text
/// offset  width  meaning
///      0  8      N, LE
///      8  N      whatever
/// ```
///
/// ```
/// use bin_prot::{IgnoredBlob, from_slice};
///
/// let blob: IgnoredBlob = from_slice(&[3, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xe8, 0x03])?;
/// assert_eq!(blob.size, 3);
/// # Ok::<(), bin_prot::ReadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IgnoredBlob {
    /// The size of the value's encoding.
    pub size: u64,
}

const SIZE: usize = 8;

fn write_size(buffer: &mut Vec<u8>, size: usize) -> Result<(), WriteError> {
    match i64::try_from(size) {
        Ok(size) => Int64Bit(size).bin_write(buffer),
        Err(_) => Err(WriteError::Invalid("a blob's size does not fit 63 bits")),
    }
}

fn read_size(reader: &mut Reader<'_>) -> Result<u64, ReadError> {
    let start = reader.offset();
    let Int64Bit(size) = Int64Bit::bin_read(reader)?;
    u64::try_from(size).map_err(|_| reader.error_at(start, ReadErrorKind::OutOfRange(size)))
}

impl<T: BinWrite> BinWrite for Blob<T> {
    fn bin_size(&self) -> usize {
        SIZE + self.0.bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        write_size(buffer, self.0.bin_size())?;
        self.0.bin_write(buffer)
    }
}

impl<'a, T: BinRead<'a>> BinRead<'a> for Blob<T> {
    const MIN_SIZE: usize = SIZE + T::MIN_SIZE;

    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        let size = read_size(reader)?;
        reader.within(size, T::bin_read).map(Self)
    }
}

impl OpaqueBlob {
    /// The encoding of `value`.
    ///
    /// # Errors
    /// The value has no encoding.
    pub fn encode<T: BinWrite + ?Sized>(value: &T) -> Result<Self, WriteError> {
        to_vec(value).map(|bytes| Self(bytes.into()))
    }

    /// The value, for whoever knows its type.
    ///
    /// # Errors
    /// The bytes are not the encoding of one value of the type.
    pub fn decode<'a, T: BinRead<'a>>(&'a self) -> Result<T, ReadError> {
        from_slice(&self.0)
    }
}

impl BinWrite for OpaqueBlob {
    fn bin_size(&self) -> usize {
        SIZE + self.0.len()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        write_size(buffer, self.0.len())?;
        buffer.extend_from_slice(&self.0);
        Ok(())
    }
}

impl BinRead<'_> for OpaqueBlob {
    const MIN_SIZE: usize = SIZE;

    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let size = read_size(reader)?;
        reader
            .take(size)
            .map(|bytes| Self(Bytes::copy_from_slice(bytes)))
    }
}

impl BinRead<'_> for IgnoredBlob {
    const MIN_SIZE: usize = SIZE;

    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let size = read_size(reader)?;
        reader.take(size).map(|_| Self { size })
    }
}
