//! The shapes of Rust's own types and of this crate's (*shapes* §9, §10).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::{BinShape, Digest, Shape};
use crate::{Array, ByteString, Char, Int63, Int64, Nat0, Nativeint, OrNull};

/// Core's `Set` of a comparable element, around [`SEQUENCE`].
const SET: &str = "8989278e-4992-11e6-8f4a-6b89776b1e53";
/// Elements one after the other, of a container with one type parameter.
const SEQUENCE: &str = "6592371a-4994-11e6-923a-7748e4182764";
/// Core's `Map` from a comparable key, around [`ENTRIES`].
const MAP: &str = "dfb300f8-4992-11e6-9c15-73a2ac6b815c";
/// Elements one after the other, of a container with two type parameters.
const ENTRIES: &str = "ac8a9ff4-4994-11e6-9a1b-9fb4e933bd9d";
/// Core's `Md5`.
const MD5: &str = "f6bdcdd0-9f75-11e6-9a7e-d3020428efed";

macro_rules! base {
    ($($name:expr => $($type:ty),+;)*) => {$($(
        impl BinShape for $type {
            fn bin_shape() -> Shape {
                Shape::base($name, [])
            }
        }
    )+)*};
}
base! {
    "unit" => ();
    "bool" => bool;
    "char" => Char;
    "float" => f64;
    "int" => i8, i16, i64, u16, u32, u64, usize;
    "int32" => i32;
    "int64" => Int64;
    "nativeint" => Nativeint;
    "int63" => Int63;
    "nat0" => Nat0;
    "string" => str, String, ByteString;
    "bytes" => [u8], Vec<u8>;
    "bigstring" => Bytes;
    MD5 => Digest;
}

macro_rules! base_of_one {
    ($($name:literal => $($type:ty),+;)*) => {$($(
        impl<T: BinShape> BinShape for $type {
            fn bin_shape() -> Shape {
                Shape::base($name, [T::bin_shape()])
            }
        }
    )+)*};
}
base_of_one! {
    "option" => Option<T>;
    "or_null" => OrNull<T>;
    "list" => [T], Vec<T>;
    "array" => Array<T>;
}

macro_rules! transparent {
    ($($type:ty),*) => {$(
        impl<T: BinShape + ?Sized> BinShape for $type {
            fn bin_shape() -> Shape {
                T::bin_shape()
            }
        }
    )*};
}
transparent!(&T, Box<T>, Arc<T>);

impl<T: BinShape, E: BinShape> BinShape for Result<T, E> {
    fn bin_shape() -> Shape {
        Shape::instance(Shape::variant([
            ("Ok", vec![T::bin_shape()]),
            ("Error", vec![E::bin_shape()]),
        ]))
    }
}

impl<K: BinShape, V: BinShape> BinShape for BTreeMap<K, V> {
    fn bin_shape() -> Shape {
        let entry = <(K, V)>::bin_shape();
        Shape::base(MAP, [Shape::base(ENTRIES, [entry])])
    }
}

impl<T: BinShape> BinShape for BTreeSet<T> {
    fn bin_shape() -> Shape {
        Shape::base(SET, [Shape::base(SEQUENCE, [T::bin_shape()])])
    }
}

macro_rules! tuple {
    ($($name:ident)+) => {
        impl<$($name: BinShape),+> BinShape for ($($name,)+) {
            fn bin_shape() -> Shape {
                Shape::tuple([$($name::bin_shape()),+])
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
