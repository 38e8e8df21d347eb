//! Values of any type.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::library::Date;
use crate::shape::Digest;
use crate::{ByteString, Sexp};

/// A value of any type. Which variant stands for which type:
///
/// | Variant | Types |
/// |---|---|
/// | `Unit`, `Bool`, `Char` | these |
/// | `Int` | all integers, of variable and of fixed size; times, `Uchar`, `Date.Option` |
/// | `Float`, `Float32` | floats of 64 bits; elements of the 32-bit arrays |
/// | `Bytes` | `string`, `bytes`, `bigstring`, opaque `Blob` |
/// | `Md5`, `Date`, `Sexp` | these |
/// | `Option` | `option`, `or_null` |
/// | `List` | all lists, arrays, sets and queues; tables and maps, whose elements are pairs |
/// | `Matrix` | matrices |
/// | `Tuple`, `Record`, `Variant`, `Polymorphic` | these |
///
/// Sets and maps are written in the order in which they are: a shape does not tell how a type's
/// keys are ordered. What was read from a peer is in the peer's order.
///
/// A `ref`, a `Blob` and an annotated type have the values of the type inside.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// The value of `unit`.
    Unit,
    /// True or false.
    Bool(bool),
    /// A byte as a character.
    Char(u8),
    /// An integer.
    Int(i64),
    /// A float of 64 bits.
    Float(f64),
    /// A float of 32 bits.
    Float32(f32),
    /// A string.
    Bytes(ByteString),
    /// A digest.
    Md5(Digest),
    /// A day.
    Date(Date),
    /// An S-expression.
    Sexp(Sexp),
    /// Something or nothing.
    Option(Option<Box<Self>>),
    /// Elements, in their order.
    List(Vec<Self>),
    /// Rows and columns.
    Matrix(Matrix),
    /// Components.
    Tuple(Vec<Self>),
    /// Fields, in the order of their declaration.
    Record(Vec<(Name, Self)>),
    /// A constructor with its arguments.
    Variant(Name, Vec<Self>),
    /// A polymorphic constructor with its argument.
    Polymorphic(Name, Option<Box<Self>>),
}

/// A matrix of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Column by column, as they travel.
    pub(super) elements: Vec<Value>,
}

impl Matrix {
    /// The matrix of these rows, if all have the same length.
    pub fn from_rows(rows: &[Vec<Value>]) -> Option<Self> {
        let columns = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != columns) {
            return None;
        }
        let elements = (0..columns)
            .flat_map(|column| rows.iter().filter_map(move |row| row.get(column)))
            .cloned()
            .collect();
        Some(Self {
            rows: rows.len(),
            columns,
            elements,
        })
    }

    /// The elements, row by row.
    pub fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = &Value>> {
        (0..self.rows)
            .map(move |row| (0..self.columns).filter_map(move |column| self.get(row, column)))
    }

    /// The element in a row and column, both counted from 0, if there is one.
    pub fn get(&self, row: usize, column: usize) -> Option<&Value> {
        if row >= self.rows || column >= self.columns {
            return None;
        }
        self.elements.get(column * self.rows + row)
    }
}

/// The name of a field or constructor. Clones share it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<[u8]>);

impl Name {
    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn to_sexp(&self) -> Sexp {
        Sexp::atom(self.as_bytes())
    }
}

impl Deref for Name {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(name.as_bytes().into())
    }
}

impl From<&ByteString> for Name {
    fn from(name: &ByteString) -> Self {
        Self(name.as_bytes().into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ByteString::from(self.as_bytes()).fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Value {
    /// What kind of value it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Bool(_) => "bool",
            Self::Char(_) => "char",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Float32(_) => "float32",
            Self::Bytes(_) => "bytes",
            Self::Md5(_) => "md5",
            Self::Date(_) => "date",
            Self::Sexp(_) => "sexp",
            Self::Option(_) => "option",
            Self::List(_) => "list",
            Self::Matrix(_) => "matrix",
            Self::Tuple(_) => "tuple",
            Self::Record(_) => "record",
            Self::Variant(..) => "variant",
            Self::Polymorphic(..) => "polymorphic variant",
        }
    }
}
