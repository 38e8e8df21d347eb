//! The types that the vectors declare, in Rust.

use bin_prot::shape::Digest;
use bin_prot::{Array, BinProt, ByteString, Int63, Int64};
use serde_json::Value;

use super::value::{FromGolden, constructor, get};

/// A record: fields are called in the vectors as in Rust.
macro_rules! record {
    ($(#[$attribute:meta])* $name:ident$(<$($param:ident),*>)? { $($field:ident: $type:ty),* $(,)? }) => {
        #[derive(BinProt, PartialEq, PartialOrd)]
        $(#[$attribute])*
        pub(crate) struct $name$(<$($param),*>)? { $($field: $type,)* }

        impl$(<$($param: FromGolden),*>)? FromGolden for $name$(<$($param),*>)? {
            fn from_golden(value: &Value) -> Self {
                Self { $($field: get(&value[stringify!($field)]),)* }
            }
        }
    };
}

/// Constructors, by their name in the vectors.
macro_rules! constructors {
    ($name:ident$(<$($param:ident),*>)?: $($tag:literal [$($argument:pat_param)*] => $make:expr,)*) => {
        impl$(<$($param: FromGolden),*>)? FromGolden for $name$(<$($param),*>)? {
            fn from_golden(value: &Value) -> Self {
                let (tag, arguments) = constructor(value);
                match (tag, &arguments[..]) {
                    $(($tag, [$($argument),*]) => $make,)*
                    other => panic!("{other:?}"),
                }
            }
        }
    };
}

record!(Xyz {
    x: i64,
    y: ByteString,
    z: bool,
});
record!(Rol { r: Xyz, o: Option<f64>, l: Vec<Xyz>, });
record!(Only { only: i64 });
record!(Generic<A, B> { a: A, b: B, more: Vec<A>, });
record!(Xy { x: i32, y: f64 });
record!(Wx { w: Int64, x: i32 });
record!(Yz { y: Wx, z: () });
record!(#[bin_prot(recursive)] Kids { v: i64, kids: Vec<Self>, });

record!(ZoneData {
    name: ByteString,
    original_filename: Option<ByteString>,
    digest: Option<ByteString>,
    transitions: Array<Transition>,
    last_regime_index: i64,
    default_local_time_type: Regime,
    leap_seconds: Vec<LeapSecond>,
});
record!(Transition {
    start_time_in_seconds_since_epoch: Int63,
    new_regime: Regime,
});
record!(Regime {
    utc_offset_in_seconds: Int63,
    is_dst: bool,
    abbrv: ByteString,
});
record!(LeapSecond {
    time_in_seconds_since_epoch: Int63,
    seconds: i64,
});

#[derive(BinProt)]
pub(crate) enum Color {
    Red,
    Green,
    Blue,
}
constructors! { Color:
    "Red" [] => Self::Red,
    "Green" [] => Self::Green,
    "Blue" [] => Self::Blue,
}

#[derive(BinProt)]
pub(crate) enum Shapes {
    Circle(f64),
    Rect(f64, f64),
    Origin,
    Pair((i64, i64)),
    Named { name: ByteString, w: i64 },
    Nested(Nested),
}
constructors! { Shapes:
    "Circle" [radius] => Self::Circle(get(radius)),
    "Rect" [width height] => Self::Rect(get(width), get(height)),
    "Origin" [] => Self::Origin,
    "Pair" [pair] => Self::Pair(get(pair)),
    "Named" [record] => Self::Named { name: get(&record["name"]), w: get(&record["w"]) },
    "Nested" [nested] => Self::Nested(get(nested)),
}

#[derive(BinProt)]
pub(crate) enum Nested {
    E,
    F(Vec<i64>),
}
constructors! { Nested:
    "E" [] => Self::E,
    "F" [numbers] => Self::F(get(numbers)),
}

#[derive(BinProt)]
pub(crate) enum Outer {
    OuterOther(()),
    Outer { y: Inner, z: () },
}
constructors! { Outer:
    "Outer_other" [_] => Self::OuterOther(()),
    "Outer" [record] => Self::Outer { y: get(&record["y"]), z: get(&record["z"]) },
}

#[derive(BinProt)]
pub(crate) enum Inner {
    Inner { w: Int64, x: i32 },
    InnerOther(()),
}
constructors! { Inner:
    "Inner" [record] => Self::Inner { w: get(&record["w"]), x: get(&record["x"]) },
    "Inner_other" [_] => Self::InnerOther(()),
}

#[derive(BinProt)]
#[bin_prot(annotate = "d8669bfc-1cdf-11ee-9283-aa42dc4c5cc4")]
pub(crate) struct ShapeDigest(Digest);

impl FromGolden for ShapeDigest {
    fn from_golden(value: &Value) -> Self {
        Self(get(value))
    }
}

#[derive(BinProt)]
pub(crate) enum JustDigests {
    Rpc {
        query: ShapeDigest,
        response: ShapeDigest,
    },
    OneWay {
        msg: ShapeDigest,
    },
    StreamingRpc {
        query: ShapeDigest,
        initial_response: ShapeDigest,
        update_response: ShapeDigest,
        error: ShapeDigest,
    },
    Unknown,
}
constructors! { JustDigests:
    "Rpc" [record] => Self::Rpc {
        query: get(&record["query"]),
        response: get(&record["response"]),
    },
    "One_way" [record] => Self::OneWay { msg: get(&record["msg"]) },
    "Streaming_rpc" [record] => Self::StreamingRpc {
        query: get(&record["query"]),
        initial_response: get(&record["initial_response"]),
        update_response: get(&record["update_response"]),
        error: get(&record["error"]),
    },
    "Unknown" [] => Self::Unknown,
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
pub(crate) enum Abc {
    A,
    B(i64),
    C(ByteString, i64),
}
constructors! { Abc:
    "A" [] => Self::A,
    "B" [number] => Self::B(get(number)),
    "C" [pair] => Self::C(get(&pair[0]), get(&pair[1])),
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
pub(crate) enum Cab {
    C((ByteString, i64)),
    A,
    B(i64),
}
constructors! { Cab:
    "A" [] => Self::A,
    "B" [number] => Self::B(get(number)),
    "C" [pair] => Self::C(get(pair)),
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
pub(crate) enum Abcd {
    #[bin_prot(inherit)]
    Abc(Abc),
    D(bool),
}

impl FromGolden for Abcd {
    fn from_golden(value: &Value) -> Self {
        match constructor(value) {
            ("D", arguments) => Self::D(get(&arguments[0])),
            _ => Self::Abc(get(value)),
        }
    }
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
pub(crate) enum GenericPolymorphic<T> {
    A(T),
    Unit(()),
    Lst(Vec<T>),
}
constructors! { GenericPolymorphic<T>:
    "A" [value] => Self::A(get(value)),
    "Unit" [_] => Self::Unit(()),
    "Lst" [values] => Self::Lst(get(values)),
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
pub(crate) enum Version {
    Version(i64),
}
constructors! { Version:
    "Version" [number] => Self::Version(get(number)),
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
pub(crate) enum SmallLetters {
    #[bin_prot(name = "a")]
    A,
    #[bin_prot(name = "b")]
    B,
    #[bin_prot(name = "c")]
    C,
}
constructors! { SmallLetters:
    "a" [] => Self::A,
    "b" [] => Self::B,
    "c" [] => Self::C,
}

record!(InlinePolymorphic { f: Vec<XOrY>, });

#[derive(BinProt, PartialEq, PartialOrd)]
#[bin_prot(polymorphic)]
pub(crate) enum XOrY {
    X,
    Y(i64),
}
constructors! { XOrY:
    "X" [] => Self::X,
    "Y" [number] => Self::Y(get(number)),
}

#[derive(BinProt)]
#[bin_prot(polymorphic, recursive)]
pub(crate) enum PolymorphicTree {
    Leaf,
    Node(Box<Self>, Box<Self>),
}
constructors! { PolymorphicTree:
    "Leaf" [] => Self::Leaf,
    "Node" [pair] => Self::Node(get(&pair[0]), get(&pair[1])),
}

#[derive(BinProt)]
#[bin_prot(recursive)]
pub(crate) enum Peano {
    Zero,
    Succ(Box<Self>),
}
constructors! { Peano:
    "Zero" [] => Self::Zero,
    "Succ" [peano] => Self::Succ(get(peano)),
}

#[derive(BinProt)]
#[bin_prot(recursive)]
pub(crate) enum Tree<T> {
    Leaf,
    Node(Box<Self>, T, Box<Self>),
}
constructors! { Tree<T>:
    "Leaf" [] => Self::Leaf,
    "Node" [left value right] => Self::Node(get(left), get(value), get(right)),
}

#[derive(BinProt)]
#[bin_prot(recursive)]
#[expect(clippy::use_self, reason = "the derive knows the type by its name too")]
pub(crate) enum List<T> {
    Nil,
    Cons(T, Box<List<T>>),
}
constructors! { List<T>:
    "Nil" [] => Self::Nil,
    "Cons" [head tail] => Self::Cons(get(head), get(tail)),
}

#[derive(BinProt)]
#[bin_prot(group(MutualTree<T>, MutualNode<T>))]
pub(crate) enum MutualTree<T> {
    Leaf,
    Node(MutualNode<T>),
}
constructors! { MutualTree<T>:
    "Leaf" [] => Self::Leaf,
    "Node" [node] => Self::Node(get(node)),
}

#[derive(BinProt)]
#[bin_prot(group(MutualTree<T>, MutualNode<T>))]
pub(crate) struct MutualNode<T> {
    key: T,
    children: Vec<MutualTree<T>>,
}

impl<T: FromGolden> FromGolden for MutualNode<T> {
    fn from_golden(value: &Value) -> Self {
        Self {
            key: get(&value["key"]),
            children: get(&value["children"]),
        }
    }
}
