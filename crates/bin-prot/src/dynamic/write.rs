//! Values to bytes: the exact size first, by the same walk.

use std::collections::HashSet;

use super::Type;
use super::environment::At;
use super::error::{Error, ErrorKind, Segment, Within as _};
use super::node::{Constructor, Key, Node, Row, tag_size};
use super::value::{Matrix, Name, Value};
use crate::error::WriteError;
use crate::write::BinWrite;
use crate::{Int64Bit, Nat0};

pub(super) fn size(ty: &Type, value: &Value) -> Result<usize, Error> {
    let mut size = 0;
    Writing::new(ty, Output::Size(&mut size)).value(ty.root(), value)?;
    Ok(size)
}

pub(super) fn write(ty: &Type, value: &Value, buffer: &mut Vec<u8>) -> Result<(), Error> {
    Writing::new(ty, Output::Bytes(buffer)).value(ty.root(), value)
}

/// What makes two elements of a container equal: what is written for their keys.
pub(super) fn key(ty: &Type, at: At<'_>, key: Key, element: &Value) -> Result<Vec<u8>, Error> {
    let mut buffer = Vec::new();
    ty.visit(at, |node, at| {
        let (at, value) = match (key, node, element) {
            (Key::First, Node::Tuple(parts), Value::Tuple(values)) => {
                match (parts.first(), values.first()) {
                    (Some(part), Some(value)) => (at.to(*part), value),
                    _ => (at, element),
                }
            }
            _ => (at, element),
        };
        // Keys in this key were compared, or will be, when it was or is read or written itself.
        let mut writing = Writing::new(ty, Output::Bytes(&mut buffer));
        writing.compares_keys = false;
        writing.value(at, value)
    })?;
    Ok(buffer)
}

/// Where bytes go, or are counted.
enum Output<'o> {
    Size(&'o mut usize),
    Bytes(&'o mut Vec<u8>),
}

impl Output<'_> {
    fn put<T: BinWrite + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        match self {
            Self::Size(size) => {
                **size += value.bin_size();
                Ok(())
            }
            Self::Bytes(buffer) => value.bin_write(buffer),
        }
    }

    fn put_raw(&mut self, bytes: &[u8]) {
        match self {
            Self::Size(size) => **size += bytes.len(),
            Self::Bytes(buffer) => buffer.extend_from_slice(bytes),
        }
    }

    fn put_count(&mut self, count: usize) -> Result<(), WriteError> {
        self.put(&Nat0(count as u64))
    }

    /// How much there is, of this value and of what came before.
    fn length(&self) -> usize {
        match self {
            Self::Size(size) => **size,
            Self::Bytes(buffer) => buffer.len(),
        }
    }

    /// Puts bytes in the place of as many that were put there before.
    fn replace(&mut self, place: usize, bytes: &[u8]) {
        if let Self::Bytes(buffer) = self
            && let Some(before) = buffer.get_mut(place..place + bytes.len())
        {
            before.copy_from_slice(bytes);
        }
    }
}

struct Writing<'t, 'o> {
    ty: &'t Type,
    output: Output<'o>,
    depth_left: u32,
    /// Whether elements of sets, and keys of maps, must not come twice.
    compares_keys: bool,
}

type Written = Result<(), Error>;

impl<'t, 'o> Writing<'t, 'o> {
    fn new(ty: &'t Type, output: Output<'o>) -> Self {
        // A size says nothing of equality.
        let compares_keys = matches!(output, Output::Bytes(_));
        Self {
            ty,
            output,
            depth_left: ty.depth,
            compares_keys,
        }
    }

    fn value(&mut self, at: At<'_>, value: &Value) -> Written {
        let ty = self.ty;
        ty.visit(at, |node, at| self.node(node, at, value))
    }

    /// A part of another value, one level deeper.
    fn part(&mut self, at: At<'_>, value: &Value) -> Written {
        let Some(left) = self.depth_left.checked_sub(1) else {
            return Err(Error::new(ErrorKind::TooDeep(self.ty.depth)));
        };
        self.depth_left = left;
        let written = self.value(at, value);
        self.depth_left += 1;
        written
    }

    fn node(&mut self, node: &Node, at: At<'_>, value: &Value) -> Written {
        match (node, value) {
            (Node::Option(inner) | Node::OrNull(inner), Value::Option(option)) => {
                self.option(at.to(*inner), option.as_deref())
            }
            (Node::List(element), Value::List(values)) => self.list(at.to(*element), None, values),
            (Node::Distinct(element, key), Value::List(values)) => {
                self.list(at.to(*element), Some(*key), values)
            }
            (Node::Matrix(element, _), Value::Matrix(matrix)) => {
                self.matrix(at.to(*element), matrix)
            }
            (Node::Blob(inner), value) => self.blob(at.to(*inner), value),
            (Node::Tuple(parts), Value::Tuple(values)) if parts.len() == values.len() => {
                self.parts(parts, at, values)
            }
            (Node::Tuple(parts), Value::Tuple(values)) => Err(Error::mismatch(
                format!("{} components", parts.len()),
                values.len(),
            )),
            (Node::Record(fields), Value::Record(values)) => self.record(fields, at, values),
            (Node::Variant(constructors), Value::Variant(name, arguments)) => {
                self.variant(constructors, at, name, arguments)
            }
            (Node::Polymorphic(rows), Value::Polymorphic(name, argument)) => {
                self.polymorphic(rows, at, name, argument.as_deref())
            }
            (node, value) => self.simple(node, value),
        }
    }

