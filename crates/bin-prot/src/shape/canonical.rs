//! The normal form of shapes: what is digested (*shapes* §4, §6).

use std::fmt;
use std::sync::Arc;

use super::digest::Digest;
use crate::{ByteString, Sexp};

/// The normal form of a [`Shape`](super::Shape), with its digest. Clones and equal parts share
/// it; two are equal if their digests are.
///
/// Shown as an S-expression, which may be very much longer than the expression it came from:
/// what is shared is printed at each place.
///
/// ```
/// use bin_prot::shape::{Definition, Form, Group, Shape};
///
/// // `type 'a pair = 'a * 'a`, applied to int: the use leaves no trace.
/// let a = || Shape::parameter("a");
/// let pair = Group::new([Definition::new("pair", ["a"], Shape::tuple([a(), a()]))]);
/// let canonical = pair.apply("pair", [Shape::base("int", [])]).canonical()?;
/// assert_eq!(canonical.to_string(), "(Tuple((Base int())(Base int())))");
/// assert!(matches!(canonical.form(), Form::Tuple(parts) if parts[0] == parts[1]));
/// # Ok::<(), bin_prot::shape::ShapeError>(())
/// ```
#[derive(Clone)]
pub struct Canonical(Arc<Node>);

struct Node {
    form: Form,
    digest: Digest,
    /// How many levels of parts there are, this one included.
    height: usize,
}

/// What a [`Canonical`] consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A basic type applied to arguments.
    Base(ByteString, Vec<Canonical>),
    /// A shape with an identity.
    Annotate(ByteString, Canonical),
    /// A tuple's components.
    Tuple(Vec<Canonical>),
    /// An unboxed tuple's components.
    UnboxedTuple(Vec<Canonical>),
    /// A record's fields, as declared.
    Record(Vec<(ByteString, Canonical)>),
    /// A variant's constructors, as declared, with their arguments.
    Variant(Vec<(ByteString, Vec<Canonical>)>),
    /// A polymorphic variant's rows, sorted by name.
    PolymorphicVariant(Vec<(ByteString, Option<Canonical>)>),
    /// The definition of a recursive type, applied to arguments.
    Application(Canonical, Vec<Canonical>),
    /// A recursive type inside its own definition: the number of applications around the one
    /// that defines it, and arguments.
    RecursiveUse(usize, Vec<Canonical>),
    /// A parameter of the nearest definition around it, by position.
    Parameter(usize),
}

impl Canonical {
    pub(super) fn new(form: Form) -> Self {
        let digest = form.digest();
        let height = 1 + form.parts().map(Self::height).max().unwrap_or(0);
        Self(Arc::new(Node {
            form,
            digest,
            height,
        }))
    }

    /// What it consists of.
    pub fn form(&self) -> &Form {
        &self.0.form
    }

    /// The digest, computed when the form was made.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    pub(super) fn height(&self) -> usize {
        self.0.height
    }

    fn to_sexp(&self) -> Sexp {
        self.form().to_sexp()
    }
}

impl PartialEq for Canonical {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for Canonical {}

impl fmt::Display for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_sexp().fmt(f)
    }
}

