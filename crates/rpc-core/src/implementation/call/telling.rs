//! What those who listen to the events hear of an answer.

use rpc_wire::frame::AppendError;

use super::Call;
use crate::error::SendError;
use crate::tracing_event::{Event, Kind, SendFailure, SentResponse, Turn};

impl Call {
    /// Tells the listeners that nothing is sent in answer to a one-way query (rule T-S8), or that
    /// an expert handler has answered (rules T-S11, T-S15).
    #[inline]
    pub(crate) fn tell(&self, kind: SentResponse) {
        if let Some(turn) = self.shared.events.turn() {
            turn.tell(self.rpc(), self.id(), 0, &Event::Sent(Kind::Response(kind)));
        }
    }

    /// [Tells of a response](Self::tell_of_response), whose result goes through here by value:
    /// without a listener it need not be in memory.
    #[cold]
    pub(super) fn told_of_response(
        &self,
        turn: &Turn<'_>,
        body: usize,
        sent: Result<Option<usize>, Box<SendError>>,
        kind: impl FnOnce() -> SentResponse,
    ) -> Result<Option<usize>, Box<SendError>> {
        self.tell_of_response(turn, body, &sent, kind);
        sent
    }

    /// Tells of a response of `body` bytes that was sent or refused (rules T-S1 to T-S7). None is
    /// told once closing has stopped the implementations.
    #[cold]
    pub(crate) fn tell_of_response(
        &self,
        turn: &Turn<'_>,
        body: usize,
        sent: &Result<Option<usize>, Box<SendError>>,
        kind: impl FnOnce() -> SentResponse,
    ) {
        let refused = |kind, failure| Event::FailedToSend(Kind::Response(kind), failure);
        let (event, bytes) = match sent.as_ref().map_err(|error| &**error) {
            Ok(Some(_)) => (Event::Sent(Kind::Response(kind())), body),
            Err(SendError::Frame(AppendError::TooBig { size, .. })) => {
                (refused(kind(), SendFailure::TooLarge), *size)
            }
            Err(SendError::Closed(closed)) if closed.reason.is_none() => {
                (refused(kind(), SendFailure::Closed), 0)
            }
            Ok(None)
            | Err(SendError::Frame(_) | SendError::Closed(_) | SendError::Overfull { .. }) => {
                return;
            }
        };
        turn.tell(self.rpc(), self.id(), bytes, &event);
    }
}
