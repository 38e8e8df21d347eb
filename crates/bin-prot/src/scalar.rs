//! Unit, bool, char and float (*bin_prot* §4).
//!
//! ```text
//! 00                         ()
//!                            unit_v2: no bytes at all
//! 00, 01                     false, true
//! 41                         the char 'A'
//! 00 00 00 00 00 00 f0 3f    1.0: IEEE 754 binary64, little endian
//! ```
//!
//! ```
//! use bin_prot::{Char, UnitV2, to_vec};
//!
//! assert_eq!(to_vec(&((), true, Char(b'A'), UnitV2))?, [0x00, 0x01, 0x41]);
//! assert_eq!(to_vec(&1.0)?, [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
//! # Ok::<(), bin_prot::WriteError>(())
//! ```

use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::read::{BinRead, Reader};
use crate::write::BinWrite;

/// OCaml's `char`: one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Char(pub u8);

/// `unit` in its stable version 2: no bytes at all.
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
