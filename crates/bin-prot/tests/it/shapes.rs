//! Shapes: which differ, which are errors, and what they cost (*shapes* §5, §8).

use std::sync::Arc;
use std::thread;

use bin_prot::shape::{BinShape, Definition, Group, Row, Shape, ShapeError};
use bin_prot::{Char, Nat0, Nativeint, OrNull, Sexp, from_slice, to_vec};

fn int() -> Shape {
    i64::bin_shape()
}

/// A group of one type without parameters, and its use.
fn single(body: Shape) -> Shape {
    Group::new([Definition::new("t", [], body)]).apply("t", [])
}

fn itself() -> Shape {
    Shape::recursive_use("t", [])
}

#[track_caller]
fn check(shape: &Shape, digest: &str) {
    assert_eq!(shape.digest().unwrap().to_string(), digest);
}

#[track_caller]
fn check_error(shape: &Shape, error: ShapeError) {
    assert_eq!(shape.digest(), Err(error));
}

#[test]
fn long_tuples_are_like_short_ones() {
    type Twelve<T> = (T, T, T, T, T, T, T, T, T, T, T, bool);
    let tuple: Twelve<i64> = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, true);
    let bytes = to_vec(&tuple).unwrap();
    assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1]);
    assert_eq!(from_slice::<Twelve<i64>>(&bytes), Ok(tuple));
    let components = std::iter::repeat_n(int(), 11).chain([bool::bin_shape()]);
    let expected = Shape::tuple(components).digest();
    assert_eq!(Twelve::<i64>::bin_shape().digest(), expected);
}

#[test]
fn unboxed_tuple_has_the_derived_digest() {
    let tuple = Shape::unboxed_tuple([int(), String::bin_shape()]);
    check(&tuple, "98a986a9e02f4207690dacdf2b2ba34f");
}

#[test]
fn recursive_type_inside_another_has_another_digest() {
    check(&Sexp::bin_shape(), "832b40ae394f2851da8ba67b3339b429");
    let other = single(Shape::variant([
        ("A", vec![Sexp::bin_shape()]),
        ("B", vec![itself()]),
    ]));
    let canonical = other.canonical().unwrap().to_string();
    assert!(
        canonical.contains("(Base list((Rec_app 1())))"),
        "{canonical}"
    );
}

/// `t = t u and 'a u = { x : 'a }`: t is met in what it hands to the other type.
#[test]
fn arguments_of_uses_in_the_same_group_count_as_parts() {
    let group = Group::new([
        Definition::new("t", [], Shape::recursive_use("u", [itself()])),
        Definition::new("u", ["a"], Shape::record([("x", Shape::parameter("a"))])),
    ]);
    assert_eq!(
        group.apply("t", []).canonical().unwrap().to_string(),
        "(Application(Record((x(Rec_app 0()))))())"
    );
}

#[test]
fn types_of_rust_have_the_shapes_of_their_counterparts() {
    #[track_caller]
    fn check<T: BinShape + ?Sized>(canonical: &str) {
        assert_eq!(T::bin_shape().canonical().unwrap().to_string(), canonical);
    }

    check::<i8>("(Base int())");
    check::<u64>("(Base int())");
    check::<usize>("(Base int())");
    check::<&str>("(Base string())");
    check::<&[u8]>("(Base bytes())");
    check::<[bool]>("(Base list((Base bool())))");
    check::<Box<Arc<f64>>>("(Base float())");
    check::<(Char, Nat0, Nativeint)>("(Tuple((Base char())(Base nat0())(Base nativeint())))");
    check::<OrNull<()>>("(Base or_null((Base unit())))");
}

#[test]
fn shape_of_shapes_is_the_documented_one() {
    check(&Shape::bin_shape(), "89339d4830cb37cc1fea481603bd6b9c");
}

