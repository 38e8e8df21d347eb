//! Values from JSON.

use serde_json::Value as Json;

use crate::dynamic::environment::{At, Read};
use crate::dynamic::error::{Error, ErrorKind, Segment, Within as _};
use crate::dynamic::node::{Constructor, Node, Row};
use crate::dynamic::value::{Matrix, Name};
use crate::dynamic::{Type, Value};
use crate::library::{Date, Month};
use crate::{ByteString, Sexp};

/// How many bytes of memory the abbreviations of an input may stand for. They stand in golden
/// vectors, for strings and lists that are just so long that their length is written otherwise.
const MOST_REPEATED: u64 = 64 * 1024 * 1024;

impl Type {
    /// The value that some JSON stands for.
    ///
    /// # Errors
    /// It stands for no value of the type; the error says where.
    pub fn parse_json(&self, json: &Json) -> Result<Value, Error> {
        let mut parsing = Parsing {
            ty: self,
            // The value itself is no level.
            depth_left: self.depth.saturating_add(1),
            repeats_left: MOST_REPEATED,
            sexp_depth: self.depth.max(crate::DEFAULT_DEPTH),
        };
        parsing.value(self.root(), json)
    }
}

struct Parsing<'t> {
    ty: &'t Type,
    depth_left: u32,
    /// In bytes of memory.
    repeats_left: u64,
    /// How deep S-expressions in a value may be, which are no levels of their own.
    sexp_depth: u32,
}

