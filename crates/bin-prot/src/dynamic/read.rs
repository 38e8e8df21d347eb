//! Values from bytes.

use std::collections::HashSet;

use super::environment::{At, Read};
use super::error::{Error, ErrorKind, Segment, Within as _};
use super::node::{Constructor, Key, Node, Row, tag_size};
use super::value::{Matrix, Name, Value};
use super::{Type, write};
use crate::error::{ReadError, ReadErrorKind};
use crate::library::Date;
use crate::read::{BinRead, Reader};
use crate::shape::Digest;
use crate::{Int64Bit, OpaqueBlob, Sexp, variant};

pub(super) fn read(ty: &Type, reader: &mut Reader<'_>) -> Read {
    let most = reader
        .remaining()
        .saturating_mul(VALUES_PER_BYTE)
        .saturating_add(FREE_VALUES);
    let mut reading = Reading {
        ty,
        left: most,
        most,
        depth_left: ty.depth,
    };
    reading.value(ty.root(), reader)
}

/// How many values there may be for each byte. Types whose values are wrapped many times over,
/// or contain parts that take no bytes, have more than one.
const VALUES_PER_BYTE: usize = 16;

/// How many values there may be however few the bytes.
const FREE_VALUES: usize = 1024;

struct Reading<'t> {
    ty: &'t Type,
    /// How many values there may still be.
    left: usize,
    most: usize,
    depth_left: u32,
}

