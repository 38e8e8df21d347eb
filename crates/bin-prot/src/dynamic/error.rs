//! What is wrong with a value, and where in it.

use std::fmt;

use super::Name;
use crate::error::{ReadError, WriteError};

/// Why a value, or what should be one, is not one of its type: what, and at which place in the
/// value. Shown as `at .book[3].price: expected float, found x`.
#[derive(Clone, Debug, PartialEq)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq)]
struct Inner {
    kind: ErrorKind,
    /// From the inside outwards.
    path: Vec<Segment>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are no value of the type.
    #[error(transparent)]
    Read(ReadError),
    /// The number or text has no encoding as a value of the type.
    #[error(transparent)]
    Write(WriteError),
    /// Another kind of value than the type's.
    #[error("expected {expected}, found {found}")]
    Mismatch {
        /// What the type asks for.
        expected: String,
        /// What was there, cut to a readable length.
        found: String,
    },
    /// The type makes more values of the bytes than the limit.
    #[error("more than {0} values")]
    TooManyValues(usize),
    /// Values are nested deeper than the limit.
    #[error("nested deeper than {0} levels")]
    TooDeep(u32),
    /// The type expands to itself without end and so has no values.
    #[error("the type has no values that end")]
    Endless,
}

/// A step from a value into a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Segment {
    /// A field of a record.
    Field(Name),
    /// An element of a list, or a component of a tuple.
    Index(usize),
    /// The arguments of a constructor.
    Constructor(Name),
}

impl Error {
    pub(super) fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Inner {
            kind,
            path: Vec::new(),
        }))
    }

    pub(super) fn mismatch(expected: impl Into<String>, found: impl fmt::Display) -> Self {
        /// Enough to recognize the place.
        const LONGEST: usize = 80;
        let mut found = found.to_string();
        if let Some((end, _)) = found.char_indices().nth(LONGEST) {
            found.truncate(end);
            found.push('…');
        }
        let expected = expected.into();
        Self::new(ErrorKind::Mismatch { expected, found })
    }

    /// The same error, seen from around the part.
    pub(super) fn within(mut self, segment: Segment) -> Self {
        self.0.path.push(segment);
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Where: the steps from the whole value to the part that is wrong.
    pub fn path(&self) -> impl Iterator<Item = &Segment> {
        self.0.path.iter().rev()
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Constructor(name) => write!(f, ".{name}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.path.is_empty() {
            f.write_str("at ")?;
            self.path().try_for_each(|segment| segment.fmt(f))?;
            f.write_str(": ")?;
        }
        self.kind().fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self.kind())
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Self::new(ErrorKind::Read(error))
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        Self::new(ErrorKind::Write(error))
    }
}

/// Adds a step to the path of an error.
pub(super) trait Within {
    fn within(self, segment: impl FnOnce() -> Segment) -> Self;
}

impl<T> Within for Result<T, Error> {
    fn within(self, segment: impl FnOnce() -> Segment) -> Self {
        self.map_err(|error| error.within(segment()))
    }
}
