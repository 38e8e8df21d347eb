//! The evaluation and the digest of shapes as *shapes* §5 and §6 say it, from a shape's
//! S-expression: step by step, without remembering anything, and so only for small ones.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ptr;
use std::rc::Rc;

use bin_prot::Sexp;
use bin_prot::shape::Digest;

/// Why there is no digest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Failure {
    /// It is the shape of no type.
    NoType,
    /// It takes more steps than anybody wants to wait for.
    TooMuch,
}

/// How many expressions may be evaluated, and how deep in each other.
const STEPS: usize = 5_000;
const LEVELS: usize = 300;

/// How many uses of groups a shape has, as far as they are written down.
pub(super) fn uses(sexp: &Sexp) -> usize {
    match sexp {
        Sexp::Atom(atom) => usize::from(*atom == *"Top_app"),
        Sexp::List(items) => items.iter().map(uses).sum(),
    }
}

/// The digest of what a shape evaluates to.
pub(super) fn digest(sexp: &Sexp) -> Result<Digest, Failure> {
    let mut groups = HashMap::new();
    let expression = parse(sexp, &mut groups).ok_or(Failure::NoType)?;
    let mut evaluation = Evaluation {
        steps_left: STEPS,
        levels_left: LEVELS,
    };
    let value = evaluation.expression(&expression, &Around::default())?;
    Ok(value.digest())
}

type Text<'a> = &'a [u8];