impl Parsing<'_> {
    fn value(&mut self, at: At<'_>, json: &Json) -> Read {
        let Some(left) = self.depth_left.checked_sub(1) else {
            return Err(Error::new(ErrorKind::TooDeep(self.ty.depth)));
        };
        self.depth_left = left;
        let ty = self.ty;
        let value = ty.visit(at, |node, at| self.node(node, at, json));
        self.depth_left += 1;
        value
    }

    fn node(&mut self, node: &Node, at: At<'_>, json: &Json) -> Read {
        match node {
            Node::Option(inner) | Node::OrNull(inner) => self.option(at.to(*inner), json),
            Node::List(element) | Node::Distinct(element, _) => {
                self.list(at.to(*element), json).map(Value::List)
            }
            Node::Matrix(element, _) => self.matrix(at.to(*element), json),
            Node::Blob(inner) => self.value(at.to(*inner), json),
            Node::Tuple(parts) => self.parts(parts, at, json).map(Value::Tuple),
            Node::Record(fields) => self.record(fields, at, json),
            Node::Variant(constructors) => self.variant(constructors, at, json),
            Node::Polymorphic(rows) => self.polymorphic(rows, at, json),
            Node::Sexp => self.sexp(json, self.sexp_depth).map(Value::Sexp),
            Node::Bytes | Node::OpaqueBlob => self.bytes(json).map(Value::Bytes),
            node => simple(node, json).ok_or_else(|| Error::mismatch(node.describe(), json)),
        }
    }

    fn option(&mut self, at: At<'_>, json: &Json) -> Read {
        match (json, json.get("some")) {
            (Json::Null, _) => Ok(Value::Option(None)),
            (_, Some(value)) => Ok(Value::Option(Some(Box::new(self.value(at, value)?)))),
            (other, None) => Err(Error::mismatch(r#"null or {"some": …}"#, other)),
        }
    }

    /// The count of an abbreviation of things of this size, as far as abbreviations may still go.
    fn count(&mut self, json: &Json, size: usize) -> Result<usize, Error> {
        let count = json.get("count").and_then(Json::as_u64);
        let count = count.ok_or_else(|| Error::mismatch("a count", json))?;
        let total = count.checked_mul(size.max(1) as u64);
        let left = total.and_then(|total| self.repeats_left.checked_sub(total));
        let too_many = || {
            let expected = format!("a count that makes at most {MOST_REPEATED} bytes");
            Error::mismatch(expected, count)
        };
        self.repeats_left = left.ok_or_else(too_many)?;
        usize::try_from(count).map_err(|_| too_many())
    }

    fn list(&mut self, at: At<'_>, json: &Json) -> Result<Vec<Value>, Error> {
        if let Some(item) = json.get("repeat") {
            let value = self.value(at, item)?;
            let count = self.count(json, footprint(&value))?;
            return Ok(vec![value; count]);
        }
        let items = array(json)?;
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            values.push(self.value(at, item).within(|| Segment::Index(index))?);
        }
        Ok(values)
    }

    fn matrix(&mut self, at: At<'_>, json: &Json) -> Read {
        let mut values = Vec::new();
        for (index, row) in array(member(json, "rows")?)?.iter().enumerate() {
            values.push(self.list(at, row).within(|| Segment::Index(index))?);
        }
        Matrix::from_rows(&values)
            .map(Value::Matrix)
            .ok_or_else(|| Error::mismatch("rows of one length", json))
    }

    fn parts(&mut self, parts: &[usize], at: At<'_>, json: &Json) -> Result<Vec<Value>, Error> {
        let items = array(json)?;
        if items.len() != parts.len() {
            return Err(Error::mismatch(format!("{} parts", parts.len()), json));
        }
        let mut values = Vec::with_capacity(items.len());
        for (index, (part, item)) in parts.iter().zip(items).enumerate() {
            let value = self.value(at.to(*part), item);
            values.push(value.within(|| Segment::Index(index))?);
        }
        Ok(values)
    }

    fn record(&mut self, fields: &[(Name, usize)], at: At<'_>, json: &Json) -> Read {
        let Json::Object(object) = json else {
            return Err(Error::mismatch("record", json));
        };
        let mut values = Vec::with_capacity(fields.len());
        for (name, part) in fields {
            let value = match object.get(&name.to_string()) {
                Some(json) => self.value(at.to(*part), json),
                None => Err(Error::mismatch("the field", "none")),
            };
            values.push((name.clone(), value.within(|| Segment::Field(name.clone()))?));
        }
        let is_field = |key: &str| fields.iter().any(|(name, _)| name.to_string() == key);
        match object.keys().find(|key| !is_field(key)) {
            Some(other) => Err(Error::mismatch("a field of the type", other)),
            None => Ok(Value::Record(values)),
        }
    }

    fn variant(&mut self, constructors: &[Constructor], at: At<'_>, json: &Json) -> Read {
        let tag = tag(json)?;
        let constructor = constructors
            .iter()
            .find(|each| each.name.to_string() == tag);
        let Some(Constructor { name, arguments }) = constructor else {
            return Err(Error::mismatch("a constructor of the type", tag));
        };
        let values = self.parts(arguments, at, member(json, "args")?);
        let values = values.within(|| Segment::Constructor(name.clone()))?;
        Ok(Value::Variant(name.clone(), values))
    }

    fn polymorphic(&mut self, rows: &[Row], at: At<'_>, json: &Json) -> Read {
        let tag = tag(json)?;
        let Some(row) = rows.iter().find(|row| row.name.to_string() == tag) else {
            return Err(Error::mismatch("a constructor of the type", tag));
        };
        let argument = match (row.argument, json.get("arg")) {
            (None, None) => None,
            (Some(part), Some(json)) => {
                let value = self.value(at.to(part), json);
                let value = value.within(|| Segment::Constructor(row.name.clone()))?;
                Some(Box::new(value))
            }
            (Some(_), None) => return Err(Error::mismatch("an argument", json)),
            (None, Some(_)) => return Err(Error::mismatch("no argument", json)),
        };
        Ok(Value::Polymorphic(row.name.clone(), argument))
    }

    fn sexp(&mut self, json: &Json, depth_left: u32) -> Result<Sexp, Error> {
        let Some(depth_left) = depth_left.checked_sub(1) else {
            return Err(Error::new(ErrorKind::TooDeep(self.sexp_depth)));
        };
        // In a function of its own, what a level needs only for a moment is not on the stack below.
        let items = match atom_or_items(json)? {
            Err(atom) => return self.bytes(atom).map(Sexp::Atom),
            Ok(items) => items,
        };
        let mut sexps = Vec::with_capacity(items.len());
        for item in items {
            sexps.push(self.sexp(item, depth_left)?);
        }
        Ok(Sexp::List(sexps))
    }

    fn bytes(&mut self, json: &Json) -> Result<ByteString, Error> {
        let text = |name| json.get(name).and_then(Json::as_str);
        let bytes = match (json, text("hex"), text("repeat_hex")) {
            (Json::String(text), _, _) => return Ok(text.as_str().into()),
            (_, Some(digits), _) => hex(digits),
            (_, None, Some(digits)) => match hex(digits) {
                Some(bytes) => Some(bytes.repeat(self.count(json, bytes.len())?)),
                None => None,
            },
            (_, None, None) => None,
        };
        let bytes = bytes.ok_or_else(|| Error::mismatch(r#"a string or {"hex": …}"#, json))?;
        Ok(ByteString(bytes))
    }
}

/// How many bytes a value takes in memory, about.
fn footprint(value: &Value) -> usize {
    let all = |values: &[Value]| values.iter().map(footprint).sum::<usize>();
    let inside = match value {
        Value::Unit
        | Value::Bool(_)
        | Value::Char(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Float32(_)
        | Value::Md5(_)
        | Value::Date(_)
        | Value::Option(None)
        | Value::Polymorphic(_, None) => 0,
        Value::Bytes(bytes) => bytes.as_bytes().len(),
        Value::Sexp(sexp) => sexp_footprint(sexp),
        Value::Option(Some(value)) | Value::Polymorphic(_, Some(value)) => footprint(value),
        Value::List(values) | Value::Tuple(values) | Value::Variant(_, values) => all(values),
        Value::Matrix(matrix) => all(&matrix.elements),
        Value::Record(fields) => {
            let values = fields.iter().map(|(_, value)| footprint(value));
            values.sum::<usize>() + size_of_val(fields.as_slice())
        }
    };
    size_of::<Value>() + inside
}

fn sexp_footprint(sexp: &Sexp) -> usize {
    let inside = match sexp {
        Sexp::Atom(atom) => atom.as_bytes().len(),
        Sexp::List(items) => items.iter().map(sexp_footprint).sum(),
    };
    size_of::<Sexp>() + inside
}

/// The items of a list, or else the atom, in the JSON of an S-expression.
fn atom_or_items(json: &Json) -> Result<Result<&[Json], &Json>, Error> {
    match (tag(json)?, array(member(json, "args")?)?) {
        ("Atom", [atom]) => Ok(Err(atom)),
        ("List", [items]) => array(items).map(Ok),
        _ => Err(Error::mismatch("Atom or List", json)),
    }
}

fn member<'a>(json: &'a Json, name: &str) -> Result<&'a Json, Error> {
    let expected = || Error::mismatch(format!("an object with {name}"), json);
    json.get(name).ok_or_else(expected)
}

fn array(json: &Json) -> Result<&[Json], Error> {
    match json {
        Json::Array(items) => Ok(items),
        other => Err(Error::mismatch("an array", other)),
    }
}

fn tag(json: &Json) -> Result<&str, Error> {
    let expected = || Error::mismatch(r#"{"tag": …}"#, json);
    json.get("tag").and_then(Json::as_str).ok_or_else(expected)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let byte = |pair: &[u8; 2]| {
        let pair = str::from_utf8(pair).ok()?;
        // The number parser would take a sign.
        let is_hex = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hex.then(|| u8::from_str_radix(pair, 16).ok())?
    };
    pairs.iter().map(byte).collect()
}

fn simple(node: &Node, json: &Json) -> Option<Value> {
    let bits = |name: &str| {
        let digits = json.get(name)?.as_str()?;
        u64::from_str_radix(digits, 16).ok()
    };
    Some(match node {
        Node::Unit | Node::UnitV2 => {
            json.as_null()?;
            Value::Unit
        }
        Node::Bool => Value::Bool(json.as_bool()?),
        Node::Char => Value::Char(json.as_u64()?.try_into().ok()?),
        Node::Int(_) => Value::Int(json.as_i64()?),
        Node::Float => Value::Float(match json.as_f64() {
            Some(number) => number,
            None => f64::from_bits(bits("f64")?),
        }),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the nearest float of 32 bits is what is meant"
        )]
        Node::Float32 => Value::Float32(match json.as_f64() {
            Some(number) => number as f32,
            None => f32::from_bits(bits("f32")?.try_into().ok()?),
        }),
        Node::Md5 => Value::Md5(json.get("hex")?.as_str()?.parse().ok()?),
        Node::Date => {
            let number = |name: &str| json.get(name)?.as_u64();
            let month = match json.get("month")? {
                Json::String(name) => Month::ALL
                    .into_iter()
                    .find(|month| format!("{month:?}") == *name)?,
                number => Month::from_number(number.as_u64()?.try_into().ok()?)?,
            };
            let year = number("year")?.try_into().ok()?;
            Value::Date(Date::new(year, month, number("day")?.try_into().ok()?)?)
        }
        _ => return None,
    })
}
