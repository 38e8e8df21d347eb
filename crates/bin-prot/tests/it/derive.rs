//! What `#[derive(BinProt)]` makes of types beyond those of the golden vectors.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use bin_prot::library::Percent;
use bin_prot::shape::{Row, Shape};
use bin_prot::{
    BinProt, BinRead, BinReadOwned, BinShape, BinWrite, Int16Bit, Int64, ReadErrorKind, Reader,
    from_slice, to_vec, variant,
};

#[track_caller]
fn check<'a, T: BinRead<'a> + BinWrite + PartialEq + Debug>(value: &T, bytes: &'a [u8]) {
    assert_eq!(to_vec(value).unwrap(), bytes);
    assert_eq!(value.bin_size(), bytes.len());
    assert_eq!(&from_slice::<T>(bytes).unwrap(), value);
}

#[track_caller]
fn check_shape<T: BinShape>(expected: &Shape) {
    assert_eq!(T::bin_shape().canonical(), expected.canonical());
}

#[derive(BinProt, Debug, PartialEq)]
struct Borrowed<'text, T> {
    name: &'text str,
    rest: Option<&'text [u8]>,
    more: T,
}

#[test]
fn values_may_borrow_from_the_input() {
    let value = Borrowed {
        name: "ab",
        rest: Some(b"c"),
        more: vec!["d"],
    };
    check(&value, b"\x02ab\x01\x01c\x01\x01d");
    check_shape::<Borrowed<'_, i64>>(&Shape::record([
        ("name", String::bin_shape()),
        ("rest", Option::<Vec<u8>>::bin_shape()),
        ("more", i64::bin_shape()),
    ]));
}

#[derive(BinProt, Debug, PartialEq)]
struct Keyed<K: Ord, V>
where
    V: Clone,
{
    map: BTreeMap<K, V>,
    keys: BTreeSet<K>,
}

#[test]
fn own_bounds_are_kept() {
    let value = Keyed {
        map: BTreeMap::from([(1_i64, true)]),
        keys: BTreeSet::from([2]),
    };
    check(&value, &[1, 1, 1, 1, 2]);
}

#[derive(BinProt, Debug, PartialEq)]
struct Raw {
    r#type: i64,
    #[bin_prot(name = "reader")]
    buffer: i64,
    field1: i64,
    field0: i64,
}

/// The field names are those that generated code might use itself.
#[test]
fn field_names_are_kept_apart_from_generated_ones() {
    let value = Raw {
        r#type: 1,
        buffer: 2,
        field1: 3,
        field0: 4,
    };
    check(&value, &[1, 2, 3, 4]);
    let int = i64::bin_shape;
    check_shape::<Raw>(&Shape::record([
        ("type", int()),
        ("reader", int()),
        ("field1", int()),
        ("field0", int()),
    ]));
}

#[derive(BinProt, Debug, PartialEq)]
struct Alias(Vec<i64>);

#[derive(BinProt, Debug, PartialEq)]
struct Pair(i64, Alias);

#[derive(BinProt, Debug, PartialEq)]
struct Unit(());

#[test]
fn tuple_structs_are_aliases_and_tuples() {
    check(&Pair(7, Alias(vec![8])), &[7, 1, 8]);
    check(&Unit(()), &[0]);
    check_shape::<Pair>(&<(i64, Vec<i64>)>::bin_shape());
    check_shape::<Alias>(&<Vec<i64>>::bin_shape());
    check_shape::<Unit>(&<()>::bin_shape());
}

#[derive(BinProt, Debug, PartialEq)]
enum Nothing {}

#[test]
fn type_without_values_cannot_be_read() {
    let mut reader = Reader::new(&[1]);
    let error = Nothing::bin_read(&mut reader).unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::EmptyType);
    assert_eq!(reader.offset(), 0);
    assert_eq!(
        Nothing::bin_shape().digest().unwrap().to_string(),
        "67e248d3b3dd2a1dc1cffedfb76277f3"
    );
    check::<Result<i64, Nothing>>(&Ok(1), &[0, 1]);
}

#[derive(BinProt, Debug, PartialEq)]
enum Named {
    #[bin_prot(name = "IO_error")]
    IoError(),
    NotFound {
        #[bin_prot(name = "path_")]
        path: String,
    },
}

#[test]
fn names_are_as_given_or_in_the_style_of_ocaml() {
    check(&Named::IoError(), &[0]);
    check(&Named::NotFound { path: "p".into() }, &[1, 1, b'p']);
    let record = Shape::record([("path_", String::bin_shape())]);
    check_shape::<Named>(&Shape::variant([
        ("IO_error", vec![]),
        ("Not_found", vec![record]),
    ]));
}

#[derive(BinProt, Debug, PartialEq)]
#[bin_prot(annotate = "mark")]
struct Annotated<T>(T);

#[derive(BinProt, Debug, PartialEq)]
#[bin_prot(base = "opaque")]
struct Opaque<K, V> {
    key: K,
    values: Vec<V>,
}

