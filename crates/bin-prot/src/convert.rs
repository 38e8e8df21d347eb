//! Fields that travel as another type than they have in Rust; what the derive's output calls for
//! `#[bin_prot(as = Type)]`.
//!
//! The field's type is converted to the other one for writing, and back after reading. Both may
//! fail, as numbers do that are out of range.
//!
//! ```
//! use bin_prot::{BinProt, Int16Bit, Int64, to_vec};
//!
//! #[derive(BinProt)]
//! struct Header {
//!     #[bin_prot(as = Int16Bit)]
//!     flags: i64,
//!     #[bin_prot(as = Int64)]
//!     nonce: i64,
//! }
//!
//! let header = Header { flags: 258, nonce: i64::MAX };
//! assert_eq!(
//!     to_vec(&header)?,
//!     [0x02, 0x01, 0xfc, 255, 255, 255, 255, 255, 255, 255, 0x7f]
//! );
//! assert!(to_vec(&Header { flags: 65_536, nonce: 0 }).is_err());
//! # Ok::<(), bin_prot::WriteError>(())
//! ```

use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::read::{BinRead, Reader};
use crate::write::BinWrite;

/// Reads a value of type `W` and converts it.
///
/// # Errors
/// The bytes are no value of type `W`, or it cannot be converted
/// ([`Invalid`](ReadErrorKind::Invalid)).
#[inline]
pub fn read_as<'a, W, T>(reader: &mut Reader<'a>) -> Result<T, ReadError>
where
    W: BinRead<'a> + TryInto<T>,
{
    let start = reader.offset();
    let value = W::bin_read(reader)?;
    value
        .try_into()
        .map_err(|_| reader.error_at(start, ReadErrorKind::Invalid(NO_COUNTERPART)))
}

/// The size of a value after its conversion.
#[inline]
pub fn size_as<W, T>(value: &T) -> usize
where
    W: BinWrite,
    T: Clone + TryInto<W>,
{
    value.clone().try_into().map_or(0, |value| value.bin_size())
}

/// Converts a value and writes it.
///
/// # Errors
/// The value cannot be converted, or what it becomes cannot be written.
#[inline]
pub fn write_as<W, T>(value: &T, buffer: &mut Vec<u8>) -> Result<(), WriteError>
where
    W: BinWrite,
    T: Clone + TryInto<W>,
{
    match value.clone().try_into() {
        Ok(value) => value.bin_write(buffer),
        Err(_) => Err(WriteError::Invalid(NO_COUNTERPART)),
    }
}

const NO_COUNTERPART: &str = "the value has no counterpart in the field's other type";