#[test]
fn text_that_is_no_shape_is_refused_with_the_place() {
    #[track_caller]
    fn check(text: &str, message: &str) {
        let error = Shape::from_sexp(&text.parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }

    check("a", "expected a shape, such as (Base int ()), found a");
    check(
        "(Base int)",
        "expected a shape, such as (Base int ()), found (Base int)",
    );
    check("(Base (int) ())", "expected an atom, found (int)");
    check("(Tuple x)", "expected a list, found x");
    check("(Record ((a)))", "expected (FIELD SHAPE), found (a)");
    check(
        "(Poly_variant (here ((Constr (A ((Base int ()) (Base int ())))))))",
        "expected at most one argument, found ((Base int())(Base int()))",
    );
    let long = format!("(Tuple {})", "x".repeat(500));
    let error = Shape::from_sexp(&long.parse().unwrap()).unwrap_err();
    assert!(error.to_string().len() < 120, "{error}");
}

#[test]
fn uses_of_a_group_stay_uses_of_one_group() {
    let tree = Group::new([Definition::new(
        "t",
        [],
        Shape::variant([("Leaf", vec![]), ("Node", vec![itself(), itself()])]),
    )]);
    let pair = Shape::tuple([tree.apply("t", []), tree.apply("t", [])]);
    let text = pair.to_sexp().to_string();
    let again = Shape::from_sexp(&text.parse().unwrap()).unwrap();
    let ids = |text: &str| {
        let ids: Vec<_> = text
            .split("(gid ")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), 2);
        ids[0] == ids[1]
    };
    assert!(ids(&text) && ids(&again.to_sexp().to_string()));
}

#[test]
fn alias_leaves_no_trace() {
    assert_eq!(single(int()).digest(), int().digest());
}

#[test]
fn rows_may_come_twice_if_they_agree() {
    let row = |argument| Row::constructor("A", argument);
    let twice = Shape::polymorphic_variant([row(Some(int())), row(Some(int()))]);
    let once = Shape::polymorphic_variant([row(Some(int()))]);
    assert_eq!(twice.digest(), once.digest());
    check_error(
        &Shape::polymorphic_variant([row(Some(int())), row(None)]),
        ShapeError::ConflictingRows("A".into()),
    );
}

#[test]
fn only_plain_polymorphic_variants_can_be_inherited() {
    let rows = || Shape::polymorphic_variant([Row::constructor("A", None)]);
    let inheriting = |shape| Shape::polymorphic_variant([Row::inherit(shape)]);
    assert_eq!(inheriting(rows()).digest(), rows().digest());
    assert_eq!(inheriting(single(rows())).digest(), rows().digest());
    check_error(&inheriting(int()), ShapeError::Inherit);
    check_error(
        &inheriting(Shape::annotate("id", rows())),
        ShapeError::Inherit,
    );
    let recursive = single(Shape::polymorphic_variant([Row::constructor(
        "A",
        Some(itself()),
    )]));
    check_error(&inheriting(recursive), ShapeError::Inherit);
}

#[test]
fn names_must_be_bound() {
    check_error(
        &Shape::parameter("a"),
        ShapeError::UnboundParameter("a".into()),
    );
    check_error(&itself(), ShapeError::NoGroup("t".into()));
    check_error(
        &single(Shape::recursive_use("u", [])),
        ShapeError::UnknownType("u".into()),
    );
    check_error(
        &single(Shape::parameter("a")),
        ShapeError::UnboundParameter("a".into()),
    );
    let group = Group::new([Definition::new("t", ["a"], Shape::parameter("a"))]);
    check_error(
        &group.apply("t", []),
        ShapeError::Arity {
            name: "t".into(),
            parameters: 1,
            arguments: 0,
        },
    );
}

/// A parameter of the definition around a use is not one of the definition that is used.
#[test]
fn parameters_do_not_reach_into_other_groups() {
    let inner = Group::new([Definition::new("t", [], Shape::parameter("a"))]);
    let outer = Group::new([Definition::new("t", ["a"], inner.apply("t", []))]);
    check_error(
        &outer.apply("t", [int()]),
        ShapeError::UnboundParameter("a".into()),
    );
}

