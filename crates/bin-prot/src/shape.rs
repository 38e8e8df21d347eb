//! The structure of a type, as the reference describes it, and the digest of that.
//!
//! Every type has a *shape*, an expression: basic types by name, records and variants with the
//! names of their fields and constructors, and uses of types that were declared together. Its
//! [canonical form](Canonical) has the declarations resolved; the [`Digest`] of that is what two
//! peers compare. Equal digests mean equal structure and so equal bytes; different digests do not
//! mean different bytes (*shapes* §1).
//!
//! ```
//! use bin_prot::shape::Shape;
//!
//! let description = Shape::record([
//!     ("name", Shape::base("string", [])),
//!     ("version", Shape::base("int", [])),
//! ]);
//! assert_eq!(
//!     description.digest()?.to_string(),
//!     "4521f44dbc6098c0afc2770cc84552b1"
//! );
//! # Ok::<(), bin_prot::shape::ShapeError>(())
//! ```
//!
//! # Types that contain each other
//!
//! A type that contains itself is a use of a [`Group`]: the definitions that OCaml writes in one
//! `type … and …`. `#[bin_prot(recursive)]` makes one for a type that contains itself directly,
//! and `#[bin_prot(group(…))]` at each of several types that contain each other:
//!
//! ```
//! use bin_prot::{BinProt, BinShape};
//!
//! #[derive(BinProt)]
//! #[bin_prot(group(Directory, Entry))]
//! struct Directory {
//!     name: String,
//!     entries: Vec<Entry>,
//! }
//!
//! #[derive(BinProt)]
//! #[bin_prot(group(Directory, Entry))]
//! enum Entry {
//!     File(String),
//!     Directory(Directory),
//! }
//!
//! assert!(Directory::bin_shape().digest()? != Entry::bin_shape().digest()?);
//! # Ok::<(), bin_prot::shape::ShapeError>(())
//! ```

mod builtin;
mod canonical;
mod digest;
mod evaluate;
mod group;
pub(crate) mod identity;
mod marker;
mod text;

use std::sync::Arc;

use thiserror::Error;

use crate::ByteString;

pub use canonical::{Canonical, Form};
pub use digest::{Digest, ParseDigestError};
pub use group::{Definition, Group};
pub use marker::{
    Arguments, Member, Parameter, Recursion, mutually_recursive, recursive, same_members,
};
pub use text::ParseShapeError;

/// A type whose structure can be told.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no bin_prot shape",
    note = "types of one's own get it by #[derive(BinProt)]",
    note = "a field of another type can be converted: #[bin_prot(as = Type)]"
)]
pub trait BinShape {
    /// Looks at the same constant of every type that values contain, except at types that are
    /// declared to be recursive together with this one.
    ///
    /// So a circle of types that nobody declared, by `#[bin_prot(recursive)]` or
    /// `#[bin_prot(group(…))]`, is an error of the compiler ("cycle detected") instead of a
    /// [`bin_shape`](Self::bin_shape) without end. The default looks at nothing, which does no
    /// harm.
    const CIRCLES_ARE_DECLARED: () = ();

    /// The type's shape. Building it costs time; keep it, or its digest, where it is used often.
    fn bin_shape() -> Shape;
}

/// A shape expression (*shapes* §2). Clones share it.
///
/// From a Rust type by [`BinShape`], from its parts by the functions here, or from its text:
///
/// ```
/// use bin_prot::shape::{BinShape, Shape};
///
/// let built = Shape::base("list", [Shape::base("int", [])]);
/// let parsed = Shape::from_sexp(&"(Base list ((Base int ())))".parse()?)?;
/// let digest = Vec::<i64>::bin_shape().digest()?;
/// assert_eq!(digest.to_string(), "4cd553520709511864846bda25c448d0");
/// assert_eq!((built.digest()?, parsed.digest()?), (digest, digest));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Shape(Arc<Expression>);

#[derive(Debug)]
enum Expression {
    Base(ByteString, Vec<Shape>),
    Annotate(ByteString, Shape),
    Tuple(Vec<Shape>),
    UnboxedTuple(Vec<Shape>),
    Record(Vec<(ByteString, Shape)>),
    Variant(Vec<(ByteString, Vec<Shape>)>),
    PolymorphicVariant(Vec<Row>),
    /// A parameter of the definition that this is in.
    Parameter(ByteString),
    /// A use inside the group that is being defined.
    RecursiveUse(ByteString, Vec<Shape>),
    /// A use of a complete group.
    Use(Group, ByteString, Vec<Shape>),
    /// A use whose body has the arguments put in already.
    Instance(Shape),
}

/// A row of a polymorphic variant.
#[derive(Clone, Debug)]
pub struct Row(RowKind);

#[derive(Clone, Debug)]
enum RowKind {
    Constructor(ByteString, Option<Shape>),
    Inherit(Shape),
}

impl Row {
    /// A constructor with its argument, if it has one.
    pub fn constructor(name: impl Into<ByteString>, argument: Option<Shape>) -> Self {
        Self(RowKind::Constructor(name.into(), argument))
    }

    /// All rows of another polymorphic variant.
    pub fn inherit(shape: Shape) -> Self {
        Self(RowKind::Inherit(shape))
    }
}

impl Shape {
    /// A basic type, or an opaque type constructor applied to arguments: a readable name for the
    /// built-in types, usually the text of a UUID otherwise.
    pub fn base(name: impl Into<ByteString>, arguments: impl IntoIterator<Item = Self>) -> Self {
        Self::new(Expression::Base(name.into(), collect(arguments)))
    }

