//! Shapes as vectors write them, and canonical forms compared with theirs.
//!
//! `docs/conformance.md` describes both. Nothing here knows any type by name.

use std::collections::HashMap;

use bin_prot::ByteString;
use bin_prot::shape::{Canonical, Definition, Form, Group, Row, Shape};
use serde_json::{Map, Value as Json, json};

use crate::compare;
use crate::report::{Checked, Problem};

/// The shape that a `digest` vector describes, from its fields `shape` and `groups`.
pub(crate) fn parse(shape: &Json, groups: Option<&Json>) -> Checked<Shape> {
    let mut parser = Parser {
        groups,
        parsed: HashMap::new(),
    };
    parser.shape(shape)
}

struct Parser<'a> {
    groups: Option<&'a Json>,
    /// `None` while a group is being parsed: its definitions must not use it as a complete one.
    parsed: HashMap<&'a str, Option<Group>>,
}

impl<'a> Parser<'a> {
    fn shape(&mut self, json: &'a Json) -> Checked<Shape> {
        let object = match json {
            Json::String(name) => return Ok(Shape::base(name.as_str(), [])),
            Json::Object(object) => object,
            _ => return Err(malformed("a shape", json)),
        };
        let Some((form, content)) = form_of(object) else {
            return Err(malformed("a shape", json));
        };
        Ok(match form {
            "base" => Shape::base(text(content)?, self.arguments(object)?),
            "tuple" => Shape::tuple(self.shapes(content)?),
            "unboxed_tuple" => Shape::unboxed_tuple(self.shapes(content)?),
            "record" => Shape::record(self.named(content, Self::shape)?),
            "variant" => Shape::variant(self.named(content, Self::shapes)?),
            "poly_variant" => {
                let rows = list(content)?.iter().map(|row| self.row(row));
                Shape::polymorphic_variant(rows.collect::<Checked<Vec<_>>>()?)
            }
            "annotate" => {
                let inner = object.get("of");
                let inner = inner.ok_or_else(|| malformed("an annotation with of", json))?;
                Shape::annotate(text(content)?, self.shape(inner)?)
            }
            "app" => {
                let arguments = self.arguments(object)?;
                let name = object.get("name");
                let name = name.ok_or_else(|| malformed("a use with a name", json))?;
                self.group(text(content)?)?.apply(text(name)?, arguments)
            }
            "rec" => Shape::recursive_use(text(content)?, self.arguments(object)?),
            "var" => Shape::parameter(text(content)?),
            _ => return Err(malformed("a shape", json)),
        })
    }

    fn shapes(&mut self, json: &'a Json) -> Checked<Vec<Shape>> {
        list(json)?.iter().map(|json| self.shape(json)).collect()
    }

    fn arguments(&mut self, object: &'a Map<String, Json>) -> Checked<Vec<Shape>> {
        object
            .get("args")
            .map_or(Ok(Vec::new()), |arguments| self.shapes(arguments))
    }

    /// A list of `[name, content]`.
    fn named<T>(
        &mut self,
        json: &'a Json,
        mut content: impl FnMut(&mut Self, &'a Json) -> Checked<T>,
    ) -> Checked<Vec<(&'a str, T)>> {
        let pair = |pair: &'a Json| match list(pair)? {
            [name, part] => Ok((text(name)?, content(self, part)?)),
            _ => Err(malformed("a pair", pair)),
        };
        list(json)?.iter().map(pair).collect()
    }

    fn row(&mut self, row: &'a Json) -> Checked<Row> {
        match (row.get("tag"), row.get("inherit")) {
            (Some(tag), None) => {
                let argument = row.get("arg").map(|argument| self.shape(argument));
                Ok(Row::constructor(text(tag)?, argument.transpose()?))
            }
            (None, Some(inherited)) => Ok(Row::inherit(self.shape(inherited)?)),
            _ => Err(malformed("a row with tag or inherit", row)),
        }
    }

