//! From the vectors' JSON to Rust values.

use std::collections::{BTreeMap, BTreeSet};

use bin_prot::shape::Digest;
use bin_prot::{
    Array, ByteString, Char, Info, Int63, Int64, Nat0, Nativeint, OrNull, Sexp, SourcePosition,
};
use bytes::Bytes;
use rpc_testkit::golden::{bytes_of, items_of};
use serde_json::Value;

/// A type whose values the vectors contain.
pub(crate) trait FromGolden {
    fn from_golden(value: &Value) -> Self;
}

/// The value of a field of a record, or of any other JSON value that is there.
pub(crate) fn get<T: FromGolden>(value: &Value) -> T {
    T::from_golden(value)
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
