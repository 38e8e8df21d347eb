//! Lists that are not empty, and queues (front first).

use std::collections::VecDeque;
use std::ops::Deref;

use crate::BinProt;
use crate::container::{sequence_size, write_sequence};
use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::read::{BinRead, Reader};
use crate::shape::{BinShape, Shape};
use crate::write::BinWrite;

/// `Nonempty_list` in its stable version 3: the bytes of a list, of which an empty one is refused.
///
/// ```text
/// offset  width  meaning
///      0  1 to 9 N, a nat0, not 0
///      …  …      N elements
///
/// 02  07 08    [7; 8]
/// ```
///
/// ```
/// use bin_prot::library::NonemptyList;
/// use bin_prot::{ReadErrorKind, from_slice, to_vec};
///
/// assert_eq!(to_vec(&NonemptyList::new(7_i64, vec![8]))?, [2, 7, 8]);
/// let error = from_slice::<NonemptyList<i64>>(&[0]).unwrap_err();
/// assert_eq!(error.kind, ReadErrorKind::Invalid("the list is empty"));
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NonemptyList<T>(Vec<T>);

impl<T> NonemptyList<T> {
    /// The list of `head` and then `tail`.
    pub fn new(head: T, mut tail: Vec<T>) -> Self {
        tail.insert(0, head);
        Self(tail)
    }

    /// The elements.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T> Deref for NonemptyList<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: BinWrite> BinWrite for NonemptyList<T> {
    fn bin_size(&self) -> usize {
        (**self).bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        (**self).bin_write(buffer)
    }
}

impl<'a, T: BinRead<'a>> BinRead<'a> for NonemptyList<T> {
    const MIN_SIZE: usize = 1 + T::MIN_SIZE;

    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        let start = reader.offset();
        let items = Vec::bin_read(reader)?;
        if items.is_empty() {
            return Err(reader.error_at(start, ReadErrorKind::Invalid("the list is empty")));
        }
        Ok(Self(items))
    }
}

impl<T: BinShape> BinShape for NonemptyList<T> {
    const CIRCLES_ARE_DECLARED: () = T::CIRCLES_ARE_DECLARED;

    fn bin_shape() -> Shape {
        Shape::annotate(
            "9a63aaee-82e0-11ea-8fb6-aa00005c6184",
            Vec::<T>::bin_shape(),
        )
    }
}

/// `Nonempty_list` in its stable version 2: the first element, then a list of the others.
///
/// ```text
/// offset  width  meaning
///      0  …      the first element
///      …  …      a list of the others
///
/// 07  01 08    [7; 8]
/// ```
///
/// ```
/// use bin_prot::library::NonemptyListV2;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&NonemptyListV2 { hd: 7_i64, tl: vec![8] })?, [7, 1, 8]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub struct NonemptyListV2<T> {
    /// The first element.
    pub hd: T,
    /// All others.
    pub tl: Vec<T>,
}

/// `Nonempty_list` in its stable version 1: the first element and all others.
///
/// ```text
/// offset  width  meaning
///      0  …      the first element
///      …  …      a list of the others
///
/// 07  01 08    [7; 8]
/// ```
///
/// ```
/// use bin_prot::library::NonemptyListV1;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&NonemptyListV1(7_i64, vec![8]))?, [7, 1, 8]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub struct NonemptyListV1<T>(pub T, pub Vec<T>);

/// Core's `Queue`.
impl<T: BinWrite> BinWrite for VecDeque<T> {
    fn bin_size(&self) -> usize {
        sequence_size(self.len(), self.iter())
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        write_sequence(buffer, self.len(), self.iter())
    }
}

impl<'a, T: BinRead<'a>> BinRead<'a> for VecDeque<T> {
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        Vec::bin_read(reader).map(Self::from)
    }
}

macro_rules! queue {
    ($($name:ident, $core:literal;)*) => {$(
        #[doc = concat!("Core's `", $core, "`: the bytes of a `VecDeque`, in another shape.")]
        ///
        /// ```text
        /// offset  width  meaning
        ///      0  1 to 9 N, a nat0
        ///      …  …      N elements, front first
        ///
        /// 02  07 08    7, then 8
        /// ```
        ///
        /// ```
        #[doc = concat!("use bin_prot::library::", stringify!($name), ";")]
        /// use bin_prot::to_vec;
        ///
        #[doc = concat!("let queue: ", stringify!($name), "<i64> = [7, 8].into_iter().collect();")]
        /// assert_eq!(to_vec(&queue)?, [2, 7, 8]);
        /// # Ok::<(), bin_prot::WriteError>(())
        /// ```
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name<T>(pub VecDeque<T>);

        impl<T> Deref for $name<T> {
            type Target = VecDeque<T>;

            fn deref(&self) -> &VecDeque<T> {
                &self.0
            }
        }

        impl<T> FromIterator<T> for $name<T> {
            fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
                Self(items.into_iter().collect())
            }
        }

        impl<T: BinWrite> BinWrite for $name<T> {
            fn bin_size(&self) -> usize {
                self.0.bin_size()
            }

            fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                self.0.bin_write(buffer)
            }
        }

        impl<'a, T: BinRead<'a>> BinRead<'a> for $name<T> {
            fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
                VecDeque::bin_read(reader).map(Self)
            }
        }
    )*};
}
queue! {
    Deque, "Deque";
    Fdeque, "Fdeque";
    LinkedQueue, "Linked_queue";
}
