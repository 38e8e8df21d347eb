//! Shapes as S-expressions, which is how they are sent (*shapes* §12).
//!
//! ```text
//! (Base list ((Base int ())))
//! (Record ((name (Base string ())) (version (Base int ()))))
//! (Top_app ((gid 1) (loc <hidden>) (members ((t (() BODY))))) t ())
//! ```
//!
//! A group is written out at each of its uses, so the text of a shape may be much longer than
//! what it takes in memory.

mod parse;

use super::{BinShape, Expression, Group, Row, RowKind, Shape};
use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::read::{BinRead, Reader};
use crate::write::BinWrite;
use crate::{ByteString, Sexp};

pub use parse::ParseShapeError;

/// What stands for a place in OCaml source; it has no meaning.
const LOCATION: &str = "<hidden>";

impl Shape {
    /// The expression as an S-expression.
    ///
    /// ```
    /// use bin_prot::shape::{BinShape, Shape};
    ///
    /// let sexp = Vec::<i64>::bin_shape().to_sexp();
    /// assert_eq!(sexp.to_string(), "(Base list((Base int())))");
    /// assert_eq!(Shape::from_sexp(&sexp)?.digest(), Vec::<i64>::bin_shape().digest());
    /// # Ok::<(), bin_prot::shape::ParseShapeError>(())
    /// ```
    pub fn to_sexp(&self) -> Sexp {
        match self.expression() {
            Expression::Base(name, arguments) => tagged("Base", [atom(name), sexps(arguments)]),
            Expression::Annotate(id, shape) => tagged("Annotate", [atom(id), shape.to_sexp()]),
            Expression::Tuple(parts) => tagged("Tuple", [sexps(parts)]),
            Expression::UnboxedTuple(parts) => tagged("Unboxed_tuple", [sexps(parts)]),
            Expression::Record(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, shape)| Sexp::list([atom(name), shape.to_sexp()]));
                tagged("Record", [Sexp::list(fields)])
            }
            Expression::Variant(constructors) => {
                let constructors = constructors
                    .iter()
                    .map(|(name, shapes)| Sexp::list([atom(name), sexps(shapes)]));
                tagged("Variant", [Sexp::list(constructors)])
            }
            Expression::PolymorphicVariant(rows) => {
                let rows = Sexp::list(rows.iter().map(row_sexp));
                tagged("Poly_variant", [Sexp::list([location(), rows])])
            }
            Expression::Parameter(name) => tagged("Var", [Sexp::list([location(), atom(name)])]),
            Expression::RecursiveUse(name, arguments) => {
                tagged("Rec_app", [atom(name), sexps(arguments)])
            }
            Expression::Use(group, name, arguments) => {
                tagged("Top_app", [group_sexp(group), atom(name), sexps(arguments)])
            }
            // Only the search for cycles tells an instance from its body.
            Expression::Instance(body) => body.to_sexp(),
        }
    }
}

fn atom(name: &ByteString) -> Sexp {
    Sexp::atom(name.clone())
}

fn location() -> Sexp {
    Sexp::atom(LOCATION)
}

fn tagged<const PARTS: usize>(tag: &str, parts: [Sexp; PARTS]) -> Sexp {
    Sexp::list([Sexp::atom(tag)].into_iter().chain(parts))
}

fn sexps<'a>(shapes: impl IntoIterator<Item = &'a Shape>) -> Sexp {
    Sexp::list(shapes.into_iter().map(Shape::to_sexp))
}

fn row_sexp(Row(row): &Row) -> Sexp {
    match row {
        RowKind::Constructor(name, argument) => {
            tagged("Constr", [Sexp::list([atom(name), sexps(argument)])])
        }
        RowKind::Inherit(shape) => tagged("Inherit", [Sexp::list([location(), shape.to_sexp()])]),
    }
}

fn group_sexp(group: &Group) -> Sexp {
    let members = group.definitions().iter().map(|definition| {
        let parameters = Sexp::list(definition.parameters().iter().map(atom));
        let definition_sexp = Sexp::list([parameters, definition.body().to_sexp()]);
        Sexp::list([atom(definition.name()), definition_sexp])
    });
    Sexp::record([
        ("gid", Sexp::atom(group.id().to_string())),
        ("loc", location()),
        ("members", Sexp::list(members)),
    ])
}

/// The S-expression's bytes.
impl BinWrite for Shape {
    fn bin_size(&self) -> usize {
        self.to_sexp().bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.to_sexp().bin_write(buffer)
    }
}

impl BinRead<'_> for Shape {
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let start = reader.offset();
        let sexp = Sexp::bin_read(reader)?;
        Self::from_sexp(&sexp).map_err(|error| {
            let ParseShapeError { expected, .. } = error;
            reader.error_at(start, ReadErrorKind::Invalid(expected))
        })
    }
}

/// The shape of shapes.
impl BinShape for Shape {
    fn bin_shape() -> Shape {
        Self::annotate("0aa53549-ad88-4b4f-abc7-1f8453e7aa11", Sexp::bin_shape())
    }
}
