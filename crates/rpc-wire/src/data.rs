//! The user's value inside a message: a length, then bytes that only the RPC's type explains.

use bin_prot::{BinRead, BinWrite, ReadError, Reader, WriteError, nat0_size, write_nat0};
use thiserror::Error;

/// A length-prefixed payload (*protocol* §6).
///
/// ```text
/// offset  width       meaning
///      0  1, 3, 5, 9  N, a nat0
///                     then
///         N           the value's encoding
///
/// 06  05 68 65 6c 6c 6f    the string "hello"
/// ```
///
/// ```
/// use rpc_wire::Data;
///
/// let data: Data<'_> = bin_prot::from_slice(b"\x06\x05hello")?;
/// let value: &str = bin_prot::from_slice(data.bytes()?)?;
/// assert_eq!(value, "hello");
/// assert_eq!(bin_prot::to_vec(&Data::new(b"\x05hello"))?, b"\x06\x05hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A length that passes the end of the frame is kept for what it is: it spoils that one query or
/// response, not the connection (rule C-RD-14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    announced: u64,
    bytes: &'a [u8],
}

/// A payload whose length passes the end of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("payload of {announced} bytes, but the frame has only {left} left")]
pub struct Overlong {
    /// The length announced.
    pub announced: u64,
    /// The bytes that are there.
    pub left: usize,
}

impl<'a> Data<'a> {
    /// The payload that consists of these bytes.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            announced: bytes.len() as u64,
            bytes,
        }
    }

    /// The length that was announced, and the bytes that the frame has of it.
    pub(crate) fn from_parts(announced: u64, bytes: &'a [u8]) -> Self {
        Self { announced, bytes }
    }

    /// The length that was announced.
    pub(crate) fn announced(self) -> u64 {
        self.announced
    }

    /// The bytes that the frame has of it.
    #[inline]
    pub fn present(self) -> &'a [u8] {
        self.bytes
    }

    /// The payload's bytes.
    ///
    /// # Errors
    /// Fewer bytes were left in the frame than the length announced.
    #[inline]
    pub fn bytes(self) -> Result<&'a [u8], Overlong> {
        if self.announced == self.bytes.len() as u64 {
            Ok(self.bytes)
        } else {
            Err(Overlong {
                announced: self.announced,
                left: self.bytes.len(),
            })
        }
    }
}

impl<'a> BinRead<'a> for Data<'a> {
    #[inline]
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        let announced = reader.nat0()?;
        let there = announced.min(reader.remaining() as u64);
        let bytes = reader.take(there)?;
        Ok(Self { announced, bytes })
    }
}

impl BinWrite for Data<'_> {
    #[inline]
    fn bin_size(&self) -> usize {
        let announced = usize::try_from(self.announced).unwrap_or(usize::MAX);
        nat0_size(announced) + self.bytes.len()
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        write_nat0(
            buffer,
            usize::try_from(self.announced).unwrap_or(usize::MAX),
        );
        buffer.extend_from_slice(self.bytes);
        Ok(())
    }
}
