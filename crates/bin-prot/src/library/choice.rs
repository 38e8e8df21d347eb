//! Either one or the other, or nothing.

use crate::error::{ReadError, WriteError};
use crate::read::Reader;
use crate::shape::Shape;
use crate::{BinProt, BinRead, BinShape, BinWrite, Info, InfoV1, Ref};

/// Core's `Either`.
///
/// ```text
/// offset  width  meaning
///      0  1      00: First; 01: Second
///      1  …      the value
///
/// 01 05    Second 5
/// ```
///
/// ```
/// use bin_prot::library::Either;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&Either::<i64, i64>::Second(5))?, [1, 5]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub enum Either<A, B> {
    /// The one.
    First(A),
    /// The other.
    Second(B),
}

/// Core's `Set_once`: the bytes of an option.
///
/// ```text
/// offset  width  meaning
///      0  1      00: not set; 01: a value follows
///      1  …      the value
///
/// 01 05    set to 5
/// ```
///
/// ```
/// use bin_prot::library::SetOnce;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&SetOnce(Some(5_i64)))?, [1, 5]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetOnce<T>(pub Option<T>);

impl<T: BinWrite> BinWrite for SetOnce<T> {
    fn bin_size(&self) -> usize {
        self.0.bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.0.bin_write(buffer)
    }
}

impl<'a, T: BinRead<'a>> BinRead<'a> for SetOnce<T> {
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        Option::bin_read(reader).map(Self)
    }
}

impl<T: BinShape> BinShape for SetOnce<T> {
    const CIRCLES_ARE_DECLARED: () = T::CIRCLES_ARE_DECLARED;

    fn bin_shape() -> Shape {
        Ref::<Option<T>>::bin_shape()
    }
}

/// Core's `Nothing`: there are no values, and no bytes of one.
///
/// ```
/// use bin_prot::library::Nothing;
/// use bin_prot::{ReadErrorKind, from_slice};
///
/// assert_eq!(from_slice::<Nothing>(&[]).unwrap_err().kind, ReadErrorKind::EmptyType);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub enum Nothing {}

/// Core's `Or_error` in its stable version 2.
///
/// ```text
/// offset  width  meaning
///      0  1      00: Ok; 01: Error
///      1  …      the value, or the error: an Info
///
/// 01  01 03 62 61 64    Error "bad"
/// ```
///
/// ```
/// use bin_prot::library::OrError;
/// use bin_prot::{Info, to_vec};
///
/// let failed: OrError<i64> = Err(Info::from("bad"));
/// assert_eq!(to_vec(&failed)?, [1, 1, 3, b'b', b'a', b'd']);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
pub type OrError<T> = Result<T, Info>;

/// Core's `Or_error` in its stable version 1.
///
/// ```text
/// offset  width  meaning
///      0  1      00: Ok; 01: Error
///      1  …      the value, or the error: a Sexp
///
/// 01  00 03 62 61 64    Error bad
/// ```
///
/// ```
/// use bin_prot::library::OrErrorV1;
/// use bin_prot::{Info, InfoV1, to_vec};
///
/// let failed: OrErrorV1<i64> = Err(InfoV1(Info::from("bad")));
/// assert_eq!(to_vec(&failed)?, [1, 0, 3, b'b', b'a', b'd']);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
pub type OrErrorV1<T> = Result<T, InfoV1>;
