//! Messages, alone and in frames.
//!
//! Each is checked twice: by its shape, as any other value, and by the types of `rpc-wire`, whose
//! fields have to be those of the value.

use bin_prot::dynamic::Type;
use bin_prot::{BinWrite, from_slice, to_vec};
use bytes::Bytes;
use rpc_testkit::golden::Vector;
use rpc_wire::{
    Data, DescriptionRef, Envelope, Header, Message, OwnedMessage, Query, Response, ResponseForm,
    RpcError, Specifier, frame,
};
use serde_json::{Value as Json, json};

use super::payload::Payload;
use super::{Scope, negotiation, value};
use crate::compare;
use crate::report::{Checked, Problem};

/// The protocol's message as vectors describe it: with the payload as a string, whose length is
/// the payload's (*protocol* §6).
const MESSAGE: &str = "Message(string)";

/// `message`: what a frame holds.
pub(super) fn check(vector: &Vector, scope: Scope<'_>) -> Checked {
    check_content(vector, &vector.bytes()?, scope)
}

/// `frame`: a length, and what it holds.
pub(super) fn check_frame(vector: &Vector, scope: Scope<'_>) -> Checked {
    let bytes = vector.bytes()?;
    let body = match frame::split(&bytes, frame::DEFAULT_LIMIT) {
        Ok(Some((body, rest))) => {
            compare::equal("bytes after the frame", 0, rest.len())?;
            body
        }
        Ok(None) => return Err(Problem::differs("frame", "a whole one", "too few bytes")),
        Err(error) => return Err(Problem::differs("frame", "a length", error)),
    };
    check_content(vector, body, scope)?;
    let mut framed = Vec::new();
    let append = |buffer: &mut Vec<u8>| {
        buffer.extend_from_slice(body);
        Ok::<_, bin_prot::WriteError>(())
    };
    match frame::append(&mut framed, frame::DEFAULT_LIMIT, body.len(), append) {
        Ok(_) => compare::bytes("frame", &bytes, &framed),
        Err(error) => Err(Problem::differs("frame", "one", error)),
    }
}

/// `message_bare_unit`: the layout of a message whose payload is the value of unit, without the
/// length that every real payload has. Its byte is also the length of no payload at all.
pub(super) fn check_bare_unit(vector: &Vector, scope: Scope<'_>) -> Checked {
    let bytes = vector.bytes()?;
    let ty = scope.protocol("Message(unit)")?;
    value::check_both_ways(&ty, vector.value()?, &bytes)?;
    let ty = scope.protocol(MESSAGE)?;
    let empty = ty.from_slice(&bytes);
    let empty = empty.map_err(|error| Problem::differs("decoding", "a message", error))?;
    check_wire(&bytes, &empty.to_json(), scope).map(drop)
}

/// `rpc_error`: an error that crosses the wire, by its shape and as `rpc-wire` knows it.
pub(super) fn check_rpc_error(vector: &Vector, scope: Scope<'_>) -> Checked {
    let bytes = vector.bytes()?;
    let json = vector.value()?;
    let ty = match vector.type_name.as_str() {
        "" => scope.protocol("Rpc_error")?,
        key => scope.get(key)?,
    };
    value::check_both_ways(&ty, json, &bytes)?;
    let error: RpcError =
        from_slice(&bytes).map_err(|error| Problem::differs("decoding", "an error", error))?;
    let printed = error.to_sexp();
    let constructor = match &printed {
        bin_prot::Sexp::Atom(name) => Some(name),
        bin_prot::Sexp::List(items) => match items.first() {
            Some(bin_prot::Sexp::Atom(name)) => Some(name),
            _ => None,
        },
    };
    let constructor = constructor.map(|name| name.to_string()).unwrap_or_default();
    compare::json("constructor", &json["tag"], &constructor.into())?;
    check_rewritten(&bytes, &error)
}

/// A header or a message, as `value` says.
fn check_content(vector: &Vector, body: &[u8], scope: Scope<'_>) -> Checked {
    let value = vector.value()?;
    let Some(name) = value.get("message") else {
        let entries = value.get("header");
        let missing = || vector.malformed("value has neither message nor header");
        return check_header(entries.ok_or_else(missing)?, body);
    };
    // As the variant that it is; constructors without fields have no body.
    let message = match value.get("body") {
        Some(body) => json!({"tag": name, "args": [body]}),
        None => json!({"tag": name, "args": []}),
    };
    let ty = scope.protocol(MESSAGE)?;
    let message = value::check_both_ways(&ty, &message, body)?;
    let data = check_wire(body, &message.to_json(), scope)?;
    let Some(payload) = vector.fields.get("payload_type") else {
        return Ok(());
    };
    let Some(payload) = payload.as_str() else {
        return Err(vector.malformed("payload_type is no string").into());
    };
    let data = data.ok_or_else(|| Problem::differs("payload", "one", "a message without"))?;
    Payload::of(payload, scope)?
        .check(vector.field("payload")?, data)
        .map_err(|problem| problem.within("payload"))
}

fn check_header(entries: &Json, body: &[u8]) -> Checked {
    let header = negotiation::header(entries)?;
    let read =
        Header::decode(body).map_err(|error| Problem::differs("decoding", "a header", error))?;
    compare::json("entries", &json!(header.entries()), &json!(read.entries()))?;
    check_rewritten(body, &read)
}