#[test]
fn identities_are_put_around_or_instead_of_the_structure() {
    check(&Annotated(1_i64), &[1]);
    check_shape::<Annotated<i64>>(&Shape::annotate("mark", i64::bin_shape()));
    let value = Opaque {
        key: 1_i64,
        values: vec![true],
    };
    check(&value, &[1, 1, 1]);
    check_shape::<Opaque<i64, bool>>(&Shape::base(
        "opaque",
        [i64::bin_shape(), bool::bin_shape()],
    ));
}

mod elsewhere {
    pub(super) mod renamed {
        pub(crate) use bin_prot::*;
    }
}

#[derive(elsewhere::renamed::BinProt, Debug, PartialEq)]
#[bin_prot(crate = "elsewhere::renamed")]
enum FromElsewhere<T> {
    Value(T),
}

#[test]
fn crate_may_have_another_path() {
    check(&FromElsewhere::Value(5_i64), &[0, 5]);
}

#[derive(BinProt, Debug, PartialEq)]
#[bin_prot(recursive)]
struct Rose<T> {
    value: T,
    children: BTreeMap<i64, Vec<Self>>,
    next: Option<Box<Self>>,
}

/// Recursion through containers, and an irregular one, which only expressions can describe: the
/// type is used inside its own definition at another argument.
#[derive(BinProt, Debug, PartialEq)]
#[bin_prot(recursive)]
enum Swapped<A, B> {
    End,
    Next(A, Box<Swapped<B, A>>),
}

#[derive(BinProt, Debug, PartialEq)]
#[bin_prot(recursive, annotate = "mark")]
enum AnnotatedList {
    Nil,
    Cons(Box<Self>),
}

#[test]
fn recursive_types_refer_to_themselves() {
    let leaf = |value| Rose {
        value,
        children: BTreeMap::new(),
        next: None,
    };
    let tree = Rose {
        value: true,
        children: BTreeMap::from([(1, vec![leaf(false)])]),
        next: Some(Box::new(leaf(true))),
    };
    check(&tree, &[1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0]);
    let canonical = Rose::<bool>::bin_shape().canonical().unwrap().to_string();
    assert!(
        canonical.starts_with("(Application(Record((value(Var 0))"),
        "{canonical}"
    );
    assert!(
        canonical.ends_with("(next(Base option((Rec_app 0((Var 0))))))))((Base bool())))"),
        "{canonical}"
    );
}

#[test]
fn irregular_types_have_a_shape() {
    check(
        &Swapped::Next(1_i64, Box::new(Swapped::Next(true, Box::new(Swapped::End)))),
        &[1, 1, 1, 1, 0],
    );
    let canonical = Swapped::<i64, bool>::bin_shape().canonical().unwrap();
    assert_eq!(
        canonical.to_string(),
        "(Application(Variant((End())(Next((Var 0)(Rec_app 0((Var 1)(Var 0)))))))\
         ((Base int())(Base bool())))"
    );
}

#[test]
fn annotation_of_a_recursive_type_is_seen_from_outside_only() {
    let canonical = AnnotatedList::bin_shape().canonical().unwrap();
    assert_eq!(
        canonical.to_string(),
        "(Annotate mark(Application(Variant((Nil())(Cons((Rec_app 0())))))()))"
    );
}

/// A polymorphic variant that contains itself below a record of another, parametrised type.
#[derive(BinProt, Debug, PartialEq)]
#[bin_prot(recursive, polymorphic)]
enum Wrapping {
    Leaf,
    Wrapped(Wrapper<Box<Self>>),
    Failed(Result<Box<Self>, i64>),
}

#[derive(BinProt, Debug, PartialEq)]
struct Wrapper<T> {
    inner: T,
}

#[test]
fn recursion_is_seen_through_instances_of_other_types() {
    let canonical = Wrapping::bin_shape().canonical().unwrap().to_string();
    assert!(
        canonical.starts_with("(Application(Poly_variant"),
        "{canonical}"
    );
    assert!(
        canonical.contains("(Record((inner(Rec_app 0()))))"),
        "{canonical}"
    );
}

#[derive(BinRead, Debug, PartialEq)]
struct OnlyRead<T> {
    value: T,
}

#[derive(BinWrite, Debug, PartialEq)]
struct OnlyWritten<'a> {
    value: &'a str,
}

#[derive(BinShape)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct OnlyDescribed {
    value: i64,
}

#[test]
fn each_part_can_be_derived_alone() {
    assert_eq!(from_slice(&[1]), Ok(OnlyRead { value: 1_i64 }));
    assert_eq!(to_vec(&OnlyWritten { value: "a" }), Ok(vec![1, b'a']));
    check_shape::<OnlyDescribed>(&Shape::record([("value", i64::bin_shape())]));
}

