//! From the vectors' JSON to Rust values.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use bin_prot::library::{
    Date, DateOption, Either, Month, SetOnce, TimeNsOfday, TimeNsOfdayZoned, Zone,
};
use bin_prot::shape::Digest;
use bin_prot::{
    Array, Blob, ByteString, Char, Float32Mat, Float32Vec, Float64Mat, Float64Vec, FloatArray,
    FloatVec, Hashtbl, Info, Int8Bit, Int16Bit, Int32Bit, Int32Bits, Int63, Int64, Int64Bit,
    Int64Bits, Mat, Nat0, Nativeint, Network16Int, Network32Int, Network32Int32, Network64Int,
    Network64Int64, OrNull, Ref, Sexp, SourcePosition, UnitV2, VariantInt,
};
use bytes::Bytes;
use rpc_testkit::golden;
use serde_json::Value;

/// A type whose values the vectors contain.
pub(crate) trait FromGolden {
    fn from_golden(value: &Value) -> Self;
}

/// The value of a field of a record, or of any other JSON value that is there.
pub(crate) fn get<T: FromGolden>(value: &Value) -> T {
    T::from_golden(value)
}

/// The bytes of a string, in any of its forms.
fn bytes_of(value: &Value) -> Vec<u8> {
    golden::bytes_of(value).unwrap_or_else(|| panic!("{value} is no byte string"))
}

/// The elements of a list, in either of its forms.
fn items_of(value: &Value) -> Vec<Value> {
    golden::items_of(value).unwrap_or_else(|| panic!("{value} is no list"))
}

/// The constructor of a variant and its arguments.
pub(crate) fn constructor(value: &Value) -> (&str, Vec<Value>) {
    let arguments = match (value.get("args"), value.get("arg")) {
        (Some(arguments), _) => items_of(arguments),
        (None, Some(argument)) => vec![argument.clone()],
        (None, None) => Vec::new(),
    };
    (value["tag"].as_str().unwrap(), arguments)
}

macro_rules! integers {
    ($($type:ty, $value:ident => $convert:expr;)*) => {$(
        impl FromGolden for $type {
            fn from_golden(value: &Value) -> Self {
                let $value = value.as_i64().unwrap();
                $convert
            }
        }
    )*};
}
integers! {
    i64, value => value;
    i32, value => value.try_into().unwrap();
    Int64, value => Self(value);
    Nativeint, value => Self(value);
    Int63, value => Self(value);
    Nat0, value => Self(value.try_into().unwrap());
    Char, value => Self(value.try_into().unwrap());
    Int8Bit, value => value.try_into().unwrap();
    Int16Bit, value => value.try_into().unwrap();
    Int32Bit, value => value.try_into().unwrap();
    Int32Bits, value => value.try_into().unwrap();
    Int64Bit, value => Self(value);
    Int64Bits, value => Self(value);
    Network16Int, value => value.try_into().unwrap();
    Network32Int, value => value.try_into().unwrap();
    Network32Int32, value => value.try_into().unwrap();
    Network64Int, value => Self(value);
    Network64Int64, value => Self(value);
    VariantInt, value => value.try_into().unwrap();
    char, value => u32::try_from(value).unwrap().try_into().unwrap();
    TimeNsOfday, value => Self::from_nanos(value);
    DateOption, value => {
        let day = Date::new(
            (value >> 16).try_into().unwrap_or(0),
            Month::from_number((value >> 8 & 0xff).try_into().unwrap()).unwrap_or(Month::Jan),
            (value & 0xff).try_into().unwrap(),
        );
        Self(day)
    };
}

impl FromGolden for () {
    fn from_golden(value: &Value) {
        assert!(value.is_null());
    }
}

impl FromGolden for bool {
    fn from_golden(value: &Value) -> Self {
        value.as_bool().unwrap()
    }
}

impl FromGolden for f64 {
    fn from_golden(value: &Value) -> Self {
        Self::from_bits(u64::from_str_radix(value["f64"].as_str().unwrap(), 16).unwrap())
    }
}

impl FromGolden for f32 {
    fn from_golden(value: &Value) -> Self {
        Self::from_bits(u32::from_str_radix(value["f32"].as_str().unwrap(), 16).unwrap())
    }
}

impl FromGolden for UnitV2 {
    fn from_golden(value: &Value) -> Self {
        assert!(value.is_null());
        Self
    }
}

macro_rules! transparent {
    ($($name:ident $(<$($param:ident),*>)? ($inner:ty);)*) => {$(
        impl$(<$($param: FromGolden),*>)? FromGolden for $name$(<$($param),*>)? {
            fn from_golden(value: &Value) -> Self {
                Self(get::<$inner>(value))
            }
        }
    )*};
}
transparent! {
    FloatArray(Vec<f64>);
    FloatVec(Vec<f64>);
    Float64Vec(Vec<f64>);
    Float32Vec(Vec<f32>);
    Ref<T>(T);
    SetOnce<T>(Option<T>);
    Blob<T>(T);
    Zone(ByteString);
}

macro_rules! matrix {
    ($($name:ident)*) => {$(
        impl FromGolden for $name {
            fn from_golden(value: &Value) -> Self {
                let rows = items_of(&value["rows"]);
                let columns = rows.first().map_or(0, |row| items_of(row).len());
                Self::from_fn(rows.len(), columns, |row, column| get(&rows[row][column]))
            }
        }
    )*};
}
matrix!(Mat Float64Mat Float32Mat);

