//! Shapes and canonical forms from the vectors' JSON.

use std::collections::BTreeMap;

use bin_prot::ByteString;
use bin_prot::shape::{Canonical, Definition, Form, Group, Row, Shape};
use rpc_testkit::golden::Vector;
use serde_json::Value;

/// The shape of a `digest` vector.
pub(crate) fn parse(vector: &Vector) -> Shape {
    Parser {
        groups: vector.field("groups"),
        parsed: BTreeMap::new(),
    }
    .shape(vector.field("shape"))
}

struct Parser<'a> {
    groups: &'a Value,
    parsed: BTreeMap<&'a str, Group>,
}

impl<'a> Parser<'a> {
    fn shape(&mut self, json: &'a Value) -> Shape {
        if let Some(name) = json.as_str() {
            return Shape::base(name, []);
        }
        let arguments = |parser: &mut Self| parser.shapes(&json["args"]);
        match tag(json) {
            "base" => Shape::base(text(&json["base"]), arguments(self)),
            "tuple" => Shape::tuple(self.shapes(&json["tuple"])),
            "unboxed_tuple" => Shape::unboxed_tuple(self.shapes(&json["unboxed_tuple"])),
            "record" => Shape::record(
                list(&json["record"])
                    .iter()
                    .map(|field| (text(&field[0]), self.shape(&field[1])))
                    .collect::<Vec<_>>(),
            ),
            "variant" => Shape::variant(
                list(&json["variant"])
                    .iter()
                    .map(|constructor| (text(&constructor[0]), self.shapes(&constructor[1])))
                    .collect::<Vec<_>>(),
            ),
            "poly_variant" => Shape::polymorphic_variant(
                list(&json["poly_variant"])
                    .iter()
                    .map(|row| match row.get("inherit") {
                        Some(inherited) => Row::inherit(self.shape(inherited)),
                        None => Row::constructor(
                            text(&row["tag"]),
                            row.get("arg").map(|argument| self.shape(argument)),
                        ),
                    })
                    .collect::<Vec<_>>(),
            ),
            "annotate" => Shape::annotate(text(&json["annotate"]), self.shape(&json["of"])),
            "app" => {
                let arguments = arguments(self);
                let group = self.group(text(&json["app"]));
                group.apply(text(&json["name"]), arguments)
            }
            "rec" => Shape::recursive_use(text(&json["rec"]), arguments(self)),
            "var" => Shape::parameter(text(&json["var"])),
            other => panic!("{other}: {json}"),
        }
    }

    fn shapes(&mut self, json: &'a Value) -> Vec<Shape> {
        list(json).iter().map(|json| self.shape(json)).collect()
    }

    fn group(&mut self, name: &'a str) -> Group {
        if let Some(group) = self.parsed.get(name) {
            return group.clone();
        }
        let definitions: Vec<_> = list(&self.groups[name])
            .iter()
            .map(|json| {
                let parameters = list(&json["params"]).iter().map(text);
                Definition::new(text(&json["name"]), parameters, self.shape(&json["body"]))
            })
            .collect();
        let group = Group::new(definitions);
        self.parsed.insert(name, group.clone());
        group
    }
}

/// Compares a canonical form with a vector's.
#[track_caller]
pub(crate) fn check_canonical(canonical: &Canonical, json: &Value, context: &str) {
    let found = to_json(canonical);
    assert_eq!(&found, json, "{context}: {canonical}");
}

fn to_json(canonical: &Canonical) -> Value {
    use serde_json::json;

    let name = |name: &ByteString| name.to_string();
    let all = |parts: &[Canonical]| parts.iter().map(to_json).collect::<Vec<_>>();
    match canonical.form() {
        Form::Base(base, arguments) if arguments.is_empty() => name(base).into(),
        Form::Base(base, arguments) => json!({"base": name(base), "args": all(arguments)}),
        Form::Annotate(id, inner) => json!({"annotate": name(id), "of": to_json(inner)}),
        Form::Tuple(parts) => json!({"tuple": all(parts)}),
        Form::UnboxedTuple(parts) => json!({"unboxed_tuple": all(parts)}),
        Form::Record(fields) => {
            let fields = fields
                .iter()
                .map(|(field, part)| json!([name(field), to_json(part)]));
            json!({"record": fields.collect::<Vec<_>>()})
        }
        Form::Variant(constructors) => {
            let constructors = constructors
                .iter()
                .map(|(constructor, parts)| json!([name(constructor), all(parts)]));
            json!({"variant": constructors.collect::<Vec<_>>()})
        }
        Form::PolymorphicVariant(rows) => {
            let rows = rows.iter().map(|(row, argument)| match argument {
                None => json!({"tag": name(row)}),
                Some(argument) => json!({"tag": name(row), "arg": to_json(argument)}),
            });
            json!({"poly_variant": rows.collect::<Vec<_>>()})
        }
        Form::Application(definition, arguments) => {
            json!({"application": to_json(definition), "args": all(arguments)})
        }
        Form::RecursiveUse(level, arguments) => json!({"rec_app": level, "args": all(arguments)}),
        Form::Parameter(index) => json!({"var": index}),
    }
}

/// The key that tells what kind of expression an object is.
fn tag(json: &Value) -> &str {
    let keys = json.as_object().unwrap().keys();
    keys.map(String::as_str)
        .find(|key| !matches!(*key, "args" | "of" | "name"))
        .unwrap()
}

fn text(json: &Value) -> &str {
    json.as_str().unwrap()
}

fn list(json: &Value) -> &[Value] {
    json.as_array().unwrap()
}
