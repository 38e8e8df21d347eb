//! Makes what comes from a peer safe to print.

use bin_prot::Sexp;

/// The bytes on one line of at most about `limit` characters: what a terminal would act upon or
/// hide is escaped, as are bytes that are no UTF-8. What is cut off is shown as `…`.
pub(crate) fn shown(bytes: &[u8], limit: usize) -> String {
    let mut shown = String::new();
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if shown.len() >= limit {
                shown.push('…');
                return shown;
            }
            match char {
                // Only what is not printable is worth an escape.
                '"' | '\'' => shown.push(char),
                _ => shown.extend(char.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            if shown.len() >= limit {
                shown.push('…');
                return shown;
            }
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

/// The S-expression on one line, its parts apart. OCaml's quoting leaves nothing in it that a
/// terminal would act upon.
pub(super) fn one_line(sexp: &Sexp) -> String {
    let mut line = String::new();
    push_sexp(&mut line, sexp);
    line
}

fn push_sexp(line: &mut String, sexp: &Sexp) {
    match sexp {
        Sexp::Atom(_) => line.push_str(&sexp.to_string()),
        Sexp::List(items) => {
            line.push('(');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    line.push(' ');
                }
                push_sexp(line, item);
            }
            line.push(')');
        }
    }
}

/// The beginning of a text that is safe already.
pub(super) fn cut(mut text: String, limit: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], limit: usize, expected: &str) {
        assert_eq!(shown(bytes, limit), expected);
    }

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_act_upon() {
        check(b"echo-string", 40, "echo-string");
        check("Zürich \"✓\"".as_bytes(), 40, "Zürich \"✓\"");
        check(b"\x1b[2J\r\n\0", 40, "\\u{1b}[2J\\r\\n\\0");
        check("a\u{202e}b\u{9b}".as_bytes(), 40, "a\\u{202e}b\\u{9b}");
        check(&[b'a', 0xff, b'b'], 40, "a\\xffb");
        check(b"back\\slash", 40, "back\\\\slash");
    }

    #[test]
    fn long_text_is_cut() {
        check(b"abcde", 5, "abcde");
        check(b"abcde", 4, "abcd…");
        check(&[0xff; 3], 4, "\\xff…");
        check(b"abcde", 0, "…");
    }

    #[test]
    fn s_expressions_are_on_one_line() {
        let text = r#"((name "a b")(empty "")(list()) (lines "x\ny\027[2J\195\188"))"#;
        let expected = r#"((name "a b") (empty "") (list ()) (lines "x\ny\027[2J\195\188"))"#;
        assert_eq!(one_line(&text.parse().unwrap()), expected);
    }

    #[test]
    fn hex_digits() {
        assert_eq!(hex(&[0x00, 0x7f, 0xa5]), "007fa5");
    }
}
