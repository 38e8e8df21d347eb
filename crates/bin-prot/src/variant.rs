//! Tags of ordinary and polymorphic variants; what the derive's output calls.
//!
//! An ordinary variant begins with its constructor's number: one byte in a type of up to 256
//! constructors, two (little endian) in a larger one. A polymorphic variant begins with four
//! bytes that hold a hash of the constructor's name (*bin_prot* §3.1, §7).
//!
//! ```text
//! 02                    the third constructor, without arguments
//! 00 01                 constructor 256 of a type of more than 256
//! 85 00 00 00  05       `B 5
//! ```
//!
//! ```
//! use bin_prot::{BinProt, to_vec};
//!
//! #[derive(BinProt)]
//! enum Ordinary { A, B(i64), C }
//!
//! #[derive(BinProt)]
//! #[bin_prot(polymorphic)]
//! enum Polymorphic { A, B(i64) }
//!
//! assert_eq!(to_vec(&Ordinary::C)?, [0x02]);
//! assert_eq!(to_vec(&Polymorphic::B(5))?, [0x85, 0, 0, 0, 0x05]);
//! # Ok::<(), bin_prot::WriteError>(())
//! ```

use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::read::Reader;

/// The hash of a polymorphic variant's constructor, a 31-bit signed number.
///
/// ```
/// assert_eq!(bin_prot::variant::hash("Ok"), 17_724);
/// assert_eq!(bin_prot::variant::hash("Query"), -250_086_680);
/// ```
pub const fn hash(name: &str) -> i32 {
    hash_of(name.as_bytes())
}

const fn hash_of(mut bytes: &[u8]) -> i32 {
    let mut accumulator: u32 = 0;
    while let [first, rest @ ..] = bytes {
        accumulator = accumulator.wrapping_mul(223).wrapping_add(*first as u32);
        bytes = rest;
    }
    // Sign-extend the low 31 bits.
    (accumulator << 1).cast_signed() >> 1
}

/// The four bytes by which a polymorphic variant's constructor travels.
///
/// ```
/// assert_eq!(bin_prot::variant::tag("Ok"), [0x79, 0x8a, 0, 0]);
/// ```
pub const fn tag(name: &str) -> [u8; 4] {
    tag_of(name.as_bytes())
}

/// [`tag`] of a name that need not be UTF-8.
pub(crate) const fn tag_of(name: &[u8]) -> [u8; 4] {
    (hash_of(name).cast_unsigned() << 1 | 1).to_le_bytes()
}

/// Reads the tag of a type with up to 256 constructors.
///
/// # Errors
/// `Sum_tag` when no constructor has the number, `Empty_type` when there is none at all.
#[inline]
pub fn read_tag(reader: &mut Reader<'_>, constructors: u16) -> Result<u8, ReadError> {
    if constructors == 0 {
        return Err(reader.error(ReadErrorKind::EmptyType));
    }
    let tag = reader.byte()?;
    if u16::from(tag) < constructors {
        Ok(tag)
    } else {
        Err(bad_tag(reader, tag.into(), constructors))
    }
}

/// Reads the tag of a type with more than 256 constructors.
///
/// # Errors
/// `Sum_tag` when no constructor has the number.
pub fn read_wide_tag(reader: &mut Reader<'_>, constructors: u16) -> Result<u16, ReadError> {
    let tag = u16::from_le_bytes(reader.array()?);
    if tag < constructors {
        Ok(tag)
    } else {
        Err(bad_tag(reader, tag, constructors))
    }
}

/// How many bytes the tag takes in a type of so many constructors.
pub(crate) const fn tag_bytes(constructors: u16) -> usize {
    if constructors <= 256 { 1 } else { 2 }
}

/// How many bytes the tag of a polymorphic variant takes.
pub(crate) const POLYMORPHIC_TAG_BYTES: usize = 4;

/// Runs `read`, which reads what follows a constructor's tag.
///
/// Without optimisation, a function's stack frame has room for all its branches at once. A
/// recursive type of many constructors would need several times the stack for each level if they
/// were not functions of their own.
///
/// # Errors
/// Those of `read`.
#[inline]
pub fn read_arguments<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, ReadError>,
) -> Result<T, ReadError> {
    read(reader)
}

/// Runs `write`, which writes what follows a constructor's tag; the counterpart of
/// [`read_arguments`].
///
/// # Errors
/// Those of `write`.
#[inline]
pub fn write_arguments(
    buffer: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    write(buffer)
}

/// The error of a tag that no constructor has. `reader` has just read it; the error is at the
/// tag's own offset.
#[cold]
pub fn bad_tag(reader: &Reader<'_>, tag: u16, constructors: u16) -> ReadError {
    let start = reader.offset().saturating_sub(tag_bytes(constructors));
    reader.error_at(start, ReadErrorKind::SumTag { tag, constructors })
}

/// Reads the four bytes of a polymorphic variant and returns them; compare with [`tag`].
///
/// # Errors
/// `Variant_tag` when they are no tag at all.
#[inline]
pub fn read_polymorphic(reader: &mut Reader<'_>) -> Result<[u8; 4], ReadError> {
    let start = reader.offset();
    let tag = reader.array()?;
    let word = u32::from_le_bytes(tag);
    if word & 1 == 1 {
        Ok(tag)
    } else {
        Err(reader.error_at(start, ReadErrorKind::VariantTag(word)))
    }
}

/// A polymorphic variant, which others can include with `#[bin_prot(inherit)]`.
///
/// The derive implements it beside [`BinRead`](crate::BinRead).
///
/// ```
/// use bin_prot::{BinProt, to_vec};
///
/// #[derive(BinProt)]
/// #[bin_prot(polymorphic)]
/// enum Warm { Red, Orange }
///
/// #[derive(BinProt)]
/// #[bin_prot(polymorphic)]
/// enum Color {
///     Blue,
///     #[bin_prot(inherit)]
///     Warm(Warm),
/// }
///
/// // Nothing tells where the constructor comes from.
/// assert_eq!(to_vec(&Color::Warm(Warm::Red))?, to_vec(&Warm::Red)?);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no polymorphic variant and cannot be included in one",
    note = "a polymorphic variant is an enum with #[derive(BinProt)] and #[bin_prot(polymorphic)]"
)]
pub trait Polymorphic {
    /// Whether one of the constructors, own or included, has this [`tag`].
    fn has_tag(tag: [u8; 4]) -> bool;
}

impl<T: Polymorphic + ?Sized> Polymorphic for Box<T> {
    fn has_tag(tag: [u8; 4]) -> bool {
        T::has_tag(tag)
    }
}

/// The error of a polymorphic variant that has no constructor with these four bytes. `reader` has
/// just read them; the error is at their own offset.
#[cold]
pub fn unknown(reader: &Reader<'_>, tag: [u8; 4]) -> ReadError {
    let start = reader.offset().saturating_sub(POLYMORPHIC_TAG_BYTES);
    let hash = i32::from_le_bytes(tag) >> 1;
    reader.error_at(start, ReadErrorKind::Variant(hash))
}