/// *Shapes* §2.
enum Expression<'a> {
    Base(Text<'a>, Vec<Self>),
    Annotate(Text<'a>, Box<Self>),
    Tuple(Vec<Self>),
    UnboxedTuple(Vec<Self>),
    Record(Vec<(Text<'a>, Self)>),
    Variant(Vec<(Text<'a>, Vec<Self>)>),
    Polymorphic(Vec<Row<'a>>),
    Parameter(Text<'a>),
    Recursive(Text<'a>, Vec<Self>),
    Use(Rc<Group<'a>>, Text<'a>, Vec<Self>),
}

enum Row<'a> {
    Constructor(Text<'a>, Option<Expression<'a>>),
    Inherit(Expression<'a>),
}

struct Group<'a> {
    definitions: Vec<Definition<'a>>,
}

struct Definition<'a> {
    name: Text<'a>,
    parameters: Vec<Text<'a>>,
    body: Expression<'a>,
}

type Groups<'a> = HashMap<Text<'a>, Rc<Group<'a>>>;

fn parse<'a>(sexp: &'a Sexp, groups: &mut Groups<'a>) -> Option<Expression<'a>> {
    let (tag, parts) = list(sexp)?.split_first()?;
    Some(match (text(tag)?, parts) {
        (b"Base", [name, parts]) => Expression::Base(text(name)?, all(parts, groups)?),
        (b"Annotate", [id, part]) => {
            Expression::Annotate(text(id)?, Box::new(parse(part, groups)?))
        }
        (b"Tuple", [parts]) => Expression::Tuple(all(parts, groups)?),
        (b"Unboxed_tuple", [parts]) => Expression::UnboxedTuple(all(parts, groups)?),
        (b"Record", [fields]) => {
            let fields = list(fields)?.iter().map(|field| {
                let [name, part] = list(field)? else {
                    return None;
                };
                Some((text(name)?, parse(part, groups)?))
            });
            Expression::Record(fields.collect::<Option<_>>()?)
        }
        (b"Variant", [constructors]) => {
            let constructors = list(constructors)?.iter().map(|constructor| {
                let [name, parts] = list(constructor)? else {
                    return None;
                };
                Some((text(name)?, all(parts, groups)?))
            });
            Expression::Variant(constructors.collect::<Option<_>>()?)
        }
        (b"Poly_variant", [rows]) => {
            let rows = list(list(rows)?.get(1)?)?.iter();
            Expression::Polymorphic(rows.map(|each| row(each, groups)).collect::<Option<_>>()?)
        }
        (b"Var", [name]) => Expression::Parameter(text(list(name)?.get(1)?)?),
        (b"Rec_app", [name, parts]) => Expression::Recursive(text(name)?, all(parts, groups)?),
        (b"Top_app", [group, name, parts]) => {
            let parts = all(parts, groups)?;
            Expression::Use(parse_group(group, groups)?, text(name)?, parts)
        }
        _ => return None,
    })
}

fn row<'a>(sexp: &'a Sexp, groups: &mut Groups<'a>) -> Option<Row<'a>> {
    let [tag, row] = list(sexp)? else { return None };
    Some(match (text(tag)?, list(row)?) {
        (b"Constr", [name, argument]) => match list(argument)? {
            [] => Row::Constructor(text(name)?, None),
            [argument] => Row::Constructor(text(name)?, Some(parse(argument, groups)?)),
            _ => return None,
        },
        (b"Inherit", [_, part]) => Row::Inherit(parse(part, groups)?),
        _ => return None,
    })
}

fn parse_group<'a>(sexp: &'a Sexp, groups: &mut Groups<'a>) -> Option<Rc<Group<'a>>> {
    let [id, _, members] = list(sexp)? else {
        return None;
    };
    let id = text(list(id)?.get(1)?)?;
    if let Some(group) = groups.get(id) {
        return Some(Rc::clone(group));
    }
    let members = list(list(members)?.get(1)?)?.iter();
    let definitions = members.map(|member| {
        let [name, definition] = list(member)? else {
            return None;
        };
        let [parameters, body] = list(definition)? else {
            return None;
        };
        Some(Definition {
            name: text(name)?,
            parameters: list(parameters)?.iter().map(text).collect::<Option<_>>()?,
            body: parse(body, groups)?,
        })
    });
    let definitions = definitions.collect::<Option<_>>()?;
    let group = Rc::new(Group { definitions });
    groups.insert(id, Rc::clone(&group));
    Some(group)
}

fn all<'a>(sexp: &'a Sexp, groups: &mut Groups<'a>) -> Option<Vec<Expression<'a>>> {
    list(sexp)?.iter().map(|part| parse(part, groups)).collect()
}

fn list(sexp: &Sexp) -> Option<&[Sexp]> {
    match sexp {
        Sexp::List(items) => Some(items),
        Sexp::Atom(_) => None,
    }
}

fn text(sexp: &Sexp) -> Option<&[u8]> {
    match sexp {
        Sexp::Atom(atom) => Some(atom.as_bytes()),
        Sexp::List(_) => None,
    }
}

/// A value: of a polymorphic variant its rows, of all others the digest alone.
#[derive(Clone, PartialEq)]
enum Value {
    Rows(BTreeMap<Vec<u8>, Option<Digest>>),
    Other(Digest),
}

impl Value {
    fn digest(&self) -> Digest {
        match self {
            Self::Other(digest) => *digest,
            Self::Rows(rows) => {
                let rows = rows.iter().map(|(name, argument)| {
                    let argument = match argument {
                        None => node(b"none", &[]),
                        Some(argument) => node(b"some", &[*argument]),
                    };
                    concatenated(&[Digest::of(name), argument])
                });
                node(b"poly_variant", &[concatenated(&rows.collect::<Vec<_>>())])
            }
        }
    }
}

/// *Shapes* §6: `list` and `pair`.
fn concatenated(digests: &[Digest]) -> Digest {
    Digest::of(
        digests
            .iter()
            .flat_map(|digest| digest.0)
            .collect::<Vec<_>>(),
    )
}

fn node(word: &[u8], digests: &[Digest]) -> Digest {
    Digest::of([word, &concatenated(digests).0].concat())
}

fn digests(values: &[Value]) -> Vec<Digest> {
    values.iter().map(Value::digest).collect()
}

/// The state that is handed down (*shapes* §5).
#[derive(Clone, Default)]
struct Around<'e, 'a> {
    group: Option<&'e Group<'a>>,
    values: HashMap<Text<'a>, Value>,
    depth: usize,
    /// The level of each type that is being defined.
    table: HashMap<(*const Group<'a>, Text<'a>), usize>,
}

struct Evaluation {
    steps_left: usize,
    levels_left: usize,
}

impl Evaluation {
    fn expression<'e, 'a>(
        &mut self,
        expression: &'e Expression<'a>,
        around: &Around<'e, 'a>,
    ) -> Result<Value, Failure> {
        self.steps_left = self.steps_left.checked_sub(1).ok_or(Failure::TooMuch)?;
        self.levels_left = self.levels_left.checked_sub(1).ok_or(Failure::TooMuch)?;
        let value = self.step(expression, around)?;
        self.levels_left += 1;
        Ok(value)
    }

    fn step<'e, 'a>(
        &mut self,
        expression: &'e Expression<'a>,
        around: &Around<'e, 'a>,
    ) -> Result<Value, Failure> {
        Ok(Value::Other(match expression {
            Expression::Base(name, parts) => {
                let parts = digests(&self.all(parts, around)?);
                node(b"base", &[Digest::of(name), concatenated(&parts)])
            }
            Expression::Annotate(id, part) => {
                let part = self.expression(part, around)?.digest();
                node(b"annotate", &[Digest::of(id), part])
            }
            Expression::Tuple(parts) => {
                let parts = digests(&self.all(parts, around)?);
                node(b"tuple", &[concatenated(&parts)])
            }
            Expression::UnboxedTuple(parts) => {
                let parts = digests(&self.all(parts, around)?);
                node(b"unboxed_tuple", &[concatenated(&parts)])
            }
            Expression::Record(fields) => {
                let mut pairs = Vec::new();
                for (name, part) in fields {
                    let part = self.expression(part, around)?.digest();
                    pairs.push(concatenated(&[Digest::of(name), part]));
                }
                node(b"record", &[concatenated(&pairs)])
            }
            Expression::Variant(constructors) => {
                let mut pairs = Vec::new();
                for (name, parts) in constructors {
                    let parts = digests(&self.all(parts, around)?);
                    pairs.push(concatenated(&[Digest::of(name), concatenated(&parts)]));
                }
                node(b"variant", &[concatenated(&pairs)])
            }
            Expression::Polymorphic(rows) => return self.rows(rows, around),
            Expression::Parameter(name) => {
                return around.values.get(name).cloned().ok_or(Failure::NoType);
            }
            Expression::Recursive(name, parts) => {
                let parts = self.all(parts, around)?;
                let group = around.group.ok_or(Failure::NoType)?;
                return self.apply(group, name, parts, around);
            }
            Expression::Use(group, name, parts) => {
                let parts = self.all(parts, around)?;
                return self.apply(group, name, parts, around);
            }
        }))
    }

    fn all<'e, 'a>(
        &mut self,
        parts: &'e [Expression<'a>],
        around: &Around<'e, 'a>,
    ) -> Result<Vec<Value>, Failure> {
        let parts = parts.iter();
        parts.map(|part| self.expression(part, around)).collect()
    }

    fn rows<'e, 'a>(
        &mut self,
        rows: &'e [Row<'a>],
        around: &Around<'e, 'a>,
    ) -> Result<Value, Failure> {
        let mut all = BTreeMap::new();
        let mut add = |name: Vec<u8>, argument: Option<Digest>| match all.insert(name, argument) {
            Some(other) if other != argument => Err(Failure::NoType),
            _ => Ok(()),
        };
        for row in rows {
            match row {
                Row::Constructor(name, None) => add(name.to_vec(), None)?,
                Row::Constructor(name, Some(part)) => {
                    let part = self.expression(part, around)?.digest();
                    add(name.to_vec(), Some(part))?;
                }
                Row::Inherit(part) => match self.expression(part, around)? {
                    Value::Rows(rows) => {
                        rows.into_iter()
                            .try_for_each(|(name, part)| add(name, part))?;
                    }
                    Value::Other(_) => return Err(Failure::NoType),
                },
            }
        }
        Ok(Value::Rows(all))
    }

    fn apply<'e, 'a>(
        &mut self,
        group: &'e Group<'a>,
        name: Text<'a>,
        parts: Vec<Value>,
        around: &Around<'e, 'a>,
    ) -> Result<Value, Failure> {
        let definition = group.definition(name).ok_or(Failure::NoType)?;
        let Definition {
            parameters, body, ..
        } = definition;
        if parameters.len() != parts.len() {
            return Err(Failure::NoType);
        }
        let key = (ptr::from_ref(group), name);
        let is_structure = matches!(body, Expression::Record(_) | Expression::Variant(_));
        let is_applied = (is_structure && group.is_cyclic(definition, false))
            || group.is_cyclic(definition, true);
        let (values, depth, table) = if !is_applied {
            (parts.clone(), around.depth, around.table.clone())
        } else if let Some(level) = around.table.get(&key) {
            let level = Digest::of(level.to_string());
            let parts = concatenated(&digests(&parts));
            return Ok(Value::Other(node(b"rec_app", &[level, parts])));
        } else {
            let number = |index: usize| node(b"var", &[Digest::of(index.to_string())]);
            let values = (0..parts.len()).map(|index| Value::Other(number(index)));
            let mut table = around.table.clone();
            table.insert(key, around.depth);
            (values.collect(), around.depth + 1, table)
        };
        let mut bound = HashMap::new();
        for (parameter, value) in parameters.iter().zip(values) {
            bound.entry(*parameter).or_insert(value);
        }
        let inside = Around {
            group: Some(group),
            values: bound,
            depth,
            table,
        };
        let body = self.expression(body, &inside)?;
        if is_applied {
            let parts = concatenated(&digests(&parts));
            return Ok(Value::Other(node(b"application", &[body.digest(), parts])));
        }
        Ok(body)
    }
}

impl<'a> Group<'a> {
    fn definition(&self, name: Text<'a>) -> Option<&Definition<'a>> {
        let mut definitions = self.definitions.iter();
        definitions.find(|definition| definition.name == name)
    }

    /// *Shapes* §5, step 1: whether a walk from the type's body meets a use of the type.
    fn is_cyclic(&self, definition: &Definition<'a>, without_structure: bool) -> bool {
        let walk = &mut Walk {
            group: self,
            sought: definition.name,
            without_structure,
            entered: HashSet::new(),
        };
        walk.meets(&definition.body)
    }
}

struct Walk<'e, 'a> {
    group: &'e Group<'a>,
    sought: Text<'a>,
    without_structure: bool,
    /// Types of the group whose bodies were entered.
    entered: HashSet<Text<'a>>,
}

impl<'a> Walk<'_, 'a> {
    fn meets(&mut self, expression: &Expression<'a>) -> bool {
        match expression {
            Expression::Record(_) | Expression::Variant(_) if self.without_structure => false,
            Expression::Record(fields) => fields.iter().any(|(_, part)| self.meets(part)),
            Expression::Variant(constructors) => constructors
                .iter()
                .any(|(_, parts)| parts.iter().any(|part| self.meets(part))),
            Expression::Base(_, parts)
            | Expression::Tuple(parts)
            | Expression::UnboxedTuple(parts)
            | Expression::Use(_, _, parts) => parts.iter().any(|part| self.meets(part)),
            Expression::Annotate(_, part) => self.meets(part),
            Expression::Polymorphic(rows) => rows.iter().any(|row| match row {
                Row::Constructor(_, part) => part.as_ref().is_some_and(|part| self.meets(part)),
                Row::Inherit(part) => self.meets(part),
            }),
            Expression::Parameter(_) => false,
            Expression::Recursive(name, parts) => {
                *name == self.sought
                    || parts.iter().any(|part| self.meets(part))
                    || (self.entered.insert(name)
                        && self
                            .group
                            .definition(name)
                            .is_some_and(|definition| self.meets(&definition.body)))
            }
        }
    }
}
