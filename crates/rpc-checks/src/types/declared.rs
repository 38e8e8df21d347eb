//! Types of every kind that the derive knows, with fields of every type that the library has.

mod wide;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bin_prot::library::{
    ByteUnits, ByteUnitsV1, Date, DateOption, DayOfWeek, Deque, Either, Fdeque, HostAndPort,
    LinkedQueue, Md5AsBinaryString, Month, NonemptyList, NonemptyListV1, NonemptyListV2, Nothing,
    OrError, OrErrorV1, Percent, PercentOption, PercentOptionV2, PercentV1, PercentV2, PolyHashtbl,
    PolyMap, PolySet, SetOnce, StdlibDigest, TimeFloat, TimeFloatOfdayZoned, TimeFloatSpan, TimeNs,
    TimeNsOfdayOption, TimeNsOfdayZoned, TimeNsOption, TimeNsSpan, TimeNsSpanOption, Utf8, Uuid,
    Zone,
};
use bin_prot::shape::{Digest, Shape};
use bin_prot::{
    Array, BinProt, Blob, ByteString, Char, Float32Mat, Float32Vec, Float64Mat, Float64Vec,
    FloatArray, FloatVec, Hashtbl, Info, InfoV1, Int8Bit, Int16Bit, Int32Bit, Int32Bits, Int63,
    Int64, Int64Bit, Int64Bits, Mat, Nat0, Nativeint, Network16Int, Network32Int, Network32Int32,
    Network64Int, Network64Int64, OpaqueBlob, OrNull, Ref, Sexp, UnitV2, VariantInt,
};
use bytes::Bytes;
use rpc_wire::{Description, Metadata, MetadataV2, RpcDigests, RpcError};

use super::check;
pub(crate) use wide::Wide;

/// A check for each of the types. What comes later in the list has a larger number in inputs that
/// are kept: new types go to its end.
pub(super) const ALL: &[fn(&[u8])] = &[
    check::<Everything>,
    check::<Scalars>,
    check::<Fixed>,
    check::<Container<i64>>,
    check::<Container<Container<ByteString>>>,
    check::<Order>,
    check::<Abc>,
    check::<Abcd>,
    check::<Tree<ByteString>>,
    check::<MutualTree<Option<i64>>>,
    check::<Peano>,
    check::<Irregular<i64, bool>>,
    check::<Kids>,
    check::<Wide>,
    check::<Times>,
    check::<Quantities>,
    check::<Matrices>,
    check::<Unordered>,
    check::<Sparse>,
    check::<Converted>,
    check::<Vec<Blob<Blob<Vec<Blob<i64>>>>>>,
    check::<(Sexp, Info, InfoV1, OrError<()>, OrErrorV1<()>)>,
    check::<Shape>,
    check::<(RpcError, Metadata, MetadataV2)>,
    check::<BTreeMap<Description, RpcDigests>>,
    check::<Vec<Vec<Vec<Vec<Vec<Option<()>>>>>>>,
];

#[derive(BinProt)]
pub(crate) struct Everything {
    scalars: Scalars,
    text: (ByteString, String, Bytes, Vec<u8>),
    nested: Vec<Option<Vec<bool>>>,
    sums: Array<(Order, Abcd)>,
    set: BTreeSet<i64>,
    map: BTreeMap<ByteString, Result<Box<Tree<i64>>, i32>>,
    more: OrNull<Container<bool>>,
}

#[derive(BinProt)]
pub(crate) struct Scalars {
    nothing: UnitV2,
    unit: (),
    flag: bool,
    char: Char,
    float: f64,
    int: i64,
    int32: i32,
    int64: Int64,
    native: Nativeint,
    int63: Int63,
    nat0: Nat0,
    narrow: (i8, i16, u16, u32),
    broad: (u64, usize, char),
    numbers: NonemptyList<i64>,
    digests: (Digest, StdlibDigest, Md5AsBinaryString),
}

/// Of the scalars, those that accept whatever their shape does.
#[derive(BinProt)]
pub(crate) struct Broad {
    unit: (),
    flag: bool,
    char: Char,
    float: f64,
    int: i64,
    int32: i32,
    int64: Int64,
    native: Nativeint,
    int63: Int63,
    nat0: Nat0,
    digests: (Digest, StdlibDigest),
    text: (ByteString, Bytes, Vec<u8>),
    time: TimeNs,
    date: Date,
}

#[derive(BinProt)]
pub(crate) struct Fixed(
    (Int8Bit, Int16Bit, Int32Bit, Int64Bit),
    (Int32Bits, Int64Bits, VariantInt),
    (Network16Int, Network32Int, Network32Int32),
    (Network64Int, Network64Int64),
);