impl<K: FromGolden + Eq + Hash, V: FromGolden> FromGolden for Hashtbl<K, V> {
    fn from_golden(value: &Value) -> Self {
        Self(items_of(value).iter().map(get::<(K, V)>).collect())
    }
}

impl FromGolden for Date {
    fn from_golden(value: &Value) -> Self {
        let month = Month::ALL
            .into_iter()
            .find(|month| value["month"] == format!("{month:?}"));
        let number = |name: &str| get::<i64>(&value[name]);
        let year = number("year").try_into().unwrap();
        Self::new(year, month.unwrap(), number("day").try_into().unwrap()).unwrap()
    }
}

impl FromGolden for TimeNsOfdayZoned {
    fn from_golden(value: &Value) -> Self {
        Self {
            ofday: get(&value["ofday"]),
            zone: get(&value["zone"]),
        }
    }
}

impl<A: FromGolden, B: FromGolden> FromGolden for Either<A, B> {
    fn from_golden(value: &Value) -> Self {
        let (tag, arguments) = constructor(value);
        match tag {
            "First" => Self::First(get(&arguments[0])),
            "Second" => Self::Second(get(&arguments[0])),
            other => panic!("{other}"),
        }
    }
}

impl FromGolden for ByteString {
    fn from_golden(value: &Value) -> Self {
        Self(bytes_of(value))
    }
}

impl FromGolden for Vec<u8> {
    fn from_golden(value: &Value) -> Self {
        bytes_of(value)
    }
}

impl FromGolden for Bytes {
    fn from_golden(value: &Value) -> Self {
        bytes_of(value).into()
    }
}

impl FromGolden for Digest {
    fn from_golden(value: &Value) -> Self {
        Self(bytes_of(value).try_into().unwrap())
    }
}

impl<T: FromGolden> FromGolden for Option<T> {
    fn from_golden(value: &Value) -> Self {
        value.get("some").map(get)
    }
}

impl<T: FromGolden> FromGolden for OrNull<T> {
    fn from_golden(value: &Value) -> Self {
        Self(get(value))
    }
}

impl<T: FromGolden> FromGolden for Box<T> {
    fn from_golden(value: &Value) -> Self {
        Self::new(get(value))
    }
}

impl<T: FromGolden> FromGolden for Vec<T> {
    fn from_golden(value: &Value) -> Self {
        items_of(value).iter().map(get).collect()
    }
}

impl<T: FromGolden> FromGolden for Array<T> {
    fn from_golden(value: &Value) -> Self {
        Self(get(value))
    }
}

impl<T: FromGolden + Ord> FromGolden for BTreeSet<T> {
    fn from_golden(value: &Value) -> Self {
        items_of(value).iter().map(get).collect()
    }
}

impl<K: FromGolden + Ord, V: FromGolden> FromGolden for BTreeMap<K, V> {
    fn from_golden(value: &Value) -> Self {
        items_of(value).iter().map(get::<(K, V)>).collect()
    }
}

impl<T: FromGolden, E: FromGolden> FromGolden for Result<T, E> {
    fn from_golden(value: &Value) -> Self {
        match (value["tag"].as_str(), &value["args"][0]) {
            (Some("Ok"), argument) => Ok(get(argument)),
            (Some("Error"), argument) => Err(get(argument)),
            _ => panic!("{value}"),
        }
    }
}

macro_rules! tuple {
    ($($type:ident $index:literal)*) => {
        impl<$($type: FromGolden),*> FromGolden for ($($type,)*) {
            fn from_golden(value: &Value) -> Self {
                ($(get(&value[$index]),)*)
            }
        }
    };
}
tuple!(A 0 B 1);
tuple!(A 0 B 1 C 2);
tuple!(A 0 B 1 C 2 D 3);

impl FromGolden for Sexp {
    fn from_golden(value: &Value) -> Self {
        match constructor(value) {
            ("Atom", arguments) => Self::Atom(get(&arguments[0])),
            ("List", arguments) => Self::List(get(&arguments[0])),
            other => panic!("{other:?}"),
        }
    }
}

impl FromGolden for Info {
    fn from_golden(value: &Value) -> Self {
        let (tag, arguments) = constructor(value);
        match (tag, &arguments[..]) {
            ("Could_not_construct", [sexp]) => Self::CouldNotConstruct(get(sexp)),
            ("String", [text]) => Self::String(get(text)),
            ("Exn", [sexp]) => Self::Exn(get(sexp)),
            ("Sexp", [sexp]) => Self::Sexp(get(sexp)),
            ("Tag_sexp", [tag, sexp, at]) => Self::TagSexp(get(tag), get(sexp), get(at)),
            ("Tag_t", [tag, info]) => Self::TagT(get(tag), get(info)),
            ("Tag_arg", [tag, sexp, info]) => Self::TagArg(get(tag), get(sexp), get(info)),
            ("Of_list", [cut, infos]) => Self::OfList(get(cut), get(infos)),
            ("With_backtrace", [info, lines]) => Self::WithBacktrace(get(info), get(lines)),
            other => panic!("{other:?}"),
        }
    }
}

impl FromGolden for SourcePosition {
    fn from_golden(value: &Value) -> Self {
        Self {
            file: get(&value["pos_fname"]),
            line: get(&value["pos_lnum"]),
            line_start: get(&value["pos_bol"]),
            offset: get(&value["pos_cnum"]),
        }
    }
}
