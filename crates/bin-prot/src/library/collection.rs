//! Maps, sets and tables whose keys are compared or hashed by OCaml's polymorphic functions: the
//! bytes of the ones with functions of their own, in another shape.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::ops::Deref;

use crate::error::{ReadError, WriteError};
use crate::read::{BinRead, Reader};
use crate::write::BinWrite;

macro_rules! collection {
    ($($(#[$doc:meta])* $name:ident<$($param:ident: ($($bound:tt)*)),*>($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name<$($param),*>(pub $inner);

        impl<$($param),*> Default for $name<$($param),*> {
            fn default() -> Self {
                Self(<$inner>::default())
            }
        }

        impl<$($param),*> PartialEq for $name<$($param),*>
        where
            $inner: PartialEq,
        {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }

        impl<$($param),*> Eq for $name<$($param),*> where $inner: Eq {}

        impl<$($param),*> Deref for $name<$($param),*> {
            type Target = $inner;

            fn deref(&self) -> &$inner {
                &self.0
            }
        }

        impl<$($param: BinWrite),*> BinWrite for $name<$($param),*> {
            fn bin_size(&self) -> usize {
                self.0.bin_size()
            }

            fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                self.0.bin_write(buffer)
            }
        }

        impl<'a, $($param: BinRead<'a> + $($bound)*),*> BinRead<'a> for $name<$($param),*> {
            fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
                <$inner>::bin_read(reader).map(Self)
            }
        }
    )*};
}
collection! {
    /// Core's `Map.Poly`: the bytes of a `BTreeMap`.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  1 to 9 N, a nat0
    ///      …  …      N times key ‖ value, in increasing order
    ///
    /// 02  01 02  02 03    the map of 1 to 2 and 2 to 3
    /// ```
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use bin_prot::library::PolyMap;
    /// use bin_prot::to_vec;
    ///
    /// let map = PolyMap(BTreeMap::from([(1_i64, 2_i64), (2, 3)]));
    /// assert_eq!(to_vec(&map)?, [2, 1, 2, 2, 3]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    PolyMap<K: (Ord), V: ()>(BTreeMap<K, V>);
    /// Core's `Set.Poly`: the bytes of a `BTreeSet`.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  1 to 9 N, a nat0
    ///      …  …      N elements, in increasing order
    ///
    /// 02  01  03    the set of 1 and 3
    /// ```
    ///
    /// ```
    /// use std::collections::BTreeSet;
    /// use bin_prot::library::PolySet;
    /// use bin_prot::to_vec;
    ///
    /// assert_eq!(to_vec(&PolySet(BTreeSet::from([3_i64, 1])))?, [2, 1, 3]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    PolySet<T: (Ord)>(BTreeSet<T>);
    /// Core's `Hashtbl.Poly`: the bytes of a `HashMap`.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  1 to 9 N, a nat0
    ///      …  …      N times key ‖ value, in any order
    ///
    /// 01  01 02    the table of 1 to 2
    /// ```
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use bin_prot::library::PolyHashtbl;
    /// use bin_prot::to_vec;
    ///
    /// assert_eq!(to_vec(&PolyHashtbl(HashMap::from([(1_i64, 2_i64)])))?, [1, 1, 2]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    PolyHashtbl<K: (Eq + Hash), V: ()>(HashMap<K, V>);
}
