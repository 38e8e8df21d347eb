//! Values and their bytes, by their shape alone.

use bin_prot::dynamic::{Type, Value};
use bin_prot::variant;
use rpc_testkit::golden::Vector;
use serde_json::Value as Json;

use super::Scope;
use crate::compare;
use crate::report::{Checked, Problem};
use crate::types::reader;

/// `bin_prot`: the value has these bytes, and these bytes are the value.
pub(super) fn check(vector: &Vector, scope: Scope<'_>) -> Checked {
    let ty = scope.get(&vector.type_name)?;
    let bytes = vector.bytes()?;
    check_both_ways(&ty, vector.value()?, &bytes).map(drop)
}

/// The value of some JSON, after it was written to these bytes and read from them.
pub(super) fn check_both_ways(ty: &Type, json: &Json, bytes: &[u8]) -> Checked<Value> {
    let value = parse(ty, json)?;
    check_written(ty, &value, bytes)?;
    check_read(ty, &value, bytes, bytes.len())?;
    Ok(value)
}

/// `bin_prot_decode`: the first bytes are the value, for which others would be written.
pub(super) fn check_decode(vector: &Vector, scope: Scope<'_>) -> Checked {
    let ty = scope.get(&vector.type_name)?;
    let value = parse(&ty, vector.value()?)?;
    let consumed = vector.number("consumed")?;
    let consumed = consumed.ok_or_else(|| vector.malformed("has no consumed"))?;
    let consumed = usize::try_from(consumed).unwrap_or(usize::MAX);
    check_written(&ty, &value, &vector.hex("canonical_hex")?)?;
    check_read(&ty, &value, &vector.bytes()?, consumed)
}

/// `variant_hash`: a constructor's name, its hash, and its four bytes.
pub(super) fn check_hash(vector: &Vector) -> Checked {
    let name = vector.text("value")?;
    let hash = vector.field("hash")?;
    compare::json("hash", hash, &variant::hash(name).into())?;
    compare::bytes("tag", &vector.bytes()?, &variant::tag(name))
}

pub(super) fn parse(ty: &Type, json: &Json) -> Checked<Value> {
    ty.parse_json(json)
        .map_err(|error| Problem::differs("value", "one of the type", error))
}

fn check_written(ty: &Type, value: &Value, bytes: &[u8]) -> Checked {
    let refused = |error| Problem::differs("encoding", "some", error);
    let written = ty.to_vec(value).map_err(refused)?;
    compare::bytes("encoding", bytes, &written)?;
    compare::equal("size", bytes.len(), ty.size(value).map_err(refused)?)
}

fn check_read(ty: &Type, value: &Value, bytes: &[u8], consumed: usize) -> Checked {
    let mut reader = reader(bytes);
    let read = ty
        .read(&mut reader)
        .map_err(|error| Problem::differs("decoding", "a value", error))?;
    compare::json("decoded value", &value.to_json(), &read.to_json())?;
    compare::equal("bytes read", consumed, reader.offset())
}
