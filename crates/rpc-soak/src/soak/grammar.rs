//! Whether the events of a caller keep to their grammar.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rpc_core::{Connection, Event, Kind, ReceivedResponse, TracingEventRef, TracingSubscription};
use rpc_wire::QueryId;

use super::ledger::Ledger;

/// Queries that have been sent and not finished, and how many aborts of each are not told yet.
type Open = HashMap<QueryId, u32>;

/// Watches a connection until the result is dropped.
pub(crate) fn watch(connection: &Connection, ledger: &Arc<Ledger>) -> TracingSubscription {
    let (open, ledger) = (Mutex::new(Open::new()), ledger.clone());
    connection.subscribe(move |event| {
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(why) = follow(&mut open, event) {
            ledger.violated(format_args!("event {event:?}: {why}"));
        }
    })
}

fn follow(open: &mut Open, event: &TracingEventRef<'_>) -> Result<(), &'static str> {
    let id = event.id;
    match event.event {
        Event::Sent(Kind::Query) => match open.insert(id, 0) {
            None => Ok(()),
            Some(_) => Err("sent twice"),
        },
        Event::Sent(Kind::AbortStreamingRpcQuery) => {
            *open.get_mut(&id).ok_or("abort of what is not open")? += 1;
            Ok(())
        }
        Event::Received(Kind::Response(response)) => {
            let aborts = open.get_mut(&id).ok_or("response to what is not open")?;
            match response {
                ReceivedResponse::PartialResponse => return Ok(()),
                ReceivedResponse::OneWaySoNoResponse if *aborts > 0 => {
                    *aborts -= 1;
                    return Ok(());
                }
                _ => {}
            }
            open.remove(&id);
            Ok(())
        }
        // What the peer asks, and what is not sent at all, is another story.
        _ => Ok(()),
    }
}
