//! Integers of variable size (*bin_prot* §2): the codes, and the Rust types that have them. Their
//! bytes are shown in [`encoding`](crate::encoding).

use std::num::TryFromIntError;

use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::read::{BinRead, Reader};
use crate::write::BinWrite;

const NEG_INT8: u8 = 0xff;
const INT16: u8 = 0xfe;
const INT32: u8 = 0xfd;
const INT64: u8 = 0xfc;

/// Largest OCaml `int`, 2^62−1; also the largest `nat0`.
const MAX_INT63: i64 = (1 << 62) - 1;
/// Smallest OCaml `int`.
const MIN_INT63: i64 = -(1 << 62);

/// Whether a number is an OCaml `int`.
#[inline]
pub(crate) const fn is_int63(value: i64) -> bool {
    matches!(value, MIN_INT63..=MAX_INT63)
}

/// Encoded size of a length or count, in bytes.
///
/// ```
/// assert_eq!([127, 128, 65_536].map(bin_prot::nat0_size), [1, 3, 5]);
/// ```
#[inline]
pub const fn nat0_size(value: usize) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// The size of the longest form.
const LONGEST: usize = 9;

// What follows is inlined without fail as far as the common cases go: between two calls the
// buffer's length goes through memory, which takes longer than all the rest of a small number.

#[inline(always)]
pub(crate) fn put_nat0(buffer: &mut Vec<u8>, value: u64) {
    match small(value) {
        Some(byte) => buffer.push(byte),
        None => put_large_nat0(buffer, value),
    }
}

/// Not inlined: lengths and counts are mostly small, and large ones have much behind them.
#[inline(never)]
fn put_large_nat0(buffer: &mut Vec<u8>, value: u64) {
    let (code, width) = match value {
        0..=0xffff => (INT16, 2),
        0x1_0000..=0xffff_ffff => (INT32, 4),
        _ => (INT64, 8),
    };
    put_code(buffer, code, value, width);
}

#[inline(always)]
fn put_signed(buffer: &mut Vec<u8>, value: i64) {
    match small(value.cast_unsigned()) {
        Some(byte) => buffer.push(byte),
        None => {
            let (code, width) = large_form(value);
            put_code(buffer, code, value.cast_unsigned(), width);
        }
    }
}

/// Code and width of a number that is not small.
#[inline(always)]
const fn large_form(value: i64) -> (u8, usize) {
    match value {
        -0x80..=-1 => (NEG_INT8, 1),
        -0x8000..=0x7fff => (INT16, 2),
        -0x8000_0000..=0x7fff_ffff => (INT32, 4),
        _ => (INT64, 8),
    }
}

/// The one byte of a number that is its own code.
#[inline(always)]
fn small(value: u64) -> Option<u8> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the arm casts to a type that holds its range"
    )]
    match value {
        0..=0x7f => Some(value as u8),
        _ => None,
    }
}

/// Appends a code and the low `width` bytes of `value`, little endian.
#[inline(always)]
fn put_code(buffer: &mut Vec<u8>, code: u8, value: u64, width: usize) {
    if buffer.capacity() - buffer.len() < LONGEST {
        return put_last_code(buffer, code, value, width);
    }
    // Storing the longest form and cutting off the surplus takes no branch for each width.
    let end = buffer.len() + 1 + width;
    buffer.extend_from_slice(&with_code(code, value));
    buffer.truncate(end);
}

/// The same where the longest form has no room: a buffer of exactly the right size must not grow.
#[cold]
fn put_last_code(buffer: &mut Vec<u8>, code: u8, value: u64, width: usize) {
    buffer.extend(with_code(code, value).iter().take(1 + width));
}

#[inline(always)]
fn with_code(code: u8, value: u64) -> [u8; LONGEST] {
    let [b0, b1, b2, b3, b4, b5, b6, b7] = value.to_le_bytes();
    [code, b0, b1, b2, b3, b4, b5, b6, b7]
}

#[inline]
const fn signed_size(value: i64) -> usize {
    match value {
        0..=0x7f => 1,
        -0x80..=-1 => 2,
        -0x8000..=0x7fff => 3,
        -0x8000_0000..=0x7fff_ffff => 5,
        _ => 9,
    }
}

