//! Boxes and shared pointers leave no trace in the encoding; they do count as a level of
//! nesting, since every recursive Rust type goes through one (or through a list).

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
