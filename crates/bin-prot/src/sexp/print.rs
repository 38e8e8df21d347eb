//! S-expressions as text, byte for byte as the reference's `to_string_mach` prints them.

use std::fmt::{self, Write as _};

use super::Sexp;

impl fmt::Display for Sexp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self, End::Delimiter, f).map(|_| ())
    }
}

impl fmt::Debug for Sexp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How the text so far ends. Only two bare atoms need a space between them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    BareAtom,
    Delimiter,
}

fn print(sexp: &Sexp, before: End, f: &mut fmt::Formatter<'_>) -> Result<End, fmt::Error> {
    match sexp {
        Sexp::Atom(atom) if !is_bare(&atom.0) => {
            write!(f, "\"{}\"", escape(&atom.0))?;
            Ok(End::Delimiter)
        }
        Sexp::Atom(atom) => {
            if before == End::BareAtom {
                f.write_char(' ')?;
            }
            for byte in &atom.0 {
                f.write_char(char::from(*byte))?;
            }
            Ok(End::BareAtom)
        }
        Sexp::List(items) => {
            f.write_char('(')?;
            let mut end = End::Delimiter;
            for item in items {
                end = print(item, end, f)?;
            }
            f.write_char(')')?;
            Ok(End::Delimiter)
        }
    }
}

/// Whether an atom is read back without quotes. It is not when it is empty, has a delimiter or a
/// byte that is not printable ASCII, or the beginning or end of a block comment.
pub(super) fn is_bare(atom: &[u8]) -> bool {
    let is_plain =
        |byte: &u8| !matches!(byte, b'"' | b'(' | b')' | b';' | b'\\' | ..=b' ' | 0x7f..);
    !atom.is_empty()
        && atom.iter().all(is_plain)
        && !atom.windows(2).any(|pair| pair == b"#|" || pair == b"|#")
}

/// What stands between the quotes.
pub(super) fn escape(atom: &[u8]) -> String {
    let mut text = String::with_capacity(atom.len());
    for byte in atom {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\r' => text.push_str("\\r"),
            0x08 => text.push_str("\\b"),
            b' '..=b'~' => text.push(char::from(*byte)),
            other => {
                let _ = write!(text, "\\{other:03}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sexp: &Sexp, text: &str) {
        assert_eq!(sexp.to_string(), text);
    }

    #[track_caller]
    fn check_atom(atom: &[u8], text: &str) {
        check(&Sexp::atom(atom), text);
    }

    #[test]
    fn atoms_are_quoted_where_they_must_be() {
        check_atom(b"abc", "abc");
        check_atom(b"", r#""""#);
        check_atom(b"two words", r#""two words""#);
        check_atom(b"a\"b\\c", r#""a\"b\\c""#);
        check_atom(b"(", r#""(""#);
        check_atom(b"a;b", r#""a;b""#);
        check_atom(b"\n\t\r\x08", r#""\n\t\r\b""#);
        check_atom(b"\x00\x0b\x7f\xff", r#""\000\011\127\255""#);
        check_atom("é".as_bytes(), r#""\195\169""#);
        check_atom(b"#|", r##""#|""##);
        check_atom(b"a|#b", r##""a|#b""##);
        check_atom(b"|a#", "|a#");
        check_atom(b"#", "#");
        check_atom(b"|", "|");
        check_atom(b"'`,~", "'`,~");
    }

    #[test]
    fn spaces_stand_only_between_bare_atoms() {
        let atom = |text: &str| Sexp::atom(text);
        check(&Sexp::default(), "()");
        check(&Sexp::list([atom("a"), atom("b")]), "(a b)");
        check(
            &Sexp::list([atom("a"), atom("b c"), atom("d")]),
            r#"(a"b c"d)"#,
        );
        check(
            &Sexp::list([
                atom("a"),
                Sexp::list([atom("b"), atom("c")]),
                Sexp::default(),
                atom("d"),
            ]),
            "(a(b c)()d)",
        );
    }
}