/// OCaml cannot declare such types: the record of a polymorphic variant has to have a name.
#[test]
fn type_without_a_place_to_come_back_to_is_an_error() {
    let record = Shape::record([("w", itself())]);
    let endless = single(Shape::polymorphic_variant([Row::constructor(
        "A",
        Some(record.clone()),
    )]));
    check_error(&endless, ShapeError::Endless("t".into()));

    // The same record as an instance of a parametrised type is such a place.
    let instance = single(Shape::polymorphic_variant([Row::constructor(
        "A",
        Some(Shape::instance(record)),
    )]));
    let wrapper = Group::new([Definition::new(
        "wrapper",
        ["a"],
        Shape::record([("w", Shape::parameter("a"))]),
    )]);
    let applied = single(Shape::polymorphic_variant([Row::constructor(
        "A",
        Some(wrapper.apply("wrapper", [itself()])),
    )]));
    assert!(applied.digest().is_ok());
    assert_eq!(instance.digest(), applied.digest());
}

/// `int dub dub … dub` with `'a dub = 'a * 'a`: the canonical form has 2^10,000 leaves.
#[test]
fn doubling_ten_thousand_times_takes_linear_time() {
    let test = || {
        let pair = Shape::tuple([Shape::parameter("a"), Shape::parameter("a")]);
        let dub = Group::new([Definition::new("dub", ["a"], pair)]);
        let doubled = |times| (0..times).fold(int(), |shape, _| dub.apply("dub", [shape]));
        check(&doubled(4), "7aff8b0d2e2536304a1a7d7e7c2f301a");
        assert!(doubled(10_000).digest().is_ok());
    };
    // Evaluation uses the stack as deep as the expression is.
    let thread = thread::Builder::new().stack_size(256 * 1024 * 1024);
    thread.spawn(test).unwrap().join().unwrap();
}

/// `t0 = int`, `t(n+1) = tn * tn`, each a type of its own.
#[test]
fn chain_of_aliases_takes_linear_time() {
    let chain = (0..1_000).fold(int(), |shape, _| {
        single(Shape::tuple([shape.clone(), shape]))
    });
    let thread = thread::Builder::new().stack_size(256 * 1024 * 1024);
    let digest = thread.spawn(move || chain.digest().is_ok()).unwrap();
    assert!(digest.join().unwrap());
}

/// The same in one group: `t0 = t1 * t1 and t1 = t2 * t2 and …`, which nothing but the order of
/// evaluation tells from types that contain each other.
#[test]
fn chain_of_aliases_in_one_group_takes_linear_time() {
    let twice = |number: usize| {
        let next = || Shape::recursive_use((number + 1).to_string(), []);
        Definition::new(number.to_string(), [], Shape::tuple([next(), next()]))
    };
    let last = Definition::new("100", [], int());
    let chain = Group::new((0..100).map(twice).chain([last])).apply("0", []);
    let alone = (0..100).fold(int(), |shape, _| {
        single(Shape::tuple([shape.clone(), shape]))
    });
    assert_eq!(chain.canonical_within(256), alone.canonical());
}

/// `t0 = { t1: t1; t2: t2; … } and t1 = …`, each with all others: there are 11! ways through them.
#[test]
fn types_that_all_use_each_other_are_refused() {
    let everybody = |count: usize| {
        let all = move |_| {
            (0..count).map(|number| {
                let name = number.to_string();
                (name.clone(), Shape::recursive_use(name, []))
            })
        };
        let definitions = (0..count).map(|number| (number, Shape::record(all(number))));
        let definitions = definitions.map(|(n, body)| Definition::new(n.to_string(), [], body));
        Group::new(definitions).apply("0", [])
    };
    assert!(everybody(5).canonical_within(256).is_ok());
    let error = everybody(12).canonical_within(256).unwrap_err();
    assert_eq!(error, ShapeError::TooLarge(1 << 17));
}
