//! Values from S-expressions.

use super::float;
use crate::dynamic::environment::{At, Read};
use crate::dynamic::error::{Error, ErrorKind, Segment, Within as _};
use crate::dynamic::node::{Constructor, Node, Row};
use crate::dynamic::value::{Matrix, Name};
use crate::dynamic::{Type, Value};
use crate::{ByteString, Sexp};

impl Type {
    /// The value that an S-expression stands for.
    ///
    /// # Errors
    /// It stands for no value of the type; the error says where.
    pub fn parse_sexp(&self, sexp: &Sexp) -> Result<Value, Error> {
        let mut parsing = Parsing {
            ty: self,
            // The value itself is no level.
            depth_left: self.depth.saturating_add(1),
        };
        parsing.value(self.root(), sexp)
    }
}

struct Parsing<'t> {
    ty: &'t Type,
    depth_left: u32,
}

impl Parsing<'_> {
    fn value(&mut self, at: At<'_>, sexp: &Sexp) -> Read {
        let Some(left) = self.depth_left.checked_sub(1) else {
            return Err(Error::new(ErrorKind::TooDeep(self.ty.depth)));
        };
        self.depth_left = left;
        let ty = self.ty;
        let value = ty.visit(at, |node, at| self.node(node, at, sexp));
        self.depth_left += 1;
        value
    }

    fn node(&mut self, node: &Node, at: At<'_>, sexp: &Sexp) -> Read {
        match (node, sexp) {
            (Node::Sexp, sexp) => Ok(Value::Sexp(sexp.clone())),
            (Node::Blob(inner), sexp) => self.value(at.to(*inner), sexp),
            (Node::Variant(constructors), sexp) => self.variant(constructors, at, sexp),
            (Node::Polymorphic(rows), sexp) => self.polymorphic(rows, at, sexp),
            (node, Sexp::List(items)) => self.list(node, at, items, sexp),
            (node, Sexp::Atom(atom)) => {
                simple(node, atom).ok_or_else(|| Error::mismatch(node.describe(), sexp))
            }
        }
    }

    fn list(&mut self, node: &Node, at: At<'_>, items: &[Sexp], sexp: &Sexp) -> Read {
        match (node, items) {
            (Node::Unit | Node::UnitV2, []) => Ok(Value::Unit),
            (Node::Option(_) | Node::OrNull(_), []) => Ok(Value::Option(None)),
            (Node::Option(inner) | Node::OrNull(inner), [item]) => {
                let value = self.value(at.to(*inner), item)?;
                Ok(Value::Option(Some(Box::new(value))))
            }
            (Node::List(element) | Node::Distinct(element, _), items) => {
                self.items(at.to(*element), items).map(Value::List)
            }
            (Node::Matrix(element, _), rows) => self.matrix(at.to(*element), rows, sexp),
            (Node::Tuple(parts), items) if parts.len() == items.len() => {
                self.parts(parts, at, items).map(Value::Tuple)
            }
            (Node::Tuple(parts), _) => {
                Err(Error::mismatch(format!("{} components", parts.len()), sexp))
            }
            (Node::Record(fields), items) => self.record(fields, at, items),
            (node, _) => Err(Error::mismatch(node.describe(), sexp)),
        }
    }

    fn items(&mut self, at: At<'_>, items: &[Sexp]) -> Result<Vec<Value>, Error> {
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            values.push(self.value(at, item).within(|| Segment::Index(index))?);
        }
        Ok(values)
    }

    fn parts(&mut self, parts: &[usize], at: At<'_>, items: &[Sexp]) -> Result<Vec<Value>, Error> {
        let mut values = Vec::with_capacity(items.len());
        for (index, (part, item)) in parts.iter().zip(items).enumerate() {
            let value = self.value(at.to(*part), item);
            values.push(value.within(|| Segment::Index(index))?);
        }
        Ok(values)
    }

    fn matrix(&mut self, at: At<'_>, rows: &[Sexp], sexp: &Sexp) -> Read {
        let mut values = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            let Sexp::List(items) = row else {
                return Err(Error::mismatch("a row", row).within(Segment::Index(index)));
            };
            values.push(self.items(at, items).within(|| Segment::Index(index))?);
        }
        Matrix::from_rows(&values)
            .map(Value::Matrix)
            .ok_or_else(|| Error::mismatch("rows of one length", sexp))
    }

    fn record(&mut self, fields: &[(Name, usize)], at: At<'_>, items: &[Sexp]) -> Read {
        let mut values = Vec::with_capacity(fields.len());
        for (name, part) in fields {
            let mut found = items.iter().filter_map(|item| value_of(item, name));
            let value = match (found.next(), found.next()) {
                (Some(sexp), None) => self.value(at.to(*part), sexp),
                (Some(_), Some(again)) => Err(Error::mismatch("the field once", again)),
                (None, _) => Err(Error::mismatch("the field", "none")),
            };
            values.push((name.clone(), value.within(|| Segment::Field(name.clone()))?));
        }
        let is_field = |item: &&Sexp| {
            fields
                .iter()
                .any(|(name, _)| value_of(item, name).is_some())
        };
        match items.iter().find(|item| !is_field(item)) {
            Some(other) => Err(Error::mismatch("a field of the type", other)),
            None => Ok(Value::Record(values)),
        }
    }

    fn variant(&mut self, constructors: &[Constructor], at: At<'_>, sexp: &Sexp) -> Read {
        let (name, items) = tagged(sexp)?;
        let Some(constructor) = constructors
            .iter()
            .find(|constructor| constructor.name.as_bytes() == name.as_bytes())
        else {
            return Err(Error::mismatch("a constructor of the type", sexp));
        };
        let arguments = self.arguments(constructor, at, items, sexp);
        let arguments = arguments.within(|| Segment::Constructor(constructor.name.clone()))?;
        Ok(Value::Variant(constructor.name.clone(), arguments))
    }

    fn arguments(
        &mut self,
        constructor: &Constructor,
        at: At<'_>,
        items: &[Sexp],
        sexp: &Sexp,
    ) -> Result<Vec<Value>, Error> {
        let parts = &constructor.arguments;
        // Fields without parentheses around them all; with them there is one item, which is no
        // field, since its first part is a list or missing.
        if let [part] = parts.as_slice()
            && !matches!(items, [Sexp::List(fields)] if !matches!(fields.first(), Some(Sexp::Atom(_))))
        {
            let ty = self.ty;
            let inline = ty.visit(at.to(*part), |node, at| match node {
                Node::Record(fields) => self.record(fields, at, items).map(Some),
                _ => Ok(None),
            })?;
            if let Some(record) = inline {
                return Ok(vec![record]);
            }
        }
        if parts.len() != items.len() {
            let expected = format!("{} arguments", parts.len());
            return Err(Error::mismatch(expected, sexp));
        }
        self.parts(parts, at, items)
    }

    fn polymorphic(&mut self, rows: &[Row], at: At<'_>, sexp: &Sexp) -> Read {
        let (name, items) = tagged(sexp)?;
        let Some(row) = rows
            .iter()
            .find(|row| row.name.as_bytes() == name.as_bytes())
        else {
            return Err(Error::mismatch("a constructor of the type", sexp));
        };
        let argument = match (row.argument, items) {
            (None, []) => None,
            (Some(part), [item]) => {
                let value = self.value(at.to(part), item);
                let value = value.within(|| Segment::Constructor(row.name.clone()))?;
                Some(Box::new(value))
            }
            (None, _) => return Err(Error::mismatch("no argument", sexp)),
            (Some(_), _) => return Err(Error::mismatch("one argument", sexp)),
        };
        Ok(Value::Polymorphic(row.name.clone(), argument))
    }
}

