//! From type expressions to shapes: what each name stands for.

use std::collections::HashMap;

use bin_prot::shape::{self, BinShape, Group, Row as ShapeRow, Shape};

use super::library::{self, KEYED};
use super::scanner::{Place, Scanner, SyntaxError};
use super::syntax::{Definition, Expression, Row};

/// The types that are defined so far.
#[derive(Debug)]
pub(super) struct Scope<'t> {
    /// For the places of errors.
    source: Scanner<'t>,
    types: HashMap<String, Defined>,
}

#[derive(Clone, Debug)]
struct Defined {
    group: Group,
    parameters: usize,
}

/// What is known inside a definition beside all that is known outside.
#[derive(Clone, Copy, Debug, Default)]
struct Inside<'a, 't> {
    members: &'a [Definition<'t>],
    parameters: &'a [&'t str],
}

impl<'t> Scope<'t> {
    /// Only the library. `text` is what will be defined.
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            source: Scanner::new(text),
            types: HashMap::new(),
        }
    }

    /// Adds types that are declared together; those that have the same names are forgotten.
    pub(super) fn define(
        &mut self,
        definitions: &[Definition<'t>],
        is_recursive: bool,
    ) -> Result<(), SyntaxError> {
        for (index, definition) in definitions.iter().enumerate() {
            let earlier = definitions.iter().take(index);
            if earlier.into_iter().any(|one| one.name == definition.name) {
                let problem = format!("two types of one group are called {}", definition.name);
                return Err(self.source.error(definition.place, problem));
            }
        }
        let members = if is_recursive { definitions } else { &[] };
        let group = definitions.iter().map(|definition| {
            let parameters = &definition.parameters;
            let inside = Inside {
                members,
                parameters,
            };
            let body = self.expression(&definition.body, inside)?;
            let parameters = parameters.iter().copied();
            let name = definition.name.as_str();
            Ok(shape::Definition::new(name, parameters, body))
        });
        let group = Group::new(group.collect::<Result<Vec<_>, SyntaxError>>()?);
        for definition in definitions {
            let defined = Defined {
                group: group.clone(),
                parameters: definition.parameters.len(),
            };
            self.types.insert(definition.name.clone(), defined);
        }
        Ok(())
    }

    /// The shape of a type.
    pub(super) fn shape(&self, expression: &Expression<'t>) -> Result<Shape, SyntaxError> {
        self.expression(expression, Inside::default())
    }

    /// The error that something is wrong at a place.
    pub(super) fn error(&self, place: Place, problem: impl Into<String>) -> SyntaxError {
        self.source.error(place, problem)
    }

    fn expression(
        &self,
        expression: &Expression<'t>,
        inside: Inside<'_, 't>,
    ) -> Result<Shape, SyntaxError> {
        Ok(match expression {
            Expression::Named {
                name,
                place,
                arguments,
            } => {
                let arguments = self.all(arguments, inside)?;
                self.named(name, *place, arguments, inside)?
            }
            Expression::Unit => <()>::bin_shape(),
            Expression::Parameter(name, place) => {
                if !inside.parameters.contains(name) {
                    let problem = format!("the definition has no parameter '{name}");
                    return Err(self.error(*place, problem));
                }
                Shape::parameter(*name)
            }
            Expression::Tuple(parts) => Shape::tuple(self.all(parts, inside)?),
            Expression::Record(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, field)| Ok((*name, self.expression(field, inside)?)));
                Shape::record(fields.collect::<Result<Vec<_>, SyntaxError>>()?)
            }
            Expression::Variant(constructors) => {
                let constructors = constructors
                    .iter()
                    .map(|(name, arguments)| Ok((*name, self.all(arguments, inside)?)));
                Shape::variant(constructors.collect::<Result<Vec<_>, SyntaxError>>()?)
            }
            Expression::Polymorphic(rows) => {
                let rows = rows.iter().map(|row| {
                    Ok(match row {
                        Row::Constructor(name, argument) => {
                            let argument = argument.as_ref();
                            let argument = argument.map(|part| self.expression(part, inside));
                            ShapeRow::constructor(*name, argument.transpose()?)
                        }
                        Row::Inherit(included) => {
                            ShapeRow::inherit(self.expression(included, inside)?)
                        }
                    })
                });
                Shape::polymorphic_variant(rows.collect::<Result<Vec<_>, SyntaxError>>()?)
            }
        })
    }

    fn all(
        &self,
        expressions: &[Expression<'t>],
        inside: Inside<'_, 't>,
    ) -> Result<Vec<Shape>, SyntaxError> {
        let shapes = expressions.iter();
        shapes.map(|part| self.expression(part, inside)).collect()
    }

    fn named(
        &self,
        name: &str,
        place: Place,
        mut arguments: Vec<Shape>,
        inside: Inside<'_, 't>,
    ) -> Result<Shape, SyntaxError> {
        let check = |parameters: usize, arguments: &[Shape]| match arguments.len() {
            given if given == parameters => Ok(()),
            given => {
                let problem = format!("{name} takes {parameters} types, and has {given}");
                Err(self.error(place, problem))
            }
        };
        if let Some(member) = inside.members.iter().find(|member| member.name == name) {
            check(member.parameters.len(), &arguments)?;
            return Ok(Shape::recursive_use(name, arguments));
        }
        if let Some(defined) = self.types.get(name) {
            check(defined.parameters, &arguments)?;
            return Ok(defined.group.apply(name, arguments));
        }
        if let Some(known) = library::find(name) {
            check(known.parameters, &arguments)?;
            return Ok(known.apply(arguments));
        }
        let keyed = KEYED.iter().find_map(|(suffix, container)| {
            let key = name.strip_suffix(suffix)?;
            Some((format!("{key}.t"), container))
        });
        if let Some((key, container)) = keyed {
            let key = self.named(&key, place, Vec::new(), inside)?;
            arguments.insert(0, key);
            return self.named(container, place, arguments, inside);
        }
        let problem = format!("no type is called {name}; a type is defined before it is used");
        Err(self.error(place, problem))
    }
}