/// Reads any of the forms of the signed family; `bad_code` names the type in the error.
#[inline]
fn signed(reader: &mut Reader<'_>, bad_code: fn(u8) -> ReadErrorKind) -> Result<i64, ReadError> {
    let start = reader.offset();
    match reader.byte()? {
        small @ 0..=0x7f => Ok(small.into()),
        NEG_INT8 => {
            let [byte] = reader.array()?;
            let value = i8::from_le_bytes([byte]);
            if value < 0 {
                Ok(value.into())
            } else {
                Err(reader.error_at(start, ReadErrorKind::NegInt8(byte)))
            }
        }
        INT16 => Ok(i16::from_le_bytes(reader.array()?).into()),
        INT32 => Ok(i32::from_le_bytes(reader.array()?).into()),
        INT64 => Ok(i64::from_le_bytes(reader.array()?)),
        code => Err(reader.error_at(start, bad_code(code))),
    }
}

impl Reader<'_> {
    /// Reads a natural number: every length and count is one.
    ///
    /// # Errors
    /// `Nat0_code`, `Nat0_overflow`, or the end of the input.
    #[inline]
    pub fn nat0(&mut self) -> Result<u64, ReadError> {
        let start = self.offset();
        match self.byte()? {
            small @ 0..=0x7f => Ok(small.into()),
            INT16 => Ok(u16::from_le_bytes(self.array()?).into()),
            INT32 => Ok(u32::from_le_bytes(self.array()?).into()),
            INT64 => match u64::from_le_bytes(self.array()?) {
                value if value <= MAX_INT63.cast_unsigned() => Ok(value),
                value => Err(self.error_at(start, ReadErrorKind::Nat0Overflow(value))),
            },
            code => Err(self.error_at(start, ReadErrorKind::Nat0Code(code))),
        }
    }

    /// Reads an OCaml `int`.
    ///
    /// # Errors
    /// `Int_code`, `Neg_int8`, `Int_overflow`, or the end of the input.
    #[inline]
    pub fn int(&mut self) -> Result<i64, ReadError> {
        let start = self.offset();
        let value = signed(self, ReadErrorKind::IntCode)?;
        if is_int63(value) {
            Ok(value)
        } else {
            Err(self.error_at(start, ReadErrorKind::IntOverflow(value)))
        }
    }
}

#[inline(always)]
fn put_int(buffer: &mut Vec<u8>, value: i64) -> Result<(), WriteError> {
    match small(value.cast_unsigned()) {
        Some(byte) => buffer.push(byte),
        None => match large_form(value) {
            (INT64, _) if !is_int63(value) => return Err(int_overflow(value.into())),
            (code, width) => put_code(buffer, code, value.cast_unsigned(), width),
        },
    }
    Ok(())
}

#[cold]
fn int_overflow(value: i128) -> WriteError {
    WriteError::IntOverflow(value)
}

impl BinWrite for i64 {
    #[inline]
    fn bin_size(&self) -> usize {
        signed_size(*self)
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        put_int(buffer, *self)
    }
}

impl BinRead<'_> for i64 {
    #[inline]
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.int()
    }
}

/// Integers that travel as OCaml `int` and are checked on both ways.
macro_rules! checked_as_int {
    ($($type:ty),*) => {$(
        impl BinWrite for $type {
            #[inline]
            fn bin_size(&self) -> usize {
                i64::try_from(*self).map_or(9, signed_size)
            }

            #[inline]
            fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                match i64::try_from(*self) {
                    Ok(value) => put_int(buffer, value),
                    Err(_) => Err(int_overflow(*self as i128)),
                }
            }
        }

        impl BinRead<'_> for $type {
            #[inline]
            fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
                let start = reader.offset();
                let value = reader.int()?;
                Self::try_from(value)
                    .map_err(|_| reader.error_at(start, ReadErrorKind::OutOfRange(value)))
            }
        }
    )*};
}
checked_as_int!(i8, i16, u16, u32, u64, usize);

impl BinWrite for i32 {
    #[inline]
    fn bin_size(&self) -> usize {
        signed_size((*self).into())
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        put_signed(buffer, (*self).into());
        Ok(())
    }
}

