//! Frames: an 8-byte length, then that many bytes. Knows nothing of their content.
//!
//! ```text
//! offset  width  meaning
//!      0      8  N, signed 64-bit little endian, 0 to the limit
//!      8      N  body: the header (first frame) or one message
//! ```
//!
//! A heartbeat at any version:
//!
//! ```
//! let frame = [1, 0, 0, 0, 0, 0, 0, 0, 0x00];
//! let (body, rest) = rpc_wire::frame::split(&frame, 100)?.expect("a whole frame");
//! assert_eq!(body, [0x00]);
//! assert!(rest.is_empty());
//! # Ok::<(), rpc_wire::frame::Error>(())
//! ```
//!
//! The length is compared with the limit as soon as its 8 bytes are there, before anything is
//! reserved for the body (rule C-RD-2).

use std::ops::Range;

use bin_prot::WriteError;
use thiserror::Error;

/// Bytes of the length that precedes each body.
pub const LENGTH_BYTES: usize = 8;

/// The reference's limit of a body, for reading and for writing: 100 MiB.
pub const DEFAULT_LIMIT: usize = 100 * 1024 * 1024;

/// A length that no frame may have. Nothing after it can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("frame of {length} bytes, allowed are 0 to {limit}")]
pub struct Error {
    /// The length announced; negative when its top bit was set.
    pub length: i64,
    /// The reader's limit.
    pub limit: usize,
}

/// The body of a frame, and the bytes that follow it.
pub type BodyAndRest<'a> = (&'a [u8], &'a [u8]);

/// Splits the first frame off `bytes`: its body, and what follows it. `None` while it is not
/// complete.
///
/// # Errors
/// The length is negative or above `limit` bytes.
#[inline]
pub fn split(bytes: &[u8], limit: usize) -> Result<Option<BodyAndRest<'_>>, Error> {
    let Some(length) = body_length(bytes, limit)? else {
        return Ok(None);
    };
    Ok(bytes
        .get(LENGTH_BYTES..)
        .and_then(|rest| rest.split_at_checked(length)))
}

/// The length of the first frame's body; `None` while its 8 bytes are not there.
///
/// # Errors
/// The length is negative or above `limit` bytes.
#[inline]
pub fn body_length(bytes: &[u8], limit: usize) -> Result<Option<usize>, Error> {
    let Some(length) = bytes.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let length = i64::from_le_bytes(*length);
    match usize::try_from(length) {
        Ok(body) if body <= limit => Ok(Some(body)),
        _ => Err(Error { length, limit }),
    }
}

/// The bodies of the whole frames in a buffer, in order.
///
/// Ends at the first incomplete frame, of which [`rest`](Self::rest) is the beginning, or after
/// an error.
///
/// ```
/// use rpc_wire::frame::{DEFAULT_LIMIT, Frames};
///
/// // A heartbeat, and the beginning of something else.
/// let buffer = [1, 0, 0, 0, 0, 0, 0, 0, 0x00, 17, 0];
/// let mut frames = Frames::new(&buffer, DEFAULT_LIMIT);
/// assert_eq!(frames.next(), Some(Ok(&[0x00][..])));
/// assert_eq!(frames.next(), None);
/// assert_eq!(frames.rest(), [17, 0]);
/// ```
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    limit: usize,
    failed: bool,
}

impl<'a> Frames<'a> {
    /// The frames of `bytes`, with bodies of up to `limit` bytes.
    pub fn new(bytes: &'a [u8], limit: usize) -> Self {
        Self {
            rest: bytes,
            limit,
            failed: false,
        }
    }

