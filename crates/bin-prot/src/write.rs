//! Writing: exact size first, then the bytes.

use crate::error::WriteError;

/// A type that can be written in its `bin_prot` encoding.
///
/// Size and bytes must agree: [`bin_write`](Self::bin_write) appends exactly
/// [`bin_size`](Self::bin_size) bytes. Payloads are preceded by their length on the wire, so the
/// size is asked before the first byte is written.
///
/// Mostly derived; by hand it takes both methods:
///
/// ```
/// use bin_prot::{BinWrite, WriteError, to_vec};
///
/// /// A temperature, as the number of tenths of a degree.
/// struct Celsius(f64);
///
/// impl Celsius {
///     fn tenths(&self) -> i64 {
///         (self.0 * 10.0).round() as i64
///     }
/// }
///
/// impl BinWrite for Celsius {
///     fn bin_size(&self) -> usize {
///         self.tenths().bin_size()
///     }
///
///     fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
///         self.tenths().bin_write(buffer)
///     }
/// }
///
/// assert_eq!(to_vec(&Celsius(-0.1))?, [0xff, 0xff]);
/// # Ok::<(), WriteError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no bin_prot encoding that can be written",
    note = "types of one's own get it by #[derive(BinProt)]",
    note = "a field of another type can be converted: #[bin_prot(as = Type)]"
)]
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
/// ```
/// assert_eq!(bin_prot::to_vec(&vec![1_i64, 300])?, [0x02, 0x01, 0xfe, 0x2c, 0x01]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
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
///
/// ```
/// let mut buffer = Vec::new();
/// bin_prot::write_nat0(&mut buffer, 300);
/// assert_eq!(buffer, [0xfe, 0x2c, 0x01]);
/// ```
#[inline]
pub fn write_nat0(buffer: &mut Vec<u8>, value: usize) {
    crate::integer::put_nat0(buffer, value as u64);
}
