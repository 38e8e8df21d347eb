//! S-expressions from text, in the reference's syntax.
//!
//! ```text
//! atom "quoted atom" (a list ()) ; a comment to the end of the line
//! #| a block comment, #| which nests |# |#
//! #; (an S-expression that counts as a comment)
//! ```
//!
//! A bare atom ends at white space, at `( ) " ;` and nowhere else; `#|` and `|#` cannot stand in
//! it. In a quoted atom a backslash begins an escape:
//!
//! | Escape | Means |
//! |---|---|
//! | `\n` `\t` `\r` `\b` | newline, tab, carriage return, backspace |
//! | `\\` `\"` `\'` | the character |
//! | `\065` | the byte of this decimal number, three digits up to 255 |
//! | `\x41` | the byte of this hexadecimal number, two digits |
//! | `\` at the end of a line | nothing, and nor do the line's end and the blanks after it |
//! | before anything else | itself |

use std::str::FromStr;

use thiserror::Error;

use super::Sexp;
use crate::limits::DEFAULT_DEPTH;

/// Reads the S-expressions of a text, one after the other.
///
/// Ends after the first error.
///
/// ```
/// use bin_prot::sexp::Parser;
///
/// let sexps: Vec<_> = Parser::new(b"one (two) ; that is all").collect::<Result<_, _>>()?;
/// assert_eq!(sexps.len(), 2);
///
/// let error = Parser::new(b"(one\n two").next().unwrap().unwrap_err();
/// assert_eq!(error.to_string(), "line 1, column 1: the list is not closed");
/// # Ok::<(), bin_prot::sexp::ParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Parser<'a> {
    text: &'a [u8],
    offset: usize,
    depth: usize,
    failed: bool,
}

/// Why a text is no S-expression, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct ParseError {
    /// What was wrong.
    pub kind: ParseErrorKind,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
    /// The offset in the text, from 0.
    pub offset: usize,
}

/// What was wrong with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// There is no S-expression.
    #[error("an S-expression is expected")]
    Nothing,
    /// There is more after the S-expression.
    #[error("more text after the S-expression")]
    More,
    /// A list was begun and not ended; the position is its beginning.
    #[error("the list is not closed")]
    OpenList,
    /// A list is ended that was not begun.
    #[error("')' without a list")]
    NoList,
    /// A quoted atom was begun and not ended; the position is its beginning.
    #[error("the quoted atom is not closed")]
    OpenQuotes,
    /// A block comment was begun and not ended; the position is its beginning.
    #[error("the block comment is not closed")]
    OpenComment,
    /// A block comment is ended that was not begun.
    #[error("'|#' without a block comment")]
    NoComment,
    /// A bare atom contains the beginning of a block comment.
    #[error("'#|' in an atom that is not quoted")]
    CommentInAtom,
    /// Nothing follows `#;` that it could make a comment.
    #[error("nothing follows '#;'")]
    EmptyComment,
    /// An escape by number is not complete or above 255.
    #[error("the escape is no byte")]
    BadEscape,
    /// Lists and comments are nested deeper than the parser's limit.
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
}

/// What the parser is in the middle of, with the offset at which it began.
enum Open {
    List(Vec<Sexp>, usize),
    /// `#;`: what follows is dropped.
    Comment(usize),
}

