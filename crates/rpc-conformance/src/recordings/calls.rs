//! Calls and their answers: every response has its query, streams go from their initial response
//! to their end, and menu indices name what was called (*protocol* §8, §11).

use std::collections::HashSet;

use rpc_wire::conversation::{Content, Query, QueryForm, Response, ResponseItem, Rpc};
use rpc_wire::{Message, ResponseForm};

use super::Spoken;
use crate::report::{Checked, Problem};

pub(super) fn check(this: &Spoken<'_>) -> Checked {
    let mut streams = HashSet::new();
    for sent in this.messages() {
        let (message, event) = sent?;
        let checked = match (&event.content, message) {
            (Content::Query(query), _) => {
                if query.form == QueryForm::Stream {
                    streams.insert(query.id);
                }
                check_query(query, streams.contains(&query.id))
            }
            (Content::Response(response), Message::Response(sent)) => check_response(response)
                .and_then(|()| match sent.header.form {
                    ResponseForm::V2 {
                        menu_index: Some(index),
                    } => check_index(this, response, index.0),
                    ResponseForm::V1 | ResponseForm::V2 { menu_index: None } => Ok(()),
                }),
            _ => Ok(()),
        };
        checked.map_err(|problem| problem.within(this.place(event)))?;
    }
    Ok(())
}

fn check_query(query: &Query, opened_stream: bool) -> Checked {
    if let Err(overlong) = query.payload {
        return Err(Problem::differs("query", "a whole payload", overlong));
    }
    match (query.form, opened_stream) {
        (QueryForm::Abort, false) => {
            let what = format!("abort with id {}", query.id);
            Err(Problem::differs(
                what,
                "an earlier query of a stream",
                "none",
            ))
        }
        (QueryForm::Abort, true) | (QueryForm::Plain | QueryForm::Stream, _) => Ok(()),
    }
}

fn check_response(response: &Response) -> Checked {
    let what = format!("response with id {}", response.id);
    if response.query.is_none() {
        return Err(Problem::differs(what, "a query that waits for it", "none"));
    }
    match &response.item {
        ResponseItem::Malformed(error) => Err(Problem::differs(what, "a payload", error)),
        _ => Ok(()),
    }
}

/// The index is the place of the RPC in the menu that the responder told.
fn check_index(this: &Spoken<'_>, response: &Response, index: u64) -> Checked {
    let menu = this.metadata().and_then(|metadata| metadata.menu.as_ref());
    let entry = menu.and_then(|menu| menu.entries().get(usize::try_from(index).ok()?));
    let listed = entry.map(|entry| &entry.description);
    let called = response.query.as_ref().map(|query| &query.rpc);
    match (listed, called) {
        (Some(listed), Some(Rpc::Named(called))) if *listed == **called => Ok(()),
        (listed, called) => {
            let show = |rpc: Option<String>| rpc.unwrap_or_else(|| "nothing".to_owned());
            let what = format!("entry {index} of the menu");
            let called = show(called.map(ToString::to_string));
            Err(Problem::differs(
                what,
                called,
                show(listed.map(ToString::to_string)),
            ))
        }
    }
}
