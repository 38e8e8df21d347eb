//! How a connection ends: for what reason, who is told, and what is left behind.

use std::sync::Arc;
use std::time::Duration;

use bin_prot::Info;
use rpc_wire::CloseReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::Transport;
use super::closed::ClosedBy;
use super::output::Stage;
use super::shared::Shared;
use crate::error::{ConnectionClosed, DispatchError};
use crate::implementation::Stop;

/// Reading and discarding after the last byte was written: without it, the reset that TCP sends
/// for unread input can cost the peer our close reason (decision 21).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1024 * 1024;

/// Why the connection's task stops serving.
pub(super) enum End {
    /// The other side of the transport ended (C-RE-1).
    Eof,
    /// The peer closed and said why (C-RE-3).
    ByPeer(Box<CloseReason>),
    /// A handler asked to stop (C-RE-2), for this reason (C-RE-4).
    Stopped(Option<Info>),
    /// The peer sent something that makes no sense (C-RE-5, C-RD-12).
    Fatal(Info),
    /// The peer has been silent for too long (C-HB-10).
    Dead(String),
    /// The transport takes no bytes any more (C-CL-30).
    TransportStopped,
    /// Somebody on this side asked for it; the output has been flushed, or the time for that is
    /// over.
    Requested,
}

impl From<Stop> for End {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Asked => Self::Stopped(None),
            Stop::Failed(error) => Self::Stopped(Some(Info::Sexp(error))),
            Stop::Raised(error) => Self::Fatal(error),
        }
    }
}

impl End {
    /// Notes why, if nothing has been noted yet, and says whether the peer is to be told.
    pub(super) fn note(self, shared: &Shared) -> bool {
        if let Some((by, reason, tell)) = self.reason()
            && shared.start_closing(by, reason)
        {
            return tell;
        }
        tell_requested(shared)
    }

    /// Who closes, why, and whether the peer is told. `None` if the cause has been noted by
    /// whoever asked.
    fn reason(self) -> Option<(ClosedBy, CloseReason, bool)> {
        let stopped = "Rpc message handling loop stopped";
        Some(match self {
            Self::Eof => (
                ClosedBy::Unknown,
                CloseReason::debug("EOF or connection closed"),
                false,
            ),
            Self::ByPeer(reason) => (ClosedBy::Peer, *reason, false),
            Self::Stopped(None) => (ClosedBy::Unknown, CloseReason::debug(stopped), false),
            Self::Stopped(Some(error)) => {
                let list = Info::OfList(None, vec![Info::from(stopped), error]);
                (ClosedBy::Unknown, CloseReason::debug(list), true)
            }
            Self::Fatal(error) => {
                let error = error.tag("exn raised in RPC connection loop");
                (ClosedBy::Unknown, CloseReason::debug(error), true)
            }
            Self::Dead(why) => (ClosedBy::Local, CloseReason::debug(why), true),
            Self::TransportStopped => (
                ClosedBy::Unknown,
                CloseReason::debug("RPC transport stopped"),
                false,
            ),
            Self::Requested => return None,
        })
    }
}

impl Stop {
    /// Makes the connection stop on behalf of somebody who is in none of its tasks.
    pub(crate) fn act(self, shared: &Shared) {
        match End::from(self).reason() {
            Some((by, reason, true)) => shared.close_and_tell(by, reason),
            Some((by, reason, false)) => drop(shared.start_closing(by, reason)),
            None => {}
        }
    }
}

/// Whether a reason given on this side is sent: one in the user's words (rule C-CL-5), or that of
/// an exception policy (C-RE-7).
fn tell_requested(shared: &Shared) -> bool {
    let closed = shared.output.closed();
    shared.output.tells_reason() || closed.is_some_and(|closed| closed.reason.user_reason.is_some())
}

/// What has to be done however the connection's task ends, be it that its runtime shuts down:
/// everybody who waits is told.
pub(super) struct Ending {
    shared: Arc<Shared>,
    /// What the peer sent made no sense: for the calls that wait, that is more than an end.
    pub(super) failed: bool,
}

impl Ending {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            failed: false,
        }
    }

    /// Answers every call that waits, with the end of the connection; none can be made any more.
    pub(super) fn fail_waiting(&self) {
        let reason = self.shared.output.closed();
        let error = match reason {
            Some(closed) if self.failed => DispatchError::ConnectionFailed(closed),
            reason => DispatchError::ConnectionClosed(ConnectionClosed { reason }),
        };
        let receivers = self.shared.waiting().end();
        for receiver in receivers {
            receiver.fail(error.clone());
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let shared = &self.shared;
        shared.start_closing(
            ClosedBy::Local,
            CloseReason::debug("the connection's task was dropped"),
        );
        shared.output.advance(Stage::Ended);
        shared.serving.clear();
        self.fail_waiting();
        shared.events.end();
        if let Some(closed) = shared.output.closed() {
            shared.finish(closed);
        }
    }
}

/// Ends our half of the transport and waits a little for the peer to end its own, so that
/// nothing of ours is lost to a reset.
pub(super) async fn shut_down(io: &mut dyn Transport, input_ended: bool, deadline: Instant) {
    let ended = timeout_at(deadline, io.shutdown()).await;
    if !matches!(ended, Ok(Ok(()))) || input_ended {
        return;
    }
    let mut input = io.take(LINGER_BYTES);
    let mut nowhere = tokio::io::sink();
    // Whether the peer ends its half in time makes no difference to us.
    let _ended = timeout(LINGER, tokio::io::copy(&mut input, &mut nowhere)).await;
}
