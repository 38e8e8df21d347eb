//! From expressions to canonical forms (*shapes* §5).
//!
//! Parameters carry evaluated values, so a type that uses its parameter many times costs no more
//! than one that uses it once. Uses are remembered by type, arguments, depth, and the types that
//! are in the middle of being defined, which is all that their value depends on; none of a complete
//! group's types can be among the last.

use std::collections::{BTreeMap, HashMap};
use std::ptr;

use super::canonical::{Canonical, Form};
use super::digest::Digest;
use super::group::{Definition, Group, Recursion};
use super::{Expression, Row, RowKind, Shape, ShapeError};
use crate::ByteString;

/// Evaluates a shape that is at most `levels` deep, also in what it evaluates to, in at most `steps`
/// steps: types that all use each other have as many normal forms as there are ways to go from one
/// to the next.
pub(super) fn evaluate(
    shape: &Shape,
    levels: usize,
    steps: usize,
) -> Result<Canonical, ShapeError> {
    let mut evaluation = Evaluation {
        uses: HashMap::new(),
        entered: 0,
        levels,
        levels_left: levels,
        steps,
        steps_left: steps,
    };
    evaluation.shape(shape, Scope::default())
}

struct Evaluation {
    uses: HashMap<UseKey, Canonical>,
    /// How many [`Step`]s there were.
    entered: usize,
    levels: usize,
    levels_left: usize,
    steps: usize,
    steps_left: usize,
}

/// Definition (by its address: the shape that is evaluated keeps it alive), arguments, depth, and
/// the number of the innermost step.
type UseKey = (*const Definition, Vec<Digest>, usize, usize);

/// What is known around an expression.
#[derive(Clone, Copy, Default)]
struct Scope<'a> {
    /// The group and definition whose body this is, with the values of its parameters.
    inside: Option<Inside<'a>>,
    /// Number of applications around it.
    depth: usize,
    path: Option<&'a Step<'a>>,
}

#[derive(Clone, Copy)]
struct Inside<'a> {
    group: &'a Group,
    definition: &'a Definition,
    values: &'a [Canonical],
}

/// A recursive type that is being resolved, and those around it.
struct Step<'a> {
    /// No other step has this number, and none has 0.
    number: usize,
    definition: &'a Definition,
    entry: Entry,
    outer: Option<&'a Self>,
}

#[derive(Clone, Copy)]
enum Entry {
    /// As an application, which has this level.
    Applied(usize),
    /// Without a trace.
    Inlined,
}

impl Evaluation {
    fn shape(&mut self, shape: &Shape, scope: Scope<'_>) -> Result<Canonical, ShapeError> {
        let too_deep = ShapeError::TooDeep(self.levels);
        let Some(left) = self.levels_left.checked_sub(1) else {
            return Err(too_deep);
        };
        self.levels_left = left;
        let too_large = ShapeError::TooLarge(self.steps);
        self.steps_left = self.steps_left.checked_sub(1).ok_or(too_large)?;
        let value = self.expression(shape, scope)?;
        self.levels_left += 1;
        // Parameters can stand for more than what their expression is deep.
        if value.height() > self.levels {
            return Err(too_deep);
        }
        Ok(value)
    }

    fn expression(&mut self, shape: &Shape, scope: Scope<'_>) -> Result<Canonical, ShapeError> {
        let form = match shape.expression() {
            Expression::Base(name, arguments) => {
                Form::Base(name.clone(), self.shapes(arguments, scope)?)
            }
            Expression::Annotate(id, shape) => {
                Form::Annotate(id.clone(), self.shape(shape, scope)?)
            }
            Expression::Tuple(shapes) => Form::Tuple(self.shapes(shapes, scope)?),
            Expression::UnboxedTuple(shapes) => Form::UnboxedTuple(self.shapes(shapes, scope)?),
            Expression::Record(fields) => Form::Record(
                fields
                    .iter()
                    .map(|(name, shape)| Ok((name.clone(), self.shape(shape, scope)?)))
                    .collect::<Result<_, _>>()?,
            ),
            Expression::Variant(constructors) => Form::Variant(
                constructors
                    .iter()
                    .map(|(name, shapes)| Ok((name.clone(), self.shapes(shapes, scope)?)))
                    .collect::<Result<_, _>>()?,
            ),
            Expression::PolymorphicVariant(rows) => self.rows(rows, scope)?,
            Expression::Parameter(name) => return scope.parameter(name),
            Expression::RecursiveUse(name, arguments) => {
                let arguments = self.shapes(arguments, scope)?;
                let Some(Inside { group, .. }) = scope.inside else {
                    return Err(ShapeError::NoGroup(name.clone()));
                };
                return self.apply_remembered(group, find(group, name)?, arguments, scope);
            }
            Expression::Use(group, name, arguments) => {
                let arguments = self.shapes(arguments, scope)?;
                // The types in the middle of being defined are not those of this group.
                let scope = Scope {
                    path: None,
                    ..scope
                };
                return self.apply_remembered(group, find(group, name)?, arguments, scope);
            }
            Expression::Instance(body) => return self.shape(body, scope),
        };
        Ok(Canonical::new(form))
    }

    fn shapes(&mut self, shapes: &[Shape], scope: Scope<'_>) -> Result<Vec<Canonical>, ShapeError> {
        shapes
            .iter()
            .map(|shape| self.shape(shape, scope))
            .collect()
    }

