//! Tables and sets without an order (*bin_prot* §5, §10).
//!
//! What is written is in the order of the table, which is another one each time: bytes of equal
//! tables are not equal. Reading refuses a key that comes twice.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash};
use std::ops::Deref;

use crate::container::{sequence_size, write_sequence};
use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::read::{BinRead, Reader};
use crate::write::BinWrite;

impl<K: BinWrite, V: BinWrite, S> BinWrite for HashMap<K, V, S> {
    fn bin_size(&self) -> usize {
        sequence_size(self.len(), self.iter())
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        write_sequence(buffer, self.len(), self.iter())
    }
}

impl<'a, K, V, S> BinRead<'a> for HashMap<K, V, S>
where
    K: BinRead<'a> + Eq + Hash,
    V: BinRead<'a>,
    S: BuildHasher + Default,
{
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        reader.nested(|reader| {
            let count = reader.count(K::MIN_SIZE + V::MIN_SIZE)?;
            let mut table = Self::default();
            for _ in 0..count {
                let start = reader.offset();
                let (key, value) = <(K, V)>::bin_read(reader)?;
                if table.insert(key, value).is_some() {
                    return Err(reader.error_at(start, ReadErrorKind::Duplicate));
                }
            }
            Ok(table)
        })
    }
}

impl<T: BinWrite, S> BinWrite for HashSet<T, S> {
    fn bin_size(&self) -> usize {
        sequence_size(self.len(), self.iter())
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        write_sequence(buffer, self.len(), self.iter())
    }
}

impl<'a, T, S> BinRead<'a> for HashSet<T, S>
where
    T: BinRead<'a> + Eq + Hash,
    S: BuildHasher + Default,
{
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        reader.nested(|reader| {
            let count = reader.count(T::MIN_SIZE)?;
            let mut set = Self::default();
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

/// bin_prot's own `hashtbl`, as releases up to 0.15 had it: the bytes of a `HashMap`, in another
/// shape. Core's `Hashtbl` is a plain `HashMap`.
///
/// ```text
/// offset  width       meaning
///      0  1, 3, 5, 9  N, a nat0
///                     then
///         …           N times key ‖ value
///
/// 01  01 6b  07    the table of "k" to 7
/// ```
///
/// ```
/// use std::collections::HashMap;
/// use bin_prot::{Hashtbl, from_slice, to_vec};
///
/// let table = Hashtbl(HashMap::from([("k", 7_i64)]));
/// assert_eq!(to_vec(&table)?, [1, 1, b'k', 7]);
/// assert!(from_slice::<Hashtbl<i64, i64>>(&[2, 1, 1, 1, 2]).is_err(), "a key comes twice");
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hashtbl<K, V>(pub HashMap<K, V>);

impl<K: Eq + Hash, V: PartialEq> PartialEq for Hashtbl<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K: Eq + Hash, V: Eq> Eq for Hashtbl<K, V> {}

impl<K, V> Deref for Hashtbl<K, V> {
    type Target = HashMap<K, V>;

    fn deref(&self) -> &HashMap<K, V> {
        &self.0
    }
}

impl<K: BinWrite, V: BinWrite> BinWrite for Hashtbl<K, V> {
    fn bin_size(&self) -> usize {
        self.0.bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.0.bin_write(buffer)
    }
}

impl<'a, K: BinRead<'a> + Eq + Hash, V: BinRead<'a>> BinRead<'a> for Hashtbl<K, V> {
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        HashMap::bin_read(reader).map(Self)
    }
}
