//! How the user's values become bytes inside a message.
//!
//! | Codec | For | Digests in menus |
//! |---|---|---|
//! | [`BinProt`] | what OCaml peers use; the default | yes |
//! | [`Raw`] | bytes that are encoded already | no |
//! | `Protobuf`, with the feature `prost` | Protocol Buffers | no |
//!
//! An RPC's definition names its codec; any other can be made by implementing [`Codec`].

pub(crate) mod dump;
#[cfg(feature = "prost")]
mod prost;
mod raw;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bin_prot::shape::{Digest, Shape};
use bin_prot::{BinReadOwned, BinShape, BinWrite, ReadError, ReadErrorKind, WriteError};
use rpc_wire::Data;

use crate::error::HandlerError;

#[cfg(feature = "prost")]
pub use prost::Protobuf;
pub use raw::Raw;

/// Encodes and decodes the values of one type: the payload of an RPC.
///
/// The envelope around it is always bin_prot; both ends have to agree on the payload's codec.
/// [`BinProt`] is the default of every RPC definition.
///
/// A value is encoded where the output is being collected, and the connection is locked
/// meanwhile; so a codec computes, and does nothing else. A codec that panics spoils the one
/// message.
///
/// ```
/// use std::fmt::Display;
/// use std::str::FromStr;
///
/// use bin_prot::WriteError;
/// use bin_prot::shape::Digest;
/// use rpc_core::Rpc;
/// use rpc_core::payload::{Codec, Undecodable};
///
/// /// Values as people write them.
/// enum Text {}
///
/// impl<T: Display + FromStr<Err: Display>> Codec<T> for Text {
///     fn size(value: &T) -> usize {
///         value.to_string().len()
///     }
///
///     fn write(value: &T, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
///         buffer.extend_from_slice(value.to_string().as_bytes());
///         Ok(())
///     }
///
///     fn read(bytes: &[u8]) -> Result<T, Undecodable> {
///         let text = std::str::from_utf8(bytes).map_err(Undecodable::new)?;
///         text.parse().map_err(Undecodable::new)
///     }
///
///     fn digest() -> Option<Digest> {
///         None
///     }
/// }
///
/// static SQUARE_ROOT: Rpc<f64, f64, Text> = Rpc::new("square-root", 1);
/// # let _ = &SQUARE_ROOT;
/// ```
pub trait Codec<T>: Send + Sync + 'static {
    /// The exact number of bytes that [`write`](Self::write) appends.
    fn size(value: &T) -> usize;

    /// Appends the value's encoding.
    ///
    /// # Errors
    /// The value has no encoding. What was appended is cut off again.
    fn write(value: &T, buffer: &mut Vec<u8>) -> Result<(), WriteError>;

    /// Reads a value that takes up the whole of `bytes`.
    ///
    /// # Errors
    /// The bytes are no value, or go on after it.
    fn read(bytes: &[u8]) -> Result<T, Undecodable>;

    /// The structure of the type, if the codec knows of such a thing. Default: none.
    fn shape() -> Option<Shape> {
        None
    }

    /// The digest of the type's shape, for menus; `None` if the codec has no shapes. Default: that
    /// of [`shape`](Self::shape).
    fn digest() -> Option<Digest> {
        Self::shape()?.digest().ok()
    }
}

/// The bin_prot codec: what OCaml peers use.
#[derive(Clone, Copy, Debug)]
pub enum BinProt {}

impl<T: BinReadOwned + BinWrite + BinShape> Codec<T> for BinProt {
    #[inline]
    fn size(value: &T) -> usize {
        value.bin_size()
    }

    #[inline]
    fn write(value: &T, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        value.bin_write(buffer)
    }

    // Without fail: a value that is handed on by a function is written and read again, in pieces of
    // other sizes, which takes longer than decoding a short one.
    #[inline(always)]
    fn read(bytes: &[u8]) -> Result<T, Undecodable> {
        bin_prot::from_slice(bytes).map_err(|error| Undecodable::from_read(error, bytes.len()))
    }

    fn shape() -> Option<Shape> {
        Some(T::bin_shape())
    }
}

/// Reads a payload with a codec's function. One whose length passes its frame is undecodable
/// (rule C-RD-14); and so is one at which the codec, which is the user's, panics.
#[inline]
pub(crate) fn read<T>(
    data: Data<'_>,
    read: impl FnOnce(&[u8]) -> Result<T, Undecodable>,
) -> Result<T, Undecodable> {
    let bytes = data.bytes().map_err(Undecodable::wrong_length)?;
    caught(|| read(bytes))
}

/// The same for who looks for panics, and then says that it has [panicked].
#[inline]
pub(crate) fn read_unguarded<T>(
    data: Data<'_>,
    read: impl FnOnce(&[u8]) -> Result<T, Undecodable>,
) -> Result<T, Undecodable> {
    read(data.bytes().map_err(Undecodable::wrong_length)?)
}

/// What is told of a codec that panicked.
#[cold]
pub(crate) fn panicked(panic: &HandlerError) -> Undecodable {
    Undecodable::new(format_args!("decoder panicked: {panic}"))
}

/// Runs something that decodes, by a codec that is the user's.
#[inline]
pub(crate) fn caught<T>(decode: impl FnOnce() -> Result<T, Undecodable>) -> Result<T, Undecodable> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|panic| Err(panicked(&HandlerError::from_panic(&*panic))))
}

/// A codec's function, as a type of its own where that can be: whatever calls it is then compiled
/// for it.
pub(crate) trait Decode<T>:
    Fn(&[u8]) -> Result<T, Undecodable> + Send + Sync + 'static
{
}

impl<T, F> Decode<T> for F where F: Fn(&[u8]) -> Result<T, Undecodable> + Send + Sync + 'static {}

/// Why a payload could not be decoded, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.text)]
pub struct Undecodable(
    // One word: what is decoded into its place results in this or nothing, in a register; and it is
    // part of what every dispatch results in.
    Box<Reason>,
);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Reason {
    text: String,
    /// Whether the value itself was readable.
    wrong_length: bool,
}

impl Undecodable {
    /// An error with this reason.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self::of(&reason, false)
    }

    /// An error with this reason: the payload has another length than was announced, or than its
    /// value has. A program can have such payloads [kept](crate::Environment) apart from others.
    pub fn wrong_length(reason: impl fmt::Display) -> Self {
        Self::of(&reason, true)
    }

    #[cold]
    fn of(reason: &dyn fmt::Display, wrong_length: bool) -> Self {
        let text = reason.to_string();
        Self(Box::new(Reason { text, wrong_length }))
    }

    pub(crate) fn is_wrong_length(&self) -> bool {
        self.0.wrong_length
    }

    /// Bytes left over are told as consumed and expected length (rule R-ER-2).
    #[cold]
    fn from_read(error: ReadError, expected: usize) -> Self {
        match error.kind {
            ReadErrorKind::TrailingBytes(_) => Self::wrong_length(format_args!(
                "message length ({}) did not match expected length ({expected})",
                error.offset
            )),
            _ => Self::new(error),
        }
    }
}
