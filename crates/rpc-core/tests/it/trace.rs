//! A connection's events in the shorthand of the catalogue: `S Query 12` and so on.

use std::sync::{Arc, Mutex};

use rpc_core::{
    Connection, Event, Kind, ReceivedResponse, SendFailure, SentResponse, TracingEvent,
    TracingSubscription,
};

/// Notes every event of one connection.
#[derive(Debug)]
pub(crate) struct Trace {
    events: Arc<Mutex<Vec<TracingEvent>>>,
    _subscription: TracingSubscription,
}

impl Trace {
    pub(crate) fn of(connection: &Connection) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let noted = events.clone();
        let subscription =
            connection.subscribe(move |event| noted.lock().unwrap().push(event.to_event()));
        Self {
            events,
            _subscription: subscription,
        }
    }

    /// What was noted since the last time.
    pub(crate) fn take(&self) -> Vec<TracingEvent> {
        std::mem::take(&mut self.events.lock().unwrap())
    }

    /// The same, in shorthand.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.take().iter().map(shorthand).collect()
    }

    /// Nothing but these events since the last time.
    #[track_caller]
    pub(crate) fn expect(&self, lines: &[&str]) {
        assert_eq!(self.lines(), lines);
    }
}

/// The event as a line of the catalogue, its size at the end.
pub(crate) fn shorthand(event: &TracingEvent) -> String {
    let bytes = event.payload_bytes;
    match &event.event {
        Event::Sent(kind) => format!("S {} {bytes}", sent(kind)),
        Event::FailedToSend(kind, failure) => {
            let failure = match failure {
                SendFailure::Closed => "Closed",
                SendFailure::TooLarge => "Too_large",
            };
            format!("F {} {failure} {bytes}", sent(kind))
        }
        Event::Received(kind) => format!("R {} {bytes}", received(kind)),
        other => panic!("{other:?}"),
    }
}

fn sent(kind: &Kind<SentResponse>) -> &'static str {
    match kind {
        Kind::Query => "Query",
        Kind::AbortStreamingRpcQuery => "Abort",
        Kind::Response(response) => match response {
            SentResponse::SingleSucceeded => "Single_succeeded",
            SentResponse::SingleOrStreamingRpcErrorOrExn(_) => "Error_or_exn",
            SentResponse::SingleOrStreamingUserDefinedError => "User_defined_error",
            SentResponse::ExpertSingleSucceededOrFailed => "Expert",
            SentResponse::StreamingInitial => "Initial",
            SentResponse::StreamingUpdate => "Update",
            SentResponse::StreamingClosed => "Closed",
            SentResponse::OneWaySoNoResponse => "One_way",
            other => panic!("{other:?}"),
        },
    }
}

fn received(kind: &Kind<ReceivedResponse>) -> &'static str {
    match kind {
        Kind::Query => "Query",
        Kind::AbortStreamingRpcQuery => "Abort",
        Kind::Response(response) => match response {
            ReceivedResponse::PartialResponse => "Partial",
            ReceivedResponse::ResponseFinishedOk => "Finished_ok",
            ReceivedResponse::ResponseFinishedRpcErrorOrExn(_) => "Finished_error",
            ReceivedResponse::ResponseFinishedUserDefinedError => "Finished_user_error",
            ReceivedResponse::ResponseFinishedExpertUninterpreted => "Finished_expert",
            ReceivedResponse::OneWaySoNoResponse => "One_way",
            other => panic!("{other:?}"),
        },
    }
}