#[test]
fn least_sizes_are_those_of_the_parts() {
    fn least<T: BinReadOwned>() -> usize {
        T::MIN_SIZE
    }

    #[derive(BinRead)]
    #[expect(dead_code, reason = "only its size is of interest")]
    struct Floats {
        one: f64,
        two: (f64, Option<f64>),
    }

    #[derive(BinRead)]
    #[bin_prot(polymorphic)]
    #[expect(dead_code, reason = "only its size is of interest")]
    enum Polymorphic {
        Float(f64),
    }

    assert_eq!(least::<Floats>(), 17);
    assert_eq!(least::<Polymorphic>(), 4);
    assert_eq!(least::<Named>(), 1);
    assert_eq!(least::<Wrapper<f64>>(), 8);
}

#[derive(BinProt, Clone, Debug, PartialEq)]
struct Converted {
    #[bin_prot(as = Int16Bit)]
    port: u16,
    #[bin_prot(as = Int64, name = "count_")]
    count: i64,
    #[bin_prot(as = Percent)]
    share: Share,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Share(u8);

impl From<Share> for Percent {
    fn from(share: Share) -> Self {
        Self(f64::from(share.0) / 100.0)
    }
}

impl TryFrom<Percent> for Share {
    type Error = ();

    fn try_from(percent: Percent) -> Result<Self, ()> {
        match (percent.0 * 100.0).round() {
            share @ 0.0..=100.0 => Ok(Self(share as u8)),
            _ => Err(()),
        }
    }
}

#[test]
fn fields_travel_as_the_type_that_they_are_converted_to() {
    let value = Converted {
        port: 258,
        count: i64::MAX,
        share: Share(50),
    };
    let mut bytes = vec![2, 1, 0xfc, 255, 255, 255, 255, 255, 255, 255, 0x7f];
    bytes.extend(0.5_f64.to_le_bytes());
    check(&value, &bytes);
    check_shape::<Converted>(&Shape::record([
        ("port", Int16Bit::bin_shape()),
        ("count_", Int64::bin_shape()),
        ("share", Percent::bin_shape()),
    ]));

    let place = bytes.len() - 8;
    bytes[place..].copy_from_slice(&1.5_f64.to_le_bytes());
    let error = from_slice::<Converted>(&bytes).unwrap_err();
    assert!(matches!(error.kind, ReadErrorKind::Invalid(_)), "{error}");
    assert_eq!(error.offset, place);
}

#[derive(BinProt, Debug, PartialEq)]
#[bin_prot(polymorphic)]
enum Base {
    A,
    B(i64),
}

#[derive(BinProt, Debug, PartialEq)]
#[bin_prot(polymorphic)]
enum Middle {
    #[bin_prot(inherit)]
    Base(Base),
    C(bool),
}

#[derive(BinProt, Debug, PartialEq)]
#[bin_prot(polymorphic)]
enum Top {
    D,
    #[bin_prot(inherit)]
    Middle(Box<Middle>),
}

#[test]
fn included_constructors_are_those_of_the_including_type() {
    check(&Top::D, &variant::tag("D"));
    let middle = |middle| Top::Middle(Box::new(middle));
    let with = |name: &str, rest: &[u8]| [&variant::tag(name)[..], rest].concat();
    check(&middle(Middle::C(true)), &with("C", &[1]));
    check(&middle(Middle::Base(Base::A)), &with("A", &[]));
    check(&middle(Middle::Base(Base::B(7))), &with("B", &[7]));
    check_shape::<Top>(&Shape::polymorphic_variant([
        Row::constructor("A", None),
        Row::constructor("B", Some(i64::bin_shape())),
        Row::constructor("C", Some(bool::bin_shape())),
        Row::constructor("D", None),
    ]));

    let unknown = with("E", &[]);
    let error = from_slice::<Top>(&unknown).unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::Variant(variant::hash("E")));
    assert_eq!(error.offset, 0);
}

/// `a1 = A of a3 | A0 and a2 = B of a1 and a3 = C of a2`, and its digests.
mod circle {
    use bin_prot::{BinProt, BinShape};

    #[derive(BinProt)]
    #[bin_prot(group(A1, A2, A3))]
    pub(super) enum A1 {
        A(Box<A3>),
        A0,
    }

    #[derive(BinProt)]
    #[bin_prot(group(A1, A2, A3))]
    pub(super) enum A2 {
        B(A1),
    }

    #[derive(BinProt)]
    #[bin_prot(group(A1, A2, A3))]
    pub(super) enum A3 {
        C(A2),
    }

    #[test]
    fn each_member_has_the_digest_of_the_reference() {
        #[track_caller]
        fn check<T: BinShape>(digest: &str) {
            assert_eq!(T::bin_shape().digest().unwrap().to_string(), digest);
        }

        check::<A1>("51794aaa3da7dfd0c8bc014954257c6c");
        check::<A2>("3dab004b4dbd13ad204f0944e5763292");
        check::<A3>("8151ff6e928b14d66a114313c228de14");
    }
}

#[test]
fn members_of_a_group_are_read_and_written() {
    use circle::{A1, A2, A3};

    let value = A1::A(Box::new(A3::C(A2::B(A1::A0))));
    assert_eq!(to_vec(&value).unwrap(), [0, 0, 0, 1]);
    assert!(from_slice::<A1>(&[0, 0, 0, 1]).is_ok());
}