    /// Sorted rows, each name once, nothing inherited.
    fn rows(&mut self, rows: &[Row], scope: Scope<'_>) -> Result<Form, ShapeError> {
        let mut sorted = BTreeMap::new();
        for Row(row) in rows {
            match row {
                RowKind::Constructor(name, argument) => {
                    let argument = argument
                        .as_ref()
                        .map(|shape| self.shape(shape, scope))
                        .transpose()?;
                    add_row(&mut sorted, name, argument)?;
                }
                RowKind::Inherit(shape) => {
                    let inherited = self.shape(shape, scope)?;
                    let Form::PolymorphicVariant(rows) = inherited.form() else {
                        return Err(ShapeError::Inherit);
                    };
                    for (name, argument) in rows {
                        add_row(&mut sorted, name, argument.clone())?;
                    }
                }
            }
        }
        Ok(Form::PolymorphicVariant(sorted.into_iter().collect()))
    }

    fn apply_remembered(
        &mut self,
        group: &Group,
        definition: &Definition,
        arguments: Vec<Canonical>,
        scope: Scope<'_>,
    ) -> Result<Canonical, ShapeError> {
        let digests = arguments.iter().map(Canonical::digest).collect();
        let step = scope.path.map_or(0, |step| step.number);
        let key = (ptr::from_ref(definition), digests, scope.depth, step);
        if let Some(value) = self.uses.get(&key) {
            return Ok(value.clone());
        }
        let value = self.apply(group, definition, arguments, scope)?;
        self.uses.insert(key, value.clone());
        Ok(value)
    }

    fn apply(
        &mut self,
        group: &Group,
        definition: &Definition,
        arguments: Vec<Canonical>,
        scope: Scope<'_>,
    ) -> Result<Canonical, ShapeError> {
        if definition.parameters().len() != arguments.len() {
            return Err(ShapeError::Arity {
                name: definition.name().clone(),
                parameters: definition.parameters().len(),
                arguments: arguments.len(),
            });
        }
        match group.recursion(definition) {
            Recursion::Here => self.apply_recursive(group, definition, arguments, scope),
            Recursion::Elsewhere => {
                if scope.is_inlining(definition) {
                    return Err(ShapeError::Endless(definition.name().clone()));
                }
                let step = self.step(definition, Entry::Inlined, scope);
                self.body(group, definition, &arguments, scope.depth, Some(&step))
            }
            Recursion::None => self.body(group, definition, &arguments, scope.depth, scope.path),
        }
    }

    fn apply_recursive(
        &mut self,
        group: &Group,
        definition: &Definition,
        arguments: Vec<Canonical>,
        scope: Scope<'_>,
    ) -> Result<Canonical, ShapeError> {
        let form = match scope.level_of(definition) {
            Some(level) => Form::RecursiveUse(level, arguments),
            None => {
                let parameters: Vec<_> = (0..arguments.len())
                    .map(|index| Canonical::new(Form::Parameter(index)))
                    .collect();
                let step = self.step(definition, Entry::Applied(scope.depth), scope);
                let depth = scope.depth + 1;
                let body = self.body(group, definition, &parameters, depth, Some(&step))?;
                Form::Application(body, arguments)
            }
        };
        Ok(Canonical::new(form))
    }

    fn step<'a>(&mut self, definition: &'a Definition, entry: Entry, scope: Scope<'a>) -> Step<'a> {
        self.entered += 1;
        Step {
            number: self.entered,
            definition,
            entry,
            outer: scope.path,
        }
    }

    fn body(
        &mut self,
        group: &Group,
        definition: &Definition,
        values: &[Canonical],
        depth: usize,
        path: Option<&Step<'_>>,
    ) -> Result<Canonical, ShapeError> {
        let inside = Inside {
            group,
            definition,
            values,
        };
        let scope = Scope {
            inside: Some(inside),
            depth,
            path,
        };
        self.shape(definition.body(), scope)
    }
}

impl Scope<'_> {
    fn parameter(&self, name: &ByteString) -> Result<Canonical, ShapeError> {
        self.inside
            .and_then(|inside| {
                let mut bound = inside.definition.parameters().iter().zip(inside.values);
                bound.find(|(parameter, _)| *parameter == name)
            })
            .map(|(_, value)| value.clone())
            .ok_or_else(|| ShapeError::UnboundParameter(name.clone()))
    }

    /// The level of the application that is defining this type.
    fn level_of(&self, definition: &Definition) -> Option<usize> {
        self.steps().find_map(|step| match step.entry {
            Entry::Applied(level) if ptr::eq(step.definition, definition) => Some(level),
            Entry::Applied(_) | Entry::Inlined => None,
        })
    }

    /// Whether this type is being inlined in itself. An application in between would end that:
    /// each brings one more type into the path, and there are finitely many.
    fn is_inlining(&self, definition: &Definition) -> bool {
        self.steps()
            .take_while(|step| matches!(step.entry, Entry::Inlined))
            .any(|step| ptr::eq(step.definition, definition))
    }

    /// From the innermost outwards.
    fn steps(&self) -> impl Iterator<Item = &Step<'_>> {
        std::iter::successors(self.path, |step| step.outer)
    }
}

fn find<'a>(group: &'a Group, name: &ByteString) -> Result<&'a Definition, ShapeError> {
    group
        .definition(name)
        .ok_or_else(|| ShapeError::UnknownType(name.clone()))
}

fn add_row(
    rows: &mut BTreeMap<ByteString, Option<Canonical>>,
    name: &ByteString,
    argument: Option<Canonical>,
) -> Result<(), ShapeError> {
    match rows.get(name) {
        Some(present) if *present == argument => Ok(()),
        Some(_) => Err(ShapeError::ConflictingRows(name.clone())),
        None => {
            rows.insert(name.clone(), argument);
            Ok(())
        }
    }
}
