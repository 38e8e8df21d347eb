//! Values of types that nobody declared: whatever the shape, a value is the same again from bytes
//! and from text, in the promised size, and nothing of it can be left out.

use bin_prot::dynamic::{Matrix, Name, Type, Value};
use bin_prot::library::{Date, Month};
use bin_prot::shape::{BinShape, Digest, Row, Shape};
use bin_prot::{ByteString, Limits, Reader, Sexp};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

const SET: &str = "8989278e-4992-11e6-8f4a-6b89776b1e53";
const SEQUENCE: &str = "6592371a-4994-11e6-923a-7748e4182764";
const BLOB: &str = "85a2557e-490a-11e6-98ac-4b8953d525fe";

/// A type, with enough of its structure to make values.
#[derive(Clone, Debug)]
enum Ty {
    Scalar(&'static str),
    Date,
    Md5,
    Sexp,
    Matrix,
    Option(&'static str, Box<Self>),
    List(&'static str, Box<Self>),
    IntSet,
    Blob(Box<Self>),
    Tuple(Vec<Self>),
    Record(Vec<Self>),
    Variant(Vec<Vec<Self>>),
    Polymorphic(Vec<Option<Self>>),
}

fn name(index: usize) -> String {
    format!("N{index}")
}

impl Ty {
    fn shape(&self) -> Shape {
        let all = |parts: &[Self]| parts.iter().map(Self::shape).collect::<Vec<_>>();
        match self {
            Self::Scalar(base) => Shape::base(*base, []),
            Self::Date => Date::bin_shape(),
            Self::Md5 => Digest::bin_shape(),
            Self::Sexp => Sexp::bin_shape(),
            Self::Matrix => Shape::base("mat", []),
            Self::Option(base, inner) | Self::List(base, inner) => {
                Shape::base(*base, [inner.shape()])
            }
            Self::IntSet => Shape::base(SET, [Shape::base(SEQUENCE, [i64::bin_shape()])]),
            Self::Blob(inner) => Shape::base(BLOB, [inner.shape()]),
            Self::Tuple(parts) => Shape::tuple(all(parts)),
            Self::Record(parts) => Shape::record((0..).map(name).zip(all(parts))),
            Self::Variant(constructors) => {
                let constructors = constructors.iter().map(|parts| all(parts));
                Shape::variant((0..).map(name).zip(constructors))
            }
            Self::Polymorphic(rows) => {
                Shape::polymorphic_variant((0..).zip(rows).map(|(index, argument)| {
                    Row::constructor(name(index), argument.as_ref().map(Self::shape))
                }))
            }
        }
    }

    /// Any value of the type.
    fn value(&self) -> BoxedStrategy<Value> {
        let all = |parts: &[Self]| parts.iter().map(Self::value).collect::<Vec<_>>();
        match self {
            Self::Scalar(base) => scalar(base),
            Self::Date => (0_u16..=9999, 0_usize..12, 1_u8..=28)
                .prop_map(|(year, month, day)| Date::new(year, Month::ALL[month], day).unwrap())
                .prop_map(Value::Date)
                .boxed(),
            Self::Md5 => any::<[u8; 16]>()
                .prop_map(|bytes| Value::Md5(Digest(bytes)))
                .boxed(),
            Self::Sexp => sexp().prop_map(Value::Sexp).boxed(),
            // One without rows does not tell how many columns it has.
            Self::Matrix => (1_usize..4, 0_usize..4)
                .prop_flat_map(|(rows, columns)| vec(vec(scalar("float"), columns), rows))
                .prop_map(|rows| Value::Matrix(Matrix::from_rows(&rows).unwrap()))
                .boxed(),
            Self::Option(_, inner) => proptest::option::of(inner.value())
                .prop_map(|value| Value::Option(value.map(Box::new)))
                .boxed(),
            Self::List(_, inner) => vec(inner.value(), 0..4).prop_map(Value::List).boxed(),
            Self::IntSet => btree_set(int(), 0..4)
                .prop_map(|ints| Value::List(ints.into_iter().map(Value::Int).collect()))
                .boxed(),
            Self::Blob(inner) => inner.value(),
            Self::Tuple(parts) => all(parts).prop_map(Value::Tuple).boxed(),
            Self::Record(parts) => all(parts)
                .prop_map(|values| {
                    let names = (0..).map(|index| Name::from(name(index).as_str()));
                    Value::Record(names.zip(values).collect())
                })
                .boxed(),
            Self::Variant(constructors) => {
                let constructors = constructors.iter().map(|parts| all(parts));
                let constructors: Vec<_> = constructors.enumerate().collect();
                proptest::sample::select(constructors)
                    .prop_flat_map(|(index, arguments)| {
                        let named = Name::from(name(index).as_str());
                        arguments.prop_map(move |values| Value::Variant(named.clone(), values))
                    })
                    .boxed()
            }
            Self::Polymorphic(rows) => {
                let rows: Vec<_> = rows.iter().cloned().enumerate().collect();
                proptest::sample::select(rows)
                    .prop_flat_map(|(index, argument)| {
                        let named = Name::from(name(index).as_str());
                        match argument {
                            None => Just(Value::Polymorphic(named, None)).boxed(),
                            Some(ty) => ty
                                .value()
                                .prop_map(move |value| {
                                    Value::Polymorphic(named.clone(), Some(Box::new(value)))
                                })
                                .boxed(),
                        }
                    })
                    .boxed()
            }
        }
    }
}

const SCALARS: [&str; 17] = [
    "unit",
    "unit_v2",
    "bool",
    "char",
    "float",
    "int",
    "int32",
    "int64",
    "nat0",
    "string",
    "bigstring",
    "int_8bit",
    "int_16bit",
    "int_64bit",
    "network32_int",
    "network64_int64",
    "variant_int",
];

fn int() -> impl Strategy<Value = i64> {
    (any::<i64>(), 1_u32..64).prop_map(|(number, shift)| number >> shift)
}

/// The integers that fit every type but the unsigned ones.
fn scalar(base: &str) -> BoxedStrategy<Value> {
    match base {
        "unit" | "unit_v2" => Just(Value::Unit).boxed(),
        "bool" => any::<bool>().prop_map(Value::Bool).boxed(),
        "char" => any::<u8>().prop_map(Value::Char).boxed(),
        "float" => any::<f64>().prop_map(Value::Float).boxed(),
        "string" | "bigstring" => vec(any::<u8>(), 0..12)
            .prop_map(|bytes| Value::Bytes(ByteString(bytes)))
            .boxed(),
        "int64" | "network64_int64" => any::<i64>().prop_map(Value::Int).boxed(),
        "nat0" => int().prop_map(|n| Value::Int(n.wrapping_abs())).boxed(),
        "int_8bit" => (0_i64..256).prop_map(Value::Int).boxed(),
        "int_16bit" => (0_i64..65_536).prop_map(Value::Int).boxed(),
        "variant_int" => (-(1_i64 << 30)..(1 << 30)).prop_map(Value::Int).boxed(),
        "int32" | "network32_int" => any::<i32>().prop_map(|n| Value::Int(n.into())).boxed(),
        _ => int().prop_map(Value::Int).boxed(),
    }
}

fn sexp() -> impl Strategy<Value = Sexp> {
    let atom = vec(any::<u8>(), 0..6).prop_map(|bytes| Sexp::Atom(ByteString(bytes)));
    atom.prop_recursive(3, 8, 3, |inner| vec(inner, 0..3).prop_map(Sexp::List))
}

fn ty() -> impl Strategy<Value = Ty> {
    let leaf = prop_oneof![
        8 => proptest::sample::select(&SCALARS[..]).prop_map(Ty::Scalar),
        1 => Just(Ty::Date),
        1 => Just(Ty::Md5),
        1 => Just(Ty::Sexp),
        1 => Just(Ty::Matrix),
        1 => Just(Ty::IntSet),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let option = proptest::sample::select(&["option", "or_null"][..]);
        let list = proptest::sample::select(&["list", "array"][..]);
        prop_oneof![
            (option, boxed.clone()).prop_map(|(base, inner)| Ty::Option(base, inner)),
            (list, boxed.clone()).prop_map(|(base, inner)| Ty::List(base, inner)),
            boxed.prop_map(Ty::Blob),
            vec(inner.clone(), 2..4).prop_map(Ty::Tuple),
            vec(inner.clone(), 1..4).prop_map(Ty::Record),
            vec(vec(inner.clone(), 0..3), 1..4).prop_map(Ty::Variant),
            vec(proptest::option::of(inner), 1..4).prop_map(Ty::Polymorphic),
        ]
    })
}

fn typed() -> impl Strategy<Value = (Ty, Value)> {
    ty().prop_flat_map(|ty| {
        let value = ty.value();
        (Just(ty), value)
    })
}

proptest! {
    #[test]
    fn values_are_the_same_again((ty, value) in typed()) {
        let ty = Type::new(&ty.shape()).unwrap();
        let bytes = ty.to_vec(&value).unwrap();
        prop_assert_eq!(ty.size(&value), Ok(bytes.len()));
        prop_assert_eq!(&ty.from_slice(&bytes).unwrap(), &value);
        for length in 0..bytes.len() {
            prop_assert!(ty.from_slice(&bytes[..length]).is_err(), "cut at {}", length);
        }
        let text = value.to_sexp().to_string_hum();
        prop_assert_eq!(&ty.parse_sexp(&text.parse().unwrap()).unwrap(), &value);
        #[cfg(feature = "json")]
        {
            let text = value.to_json().to_string();
            prop_assert_eq!(&ty.parse_json(&text.parse().unwrap()).unwrap(), &value);
        }
    }

    /// Also a type whose shape went over the wire.
    #[test]
    fn types_are_the_same_again((ty, value) in typed()) {
        let shape = ty.shape();
        let bytes = bin_prot::to_vec(&shape).unwrap();
        let arrived: Shape = bin_prot::from_slice(&bytes).unwrap();
        prop_assert_eq!(arrived.digest(), shape.digest());
        let (ty, arrived) = (Type::new(&shape).unwrap(), Type::new(&arrived).unwrap());
        prop_assert_eq!(arrived.to_vec(&value), ty.to_vec(&value));
    }

    /// What is not refused is within the limits, and what is within them is not refused.
    #[test]
    fn limit_of_length_is_exact((ty, value) in typed(), less in 0_usize..3) {
        let ty = Type::new(&ty.shape()).unwrap();
        let bytes = ty.to_vec(&value).unwrap();
        let limits = Limits::default().length(bytes.len().saturating_sub(less));
        let read = ty.read(&mut Reader::new(&bytes).with_limits(limits));
        prop_assert_eq!(read.is_ok(), less == 0 || bytes.is_empty());
    }
}
