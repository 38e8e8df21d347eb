//! The golden vectors through Rust types: their encoding, their errors, and the digests that the
//! derive gives them. By their shapes alone `rpc-conformance` runs them.

mod types;
mod value;
mod wide;

use std::collections::{BTreeMap, BTreeSet};

use bin_prot::library::{Date, DateOption, Either, SetOnce, TimeNsOfdayZoned};
use bin_prot::shape::{BinShape, Digest};
use bin_prot::{
    Array, BinReadOwned, BinWrite, Blob, ByteString, Char, Float32Mat, Float32Vec, Float64Mat,
    Float64Vec, FloatArray, FloatVec, Hashtbl, Info, Int8Bit, Int16Bit, Int32Bit, Int32Bits, Int63,
    Int64, Int64Bit, Int64Bits, Mat, Nat0, Nativeint, Network16Int, Network32Int, Network32Int32,
    Network64Int, Network64Int64, OrNull, Reader, Ref, Sexp, UnitV2, VariantInt, from_slice,
    to_vec,
};
use bytes::Bytes;
use rpc_testkit::golden::{Vector, of_kind};

use types::*;
use value::FromGolden;
use wide::{Variant256, Variant257, Variant300};

/// What can be checked of a type.
struct Checks {
    value: fn(&Vector),
    decode: fn(&Vector),
    error: fn(&Vector),
    digest: fn() -> Digest,
}

impl Checks {
    fn of<T: FromGolden + BinReadOwned + BinWrite + BinShape>() -> Self {
        Self {
            value: check_value::<T>,
            decode: check_decode::<T>,
            error: check_error::<T>,
            digest: || T::bin_shape().digest().unwrap(),
        }
    }
}

macro_rules! types {
    ($($name:literal => $type:ty,)*) => {
        BTreeMap::from([$(($name, Checks::of::<$type>()),)*])
    };
}

type IntTree = MutualTree<i64>;
type Circles = Shapes;

