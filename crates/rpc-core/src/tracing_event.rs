//! What a connection sends and receives, as it happens (*rpcs* §15).
//!
//! A listener is called for each event; [`TracingEvents`] is a stream of them. For one query's id,
//! events follow a grammar:
//!
//! ```text
//! caller   Sent Query ─► Received PartialResponse * ─► Received ResponseFinished… ?
//!                            with pairs (Sent Abort, Received OneWaySoNoResponse) in between
//! one-way  Sent Query ─► Received OneWaySoNoResponse
//!
//! callee   Received Query ─► nothing, or
//!                            one single response (SingleSucceeded, …Error…, Expert…, OneWay…), or
//!                            StreamingInitial ─► StreamingUpdate * ─► StreamingClosed or …Error… ?
//!                            with Received Abort anywhere
//! ```
//!
//! Whatever is `Sent` may be `FailedToSend` instead. When a connection ends, nothing is said about
//! the calls that were pending. Heartbeats, connection metadata, close reasons and close-started
//! produce no events (rule T-6).

mod events;
mod stream;

use std::fmt;

use rpc_wire::{Description, DescriptionRef, QueryId, RpcError};

pub use events::TracingSubscription;
pub(crate) use events::{Events, Turn};
pub use stream::{Traced, TracingEvents};

/// One event, as a listener sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TracingEventRef<'a> {
    /// What happened.
    pub event: &'a Event,
    /// The RPC.
    pub rpc: DescriptionRef<'a>,
    /// The query's id, the same on both sides (rule T-2).
    pub id: QueryId,
    /// Size of the frame's body: tag, ids, names, metadata, lengths and data, without the eight
    /// bytes of the frame's length (rule T-1). Zero where there is no message.
    pub payload_bytes: usize,
}

/// One event that owns what it tells.
#[derive(Clone, Debug, PartialEq)]
pub struct TracingEvent {
    /// What happened.
    pub event: Event,
    /// The RPC.
    pub rpc: Description,
    /// The query's id, the same on both sides (rule T-2).
    pub id: QueryId,
    /// Size of the frame's body; see [`TracingEventRef::payload_bytes`].
    pub payload_bytes: usize,
}

/// What happened to a message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// It was put into the output buffer.
    Sent(Kind<SentResponse>),
    /// It was refused, and nothing was sent.
    FailedToSend(Kind<SentResponse>, SendFailure),
    /// It arrived.
    Received(Kind<ReceivedResponse>),
}

/// Which message.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind<R> {
    /// A query, of whichever kind of RPC.
    Query,
    /// The caller's request that a stream ends.
    AbortStreamingRpcQuery,
    /// A response, or that there is none.
    Response(R),
}

/// What a callee answered.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SentResponse {
    /// A plain RPC's value.
    SingleSucceeded,
    /// An error instead of a value, an initial response, or a stream's end.
    SingleOrStreamingRpcErrorOrExn(RpcError),
    /// A value that says no, by the definition's own rule or as a stream's initial response.
    SingleOrStreamingUserDefinedError,
    /// Whatever an expert handler sent; the library does not look into it.
    ExpertSingleSucceededOrFailed,
    /// A stream's initial response.
    StreamingInitial,
    /// One update.
    StreamingUpdate,
    /// A stream's ordinary end.
    StreamingClosed,
    /// A one-way query was handled; nothing is sent.
    OneWaySoNoResponse,
}

/// What a caller got.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReceivedResponse {
    /// A part of a stream; more may follow.
    PartialResponse,
    /// The value, or a stream's ordinary end.
    ResponseFinishedOk,
    /// An error, sent by the callee or found while decoding.
    ResponseFinishedRpcErrorOrExn(RpcError),
    /// A value that says no.
    ResponseFinishedUserDefinedError,
    /// Bytes for an expert caller; the library does not look into them.
    ResponseFinishedExpertUninterpreted,
    /// A one-way query or an abort was sent: nothing will come.
    OneWaySoNoResponse,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendFailure {
    /// The transport takes nothing any more.
    Closed,
    /// The message exceeds this side's limit.
    TooLarge,
}

impl TracingEventRef<'_> {
    /// An owned copy.
    pub fn to_event(self) -> TracingEvent {
        TracingEvent {
            event: self.event.clone(),
            rpc: self.rpc.to_description(),
            id: self.id,
            payload_bytes: self.payload_bytes,
        }
    }
}

impl TracingEvent {
    /// The same, borrowed.
    pub fn as_ref(&self) -> TracingEventRef<'_> {
        TracingEventRef {
            event: &self.event,
            rpc: self.rpc.as_ref(),
            id: self.id,
            payload_bytes: self.payload_bytes,
        }
    }
}

impl fmt::Display for TracingEventRef<'_> {
    /// One line: `sent query echo version 1 (id 7, 34 bytes)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.event {
            Event::Sent(kind) => write!(f, "sent {kind}")?,
            Event::FailedToSend(kind, failure) => write!(f, "failed to send {kind}, {failure},")?,
            Event::Received(kind) => write!(f, "received {kind}")?,
        }
        let (rpc, id, bytes) = (self.rpc, self.id, self.payload_bytes);
        write!(f, " {rpc} (id {id}, {bytes} bytes)")
    }
}

impl fmt::Display for TracingEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl<R: fmt::Display> fmt::Display for Kind<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query => f.write_str("query"),
            Self::AbortStreamingRpcQuery => f.write_str("abort"),
            Self::Response(response) => response.fmt(f),
        }
    }
}

impl fmt::Display for SentResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SingleSucceeded => f.write_str("response"),
            Self::SingleOrStreamingRpcErrorOrExn(error) => write!(f, "error {error}"),
            Self::SingleOrStreamingUserDefinedError => f.write_str("user error"),
            Self::ExpertSingleSucceededOrFailed => f.write_str("expert response"),
            Self::StreamingInitial => f.write_str("initial response"),
            Self::StreamingUpdate => f.write_str("update"),
            Self::StreamingClosed => f.write_str("end of stream"),
            Self::OneWaySoNoResponse => f.write_str("no response, one-way"),
        }
    }
}

impl fmt::Display for ReceivedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PartialResponse => f.write_str("part of a stream"),
            Self::ResponseFinishedOk => f.write_str("response"),
            Self::ResponseFinishedRpcErrorOrExn(error) => write!(f, "error {error}"),
            Self::ResponseFinishedUserDefinedError => f.write_str("user error"),
            Self::ResponseFinishedExpertUninterpreted => f.write_str("expert response"),
            Self::OneWaySoNoResponse => f.write_str("no response, one-way"),
        }
    }
}

impl fmt::Display for SendFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::TooLarge => "too large",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_in_one_line() {
        let rpc = Description::new("echo", 1);
        let check = |event: Event, expected: &str| {
            let event = TracingEvent {
                event,
                rpc: rpc.clone(),
                id: QueryId::new(7),
                payload_bytes: 34,
            };
            assert_eq!(event.to_string(), expected);
            assert_eq!(event.as_ref().to_event(), event);
        };
        check(
            Event::Sent(Kind::Query),
            "sent query echo version 1 (id 7, 34 bytes)",
        );
        check(
            Event::Received(Kind::AbortStreamingRpcQuery),
            "received abort echo version 1 (id 7, 34 bytes)",
        );
        check(
            Event::FailedToSend(
                Kind::Response(SentResponse::StreamingUpdate),
                SendFailure::TooLarge,
            ),
            "failed to send update, too large, echo version 1 (id 7, 34 bytes)",
        );
    }
}