impl<'a> Parser<'a> {
    /// A parser at the start of `text`, which may nest as deep as a value that is read from
    /// bytes: [`DEFAULT_DEPTH`].
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            offset: 0,
            depth: DEFAULT_DEPTH as usize,
            failed: false,
        }
    }

    /// The same parser with another limit on nesting. Parsing itself does not use the stack, but
    /// printing, writing or dropping what was parsed does.
    #[must_use]
    pub fn with_depth(mut self, levels: usize) -> Self {
        self.depth = levels;
        self
    }

    /// The only S-expression of the text.
    ///
    /// # Errors
    /// There is none, or more than one, or it is malformed.
    pub fn only(mut self) -> Result<Sexp, ParseError> {
        let sexp = match self.next() {
            Some(sexp) => sexp?,
            None => return Err(self.error(self.offset, ParseErrorKind::Nothing)),
        };
        self.skip_blanks()?;
        let after = self.offset;
        match self.next() {
            None => Ok(sexp),
            Some(Ok(_)) => Err(self.error(after, ParseErrorKind::More)),
            Some(Err(error)) => Err(error),
        }
    }

    fn sexp(&mut self) -> Result<Option<Sexp>, ParseError> {
        let mut open = Vec::new();
        loop {
            self.skip_blanks()?;
            let start = self.offset;
            let complete = match (self.peek(0), self.peek(1)) {
                (None, _) => match open.pop() {
                    None => return Ok(None),
                    Some(Open::List(_, start)) => {
                        return Err(self.error(start, ParseErrorKind::OpenList));
                    }
                    Some(Open::Comment(start)) => {
                        return Err(self.error(start, ParseErrorKind::EmptyComment));
                    }
                },
                (Some(b'('), _) => {
                    self.offset += 1;
                    self.open(&mut open, Open::List(Vec::new(), start))?;
                    continue;
                }
                (Some(b'#'), Some(b';')) => {
                    self.offset += 2;
                    self.open(&mut open, Open::Comment(start))?;
                    continue;
                }
                (Some(b')'), _) => match open.pop() {
                    Some(Open::List(items, _)) => {
                        self.offset += 1;
                        Sexp::List(items)
                    }
                    Some(Open::Comment(start)) => {
                        return Err(self.error(start, ParseErrorKind::EmptyComment));
                    }
                    None => return Err(self.error(start, ParseErrorKind::NoList)),
                },
                (Some(b'"'), _) => Sexp::atom(self.quoted()?.as_slice()),
                (Some(_), _) => Sexp::atom(self.bare()?),
            };
            match open.last_mut() {
                None => return Ok(Some(complete)),
                Some(Open::List(items, _)) => items.push(complete),
                Some(Open::Comment(_)) => {
                    open.pop();
                }
            }
        }
    }

    fn open(&self, open: &mut Vec<Open>, next: Open) -> Result<(), ParseError> {
        let (Open::List(_, start) | Open::Comment(start)) = next;
        if open.len() == self.depth {
            return Err(self.error(start, ParseErrorKind::TooDeep(self.depth)));
        }
        open.push(next);
        Ok(())
    }

    /// White space and all comments but `#;`.
    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(blank), _) if is_blank(blank) => self.offset += 1,
                (Some(b';'), _) => self.skip_line(),
                (Some(b'#'), Some(b'|')) => self.skip_block_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|byte| byte != b'\n') {
            self.offset += 1;
        }
    }

    /// Quoted atoms in block comments hide what looks like an end.
    fn skip_block_comment(&mut self) -> Result<(), ParseError> {
        let mut starts = Vec::new();
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(b'#'), Some(b'|')) => {
                    if starts.len() == self.depth {
                        return Err(self.error(self.offset, ParseErrorKind::TooDeep(self.depth)));
                    }
                    starts.push(self.offset);
                    self.offset += 2;
                }
                (Some(b'|'), Some(b'#')) => {
                    self.offset += 2;
                    starts.pop();
                    if starts.is_empty() {
                        return Ok(());
                    }
                }
                (Some(b'"'), _) => {
                    self.quoted()?;
                }
                (Some(_), _) => self.offset += 1,
                (None, _) => {
                    let start = starts.pop().unwrap_or(self.offset);
                    return Err(self.error(start, ParseErrorKind::OpenComment));
                }
            }
        }
    }

    fn bare(&mut self) -> Result<&'a [u8], ParseError> {
        let start = self.offset;
        while let Some(byte) = self.peek(0) {
            match (byte, self.peek(1)) {
                (b'(' | b')' | b'"' | b';', _) => break,
                (byte, _) if is_blank(byte) => break,
                (b'#', Some(b'|')) => {
                    return Err(self.error(self.offset, ParseErrorKind::CommentInAtom));
                }
                (b'|', Some(b'#')) => {
                    return Err(self.error(self.offset, ParseErrorKind::NoComment));
                }
                _ => self.offset += 1,
            }
        }
        Ok(self.text.get(start..self.offset).unwrap_or_default())
    }

    fn quoted(&mut self) -> Result<Vec<u8>, ParseError> {
        let start = self.offset;
        self.offset += 1;
        let mut atom = Vec::new();
        loop {
            let byte = self.peek(0);
            self.offset += 1;
            match byte {
                Some(b'"') => return Ok(atom),
                Some(b'\\') => self.escape(&mut atom)?,
                Some(byte) => atom.push(byte),
                None => {
                    self.offset = self.text.len();
                    return Err(self.error(start, ParseErrorKind::OpenQuotes));
                }
            }
        }
    }

    /// What follows a backslash. Nothing may: then the missing quotes are the error.
    fn escape(&mut self, atom: &mut Vec<u8>) -> Result<(), ParseError> {
        let Some(byte) = self.peek(0) else {
            return Ok(());
        };
        match byte {
            b'n' => atom.push(b'\n'),
            b't' => atom.push(b'\t'),
            b'r' => atom.push(b'\r'),
            b'b' => atom.push(0x08),
            b'\\' | b'"' | b'\'' => atom.push(byte),
            b'0'..=b'9' => return self.number(atom, 3, 10),
            b'x' => {
                self.offset += 1;
                return self.number(atom, 2, 16);
            }
            b'\n' => {
                self.continue_line(1);
                return Ok(());
            }
            b'\r' if self.peek(1) == Some(b'\n') => {
                self.continue_line(2);
                return Ok(());
            }
            other => atom.extend([b'\\', other]),
        }
        self.offset += 1;
        Ok(())
    }

    fn number(&mut self, atom: &mut Vec<u8>, digits: usize, radix: u32) -> Result<(), ParseError> {
        let text = self.text.get(self.offset..self.offset + digits);
        let number = text
            .filter(|text| text.iter().all(u8::is_ascii_hexdigit))
            .and_then(|text| str::from_utf8(text).ok())
            .and_then(|text| u8::from_str_radix(text, radix).ok());
        let Some(number) = number else {
            return Err(self.error(self.offset, ParseErrorKind::BadEscape));
        };
        atom.push(number);
        self.offset += digits;
        Ok(())
    }

    fn continue_line(&mut self, line_end: usize) {
        self.offset += line_end;
        while let Some(b' ' | b'\t') = self.peek(0) {
            self.offset += 1;
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.offset + ahead).copied()
    }

    #[cold]
    fn error(&self, offset: usize, kind: ParseErrorKind) -> ParseError {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let last_line = before.rsplit(|byte| *byte == b'\n').next();
        ParseError {
            kind,
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            column: 1 + last_line.map_or(0, <[u8]>::len),
            offset,
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

impl Iterator for Parser<'_> {
    type Item = Result<Sexp, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.sexp();
        self.failed = next.is_err();
        next.transpose()
    }
}

impl Sexp {
    /// The only S-expression of a text; [`Parser`] reads several, or with another limit on depth.
    ///
    /// ```
    /// use bin_prot::Sexp;
    ///
    /// let sexp = Sexp::parse(br#"(a "b c" #;(no) ()) ; d"#)?;
    /// assert_eq!(sexp.to_string(), r#"(a"b c"())"#);
    /// # Ok::<(), bin_prot::sexp::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// There is none, or more than one, or it is malformed.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        Parser::new(text).only()
    }
}

impl FromStr for Sexp {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests;