    /// `shape` marked with an identity: the same bytes, another digest.
    pub fn annotate(id: impl Into<ByteString>, shape: Self) -> Self {
        Self::new(Expression::Annotate(id.into(), shape))
    }

    /// A tuple of two or more components.
    pub fn tuple(components: impl IntoIterator<Item = Self>) -> Self {
        Self::new(Expression::Tuple(collect(components)))
    }

    /// An unboxed tuple, which only OxCaml has.
    pub fn unboxed_tuple(components: impl IntoIterator<Item = Self>) -> Self {
        Self::new(Expression::UnboxedTuple(collect(components)))
    }

    /// A record, its fields in the order of their declaration.
    pub fn record<N: Into<ByteString>>(fields: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::new(Expression::Record(named(fields)))
    }

    /// A variant: constructors in the order of their declaration, each with its arguments.
    pub fn variant<N: Into<ByteString>>(
        constructors: impl IntoIterator<Item = (N, Vec<Self>)>,
    ) -> Self {
        Self::new(Expression::Variant(named(constructors)))
    }

    /// A polymorphic variant; the order of the rows does not matter.
    pub fn polymorphic_variant(rows: impl IntoIterator<Item = Row>) -> Self {
        Self::new(Expression::PolymorphicVariant(rows.into_iter().collect()))
    }

    /// A parameter of the [`Definition`] whose body this is in.
    pub fn parameter(name: impl Into<ByteString>) -> Self {
        Self::new(Expression::Parameter(name.into()))
    }

    /// A use of a type of the same group, inside a [`Definition`]'s body; from outside use
    /// [`Group::apply`].
    pub fn recursive_use(
        name: impl Into<ByteString>,
        arguments: impl IntoIterator<Item = Self>,
    ) -> Self {
        Self::new(Expression::RecursiveUse(name.into(), collect(arguments)))
    }

    /// A use of a parametrised type that is not recursive, as its body with the arguments put in.
    ///
    /// It digests as `body` does. Only inside a group it makes a difference: the search for
    /// cycles sees what the arguments contain even where they are below a record or variant, as
    /// it would see the arguments of a use (*shapes* §5).
    pub fn instance(body: Self) -> Self {
        Self::new(Expression::Instance(body))
    }

    /// The normal form, in which all declarations are resolved.
    ///
    /// # Errors
    /// The expression is not the shape of any type.
    pub fn canonical(&self) -> Result<Canonical, ShapeError> {
        evaluate::evaluate(self, usize::MAX, usize::MAX)
    }

    /// The normal form of a shape that a stranger may have sent: one that is deeper than this
    /// many levels is refused. Evaluation uses the stack as deep as expressions are, definitions
    /// inside definitions included; 256 levels fit any thread's.
    ///
    /// Refused is also what takes more than 131,072 steps. A type takes about as many as its
    /// definitions have parts; but types that all use each other take one for every way to go from
    /// one to the next.
    ///
    /// # Errors
    /// The expression is not the shape of any type, or too deep, or too large.
    pub fn canonical_within(&self, levels: usize) -> Result<Canonical, ShapeError> {
        const STEPS: usize = 1 << 17;
        evaluate::evaluate(self, levels, STEPS)
    }

    /// The digest of the normal form. Takes time in proportion to the expression, however large
    /// the normal form would be as text; but see [`canonical_within`](Self::canonical_within).
    ///
    /// # Errors
    /// The expression is not the shape of any type.
    pub fn digest(&self) -> Result<Digest, ShapeError> {
        Ok(self.canonical()?.digest())
    }

    fn new(expression: Expression) -> Self {
        Self(Arc::new(expression))
    }

    fn expression(&self) -> &Expression {
        &self.0
    }
}

fn collect(shapes: impl IntoIterator<Item = Shape>) -> Vec<Shape> {
    shapes.into_iter().collect()
}

fn named<N: Into<ByteString>, T>(items: impl IntoIterator<Item = (N, T)>) -> Vec<(ByteString, T)> {
    items
        .into_iter()
        .map(|(name, item)| (name.into(), item))
        .collect()
}

/// Why an expression is not the shape of any type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// A parameter that the definition around it does not have.
    #[error("no parameter is called {0}")]
    UnboundParameter(ByteString),
    /// A use of a type that the group does not define.
    #[error("the group defines no type {0}")]
    UnknownType(ByteString),
    /// A use inside a group, outside of any group.
    #[error("{0} is used as a type of the same group outside of a group")]
    NoGroup(ByteString),
    /// A type was applied to too few or too many arguments.
    #[error("{name} has {parameters} parameters and was given {arguments} arguments")]
    Arity {
        /// The type.
        name: ByteString,
        /// How many parameters it has.
        parameters: usize,
        /// How many arguments it was given.
        arguments: usize,
    },
    /// A polymorphic variant inherits from something else; a recursive, annotated or opaque
    /// polymorphic variant counts as something else too.
    #[error("a polymorphic variant inherits from another kind of type")]
    Inherit,
    /// Two rows of a polymorphic variant have the same name and different arguments.
    #[error("the rows called {0} differ")]
    ConflictingRows(ByteString),
    /// The type expands to itself for ever, without a record, variant or other structure that
    /// could name the place to come back to.
    #[error("{0} expands to itself without end")]
    Endless(ByteString),
    /// The expression, or what it evaluates to, is deeper than the limit.
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    /// The expression takes more steps to evaluate than the limit.
    #[error("evaluating it takes more than {0} steps")]
    TooLarge(usize),
}