    fn group(&mut self, name: &'a str) -> Checked<Group> {
        match self.parsed.get(name) {
            Some(Some(group)) => return Ok(group.clone()),
            Some(None) => {
                let why = format!("the group {name:?} uses itself as if it were complete");
                return Err(Problem::Malformed(why));
            }
            None => {}
        }
        let missing = || Problem::Malformed(format!("no group is called {name:?}"));
        let definitions = self.groups.and_then(|groups| groups.get(name));
        let definitions = list(definitions.ok_or_else(missing)?)?;
        self.parsed.insert(name, None);
        let definitions = definitions.iter().map(|json| self.definition(json));
        let group = Group::new(definitions.collect::<Checked<Vec<_>>>()?);
        self.parsed.insert(name, Some(group.clone()));
        Ok(group)
    }

    fn definition(&mut self, json: &'a Json) -> Checked<Definition> {
        let (Some(name), Some(body)) = (json.get("name"), json.get("body")) else {
            return Err(malformed("a definition with name and body", json));
        };
        let parameters = match json.get("params") {
            None => &[],
            Some(parameters) => list(parameters)?,
        };
        let parameters = parameters.iter().map(text).collect::<Checked<Vec<_>>>()?;
        Ok(Definition::new(text(name)?, parameters, self.shape(body)?))
    }
}

/// The key that tells what an object is, and what is under it.
fn form_of(object: &Map<String, Json>) -> Option<(&str, &Json)> {
    let mut forms = object
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "args" | "of" | "name"));
    let (form, content) = forms.next()?;
    forms.next().is_none().then_some((form, content))
}

fn malformed(expected: &str, found: &Json) -> Problem {
    Problem::Malformed(format!(
        "expected {expected}, found {}",
        compare::short(found)
    ))
}

fn text(json: &Json) -> Checked<&str> {
    json.as_str().ok_or_else(|| malformed("a name", json))
}

fn list(json: &Json) -> Checked<&[Json]> {
    let list = json.as_array().map(Vec::as_slice);
    list.ok_or_else(|| malformed("a list", json))
}

/// Compares a canonical form with what a vector says.
///
/// Both are walked together: a canonical form shares its parts and may be exponentially longer as
/// text, but what a vector spells out is as long as it is.
pub(crate) fn check_canonical(expected: &Json, found: &Canonical) -> Checked {
    check_form(expected, found, &mut String::new())
}

fn check_form(expected: &Json, found: &Canonical, path: &mut String) -> Checked {
    let Some(parts) = parts_of(expected, found.form()) else {
        let what = match path.as_str() {
            "" => "canonical form".to_owned(),
            path => format!("canonical form at {path}"),
        };
        let (expected, found) = (compare::short(expected), describe(found.form()));
        return Err(Problem::differs(what, expected, found));
    };
    for (step, expected, found) in parts {
        let length = path.len();
        path.push_str(&step);
        check_form(expected, found, path)?;
        path.truncate(length);
    }
    Ok(())
}

/// A part of a form: the way to it, what it should be, and what it is.
type Part<'a> = (String, &'a Json, &'a Canonical);

