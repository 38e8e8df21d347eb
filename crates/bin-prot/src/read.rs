//! Reading: the [`Reader`] cursor, the only place that compares a length with what is left, and
//! the [`BinRead`] trait on top of it.

use std::hint::cold_path;
use std::num::NonZeroUsize;

use crate::error::{ReadError, ReadErrorKind};
use crate::limits::Limits;

/// A type that can be read from its `bin_prot` encoding.
///
/// `'a` is the lifetime of the input, from which values such as `&'a str` borrow. A type that
/// borrows nothing implements the trait for every `'a` and thereby [`BinReadOwned`].
///
/// Mostly derived; by hand it takes one function:
///
/// ```
/// use bin_prot::{BinRead, ReadError, Reader, from_slice};
///
/// /// A temperature, as the number of tenths of a degree.
/// #[derive(Debug, PartialEq)]
/// struct Celsius(f64);
///
/// impl BinRead<'_> for Celsius {
///     fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
///         let tenths = reader.int()?;
///         Ok(Self(tenths as f64 / 10.0))
///     }
/// }
///
/// assert_eq!(from_slice::<Celsius>(&[0xff, 0xff])?, Celsius(-0.1));
/// # Ok::<(), ReadError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no bin_prot encoding that can be read",
    note = "types of one's own get it by #[derive(BinProt)]",
    note = "a field of another type can be converted: #[bin_prot(as = Type)]"
)]
pub trait BinRead<'a>: Sized {
    /// The least number of bytes that a value takes; bounds what a list of them may reserve.
    const MIN_SIZE: usize = 1;

    /// Reads one value and leaves the reader behind it.
    ///
    /// # Errors
    /// The bytes are no value of this type; the reader's position is then unspecified.
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError>;
}

/// A type that can be read and borrows nothing from the input.
pub trait BinReadOwned: for<'a> BinRead<'a> {}
impl<T: for<'a> BinRead<'a>> BinReadOwned for T {}

/// Reads a value that takes up the whole of `bytes`.
///
/// ```
/// use bin_prot::{ReadErrorKind, from_slice};
///
/// let (name, version): (&str, i64) = from_slice(&[0x02, b'g', b'o', 0x03])?;
/// assert_eq!((name, version), ("go", 3));
///
/// let error = from_slice::<i64>(&[0x03, 0x00]).unwrap_err();
/// assert_eq!((error.kind, error.offset), (ReadErrorKind::TrailingBytes(1), 1));
/// # Ok::<(), bin_prot::ReadError>(())
/// ```
///
/// # Errors
/// The bytes are no value of the type, or go on after it
/// ([`TrailingBytes`](ReadErrorKind::TrailingBytes)).
#[inline]
pub fn from_slice<'a, T: BinRead<'a>>(bytes: &'a [u8]) -> Result<T, ReadError> {
    let mut reader = Reader::new(bytes);
    let value = T::bin_read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// A cursor over bytes that a stranger may have sent.
///
/// Nothing here panics, and nothing allocates: lengths are compared with what is left before
/// they are believed.
///
/// ```
/// use bin_prot::{BinRead, Reader};
///
/// // Two values, and what is left.
/// let mut reader = Reader::new(&[0x02, b'g', b'o', 0xff, 0xfe, 0x2a]);
/// assert_eq!(<&str>::bin_read(&mut reader)?, "go");
/// assert_eq!(i64::bin_read(&mut reader)?, -2);
/// assert_eq!((reader.offset(), reader.rest()), (5, &[0x2a][..]));
/// # Ok::<(), bin_prot::ReadError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
    depth_left: u32,
    /// Bytes of memory that may still be reserved for elements that are announced.
    reservable: usize,
    /// How many elements without bytes may still be announced.
    free_elements: usize,
    limits: Limits,
    /// The length of an input beyond the limit, of which nothing is read.
    too_long: Option<NonZeroUsize>,
}

/// What a list may reserve before its first element was read, in bytes of memory. An element may
/// be much larger in memory than on the wire, so the rest has to be earned.
const FIRST_RESERVATION: usize = 64 * 1024;

/// What all lists of an input may reserve for elements that are only announced, in bytes of
/// memory for each byte of the input. Lists in lists could announce the same bytes again and
/// again, once for each level of nesting.
const RESERVATION_PER_BYTE: usize = 32;

