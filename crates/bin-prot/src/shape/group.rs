//! Groups: the types that one OCaml `type … and …` declares, and which of them are recursive.

use std::collections::HashSet;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::{Expression, Row, RowKind, Shape};
use crate::ByteString;

/// Types that are declared together. Clones are the same group; two groups with equal contents
/// are still two groups.
///
/// ```
/// use bin_prot::shape::{Definition, Group, Shape};
///
/// // `type t = Zero | Succ of t`
/// let succ = vec![Shape::recursive_use("t", [])];
/// let body = Shape::variant([("Zero", vec![]), ("Succ", succ)]);
/// let numbers = Group::new([Definition::new("t", [], body)]);
/// let digest = numbers.apply("t", []).digest()?;
/// assert_eq!(digest.to_string(), "acf0c11caad5da5860c6235d27acfc4a");
/// # Ok::<(), bin_prot::shape::ShapeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Group(Arc<Members>);

#[derive(Debug)]
struct Members {
    /// Different from that of every other group of this process.
    id: u64,
    definitions: Vec<Definition>,
}

/// One type of a [`Group`].
#[derive(Debug)]
pub struct Definition {
    name: ByteString,
    parameters: Vec<ByteString>,
    body: Shape,
    recursion: OnceLock<Recursion>,
}

/// How uses of a type are resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recursion {
    /// Not recursive: a use leaves no trace.
    None,
    /// Recursive only through records or variants inside it: a use leaves no trace either, since
    /// those are what is named.
    Elsewhere,
    /// A use becomes an application, or a reference to the application around it.
    Here,
}

impl Definition {
    /// A type with parameters and a body, in which [`Shape::parameter`] names the parameters and
    /// [`Shape::recursive_use`] the types of the same group.
    pub fn new<'a>(
        name: impl Into<ByteString>,
        parameters: impl IntoIterator<Item = &'a str>,
        body: Shape,
    ) -> Self {
        let parameters = parameters.into_iter().map(Into::into).collect();
        Self::from_parts(name.into(), parameters, body)
    }

    pub(super) fn from_parts(name: ByteString, parameters: Vec<ByteString>, body: Shape) -> Self {
        Self {
            name,
            parameters,
            body,
            recursion: OnceLock::new(),
        }
    }

    pub(super) fn name(&self) -> &ByteString {
        &self.name
    }

    pub(super) fn parameters(&self) -> &[ByteString] {
        &self.parameters
    }

    pub(super) fn body(&self) -> &Shape {
        &self.body
    }
}

impl Group {
    /// A new group, different from every other.
    pub fn new(definitions: impl IntoIterator<Item = Definition>) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Self(Arc::new(Members {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            definitions: definitions.into_iter().collect(),
        }))
    }

    pub(super) fn id(&self) -> u64 {
        self.0.id
    }

    pub(super) fn definitions(&self) -> &[Definition] {
        &self.0.definitions
    }

    /// A use of one of the group's types. Whether the type exists and has as many parameters as
    /// there are arguments is found out when the shape is evaluated.
    pub fn apply(
        &self,
        name: impl Into<ByteString>,
        arguments: impl IntoIterator<Item = Shape>,
    ) -> Shape {
        Shape::new(Expression::Use(
            self.clone(),
            name.into(),
            arguments.into_iter().collect(),
        ))
    }

    pub(super) fn definition(&self, name: &ByteString) -> Option<&Definition> {
        self.definitions()
            .iter()
            .find(|definition| definition.name == *name)
    }

    /// How uses of one of the group's types are resolved (*shapes* §5, steps 1 and 2).
    pub(super) fn recursion(&self, definition: &Definition) -> Recursion {
        *definition.recursion.get_or_init(|| {
            let is_structure = matches!(
                definition.body.expression(),
                Expression::Record(_) | Expression::Variant(_)
            );
            match is_structure {
                true if self.meets_itself(definition, Inside::All) => Recursion::Here,
                true => Recursion::None,
                false if self.meets_itself(definition, Inside::AllButStructures) => Recursion::Here,
                false if self.meets_itself(definition, Inside::All) => Recursion::Elsewhere,
                false => Recursion::None,
            }
        })
    }

    /// Whether a walk that starts at the type's body meets a use of the type.
    fn meets_itself(&self, definition: &Definition, inside: Inside) -> bool {
        let mut seen = HashSet::new();
        let mut ahead = vec![(&definition.body, inside)];
        while let Some((shape, inside)) = ahead.pop() {
            if !seen.insert((ptr::from_ref(shape.expression()), inside)) {
                continue;
            }
            match shape.expression() {
                Expression::Record(_) | Expression::Variant(_)
                    if inside == Inside::AllButStructures => {}
                Expression::Record(fields) => {
                    ahead.extend(fields.iter().map(|(_, shape)| (shape, inside)));
                }
                Expression::Variant(constructors) => ahead.extend(
                    constructors
                        .iter()
                        .flat_map(|(_, shapes)| shapes)
                        .map(|shape| (shape, inside)),
                ),
                Expression::RecursiveUse(name, _) if *name == definition.name => return true,
                Expression::RecursiveUse(name, arguments) => {
                    ahead.extend(arguments.iter().map(|shape| (shape, inside)));
                    ahead.extend(self.definition(name).map(|other| (&other.body, inside)));
                }
                // The bodies of another group's types cannot mention this one's.
                Expression::Base(_, shapes)
                | Expression::Tuple(shapes)
                | Expression::UnboxedTuple(shapes)
                | Expression::Use(_, _, shapes) => {
                    ahead.extend(shapes.iter().map(|shape| (shape, inside)));
                }
                Expression::PolymorphicVariant(rows) => ahead.extend(
                    rows.iter()
                        .filter_map(Row::shape)
                        .map(|shape| (shape, inside)),
                ),
                Expression::Annotate(_, shape) => ahead.push((shape, inside)),
                Expression::Instance(body) => ahead.push((body, Inside::All)),
                Expression::Parameter(_) => {}
            }
        }
        false
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Group {}

impl Row {
    fn shape(&self) -> Option<&Shape> {
        match &self.0 {
            RowKind::Constructor(_, argument) => argument.as_ref(),
            RowKind::Inherit(shape) => Some(shape),
        }
    }
}

/// Where a walk looks for uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Inside {
    All,
    AllButStructures,
}
