//! Menus for machines: an object in each line.

use std::io::{self, Write};

use rpc_core::RpcShapes;
use rpc_wire::{Description, RpcDigests};
use serde_json::{Map, Value, json};

use super::diff::{Change, Diff};
use super::offer::{Offer, named};
use crate::decode::text::shown;

/// `{"name":…,"version":…,"kind":…,"digests":{…}}` for each RPC; `"shapes"`, too, if they are wanted and
/// known.
pub(crate) fn offer(offer: &Offer, with_shapes: bool, out: &mut impl Write) -> io::Result<()> {
    for offered in &offer.rpcs {
        let mut object = rpc(&offered.rpc);
        object.extend(types(&offered.digests));
        if let (true, Some(shapes)) = (with_shapes, &offered.shapes) {
            object.insert("shapes".to_owned(), shapes_object(shapes));
        }
        writeln!(out, "{}", Value::Object(object))?;
    }
    Ok(())
}

/// `{"name":…,"version":…,"change":…}` for each change, with `"before"` and `"after"`, and at the end
/// `{"compatible":…,"not_told":…}`, with the number of those that could not be compared.
pub(crate) fn diff(diff: &Diff, out: &mut impl Write) -> io::Result<()> {
    for (description, change) in &diff.changes {
        let (what, before, after) = match change {
            Change::Added(after) => ("added", None, Some(after)),
            Change::Removed(before) => ("removed", Some(before), None),
            Change::Changed { before, after } => ("changed", Some(before), Some(after)),
            Change::NotTold => ("not_told", None, None),
        };
        let mut object = rpc(description);
        object.insert("change".to_owned(), what.into());
        for (when, digests) in [("before", before), ("after", after)] {
            if let Some(digests) = digests {
                object.insert(when.to_owned(), types(digests).collect());
            }
        }
        writeln!(out, "{}", Value::Object(object))?;
    }
    let compatible = diff.is_compatible();
    let not_told = diff.not_told();
    let verdict = json!({ "compatible": compatible, "not_told": not_told });
    writeln!(out, "{verdict}")
}

fn rpc(rpc: &Description) -> Map<String, Value> {
    // As `rpc decode --json` tells it.
    let name = shown(rpc.name.as_bytes(), usize::MAX);
    let pairs = [("name", name.into()), ("version", rpc.version.into())];
    pairs
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect()
}

fn types(digests: &RpcDigests) -> impl Iterator<Item = (String, Value)> {
    let kind = match digests {
        RpcDigests::Unknown => Value::Null,
        known => known.kind().into(),
    };
    let parts = named(digests).into_iter();
    let parts: Map<_, _> = parts
        .map(|(what, digest)| (what.to_owned(), digest.into()))
        .collect();
    [("kind", kind), ("digests", Value::Object(parts))]
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
}

/// Shapes are S-expressions, and told as their text.
fn shapes_object(shapes: &RpcShapes) -> Value {
    let text = |shape: &bin_prot::shape::Shape| shape.to_sexp().to_string();
    match shapes {
        RpcShapes::Rpc { query, response } => {
            json!({ "query": text(query), "response": text(response) })
        }
        RpcShapes::OneWay { msg } => json!({ "msg": text(msg) }),
        RpcShapes::StreamingRpc {
            query,
            initial_response,
            update_response,
            error,
        } => json!({
            "query": text(query),
            "initial_response": text(initial_response),
            "update_response": text(update_response),
            "error": text(error),
        }),
        RpcShapes::Unknown => Value::Null,
    }
}