/// The parts to be compared next, if what is around them is equal.
fn parts_of<'a>(expected: &'a Json, found: &'a Form) -> Option<Vec<Part<'a>>> {
    let name = |name: &ByteString| Json::from(name.to_string());
    let step = |step: &ByteString| format!(".{step}");
    match found {
        Form::Base(base, arguments) if arguments.is_empty() && expected.is_string() => {
            (*expected == name(base)).then(Vec::new)
        }
        Form::Base(base, arguments) if expected["base"] == name(base) => {
            indexed("", expected.get("args"), arguments)
        }
        Form::Annotate(id, inner) if expected["annotate"] == name(id) => {
            Some(vec![(step(id), expected.get("of")?, inner)])
        }
        Form::Tuple(parts) => indexed("", Some(expected.get("tuple")?), parts),
        Form::UnboxedTuple(parts) => indexed("", Some(expected.get("unboxed_tuple")?), parts),
        Form::Record(fields) => {
            let expected = expected.get("record")?.as_array()?;
            let pair = |(expected, (field, part)): (&'a Json, &'a (ByteString, Canonical))| {
                (expected[0] == name(field)).then_some((step(field), &expected[1], part))
            };
            (expected.len() == fields.len())
                .then(|| expected.iter().zip(fields).map(pair).collect())?
        }
        Form::Variant(constructors) => {
            let expected = expected.get("variant")?.as_array()?;
            let mut all = Vec::new();
            for (expected, (constructor, arguments)) in expected.iter().zip(constructors) {
                (expected[0] == name(constructor)).then_some(())?;
                all.extend(indexed(&step(constructor), Some(&expected[1]), arguments)?);
            }
            (expected.len() == constructors.len()).then_some(all)
        }
        Form::PolymorphicVariant(rows) => {
            let expected = expected.get("poly_variant")?.as_array()?;
            let mut all = Vec::new();
            for (expected, (row, argument)) in expected.iter().zip(rows) {
                (expected["tag"] == name(row)).then_some(())?;
                match (expected.get("arg"), argument) {
                    (None, None) => {}
                    (Some(expected), Some(argument)) => all.push((step(row), expected, argument)),
                    _ => return None,
                }
            }
            (expected.len() == rows.len()).then_some(all)
        }
        Form::Application(definition, arguments) => {
            let mut all = vec![(
                ".definition".to_owned(),
                expected.get("application")?,
                definition,
            )];
            all.extend(indexed("", expected.get("args"), arguments)?);
            Some(all)
        }
        Form::RecursiveUse(level, arguments) if expected["rec_app"] == json!(level) => {
            indexed("", expected.get("args"), arguments)
        }
        Form::Parameter(index) => (expected["var"] == json!(index)).then(Vec::new),
        _ => None,
    }
}

/// Parts in a list; no list is an empty one.
fn indexed<'a>(
    name: &str,
    expected: Option<&'a Json>,
    found: &'a [Canonical],
) -> Option<Vec<Part<'a>>> {
    let expected = expected.map_or(Some(&[][..]), |json| json.as_array().map(Vec::as_slice))?;
    let parts = expected.iter().zip(found).enumerate();
    let parts =
        parts.map(|(index, (expected, found))| (format!("{name}[{index}]"), expected, found));
    (expected.len() == found.len()).then(|| parts.collect())
}

/// What a form is, without its parts.
fn describe(form: &Form) -> String {
    let names = |names: &mut dyn Iterator<Item = &ByteString>| {
        names
            .map(ByteString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match form {
        Form::Base(name, arguments) => format!("base {name} of {} arguments", arguments.len()),
        Form::Annotate(id, _) => format!("annotation {id}"),
        Form::Tuple(parts) => format!("tuple of {}", parts.len()),
        Form::UnboxedTuple(parts) => format!("unboxed tuple of {}", parts.len()),
        Form::Record(fields) => {
            format!(
                "record of {}",
                names(&mut fields.iter().map(|(name, _)| name))
            )
        }
        Form::Variant(constructors) => {
            format!(
                "variant of {}",
                names(&mut constructors.iter().map(|(name, _)| name))
            )
        }
        Form::PolymorphicVariant(rows) => {
            format!(
                "polymorphic variant of {}",
                names(&mut rows.iter().map(|(name, _)| name))
            )
        }
        Form::Application(_, arguments) => format!("application to {} arguments", arguments.len()),
        Form::RecursiveUse(level, arguments) => {
            format!(
                "recursive use of level {level} with {} arguments",
                arguments.len()
            )
        }
        Form::Parameter(index) => format!("parameter {index}"),
    }
}
