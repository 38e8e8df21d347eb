//! The payloads of frames: what an RPC's type says, and the layer of streams around it.

use std::rc::Rc;

use bin_prot::dynamic::Type;
use bin_prot::{BinRead as _, Reader, from_slice};
use rpc_wire::stream::{self, Initial, StreamQuery, StreamResponse};
use serde_json::{Value as Json, json};

use super::{Scope, value};
use crate::compare;
use crate::report::{Checked, Problem};

/// What `payload_type` stands for: a type, or one of the three layers around types.
pub(super) enum Payload {
    Plain(Rc<Type>),
    StreamQuery(Rc<Type>),
    Initial(Rc<Type>, Rc<Type>),
    StreamResponse(Rc<Type>),
}

impl Payload {
    pub(super) fn of(name: &str, scope: Scope<'_>) -> Checked<Self> {
        // A vector may describe a whole payload under its own key.
        let whole = inner_type(name, scope).map(Self::Plain);
        let Some((layer, inner)) = layer_of(name) else {
            return whole;
        };
        let layered = match (layer, arguments(inner).as_slice()) {
            ("Stream_query", [query]) => Self::StreamQuery(inner_type(query, scope)?),
            ("Stream_response_data", [update]) => Self::StreamResponse(inner_type(update, scope)?),
            ("Stream_initial_message", [state, error]) => {
                Self::Initial(inner_type(state, scope)?, inner_type(error, scope)?)
            }
            _ => return whole,
        };
        Ok(layered)
    }

    /// Compares a payload with the value that a vector gives for it.
    pub(super) fn check(&self, json: &Json, data: &[u8]) -> Checked {
        match self {
            Self::Plain(ty) => value::check_both_ways(ty, json, data).map(drop),
            Self::StreamQuery(ty) => check_query(ty, json, data),
            Self::Initial(state, error) => check_initial(state, error, json, data),
            Self::StreamResponse(ty) => check_response(ty, json, data),
        }
    }
}

/// An argument of a layer.
fn inner_type(key: &str, scope: Scope<'_>) -> Checked<Rc<Type>> {
    // Info under another name (bin_prot §9.2).
    match (scope.get(key), key) {
        (Err(Problem::Unchecked(_)), "Error") => scope.protocol("Info"),
        (found, _) => found,
    }
}

/// `Layer(arguments)` in its parts.
fn layer_of(name: &str) -> Option<(&str, &str)> {
    let (layer, rest) = name.split_once('(')?;
    Some((layer, rest.strip_suffix(')')?))
}

/// The parts between those commas that are inside no brackets.
fn arguments(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    text.split(|c: char| {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .collect()
}

/// *Protocol* §8.1.
fn check_query(ty: &Type, json: &Json, data: &[u8]) -> Checked {
    let read: StreamQuery<'_> =
        from_slice(data).map_err(|error| undecodable("query of a stream", error))?;
    match read {
        StreamQuery::Query(inner) => {
            compare::json("constructor", &json["tag"], &json!("Query"))?;
            let inner = inner_bytes(stream::exact(inner))?;
            value::check_both_ways(ty, &json["arg"], inner)?;
            let mut written = Vec::new();
            stream::write_before_query(inner.len(), &mut written);
            written.extend_from_slice(inner);
            compare::bytes("encoding", data, &written)?;
            compare::equal("size", data.len(), stream::query_size(inner.len()))
        }
        StreamQuery::Abort => {
            compare::json("constructor", &json["tag"], &json!("Abort"))?;
            compare::equal("recognised as abort", true, stream::is_abort(data))?;
            compare::bytes("encoding", data, stream::ABORT_PAYLOAD)
        }
    }
}

/// *Protocol* §8.2.
fn check_initial(state: &Type, error: &Type, json: &Json, data: &[u8]) -> Checked {
    let (initial, inner) =
        Initial::split(data).map_err(|error| undecodable("initial response", error))?;
    let unused_query_id = i64::bin_read(&mut Reader::new(data)).unwrap_or_default();
    compare::json(
        "unused id",
        &json["unused_query_id"],
        &json!(unused_query_id),
    )?;
    let (ty, constructor) = match initial {
        Initial::Ok => (state, "Ok"),
        Initial::Error => (error, "Error"),
    };
    compare::json("constructor", &json["initial"]["tag"], &json!(constructor))?;
    value::check_both_ways(ty, &json["initial"]["args"][0], inner)?;
    let mut written = Vec::new();
    initial.write_before(&mut written);
    written.extend_from_slice(inner);
    // What we write has always 0 there (C-DI-2).
    if unused_query_id == 0 {
        compare::bytes("encoding", data, &written)?;
        compare::equal("size", data.len(), Initial::payload_size(inner.len()))?;
    }
    Ok(())
}

/// *Protocol* §8.3.
fn check_response(ty: &Type, json: &Json, data: &[u8]) -> Checked {
    let read: StreamResponse<'_> =
        from_slice(data).map_err(|error| undecodable("response of a stream", error))?;
    match read {
        StreamResponse::Ok(inner) => {
            compare::json("constructor", &json["tag"], &json!("Ok"))?;
            let inner = inner_bytes(stream::exact(inner))?;
            value::check_both_ways(ty, &json["arg"], inner)?;
            let mut written = Vec::new();
            stream::write_before_update(inner.len(), &mut written);
            written.extend_from_slice(inner);
            compare::bytes("encoding", data, &written)?;
            compare::equal("size", data.len(), stream::update_size(inner.len()))
        }
        StreamResponse::Eof => {
            compare::json("constructor", &json["tag"], &json!("Eof"))?;
            compare::bytes("encoding", data, stream::EOF_PAYLOAD)
        }
    }
}

fn inner_bytes(bytes: Result<&[u8], bin_prot::ReadError>) -> Checked<&[u8]> {
    bytes.map_err(|error| undecodable("inner payload", error))
}

fn undecodable(what: &str, error: bin_prot::ReadError) -> Problem {
    Problem::differs("decoding", format_args!("a {what}"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_what_no_bracket_encloses() {
        assert_eq!(
            layer_of("Stream_query(int list)"),
            Some(("Stream_query", "int list"))
        );
        assert_eq!(arguments("unit, string"), ["unit", "string"]);
        assert_eq!(
            arguments("(a, b) result,{x:int}"),
            ["(a, b) result", "{x:int}"]
        );
    }
}
