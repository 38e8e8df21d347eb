//! The integers, each with its encoding.

use std::fmt;

use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::read::{BinReadOwned, Reader};
use crate::shape::identity::{DATE_OPTION, RPC_NAT0};
use crate::write::BinWrite;
use crate::{
    Int8Bit, Int16Bit, Int32Bit, Int32Bits, Int63, Int64, Int64Bit, Int64Bits, Nat0, Nativeint,
    Network16Int, Network32Int, Network32Int32, Network64Int, Network64Int64, VariantInt,
};

/// One of the integer types.
pub(super) struct Integer {
    /// What shapes call it.
    pub(super) name: &'static str,
    /// The least number of bytes.
    pub(super) least: usize,
    pub(super) read: fn(&mut Reader<'_>) -> Result<i64, ReadError>,
    pub(super) size: fn(i64) -> usize,
    pub(super) write: fn(i64, &mut Vec<u8>) -> Result<(), WriteError>,
}

impl fmt::Debug for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The integer type of this name.
pub(super) fn find(name: &[u8]) -> Option<&'static Integer> {
    ALL.iter().find(|integer| integer.name.as_bytes() == name)
}

const fn integer<T>(name: &'static str) -> Integer
where
    T: BinReadOwned + BinWrite + TryFrom<i64> + TryInto<i64>,
{
    Integer {
        name,
        least: <T as crate::BinRead<'_>>::MIN_SIZE,
        read: |reader| {
            let start = reader.offset();
            T::bin_read(reader)?
                .try_into()
                .map_err(|_| reader.error_at(start, ReadErrorKind::OutOfRange(i64::MAX)))
        },
        size: |value| T::try_from(value).map_or(0, |value| value.bin_size()),
        write: |value, buffer| match T::try_from(value) {
            Ok(value) => value.bin_write(buffer),
            Err(_) => Err(WriteError::OutOfRange(value)),
        },
    }
}

static ALL: [Integer; 20] = [
    integer::<i64>("int"),
    integer::<Int63>("int63"),
    integer::<i32>("int32"),
    integer::<Int64>("int64"),
    integer::<Nativeint>("nativeint"),
    integer::<Nat0>("nat0"),
    integer::<Int8Bit>("int_8bit"),
    integer::<Int16Bit>("int_16bit"),
    integer::<Int32Bit>("int_32bit"),
    integer::<Int64Bit>("int_64bit"),
    integer::<Int32Bits>("int32_bits"),
    integer::<Int64Bits>("int64_bits"),
    integer::<Network16Int>("network16_int"),
    integer::<Network32Int>("network32_int"),
    integer::<Network32Int32>("network32_int32"),
    integer::<Network64Int>("network64_int"),
    integer::<Network64Int64>("network64_int64"),
    integer::<VariantInt>("variant_int"),
    integer::<Nat0>(RPC_NAT0),
    integer::<i64>(DATE_OPTION),
];