impl Reading<'_> {
    fn value(&mut self, at: At<'_>, reader: &mut Reader<'_>) -> Read {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| Error::new(ErrorKind::TooManyValues(self.most)))?;
        let ty = self.ty;
        ty.visit(at, |node, at| self.node(node, at, reader))
    }

    fn node(&mut self, node: &Node, at: At<'_>, reader: &mut Reader<'_>) -> Read {
        match node {
            Node::Option(inner) => self.option(at.to(*inner), ReadErrorKind::OptionCode, reader),
            Node::OrNull(inner) => self.option(at.to(*inner), ReadErrorKind::OrNullCode, reader),
            Node::List(element) => self.list(at.to(*element), None, reader),
            Node::Distinct(element, key) => self.list(at.to(*element), Some(*key), reader),
            Node::Matrix(element, size) => self.matrix(at.to(*element), *size, reader),
            Node::Blob(inner) => self.blob(at.to(*inner), reader),
            Node::Tuple(parts) => self.parts(parts, at, reader).map(Value::Tuple),
            Node::Record(fields) => self.record(fields, at, reader),
            Node::Variant(constructors) => self.variant(constructors, at, reader),
            Node::Polymorphic(rows) => self.polymorphic(rows, at, reader),
            simple => Ok(self.simple(simple, reader)?),
        }
    }

    fn simple(&mut self, node: &Node, reader: &mut Reader<'_>) -> Result<Value, ReadError> {
        Ok(match node {
            Node::Unit => {
                <()>::bin_read(reader)?;
                Value::Unit
            }
            Node::UnitV2 => Value::Unit,
            Node::Bool => Value::Bool(bool::bin_read(reader)?),
            Node::Char => Value::Char(reader.byte()?),
            Node::Int(integer) => Value::Int((integer.read)(reader)?),
            Node::Float => Value::Float(f64::bin_read(reader)?),
            Node::Float32 => Value::Float32(f32::from_le_bytes(reader.array()?)),
            Node::Bytes => Value::Bytes(reader.byte_string()?.into()),
            Node::Md5 => Value::Md5(Digest::bin_read(reader)?),
            Node::Date => Value::Date(Date::bin_read(reader)?),
            Node::Sexp => Value::Sexp(Sexp::bin_read(reader)?),
            Node::OpaqueBlob => {
                let OpaqueBlob(bytes) = OpaqueBlob::bin_read(reader)?;
                Value::Bytes(bytes.as_ref().into())
            }
            // Those that are not simple do not come here.
            _ => return Err(reader.error(ReadErrorKind::EmptyType)),
        })
    }

    /// A part of another value, one level deeper.
    fn part(&mut self, at: At<'_>, reader: &mut Reader<'_>) -> Read {
        let Some(left) = self.depth_left.checked_sub(1) else {
            return Err(Error::new(ErrorKind::TooDeep(self.ty.depth)));
        };
        self.depth_left = left;
        let value = reader.nested(|reader| self.value(at, reader));
        self.depth_left += 1;
        value
    }

    fn option(
        &mut self,
        at: At<'_>,
        bad_code: fn(u8) -> ReadErrorKind,
        reader: &mut Reader<'_>,
    ) -> Read {
        let start = reader.offset();
        match reader.byte()? {
            0 => Ok(Value::Option(None)),
            1 => Ok(Value::Option(Some(Box::new(self.part(at, reader)?)))),
            code => Err(reader.error_at(start, bad_code(code)).into()),
        }
    }

    fn list(&mut self, at: At<'_>, distinct: Option<Key>, reader: &mut Reader<'_>) -> Read {
        let least = self.ty.least_size(at.node());
        let count = reader.count(least)?;
        let mut values = Vec::with_capacity(reader.reservation::<Value>(count));
        let mut keys = HashSet::new();
        for index in 0..count {
            let start = reader.offset();
            let value = self.part(at, reader).within(|| Segment::Index(index))?;
            if let Some(key) = distinct
                && !keys.insert(write::key(self.ty, at, key, &value)?)
            {
                let error = reader.error_at(start, ReadErrorKind::Duplicate);
                return Err(Error::from(error).within(Segment::Index(index)));
            }
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn matrix(&mut self, at: At<'_>, size: usize, reader: &mut Reader<'_>) -> Read {
        let (rows, columns) = crate::packed::dimensions(reader, size)?;
        let count = rows * columns;
        let mut elements = Vec::with_capacity(reader.reservation::<Value>(count));
        for index in 0..count {
            elements.push(self.part(at, reader).within(|| Segment::Index(index))?);
        }
        Ok(Value::Matrix(Matrix {
            rows,
            columns,
            elements,
        }))
    }

    fn blob(&mut self, at: At<'_>, reader: &mut Reader<'_>) -> Read {
        let start = reader.offset();
        let Int64Bit(size) = Int64Bit::bin_read(reader)?;
        let size = u64::try_from(size)
            .map_err(|_| reader.error_at(start, ReadErrorKind::OutOfRange(size)))?;
        reader.within(size, |reader| self.part(at, reader))
    }

    fn parts(
        &mut self,
        parts: &[usize],
        at: At<'_>,
        reader: &mut Reader<'_>,
    ) -> Result<Vec<Value>, Error> {
        let mut values = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            values.push(
                self.part(at.to(*part), reader)
                    .within(|| Segment::Index(index))?,
            );
        }
        Ok(values)
    }

    fn record(&mut self, fields: &[(Name, usize)], at: At<'_>, reader: &mut Reader<'_>) -> Read {
        let mut values = Vec::with_capacity(fields.len());
        for (name, part) in fields {
            let value = self.part(at.to(*part), reader);
            let value = value.within(|| Segment::Field(name.clone()))?;
            values.push((name.clone(), value));
        }
        Ok(Value::Record(values))
    }

    fn variant(
        &mut self,
        constructors: &[Constructor],
        at: At<'_>,
        reader: &mut Reader<'_>,
    ) -> Read {
        let tag = match tag_size(constructors) {
            1 => u16::from(reader.byte()?),
            _ => u16::from_le_bytes(reader.array()?),
        };
        let Some(constructor) = constructors.get(usize::from(tag)) else {
            let constructors = u16::try_from(constructors.len()).unwrap_or(u16::MAX);
            return Err(variant::bad_tag(reader, tag, constructors).into());
        };
        let arguments = self.parts(&constructor.arguments, at, reader);
        let arguments = arguments.within(|| Segment::Constructor(constructor.name.clone()))?;
        Ok(Value::Variant(constructor.name.clone(), arguments))
    }

    fn polymorphic(&mut self, rows: &[Row], at: At<'_>, reader: &mut Reader<'_>) -> Read {
        let tag = variant::read_polymorphic(reader)?;
        let row = rows.binary_search_by_key(&tag, |row| row.tag);
        let Some(row) = row.ok().and_then(|index| rows.get(index)) else {
            return Err(variant::unknown(reader, tag).into());
        };
        let argument = match row.argument {
            None => None,
            Some(part) => {
                let value = self.part(at.to(part), reader);
                Some(Box::new(
                    value.within(|| Segment::Constructor(row.name.clone()))?,
                ))
            }
        };
        Ok(Value::Polymorphic(row.name.clone(), argument))
    }
}
