//! A type that is known when this is compiled, and the same type from its shape alone.

use std::any::{TypeId, type_name};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use bin_prot::dynamic::{ErrorKind, Type, Value};
use bin_prot::{
    Array, BinReadOwned, BinShape, BinWrite, Blob, ByteString, Info, InfoV1, Int16Bit, OrNull,
    ReadErrorKind, Reader, Sexp, UnitV2, from_slice, to_vec,
};
use rpc_wire::{Metadata, MetadataV2, RpcError};

use crate::memory::bounded;
use crate::types::{
    Abc, Abcd, Broad, Container, Everything, Fixed, Irregular, Kids, Matrices, MutualTree, Order,
    Peano, Quantities, Scalars, Sparse, Times, Tree, Wide,
};

/// Whether the Rust type refuses values that its shape does not tell of, such as text that is no
/// UTF-8.
#[derive(Clone, Copy, PartialEq)]
enum Accepts {
    /// It refuses none.
    All,
    /// It may refuse some.
    Fewer,
}

/// Reads everything behind the first byte in both ways, as the type that it selects.
///
/// # Panics
/// One accepts what the other refuses, or they read different values.
pub fn twins(bytes: &[u8]) {
    let Some((selector, bytes)) = bytes.split_first() else {
        return;
    };
    let check = ALL[usize::from(*selector) % ALL.len()];
    check(bytes);
}

/// Inputs that are kept have their type's number in them: new types go to the end.
const ALL: &[fn(&[u8])] = &[
    all::<Broad>,
    all::<Fixed>,
    all::<Container<i64>>,
    all::<Container<Container<ByteString>>>,
    all::<Order>,
    all::<Abc>,
    all::<Abcd>,
    all::<Tree<ByteString>>,
    all::<MutualTree<Option<i64>>>,
    all::<Peano>,
    all::<Irregular<i64, bool>>,
    all::<Kids>,
    all::<Wide>,
    all::<Matrices>,
    all::<Sparse>,
    all::<Vec<Blob<Blob<Vec<Blob<Int16Bit>>>>>>,
    all::<(Sexp, Info, InfoV1)>,
    all::<Metadata>,
    all::<MetadataV2>,
    all::<RpcError>,
    all::<BTreeMap<ByteString, BTreeSet<Option<i64>>>>,
    all::<BTreeMap<BTreeSet<Array<i64>>, OrNull<UnitV2>>>,
    fewer::<Everything>,
    fewer::<Scalars>,
    fewer::<Times>,
    fewer::<Quantities>,
];

fn all<T: BinReadOwned + BinWrite + BinShape + 'static>(bytes: &[u8]) {
    check::<T>(bytes, Accepts::All);
}

fn fewer<T: BinReadOwned + BinWrite + BinShape + 'static>(bytes: &[u8]) {
    check::<T>(bytes, Accepts::Fewer);
}

/// The type of a Rust type's shape; made once.
fn type_of<T: BinShape + 'static>() -> Rc<Type> {
    thread_local! {
        static TYPES: RefCell<HashMap<TypeId, Rc<Type>>> = RefCell::default();
    }
    TYPES.with_borrow_mut(|types| {
        let made = types.entry(TypeId::of::<T>()).or_insert_with(|| {
            let ty = Type::new(&T::bin_shape());
            Rc::new(ty.expect("a type of Rust has a type"))
        });
        Rc::clone(made)
    })
}

fn check<T>(bytes: &[u8], accepts: Accepts)
where
    T: BinReadOwned + BinWrite + BinShape + 'static,
{
    let name = type_name::<T>();
    let ty = type_of::<T>();
    let mut reader = Reader::new(bytes);
    let mut dynamic_reader = Reader::new(bytes);
    let read = T::bin_read(&mut reader);
    let dynamic = bounded(bytes.len(), || ty.read(&mut dynamic_reader));
    match (read, dynamic) {
        (Ok(value), Ok(dynamic)) => {
            assert_eq!(reader.offset(), dynamic_reader.offset(), "{name}");
            check_same(&value, &dynamic, &ty);
        }
        (Err(_), Ok(_)) if accepts == Accepts::Fewer => {}
        (Err(error), Err(dynamic)) if accepts == Accepts::All => match dynamic.kind() {
            // The other limits of those that are known at run time only.
            ErrorKind::TooDeep(_) | ErrorKind::TooManyValues(_) => {}
            ErrorKind::Read(found) if *found == error => {}
            // A bound on the size of a recursive type's elements is not as close without the type,
            // so a count that cannot fit may be noticed later.
            ErrorKind::Read(found) => {
                let is_short = matches!(error.kind, ReadErrorKind::BufferShort { .. });
                assert!(
                    is_short && found.offset >= error.offset,
                    "{name}: {error}, but {found}"
                );
            }
            other => panic!("{name}: {error}, but {other}"),
        },
        (Err(_), Err(_)) => {}
        (Ok(_), Err(dynamic)) => {
            let is_limit = matches!(
                dynamic.kind(),
                ErrorKind::TooDeep(_) | ErrorKind::TooManyValues(_)
            );
            assert!(is_limit, "{name}: was read, but {dynamic}");
        }
        (Err(error), Ok(dynamic)) => {
            let is_limit = matches!(error.kind, ReadErrorKind::TooDeep(_));
            assert!(is_limit, "{name}: {error}, but {dynamic:?}");
        }
    }
}

/// The two values have the same bytes, in the order of the Rust type's containers.
fn check_same<T: BinReadOwned + BinWrite>(value: &T, dynamic: &Value, ty: &Type) {
    let name = type_name::<T>();
    let written = to_vec(value).expect("what was read can be written");
    let dynamic_written = ty.to_vec(dynamic).expect("what was read can be written");
    assert_eq!(ty.size(dynamic), Ok(dynamic_written.len()), "{name}");
    assert_eq!(dynamic_written.len(), written.len(), "{name}");
    // A set without a type stays in the order in which it came.
    let again: T = from_slice(&dynamic_written).expect("what was written can be read");
    assert_eq!(to_vec(&again).as_ref(), Ok(&written), "{name}");
}