/// How many elements without bytes there may be in an input of few bytes.
const FREE_ELEMENTS: usize = 1024;

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`, with the [default limits](Limits::default).
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        let limits = Limits::default();
        Self {
            rest: bytes,
            total: bytes.len(),
            depth_left: limits.depth,
            reservable: bytes.len().saturating_mul(RESERVATION_PER_BYTE),
            free_elements: bytes.len().max(FREE_ELEMENTS),
            limits,
            too_long: None,
        }
    }

    /// The same reader with other limits. An input beyond [`Limits::length`] gives no bytes at
    /// all, only [`TooLong`](ReadErrorKind::TooLong).
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.depth_left = limits.depth;
        self.limits = limits;
        if self.rest.len() > limits.length {
            self.too_long = NonZeroUsize::new(self.rest.len());
            self.total = self.offset();
            self.rest = &[];
        }
        self
    }

    /// The same reader with another bound on nesting; see [`Limits::depth`].
    #[must_use]
    pub fn with_depth(self, levels: u32) -> Self {
        let limits = self.limits.depth(levels);
        self.with_limits(limits)
    }

    /// Bytes read so far.
    #[inline]
    pub fn offset(&self) -> usize {
        self.total - self.rest.len()
    }

    /// Bytes not yet read.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Number of bytes not yet read.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// An error at the present position.
    #[inline]
    pub fn error(&self, kind: ReadErrorKind) -> ReadError {
        self.error_at(self.offset(), kind)
    }

    /// An error at a position noted earlier with [`offset`](Self::offset).
    #[inline]
    pub fn error_at(&self, offset: usize, kind: ReadErrorKind) -> ReadError {
        // Inlined and marked, not a cold function: a call would need the reader in memory, where
        // it would then be kept on the usual path too.
        cold_path();
        ReadError { kind, offset }
    }

    /// Takes the next byte.
    ///
    /// # Errors
    /// [`BufferShort`](ReadErrorKind::BufferShort) at the end.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, ReadError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// Takes the next `N` bytes.
    ///
    /// # Errors
    /// [`BufferShort`](ReadErrorKind::BufferShort) when fewer are left.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        match self.rest.split_first_chunk::<N>() {
            Some((chunk, rest)) => {
                self.rest = rest;
                Ok(*chunk)
            }
            None => Err(self.short(N as u64)),
        }
    }

    /// Takes the next `length` bytes without copying them.
    ///
    /// # Errors
    /// [`BufferShort`](ReadErrorKind::BufferShort) when fewer are left.
    #[inline]
    pub fn take(&mut self, length: u64) -> Result<&'a [u8], ReadError> {
        let split = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length));
        match split {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.short(length)),
        }
    }

    /// Takes a string's length and then its bytes, without copying them.
    ///
    /// # Errors
    /// The length is malformed or passes the end.
    #[inline]
    pub fn byte_string(&mut self) -> Result<&'a [u8], ReadError> {
        let length = self.nat0()?;
        self.take(length)
    }

    /// Reads the count of a list whose elements take at least `min_size` bytes each, and refuses
    /// a count that cannot fit in what is left or is beyond [`Limits::count`].
    ///
    /// Elements of zero bytes cost the sender nothing, so all lists of them together may have no
    /// more elements than the whole input has bytes, or 1,024 if that is more.
    ///
    /// # Errors
    /// The count is malformed, or too large.
    #[inline]
    pub fn count(&mut self, min_size: usize) -> Result<usize, ReadError> {
        let start = self.offset();
        let count = self.nat0()?;
        let fitting = match min_size {
            0 => self.free_elements,
            size => self.remaining() / size,
        };
        match usize::try_from(count) {
            Ok(count) if count <= fitting && count <= self.limits.count => {
                if min_size == 0 {
                    self.free_elements -= count;
                }
                Ok(count)
            }
            Ok(_) | Err(_) => Err(self.bad_count(start, count, min_size, fitting)),
        }
    }

    #[inline]
    fn bad_count(&self, start: usize, count: u64, min_size: usize, fitting: usize) -> ReadError {
        let limit = match min_size {
            0 => fitting.min(self.limits.count) as u64,
            _ => self.limits.count as u64,
        };
        if count > limit {
            self.error_at(start, ReadErrorKind::ListTooLong { count, limit })
        } else {
            self.short(count.saturating_mul(min_size as u64))
        }
    }

    /// For how many elements of type `T` memory may be reserved before the first of `count` is
    /// read: a list that is longer grows as its elements arrive.
    #[inline]
    pub fn reservation<T>(&mut self, count: usize) -> usize {
        let size = size_of::<T>().max(1);
        let elements = count.min(FIRST_RESERVATION.min(self.reservable) / size);
        self.reservable -= elements * size;
        elements
    }

    /// Runs `read` on the next `length` bytes alone, all of which it must read.
    ///
    /// # Errors
    /// Those of `read`; [`BufferShort`](ReadErrorKind::BufferShort) when there are not so many
    /// bytes; [`TrailingBytes`](ReadErrorKind::TrailingBytes) when some were not read.
    pub fn within<T, E: From<ReadError>>(
        &mut self,
        length: u64,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let inner = self.clone().take(length)?;
        let total = self.total;
        let after = self.rest.get(inner.len()..).unwrap_or_default();
        self.total -= after.len();
        self.rest = inner;
        let value = read(self)?;
        self.finish()?;
        self.total = total;
        self.rest = after;
        Ok(value)
    }

    /// Runs `read` one level deeper; every type that holds others behind a pointer does so.
    ///
    /// # Errors
    /// Those of `read`, or [`TooDeep`](ReadErrorKind::TooDeep).
    #[inline]
    pub fn nested<T, E: From<ReadError>>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(left) = self.depth_left.checked_sub(1) else {
            return Err(self.error(ReadErrorKind::TooDeep(self.limits.depth)).into());
        };
        self.depth_left = left;
        let result = read(self);
        self.depth_left += 1;
        result
    }

    /// Checks that everything was read.
    ///
    /// # Errors
    /// [`TrailingBytes`](ReadErrorKind::TrailingBytes) otherwise.
    #[inline]
    pub fn finish(&self) -> Result<(), ReadError> {
        match self.rest.len() {
            0 if self.too_long.is_some() => Err(self.short(0)),
            0 => Ok(()),
            left => Err(self.error(ReadErrorKind::TrailingBytes(left))),
        }
    }

    #[inline]
    fn short(&self, needed: u64) -> ReadError {
        self.error(match self.too_long {
            Some(length) => ReadErrorKind::TooLong {
                length: length.get(),
                limit: self.limits.length,
            },
            None => ReadErrorKind::BufferShort {
                needed,
                left: self.rest.len(),
            },
        })
    }
}
