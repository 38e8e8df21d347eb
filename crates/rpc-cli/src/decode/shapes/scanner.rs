//! The text of a shapes file, word by word, and where in it something is wrong.

use bin_prot::{ByteString, Sexp};
use thiserror::Error;

/// What is wrong with a shapes file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{line}:{column}: {problem}")]
pub(crate) struct SyntaxError {
    /// Counted from 1.
    line: usize,
    /// In characters, counted from 1.
    column: usize,
    problem: String,
}

/// A place in the text, to be named in an error later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

impl Place {
    /// The place behind so many bytes.
    pub(super) fn at(offset: usize) -> Self {
        Self(offset)
    }
}

/// Reads a text from its beginning to its end.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes over blanks, comments and attributes (`(* … *)`, `[@@deriving …]`), which mean
    /// nothing here.
    pub(super) fn skip(&mut self) -> Result<(), SyntaxError> {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start().len();
            self.at += blanks;
            let rest = self.rest();
            if rest.starts_with("(*") {
                self.bracketed("(*", "*)", "the comment is not closed")?;
            } else if rest.starts_with("[@") {
                self.bracketed("[", "]", "the attribute is not closed")?;
            } else {
                return Ok(());
            }
        }
    }

    /// Passes over what is in brackets, which may contain brackets.
    fn bracketed(&mut self, open: &str, close: &str, problem: &str) -> Result<(), SyntaxError> {
        let begin = Place(self.at);
        let mut depth = 0_usize;
        loop {
            let rest = self.rest();
            if rest.starts_with(open) {
                depth += 1;
                self.at += open.len();
            } else if rest.starts_with(close) {
                depth -= 1;
                self.at += close.len();
                if depth == 0 {
                    return Ok(());
                }
            } else if let Some(char) = rest.chars().next() {
                self.at += char.len_utf8();
            } else {
                return Err(self.error(begin, problem));
            }
        }
    }

    /// Where the next word begins.
    pub(super) fn place(&mut self) -> Result<Place, SyntaxError> {
        self.skip()?;
        Ok(Place(self.at))
    }

    pub(super) fn is_at_end(&mut self) -> Result<bool, SyntaxError> {
        self.skip()?;
        Ok(self.rest().is_empty())
    }

    /// Takes a sign such as `->`, if it is next.
    pub(super) fn eat(&mut self, sign: &str) -> Result<bool, SyntaxError> {
        self.skip()?;
        let is_next = self.rest().starts_with(sign);
        if is_next {
            self.at += sign.len();
        }
        Ok(is_next)
    }

    /// Takes a sign that has to be next.
    pub(super) fn expect(&mut self, sign: &str) -> Result<(), SyntaxError> {
        match self.eat(sign)? {
            true => Ok(()),
            false => Err(self.expected(&format!("`{sign}`"))?),
        }
    }

    /// The word that is next, without taking it: letters, digits, `_` and `'`.
    pub(super) fn peek(&mut self) -> Result<Option<&'t str>, SyntaxError> {
        self.skip()?;
        let rest = self.rest();
        if !rest.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_') {
            return Ok(None);
        }
        let is_outside = |char: char| !(char.is_ascii_alphanumeric() || matches!(char, '_' | '\''));
        let end = rest.find(is_outside).unwrap_or(rest.len());
        Ok(rest.get(..end))
    }

    /// Takes the word that is next.
    pub(super) fn word(&mut self) -> Result<Option<&'t str>, SyntaxError> {
        let word = self.peek()?;
        self.at += word.map_or(0, str::len);
        Ok(word)
    }

    /// Takes this word, if it is next.
    pub(super) fn eat_word(&mut self, word: &str) -> Result<bool, SyntaxError> {
        let is_next = self.peek()? == Some(word);
        if is_next {
            self.at += word.len();
        }
        Ok(is_next)
    }

    /// Takes everything up to a blank.
    pub(super) fn up_to_blank(&mut self) -> Result<&'t str, SyntaxError> {
        self.skip()?;
        let rest = self.rest();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        self.at += end;
        Ok(rest.get(..end).unwrap_or_default())
    }

    /// Takes an RPC's name: everything up to a blank, or anything at all in quotes.
    pub(super) fn name(&mut self) -> Result<ByteString, SyntaxError> {
        let begin = self.place()?;
        if !self.rest().starts_with('"') {
            return match self.up_to_blank()? {
                "" => Err(self.expected("the RPC's name")?),
                name => Ok(name.as_bytes().into()),
            };
        }
        let mut is_escaped = false;
        let end = self.rest().char_indices().skip(1).find(|(_, char)| {
            let is_plain = !is_escaped;
            is_escaped = is_plain && *char == '\\';
            is_plain && *char == '"'
        });
        let Some((end, _)) = end else {
            return Err(self.error(begin, "the name is not closed"));
        };
        let quoted = self.rest().get(..=end).unwrap_or_default();
        match quoted.parse() {
            Ok(Sexp::Atom(name)) => {
                self.at += quoted.len();
                Ok(name)
            }
            Ok(Sexp::List(_)) => Err(self.error(begin, "the name is a list")),
            Err(error) => Err(self.error(begin, format!("the name cannot be read: {error}"))),
        }
    }

    /// Takes an integer.
    pub(super) fn integer(&mut self) -> Result<Option<i64>, SyntaxError> {
        self.skip()?;
        let rest = self.rest();
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        let end = digits.find(|char: char| !char.is_ascii_digit());
        let end = rest.len() - digits.len() + end.unwrap_or(digits.len());
        let number = rest.get(..end).and_then(|number| number.parse().ok());
        if number.is_some() {
            self.at += end;
        }
        Ok(number)
    }

    /// The error that something else should be next.
    pub(super) fn expected(&mut self, what: &str) -> Result<SyntaxError, SyntaxError> {
        /// Enough to recognize the place.
        const LONGEST: usize = 20;
        let place = self.place()?;
        let line = self.rest().lines().next().unwrap_or_default();
        let end = line.char_indices().nth(LONGEST);
        let found = match (line, end) {
            ("", _) => "the end".to_owned(),
            (line, Some((end, _))) => format!("`{}…`", line.get(..end).unwrap_or_default()),
            (line, None) => format!("`{}`", line.trim_end()),
        };
        Ok(self.error(place, format!("expected {what}, found {found}")))
    }

    /// The error that something is wrong at a place.
    pub(super) fn error(&self, place: Place, problem: impl Into<String>) -> SyntaxError {
        let before = self.text.get(..place.0).unwrap_or_default();
        let line_begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        SyntaxError {
            line: before.matches('\n').count() + 1,
            column: before.get(line_begin..).unwrap_or_default().chars().count() + 1,
            problem: problem.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_comments_and_attributes_are_passed_over() {
        let mut scanner = Scanner::new(" (* a (* b *) *)\n[@@deriving bin_io, of [ int ]] -> x");
        assert_eq!(scanner.eat("->"), Ok(true));
        assert_eq!(scanner.word(), Ok(Some("x")));
        assert_eq!(scanner.is_at_end(), Ok(true));
    }

    #[test]
    fn names_are_words_or_quoted() {
        #[track_caller]
        fn check(text: &str, expected: &[u8]) {
            let mut scanner = Scanner::new(text);
            assert_eq!(scanner.name().unwrap().as_bytes(), expected);
            assert_eq!(scanner.integer(), Ok(Some(-7)));
        }
        check("echo-string:x -7", b"echo-string:x");
        check(r#""a \"b\" \\" -7"#, br#"a "b" \"#);
        check(r#""\255\x00" -7"#, &[255, 0]);
    }

    #[test]
    fn errors_have_their_place() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let mut scanner = Scanner::new(text);
            let error = scanner.expect(":").unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        check("\n  è: x", "2:3: expected `:`, found `è: x`");
        check("a\n", "1:1: expected `:`, found `a`");
        check("", "1:1: expected `:`, found the end");
        check(
            "\n\n1234567890123456789012345",
            "3:1: expected `:`, found `12345678901234567890…`",
        );
        check(" (* (* *)", "1:2: the comment is not closed");
        check("\n[@@deriving", "2:1: the attribute is not closed");
        let error = Scanner::new("\"a").name().unwrap_err();
        assert_eq!(error.to_string(), "1:1: the name is not closed");
    }
}
