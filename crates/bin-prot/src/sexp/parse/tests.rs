//! The syntax by example, and every error with its place.

use super::*;

/// The text of all S-expressions in `text`, in the machine form.
#[track_caller]
fn check(text: &str, machine: &[&str]) {
    let sexps: Vec<_> = Parser::new(text.as_bytes())
        .map(|sexp| sexp.unwrap().to_string())
        .collect();
    assert_eq!(sexps, machine);
}

#[track_caller]
fn check_atom(text: &str, atom: &[u8]) {
    assert_eq!(Sexp::parse(text.as_bytes()), Ok(Sexp::atom(atom)));
}

#[track_caller]
fn check_error(text: &str, kind: ParseErrorKind, line: usize, column: usize) {
    let error = Sexp::parse(text.as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.line, error.column), (kind, line, column));
}

#[test]
fn atoms_and_lists_are_told_apart_without_spaces() {
    check("a b", &["a", "b"]);
    check("()(a(b))", &["()", "(a(b))"]);
    check(r#"(a"b c"d)"#, &[r#"(a"b c"d)"#]);
    check("\t(\r\na\x0c)\n", &["(a)"]);
    check("a#b # | a|b #a", &["a#b", "#", "|", "a|b", "#a"]);
    check("", &[]);
}

#[test]
fn comments_are_skipped() {
    check("; one\na ; two", &["a"]);
    check("a;b", &["a"]);
    check("#| one #| two |# |# a #||#", &["a"]);
    check(r#"#| "|#" |# a"#, &["a"]);
    check("#;a b", &["b"]);
    check("#; #; a (b) c", &["c"]);
    check("(a #;(b c) #| d |# e)", &["(a e)"]);
    check("(a #;b)", &["(a)"]);
}

#[test]
fn escapes_stand_for_bytes() {
    check_atom(r#""\n\t\r\b\\\"\'""#, b"\n\t\r\x08\\\"'");
    check_atom(r#""\000\255\x00\xFf\xaA""#, b"\x00\xff\x00\xff\xaa");
    check_atom("\"a\\\n  \tb\"", b"ab");
    check_atom("\"a\\\r\n b\"", b"ab");
    check_atom("\"a\nb\"", b"a\nb");
    check_atom(r#""\q\ ""#, br"\q\ ");
    check_atom("\"é\"", "é".as_bytes());
    check_atom("é", "é".as_bytes());
}

#[test]
fn errors_say_where() {
    use ParseErrorKind::*;

    check_error("", Nothing, 1, 1);
    check_error(" ; a\n", Nothing, 2, 1);
    check_error("a\n  b", More, 2, 3);
    check_error("a )", NoList, 1, 3);
    check_error("(a\n (b", OpenList, 2, 2);
    check_error("(a \"b", OpenQuotes, 1, 4);
    check_error("\"b\\", OpenQuotes, 1, 1);
    check_error("a\n#| #| |#", OpenComment, 2, 1);
    check_error("a |# b", NoComment, 1, 3);
    check_error("a#|b|#", CommentInAtom, 1, 2);
    check_error("(#;)", EmptyComment, 1, 2);
    check_error("a #;", EmptyComment, 1, 3);
    check_error(r#""\256""#, BadEscape, 1, 3);
    check_error(r#""\25""#, BadEscape, 1, 3);
    check_error(r#""\1a2""#, BadEscape, 1, 3);
    check_error(r#""\x4""#, BadEscape, 1, 4);
    check_error(r#""\x+4""#, BadEscape, 1, 4);
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels| "(".repeat(levels) + &")".repeat(levels);
    let limit = DEFAULT_DEPTH as usize;
    assert!(Sexp::parse(nested(limit).as_bytes()).is_ok());
    check_error(
        &nested(limit + 1),
        ParseErrorKind::TooDeep(limit),
        1,
        limit + 1,
    );
    let comments = "#;".repeat(limit + 1);
    check_error(&comments, ParseErrorKind::TooDeep(limit), 1, 2 * limit + 1);
    let mut parser = Parser::new(b"((()))").with_depth(2);
    assert!(parser.next().unwrap().is_err());
    assert!(parser.next().is_none());
}
