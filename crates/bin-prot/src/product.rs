//! Tuples: the components, first to last (*bin_prot* §6).

use crate::error::{ReadError, WriteError};
use crate::read::{BinRead, Reader};
use crate::write::BinWrite;

macro_rules! tuple {
    ($($name:ident)+) => {
        #[expect(non_snake_case, reason = "a component's variable is named as its type")]
        impl<$($name: BinWrite),+> BinWrite for ($($name,)+) {
            #[inline]
            fn bin_size(&self) -> usize {
                let ($($name,)+) = self;
                0 $(+ $name.bin_size())+
            }

            #[inline]
            fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                let ($($name,)+) = self;
                $($name.bin_write(buffer)?;)+
                Ok(())
            }
        }

        impl<'a, $($name: BinRead<'a>),+> BinRead<'a> for ($($name,)+) {
            const MIN_SIZE: usize = 0 $(+ $name::MIN_SIZE)+;

            #[inline]
            fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
                Ok(($($name::bin_read(reader)?,)+))
            }
        }
    };
}
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E);
tuple!(A B C D E F);
tuple!(A B C D E F G);
tuple!(A B C D E F G H);
tuple!(A B C D E F G H I);
tuple!(A B C D E F G H I J);
tuple!(A B C D E F G H I J K);
tuple!(A B C D E F G H I J K L);