#[derive(BinProt)]
pub(crate) struct Container<T> {
    option: Option<Option<T>>,
    or_null: OrNull<T>,
    reference: Ref<Box<T>>,
    lists: (Vec<T>, Array<T>),
    shared: Arc<T>,
    result: Result<T, ByteString>,
    either: Either<T, UnitV2>,
    queues: (VecDeque<T>, Deque<T>, Fdeque<T>, LinkedQueue<T>),
    nonempty: (NonemptyListV1<T>, NonemptyListV2<T>),
    once: SetOnce<T>,
    blobs: (Blob<T>, OpaqueBlob),
}

#[derive(BinProt)]
#[bin_prot(recursive)]
pub(crate) enum Order {
    Nothing,
    One(i64),
    Two(i64, ByteString),
    Pair((i64, bool)),
    Inline { name: ByteString, rest: Vec<i64> },
    Never(Nothing),
    Empty(UnitV2),
    Many(Vec<Self>),
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
pub(crate) enum Abc {
    A,
    B(i64),
    C(ByteString, i64),
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
pub(crate) enum Abcd {
    #[bin_prot(inherit)]
    Abc(Abc),
    D(bool),
    E(Option<ByteString>),
}

#[derive(BinProt)]
#[bin_prot(recursive)]
pub(crate) enum Tree<T> {
    Leaf,
    Node(Box<Self>, T, Box<Self>),
}

#[derive(BinProt)]
#[bin_prot(group(MutualTree<T>, MutualNode<T>))]
pub(crate) enum MutualTree<T> {
    Leaf,
    Node(MutualNode<T>),
}

#[derive(BinProt)]
#[bin_prot(group(MutualTree<T>, MutualNode<T>))]
pub(crate) struct MutualNode<T> {
    key: T,
    children: Vec<MutualTree<T>>,
}

#[derive(BinProt)]
#[bin_prot(recursive)]
pub(crate) enum Peano {
    Zero,
    Succ(Box<Self>),
}

#[derive(BinProt)]
#[bin_prot(recursive)]
pub(crate) enum Irregular<A, B> {
    End,
    Next(A, Box<Irregular<B, A>>),
}

#[derive(BinProt)]
#[bin_prot(recursive)]
pub(crate) struct Kids {
    value: i64,
    kids: Vec<Self>,
    named: BTreeMap<i64, Option<Box<Self>>>,
}

#[derive(BinProt)]
pub(crate) struct Times {
    instants: (TimeNs, TimeNsOption, TimeFloat),
    spans: (TimeNsSpan, TimeNsSpanOption, TimeFloatSpan),
    ofday: TimeNsOfdayOption,
    zoned: (TimeNsOfdayZoned, TimeFloatOfdayZoned),
    zone: Zone,
    dates: (Date, DateOption, Month, DayOfWeek),
    by_time: BTreeMap<TimeFloat, Date>,
}

#[derive(BinProt)]
pub(crate) struct Quantities {
    percents: (Percent, PercentV1, PercentV2),
    options: (PercentOption, PercentOptionV2),
    units: (ByteUnits, ByteUnitsV1),
    uuid: Uuid,
    text: Utf8,
    host: HostAndPort,
}

#[derive(BinProt)]
pub(crate) struct Matrices {
    arrays: (FloatArray, FloatVec, Float64Vec, Float32Vec),
    matrices: Vec<(Mat, Float64Mat, Float32Mat)>,
}

#[derive(BinProt)]
pub(crate) struct Unordered {
    map: HashMap<i64, ByteString>,
    set: HashSet<ByteString>,
    old: Hashtbl<bool, Vec<i64>>,
    polymorphic: (PolyMap<i64, ()>, PolySet<i64>, PolyHashtbl<i64, bool>),
}

/// Parts that take no bytes.
#[derive(BinProt)]
pub(crate) struct Sparse {
    units: Vec<UnitV2>,
    #[expect(clippy::vec_box, reason = "a pointer to nothing is one of the cases")]
    boxed: Vec<Vec<Box<UnitV2>>>,
    pairs: Array<(UnitV2, UnitV2)>,
    queue: VecDeque<Arc<UnitV2>>,
    ends: Option<UnitV2>,
}

/// Fields that travel as another type.
#[derive(BinProt)]
pub(crate) struct Converted {
    #[bin_prot(as = Int16Bit)]
    port: i64,
    #[bin_prot(as = Int64)]
    nonce: i64,
    #[bin_prot(as = Network32Int)]
    address: i32,
    #[bin_prot(as = VariantInt)]
    hash: i32,
}
