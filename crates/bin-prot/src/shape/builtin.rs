//! The shapes of Rust's own types and of this crate's (*shapes* §9, §10).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::identity::{
    BLOB, DEQUE, FDEQUE, HASH_SET, HASHTBL, LINKED_QUEUE, MAP, MD5, OPAQUE_BLOB, POLY_HASHTBL,
    POLY_MAP, POLY_SET, QUEUE, SEQUENCE_0, SEQUENCE_1, SEQUENCE_2, SET,
};
use super::{BinShape, Digest, Shape};
use crate::library::{Deque, Fdeque, LinkedQueue, PolyHashtbl, PolyMap, PolySet};
use crate::{
    Array, Blob, ByteString, Char, Float32Mat, Float32Vec, Float64Mat, Float64Vec, FloatArray,
    FloatVec, Hashtbl, Int8Bit, Int16Bit, Int32Bit, Int32Bits, Int63, Int64, Int64Bit, Int64Bits,
    Mat, Nat0, Nativeint, Network16Int, Network32Int, Network32Int32, Network64Int, Network64Int64,
    OpaqueBlob, OrNull, Ref, UnitV2, VariantInt,
};

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
    OPAQUE_BLOB => OpaqueBlob;
    "unit_v2" => UnitV2;
    "int_8bit" => Int8Bit;
    "int_16bit" => Int16Bit;
    "int_32bit" => Int32Bit;
    "int_64bit" => Int64Bit;
    "int32_bits" => Int32Bits;
    "int64_bits" => Int64Bits;
    "network16_int" => Network16Int;
    "network32_int" => Network32Int;
    "network32_int32" => Network32Int32;
    "network64_int" => Network64Int;
    "network64_int64" => Network64Int64;
    "variant_int" => VariantInt;
    "floatarray" => FloatArray;
    "vec" => FloatVec;
    "float64_vec" => Float64Vec;
    "float32_vec" => Float32Vec;
    "mat" => Mat;
    "float64_mat" => Float64Mat;
    "float32_mat" => Float32Mat;
}

macro_rules! base_of_one {
    ($($name:expr => $($type:ty),+;)*) => {$($(
        impl<T: BinShape> BinShape for $type {
            const CIRCLES_ARE_DECLARED: () = T::CIRCLES_ARE_DECLARED;

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
    "ref" => Ref<T>;
    BLOB => Blob<T>;
}

macro_rules! transparent {
    ($($type:ty),*) => {$(
        impl<T: BinShape + ?Sized> BinShape for $type {
            const CIRCLES_ARE_DECLARED: () = T::CIRCLES_ARE_DECLARED;

            fn bin_shape() -> Shape {
                T::bin_shape()
            }
        }
    )*};
}
transparent!(&T, Box<T>, Arc<T>);

impl<T: BinShape, E: BinShape> BinShape for Result<T, E> {
    const CIRCLES_ARE_DECLARED: () = (T::CIRCLES_ARE_DECLARED, E::CIRCLES_ARE_DECLARED).0;

    fn bin_shape() -> Shape {
        Shape::instance(Shape::variant([
            ("Ok", vec![T::bin_shape()]),
            ("Error", vec![E::bin_shape()]),
        ]))
    }
}

/// Containers: their own identity around that of the sequence of their elements.
macro_rules! sequence {
    ($($type:ty [$($param:ident),*]: $own:ident($sequence:ident) of $element:ty;)*) => {$(
        impl<$($param: BinShape),*> BinShape for $type {
            const CIRCLES_ARE_DECLARED: () = {
                $(let () = $param::CIRCLES_ARE_DECLARED;)*
            };

            fn bin_shape() -> Shape {
                let elements = Shape::base($sequence, [<$element>::bin_shape()]);
                Shape::base($own, [elements])
            }
        }
    )*};
}
sequence! {
    BTreeSet<T> [T]: SET(SEQUENCE_0) of T;
    PolySet<T> [T]: POLY_SET(SEQUENCE_1) of T;
    BTreeMap<K, V> [K, V]: MAP(SEQUENCE_1) of (K, V);
    PolyMap<K, V> [K, V]: POLY_MAP(SEQUENCE_2) of (K, V);
    PolyHashtbl<K, V> [K, V]: POLY_HASHTBL(SEQUENCE_2) of (K, V);
    VecDeque<T> [T]: QUEUE(SEQUENCE_1) of T;
    Deque<T> [T]: DEQUE(SEQUENCE_1) of T;
    Fdeque<T> [T]: FDEQUE(SEQUENCE_1) of T;
    LinkedQueue<T> [T]: LINKED_QUEUE(SEQUENCE_1) of T;
}

impl<K: BinShape, V: BinShape, S> BinShape for HashMap<K, V, S> {
    const CIRCLES_ARE_DECLARED: () = (K::CIRCLES_ARE_DECLARED, V::CIRCLES_ARE_DECLARED).0;

    fn bin_shape() -> Shape {
        Shape::base(HASHTBL, [Shape::base(SEQUENCE_1, [<(K, V)>::bin_shape()])])
    }
}

impl<T: BinShape, S> BinShape for HashSet<T, S> {
    const CIRCLES_ARE_DECLARED: () = T::CIRCLES_ARE_DECLARED;

    fn bin_shape() -> Shape {
        Shape::base(HASH_SET, [Shape::base(SEQUENCE_0, [T::bin_shape()])])
    }
}

impl<K: BinShape, V: BinShape> BinShape for Hashtbl<K, V> {
    const CIRCLES_ARE_DECLARED: () = (K::CIRCLES_ARE_DECLARED, V::CIRCLES_ARE_DECLARED).0;

    fn bin_shape() -> Shape {
        Shape::base("hashtbl", [K::bin_shape(), V::bin_shape()])
    }
}

macro_rules! tuple {
    ($($name:ident)+) => {
        impl<$($name: BinShape),+> BinShape for ($($name,)+) {
            const CIRCLES_ARE_DECLARED: () = {
                $(let () = $name::CIRCLES_ARE_DECLARED;)+
            };

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
tuple!(A B C D E F G H I);
tuple!(A B C D E F G H I J);
tuple!(A B C D E F G H I J K);
tuple!(A B C D E F G H I J K L);
