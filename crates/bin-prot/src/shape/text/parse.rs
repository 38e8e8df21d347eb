//! Shapes from S-expressions.

use std::collections::HashMap;
use std::fmt;

use crate::shape::{Definition, Group, Row, Shape};
use crate::{ByteString, Sexp};

/// An S-expression that is no shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseShapeError {
    /// What should have been there.
    pub(super) expected: &'static str,
    /// What was there, cut to a readable length.
    found: String,
}

impl fmt::Display for ParseShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for ParseShapeError {}

impl ParseShapeError {
    fn new(expected: &'static str, found: &Sexp) -> Self {
        /// Enough to recognize the place.
        const LONGEST: usize = 80;
        let text = found.to_string();
        let found = match text.get(..LONGEST) {
            Some(start) if text.len() > LONGEST => format!("{start}…"),
            Some(_) | None => text,
        };
        Self { expected, found }
    }
}

type Result<T, E = ParseShapeError> = std::result::Result<T, E>;

impl Shape {
    /// The expression that [`to_sexp`](Self::to_sexp) writes. Groups with equal numbers in one
    /// S-expression are one group.
    ///
    /// Uses the stack as deep as the S-expression is nested.
    ///
    /// # Errors
    /// The S-expression has another form. Whether the shape is that of any type is found out when
    /// it is [evaluated](Self::canonical).
    pub fn from_sexp(sexp: &Sexp) -> Result<Self> {
        Parser::default().shape(sexp)
    }
}

#[derive(Default)]
struct Parser<'a> {
    groups: HashMap<&'a [u8], Group>,
}

impl<'a> Parser<'a> {
    fn shape(&mut self, sexp: &'a Sexp) -> Result<Shape> {
        const SHAPE: &str = "a shape, such as (Base int ())";
        let Sexp::List(parts) = sexp else {
            return Err(ParseShapeError::new(SHAPE, sexp));
        };
        let [Sexp::Atom(tag), parts @ ..] = parts.as_slice() else {
            return Err(ParseShapeError::new(SHAPE, sexp));
        };
        Ok(match (tag.as_bytes(), parts) {
            (b"Base", [name, arguments]) => Shape::base(atom(name)?, self.shapes(arguments)?),
            (b"Annotate", [id, shape]) => Shape::annotate(atom(id)?, self.shape(shape)?),
            (b"Tuple", [parts]) => Shape::tuple(self.shapes(parts)?),
            (b"Unboxed_tuple", [parts]) => Shape::unboxed_tuple(self.shapes(parts)?),
            (b"Record", [fields]) => Shape::record(
                list(fields)?
                    .iter()
                    .map(|field| {
                        let [name, shape] = items(field, "(FIELD SHAPE)")?;
                        Ok((atom(name)?, self.shape(shape)?))
                    })
                    .collect::<Result<Vec<_>>>()?,
            ),
            (b"Variant", [constructors]) => Shape::variant(
                list(constructors)?
                    .iter()
                    .map(|constructor| {
                        let [name, shapes] = items(constructor, "(CONSTRUCTOR (SHAPE…))")?;
                        Ok((atom(name)?, self.shapes(shapes)?))
                    })
                    .collect::<Result<Vec<_>>>()?,
            ),
            (b"Poly_variant", [rows]) => {
                let [_, rows] = items(rows, "(LOCATION (ROW…))")?;
                let rows = list(rows)?.iter().map(|row| self.row(row));
                Shape::polymorphic_variant(rows.collect::<Result<Vec<_>>>()?)
            }
            (b"Var", [name]) => {
                let [_, name] = items(name, "(LOCATION NAME)")?;
                Shape::parameter(atom(name)?)
            }
            (b"Rec_app", [name, arguments]) => {
                Shape::recursive_use(atom(name)?, self.shapes(arguments)?)
            }
            (b"Top_app", [group, name, arguments]) => {
                let arguments = self.shapes(arguments)?;
                self.group(group)?.apply(atom(name)?, arguments)
            }
            _ => return Err(ParseShapeError::new(SHAPE, sexp)),
        })
    }

    fn shapes(&mut self, sexp: &'a Sexp) -> Result<Vec<Shape>> {
        list(sexp)?.iter().map(|sexp| self.shape(sexp)).collect()
    }

    fn row(&mut self, sexp: &'a Sexp) -> Result<Row> {
        const ROW: &str = "(Constr (NAME (SHAPE…))) or (Inherit (LOCATION SHAPE))";
        let [tag, row] = items(sexp, ROW)?;
        let [first, second] = items(row, ROW)?;
        match atom(tag)?.as_bytes() {
            b"Constr" => {
                let argument = match self.shapes(second)?.as_slice() {
                    [] => None,
                    [shape] => Some(shape.clone()),
                    _ => return Err(ParseShapeError::new("at most one argument", second)),
                };
                Ok(Row::constructor(atom(first)?, argument))
            }
            b"Inherit" => Ok(Row::inherit(self.shape(second)?)),
            _ => Err(ParseShapeError::new(ROW, sexp)),
        }
    }

    fn group(&mut self, sexp: &'a Sexp) -> Result<Group> {
        const GROUP: &str = "((gid N) (loc LOCATION) (members (MEMBER…)))";
        let [id, _, members] = items(sexp, GROUP)?;
        let [_, Sexp::Atom(id)] = items(id, GROUP)? else {
            return Err(ParseShapeError::new(GROUP, sexp));
        };
        if let Some(group) = self.groups.get(id.as_bytes()) {
            return Ok(group.clone());
        }
        let [_, members] = items(members, GROUP)?;
        let definitions = list(members)?.iter().map(|member| self.definition(member));
        let group = Group::new(definitions.collect::<Result<Vec<_>>>()?);
        self.groups.insert(id.as_bytes(), group.clone());
        Ok(group)
    }

    fn definition(&mut self, sexp: &'a Sexp) -> Result<Definition> {
        const MEMBER: &str = "(TYPE ((PARAMETER…) SHAPE))";
        let [name, definition] = items(sexp, MEMBER)?;
        let [parameters, body] = items(definition, MEMBER)?;
        let parameters = list(parameters)?.iter().map(atom);
        Ok(Definition::from_parts(
            atom(name)?,
            parameters.collect::<Result<_>>()?,
            self.shape(body)?,
        ))
    }
}

fn list(sexp: &Sexp) -> Result<&[Sexp]> {
    match sexp {
        Sexp::List(items) => Ok(items),
        Sexp::Atom(_) => Err(ParseShapeError::new("a list", sexp)),
    }
}

fn items<'a, const COUNT: usize>(
    sexp: &'a Sexp,
    expected: &'static str,
) -> Result<&'a [Sexp; COUNT]> {
    let Sexp::List(items) = sexp else {
        return Err(ParseShapeError::new(expected, sexp));
    };
    let items = items.as_slice().try_into();
    items.map_err(|_| ParseShapeError::new(expected, sexp))
}

fn atom(sexp: &Sexp) -> Result<ByteString> {
    match sexp {
        Sexp::Atom(atom) => Ok(atom.clone()),
        Sexp::List(_) => Err(ParseShapeError::new("an atom", sexp)),
    }
}
