//! Quantities, and the characters of Unicode.

use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::read::Reader;
use crate::shape::identity::{PERCENT, PERCENT_OPTION, PERCENT_OPTION_V2, PERCENT_V2};
use crate::shape::{BinShape, Shape};
use crate::{BinProt, BinRead, BinWrite, Int63};

macro_rules! percent {
    ($($name:ident $base:ident, $option:ident $option_base:ident, $version:literal;)*) => {$(
        #[doc = concat!("`Percent` in its stable version ", $version, ": 1.0 is 100 %.")]
        ///
        /// ```text
        /// offset  width  meaning
        ///      0  8      the float, LE
        ///
        /// 00 00 00 00 00 00 e0 3f    50 %
        /// ```
        ///
        /// ```
        #[doc = concat!("use bin_prot::library::", stringify!($name), ";")]
        /// use bin_prot::to_vec;
        ///
        #[doc = concat!("assert_eq!(to_vec(&", stringify!($name), "(0.5))?, [0, 0, 0, 0, 0, 0, 0xe0, 0x3f]);")]
        /// # Ok::<(), bin_prot::WriteError>(())
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, BinRead, BinWrite)]
        pub struct $name(pub f64);

        impl BinShape for $name {
            fn bin_shape() -> Shape {
                Shape::base($base, [f64::bin_shape()])
            }
        }

        #[doc = concat!("`Percent.Option` in its stable version ", $version, ": NaN is none.")]
        ///
        /// ```text
        /// offset  width  meaning
        ///      0  8      the float, LE
        ///
        /// 00 00 00 00 00 00 f8 7f    none
        /// ```
        ///
        /// ```
        #[doc = concat!("use bin_prot::library::", stringify!($option), ";")]
        /// use bin_prot::to_vec;
        ///
        #[doc = concat!("assert_eq!(to_vec(&", stringify!($option), "(None))?, [0, 0, 0, 0, 0, 0, 0xf8, 0x7f]);")]
        /// # Ok::<(), bin_prot::WriteError>(())
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
        pub struct $option(pub Option<$name>);

        impl BinWrite for $option {
            fn bin_size(&self) -> usize {
                8
            }

            fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                self.0.map_or(f64::NAN, |percent| percent.0).bin_write(buffer)
            }
        }

        impl BinRead<'_> for $option {
            const MIN_SIZE: usize = 8;

            fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
                let float = f64::bin_read(reader)?;
                Ok(Self((!float.is_nan()).then_some($name(float))))
            }
        }

        impl BinShape for $option {
            fn bin_shape() -> Shape {
                Shape::base($option_base, [$name::bin_shape()])
            }
        }
    )*};
}
percent! {
    Percent PERCENT, PercentOption PERCENT_OPTION, "3";
    PercentV2 PERCENT_V2, PercentOptionV2 PERCENT_OPTION_V2, "2";
}

/// `Percent` in its stable version 1, which has the shape of a float.
///
/// ```text
/// offset  width  meaning
///      0  8      the float, LE
///
/// 00 00 00 00 00 00 f0 3f    100 %
/// ```
///
/// ```
/// use bin_prot::library::PercentV1;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&PercentV1(1.0))?, [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, BinProt)]
pub struct PercentV1(pub f64);

/// `Byte_units` in its stable version 2: a number of bytes.
///
/// ```text
/// offset  width  meaning
///      0  1 to 9 the number, an int
///
/// fe e8 03    1,000 bytes
/// ```
///
/// ```
/// use bin_prot::library::ByteUnits;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&ByteUnits(1_000))?, [0xfe, 0xe8, 0x03]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteUnits(pub i64);

impl BinWrite for ByteUnits {
    fn bin_size(&self) -> usize {
        Int63(self.0).bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        Int63(self.0).bin_write(buffer)
    }
}

impl BinRead<'_> for ByteUnits {
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.int().map(Self)
    }
}

impl BinShape for ByteUnits {
    fn bin_shape() -> Shape {
        Int63::bin_shape()
    }
}

/// `Byte_units` in its stable version 1: a number of bytes, as a float.
///
/// ```text
/// offset  width  meaning
///      0  8      the float, LE
///
/// 00 00 00 00 00 00 00 40    2 bytes
/// ```
///
/// ```
/// use bin_prot::library::ByteUnitsV1;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&ByteUnitsV1(2.0))?, [0, 0, 0, 0, 0, 0, 0, 0x40]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, BinProt)]
pub struct ByteUnitsV1(pub f64);

/// OCaml's `Uchar`: the scalar value, as an int.
///
/// ```text
/// offset  width  meaning
///      0  1 to 9 the number, an int
///
/// fd ff ff 10 00    U+10FFFF
/// ```
///
/// ```
/// assert_eq!(bin_prot::to_vec(&'\u{10ffff}')?, [0xfd, 0xff, 0xff, 0x10, 0x00]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
impl BinWrite for char {
    fn bin_size(&self) -> usize {
        u32::from(*self).bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        u32::from(*self).bin_write(buffer)
    }
}

impl BinRead<'_> for char {
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let start = reader.offset();
        let number = reader.int()?;
        let char = u32::try_from(number).ok().and_then(Self::from_u32);
        char.ok_or_else(|| reader.error_at(start, ReadErrorKind::OutOfRange(number)))
    }
}

impl BinShape for char {
    fn bin_shape() -> Shape {
        Shape::annotate("324418b0-897e-11ee-a1ba-aaa233d0b6a7", i64::bin_shape())
    }
}
