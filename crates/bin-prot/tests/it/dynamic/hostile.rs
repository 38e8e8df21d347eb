//! Bytes, and shapes, that were made to hurt.

use std::thread;

use bin_prot::dynamic::{CompileError, DEFAULT_DEPTH, ErrorKind, Type, Value};
use bin_prot::shape::{BinShape, Definition, Group, Shape, ShapeError};
use bin_prot::{Limits, ReadErrorKind, Reader, Sexp};

#[track_caller]
fn check_error(shape: &Shape, bytes: &[u8], expected: ReadErrorKind) {
    let error = Type::new(shape).unwrap().from_slice(bytes).unwrap_err();
    match error.kind() {
        ErrorKind::Read(error) => assert_eq!(error.kind, expected),
        other => panic!("{other}"),
    }
}

/// `t = Zero | Succ of t`, whose values can be as deep as they have bytes.
fn peano() -> Shape {
    let succ = vec![Shape::recursive_use("t", [])];
    let body = Shape::variant([("Zero", vec![]), ("Succ", succ)]);
    Group::new([Definition::new("t", [], body)]).apply("t", [])
}

#[test]
fn depth_is_bounded_before_the_stack_is() {
    let test = || {
        let ty = Type::new(&peano()).unwrap();
        let limit = DEFAULT_DEPTH;
        let value = |levels: u32| [[1].repeat(levels as usize), vec![0]].concat();
        let deepest = ty.from_slice(&value(limit)).unwrap();
        assert_eq!(ty.to_vec(&deepest).unwrap(), value(limit));
        assert_eq!(ty.parse_sexp(&deepest.to_sexp()).unwrap(), deepest);
        for levels in [limit + 1, 1_000_000] {
            let error = ty.from_slice(&value(levels)).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::TooDeep(limit));
        }
        let mut reader = Reader::new(&[1, 1, 0]).with_depth(1);
        assert!(ty.read(&mut reader).is_err());
    };
    let thread = thread::Builder::new().stack_size(2 * 1024 * 1024);
    thread.spawn(test).unwrap().join().unwrap();
}

#[test]
fn counts_that_cannot_fit_are_refused() {
    let bomb = [0xfc, 0x80, 0x96, 0x98, 0, 0, 0, 0, 0];
    let short = |least: u64| ReadErrorKind::BufferShort {
        needed: 10_000_000 * least,
        left: 0,
    };
    check_error(&Vec::<i64>::bin_shape(), &bomb, short(1));
    check_error(&Vec::<(f64, i64)>::bin_shape(), &bomb, short(9));
    check_error(&Vec::<Sexp>::bin_shape(), &bomb, short(2));
    check_error(&Shape::base("list", [peano()]), &bomb, short(1));
    check_error(&Shape::base("floatarray", []), &bomb, short(8));
    check_error(
        &Shape::base("list", [Shape::base("unit_v2", [])]),
        &bomb,
        ReadErrorKind::ListTooLong {
            count: 10_000_000,
            limit: 1024,
        },
    );
}

/// A value names its constructor; with two of a name it would be written as another one.
#[test]
fn names_come_once() {
    let same_name = |name: &str| CompileError::SameName(name.into());
    let variant = Shape::variant([("A", vec![]), ("A", vec![i64::bin_shape()])]);
    assert_eq!(Type::new(&variant).unwrap_err(), same_name("A"));
    let record = Shape::record([("f", i64::bin_shape()), ("f", bool::bin_shape())]);
    assert_eq!(Type::new(&record).unwrap_err(), same_name("f"));
}

#[test]
fn limits_of_the_reader_hold() {
    let ty = Type::new(&Vec::<Vec<i64>>::bin_shape()).unwrap();
    let read = |limits| ty.read(&mut Reader::new(&[1, 3, 1, 2, 3]).with_limits(limits));
    assert!(read(Limits::default()).is_ok());
    assert!(read(Limits::default().count(2)).is_err());
    assert!(read(Limits::default().depth(1)).is_err());
    assert!(read(Limits::default().length(4)).is_err());
    assert!(read(Limits::default().length(5)).is_ok());
}