/// The vectors' types in Rust.
fn supported() -> BTreeMap<&'static str, Checks> {
    types! {
        "int" => i64,
        "int32" => i32,
        "int64" => Int64,
        "nativeint" => Nativeint,
        "int63" => Int63,
        "nat0" => Nat0,
        "unit" => (),
        "bool" => bool,
        "char" => Char,
        "float" => f64,
        "string" => ByteString,
        "bytes" => Vec<u8>,
        "bigstring" => Bytes,
        "md5" => Digest,
        "unit_v2" => UnitV2,
        "int_8bit" => Int8Bit,
        "int_16bit" => Int16Bit,
        "int_32bit" => Int32Bit,
        "int_64bit" => Int64Bit,
        "int32_bits" => Int32Bits,
        "int64_bits" => Int64Bits,
        "network16_int" => Network16Int,
        "network32_int" => Network32Int,
        "network32_int32" => Network32Int32,
        "network64_int" => Network64Int,
        "network64_int64" => Network64Int64,
        "variant_int" => VariantInt,
        "floatarray" => FloatArray,
        "vec" => FloatVec,
        "float64_vec" => Float64Vec,
        "float32_vec" => Float32Vec,
        "mat" => Mat,
        "float64_mat" => Float64Mat,
        "float32_mat" => Float32Mat,
        "(string, int) hashtbl" => Hashtbl<ByteString, i64>,
        "int Blob" => Blob<i64>,
        "string Blob list" => Vec<Blob<ByteString>>,
        "int option" => Option<i64>,
        "unit option" => Option<()>,
        "int option option" => Option<Option<i64>>,
        "int32 option" => Option<i32>,
        "int64 option" => Option<Int64>,
        "int or_null" => OrNull<i64>,
        "int64 or_null" => OrNull<Int64>,
        "int lazy_t" => i64,
        "int32 lazy_t" => i32,
        "int ref" => Ref<i64>,
        "int32 ref" => Ref<i32>,
        "int64 ref" => Ref<Int64>,
        "int Set_once" => SetOnce<i64>,
        "int * int" => (i64, i64),
        "(int * int) * int" => ((i64, i64), i64),
        "int * (int * int)" => (i64, (i64, i64)),
        "float * int * string" => (f64, i64, ByteString),
        "unit * bool * char * int64" => ((), bool, Char, Int64),
        "int32 * int32" => (i32, i32),
        "int32 * int32 * int32" => (i32, i32, i32),
        "int list" => Vec<i64>,
        "int32 list" => Vec<i32>,
        "int64 list" => Vec<Int64>,
        "string list" => Vec<ByteString>,
        "unit list" => Vec<()>,
        "float list" => Vec<f64>,
        "int list list" => Vec<Vec<i64>>,
        "int option list" => Vec<Option<i64>>,
        "(string * int) list" => Vec<(ByteString, i64)>,
        "int array" => Array<i64>,
        "int32 array" => Array<i32>,
        "int64 array" => Array<Int64>,
        "bool array" => Array<bool>,
        "float array" => Array<f64>,
        "int Set" => BTreeSet<i64>,
        "int -> int Map" => BTreeMap<i64, i64>,
        "Date" => Date,
        "Date.Set" => BTreeSet<Date>,
        "string Date.Map" => BTreeMap<Date, ByteString>,
        "Date.Option" => DateOption,
        "Uchar" => char,
        "Time_ns.Ofday.Zoned" => TimeNsOfdayZoned,
        "Time_float Zone.Full_data" => ZoneData,
        "Just_digests" => JustDigests,
        "Sexp" => Sexp,
        "Info" => Info,
        "{x:int; y:string; z:bool}" => Xyz,
        "{r:{x:int; y:string; z:bool}; o:float option; l:{x:int; y:string; z:bool} list}" => Rol,
        "{only:int}" => Only,
        "{a:int; b:string; more:int list}" => Generic<i64, ByteString>,
        "{x:int32; y:float}" => Xy,
        "{y:{w:int64; x:int32}; z:unit}" => Yz,
        "{f:[`X | `Y of int] list}" => InlinePolymorphic,
        "Red | Green | Blue" => Color,
        "Circle of float | Rect of float * float | Origin | Pair of (int * int) | \
         Named of {name:string; w:int} | Nested of (E | F of int list)" => Circles,
        "Outer_other of unit | Outer of {y:(Inner of {w:int64; x:int32} | Inner_other of unit); \
         z:unit}" => Outer,
        "(int, string) result" => Result<i64, ByteString>,
        "(unit, string) result" => Result<(), ByteString>,
        "(int, string) Either.t" => Either<i64, ByteString>,
        "variant256" => Variant256,
        "variant257" => Variant257,
        "variant300" => Variant300,
        "[`A | `B of int | `C of string * int]" => Abc,
        "[`C of string * int | `A | `B of int]" => Cab,
        "[[`A | `B of int | `C of string * int] | `D of bool]" => Abcd,
        "[`D of bool | [`A | `B of int | `C of string * int]]" => Abcd,
        "[`A of int | `Unit of unit | `Lst of int list]" => GenericPolymorphic<i64>,
        "[`Version of int]" => Version,
        "[[`a | `b] | [`b | `c]]" => SmallLetters,
        "t = [`Leaf | `Node of t * t]" => PolymorphicTree,
        "t = Zero | Succ of t" => Peano,
        "'a t = Leaf | Node of 'a t * 'a * 'a t with 'a = int" => Tree<i64>,
        "'a t = Nil | Cons of 'a * 'a t with 'a = int" => List<i64>,
        "t = {v:int; kids:t list}" => Kids,
        "'a tree = Leaf | Node of 'a node and 'a node = {key:'a; children:'a tree list} \
         (int tree)" => IntTree,
    }
}

