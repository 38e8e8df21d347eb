//! What a shapes file says, before any name in it is looked up.

use rpc_wire::Description;

use super::scanner::Place;
use super::signature::Signature;

/// One declaration.
#[derive(Debug)]
pub(super) enum Item<'t> {
    /// `type … and …`
    Types {
        definitions: Vec<Definition<'t>>,
        /// Whether the names being defined are known inside the definitions.
        is_recursive: bool,
    },
    /// `rpc …` and its like.
    Rpc(Box<Rpc<'t>>),
}

/// An RPC and its types.
#[derive(Debug)]
pub(super) struct Rpc<'t> {
    pub(super) description: Description,
    pub(super) place: Place,
    pub(super) signature: Signature<Expression<'t>>,
}

/// A type and what it is.
#[derive(Debug)]
pub(super) struct Definition<'t> {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) parameters: Vec<&'t str>,
    pub(super) body: Expression<'t>,
}

/// A type expression. Records and variants are only right behind `=` and `of`.
#[derive(Debug)]
pub(super) enum Expression<'t> {
    /// A type's name, with its arguments.
    Named {
        name: String,
        place: Place,
        arguments: Vec<Self>,
    },
    /// The type with one value; what a pipe RPC answers first.
    Unit,
    /// `'a`
    Parameter(&'t str, Place),
    /// `a * b`
    Tuple(Vec<Self>),
    /// `{ f : a; … }`
    Record(Vec<(&'t str, Self)>),
    /// `A | B of a * b | …`
    Variant(Vec<(&'t str, Vec<Self>)>),
    /// `` [ `A | `B of a | other ] ``
    Polymorphic(Vec<Row<'t>>),
}

/// A row of a polymorphic variant.
#[derive(Debug)]
pub(super) enum Row<'t> {
    Constructor(&'t str, Option<Expression<'t>>),
    Inherit(Expression<'t>),
}
