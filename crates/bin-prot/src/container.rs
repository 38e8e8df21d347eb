//! Options, results, lists, arrays, maps and sets (*bin_prot* §5, §7.2, §10).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::integer::nat0_size;
use crate::read::{BinRead, Reader};
use crate::variant;
use crate::write::{BinWrite, write_nat0};

impl<T: BinWrite> BinWrite for Option<T> {
    #[inline]
    fn bin_size(&self) -> usize {
        1 + self.as_ref().map_or(0, T::bin_size)
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        match self {
            None => {
                buffer.push(0);
                Ok(())
            }
            Some(value) => {
                buffer.push(1);
                value.bin_write(buffer)
            }
        }
    }
}

impl<'a, T: BinRead<'a>> BinRead<'a> for Option<T> {
    #[inline]
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        read_option(reader, ReadErrorKind::OptionCode)
    }
}

#[inline]
fn read_option<'a, T: BinRead<'a>>(
    reader: &mut Reader<'a>,
    bad_code: fn(u8) -> ReadErrorKind,
) -> Result<Option<T>, ReadError> {
    let start = reader.offset();
    match reader.byte()? {
        0 => Ok(None),
        1 => T::bin_read(reader).map(Some),
        code => Err(reader.error_at(start, bad_code(code))),
    }
}

/// OCaml's `or_null`: the bytes of an option, another shape.
///
/// ```text
/// offset  width  meaning
///      0  1      00: null; 01: a value follows
///      1  …      the value
///
/// 01 05    This 5
/// ```
///
/// ```
/// use bin_prot::{OrNull, to_vec};
///
/// assert_eq!(to_vec(&OrNull(Some(5_i64)))?, [0x01, 0x05]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrNull<T>(pub Option<T>);

impl<T: BinWrite> BinWrite for OrNull<T> {
    #[inline]
    fn bin_size(&self) -> usize {
        self.0.bin_size()
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.0.bin_write(buffer)
    }
}

impl<'a, T: BinRead<'a>> BinRead<'a> for OrNull<T> {
    #[inline]
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        read_option(reader, ReadErrorKind::OrNullCode).map(Self)
    }
}

impl<T: BinWrite, E: BinWrite> BinWrite for Result<T, E> {
    #[inline]
    fn bin_size(&self) -> usize {
        1 + match self {
            Ok(value) => value.bin_size(),
            Err(error) => error.bin_size(),
        }
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        match self {
            Ok(value) => {
                buffer.push(0);
                value.bin_write(buffer)
            }
            Err(error) => {
                buffer.push(1);
                error.bin_write(buffer)
            }
        }
    }
}

impl<'a, T: BinRead<'a>, E: BinRead<'a>> BinRead<'a> for Result<T, E> {
    #[inline]
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        match reader.byte()? {
            0 => T::bin_read(reader).map(Ok),
            1 => E::bin_read(reader).map(Err),
            tag => Err(variant::bad_tag(reader, tag.into(), 2)),
        }
    }
}

/// The size of a count and the elements it counts.
#[inline]
pub(crate) fn sequence_size<T: BinWrite>(count: usize, items: impl Iterator<Item = T>) -> usize {
    nat0_size(count) + items.map(|item| item.bin_size()).sum::<usize>()
}

#[inline]
pub(crate) fn write_sequence<T: BinWrite>(
    buffer: &mut Vec<u8>,
    count: usize,
    mut items: impl Iterator<Item = T>,
) -> Result<(), WriteError> {
    write_nat0(buffer, count);
    items.try_for_each(|item| item.bin_write(buffer))
}

impl<T: BinWrite> BinWrite for [T] {
    #[inline]
    fn bin_size(&self) -> usize {
        sequence_size(self.len(), self.iter())
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        write_sequence(buffer, self.len(), self.iter())
    }
}

impl<T: BinWrite> BinWrite for Vec<T> {
    #[inline]
    fn bin_size(&self) -> usize {
        self.as_slice().bin_size()
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.as_slice().bin_write(buffer)
    }
}

impl<'a, T: BinRead<'a>> BinRead<'a> for Vec<T> {
    #[inline]
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        reader.nested(|reader| {
            let count = reader.count(T::MIN_SIZE)?;
            let mut items = Self::with_capacity(reader.reservation::<T>(count));
            for _ in 0..count {
                items.push(T::bin_read(reader)?);
            }
            Ok(items)
        })
    }
}

/// OCaml's `array`: the bytes of a list, another shape.
///
/// ```text
/// offset  width       meaning
///      0  1, 3, 5, 9  N, a nat0
///                     then
///         …           N elements
///
/// 02  07 08    [|7; 8|]
/// ```
///
/// ```
/// use bin_prot::{Array, to_vec};
///
/// assert_eq!(to_vec(&Array(vec![7_i64, 8]))?, [0x02, 0x07, 0x08]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Array<T>(pub Vec<T>);

impl<T> Deref for Array<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> From<Vec<T>> for Array<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl<T> FromIterator<T> for Array<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T: BinWrite> BinWrite for Array<T> {
    #[inline]
    fn bin_size(&self) -> usize {
        self.0.as_slice().bin_size()
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.0.as_slice().bin_write(buffer)
    }
}

impl<'a, T: BinRead<'a>> BinRead<'a> for Array<T> {
    #[inline]
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        Vec::bin_read(reader).map(Self)
    }
}

impl<K: BinWrite, V: BinWrite> BinWrite for BTreeMap<K, V> {
    fn bin_size(&self) -> usize {
        sequence_size(self.len(), self.iter())
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        write_sequence(buffer, self.len(), self.iter())
    }
}

impl<'a, K: BinRead<'a> + Ord, V: BinRead<'a>> BinRead<'a> for BTreeMap<K, V> {
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        reader.nested(|reader| {
            let count = reader.count(K::MIN_SIZE + V::MIN_SIZE)?;
            let mut map = Self::new();
            for _ in 0..count {
                let start = reader.offset();
                let (key, value) = <(K, V)>::bin_read(reader)?;
                if map.insert(key, value).is_some() {
                    return Err(reader.error_at(start, ReadErrorKind::Duplicate));
                }
            }
            Ok(map)
        })
    }
}

impl<T: BinWrite> BinWrite for BTreeSet<T> {
    fn bin_size(&self) -> usize {
        sequence_size(self.len(), self.iter())
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        write_sequence(buffer, self.len(), self.iter())
    }
}

impl<'a, T: BinRead<'a> + Ord> BinRead<'a> for BTreeSet<T> {
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        reader.nested(|reader| {
            let count = reader.count(T::MIN_SIZE)?;
            let mut set = Self::new();
            for _ in 0..count {
                let start = reader.offset();
                if !set.insert(T::bin_read(reader)?) {
                    return Err(reader.error_at(start, ReadErrorKind::Duplicate));
                }
            }
            Ok(set)
        })
    }
}
