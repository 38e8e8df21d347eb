//! Types that are known when this is compiled: what the derive makes of types of every kind, and
//! the library's own.

mod declared;

use bin_prot::{BinReadOwned, BinShape, BinWrite, Reader, from_slice, to_vec};

use crate::chance::Chance;
use crate::memory::bounded;

pub(crate) use declared::{
    Abc, Abcd, Broad, Container, Everything, Fixed, Irregular, Kids, Matrices, MutualTree, Order,
    Peano, Quantities, Scalars, Sparse, Times, Tree, Wide,
};

/// Reads everything behind the first byte as a value of the type that it selects.
///
/// # Panics
/// What was read is not written in its size, or not read again from that.
pub fn types(bytes: &[u8]) {
    let Some((selector, bytes)) = bytes.split_first() else {
        return;
    };
    let checks = declared::ALL;
    let check = checks[usize::from(*selector) % checks.len()];
    check(bytes);
}

pub(crate) fn check<T: BinReadOwned + BinWrite + BinShape>(bytes: &[u8]) {
    let name = std::any::type_name::<T>();
    let mut reader = Reader::new(bytes);
    let Ok(value) = bounded(bytes.len(), || T::bin_read(&mut reader)) else {
        return;
    };
    let consumed = reader.offset();
    assert_eq!(consumed + reader.remaining(), bytes.len());
    assert!(consumed >= T::MIN_SIZE, "{consumed} bytes for {name}");
    let written = to_vec(&value).expect("what was read can be written");
    assert_eq!(written.len(), value.bin_size(), "{name}");
    assert!(written.len() <= consumed, "{written:?} of {name}");
    assert!(written.len() >= T::MIN_SIZE, "{written:?} of {name}");
    // Bytes tell values apart where floats do not; tables come in an order of their own.
    let again: T = from_slice(&written).expect("what was written can be read");
    assert_eq!(again.bin_size(), written.len(), "{name}");
    for length in Chance::of(bytes).prefixes(written.len()) {
        assert!(
            from_slice::<T>(&written[..length]).is_err(),
            "{name}, {length} bytes"
        );
    }
}