/// The value in `(NAME VALUE)`, if that is the name.
fn value_of<'a>(field: &'a Sexp, expected: &Name) -> Option<&'a Sexp> {
    match field {
        Sexp::List(parts) => match parts.as_slice() {
            [Sexp::Atom(name), value] if name.as_bytes() == expected.as_bytes() => Some(value),
            _ => None,
        },
        Sexp::Atom(_) => None,
    }
}

/// `NAME` or `(NAME …)`.
fn tagged(sexp: &Sexp) -> Result<(&ByteString, &[Sexp]), Error> {
    match sexp {
        Sexp::Atom(name) => Ok((name, &[])),
        Sexp::List(items) => match items.as_slice() {
            [Sexp::Atom(name), items @ ..] => Ok((name, items)),
            _ => Err(Error::mismatch("a constructor", sexp)),
        },
    }
}

fn simple(node: &Node, atom: &ByteString) -> Option<Value> {
    if let Node::Bytes | Node::OpaqueBlob = node {
        return Some(Value::Bytes(atom.clone()));
    }
    if let Node::Char = node {
        return match atom.as_bytes() {
            [char] => Some(Value::Char(*char)),
            _ => None,
        };
    }
    let text = str::from_utf8(atom.as_bytes()).ok()?;
    Some(match node {
        Node::Bool => Value::Bool(text.parse().ok()?),
        Node::Int(_) => Value::Int(text.replace('_', "").parse().ok()?),
        Node::Float => Value::Float(float::parse(text)?),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the nearest float of 32 bits is what is meant"
        )]
        Node::Float32 => Value::Float32(float::parse(text)? as f32),
        Node::Md5 => Value::Md5(text.parse().ok()?),
        Node::Date => Value::Date(text.parse().ok()?),
        _ => return None,
    })
}
