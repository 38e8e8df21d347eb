//! The mistakes that are reported, each with its message.

use syn::parse_quote;

use super::*;

#[track_caller]
fn check_error(item: DeriveInput, message: &str) {
    match Input::new(&item, Shaped::Yes) {
        Ok(_) => panic!("was accepted"),
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}

#[track_caller]
fn check_accepted(item: DeriveInput, shaped: Shaped) {
    if let Err(error) = Input::new(&item, shaped) {
        panic!("{error}");
    }
}

#[test]
fn structs_without_fields_are_refused() {
    let message = "a struct without fields has no OCaml counterpart";
    check_error(
        parse_quote!(
            struct Empty;
        ),
        message,
    );
    check_error(
        parse_quote!(
            struct Empty {}
        ),
        message,
    );
    check_error(
        parse_quote!(
            struct Empty();
        ),
        message,
    );
}

#[test]
fn unions_are_refused() {
    let item: DeriveInput = parse_quote!(union Either { one: u32, two: f32 });
    check_error(item, "a union has no OCaml counterpart");
}

#[test]
fn only_enums_are_polymorphic() {
    check_error(
        parse_quote!(
            #[bin_prot(polymorphic)]
            struct Record {
                field: i64,
            }
        ),
        "only an enum can be a polymorphic variant",
    );
    check_error(
        parse_quote!(
            #[bin_prot(polymorphic)]
            enum Empty {}
        ),
        "a polymorphic variant needs a constructor",
    );
    check_error(
        parse_quote!(
            #[bin_prot(polymorphic)]
            enum Row {
                A { field: i64 },
            }
        ),
        "a polymorphic variant has no inline records",
    );
}

#[test]
fn inline_record_needs_a_field() {
    check_error(
        parse_quote!(
            enum Sum {
                A {},
            }
        ),
        "an inline record needs a field",
    );
}

#[test]
fn names_are_used_once() {
    check_error(
        parse_quote!(
            struct Record {
                one: i64,
                #[bin_prot(name = "one")]
                two: i64,
            }
        ),
        "the name `one` is used twice",
    );
    check_error(
        parse_quote!(
            enum Sum {
                TwoWords,
                Two_words,
            }
        ),
        "the name `Two_words` is used twice",
    );
}

/// Two names that the hash of polymorphic variants does not tell apart.
#[test]
fn hashes_are_used_once() {
    check_error(
        parse_quote! {
            #[bin_prot(polymorphic)]
            enum Row {
                #[bin_prot(name = "dnctwrq")]
                One,
                #[bin_prot(name = "sbusnjd")]
                Two,
            }
        },
        "`sbusnjd` and `dnctwrq` have the same hash",
    );
}

#[test]
fn names_are_not_empty_and_only_where_something_has_a_name() {
    check_error(
        parse_quote!(
            struct Record {
                #[bin_prot(name = "")]
                one: i64,
            }
        ),
        "a name is not empty",
    );
    check_error(
        parse_quote!(
            struct Pair(#[bin_prot(name = "one")] i64, i64);
        ),
        "a field without a name in Rust has none",
    );
}

#[test]
fn unknown_attributes_are_refused() {
    check_error(
        parse_quote!(
            #[bin_prot(polymorphous)]
            enum Sum {
                A,
            }
        ),
        "expected `polymorphic`, `recursive`, `group`, `annotate`, `base` or `crate`",
    );
    check_error(
        parse_quote!(
            struct Record {
                #[bin_prot(rename = "b")]
                a: i64,
            }
        ),
        "expected `name`, `as` or `inherit`",
    );
}

#[test]
fn identity_is_one_or_the_other() {
    check_error(
        parse_quote!(
            #[bin_prot(annotate = "a", base = "b")]
            struct Record {
                field: i64,
            }
        ),
        "a type is annotated or a basic type, not both",
    );
}

#[test]
fn recursion_is_said_where_a_shape_is_derived() {
    let message = "`List` contains itself: add #[bin_prot(recursive)] to it";
    let direct: DeriveInput = parse_quote!(
        enum List {
            Nil,
            Cons(i64, Box<List>),
        }
    );
    check_error(direct.clone(), message);
    check_accepted(direct, Shaped::No);
    check_error(
        parse_quote!(
            struct List {
                rest: Vec<Self>,
            }
        ),
        message,
    );
    check_error(
        parse_quote!(
            struct List<T> {
                rest: Option<(T, Box<List<T>>)>,
            }
        ),
        message,
    );
    check_accepted(
        parse_quote!(
            struct List {
                rest: Vec<other::List>,
            }
        ),
        Shaped::Yes,
    );
    check_accepted(
        parse_quote!(
            #[bin_prot(base = "list")]
            struct List {
                rest: Vec<Self>,
            }
        ),
        Shaped::Yes,
    );
}

#[test]
fn parameters_without_counterpart_are_refused() {
    check_error(
        parse_quote!(
            struct Two<'a, 'b> {
                one: &'a str,
                two: &'b str,
            }
        ),
        "a second lifetime has nothing to borrow from",
    );
    check_error(
        parse_quote!(
            #[bin_prot(recursive)]
            struct List<const N: usize> {
                rest: Vec<Self>,
            }
        ),
        "a recursive type with const parameters has no OCaml counterpart",
    );
}
