//! From the normal form of a shape to nodes.

use std::collections::{HashMap, HashSet};
use std::ptr;

use thiserror::Error;

use super::integer;
use super::node::{Constructor, Key, Node, Row};
use super::{DEFAULT_DEPTH, Name, Type};
use crate::ByteString;
use crate::shape::identity::{
    BLOB, DATE, DEQUE, FDEQUE, HASH_SET, HASHTBL, LINKED_QUEUE, MAP, MD5, OPAQUE_BLOB, PERCENT,
    PERCENT_OPTION, PERCENT_OPTION_V2, PERCENT_V2, POLY_HASHTBL, POLY_MAP, POLY_SET, QUEUE,
    SEQUENCE_0, SEQUENCE_1, SEQUENCE_2, SET,
};
use crate::shape::{Canonical, Form, Shape, ShapeError};
use crate::variant;

/// Why a shape is none of a type whose values can be read and written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CompileError {
    /// It is not the shape of any type.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A basic type of which the encoding is not known, or not with so many arguments.
    #[error("the encoding of the basic type {name} of {arguments} arguments is not known")]
    UnknownBase {
        /// The name in the shape.
        name: ByteString,
        /// How many arguments it is applied to.
        arguments: usize,
    },
    /// Two constructors of a polymorphic variant travel as the same bytes.
    #[error("the constructors {0} and {1} have the same hash")]
    SameHash(ByteString, ByteString),
    /// Two fields of a record, or two constructors of a variant, have the same name.
    #[error("{0} is the name of two fields or constructors")]
    SameName(ByteString),
    /// A variant with more constructors than two bytes can number.
    #[error("{0} constructors are more than any tag numbers")]
    TooManyConstructors(usize),
}

/// How deep a shape may be nested.
const LEVELS: usize = 256;

pub(super) fn compile(shape: &Shape) -> Result<Type, CompileError> {
    let canonical = shape.canonical_within(LEVELS)?;
    let mut compiler = Compiler::default();
    let root = compiler.compile(&canonical, 0)?;
    Ok(Type {
        nodes: compiler.nodes,
        least: compiler.least,
        root,
        depth: DEFAULT_DEPTH,
    })
}

#[derive(Default)]
struct Compiler {
    nodes: Vec<Node>,
    least: Vec<usize>,
    /// Parts that are shared in the normal form are compiled once.
    numbers: HashMap<*const Form, usize>,
}

impl Compiler {
    /// The number of a part's node. `level` counts the definitions around it.
    fn compile(&mut self, canonical: &Canonical, level: usize) -> Result<usize, CompileError> {
        let form = canonical.form();
        if let Some(number) = self.numbers.get(&ptr::from_ref(form)) {
            return Ok(*number);
        }
        let node = self.node(form, level)?;
        let number = self.add(node);
        self.numbers.insert(ptr::from_ref(form), number);
        Ok(number)
    }

    fn add(&mut self, node: Node) -> usize {
        let least = node.least_size(|part| self.least.get(part).copied().unwrap_or(0));
        self.least.push(least);
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn all<'a>(
        &mut self,
        parts: impl IntoIterator<Item = &'a Canonical>,
        level: usize,
    ) -> Result<Vec<usize>, CompileError> {
        parts
            .into_iter()
            .map(|part| self.compile(part, level))
            .collect()
    }

    fn node(&mut self, form: &Form, level: usize) -> Result<Node, CompileError> {
        match form {
            Form::Record(fields) => refuse_same_names(fields)?,
            Form::Variant(constructors) => refuse_same_names(constructors)?,
            _ => {}
        }
        Ok(match form {
            Form::Base(name, arguments) => return self.base(name, arguments, level),
            // A node of its own would do no harm, but nor does it any good.
            Form::Annotate(_, inner) => return self.node(inner.form(), level),
            Form::Tuple(parts) | Form::UnboxedTuple(parts) => Node::Tuple(self.all(parts, level)?),
            Form::Record(fields) => Node::Record(
                fields
                    .iter()
                    .map(|(name, part)| Ok((name.into(), self.compile(part, level)?)))
                    .collect::<Result<_, CompileError>>()?,
            ),
            Form::Variant(constructors) if constructors.is_empty() => Node::Empty,
            Form::Variant(constructors) if constructors.len() > 1 << 16 => {
                return Err(CompileError::TooManyConstructors(constructors.len()));
            }
            Form::Variant(constructors) => Node::Variant(
                constructors
                    .iter()
                    .map(|(name, parts)| {
                        Ok(Constructor {
                            name: name.into(),
                            arguments: self.all(parts, level)?,
                        })
                    })
                    .collect::<Result<_, CompileError>>()?,
            ),
            Form::PolymorphicVariant(rows) => self.rows(rows, level)?,
            Form::Application(..) if is_sexp(form, level) => Node::Sexp,
            Form::Application(definition, arguments) => Node::Application(
                self.compile(definition, level + 1)?,
                self.all(arguments, level)?,
            ),
            Form::RecursiveUse(used, arguments) => {
                Node::RecursiveUse(*used, self.all(arguments, level)?)
            }
            Form::Parameter(index) => Node::Parameter(*index),
        })
    }

