//! How a connection is closed: on request, and for whatever other cause.
//!
//! | Asked for with | Told to the peer |
//! |---|---|
//! | nothing, or a kind alone | nothing: it sees the end of the stream |
//! | a reason in the user's words | that, and the kind |
//! | a whole [`CloseReason`] | as it is |

use std::time::Duration;

use bin_prot::Info;
use rpc_wire::{CloseReason, CloseReasonKind};

use super::closed::ClosedBy;

/// What this side says when it closes without a reason of its own (rule C-CL-5).
const CLOSED_WITHOUT_REASON: &str = "Rpc.Connection.close";

/// What the message loop's end is called (rules C-RE-2, C-RE-4).
const LOOP_STOPPED: &str = "Rpc message handling loop stopped";

/// How to close a connection: see [`Connection::close_with`](crate::Connection::close_with).
///
/// ```
/// use std::time::Duration;
/// use rpc_core::Connection;
/// use rpc_core::connection::Close;
///
/// /// Lets what is being answered be answered, for at most ten seconds.
/// async fn leave(connection: &Connection) {
///     let close = Close::new()
///         .reason("moving to another machine")
///         .wait_for_open_queries(Duration::from_secs(10));
///     connection.close_with(close);
///     connection.closed().await;
/// }
/// # let _ = leave;
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is closed before this is given to `close_with`"]
pub struct Close {
    kind: CloseReasonKind,
    debug_info: Option<Info>,
    user_reason: Option<Info>,
    told: bool,
    wait: Option<Duration>,
    flush_timeout: Option<Duration>,
}

impl Close {
    /// Without a reason and without waiting.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the peer why, from version 4. Default: it is told nothing.
    pub fn reason(mut self, reason: impl Into<Info>) -> Self {
        self.user_reason = Some(reason.into());
        self.told = true;
        self
    }

    /// Says what kind of closing this is; it goes with the reason. Default: unspecified.
    pub fn kind(mut self, kind: CloseReasonKind) -> Self {
        self.kind = kind;
        self
    }

    /// Waits at most this long until nothing is open any more, and only then closes
    /// (rules C-CL-6 to C-CL-11). Default: not at all.
    ///
    /// Open are this side's calls, the streams that it receives, and the peer's queries that
    /// deferred plain handlers and expert handlers are answering; not the streams that it serves.
    /// Both sides begin no new ones: the peer is asked not to, and its queries are dropped if it
    /// does. A peer that vanishes ends the wait.
    ///
    /// Below version 9 a peer cannot be asked, and nothing is waited for.
    pub fn wait_for_open_queries(mut self, at_most: Duration) -> Self {
        self.wait = Some(at_most);
        self
    }

    /// How long what has been sent, and what streams have ready, may take to be taken by the
    /// transport. Default: [`Config::flush_timeout`](super::Config::flush_timeout).
    pub fn flush_timeout(mut self, timeout: Duration) -> Self {
        self.flush_timeout = Some(timeout);
        self
    }
}

impl From<CloseReason> for Close {
    /// Tells the peer exactly this.
    fn from(reason: CloseReason) -> Self {
        Self {
            kind: reason.kind,
            debug_info: reason.debug_info,
            user_reason: reason.user_reason,
            told: true,
            ..Self::default()
        }
    }
}

/// Why closing starts, and how it is to proceed.
#[derive(Debug)]
pub(crate) struct Cause {
    pub(super) by: ClosedBy,
    pub(super) reason: CloseReason,
    pub(super) plan: Plan,
}

/// How closing is to proceed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Whether the peer is told the reason.
    pub(super) told: bool,
    /// Whether what arrived or happened made no sense: for the calls that wait, that is more than
    /// an end.
    pub(super) failed: bool,
    /// How long to wait until nothing is open.
    pub(super) wait: Option<Duration>,
    pub(super) flush_timeout: Option<Duration>,
}

impl From<Close> for Cause {
    fn from(close: Close) -> Self {
        let debug_info = match close.told {
            true => close.debug_info,
            false => Some(CLOSED_WITHOUT_REASON.into()),
        };
        Self {
            by: ClosedBy::Local,
            reason: CloseReason {
                kind: close.kind,
                debug_info,
                user_reason: close.user_reason,
            },
            plan: Plan {
                told: close.told,
                failed: false,
                wait: close.wait,
                flush_timeout: close.flush_timeout,
            },
        }
    }
}

impl Cause {
    fn new(by: ClosedBy, info: impl Into<Info>) -> Self {
        Self {
            by,
            reason: CloseReason::debug(info),
            plan: Plan::default(),
        }
    }

    fn told(mut self) -> Self {
        self.plan.told = true;
        self
    }

    fn failed(mut self) -> Self {
        self.plan.failed = true;
        self
    }

    /// The input ended (C-RE-1).
    pub(super) fn end_of_input() -> Self {
        Self::new(ClosedBy::Unknown, "EOF or connection closed")
    }

    /// The peer closed and said why (C-RE-3).
    pub(super) fn by_peer(reason: CloseReason) -> Self {
        Self {
            by: ClosedBy::Peer,
            reason,
            plan: Plan::default(),
        }
    }

    /// A handler asked to stop (C-RE-2).
    pub(super) fn stopped() -> Self {
        Self::new(ClosedBy::Unknown, LOOP_STOPPED)
    }

    /// A handler asked to stop because of this error (C-RE-4).
    pub(super) fn stopped_by(error: Info) -> Self {
        let list = Info::OfList(None, vec![Info::from(LOOP_STOPPED), error]);
        Self::new(ClosedBy::Unknown, list).told()
    }

    /// Something went wrong where messages are handled (C-RE-5, C-RD-12).
    pub(crate) fn loop_failed(error: impl Into<Info>) -> Self {
        let error = error.into().tag("exn raised in RPC connection loop");
        Self::new(ClosedBy::Unknown, error).told().failed()
    }

    /// The transport does not take what we send, not as it should (C-RE-6).
    pub(crate) fn writer_failed(error: impl Into<Info>) -> Self {
        let error = error.into().tag("exn raised in RPC connection Writer.t");
        Self::new(ClosedBy::Unknown, error).told().failed()
    }

    /// An implementation raised whose policy is to close (C-RE-7).
    pub(crate) fn implementation_raised(exception: impl Into<Info>) -> Self {
        let exception = exception.into().tag("Uncaught exception in implementation");
        Self::new(ClosedBy::Local, exception).told()
    }

    /// The transport takes nothing any more (C-CL-30).
    pub(super) fn transport_stopped() -> Self {
        Self::new(ClosedBy::Unknown, "RPC transport stopped")
    }

    /// The peer has been silent for too long (C-HB-10).
    pub(super) fn dead(why: String) -> Self {
        Self::new(ClosedBy::Local, why).told()
    }

    /// Nobody drives the connection any more.
    pub(super) fn task_dropped() -> Self {
        Self::new(ClosedBy::Local, "the connection's task was dropped")
    }
}
