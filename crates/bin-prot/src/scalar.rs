//! Unit, bool, char and float (*bin_prot* §4).

use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::read::{BinRead, Reader};
use crate::write::BinWrite;

/// OCaml's `char`: one byte.
///
/// ```text
/// offset  width  meaning
///      0  1      the byte
///
/// 41    'A'
/// ```
///
/// ```
/// use bin_prot::{Char, to_vec};
///
/// assert_eq!(to_vec(&Char(b'A'))?, [0x41]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Char(pub u8);

/// `unit` in its stable version 2: no bytes at all, where `()` has one.
///
/// ```text
/// offset  width  meaning
///      0  0
/// ```
///
/// ```
/// use bin_prot::{UnitV2, to_vec};
///
/// assert_eq!(to_vec(&(1_i64, UnitV2, ()))?, [0x01, 0x00]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitV2;

impl BinWrite for UnitV2 {
    #[inline]
    fn bin_size(&self) -> usize {
        0
    }

    #[inline]
    fn bin_write(&self, _: &mut Vec<u8>) -> Result<(), WriteError> {
        Ok(())
    }
}

impl BinRead<'_> for UnitV2 {
    const MIN_SIZE: usize = 0;

    #[inline]
    fn bin_read(_: &mut Reader<'_>) -> Result<Self, ReadError> {
        Ok(Self)
    }
}

impl BinWrite for () {
    #[inline]
    fn bin_size(&self) -> usize {
        1
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.push(0);
        Ok(())
    }
}

impl BinRead<'_> for () {
    #[inline]
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let start = reader.offset();
        match reader.byte()? {
            0 => Ok(()),
            code => Err(reader.error_at(start, ReadErrorKind::UnitCode(code))),
        }
    }
}

impl BinWrite for bool {
    #[inline]
    fn bin_size(&self) -> usize {
        1
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.push((*self).into());
        Ok(())
    }
}

impl BinRead<'_> for bool {
    #[inline]
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let start = reader.offset();
        match reader.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            code => Err(reader.error_at(start, ReadErrorKind::BoolCode(code))),
        }
    }
}

impl BinWrite for Char {
    #[inline]
    fn bin_size(&self) -> usize {
        1
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.push(self.0);
        Ok(())
    }
}

impl BinRead<'_> for Char {
    #[inline]
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.byte().map(Self)
    }
}

impl BinWrite for f64 {
    #[inline]
    fn bin_size(&self) -> usize {
        8
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.extend_from_slice(&self.to_le_bytes());
        Ok(())
    }
}

impl BinRead<'_> for f64 {
    const MIN_SIZE: usize = 8;

    #[inline]
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.array().map(Self::from_le_bytes)
    }
}