#[test]
fn values_and_errors_are_those_of_the_reference() {
    let supported = supported();
    let mut ran = 0;
    for kind in ["bin_prot", "bin_prot_decode", "bin_prot_error"] {
        for vector in of_kind(kind) {
            let checks = &supported[vector.type_name.as_str()];
            match kind {
                "bin_prot" => (checks.value)(vector),
                "bin_prot_decode" => (checks.decode)(vector),
                _ => (checks.error)(vector),
            }
            ran += 1;
        }
    }
    assert_eq!(ran, 2_239);
}

#[test]
fn digests_of_rust_types_are_those_of_the_reference() {
    let supported = supported();
    let mut ran = 0;
    for vector in of_kind("digest") {
        if let Some(checks) = supported.get(vector.type_name.as_str()) {
            let digest = (checks.digest)();
            assert_eq!(
                digest.to_string(),
                vector.text("digest").unwrap(),
                "{}",
                vector.name
            );
            ran += 1;
        }
    }
    println!("ran {ran}");
    assert_eq!(ran, supported.len());
}

#[test]
fn messages_for_people_are_those_of_the_reference() {
    let mut ran = 0;
    for vector in of_kind("bin_prot") {
        let note = vector.text("note").unwrap_or_default();
        let Some(text) = note.strip_prefix("text form of the value: ") else {
            continue;
        };
        // The notes print spaces that the machine form leaves out.
        let shown = match vector.type_name.as_str() {
            "Info" => from_slice::<Info>(&vector.bytes().unwrap())
                .unwrap()
                .to_sexp(),
            "Sexp" => from_slice(&vector.bytes().unwrap()).unwrap(),
            _ => continue,
        };
        assert_eq!(
            shown.to_string().replace(' ', ""),
            text.replace(' ', ""),
            "{}",
            vector.name
        );
        ran += 1;
    }
    println!("ran {ran}");
    assert!(ran >= 14);
}

fn check_value<T: FromGolden + BinReadOwned + BinWrite>(vector: &Vector) {
    let name = &vector.name;
    let bytes = vector.bytes().unwrap();
    let value = T::from_golden(vector.value().unwrap());
    assert_eq!(to_vec(&value).unwrap(), bytes, "{name}");
    assert_eq!(value.bin_size(), bytes.len(), "{name}");
    let read: T = from_slice(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    // Bytes tell values apart where floats do not.
    assert_eq!(to_vec(&read).unwrap(), bytes, "{name}");
}

fn check_decode<T: FromGolden + BinReadOwned + BinWrite>(vector: &Vector) {
    let name = &vector.name;
    let bytes = vector.bytes().unwrap();
    let mut reader = Reader::new(&bytes);
    let read = T::bin_read(&mut reader).unwrap_or_else(|error| panic!("{name}: {error}"));
    let consumed = vector.number("consumed").unwrap();
    assert_eq!(Some(reader.offset() as u64), consumed, "{name}");
    let canonical = vector.hex("canonical_hex").unwrap();
    assert_eq!(to_vec(&read).unwrap(), canonical, "{name}");
    let value = T::from_golden(vector.value().unwrap());
    assert_eq!(to_vec(&value).unwrap(), canonical, "{name}");
}

fn check_error<T: BinReadOwned>(vector: &Vector) {
    let name = &vector.name;
    let bytes = vector.bytes().unwrap();
    let Err(error) = T::bin_read(&mut Reader::new(&bytes)) else {
        panic!("{name}: was read");
    };
    let found = error.kind.reference_name();
    match vector.text("error").unwrap() {
        // The OCaml runtime's own limit; nothing of that length fits a buffer.
        "Array_too_long" => return assert_eq!(found, Some("Buffer_short"), "{name}"),
        // The reference tells named types from others; we do not.
        "Variant_wrong_type" => assert_eq!(found, Some("Variant"), "{name}"),
        expected => assert_eq!(found, Some(expected), "{name}"),
    }
    if let Some(position) = vector.number("position").unwrap() {
        let found = error.reference_position().map(|found| found as u64);
        assert_eq!(found, Some(position), "{name}");
    }
}
