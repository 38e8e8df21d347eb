//! Integers of a fixed size, in either byte order (*bin_prot* §3).
//!
//! The number in a name counts bits; `Network` means big endian, all others are little endian. The
//! reference's writers keep the low bits of whatever they are given. Here a number that would not
//! be read back as itself cannot be put in, or is a [`WriteError`].

use std::fmt;
use std::num::TryFromIntError;

use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::integer::is_int63;
use crate::read::{BinRead, Reader};
use crate::write::BinWrite;

/// What every one of them has, however it is encoded.
macro_rules! common {
    ($name:ident($inner:ident)) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }

        impl From<$name> for $inner {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
    (narrow $name:ident($inner:ident)) => {
        common!($name($inner));

        impl TryFrom<i64> for $name {
            type Error = TryFromIntError;

            fn try_from(value: i64) -> Result<Self, TryFromIntError> {
                value.try_into().map(Self)
            }
        }

        impl From<$name> for i64 {
            fn from(value: $name) -> Self {
                value.0.into()
            }
        }
    };
}

/// Types whose Rust integer has exactly their range.
macro_rules! fixed {
    ($($(#[$doc:meta])* $([$narrow:ident])? $name:ident($inner:ident: $size:literal), $to:ident, $from:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);
        common!($($narrow)? $name($inner));

        impl BinWrite for $name {
            #[inline]
            fn bin_size(&self) -> usize {
                $size
            }

            #[inline]
            fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                buffer.extend_from_slice(&self.0.$to());
                Ok(())
            }
        }

        impl BinRead<'_> for $name {
            const MIN_SIZE: usize = $size;

            #[inline]
            fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
                reader.array().map(|bytes| Self($inner::$from(bytes)))
            }
        }
    )*};
}
fixed! {
    /// OCaml's `int_8bit`.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  1      0 to 255
    ///
    /// ff    255
    /// ```
    ///
    /// ```
    /// use bin_prot::{Int8Bit, to_vec};
    ///
    /// assert_eq!(to_vec(&Int8Bit(255))?, [0xff]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    [narrow] Int8Bit(u8: 1), to_le_bytes, from_le_bytes;
    /// OCaml's `int_16bit`: unsigned, little endian.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  2      0 to 65,535, LE
    ///
    /// 02 01    258
    /// ```
    ///
    /// ```
    /// use bin_prot::{Int16Bit, to_vec};
    ///
    /// assert_eq!(to_vec(&Int16Bit(258))?, [0x02, 0x01]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    [narrow] Int16Bit(u16: 2), to_le_bytes, from_le_bytes;
    /// OCaml's `int_32bit`: signed, little endian.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  4      −2^31 to 2^31−1, two's complement, LE
    ///
    /// 04 03 02 01    16,909,060
    /// fe ff ff ff    −2
    /// ```
    ///
    /// ```
    /// use bin_prot::{Int32Bit, to_vec};
    ///
    /// assert_eq!(to_vec(&Int32Bit(-2))?, [0xfe, 0xff, 0xff, 0xff]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    [narrow] Int32Bit(i32: 4), to_le_bytes, from_le_bytes;
    /// OCaml's `int32_bits`: the bytes of [`Int32Bit`], for OCaml's type `int32`.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  4      −2^31 to 2^31−1, two's complement, LE
    ///
    /// 02 01 00 00    258
    /// ```
    ///
    /// ```
    /// use bin_prot::{Int32Bits, to_vec};
    ///
    /// assert_eq!(to_vec(&Int32Bits(258))?, [0x02, 0x01, 0x00, 0x00]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    [narrow] Int32Bits(i32: 4), to_le_bytes, from_le_bytes;
    /// OCaml's `int64_bits`: all 64 bits, little endian.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  8      −2^63 to 2^63−1, two's complement, LE
    ///
    /// 00 00 00 00 00 00 00 80    −2^63
    /// ```
    ///
    /// ```
    /// use bin_prot::{Int64Bits, to_vec};
    ///
    /// assert_eq!(to_vec(&Int64Bits(i64::MIN))?, [0, 0, 0, 0, 0, 0, 0, 0x80]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    Int64Bits(i64: 8), to_le_bytes, from_le_bytes;
    /// OCaml's `network16_int`: unsigned, big endian.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  2      0 to 65,535, BE
    ///
    /// 01 02    258
    /// ```
    ///
    /// ```
    /// use bin_prot::{Network16Int, to_vec};
    ///
    /// assert_eq!(to_vec(&Network16Int(258))?, [0x01, 0x02]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    [narrow] Network16Int(u16: 2), to_be_bytes, from_be_bytes;
    /// OCaml's `network32_int`: signed, big endian.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  4      −2^31 to 2^31−1, two's complement, BE
    ///
    /// 01 02 03 04    16,909,060
    /// ```
    ///
    /// ```
    /// use bin_prot::{Network32Int, to_vec};
    ///
    /// assert_eq!(to_vec(&Network32Int(16_909_060))?, [0x01, 0x02, 0x03, 0x04]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    [narrow] Network32Int(i32: 4), to_be_bytes, from_be_bytes;
    /// OCaml's `network32_int32`: the bytes of [`Network32Int`], for OCaml's type `int32`.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  4      −2^31 to 2^31−1, two's complement, BE
    ///
    /// 00 00 01 02    258
    /// ```
    ///
    /// ```
    /// use bin_prot::{Network32Int32, to_vec};
    ///
    /// assert_eq!(to_vec(&Network32Int32(258))?, [0x00, 0x00, 0x01, 0x02]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    [narrow] Network32Int32(i32: 4), to_be_bytes, from_be_bytes;
    /// OCaml's `network64_int64`: all 64 bits, big endian.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  8      −2^63 to 2^63−1, two's complement, BE
    ///
    /// 80 00 00 00 00 00 00 00    −2^63
    /// ```
    ///
    /// ```
    /// use bin_prot::{Network64Int64, to_vec};
    ///
    /// assert_eq!(to_vec(&Network64Int64(i64::MIN))?, [0x80, 0, 0, 0, 0, 0, 0, 0]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    Network64Int64(i64: 8), to_be_bytes, from_be_bytes;
}