impl BinRead<'_> for i32 {
    #[inline]
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let start = reader.offset();
        // The 8-byte form is refused whatever it carries (*bin_prot* §2.4).
        if reader.rest().first() == Some(&INT64) {
            return Err(reader.error(ReadErrorKind::Int32Code(INT64)));
        }
        let value = signed(reader, ReadErrorKind::Int32Code)?;
        Self::try_from(value).map_err(|_| reader.error_at(start, ReadErrorKind::OutOfRange(value)))
    }
}

/// Newtypes over 64-bit integers that have a shape of their own.
macro_rules! integer_newtype {
    ($(#[$doc:meta])* $name:ident($inner:ty), $size:expr, $write:expr, $read:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl BinWrite for $name {
            #[inline]
            fn bin_size(&self) -> usize {
                $size(self.0)
            }

            #[inline]
            fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                $write(buffer, self.0)
            }
        }

        impl BinRead<'_> for $name {
            #[inline]
            fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
                $read(reader).map(Self)
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

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

integer_newtype!(
    /// OCaml's `int64`: all 64 bits (*bin_prot* §2.4).
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  1      00 to 7f: the value; ff, fe, fd, fc: a code
    ///      1  0 to 8 1, 2, 4 or 8 bytes of two's complement after these codes, LE
    ///
    /// fc 00 00 00 00 00 00 00 80    −2^63
    /// ```
    ///
    /// ```
    /// use bin_prot::{Int64, to_vec};
    ///
    /// assert_eq!(to_vec(&Int64(i64::MIN))?, [0xfc, 0, 0, 0, 0, 0, 0, 0, 0x80]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    Int64(i64),
    signed_size,
    |buffer, value| {
        put_signed(buffer, value);
        Ok(())
    },
    |reader| signed(reader, ReadErrorKind::Int64Code)
);
integer_newtype!(
    /// OCaml's `nativeint`: 64 bits on the machines this project talks to (*bin_prot* §2.4). The
    /// bytes of an [`Int64`].
    ///
    /// ```text
    /// ff 80    −128
    /// ```
    ///
    /// ```
    /// assert_eq!(bin_prot::to_vec(&bin_prot::Nativeint(-128))?, [0xff, 0x80]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    Nativeint(i64),
    signed_size,
    |buffer, value| {
        put_signed(buffer, value);
        Ok(())
    },
    |reader| signed(reader, ReadErrorKind::NativeintCode)
);
integer_newtype!(
    /// Core's `Int63`: the encoding of `int`, with a shape of its own. Query ids and times are
    /// of this type. A value outside of 63 bits is a write error.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  1      00 to 7f: the value; ff, fe, fd, fc: a code
    ///      1  0 to 8 1, 2, 4 or 8 bytes of two's complement after these codes, LE
    ///
    /// fe 2c 01    300
    /// ```
    ///
    /// ```
    /// use bin_prot::{Int63, WriteError, to_vec};
    ///
    /// assert_eq!(to_vec(&Int63(300))?, [0xfe, 0x2c, 0x01]);
    /// let error = to_vec(&Int63(1 << 62)).unwrap_err();
    /// assert_eq!(error, WriteError::IntOverflow(1 << 62));
    /// # Ok::<(), WriteError>(())
    /// ```
    Int63(i64),
    signed_size,
    put_int,
    Reader::int
);
integer_newtype!(
    /// A natural number below 2^62: the form of every length and count (*bin_prot* §2.2).
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  1      00 to 7f: the value; fe, fd, fc: a code
    ///      1  0 to 8 2, 4 or 8 bytes after these codes, unsigned, LE
    ///
    /// fe ff ff          65,535
    /// fd 00 00 01 00    65,536
    /// ```
    ///
    /// ```
    /// use bin_prot::{Nat0, to_vec};
    ///
    /// assert_eq!(to_vec(&Nat0(65_535))?, [0xfe, 0xff, 0xff]);
    /// assert_eq!(to_vec(&Nat0(65_536))?, [0xfd, 0x00, 0x00, 0x01, 0x00]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    Nat0(u64),
    |value| nat0_size(usize::try_from(value).unwrap_or(usize::MAX)),
    |buffer, value: u64| {
        if value > MAX_INT63.cast_unsigned() {
            return Err(int_overflow(value.into()));
        }
        put_nat0(buffer, value);
        Ok(())
    },
    Reader::nat0
);

impl TryFrom<i64> for Nat0 {
    type Error = TryFromIntError;

    fn try_from(value: i64) -> Result<Self, Self::Error> {
        value.try_into().map(Self)
    }
}

impl TryFrom<Nat0> for i64 {
    type Error = TryFromIntError;

    fn try_from(value: Nat0) -> Result<Self, Self::Error> {
        value.0.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{from_slice, to_vec};

    #[track_caller]
    fn check<T>(value: T, bytes: &[u8])
    where
        T: BinWrite + for<'a> BinRead<'a> + PartialEq + std::fmt::Debug,
    {
        assert_eq!(to_vec(&value).unwrap(), bytes);
        assert_eq!(value.bin_size(), bytes.len());
        assert_eq!(from_slice::<T>(bytes).unwrap(), value);
    }

    #[test]
    fn int_switches_forms_at_the_documented_values() {
        check(0_i64, &[0]);
        check(127_i64, &[0x7f]);
        check(128_i64, &[0xfe, 0x80, 0]);
        check(32_768_i64, &[0xfd, 0, 0x80, 0, 0]);
        check(-1_i64, &[0xff, 0xff]);
        check(-128_i64, &[0xff, 0x80]);
        check(-129_i64, &[0xfe, 0x7f, 0xff]);
        check(MAX_INT63, &[0xfc, 255, 255, 255, 255, 255, 255, 255, 0x3f]);
        check(MIN_INT63, &[0xfc, 0, 0, 0, 0, 0, 0, 0, 0xc0]);
    }

    #[test]
    fn nat0_has_its_own_thresholds() {
        check(Nat0(65_535), &[0xfe, 0xff, 0xff]);
        check(Nat0(65_536), &[0xfd, 0, 0, 1, 0]);
        check(65_535_i64, &[0xfd, 0xff, 0xff, 0, 0]);
    }

    #[test]
    fn value_outside_63_bits_is_a_write_error() {
        assert_eq!(
            to_vec(&(MAX_INT63 + 1)),
            Err(WriteError::IntOverflow(i128::from(MAX_INT63) + 1))
        );
        assert!(to_vec(&u64::MAX).is_err());
        assert!(to_vec(&Nat0(1 << 62)).is_err());
        check(Int64(i64::MIN), &[0xfc, 0, 0, 0, 0, 0, 0, 0, 0x80]);
    }

    #[test]
    fn a_buffer_of_the_right_size_neither_grows_nor_changes_the_bytes() {
        let powers = (0..62).flat_map(|bit| [1_i64 << bit, -(1 << bit)]);
        for value in powers.flat_map(|power| [power - 1, power, power + 1]) {
            let roomy = to_vec(&(value, 0_i64, 0_i64)).unwrap();
            let alone = to_vec(&value).unwrap();
            assert_eq!(roomy[..roomy.len() - 2], alone);
            assert_eq!(alone.capacity(), alone.len());
            let natural = Nat0(value.unsigned_abs());
            let alone = to_vec(&natural).unwrap();
            assert_eq!(from_slice(&alone), Ok(natural));
            assert_eq!(alone.capacity(), natural.bin_size());
        }
    }

    #[test]
    fn narrow_rust_integers_refuse_what_they_cannot_hold() {
        let bytes = to_vec(&300_i64).unwrap();
        assert_eq!(
            from_slice::<i8>(&bytes).unwrap_err().kind,
            ReadErrorKind::OutOfRange(300)
        );
        assert_eq!(from_slice::<u16>(&bytes), Ok(300));
    }

    #[test]
    fn int32_refuses_the_eight_byte_form() {
        let error = from_slice::<i32>(&[0xfc, 5, 0, 0, 0, 0, 0, 0, 0]).unwrap_err();
        assert_eq!(error.kind, ReadErrorKind::Int32Code(0xfc));
    }
}
