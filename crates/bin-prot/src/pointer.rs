//! Boxes and shared pointers leave no trace in the encoding; they do count as a level of
//! nesting, since every recursive Rust type goes through one (or through a list). OCaml's
//! `lazy_t` leaves no trace either.

use std::sync::Arc;

use crate::error::{ReadError, WriteError};
use crate::read::{BinRead, Reader};
use crate::write::BinWrite;

macro_rules! transparent {
    ($($pointer:ident),*) => {$(
        impl<T: BinWrite + ?Sized> BinWrite for $pointer<T> {
            #[inline]
            fn bin_size(&self) -> usize {
                (**self).bin_size()
            }

            #[inline]
            fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                (**self).bin_write(buffer)
            }
        }

        impl<'a, T: BinRead<'a>> BinRead<'a> for $pointer<T> {
            const MIN_SIZE: usize = T::MIN_SIZE;

            #[inline]
            fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
                reader.nested(T::bin_read).map(Self::new)
            }
        }
    )*};
}
transparent!(Box, Arc);

/// OCaml's `ref`: the value, in a shape of its own.
///
/// ```text
/// offset  width  meaning
///      0  …      the value
///
/// 2a    ref 42
/// ```
///
/// ```
/// assert_eq!(bin_prot::to_vec(&bin_prot::Ref(42_i64))?, [0x2a]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ref<T>(pub T);

impl<T: BinWrite> BinWrite for Ref<T> {
    #[inline]
    fn bin_size(&self) -> usize {
        self.0.bin_size()
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.0.bin_write(buffer)
    }
}

impl<'a, T: BinRead<'a>> BinRead<'a> for Ref<T> {
    const MIN_SIZE: usize = T::MIN_SIZE;

    #[inline]
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        T::bin_read(reader).map(Self)
    }
}
