//! Two types that hold a bit of everything, to see that both ends encode it alike.

use std::collections::{BTreeMap, BTreeSet};

use bin_prot::library::{Date, Either, OrError, TimeNs, TimeNsSpan};
use bin_prot::{Array, BinProt, ByteString, Char, Info, Int63, Int64, Nativeint, Ref, Sexp};
use bytes::Bytes;

/// A variant with each form of constructor.
#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) enum Variant {
    A,
    B(i64),
    C { x: f64, y: f64 },
    D(i64, ByteString),
}

/// A polymorphic variant.
#[derive(Clone, Debug, PartialEq, BinProt)]
#[bin_prot(polymorphic)]
pub(crate) enum Polymorphic {
    Foo,
    Bar(i64),
    Baz(ByteString, i64),
}

/// What bin_prot itself provides.
#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) struct Zoo {
    pub(crate) i: i64,
    pub(crate) neg: i64,
    pub(crate) i32: i32,
    pub(crate) i64: Int64,
    pub(crate) f: f64,
    pub(crate) b: bool,
    pub(crate) c: Char,
    pub(crate) s: ByteString,
    pub(crate) u: (),
    pub(crate) o: Option<i64>,
    pub(crate) l: Vec<ByteString>,
    pub(crate) a: Array<i64>,
    pub(crate) t: (i64, ByteString, bool),
    pub(crate) r: Result<i64, ByteString>,
    pub(crate) v: Variant,
    pub(crate) p: Polymorphic,
    pub(crate) tbl: Vec<(ByteString, i64)>,
    pub(crate) bytes: Bytes,
    /// Lazy in OCaml, which leaves no trace in the encoding.
    pub(crate) lz: i64,
}

/// What Core adds, and nesting.
#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) struct Zoo2 {
    pub(crate) fa: Array<f64>,
    pub(crate) i63: Int63,
    pub(crate) nat: Nativeint,
    pub(crate) re: Ref<i64>,
    pub(crate) nested: Option<Vec<Vec<i64>>>,
    pub(crate) fi: Either<i64, ByteString>,
    pub(crate) se: Sexp,
    pub(crate) er: Info,
    pub(crate) oe: OrError<i64>,
    pub(crate) m: BTreeMap<ByteString, i64>,
    pub(crate) st: BTreeSet<i64>,
    pub(crate) h: Vec<(ByteString, i64)>,
    pub(crate) d: Date,
    pub(crate) tns: TimeNs,
    pub(crate) span: TimeNsSpan,
    pub(crate) fu: (i64, (ByteString, (bool, Char))),
}
