//! Values of types known only at run time: the same bytes as with Rust types, and errors that say
//! where.

mod hostile;
#[cfg(feature = "json")]
mod json;
mod typed;

use bin_prot::dynamic::{CompileError, Type, Value};
use bin_prot::shape::{BinShape, Definition, Group, Shape, ShapeError};
use bin_prot::{Array, BinProt, Blob, Sexp, to_vec};

fn type_of<T: BinShape>() -> Type {
    Type::new(&T::bin_shape()).unwrap()
}

/// Bytes to value to all forms and back.
#[track_caller]
fn check(ty: &Type, bytes: &[u8], text: &str) {
    let value = ty.from_slice(bytes).unwrap();
    assert_eq!(value.to_sexp().to_string_hum(), text);
    assert_eq!(ty.parse_sexp(&value.to_sexp()).unwrap(), value);
    assert_eq!(ty.size(&value).unwrap(), bytes.len());
    assert_eq!(ty.to_vec(&value).unwrap(), bytes);
}

#[derive(BinProt)]
struct Order {
    side: Side,
    legs: Array<Leg>,
    note: Option<String>,
}

#[derive(BinProt)]
enum Side {
    Buy,
    Sell { short: bool },
}

#[derive(BinProt)]
struct Leg {
    symbol: String,
    price: f64,
}

#[test]
fn records_and_variants_have_their_form_in_ocaml() {
    let order = type_of::<Order>();
    let bytes = [
        &[1, 1, 1, 2, b'i', b'b'][..],
        &2.5_f64.to_le_bytes(),
        &[1, 2, b'o', b'k'],
    ];
    check(
        &order,
        &bytes.concat(),
        "((side (Sell (short true))) (legs (((symbol ib) (price 2.5)))) (note (ok)))",
    );
}

#[test]
fn errors_say_where_and_what() {
    #[track_caller]
    fn check(text: &str, message: &str) {
        let error = type_of::<Order>().parse_sexp(&text.parse().unwrap());
        assert_eq!(error.unwrap_err().to_string(), message);
    }

    check(
        "((side Buy) (legs (((symbol a) (price 1)) ((symbol b) (price x)))) (note ()))",
        "at .legs[1].price: expected float, found x",
    );
    check(
        "((side Hold) (legs ()) (note ()))",
        "at .side: expected a constructor of the type, found Hold",
    );
    check(
        "((side Buy) (note ()))",
        "at .legs: expected the field, found none",
    );
    check(
        "((side (Sell (short 1))) (legs ()) (note ()))",
        "at .side.Sell.short: expected bool, found 1",
    );
    check(
        "((side Buy) (legs ()) (note ()) (size 3))",
        "expected a field of the type, found (size 3)",
    );

    let error = type_of::<Order>().from_slice(&[0, 0, 7]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "at .note: at byte 2: option begins with 00 or 01, found 0x07"
    );
    let wrong = Value::Tuple(vec![Value::Unit, Value::Int(1 << 62)]);
    let error = type_of::<((), i64)>().to_vec(&wrong).unwrap_err();
    assert_eq!(
        error.to_string(),
        "at [1]: 4611686018427387904 does not fit the 63 bits of an OCaml int"
    );
    let error = type_of::<(bool, i64)>().to_vec(&wrong).unwrap_err();
    assert_eq!(error.to_string(), "at [0]: expected bool, found unit");
}

#[test]
fn recursive_types_are_read_to_any_depth_that_the_limits_allow() {
    #[derive(BinProt)]
    #[bin_prot(recursive)]
    enum Tree<T> {
        Leaf,
        Node(Box<Self>, T, Box<Self>),
    }

    check(
        &type_of::<Tree<i64>>(),
        &[1, 0, 1, 1, 0, 2, 0],
        "(Node Leaf 1 (Node Leaf 2 Leaf))",
    );
    // Inside the definition of another recursive type, with itself as its argument.
    check(
        &type_of::<Tree<Tree<bool>>>(),
        &[1, 0, 1, 0, 1, 0, 0],
        "(Node Leaf (Node Leaf true Leaf) Leaf)",
    );
}

/// `'a t = B of 'a list t | Stop of 'a`: each level is at another type.
#[test]
fn irregular_types_are_no_special_case() {
    let a = || Shape::parameter("a");
    let list = Shape::base("list", [a()]);
    let body = Shape::variant([
        ("B", vec![Shape::recursive_use("t", [list])]),
        ("Stop", vec![a()]),
    ]);
    let group = Group::new([Definition::new("t", ["a"], body)]);
    let ty = Type::new(&group.apply("t", [i64::bin_shape()])).unwrap();
    check(&ty, &[1, 5], "(Stop 5)");
    check(&ty, &[0, 1, 2, 5, 6], "(B (Stop (5 6)))");
    check(&ty, &[0, 0, 1, 1, 2, 5, 6], "(B (B (Stop ((5 6)))))");
}

#[test]
fn s_expressions_are_shown_as_such() {
    let pair = (Sexp::list([Sexp::atom("a"), Sexp::default()]), 1_i64);
    let ty = type_of::<(Sexp, i64)>();
    check(&ty, &to_vec(&pair).unwrap(), "((a ()) 1)");
}

#[test]
fn blobs_are_shown_as_what_is_in_them() {
    check(
        &type_of::<Vec<Blob<Blob<i64>>>>(),
        &to_vec(&vec![Blob(Blob(1_000_i64))]).unwrap(),
        "(1000)",
    );
}

#[test]
fn shapes_that_cannot_be_read_are_refused() {
    #[track_caller]
    fn check(shape: Shape, message: &str) {
        assert_eq!(Type::new(&shape).unwrap_err().to_string(), message);
    }

    let int = i64::bin_shape;
    check(
        Shape::base("my-type", [int()]),
        "the encoding of the basic type my-type of 1 arguments is not known",
    );
    check(
        Shape::tuple([int(), Shape::base("int", [int()])]),
        "the encoding of the basic type int of 1 arguments is not known",
    );
    check(Shape::parameter("a"), "no parameter is called a");
    let deep = (0..2_000).fold(int(), |inner, _| Shape::base("option", [inner]));
    let too_deep = CompileError::Shape(ShapeError::TooDeep(256));
    assert_eq!(Type::new(&deep).unwrap_err(), too_deep);
}

/// OCaml's `type t = t`: nothing of it can ever be read.
#[test]
fn types_without_end_have_no_values() {
    let group = Group::new([Definition::new("t", [], Shape::recursive_use("t", []))]);
    let ty = Type::new(&group.apply("t", [])).unwrap();
    let error = ty.from_slice(&[0; 100]).unwrap_err();
    assert_eq!(error.to_string(), "the type has no values that end");
    assert!(ty.parse_sexp(&Sexp::default()).is_err());
}
