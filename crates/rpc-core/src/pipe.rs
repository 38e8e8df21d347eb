//! The receiving end of a stream.

mod callback;
mod fold;
mod incoming;
mod item;
mod message;
mod metadata;
mod opening;
mod queue;
mod sink;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use rpc_wire::QueryId;

use crate::{Connection, DispatchError};

pub(crate) use callback::{bytes_to, updates_to};
pub(crate) use fold::Folding;
pub(crate) use opening::{Definition, Name, open};
pub(crate) use queue::{Queue, Updates};

pub use fold::Fold;
pub use message::{PipeMessage, PipeResponse};
pub use metadata::PipeMetadata;

/// The updates of a pipe or state RPC: a [`Stream`], and the way to end it.
///
/// ```text
///            ┌─ next() ─► updates, in the order in which the callee produced them
///  dispatch ─┤
///            └─ the end, for one of three reasons ──────► close_reason()
///                 close(), or dropped   ClosedLocally    the callee is told to stop, once
///                 the callee's end      ClosedRemotely   also after abort()
///                 anything else         Error
/// ```
///
/// Updates that arrived before the end remain readable after it, unless this side closed the pipe.
/// The stream's end does not tell why it ended: that is the [`close_reason`](Self::close_reason);
/// or use [`try_next`](Self::try_next), for which a broken stream ends with an error.
///
/// Updates that are not read are kept, without bound: the protocol has no flow control for a
/// single stream. [`PipeRpc::client_pushes_back`](crate::PipeRpc::client_pushes_back) bounds them
/// at the price of holding up everything else on the connection.
///
/// Dropping the pipe ends the stream as [`close`](Self::close) does: the callee is told to stop,
/// and what it still sends is swallowed. The pipe holds a handle to its connection.
pub struct Pipe<U> {
    updates: Arc<dyn Updates<U>>,
    /// Taken over from the reading task in batches.
    ready: VecDeque<U>,
    id: QueryId,
    _connection: Connection,
}

/// Why a stream ended.
#[derive(Clone, Debug)]
pub enum PipeCloseReason {
    /// This side closed it.
    ClosedLocally,
    /// The callee has ended it in the ordinary way.
    ClosedRemotely,
    /// It broke: an error from the callee, an update that could not be decoded, a callback that
    /// panicked, or the end of the connection.
    Error(DispatchError),
}

impl PipeCloseReason {
    /// Whether the stream broke (rule R-SC-24).
    ///
    /// # Errors
    /// What broke it.
    pub fn into_result(self) -> Result<(), DispatchError> {
        match self {
            Self::ClosedLocally | Self::ClosedRemotely => Ok(()),
            Self::Error(error) => Err(error),
        }
    }
}

impl<U> Pipe<U> {
    pub(crate) fn new(updates: Arc<dyn Updates<U>>, id: QueryId, connection: Connection) -> Self {
        Self {
            updates,
            ready: VecDeque::new(),
            id,
            _connection: connection,
        }
    }

    /// The next update; `None` at the end, whatever its reason.
    ///
    /// # Cancel safety
    /// No update is lost by dropping the future.
    pub async fn next(&mut self) -> Option<U> {
        std::future::poll_fn(|cx| self.poll_update(cx)).await
    }

    /// The next update; `None` at the end, be it this side's or the callee's (rule R-SC-24).
    ///
    /// # Cancel safety
    /// No update is lost by dropping the future.
    ///
    /// # Errors
    /// The stream broke. Updates that came before are handed out first.
    pub async fn try_next(&mut self) -> Result<Option<U>, DispatchError> {
        match self.next().await {
            Some(update) => Ok(Some(update)),
            None => self.close_reason().await.into_result().map(|()| None),
        }
    }

    /// The id of the query that opened the stream.
    pub fn id(&self) -> QueryId {
        self.id
    }

    /// Waits for the stream to end, and tells why. The first cause counts (rule R-SC-21);
    /// updates that came before it can still be read.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn close_reason(&self) -> PipeCloseReason {
        std::future::poll_fn(|cx| self.updates.poll_close_reason(cx)).await
    }

    /// What remains of the stream when the pipe is gone: its id, and why it ended.
    pub fn metadata(&self) -> PipeMetadata
    where
        U: 'static,
    {
        PipeMetadata::new(self.id, self.updates.clone())
    }

    /// Ends the stream: no update is delivered any more, and the callee is told to stop, once
    /// (rule R-SC-22). Does not wait for it. Dropping the pipe does the same.
    pub fn close(&mut self) {
        self.ready = VecDeque::new();
        self.updates.close();
    }

    /// Asks the callee to end the stream, and leaves it open until it has: the updates on the way
    /// are still delivered, and then the end, for the reason
    /// [`ClosedRemotely`](PipeCloseReason::ClosedRemotely) (rule R-SC-23). Asks once. Nothing is
    /// sent once either side is closing the connection (rule R-SC-5).
    pub fn abort(&self) {
        self.updates.abort();
    }

    /// Moves all updates that are there to the end of `updates`: what takes many of them is spared
    /// asking for each. Ready with `false` at the end of the stream, whatever its reason. A client
    /// that [pushes back](crate::PipeRpc::client_pushes_back) gets them one by one, since asking
    /// for more says that it has finished with those before (rule R-SC-25).
    ///
    /// If none are there, the task of `cx` is woken when some are.
    pub fn poll_next_many(
        &mut self,
        updates: &mut VecDeque<U>,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        if self.ready.is_empty() && updates.is_empty() {
            // Straight to where they go, which gives its room back if that has become large.
            ready!(self.updates.poll_take(updates, cx));
            return Poll::Ready(!updates.is_empty());
        }
        if self.ready.is_empty() {
            ready!(self.updates.poll_take(&mut self.ready, cx));
        }
        let any = !self.ready.is_empty();
        updates.append(&mut self.ready);
        Poll::Ready(any)
    }

    fn poll_update(&mut self, cx: &mut Context<'_>) -> Poll<Option<U>> {
        if let Some(update) = self.ready.pop_front() {
            return Poll::Ready(Some(update));
        }
        ready!(self.updates.poll_take(&mut self.ready, cx));
        Poll::Ready(self.ready.pop_front())
    }
}

impl<U> Stream for Pipe<U> {
    type Item = U;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<U>> {
        self.get_mut().poll_update(cx)
    }
}

impl<U> Unpin for Pipe<U> {}

impl<U> Drop for Pipe<U> {
    fn drop(&mut self) {
        self.updates.close();
    }
}

impl<U> fmt::Debug for Pipe<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