/// Eight bytes that hold an OCaml `int`, so one bit less than they could.
macro_rules! eight_bytes_of_int {
    ($($(#[$doc:meta])* $name:ident, $to:ident, $from:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);
        common!($name(i64));

        impl BinWrite for $name {
            #[inline]
            fn bin_size(&self) -> usize {
                8
            }

            #[inline]
            fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                if !is_int63(self.0) {
                    return Err(WriteError::IntOverflow(self.0.into()));
                }
                buffer.extend_from_slice(&self.0.$to());
                Ok(())
            }
        }

        impl BinRead<'_> for $name {
            const MIN_SIZE: usize = 8;

            #[inline]
            fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
                let start = reader.offset();
                match i64::$from(reader.array()?) {
                    value if is_int63(value) => Ok(Self(value)),
                    value => Err(reader.error_at(start, ReadErrorKind::IntOverflow(value))),
                }
            }
        }
    )*};
}
eight_bytes_of_int! {
    /// OCaml's `int_64bit`: an `int` of 63 bits in eight bytes, little endian.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  8      −2^62 to 2^62−1, two's complement, LE
    ///
    /// 08 07 06 05 04 03 02 01    0x0102030405060708
    /// ff ff ff ff ff ff ff 7f    refused: needs 64 bits
    /// ```
    ///
    /// ```
    /// use bin_prot::{Int64Bit, from_slice, to_vec};
    ///
    /// let bytes = to_vec(&Int64Bit(0x0102_0304_0506_0708))?;
    /// assert_eq!(bytes, [8, 7, 6, 5, 4, 3, 2, 1]);
    /// assert!(from_slice::<Int64Bit>(&[255, 255, 255, 255, 255, 255, 255, 0x7f]).is_err());
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    Int64Bit, to_le_bytes, from_le_bytes;
    /// OCaml's `network64_int`: an `int` of 63 bits in eight bytes, big endian.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  8      −2^62 to 2^62−1, two's complement, BE
    ///
    /// 01 02 03 04 05 06 07 08    0x0102030405060708
    /// ```
    ///
    /// ```
    /// use bin_prot::{Network64Int, to_vec};
    ///
    /// assert_eq!(to_vec(&Network64Int(0x0102_0304_0506_0708))?, [1, 2, 3, 4, 5, 6, 7, 8]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    Network64Int, to_be_bytes, from_be_bytes;
}

/// OCaml's `variant_int`: a polymorphic variant's hash as a value of its own, a number `n` of 31
/// bits that travels as `2n + 1`, 32 bits, little endian (*bin_prot* §3.1).
///
/// ```text
/// offset  width  meaning
///      0  4      2n + 1, two's complement, LE
///
/// 01 00 00 00    0
/// 79 8a 00 00    17,724, the hash of "Ok"
/// ff ff ff ff    −1
/// ```
///
/// ```
/// use bin_prot::{VariantInt, to_vec, variant};
///
/// assert_eq!(to_vec(&VariantInt(variant::hash("Ok")))?, variant::tag("Ok"));
/// assert!(to_vec(&VariantInt(1 << 30)).is_err());
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariantInt(pub i32);
common!(narrow VariantInt(i32));

impl BinWrite for VariantInt {
    #[inline]
    fn bin_size(&self) -> usize {
        4
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        let doubled = self.0.checked_mul(2);
        let Some(doubled) = doubled else {
            return Err(WriteError::OutOfRange(self.0.into()));
        };
        buffer.extend_from_slice(&(doubled | 1).to_le_bytes());
        Ok(())
    }
}

impl BinRead<'_> for VariantInt {
    const MIN_SIZE: usize = 4;

    #[inline]
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let tag = crate::variant::read_polymorphic(reader)?;
        Ok(Self(i32::from_le_bytes(tag) >> 1))
    }
}
