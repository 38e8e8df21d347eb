//! Writing: exact size first, then the bytes.

use crate::error::WriteError;

/// A type that can be written in its `bin_prot` encoding.
///
/// Size and bytes must agree: [`bin_write`](Self::bin_write) appends exactly
/// [`bin_size`](Self::bin_size) bytes. Payloads are preceded by their length on the wire, so the
/// size is asked before the first byte is written.
pub trait BinWrite {
    /// The number of bytes that [`bin_write`](Self::bin_write) appends.
    ///
    /// For a value that cannot be written the result is unspecified.
    fn bin_size(&self) -> usize;

    /// Appends the encoding to `buffer`.
    ///
    /// # Errors
    /// The value has no encoding, such as an `i64` that needs more than 63 bits. What was
    /// appended before the error was found stays in the buffer; the caller truncates.
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError>;
}

impl<T: BinWrite + ?Sized> BinWrite for &T {
    #[inline]
    fn bin_size(&self) -> usize {
        (**self).bin_size()
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        (**self).bin_write(buffer)
    }
}

/// The encoding of one value, in a buffer of exactly its size.
///
/// # Errors
/// The value has no encoding.
pub fn to_vec<T: BinWrite + ?Sized>(value: &T) -> Result<Vec<u8>, WriteError> {
    let mut buffer = Vec::with_capacity(value.bin_size());
    value.bin_write(&mut buffer)?;
    Ok(buffer)
}

/// Appends a length or count.
///
/// Lengths of values in memory always fit the 62 bits that a `nat0` has.
#[inline]
pub fn write_nat0(buffer: &mut Vec<u8>, value: usize) {
    crate::integer::put_nat0(buffer, value as u64);
}