    fn rows(
        &mut self,
        rows: &[(ByteString, Option<Canonical>)],
        level: usize,
    ) -> Result<Node, CompileError> {
        let mut compiled = rows
            .iter()
            .map(|(name, argument)| {
                let argument = argument.as_ref();
                Ok(Row {
                    tag: variant::tag_of(name.as_bytes()),
                    name: Name::from(name),
                    argument: argument.map(|part| self.compile(part, level)).transpose()?,
                })
            })
            .collect::<Result<Vec<_>, CompileError>>()?;
        compiled.sort_by_key(|row| row.tag);
        let clash = compiled.windows(2).find_map(|rows| match rows {
            [one, other] if one.tag == other.tag => Some((one, other)),
            _ => None,
        });
        match clash {
            Some((one, other)) => Err(CompileError::SameHash(
                one.name.as_bytes().into(),
                other.name.as_bytes().into(),
            )),
            None => Ok(Node::Polymorphic(compiled)),
        }
    }

    fn base(
        &mut self,
        name: &ByteString,
        arguments: &[Canonical],
        level: usize,
    ) -> Result<Node, CompileError> {
        let unknown = || CompileError::UnknownBase {
            name: name.clone(),
            arguments: arguments.len(),
        };
        let text = str::from_utf8(name.as_bytes()).map_err(|_| unknown())?;
        match arguments {
            [] => self.simple(text).ok_or_else(unknown),
            [argument] => {
                let inner = self.compile(argument, level)?;
                Ok(match text {
                    "option" => Node::Option(inner),
                    "or_null" => Node::OrNull(inner),
                    "list" | "array" | SEQUENCE_0 | SEQUENCE_1 | SEQUENCE_2 => Node::List(inner),
                    BLOB => Node::Blob(inner),
                    // The bytes of what they are applied to, which is often a sequence.
                    "ref" | QUEUE | DEQUE | FDEQUE | LINKED_QUEUE | PERCENT | PERCENT_V2
                    | PERCENT_OPTION | PERCENT_OPTION_V2 => {
                        return self.node(argument.form(), level);
                    }
                    SET | POLY_SET | HASH_SET => self.distinct(inner, Key::Whole),
                    MAP | POLY_MAP | HASHTBL | POLY_HASHTBL => self.distinct(inner, Key::First),
                    _ => return Err(unknown()),
                })
            }
            [key, data] if text == "hashtbl" => {
                let entry = self.all([key, data], level)?;
                let entry = self.add(Node::Tuple(entry));
                Ok(Node::Distinct(entry, Key::First))
            }
            _ => Err(unknown()),
        }
    }

    /// A container around the sequence of its elements.
    fn distinct(&mut self, sequence: usize, key: Key) -> Node {
        match self.nodes.get(sequence) {
            Some(Node::List(element)) => Node::Distinct(*element, key),
            // Another encoding inside is that of the container.
            _ => Node::Tuple(vec![sequence]),
        }
    }

    fn simple(&mut self, name: &str) -> Option<Node> {
        Some(match name {
            "unit" => Node::Unit,
            "unit_v2" => Node::UnitV2,
            "bool" => Node::Bool,
            "char" => Node::Char,
            "float" => Node::Float,
            "string" | "bytes" | "bigstring" => Node::Bytes,
            MD5 | "digest" => Node::Md5,
            DATE => Node::Date,
            OPAQUE_BLOB => Node::OpaqueBlob,
            "floatarray" | "vec" | "float64_vec" => Node::List(self.add(Node::Float)),
            "float32_vec" => Node::List(self.add(Node::Float32)),
            "mat" | "float64_mat" => Node::Matrix(self.add(Node::Float), size_of::<f64>()),
            "float32_mat" => Node::Matrix(self.add(Node::Float32), size_of::<f32>()),
            name => Node::Int(integer::find(name.as_bytes())?),
        })
    }
}

/// Values have their fields and constructors by name.
fn refuse_same_names<T>(named: &[(ByteString, T)]) -> Result<(), CompileError> {
    let mut names = HashSet::new();
    match named.iter().find(|(name, _)| !names.insert(name)) {
        Some((name, _)) => Err(CompileError::SameName(name.clone())),
        None => Ok(()),
    }
}

/// Whether this is the type of S-expressions, which people want to see as such.
fn is_sexp(form: &Form, level: usize) -> bool {
    let Form::Application(definition, arguments) = form else {
        return false;
    };
    let Form::Variant(constructors) = definition.form() else {
        return false;
    };
    let [(atom, text), (list, items)] = constructors.as_slice() else {
        return false;
    };
    let ([text], [items]) = (text.as_slice(), items.as_slice()) else {
        return false;
    };
    let is_base = |form: &Form, expected: &str, count: usize| match form {
        Form::Base(name, arguments) => *name == *expected && arguments.len() == count,
        _ => false,
    };
    let is_itself = |form: &Form| match form {
        Form::Base(_, items) => items
            .first()
            .is_some_and(|item| *item.form() == Form::RecursiveUse(level, Vec::new())),
        _ => false,
    };
    arguments.is_empty()
        && *atom == *"Atom"
        && *list == *"List"
        && is_base(text.form(), "string", 0)
        && is_base(items.form(), "list", 1)
        && is_itself(items.form())
}
