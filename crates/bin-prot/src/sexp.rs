//! S-expressions: atoms and lists, OCaml's form for values that are to be read by people.
//!
//! ```
//! use bin_prot::Sexp;
//!
//! let sexp = Sexp::record([
//!     ("name", Sexp::atom("get stars")),
//!     ("version", Sexp::atom("1")),
//! ]);
//! assert_eq!(sexp.to_string(), r#"((name"get stars")(version 1))"#);
//! assert_eq!(sexp.to_string_hum(), r#"((name "get stars") (version 1))"#);
//! assert_eq!(r#"((name "get stars")(version 1))"#.parse(), Ok(sexp));
//! ```

mod hum;
mod parse;
mod print;

use crate::{BinProt, ByteString};

pub use hum::Layout;
pub use parse::{ParseError, ParseErrorKind, Parser};

/// An S-expression.
///
/// ```text
/// offset  width  meaning
///      0  1      00: an atom; 01: a list
///      1  …      of an atom, a string; of a list, a nat0 N and then N S-expressions
///
/// 01 02  00 01 61  01 00    (a ())
/// ```
///
/// Shown in the reference's machine form: no more spaces than are needed to tell atoms apart,
/// atoms quoted where they have to be.
///
/// ```
/// use bin_prot::{Sexp, to_vec};
///
/// let sexp = Sexp::list([Sexp::atom("a"), Sexp::default()]);
/// assert_eq!(sexp.to_string(), "(a())");
/// assert_eq!(to_vec(&sexp)?, [1, 2, 0, 1, b'a', 1, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
#[bin_prot(recursive)]
pub enum Sexp {
    /// Any bytes.
    Atom(ByteString),
    /// Any number of S-expressions.
    List(Vec<Self>),
}

impl Sexp {
    /// An atom.
    pub fn atom(text: impl Into<ByteString>) -> Self {
        Self::Atom(text.into())
    }

    /// A list.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(items.into_iter().collect())
    }

    /// A record: a list of name and value pairs.
    pub fn record<const FIELDS: usize>(fields: [(&str, Self); FIELDS]) -> Self {
        Self::list(
            fields
                .into_iter()
                .map(|(name, value)| Self::list([Self::atom(name), value])),
        )
    }
}

/// The empty list.
impl Default for Sexp {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}
