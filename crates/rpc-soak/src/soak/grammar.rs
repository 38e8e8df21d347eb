//! Whether the events of a connection keep to their grammar, as its caller and as its callee.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rpc_core::{
    Connection, Event, Kind, ReceivedResponse, SentResponse, TracingEventRef, TracingSubscription,
};
use rpc_wire::QueryId;

use super::ledger::{Done, Ledger};

type Followed = Result<(), &'static str>;

/// What has been told of the queries of one connection.
#[derive(Default)]
struct Told {
    /// Those that have been sent and not finished, and how many aborts of each are not told yet.
    sent: HashMap<QueryId, u32>,
    /// Those that came.
    received: HashMap<QueryId, Received>,
}

/// A query of the peer's, which never uses an id twice.
#[derive(Clone, Copy, Debug, Default)]
struct Received {
    aborted: bool,
    answered: Answered,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Answered {
    #[default]
    No,
    /// By an initial response: updates may follow.
    Streaming,
    /// Nothing may follow.
    Over,
}

/// Watches a connection until the result is dropped.
pub(super) fn watch(connection: &Connection, ledger: &Arc<Ledger>) -> TracingSubscription {
    let (told, ledger) = (Mutex::<Told>::default(), ledger.clone());
    connection.subscribe(move |event| {
        ledger.did(Done::Events);
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(why) = told.follow(event) {
            ledger.violated(format_args!("event {event:?}: {why}"));
        }
    })
}

impl Told {
    fn follow(&mut self, event: &TracingEventRef<'_>) -> Followed {
        let id = event.id;
        match event.event {
            Event::Sent(Kind::Query) => match self.sent.insert(id, 0) {
                None => Ok(()),
                Some(_) => Err("sent twice"),
            },
            Event::Sent(Kind::AbortStreamingRpcQuery) => {
                *self.sent.get_mut(&id).ok_or("abort of what is not open")? += 1;
                Ok(())
            }
            Event::Received(Kind::Response(response)) => self.answer_received(id, response),
            Event::Received(Kind::Query) => match self.received.insert(id, Received::default()) {
                None => Ok(()),
                Some(_) => Err("came twice"),
            },
            Event::Received(Kind::AbortStreamingRpcQuery) => {
                let query = self.received.get_mut(&id);
                query.ok_or("abort of what never came")?.aborted = true;
                Ok(())
            }
            // An answer that is refused since the connection is over stands in the same place.
            Event::Sent(Kind::Response(response))
            | Event::FailedToSend(Kind::Response(response), _) => self.answer_sent(id, response),
            // A query that is not sent at all is another story.
            _ => Ok(()),
        }
    }

    fn answer_received(&mut self, id: QueryId, response: &ReceivedResponse) -> Followed {
        let aborts = self.sent.get_mut(&id);
        let aborts = aborts.ok_or("response to what is not open")?;
        match response {
            ReceivedResponse::PartialResponse => return Ok(()),
            ReceivedResponse::OneWaySoNoResponse if *aborts > 0 => {
                *aborts -= 1;
                return Ok(());
            }
            _ => {}
        }
        self.sent.remove(&id);
        Ok(())
    }

    fn answer_sent(&mut self, id: QueryId, response: &SentResponse) -> Followed {
        use Answered::{No, Over, Streaming};
        let query = self.received.get_mut(&id).ok_or("answer to nothing")?;
        query.answered = match (query.answered, response) {
            (No, SentResponse::StreamingInitial) | (Streaming, SentResponse::StreamingUpdate) => {
                Streaming
            }
            (Streaming, SentResponse::StreamingClosed) => Over,
            // Instead of an initial response.
            (No, SentResponse::StreamingClosed) if query.aborted => Over,
            (No | Streaming, SentResponse::SingleOrStreamingRpcErrorOrExn(_)) => Over,
            (
                No,
                SentResponse::SingleSucceeded
                | SentResponse::SingleOrStreamingUserDefinedError
                | SentResponse::ExpertSingleSucceededOrFailed
                | SentResponse::OneWaySoNoResponse,
            ) => Over,
            (No, _) => return Err("not the first answer"),
            (Streaming, _) => return Err("no part of a stream"),
            (Over, _) => return Err("answer after the last one"),
        };
        Ok(())
    }
}
