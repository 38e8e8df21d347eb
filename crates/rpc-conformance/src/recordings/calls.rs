//! Calls and their answers: every response has its query, streams go from their initial response
//! to their end, and menu indices name what was called (*protocol* §8, §11).

use std::collections::{HashMap, HashSet};

use rpc_wire::conversation::{Content, Event, Query, QueryForm, Response, ResponseItem, Rpc};
use rpc_wire::{Message, QueryId, ResponseForm};

use super::Spoken;
use crate::compare;
use crate::report::{Checked, Problem};

pub(super) fn check(this: &Spoken<'_>, opposite: &Spoken<'_>) -> Checked {
    let mut calls = Calls::new(opposite);
    for sent in this.messages() {
        let (message, event) = sent?;
        let checked = match (&event.content, message) {
            (Content::Query(query), _) => calls.check(query, event),
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

/// The queries of one side, as far as they were looked at.
struct Calls<'a> {
    /// The latest query with each id that is no abort.
    by_id: HashMap<QueryId, (&'a Query, u64)>,
    /// Where the queries are that the callee answered.
    answered: HashSet<u64>,
}

impl<'a> Calls<'a> {
    fn new(callee: &Spoken<'_>) -> Self {
        let answered = callee
            .frames
            .iter()
            .filter_map(|(_, event)| match &event.content {
                Content::Response(response) => Some(response.query.as_ref()?.offset),
                _ => None,
            });
        Self {
            by_id: HashMap::new(),
            answered: answered.collect(),
        }
    }

    fn check(&mut self, query: &'a Query, event: &Event) -> Checked {
        if let Err(overlong) = query.payload {
            return Err(Problem::differs("query", "a whole payload", overlong));
        }
        if query.form == QueryForm::Abort {
            return self.check_abort(query);
        }
        let earlier = self.by_id.insert(query.id, (query, event.offset));
        match earlier {
            // One-way messages are never answered and may share an id. What is answered once is a
            // call, and so was the same query before it.
            Some((other, offset))
                if other.rpc == query.rpc
                    && self.answered.contains(&event.offset)
                    && !self.answered.contains(&offset) =>
            {
                let found = format!("that of the query at byte {offset}, which waits");
                Err(Problem::differs(
                    format!("id {}", query.id),
                    "an unused one",
                    found,
                ))
            }
            _ => Ok(()),
        }
    }

    fn check_abort(&self, abort: &Query) -> Checked {
        let what = format!("abort with id {}", abort.id);
        match self.by_id.get(&abort.id) {
            Some((query, _)) if query.form == QueryForm::Stream => {
                compare::equal(what, query.rpc.to_string(), abort.rpc.to_string())
            }
            _ => Err(Problem::differs(
                what,
                "an earlier query of a stream",
                "none",
            )),
        }
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
            let listed = show(listed.map(ToString::to_string));
            Err(Problem::differs(what, called, listed))
        }
    }
}
