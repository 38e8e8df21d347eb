//! How a connection's task ends, and what is left behind.

use std::sync::Arc;
use std::time::Duration;

use bin_prot::Info;
use rpc_wire::CloseReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::Transport;
use super::closing::Cause;
use super::output::Stage;
use super::receivers::Receivers;
use super::shared::Shared;
use crate::error::{ConnectionClosed, DispatchError};
use crate::implementation::Stop;

/// Reading and discarding after the last byte was written: without it, the reset that TCP sends
/// for unread input can cost the peer our close reason (decision 21).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1024 * 1024;

/// Why the connection's task stops serving.
#[derive(Debug)]
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
    /// The transport failed, or takes our bytes too slowly (C-RE-6).
    WriterFailed(String),
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

/// What is left of the transport at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// Whether the peer has said why it closes: ours would be no news.
    pub(super) told_by_peer: bool,
    /// Whether nothing more can come.
    pub(super) input_ended: bool,
}

impl End {
    /// What is left, if nothing of ours is worth waiting for.
    pub(super) fn rest(&self) -> Option<Rest> {
        let (told_by_peer, input_ended) = match self {
            Self::Eof | Self::TransportStopped => (false, true),
            Self::ByPeer(_) => (true, true),
            Self::Requested => (false, false),
            Self::Stopped(_) | Self::Fatal(_) | Self::Dead(_) | Self::WriterFailed(_) => {
                return None;
            }
        };
        Some(Rest {
            told_by_peer,
            input_ended,
        })
    }

    /// The cause to note, unless somebody has noted another one before.
    pub(super) fn into_cause(self) -> Option<Cause> {
        Some(match self {
            Self::Eof => Cause::end_of_input(),
            Self::ByPeer(reason) => Cause::by_peer(*reason),
            Self::Stopped(None) => Cause::stopped(),
            Self::Stopped(Some(error)) => Cause::stopped_by(error),
            Self::Fatal(error) => Cause::loop_failed(error),
            Self::Dead(why) => Cause::dead(why),
            Self::WriterFailed(why) => Cause::writer_failed(why),
            Self::TransportStopped => Cause::transport_stopped(),
            Self::Requested => return None,
        })
    }
}

impl Stop {
    /// Makes the connection stop on behalf of somebody who is in none of its tasks.
    pub(crate) fn act(self, shared: &Shared) {
        if let Some(cause) = End::from(self).into_cause() {
            shared.start_closing(cause);
        }
    }
}

/// What has to be done however the connection's task ends, be it that its runtime shuts down:
/// everybody who waits is told.
pub(super) struct Ending {
    shared: Arc<Shared>,
    /// Who is told.
    pub(super) receivers: Receivers,
}

impl Ending {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            receivers: Receivers::new(),
        }
    }

    /// Answers every call that waits, with the end of the connection, in the order in which they were
    /// made; none can be made any more.
    pub(super) fn fail_waiting(&mut self) {
        let output = &self.shared.output;
        let reason = output.closed();
        let error = match reason {
            Some(closed) if output.plan().failed => DispatchError::ConnectionFailed(closed),
            reason => DispatchError::ConnectionClosed(ConnectionClosed { reason }),
        };
        let Receivers { waiting, streams } = &mut self.receivers;
        streams.clear();
        waiting.fetch(output);
        self.shared.output.count_all_answered();
        let open_streams = std::mem::take(&mut *self.shared.open_streams());
        let mut receivers: Vec<_> = waiting.drain().chain(open_streams).collect();
        receivers.sort_unstable_by_key(|(id, _)| id.get());
        for (_, receiver) in receivers {
            receiver.fail(error.clone());
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let shared = &self.shared;
        shared.start_closing(Cause::task_dropped());
        shared.output.advance(Stage::Ended);
        shared.serving.clear();
        self.fail_waiting();
        let shared = &self.shared;
        shared.events.end();
        shared.finish();
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
