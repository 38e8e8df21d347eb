//! One message as a line for people.
//!
//! ```text
//! [1]   0.0028 -> @44          32 B  query         echo-string v1  id 1  payload 2 B
//! connection   |  offset   frame's   kind
//!        time  direction      size
//! ```

use std::fmt::Write as _;

use rpc_wire::conversation::{
    Content, Direction, Event, Query, QueryForm, Response, ResponseItem, Rpc,
};
use rpc_wire::handshake::PeerMetadata;

use super::output::Circumstances;
use super::payload::Shown;
use super::text::{cut, one_line, shown};

/// How long a name, an identification or an error may be.
const TEXT_LIMIT: usize = 200;
/// How many keys of metadata are shown.
const KEYS_LIMIT: usize = 10;

/// The line, without its end.
pub(super) fn of(event: &Event, around: Circumstances<'_>, payload: Option<&Shown>) -> String {
    let mut line = String::new();
    if let Some(connection) = around.connection {
        push(&mut line, format_args!("[{}] ", connection.number));
    }
    if let Some(at) = around.at {
        push(&mut line, format_args!("{at:>10.4} "));
    }
    let arrow = match event.direction {
        Direction::FromClient => "->",
        Direction::FromServer => "<-",
    };
    let (kind, rest) = describe(&event.content, payload);
    let offset = format!("@{}", event.offset);
    let size = event.frame_bytes;
    push(
        &mut line,
        format_args!("{arrow} {offset:<9} {size:>7} B  {kind:<13} {rest}"),
    );
    line.truncate(line.trim_end().len());
    line
}

fn push(line: &mut String, text: std::fmt::Arguments<'_>) {
    line.write_fmt(text).expect("a String takes everything");
}

fn describe(content: &Content, payload: Option<&Shown>) -> (&'static str, String) {
    match content {
        Content::Header(header) => {
            let versions: Vec<_> = header
                .versions()
                .map(|version| version.to_string())
                .collect();
            ("header", format!("versions {}", versions.join(" ")))
        }
        Content::Negotiated(version) => ("negotiated", format!("version {version}")),
        Content::Metadata(metadata) => ("metadata", describe_metadata(metadata)),
        Content::Heartbeat => ("heartbeat", String::new()),
        Content::Query(query) => describe_query(query, payload),
        Content::Response(response) => describe_response(response, payload),
        Content::CloseStarted => ("close started", String::new()),
        Content::CloseReason(reason) => (
            "close reason",
            shown(reason.to_string().as_bytes(), TEXT_LIMIT),
        ),
        other => (
            "message",
            shown(format!("{other:?}").as_bytes(), TEXT_LIMIT),
        ),
    }
}

fn describe_metadata(metadata: &PeerMetadata) -> String {
    let identification = match &metadata.identification {
        Some(identification) => format!("\"{}\"", shown(identification, TEXT_LIMIT)),
        None => "no identification".to_owned(),
    };
    let menu = match &metadata.menu {
        Some(menu) => format!("menu of {}", menu.entries().len()),
        None => "no menu".to_owned(),
    };
    format!("{identification}  {menu}")
}

fn describe_query(query: &Query, payload: Option<&Shown>) -> (&'static str, String) {
    let kind = match query.form {
        QueryForm::Plain => "query",
        QueryForm::Stream => "stream query",
        QueryForm::Abort => "abort",
    };
    let mut rest = format!("{}  id {}", rpc(&query.rpc), query.id);
    for (key, value) in query.metadata.iter().take(KEYS_LIMIT) {
        let value = shown(value, TEXT_LIMIT);
        push(&mut rest, format_args!("  metadata {key} \"{value}\""));
    }
    if let more @ 1.. = query.metadata.len().saturating_sub(KEYS_LIMIT) {
        push(&mut rest, format_args!("  and {more} more keys"));
    }
    match (&query.payload, payload) {
        (Ok(bytes), Some(payload)) => push_payload(&mut rest, bytes, payload),
        (Ok(_), None) => {}
        (Err(overlong), _) => push(&mut rest, format_args!("  malformed: {overlong}")),
    }
    (kind, rest)
}

fn describe_response(response: &Response, payload: Option<&Shown>) -> (&'static str, String) {
    let rpc = match &response.query {
        Some(query) => rpc(&query.rpc),
        None => "(query not seen)".to_owned(),
    };
    let mut rest = format!("{rpc}  id {}", response.id);
    let (kind, bytes) = match &response.item {
        ResponseItem::Answer(bytes) => ("response", Some(bytes)),
        ResponseItem::Initial(bytes) => ("initial", Some(bytes)),
        ResponseItem::InitialError(bytes) => ("initial error", Some(bytes)),
        ResponseItem::Update { number, payload } => {
            push(&mut rest, format_args!("  number {number}"));
            ("update", Some(payload))
        }
        ResponseItem::End => ("end", None),
        ResponseItem::Error(error) => {
            let error = cut(one_line(&error.to_sexp()), TEXT_LIMIT);
            push(&mut rest, format_args!("  {error}"));
            ("error", None)
        }
        ResponseItem::Malformed(malformed) => {
            push(&mut rest, format_args!("  malformed: {malformed}"));
            ("response", None)
        }
        _ => ("response", None),
    };
    if let (Some(bytes), Some(payload)) = (bytes, payload) {
        push_payload(&mut rest, bytes, payload);
    }
    (kind, rest)
}

fn rpc(rpc: &Rpc) -> String {
    match rpc {
        Rpc::Named(description) => {
            let name = shown(description.name.as_bytes(), TEXT_LIMIT);
            format!("{name} v{}", description.version)
        }
        Rpc::Rank(rank) => format!("rank {rank}"),
    }
}

fn push_payload(line: &mut String, bytes: &[u8], payload: &Shown) {
    push(line, format_args!("  payload {} B", bytes.len()));
    match payload {
        Shown::Nothing => {}
        Shown::Hex(digits) => push(line, format_args!("  {digits}")),
        Shown::NoShape(digits) => push(line, format_args!("  no shape: {digits}")),
        Shown::Value(value) => push(line, format_args!("  {}", one_line(&value.to_sexp()))),
        Shown::Misfit { error, bytes } => {
            let error = shown(error.as_bytes(), TEXT_LIMIT);
            push(line, format_args!("  misfit: {error}: {bytes}"));
        }
    }
}
