//! What one tracing event means for the call that it belongs to.
//!
//! ```text
//! caller   Begin ─► Part * ─► End       NoResponse ends a one-way call, and follows an Abort
//! callee   Begin ─► Part * ─► End
//! ```

use std::fmt;

use rpc_core::{Event, Kind, ReceivedResponse, SendFailure, SentResponse};
use rpc_wire::RpcError;

/// Which end of a call this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// It sent the query.
    Caller,
    /// It was sent the query.
    Callee,
}

/// How a call ended, as this side saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// With a value, or a stream with its ordinary end.
    Ok,
    /// With a value that says no.
    UserError,
    /// With bytes that the library does not look into.
    Expert,
    /// It is one-way: nothing comes back.
    OneWay,
    /// With the error that there is no such RPC.
    Unimplemented,
    /// With the error that the caller may not call it.
    Unauthorized,
    /// With the error that the handler failed.
    Raised,
    /// With an error of encoding or decoding.
    Undecodable,
    /// With another error.
    OtherError,
    /// The query or the answer was above this side's limit.
    TooLarge,
    /// The connection ended first, or nothing was ever said about the call.
    Unanswered,
}

/// One step in the life of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Begin,
    /// The caller wants no more of a stream.
    Abort,
    /// An initial response or an update.
    Part,
    NoResponse,
    End(Outcome),
}

impl Side {
    /// The label: `caller` or `callee`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
        }
    }
}

impl Outcome {
    /// Every outcome, each at the place that is its number.
    pub(crate) const ALL: [Self; 11] = [
        Self::Ok,
        Self::UserError,
        Self::Expert,
        Self::OneWay,
        Self::Unimplemented,
        Self::Unauthorized,
        Self::Raised,
        Self::Undecodable,
        Self::OtherError,
        Self::TooLarge,
        Self::Unanswered,
    ];

    /// The label, such as `ok` or `user_error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::UserError => "user_error",
            Self::Expert => "expert",
            Self::OneWay => "one_way",
            Self::Unimplemented => "unimplemented",
            Self::Unauthorized => "unauthorized",
            Self::Raised => "raised",
            Self::Undecodable => "undecodable",
            Self::OtherError => "error",
            Self::TooLarge => "too_large",
            Self::Unanswered => "unanswered",
        }
    }

    fn of_error(error: &RpcError) -> Self {
        match error {
            RpcError::UnimplementedRpc(..) => Self::Unimplemented,
            RpcError::AuthorizationFailure(_) => Self::Unauthorized,
            RpcError::UncaughtExn(_) | RpcError::LiftError(_) => Self::Raised,
            RpcError::BinIoExn(_) => Self::Undecodable,
            RpcError::MessageTooBig { .. } => Self::TooLarge,
            RpcError::ConnectionClosed => Self::Unanswered,
            RpcError::WriteError(_) | RpcError::UnknownQueryId(_) | RpcError::Unknown(_) => {
                Self::OtherError
            }
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the event means, and for which side's calls. Nothing, if the call goes on as before.
pub(crate) fn step(event: &Event) -> Option<(Side, Step)> {
    use Side::{Callee, Caller};
    Some(match event {
        Event::Sent(Kind::Query) => (Caller, Step::Begin),
        Event::Sent(Kind::AbortStreamingRpcQuery) => (Caller, Step::Abort),
        Event::Sent(Kind::Response(response)) => (Callee, sent(response)),
        Event::FailedToSend(Kind::Query, failure) => (Caller, Step::End(refused(*failure))),
        Event::FailedToSend(Kind::Response(response), failure) => {
            // A stream goes on without what was too large (rules T-S23, T-S24).
            let Step::End(_) = sent(response) else {
                return None;
            };
            (Callee, Step::End(refused(*failure)))
        }
        Event::Received(Kind::Query) => (Callee, Step::Begin),
        Event::Received(Kind::AbortStreamingRpcQuery) => (Callee, Step::Abort),
        Event::Received(Kind::Response(response)) => (Caller, received(response)),
        _ => return None,
    })
}

fn sent(response: &SentResponse) -> Step {
    Step::End(match response {
        SentResponse::StreamingInitial | SentResponse::StreamingUpdate => return Step::Part,
        SentResponse::SingleSucceeded | SentResponse::StreamingClosed => Outcome::Ok,
        SentResponse::SingleOrStreamingRpcErrorOrExn(error) => Outcome::of_error(error),
        SentResponse::SingleOrStreamingUserDefinedError => Outcome::UserError,
        SentResponse::OneWaySoNoResponse => Outcome::OneWay,
        // Whatever else there may be, the library does not look into it.
        _ => Outcome::Expert,
    })
}

fn received(response: &ReceivedResponse) -> Step {
    Step::End(match response {
        ReceivedResponse::PartialResponse => return Step::Part,
        ReceivedResponse::OneWaySoNoResponse => return Step::NoResponse,
        ReceivedResponse::ResponseFinishedOk => Outcome::Ok,
        ReceivedResponse::ResponseFinishedRpcErrorOrExn(error) => Outcome::of_error(error),
        ReceivedResponse::ResponseFinishedUserDefinedError => Outcome::UserError,
        _ => Outcome::Expert,
    })
}

fn refused(failure: SendFailure) -> Outcome {
    match failure {
        SendFailure::TooLarge => Outcome::TooLarge,
        SendFailure::Closed => Outcome::Unanswered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_place_and_its_label() {
        let mut labels: Vec<_> = Outcome::ALL
            .iter()
            .map(|outcome| outcome.as_str())
            .collect();
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
        }
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Outcome::ALL.len());
    }

    #[test]
    fn what_is_too_large_ends_a_call_and_not_a_stream() {
        let failed =
            |response| Event::FailedToSend(Kind::Response(response), SendFailure::TooLarge);
        let single = failed(SentResponse::SingleSucceeded);
        let end = (Side::Callee, Step::End(Outcome::TooLarge));
        assert_eq!(step(&single), Some(end));
        assert_eq!(step(&failed(SentResponse::StreamingInitial)), None);
        assert_eq!(step(&failed(SentResponse::StreamingUpdate)), None);
    }
}