/// `unit_v2 dub dub … dub` with `'a dub = 'a * 'a`: no bytes, and 2^60 values.
#[test]
fn shapes_cannot_make_many_values_of_few_bytes() {
    let nothing = Shape::base("unit_v2", []);
    let pair = Shape::tuple([Shape::parameter("a"), Shape::parameter("a")]);
    let dub = Group::new([Definition::new("dub", ["a"], pair)]);
    let doubled = (0..60).fold(nothing, |inner, _| dub.apply("dub", [inner]));
    let ty = Type::new(&doubled).unwrap();
    let error = ty.from_slice(&[]).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::TooManyValues(1024));
}

/// A blob's size was asked for before it was written, and that of a blob inside twice, and so on:
/// 2^100 walks for these 801 bytes.
#[test]
fn blobs_in_blobs_are_walked_along_once() {
    let mut shape = i64::bin_shape();
    let mut bytes = vec![7];
    for _ in 0..100 {
        shape = Shape::base("85a2557e-490a-11e6-98ac-4b8953d525fe", [shape]);
        bytes = [&(bytes.len() as u64).to_le_bytes(), bytes.as_slice()].concat();
    }
    let ty = Type::new(&shape).unwrap();
    let value = ty.from_slice(&bytes).unwrap();
    assert_eq!(value, Value::Int(7));
    assert_eq!(ty.size(&value), Ok(bytes.len()));
    assert_eq!(ty.to_vec(&value), Ok(bytes));
}

#[test]
fn keys_come_once() {
    use std::collections::{BTreeMap, HashSet};

    check_error(
        &HashSet::<i64>::bin_shape(),
        &[2, 1, 1],
        ReadErrorKind::Duplicate,
    );
    // The same number in a longer form.
    check_error(
        &BTreeMap::<i64, i64>::bin_shape(),
        &[2, 1, 1, 0xfe, 1, 0, 2],
        ReadErrorKind::Duplicate,
    );
}

/// Whoever made the value: no reader would accept it.
#[test]
fn keys_that_come_twice_are_not_written() {
    #[track_caller]
    fn check<T: BinShape>(text: &str) {
        let ty = Type::new(&T::bin_shape()).unwrap();
        let value = ty.parse_sexp(&text.parse().unwrap()).unwrap();
        let error = ty.to_vec(&value).unwrap_err();
        assert_eq!(error.to_string(), "at [1]: duplicate key or element");
    }

    check::<std::collections::BTreeSet<i64>>("(1 1)");
    check::<std::collections::BTreeMap<i64, bool>>("((1 true) (1 false))");
}

/// Elements of a matrix are a level, as those of a list, wherever levels are counted.
#[test]
fn what_was_read_at_the_greatest_depth_can_be_written_and_parsed() {
    let matrix = Shape::base("float32_mat", []);
    let shape = Shape::base("option", [Shape::base("option", [matrix])]);
    let bytes = [1, 1, 1, 1, 0, 0, 0, 0];

    let ty = Type::new(&shape).unwrap().with_depth(3);
    let value = ty.from_slice(&bytes).unwrap();
    assert_eq!(ty.to_vec(&value).unwrap(), bytes);
    assert_eq!(ty.parse_sexp(&value.to_sexp()), Ok(value));
    assert!(ty.with_depth(2).from_slice(&bytes).is_err());
}

/// Short as text, deep once parameters and definitions are put in.
#[test]
fn shapes_cannot_become_deep_unseen() {
    let too_deep = |shape: &Shape| {
        let error = Type::new(shape).unwrap_err();
        assert_eq!(error, CompileError::Shape(ShapeError::TooDeep(256)));
    };
    let option = |inner| Shape::base("option", [inner]);

    // Sixteen times sixteen options and one more, by arguments.
    let options = (0..16).fold(Shape::parameter("a"), |inner, _| option(inner));
    let many = Group::new([Definition::new("t", ["a"], options)]);
    let applied = (0..16).fold(option(i64::bin_shape()), |inner, _| {
        many.apply("t", [inner])
    });
    too_deep(&applied);

    // A chain of definitions in one group.
    let next = |number: usize| Shape::recursive_use(number.to_string(), []);
    let chain =
        (0..300).map(|number| Definition::new(number.to_string(), [], option(next(number + 1))));
    let last = Definition::new("300", [], i64::bin_shape());
    too_deep(&Group::new(chain.chain([last])).apply("0", []));
}
