//! The instructions that a type is compiled to: a tree of nodes, by their numbers.

use super::integer::Integer;
use super::value::Name;

#[derive(Debug)]
pub(super) enum Node {
    /// There are no values.
    Empty,
    Unit,
    UnitV2,
    Bool,
    Char,
    Int(&'static Integer),
    Float,
    Float32,
    Bytes,
    Md5,
    Date,
    Sexp,
    OpaqueBlob,
    Option(usize),
    OrNull(usize),
    List(usize),
    /// A list in which no key comes twice; a key is the element, or the first component of it.
    Distinct(usize, Key),
    /// A matrix of the elements at this node, with the size of one.
    Matrix(usize, usize),
    Blob(usize),
    Tuple(Vec<usize>),
    Record(Vec<(Name, usize)>),
    Variant(Vec<Constructor>),
    /// Sorted by tag.
    Polymorphic(Vec<Row>),
    /// The definition of a recursive type, applied to arguments.
    Application(usize, Vec<usize>),
    /// The definition of this level, applied to arguments.
    RecursiveUse(usize, Vec<usize>),
    Parameter(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    Whole,
    First,
}

#[derive(Debug)]
pub(super) struct Constructor {
    pub(super) name: Name,
    pub(super) arguments: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) tag: [u8; 4],
    pub(super) name: Name,
    pub(super) argument: Option<usize>,
}

impl Node {
    /// A lower bound of the bytes that a value takes, from those of the nodes before this one.
    pub(super) fn least_size(&self, least_of: impl Fn(usize) -> usize) -> usize {
        let sum = |parts: &mut dyn Iterator<Item = usize>| {
            parts.fold(0, |sum: usize, part| sum.saturating_add(least_of(part)))
        };
        match self {
            Self::UnitV2 | Self::Empty | Self::Parameter(_) => 0,
            Self::Unit
            | Self::Bool
            | Self::Char
            | Self::Bytes
            | Self::Option(_)
            | Self::OrNull(_)
            | Self::List(_)
            | Self::Distinct(..)
            // A value that ends had the choice to, and that takes a byte.
            | Self::RecursiveUse(..) => 1,
            Self::Sexp | Self::Matrix(..) => 2,
            Self::Date => 3,
            Self::Float32 | Self::Polymorphic(_) => 4,
            Self::Float | Self::OpaqueBlob => 8,
            Self::Md5 => 16,
            Self::Int(integer) => integer.least,
            Self::Variant(constructors) => tag_size(constructors),
            Self::Blob(inner) => least_of(*inner).saturating_add(8),
            Self::Application(definition, _) => least_of(*definition),
            Self::Tuple(parts) => sum(&mut parts.iter().copied()),
            Self::Record(fields) => sum(&mut fields.iter().map(|(_, part)| *part)),
        }
    }
}

/// How many bytes the tag of a variant takes.
pub(super) fn tag_size(constructors: &[Constructor]) -> usize {
    if constructors.len() <= 256 { 1 } else { 2 }
}

impl Node {
    /// What values of the type are called, for messages.
    pub(super) fn describe(&self) -> String {
        let kind = match self {
            Self::Empty => "nothing: the type has no values",
            Self::Unit | Self::UnitV2 => "unit",
            Self::Bool => "bool",
            Self::Char => "char",
            Self::Int(integer) => integer.name,
            Self::Float => "float",
            Self::Float32 => "float32",
            Self::Bytes | Self::OpaqueBlob => "bytes",
            Self::Md5 => "md5",
            Self::Date => "date",
            Self::Sexp => "sexp",
            Self::Option(_) | Self::OrNull(_) => "option",
            Self::List(_) | Self::Distinct(..) => "list",
            Self::Matrix(..) => "matrix",
            Self::Blob(_) => "blob",
            Self::Tuple(_) => "tuple",
            Self::Record(_) => "record",
            Self::Variant(_) => "variant",
            Self::Polymorphic(_) => "polymorphic variant",
            Self::Application(..) | Self::RecursiveUse(..) | Self::Parameter(_) => "a value",
        };
        kind.into()
    }
}
