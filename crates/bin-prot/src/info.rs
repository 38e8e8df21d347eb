//! `Info` and `Error`: a message for people that keeps how it was made (*bin_prot* §9.2).

use std::fmt;

use crate::error::{ReadError, WriteError};
use crate::read::{BinRead, Reader};
use crate::shape::{BinShape, Shape};
use crate::write::BinWrite;
use crate::{BinProt, ByteString, Sexp};

/// OCaml's `Info`, whose other name is `Error`, in its stable version 2.
///
/// ```text
/// offset  width  meaning
///      0  1      the constructor, 00 to 08
///      1  …      its arguments:
///                00 CouldNotConstruct  Sexp
///                01 String             string
///                02 Exn                Sexp
///                03 Sexp               Sexp
///                04 TagSexp            string ‖ Sexp ‖ position option
///                05 TagT               string ‖ Info
///                06 TagArg             string ‖ Sexp ‖ Info
///                07 OfList             int option ‖ Info list
///                08 WithBacktrace      Info ‖ string
///
/// 01  05 68 65 6c 6c 6f                String "hello"
/// ```
///
/// Shown as people want to read it: a plain string as it is, everything else as an S-expression.
///
/// ```
/// use bin_prot::Info;
///
/// let info = Info::from("no such star").tag("lookup");
/// assert_eq!(info.to_string(), r#"(lookup"no such star")"#);
/// assert_eq!(bin_prot::to_vec(&Info::from("hello"))?, b"\x01\x05hello");
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, BinProt)]
#[bin_prot(recursive)]
pub enum Info {
    /// Something was raised while the message was being made.
    CouldNotConstruct(Sexp),
    /// A plain string.
    String(ByteString),
    /// An exception in text form; that it was an exception is all that is kept.
    Exn(Sexp),
    /// An S-expression.
    Sexp(Sexp),
    /// A tag, a value, and where in the source it was made.
    TagSexp(ByteString, Sexp, Option<SourcePosition>),
    /// A tag before another message.
    TagT(ByteString, Box<Self>),
    /// A tag and a value before another message.
    TagArg(ByteString, Sexp, Box<Self>),
    /// Several messages; the number says to how many they were cut for display.
    OfList(Option<i64>, Vec<Self>),
    /// A message and a backtrace, whose lines are separated by newlines.
    WithBacktrace(Box<Self>, ByteString),
}

/// `Info` and `Error` in their stable version 1: the S-expression alone, in the shape of one.
///
/// The protocol's own messages never use it. How the message was made is lost: reading gives
/// [`Info::Sexp`].
///
/// ```text
/// offset  width  meaning
///      0  …      the Sexp
///
/// 00  03 62 61 64    bad
/// ```
///
/// ```
/// use bin_prot::{Info, InfoV1, to_vec};
///
/// assert_eq!(to_vec(&InfoV1(Info::from("bad")))?, [0, 3, b'b', b'a', b'd']);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InfoV1(pub Info);

impl BinWrite for InfoV1 {
    fn bin_size(&self) -> usize {
        self.0.to_sexp().bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.0.to_sexp().bin_write(buffer)
    }
}

impl BinRead<'_> for InfoV1 {
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        Sexp::bin_read(reader).map(|sexp| Self(Info::Sexp(sexp)))
    }
}

impl BinShape for InfoV1 {
    fn bin_shape() -> Shape {
        Sexp::bin_shape()
    }
}

/// A place in OCaml source: a record.
///
/// ```text
/// offset  width      meaning
///      0  …          the file, a string
///      …  1 to 9     the line, an int
///      …  1 to 9     where the line begins in the file, an int
///      …  1 to 9     where the place is in the file, an int
///
/// 04 61 2e 6d 6c  03  14  18    a.ml, line 3, which begins at byte 20; at byte 24
/// ```
///
/// ```
/// use bin_prot::{SourcePosition, to_vec};
///
/// let place = SourcePosition { file: "a.ml".into(), line: 3, line_start: 20, offset: 24 };
/// assert_eq!(to_vec(&place)?, b"\x04a.ml\x03\x14\x18");
/// assert_eq!(place.to_string(), "a.ml:3:4");
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, BinProt)]
pub struct SourcePosition {
    /// The file's name.
    #[bin_prot(name = "pos_fname")]
    pub file: ByteString,
    /// The line, from 1.
    #[bin_prot(name = "pos_lnum")]
    pub line: i64,
    /// Offset in the file at which the line begins.
    #[bin_prot(name = "pos_bol")]
    pub line_start: i64,
    /// Offset in the file.
    #[bin_prot(name = "pos_cnum")]
    pub offset: i64,
}

impl Info {
    /// This message with a tag before it.
    #[must_use]
    pub fn tag(self, tag: impl Into<ByteString>) -> Self {
        Self::TagT(tag.into(), Box::new(self))
    }