/// What `rpc-wire` reads has the fields of `expected`, and is written as it was. Gives the
/// message's payload.
fn check_wire<'a>(body: &'a [u8], expected: &Json, scope: Scope<'_>) -> Checked<Option<&'a [u8]>> {
    let undecodable = |error| Problem::differs("decoding", "a message", error);
    let message = Message::decode(body).map_err(undecodable)?;
    let fields = match &message {
        Message::Query(query) => query_json(query)?,
        Message::Response(response) => response_json(response, &*scope.protocol("Rpc_error")?)?,
        other => {
            compare::json("constructor", &expected["tag"], &json!(constructor(other)))?;
            expected.clone()
        }
    };
    compare::json("message", expected, &fields)?;
    check_rewritten(body, &message)?;
    let owned = OwnedMessage::decode(&Bytes::copy_from_slice(body)).map_err(undecodable)?;
    check_rewritten(body, &owned)?;
    match message {
        Message::Query(query) => payload(query.data).map(Some),
        Message::Response(response) => response.result.ok().map(payload).transpose(),
        _ => Ok(None),
    }
}

/// It is written as it was read, and its size was known.
pub(crate) fn check_rewritten(bytes: &[u8], value: &impl BinWrite) -> Checked {
    let written = to_vec(value).map_err(|error| Problem::differs("encoding", "some", error))?;
    compare::bytes("encoding", bytes, &written)?;
    compare::equal("size", bytes.len(), value.bin_size())
}

/// The name of a message that is read whole, by a type with the digest of the reference.
fn constructor(message: &Message<'_>) -> &'static str {
    match message {
        Message::Heartbeat => "Heartbeat",
        Message::Query(_) => "Query",
        Message::Response(_) => "Response",
        Message::Metadata(_) => "Metadata",
        Message::MetadataV2(_) => "Metadata_v2",
        Message::CloseReason(_) => "Close_reason",
        Message::CloseReasonDuplicated(_) => "Close_reason_duplicated",
        Message::CloseStarted => "Close_started",
        Message::CloseReasonV2(_) => "Close_reason_v2",
    }
}

/// The fields that were read, each under its name.
fn query_json(query: &Query<'_>) -> Checked<Json> {
    let id = query.header.id.get();
    let data = text_or_hex(payload(query.data)?);
    let keyed = |metadata: Option<rpc_wire::KeyedMetadata<'_>>| match metadata {
        None => Json::Null,
        Some(metadata) => {
            let pairs = metadata
                .iter()
                .map(|(key, payload)| json!([key, text_or_hex(payload)]));
            json!({"some": pairs.collect::<Vec<_>>()})
        }
    };
    let named = |rpc: DescriptionRef<'_>| (text_or_hex(rpc.name), rpc.version);
    Ok(match query.header.envelope {
        Envelope::V1 { rpc } => {
            let (tag, version) = named(rpc);
            tagged(
                "Query_v1",
                json!({"tag": tag, "version": version, "id": id, "data": data}),
            )
        }
        Envelope::V2 { rpc, metadata } => {
            let (tag, version) = named(rpc);
            let metadata = metadata.map(|payload| json!({"some": text_or_hex(payload)}));
            tagged(
                "Query_v2",
                json!({"tag": tag, "version": version, "id": id, "metadata": metadata, "data": data}),
            )
        }
        Envelope::V3 { rpc, metadata } => {
            let (tag, version) = named(rpc);
            let metadata = keyed(metadata);
            tagged(
                "Query_v3",
                json!({"tag": tag, "version": version, "id": id, "metadata": metadata, "data": data}),
            )
        }
        Envelope::V4 {
            specifier,
            metadata,
        } => {
            let specifier = match specifier {
                Specifier::Description(rpc) => {
                    let (tag, version) = named(rpc);
                    json!({"tag": "Tag_and_version", "args": [tag, version]})
                }
                Specifier::Rank(rank) => json!({"tag": "Rank", "args": [rank]}),
            };
            let metadata = keyed(metadata);
            tagged(
                "Query_v4",
                json!({"specifier": specifier, "id": id, "metadata": metadata, "data": data}),
            )
        }
    })
}

fn response_json(response: &Response<'_>, rpc_error: &Type) -> Checked<Json> {
    let id = response.header.id.get();
    let data = match &response.result {
        Ok(data) => json!({"tag": "Ok", "args": [text_or_hex(payload(*data)?)]}),
        Err(error) => {
            let unreadable = |error: String| Problem::differs("error", "a readable one", error);
            let bytes = to_vec(error).map_err(|error| unreadable(error.to_string()))?;
            let error = rpc_error.from_slice(&bytes);
            let error = error.map_err(|error| unreadable(error.to_string()))?;
            json!({"tag": "Error", "args": [error.to_json()]})
        }
    };
    Ok(match response.header.form {
        ResponseForm::V1 => tagged("Response_v1", json!({"id": id, "data": data})),
        ResponseForm::V2 { menu_index } => {
            let index = menu_index.map(|index| json!({"some": index.0}));
            tagged(
                "Response_v2",
                json!({"id": id, "impl_menu_index": index, "data": data}),
            )
        }
    })
}

fn tagged(name: &str, body: Json) -> Json {
    json!({"tag": name, "args": [body]})
}

fn payload(data: Data<'_>) -> Checked<&[u8]> {
    data.bytes()
        .map_err(|overlong| Problem::differs("payload", "as many bytes as announced", overlong))
}

/// Bytes as vectors write them.
fn text_or_hex(bytes: &[u8]) -> Json {
    bin_prot::dynamic::Value::Bytes(bytes.into()).to_json()
}