    /// What follows the last frame returned.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<&'a [u8], Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match split(self.rest, self.limit) {
            Ok(Some((body, rest))) => {
                self.rest = rest;
                Some(Ok(body))
            }
            Ok(None) => None,
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

/// Why a frame was not appended; the buffer is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AppendError {
    /// The body would exceed the writer's limit.
    #[error("message of {size} bytes exceeds the limit of {limit}")]
    TooBig {
        /// Size of the body, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The value in the body has no encoding.
    #[error("value cannot be encoded")]
    Write(#[from] WriteError),
    /// The value wrote another number of bytes than its size promised.
    #[error("encoding of {written} bytes, but a size of {promised}")]
    SizeMismatch {
        /// What the size promised.
        promised: usize,
        /// What was written.
        written: usize,
    },
}

/// Appends a frame whose body has `size` bytes, which `write` appends. Returns `size`.
///
/// If `write` fails, panics or appends another number of bytes, the buffer is cut to where it
/// was: a failing value does not harm the frames around it.
///
/// ```
/// use bin_prot::BinWrite;
/// use rpc_wire::{Header, frame};
///
/// let (mut buffer, header) = (Vec::new(), Header::default());
/// frame::append(&mut buffer, frame::DEFAULT_LIMIT, header.bin_size(), |buffer| {
///     header.bin_write(buffer)
/// })?;
/// assert_eq!(buffer[..14], *b"\x11\0\0\0\0\0\0\0\x0c\xfdRPC\0");
/// # Ok::<(), frame::AppendError>(())
/// ```
///
/// # Errors
/// See [`AppendError`]. Nothing is written when the size exceeds `limit`.
#[inline]
pub fn append(
    buffer: &mut Vec<u8>,
    limit: usize,
    size: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
) -> Result<usize, AppendError> {
    append_before(buffer, limit, size, 0, write)
}

/// The same of a frame whose last `behind` bytes are somewhere else: `write` appends what comes
/// before them, and they are to be sent right behind the buffer.
///
/// # Errors
/// See [`AppendError`]. Nothing is written when the size exceeds `limit`.
#[inline]
pub fn append_before(
    buffer: &mut Vec<u8>,
    limit: usize,
    size: usize,
    behind: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
) -> Result<usize, AppendError> {
    if size > limit {
        return Err(AppendError::TooBig { size, limit });
    }
    let start = buffer.len();
    let mut guard = Truncate {
        buffer,
        keep: start,
    };
    let buffer = &mut *guard.buffer;
    buffer.reserve(LENGTH_BYTES + size.saturating_sub(behind));
    buffer.extend_from_slice(&(size as u64).to_le_bytes());
    write(buffer)?;
    let written = buffer.len() - start - LENGTH_BYTES + behind;
    if written != size {
        return Err(AppendError::SizeMismatch {
            promised: size,
            written,
        });
    }
    guard.keep = guard.buffer.len();
    Ok(size)
}

/// Appends another frame that begins with the same bytes as an earlier one in the same buffer, up
/// to a last part of `payload` bytes, and so has the same length: a copy of those bytes, `head`,
/// and then what `write` appends.
///
/// ```
/// let mut buffer = b"\x03\0\0\0\0\0\0\0abc".to_vec();
/// rpc_wire::frame::append_like(&mut buffer, 0..10, 1, |buffer| {
///     buffer.push(b'd');
///     Ok(())
/// })?;
/// assert_eq!(buffer[11..], *b"\x03\0\0\0\0\0\0\0abd");
/// # Ok::<(), rpc_wire::frame::AppendError>(())
/// ```
///
/// # Errors
/// See [`AppendError`]; the buffer is then as it was.
///
/// # Panics
/// `head` does not lie within the buffer.
#[inline]
pub fn append_like(
    buffer: &mut Vec<u8>,
    head: Range<usize>,
    payload: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
) -> Result<(), AppendError> {
    let keep = buffer.len();
    let guard = Truncate { buffer, keep };
    let buffer = &mut *guard.buffer;
    buffer.reserve(head.len() + payload);
    let before = head.len();
    extend_like(buffer, head);
    write(buffer)?;
    let written = buffer.len() - keep - before;
    if written != payload {
        let around = before.saturating_sub(LENGTH_BYTES);
        return Err(AppendError::SizeMismatch {
            promised: around + payload,
            written: around + written,
        });
    }
    std::mem::forget(guard);
    Ok(())
}

/// Appends a copy of these bytes of the buffer. What precedes a small payload has 16 to 32 bytes:
/// two pieces of a fixed length, which may overlap, cost no call.
#[inline]
#[expect(
    clippy::indexing_slicing,
    reason = "a head that is not in the buffer is a mistake of the caller's"
)]
fn extend_like(buffer: &mut Vec<u8>, head: Range<usize>) {
    const PIECE: usize = 16;
    let bytes = &buffer[head.clone()];
    match (bytes.first_chunk::<PIECE>(), bytes.last_chunk::<PIECE>()) {
        (Some(&first), Some(&last)) if head.len() <= 2 * PIECE => {
            let end = buffer.len() + head.len();
            buffer.extend_from_slice(&first);
            buffer.truncate(end - PIECE);
            buffer.extend_from_slice(&last);
        }
        _ => buffer.extend_from_within(head),
    }
}

