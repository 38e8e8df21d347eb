//! What can go wrong while reading and writing.

use thiserror::Error;

use crate::integer::nat0_size;
use crate::variant;

/// Why bytes could not be read as a value, and where.
///
/// ```
/// use bin_prot::{ReadErrorKind, from_slice};
///
/// let error = from_slice::<(i64, bool)>(&[0x05, 0x07]).unwrap_err();
/// assert_eq!(error.to_string(), "at byte 1: bool is 00 or 01, found 0x07");
/// assert_eq!(error.kind.reference_name(), Some("Bool_code"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("at byte {offset}: {kind}")]
pub struct ReadError {
    /// What was wrong.
    pub kind: ReadErrorKind,
    /// Offset from the start of the [`Reader`](crate::Reader)'s input, at which the offending
    /// code, tag or length begins.
    pub offset: usize,
}

impl ReadError {
    /// The offset that the reference gives for this error, as in the golden vectors: that of the
    /// offending bytes, but for an unknown tag and for a list beyond its maximum what follows them
    /// (*bin_prot* §12). `None` where it gives none.
    pub fn reference_position(&self) -> Option<usize> {
        let beyond = match self.kind {
            ReadErrorKind::BufferShort { .. } => return None,
            ReadErrorKind::SumTag { constructors, .. } => variant::tag_bytes(constructors),
            ReadErrorKind::Variant(_) => variant::POLYMORPHIC_TAG_BYTES,
            ReadErrorKind::ListTooLong { count, .. } => usize::try_from(count).map_or(9, nat0_size),
            kind => {
                kind.reference_name()?;
                0
            }
        };
        Some(self.offset.saturating_add(beyond))
    }
}

/// What was wrong with the bytes; names follow §12 of the *bin_prot* page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// The input ended inside the value.
    #[error("{needed} bytes expected, {left} left")]
    BufferShort {
        /// Bytes that were needed from this offset on.
        needed: u64,
        /// Bytes that were there.
        left: usize,
    },
    /// The code of a negative 8-bit integer was followed by a number that is not negative.
    #[error("code ff needs a negative byte, found {0:#04x}")]
    NegInt8(u8),
    /// No `int` begins with this byte.
    #[error("{0:#04x} does not begin an int")]
    IntCode(u8),
    /// The number does not fit the 63 bits of an OCaml `int`.
    #[error("{0} does not fit 63 bits")]
    IntOverflow(i64),
    /// No natural number begins with this byte.
    #[error("{0:#04x} does not begin a natural number")]
    Nat0Code(u8),
    /// The natural number is 2^62 or more.
    #[error("{0} does not fit 62 bits")]
    Nat0Overflow(u64),
    /// No `int32` begins with this byte.
    #[error("{0:#04x} does not begin an int32")]
    Int32Code(u8),
    /// No `int64` begins with this byte.
    #[error("{0:#04x} does not begin an int64")]
    Int64Code(u8),
    /// No `nativeint` begins with this byte.
    #[error("{0:#04x} does not begin a nativeint")]
    NativeintCode(u8),
    /// An `int` that is out of range for the Rust type it is read into.
    #[error("{0} is out of range for the type")]
    OutOfRange(i64),
    /// A unit is the byte 0.
    #[error("unit is 00, found {0:#04x}")]
    UnitCode(u8),
    /// A bool is 0 or 1.
    #[error("bool is 00 or 01, found {0:#04x}")]
    BoolCode(u8),
    /// An option begins with 0 or 1.
    #[error("option begins with 00 or 01, found {0:#04x}")]
    OptionCode(u8),
    /// An `or_null` begins with 0 or 1.
    #[error("or_null begins with 00 or 01, found {0:#04x}")]
    OrNullCode(u8),
    /// The bytes of a string that is read as text are no UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A list longer than its maximum.
    #[error("list of {count} elements, at most {limit} allowed")]
    ListTooLong {
        /// Elements announced.
        count: u64,
        /// Elements allowed.
        limit: u64,
    },
    /// The four bytes of a polymorphic variant have their lowest bit clear.
    #[error("{0:#010x} is not the tag of a polymorphic variant")]
    VariantTag(u32),
    /// No constructor has this number.
    #[error("tag {tag} of a type with {constructors} constructors")]
    SumTag {
        /// The tag found.
        tag: u16,
        /// How many constructors the type has.
        constructors: u16,
    },
    /// No constructor of the polymorphic variant has this hash.
    #[error("no constructor has the hash {0}")]
    Variant(i32),
    /// The type has no values.
    #[error("the type has no values")]
    EmptyType,
    /// A key of a map, or an element of a set, occurs twice.
    #[error("duplicate key or element")]
    Duplicate,
    /// The input is longer than the reader's limit.
    #[error("{length} bytes of input exceed the limit of {limit}")]
    TooLong {
        /// The input's length.
        length: usize,
        /// The reader's limit.
        limit: usize,
    },
    /// Values are nested deeper than the reader's limit.
    #[error("nested deeper than {0} levels")]
    TooDeep(u32),
    /// The value ended before its input did.
    #[error("{0} bytes left over")]
    TrailingBytes(usize),
    /// A rule of the type itself was broken.
    #[error("{0}")]
    Invalid(&'static str),
}

impl ReadErrorKind {
    /// The reference's name of this error, as in the golden vectors; errors that it does not
    /// have (limits of ours, rules of single types) give `None`.
    pub fn reference_name(self) -> Option<&'static str> {
        Some(match self {
            Self::BufferShort { .. } => "Buffer_short",
            Self::NegInt8(_) => "Neg_int8",
            Self::IntCode(_) => "Int_code",
            Self::IntOverflow(_) => "Int_overflow",
            Self::Nat0Code(_) => "Nat0_code",
            Self::Nat0Overflow(_) => "Nat0_overflow",
            Self::Int32Code(_) => "Int32_code",
            Self::Int64Code(_) => "Int64_code",
            Self::NativeintCode(_) => "Nativeint_code",
            Self::UnitCode(_) => "Unit_code",
            Self::BoolCode(_) => "Bool_code",
            Self::OptionCode(_) => "Option_code",
            Self::OrNullCode(_) => "Or_null_code",
            Self::ListTooLong { .. } => "List_too_long",
            Self::VariantTag(_) => "Variant_tag",
            Self::SumTag { .. } => "Sum_tag",
            Self::Variant(_) => "Variant",
            Self::EmptyType => "Empty_type",
            Self::OutOfRange(_)
            | Self::NotUtf8
            | Self::Duplicate
            | Self::TooLong { .. }
            | Self::TooDeep(_)
            | Self::TrailingBytes(_)
            | Self::Invalid(_) => return None,
        })
    }
}

/// Why a value has no encoding.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// An OCaml `int` has 63 bits: −2^62 to 2^62−1.
    #[error("{0} does not fit the 63 bits of an OCaml int")]
    IntOverflow(i128),
    /// A number that its type has no room for.
    #[error("{0} is out of range for the type")]
    OutOfRange(i64),
    /// A rule of the type itself was broken.
    #[error("{0}")]
    Invalid(&'static str),
}