    /// The message as an S-expression: the form in which it is logged, and in which version 1 of
    /// the type travels.
    pub fn to_sexp(&self) -> Sexp {
        let mut sexps = Vec::new();
        self.append_sexps(&mut sexps);
        match <[Sexp; 1]>::try_from(sexps) {
            Ok([only]) => only,
            Err(sexps) => Sexp::List(sexps),
        }
    }

    /// Appends what this message contributes to a list of S-expressions: one for most
    /// constructors, those of all its members for a list.
    fn append_sexps(&self, sexps: &mut Vec<Sexp>) {
        match self {
            Self::String(text) => sexps.push(Sexp::atom(text.clone())),
            Self::Exn(sexp) | Self::Sexp(sexp) => sexps.push(sexp.clone()),
            Self::CouldNotConstruct(sexp) => {
                sexps.push(tagged("Could_not_construct".into(), sexp, None));
            }
            Self::TagSexp(tag, sexp, position) => {
                sexps.push(tagged(tag.clone(), sexp, position.as_ref()));
            }
            Self::TagT(tag, info) => sexps.push(info.after(vec![Sexp::atom(tag.clone())])),
            Self::TagArg(tag, sexp, info) if tag.as_bytes().is_empty() => {
                sexps.push(info.after(vec![sexp.clone()]));
            }
            Self::TagArg(tag, sexp, info) => {
                sexps.push(info.after(vec![Sexp::atom(tag.clone()), sexp.clone()]));
            }
            Self::OfList(_, infos) => infos.iter().for_each(|info| info.append_sexps(sexps)),
            Self::WithBacktrace(info, backtrace) => {
                sexps.push(Sexp::list([info.to_sexp(), lines(backtrace.as_bytes())]));
            }
        }
    }

    /// A list of some S-expressions and then this message.
    fn after(&self, mut sexps: Vec<Sexp>) -> Sexp {
        self.append_sexps(&mut sexps);
        Sexp::List(sexps)
    }
}

fn tagged(tag: ByteString, sexp: &Sexp, position: Option<&SourcePosition>) -> Sexp {
    let tagged = [Sexp::Atom(tag), sexp.clone()];
    Sexp::list(
        tagged
            .into_iter()
            .chain(position.map(SourcePosition::to_sexp)),
    )
}

/// The lines of a text, without their ends.
fn lines(text: &[u8]) -> Sexp {
    Sexp::list(text.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        Sexp::atom(line.strip_suffix(b"\r").unwrap_or(line))
    }))
}

impl SourcePosition {
    /// The position as an atom: like its text, but the file's name with all its bytes.
    fn to_sexp(&self) -> Sexp {
        let mut text = self.file.clone();
        text.0
            .extend_from_slice(format!(":{}:{}", self.line, self.column()).as_bytes());
        Sexp::Atom(text)
    }

    /// The column, from 0. Whoever sent the position may have sent any two numbers.
    fn column(&self) -> i64 {
        self.offset.wrapping_sub(self.line_start)
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => text.fmt(f),
            other => other.to_sexp().fmt(f),
        }
    }
}

impl From<&str> for Info {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Info {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<Sexp> for Info {
    fn from(sexp: Sexp) -> Self {
        Self::Sexp(sexp)
    }
}

/// `file:line:column`, the column counted from the line's start.
impl fmt::Display for SourcePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(info: &Info, text: &str) {
        assert_eq!(info.to_string(), text);
    }

    /// The table of *bin_prot* §9.2.
    #[test]
    fn each_constructor_has_its_s_expression() {
        let atom = |text: &str| Sexp::atom(text);
        let plain = || Box::new(Info::from("x"));
        let two = || vec![Info::from("x"), Info::from(atom("y"))];
        let position = SourcePosition {
            file: "a.ml".into(),
            line: 3,
            line_start: 20,
            offset: 24,
        };
        check(
            &Info::CouldNotConstruct(atom("s")),
            "(Could_not_construct s)",
        );
        check(&Info::from("as it is"), "as it is");
        check(&Info::Exn(atom("s")), "s");
        check(&Info::Sexp(Sexp::default()), "()");
        check(&Info::TagSexp("t".into(), atom("s"), None), "(t s)");
        check(
            &Info::TagSexp("t".into(), atom("s"), Some(position)),
            "(t s a.ml:3:4)",
        );
        check(&Info::from("x").tag("t"), "(t x)");
        check(&Info::OfList(None, two()).tag("t"), "(t x y)");
        check(&Info::TagArg("t".into(), atom("s"), plain()), "(t s x)");
        check(&Info::TagArg("".into(), atom("s"), plain()), "(s x)");
        check(&Info::OfList(None, two()), "(x y)");
        check(&Info::OfList(Some(1), vec![]), "()");
        check(&Info::OfList(None, vec![Info::from("a b")]), r#""a b""#);
        check(
            &Info::WithBacktrace(plain(), "one\r\ntwo\n".into()),
            "(x(one two))",
        );
        check(
            &Info::WithBacktrace(Box::new(Info::OfList(None, two())), "".into()),
            "((x y)())",
        );
    }
}