    fn simple(&mut self, node: &Node, value: &Value) -> Written {
        let output = &mut self.output;
        match (node, value) {
            (Node::Unit, Value::Unit) => output.put(&())?,
            (Node::UnitV2, Value::Unit) => {}
            (Node::Bool, Value::Bool(value)) => output.put(value)?,
            (Node::Char, Value::Char(value)) => output.put_raw(&[*value]),
            (Node::Float, Value::Float(value)) => output.put(value)?,
            (Node::Float32, Value::Float32(value)) => output.put_raw(&value.to_le_bytes()),
            (Node::Bytes, Value::Bytes(value)) => output.put(value)?,
            (Node::Md5, Value::Md5(value)) => output.put(value)?,
            (Node::Date, Value::Date(value)) => output.put(value)?,
            (Node::Sexp, Value::Sexp(value)) => output.put(value)?,
            (Node::Int(integer), Value::Int(value)) => match output {
                Output::Size(size) => **size += (integer.size)(*value),
                Output::Bytes(buffer) => (integer.write)(*value, buffer)?,
            },
            (Node::OpaqueBlob, Value::Bytes(value)) => {
                self.blob_size(value.as_bytes().len())?;
                self.output.put_raw(value.as_bytes());
            }
            (node, value) => return Err(Error::mismatch(node.describe(), value.kind())),
        }
        Ok(())
    }

    fn option(&mut self, at: At<'_>, value: Option<&Value>) -> Written {
        match value {
            None => {
                self.output.put_raw(&[0]);
                Ok(())
            }
            Some(value) => {
                self.output.put_raw(&[1]);
                self.part(at, value)
            }
        }
    }

    fn list(&mut self, at: At<'_>, distinct: Option<Key>, values: &[Value]) -> Written {
        self.output.put_count(values.len())?;
        let mut keys = HashSet::new();
        for (index, value) in values.iter().enumerate() {
            self.part(at, value).within(|| Segment::Index(index))?;
            if let Some(key) = distinct.filter(|_| self.compares_keys)
                && !keys.insert(self::key(self.ty, at, key, value)?)
            {
                let error = WriteError::Invalid("duplicate key or element");
                return Err(Error::from(error).within(Segment::Index(index)));
            }
        }
        Ok(())
    }

    fn matrix(&mut self, at: At<'_>, matrix: &Matrix) -> Written {
        self.output.put_count(matrix.rows)?;
        self.output.put_count(matrix.columns)?;
        for (index, value) in matrix.elements.iter().enumerate() {
            self.part(at, value).within(|| Segment::Index(index))?;
        }
        Ok(())
    }

    /// The size is filled in afterwards. To ask for it before would be to walk along the value
    /// twice, along a blob in a blob four times, and along a type of blobs in blobs without end.
    fn blob(&mut self, at: At<'_>, value: &Value) -> Written {
        let place = self.output.length();
        self.blob_size(0)?;
        let start = self.output.length();
        self.part(at, value)?;
        let size = self.output.length() - start;
        self.output.replace(place, &(size as u64).to_le_bytes());
        Ok(())
    }

    fn blob_size(&mut self, size: usize) -> Result<(), WriteError> {
        let size = i64::try_from(size);
        let size = size.map_err(|_| WriteError::Invalid("a blob's size does not fit 63 bits"))?;
        self.output.put(&Int64Bit(size))
    }

    fn parts(&mut self, parts: &[usize], at: At<'_>, values: &[Value]) -> Written {
        for (index, (part, value)) in parts.iter().zip(values).enumerate() {
            let written = self.part(at.to(*part), value);
            written.within(|| Segment::Index(index))?;
        }
        Ok(())
    }

    fn record(
        &mut self,
        fields: &[(Name, usize)],
        at: At<'_>,
        values: &[(Name, Value)],
    ) -> Written {
        if fields.len() != values.len() {
            return Err(Error::mismatch(
                format!("{} fields", fields.len()),
                values.len(),
            ));
        }
        for ((name, part), (found, value)) in fields.iter().zip(values) {
            if name != found {
                return Err(Error::mismatch(format!("the field {name}"), found));
            }
            let written = self.part(at.to(*part), value);
            written.within(|| Segment::Field(name.clone()))?;
        }
        Ok(())
    }

    fn variant(
        &mut self,
        constructors: &[Constructor],
        at: At<'_>,
        name: &Name,
        arguments: &[Value],
    ) -> Written {
        let number = constructors.iter().position(|each| each.name == *name);
        let Some((number, constructor)) = number.and_then(|at| Some((at, constructors.get(at)?)))
        else {
            return Err(Error::mismatch("a constructor of the type", name));
        };
        if arguments.len() != constructor.arguments.len() {
            let expected = format!("{} arguments of {name}", constructor.arguments.len());
            return Err(Error::mismatch(expected, arguments.len()));
        }
        match number.to_le_bytes() {
            [low, ..] if tag_size(constructors) == 1 => self.output.put_raw(&[low]),
            [low, high, ..] => self.output.put_raw(&[low, high]),
        }
        let written = self.parts(&constructor.arguments, at, arguments);
        written.within(|| Segment::Constructor(name.clone()))
    }

    fn polymorphic(
        &mut self,
        rows: &[Row],
        at: At<'_>,
        name: &Name,
        argument: Option<&Value>,
    ) -> Written {
        let Some(row) = rows.iter().find(|row| row.name == *name) else {
            return Err(Error::mismatch("a constructor of the type", name));
        };
        self.output.put_raw(&row.tag);
        match (row.argument, argument) {
            (None, None) => Ok(()),
            (Some(part), Some(value)) => {
                let written = self.part(at.to(part), value);
                written.within(|| Segment::Constructor(name.clone()))
            }
            (Some(_), None) => Err(Error::mismatch(format!("an argument of {name}"), "none")),
            (None, Some(_)) => Err(Error::mismatch(format!("no argument of {name}"), "one")),
        }
    }
}
