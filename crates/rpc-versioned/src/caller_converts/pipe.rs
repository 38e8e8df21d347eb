//! The receiving end of a stream whose updates are converted.

use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use rpc_core::{PipeCloseReason, PipeMetadata};
use rpc_wire::QueryId;

use crate::conversion::{Conversion, ConversionError, Convert, Unconvertible, Version};
use crate::stream::{Guarded, Map};

/// The updates of a pipe or state RPC, converted: a [`Stream`] of results, and the way to end it.
///
/// An update that cannot be converted is an error in its place, and the stream goes on
/// (rule V-CA-4): one bad value must neither kill a subscription nor vanish.
///
/// Each update is converted when it is asked for, so what
/// [pushes back](rpc_core::PipeRpc::client_pushes_back) waits for whoever reads this
/// (rule V-CA-5). Why the stream ended is told by [`close_reason`](Self::close_reason).
///
/// Dropping it tells the callee to stop, as with an [`rpc_core::Pipe`].
pub struct Pipe<U> {
    updates: Exclusive<U>,
    metadata: PipeMetadata,
}

/// Gone once this side has closed it. Nobody ever locks it: it is there so that the pipe can be
/// shared, whatever a raw form is made of.
type Exclusive<U> = Mutex<Option<Updates<U>>>;

type Updates<U> = Pin<Box<dyn Stream<Item = Result<U, ConversionError>> + Send>>;

impl<U: Send + 'static> Pipe<U> {
    /// Converts update by update.
    pub(super) fn converted<U1: Send + 'static>(
        pipe: rpc_core::Pipe<U1>,
        version: Version,
        conversion: Conversion,
        convert: impl Convert<U1, U>,
    ) -> Self {
        let metadata = pipe.metadata();
        let convert = move |update| version.run(conversion, || convert(update));
        Self {
            updates: Mutex::new(Some(Box::pin(Map::new(pipe, convert)))),
            metadata,
        }
    }

    /// Converts the pipe as a whole. If that fails, the pipe is dropped, and its stream ends
    /// (rule V-CA-7).
    pub(super) fn raw<U1, St>(
        pipe: rpc_core::Pipe<U1>,
        version: Version,
        conversion: Conversion,
        convert: &impl Convert<rpc_core::Pipe<U1>, St>,
    ) -> Result<Self, ConversionError>
    where
        U1: Send + 'static,
        St: Stream<Item = Result<U, Unconvertible>> + Send + 'static,
    {
        let metadata = pipe.metadata();
        let updates = version.run(conversion, || convert(pipe))?;
        let guarded = Guarded::new(updates, version, conversion);
        Ok(Self {
            updates: Mutex::new(Some(Box::pin(guarded))),
            metadata,
        })
    }

    /// Converts what was converted before.
    pub(super) fn map<V: Send + 'static>(
        self,
        version: Version,
        conversion: Conversion,
        convert: impl Convert<U, V>,
    ) -> Pipe<V> {
        let metadata = self.metadata.clone();
        let convert = move |update: Result<U, _>| {
            let update = update?;
            version.run(conversion, || convert(update))
        };
        Pipe {
            updates: Mutex::new(Some(Box::pin(Map::new(self, convert)))),
            metadata,
        }
    }
}

impl<U> Pipe<U> {
    /// The next update, or why it could not be converted; `None` at the end, whatever its reason.
    ///
    /// # Cancel safety
    /// No update is lost by dropping the future, unless a [raw
    /// form](crate::Builder#method.version_raw) loses it.
    pub async fn next(&mut self) -> Option<Result<U, ConversionError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The id of the query that opened the stream.
    pub fn id(&self) -> QueryId {
        self.metadata.id()
    }

    /// What remains of the stream when the pipe is gone: its id, and why it ended.
    pub fn metadata(&self) -> &PipeMetadata {
        &self.metadata
    }

    /// Waits for the stream to end, and tells why. Updates that came before can still be read.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn close_reason(&self) -> PipeCloseReason {
        self.metadata.close_reason().await
    }

    /// Ends the stream: no update is delivered any more, and the callee is told to stop, once.
    /// Dropping the pipe does the same.
    pub fn close(&mut self) {
        *self.updates() = None;
    }

    fn updates(&mut self) -> &mut Option<Updates<U>> {
        let updates = self.updates.get_mut();
        updates.unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the callee to end the stream, and leaves it open until it has: see
    /// [`rpc_core::Pipe::abort`].
    pub fn abort(&self) {
        self.metadata.abort();
    }
}

impl<U> Stream for Pipe<U> {
    type Item = Result<U, ConversionError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.get_mut().updates() {
            Some(updates) => updates.as_mut().poll_next(cx),
            None => Poll::Ready(None),
        }
    }
}

impl<U> fmt::Debug for Pipe<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
