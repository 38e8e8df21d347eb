//! Either one or the other, or nothing.
//!
//! ```text
//! 00 05    First 5; Ok 5
//! 01 05    Second 5; a SetOnce that was set to 5
//! 00       a SetOnce that was not set
//! ```
//!
//! ```
//! use bin_prot::library::{Either, OrError, SetOnce};
//! use bin_prot::{Info, to_vec};
//!
//! assert_eq!(to_vec(&Either::<i64, i64>::Second(5))?, [1, 5]);
//! assert_eq!(to_vec(&SetOnce(Some(5_i64)))?, [1, 5]);
//!
//! let failed: OrError<i64> = Err(Info::from("bad"));
//! assert_eq!(to_vec(&failed)?, [1, 1, 3, b'b', b'a', b'd']);
//! # Ok::<(), bin_prot::WriteError>(())
//! ```

use crate::error::{ReadError, WriteError};
use crate::read::Reader;
use crate::shape::Shape;
use crate::{BinProt, BinRead, BinShape, BinWrite, Info, InfoV1, Ref};

/// Core's `Either`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub enum Either<A, B> {
    /// The one.
    First(A),
    /// The other.
    Second(B),
}

/// Core's `Set_once`: an option.
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

/// Core's `Nothing`: there are no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub enum Nothing {}

/// Core's `Or_error` in its stable version 2.
pub type OrError<T> = Result<T, Info>;

/// Core's `Or_error` in its stable version 1.
pub type OrErrorV1<T> = Result<T, InfoV1>;
