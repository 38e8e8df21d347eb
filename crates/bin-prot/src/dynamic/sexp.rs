//! Values as S-expressions, as OCaml's converters write them.
//!
//! | Type | S-expression |
//! |---|---|
//! | unit | `()` |
//! | bool, integers, floats, strings, chars | an atom |
//! | md5, date | an atom: hex digits, `2001-09-09` |
//! | option | `()` or `(VALUE)` |
//! | list, array, tuple | `(VALUE …)` |
//! | map, table | `((KEY VALUE) …)` |
//! | matrix | `((VALUE …) …)`, row by row; one without rows does not tell its columns |
//! | record | `((FIELD VALUE) …)`, read in any order |
//! | constructor | `NAME` or `(NAME VALUE …)` |
//! | constructor with an inline record | `(NAME (FIELD VALUE) …)` |
//! | Sexp | itself |
//!
//! A shape does not tell an inline record from an argument that is a record: both are written in
//! the first way, and read in either.

mod float;
mod parse;

use super::Value;
use crate::Sexp;

impl Value {
    /// The value as an S-expression.
    pub fn to_sexp(&self) -> Sexp {
        match self {
            Self::Unit => Sexp::default(),
            Self::Bool(value) => Sexp::atom(value.to_string()),
            Self::Char(value) => Sexp::atom([*value].as_slice()),
            Self::Int(value) => Sexp::atom(value.to_string()),
            Self::Float(value) => Sexp::atom(float::print(*value)),
            Self::Float32(value) => Sexp::atom(float::print((*value).into())),
            Self::Bytes(value) => Sexp::atom(value.clone()),
            Self::Md5(value) => Sexp::atom(value.to_string()),
            Self::Date(value) => Sexp::atom(value.to_string()),
            Self::Sexp(value) => value.clone(),
            Self::Option(value) => Sexp::list(value.iter().map(|value| value.to_sexp())),
            Self::List(values) | Self::Tuple(values) => {
                Sexp::list(values.iter().map(Self::to_sexp))
            }
            Self::Matrix(matrix) => {
                Sexp::list(matrix.rows().map(|row| Sexp::list(row.map(Self::to_sexp))))
            }
            Self::Record(fields) => Sexp::list(fields.iter().map(field)),
            Self::Variant(name, arguments) => match arguments.as_slice() {
                [] => name.to_sexp(),
                [Self::Record(fields)] => {
                    Sexp::list([name.to_sexp()].into_iter().chain(fields.iter().map(field)))
                }
                arguments => Sexp::list(
                    [name.to_sexp()]
                        .into_iter()
                        .chain(arguments.iter().map(Self::to_sexp)),
                ),
            },
            Self::Polymorphic(name, None) => name.to_sexp(),
            Self::Polymorphic(name, Some(argument)) => {
                Sexp::list([name.to_sexp(), argument.to_sexp()])
            }
        }
    }
}

fn field((name, value): &(super::Name, Value)) -> Sexp {
    Sexp::list([name.to_sexp(), value.to_sexp()])
}
