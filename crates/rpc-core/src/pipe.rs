//! The receiving end of a stream.

mod incoming;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bin_prot::WriteError;
use futures_core::Stream;
use rpc_wire::{DescriptionRef, QueryId, stream};

use crate::connection::waiting::Answers;
use crate::payload::Undecodable;
use crate::{Connection, DispatchError};
use incoming::{End, Incoming, Updates};

/// The updates of a pipe or state RPC: a [`Stream`], and the way to end it.
///
/// Updates arrive in the order in which the callee produced them, and those that arrived before
/// the end remain readable after it. The stream's end does not tell why it ended: that is the
/// [`close_reason`](Self::close_reason).
///
/// Updates that are not read are kept, without bound: the protocol has no flow control for a
/// single stream.
///
/// Dropping the pipe ends the stream: the callee is told to stop, and what it still sends is
/// swallowed. The pipe holds a handle to its connection.
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
    /// It broke: an error from the callee, an update that could not be decoded, or the end of
    /// the connection.
    Error(DispatchError),
}

/// Tells streams apart, and why each ended. Does not keep the stream or its connection open.
#[derive(Clone)]
pub struct PipeMetadata {
    id: QueryId,
    end: Arc<dyn End>,
}

impl PipeMetadata {
    /// The id of the query that opened the stream.
    pub fn id(&self) -> QueryId {
        self.id
    }

    /// Waits for the stream to end, and tells why.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn close_reason(&self) -> PipeCloseReason {
        std::future::poll_fn(|cx| self.end.poll_close_reason(cx)).await
    }
}

impl fmt::Debug for PipeMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeMetadata")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl<U> Pipe<U> {
    /// The next update; `None` at the end.
    ///
    /// # Cancel safety
    /// No update is lost by dropping the future.
    pub async fn next(&mut self) -> Option<U> {
        std::future::poll_fn(|cx| self.poll_update(cx)).await
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
        PipeMetadata {
            id: self.id,
            end: self.updates.clone(),
        }
    }

    /// Ends the stream: no update is delivered any more, and the callee is told to stop, once
    /// (rule R-SC-22). Does not wait for it. Dropping the pipe does the same.
    pub fn close(&mut self) {
        self.ready.clear();
        self.updates.close();
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

/// A streaming RPC's name and decoders.
pub(crate) struct Definition<T, U, E> {
    pub(crate) name: &'static str,
    pub(crate) version: i64,
    pub(crate) state: fn(&[u8]) -> Result<T, Undecodable>,
    pub(crate) update: fn(&[u8]) -> Result<U, Undecodable>,
    pub(crate) error: fn(&[u8]) -> Result<E, Undecodable>,
}

impl<T, U, E> Definition<T, U, E> {
    fn rpc(&self) -> DescriptionRef<'static> {
        DescriptionRef {
            name: self.name.as_bytes(),
            version: self.version,
        }
    }
}

/// Sends the query of `query` bytes that opens a stream.
pub(crate) fn open<T, U, E>(
    connection: &Connection,
    definition: Definition<T, U, E>,
    query: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
) -> Result<Opening<T, U, E>, DispatchError>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    let rpc = definition.rpc();
    let incoming = Arc::new(Incoming::new(connection.shared(), definition));
    let payload = stream::query_size(query);
    let id = connection.shared().call(
        connection.asking(rpc),
        Answers::Many,
        incoming.clone(),
        payload,
        |buffer| {
            stream::write_before_query(query, buffer);
            write(buffer)
        },
    )?;
    incoming.set_id(id);
    Ok(Opening {
        incoming,
        id,
        connection: connection.clone(),
    })
}

/// A stream whose query has been sent. Dropping it before its answer was taken aborts the
/// stream.
pub(crate) struct Opening<T, U, E> {
    incoming: Arc<Incoming<T, U, E>>,
    id: QueryId,
    connection: Connection,
}

impl<T, U, E> Opening<T, U, E>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    /// Waits for the callee's answer.
    pub(crate) async fn answer(self) -> Result<Result<(T, Pipe<U>), E>, DispatchError> {
        let initial = std::future::poll_fn(|cx| self.incoming.poll_answer(cx)).await?;
        Ok(initial.map(|state| {
            let pipe = Pipe {
                updates: self.incoming.clone(),
                ready: VecDeque::new(),
                id: self.id,
                _connection: self.connection.clone(),
            };
            (state, pipe)
        }))
    }
}

impl<T, U, E> Drop for Opening<T, U, E> {
    fn drop(&mut self) {
        self.incoming.abandon();
    }
}