/// Cuts the buffer to `keep` bytes when dropped, also while unwinding.
struct Truncate<'a> {
    buffer: &'a mut Vec<u8>,
    keep: usize,
}

impl Drop for Truncate<'_> {
    #[inline]
    fn drop(&mut self) {
        self.buffer.truncate(self.keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(bodies: &[&[u8]]) -> Vec<u8> {
        let mut buffer = Vec::new();
        for body in bodies {
            append(&mut buffer, 100, body.len(), |buffer| {
                buffer.extend_from_slice(body);
                Ok(())
            })
            .unwrap();
        }
        buffer
    }

    #[test]
    fn any_split_gives_the_same_frames() {
        let bodies: [&[u8]; 4] = [b"one", b"", b"three", b"4"];
        let whole = framed(&bodies);
        for cut in 0..=whole.len() {
            let mut found = Vec::new();
            let mut frames = Frames::new(&whole[..cut], 100);
            found.extend(frames.by_ref().map(Result::unwrap));
            let consumed = cut - frames.rest().len();
            found.extend(Frames::new(&whole[consumed..], 100).map(Result::unwrap));
            assert_eq!(found, bodies, "cut at {cut}");
        }
    }

    /// C-RD-2.
    #[test]
    fn length_is_refused_before_the_body_arrives() {
        let length = |n: i64| n.to_le_bytes();
        assert_eq!(split(&length(100), 100), Ok(None));
        for bad in [101, -1, i64::MIN, i64::MAX] {
            assert_eq!(
                split(&length(bad), 100),
                Err(Error {
                    length: bad,
                    limit: 100
                })
            );
        }
    }

    #[test]
    fn frame_like_another_is_whole_or_not_there() {
        let mut buffer = framed(&[b"ab", b"abc"]);
        let before = buffer.clone();
        let write = |bytes: &'static [u8]| {
            |buffer: &mut Vec<u8>| {
                buffer.extend_from_slice(bytes);
                Ok(())
            }
        };
        let lies = append_like(&mut buffer, 10..20, 1, write(b"cd"));
        let (promised, written) = (3, 4);
        assert_eq!(lies, Err(AppendError::SizeMismatch { promised, written }));
        let fails = append_like(&mut buffer, 10..20, 1, |buffer| {
            buffer.push(1);
            Err(WriteError::Invalid("no"))
        });
        assert_eq!(fails, Err(AppendError::Write(WriteError::Invalid("no"))));
        assert_eq!(buffer, before);
        append_like(&mut buffer, 10..20, 1, write(b"d")).unwrap();
        assert_eq!(buffer, framed(&[b"ab", b"abc", b"abd"]));
    }

    #[test]
    fn bytes_are_repeated_however_many_they_are() {
        for length in 0..50 {
            let mut buffer: Vec<u8> = (0..60).collect();
            extend_like(&mut buffer, 3..3 + length);
            let (before, copy) = buffer.split_at(60);
            assert_eq!(copy, &before[3..3 + length], "{length}");
        }
    }

    #[test]
    fn failing_value_leaves_the_buffer_as_it_was() {
        let mut buffer = framed(&[b"before"]);
        let before = buffer.clone();
        let too_big = append(&mut buffer, 5, 6, |_| unreachable!());
        assert_eq!(too_big, Err(AppendError::TooBig { size: 6, limit: 5 }));
        let fails = append(&mut buffer, 100, 6, |buffer| {
            buffer.push(1);
            Err(WriteError::Invalid("no"))
        });
        assert_eq!(fails, Err(AppendError::Write(WriteError::Invalid("no"))));
        let lies = append(&mut buffer, 100, 6, |buffer| {
            buffer.push(1);
            Ok(())
        });
        assert_eq!(
            lies,
            Err(AppendError::SizeMismatch {
                promised: 6,
                written: 1
            })
        );
        let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            append(&mut buffer, 100, 6, |buffer| {
                buffer.push(1);
                panic!("in the middle of a value")
            })
        }));
        assert!(panics.is_err());
        assert_eq!(buffer, before);
    }
}