impl fmt::Debug for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Form {
    fn parts(&self) -> Box<dyn Iterator<Item = &Canonical> + '_> {
        match self {
            Self::Base(_, parts)
            | Self::Tuple(parts)
            | Self::UnboxedTuple(parts)
            | Self::RecursiveUse(_, parts) => Box::new(parts.iter()),
            Self::Annotate(_, inner) => Box::new([inner].into_iter()),
            Self::Record(fields) => Box::new(fields.iter().map(|(_, part)| part)),
            Self::Variant(constructors) => {
                Box::new(constructors.iter().flat_map(|(_, parts)| parts))
            }
            Self::PolymorphicVariant(rows) => {
                Box::new(rows.iter().filter_map(|(_, argument)| argument.as_ref()))
            }
            Self::Application(definition, parts) => Box::new([definition].into_iter().chain(parts)),
            Self::Parameter(_) => Box::new([].into_iter()),
        }
    }

    fn digest(&self) -> Digest {
        match self {
            Self::Base(name, arguments) => {
                Digest::of_node("base", [Digest::of(&name.0), list(arguments)])
            }
            Self::Annotate(id, inner) => {
                Digest::of_node("annotate", [Digest::of(&id.0), inner.digest()])
            }
            Self::Tuple(parts) => Digest::of_node("tuple", [list(parts)]),
            Self::UnboxedTuple(parts) => Digest::of_node("unboxed_tuple", [list(parts)]),
            Self::Record(fields) => Digest::of_node("record", [named(fields, Canonical::digest)]),
            Self::Variant(constructors) => {
                Digest::of_node("variant", [named(constructors, |parts| list(parts))])
            }
            Self::PolymorphicVariant(rows) => {
                let rows = named(rows, |argument| match argument {
                    None => Digest::of_node("none", []),
                    Some(argument) => Digest::of_node("some", [argument.digest()]),
                });
                Digest::of_node("poly_variant", [rows])
            }
            Self::Application(definition, arguments) => {
                Digest::of_node("application", [definition.digest(), list(arguments)])
            }
            Self::RecursiveUse(level, arguments) => {
                Digest::of_node("rec_app", [Digest::of(level.to_string()), list(arguments)])
            }
            Self::Parameter(index) => Digest::of_node("var", [Digest::of(index.to_string())]),
        }
    }

    fn to_sexp(&self) -> Sexp {
        let tagged =
            |tag: &str, parts: Vec<Sexp>| Sexp::list([Sexp::atom(tag)].into_iter().chain(parts));
        let name_and = |name: &ByteString, part| Sexp::list([Sexp::atom(name.clone()), part]);
        match self {
            Self::Base(name, arguments) => {
                tagged("Base", vec![Sexp::atom(name.clone()), sexps(arguments)])
            }
            Self::Annotate(id, inner) => {
                tagged("Annotate", vec![Sexp::atom(id.clone()), inner.to_sexp()])
            }
            Self::Tuple(parts) => tagged("Tuple", vec![sexps(parts)]),
            Self::UnboxedTuple(parts) => tagged("Unboxed_tuple", vec![sexps(parts)]),
            Self::Record(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, part)| name_and(name, part.to_sexp()));
                tagged("Record", vec![Sexp::list(fields)])
            }
            Self::Variant(constructors) => {
                let constructors = constructors
                    .iter()
                    .map(|(name, parts)| name_and(name, sexps(parts)));
                tagged("Variant", vec![Sexp::list(constructors)])
            }
            Self::PolymorphicVariant(rows) => {
                let rows = rows
                    .iter()
                    .map(|(name, argument)| name_and(name, sexps(argument)));
                tagged("Poly_variant", vec![Sexp::list(rows)])
            }
            Self::Application(definition, arguments) => {
                tagged("Application", vec![definition.to_sexp(), sexps(arguments)])
            }
            Self::RecursiveUse(level, arguments) => tagged(
                "Rec_app",
                vec![Sexp::atom(level.to_string()), sexps(arguments)],
            ),
            Self::Parameter(index) => tagged("Var", vec![Sexp::atom(index.to_string())]),
        }
    }
}

fn list(parts: &[Canonical]) -> Digest {
    Digest::of_list(parts.iter().map(Canonical::digest))
}

fn named<T>(parts: &[(ByteString, T)], digest: impl Fn(&T) -> Digest) -> Digest {
    Digest::of_list(
        parts
            .iter()
            .map(|(name, part)| Digest::of_list([Digest::of(&name.0), digest(part)])),
    )
}

fn sexps<'a>(parts: impl IntoIterator<Item = &'a Canonical>) -> Sexp {
    Sexp::list(parts.into_iter().map(Canonical::to_sexp))
}
