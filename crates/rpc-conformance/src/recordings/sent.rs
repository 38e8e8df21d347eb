//! What a version sends: the form of each message, and what comes after what (*protocol* §3, §4).

use rpc_wire::conversation::Content;
use rpc_wire::{Envelope, Header, Message, ProtocolVersion, ResponseForm};

use super::Spoken;
use crate::compare;
use crate::report::{Checked, Problem};

pub(super) fn check(this: &Spoken<'_>, version: ProtocolVersion) -> Checked {
    for (_, event) in &this.frames {
        if let Content::Header(header) = &event.content {
            check_header(header).map_err(|problem| problem.within(this.place(event)))?;
        }
    }
    let mut closed = None;
    for sent in this.messages() {
        let (message, event) = sent?;
        let within = |problem: Problem| problem.within(this.place(event));
        if let Some(place) = &closed {
            let found = format!("a {}", message.kind());
            let what = format!("after the close reason ({place})");
            return Err(within(Problem::differs(what, "nothing", found)));
        }
        check_form(&message, version).map_err(within)?;
        if let Content::CloseReason(_) = event.content {
            closed = Some(this.place(event));
        }
    }
    Ok(())
}

/// A magic number, perhaps others, then the versions in order; from legacy peers the versions
/// alone (*protocol* §2.1).
fn check_header(header: &Header) -> Checked {
    let rpc = Header::new([]);
    let entries = header.entries();
    let versions: Vec<_> = header.versions().collect();
    let is_legacy = entries.len() == versions.len();
    if !is_legacy && entries.first() != rpc.entries().first() {
        return Err(Problem::differs(
            "header",
            "the magic number first",
            format_args!("{entries:?}"),
        ));
    }
    match entries.ends_with(&versions) && versions.is_sorted_by(|a, b| a < b) {
        true => Ok(()),
        false => Err(Problem::differs(
            "header",
            "ascending versions at its end",
            format_args!("{entries:?}"),
        )),
    }
}

/// The message is one that a sender chooses at this version.
fn check_form(message: &Message<'_>, version: ProtocolVersion) -> Checked {
    let is_sent = |name: &str, is_sent: bool| match is_sent {
        true => Ok(()),
        false => Err(Problem::differs(
            "message",
            format_args!("one that is sent at version {version}"),
            name,
        )),
    };
    match message {
        Message::Heartbeat => Ok(()),
        Message::Query(query) => {
            let sent = match () {
                () if version.has_query_by_rank() => "Query_v4",
                () if version.has_keyed_query_metadata() => "Query_v3",
                () if version.has_query_metadata() => "Query_v2",
                () => "Query_v1",
            };
            let found = match query.header.envelope {
                Envelope::V1 { .. } => "Query_v1",
                Envelope::V2 { .. } => "Query_v2",
                Envelope::V3 { .. } => "Query_v3",
                Envelope::V4 { .. } => "Query_v4",
            };
            compare::equal("query", sent, found)
        }
        Message::Response(response) => {
            let sent = match version.has_menu_index() {
                true => "Response_v2",
                false => "Response_v1",
            };
            let found = match response.header.form {
                ResponseForm::V1 => "Response_v1",
                ResponseForm::V2 { .. } => "Response_v2",
            };
            compare::equal("response", sent, found)?;
            match &response.result {
                // Another error would have been sent in its place (C-OP-6).
                Err(error) => {
                    compare::equal("error", error.clone().known_to(version), error.clone())
                }
                Ok(_) => Ok(()),
            }
        }
        Message::Metadata(_) => is_sent(
            "Metadata",
            version.has_connection_metadata() && !version.has_metadata_v2(),
        ),
        Message::MetadataV2(_) => is_sent("Metadata_v2", version.has_metadata_v2()),
        Message::CloseReason(_) => is_sent(
            "Close_reason",
            version.has_close_reason() && !version.has_structured_close_reason(),
        ),
        Message::CloseReasonDuplicated(_) => is_sent("Close_reason_duplicated", false),
        Message::CloseStarted => is_sent("Close_started", version.has_close_started()),
        Message::CloseReasonV2(_) => {
            is_sent("Close_reason_v2", version.has_structured_close_reason())
        }
    }
}
