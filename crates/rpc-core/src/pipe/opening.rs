//! From a streaming RPC's query to its answer.

use std::sync::Arc;

use bin_prot::WriteError;
use rpc_wire::{Description, DescriptionRef, QueryId, stream};

use super::incoming::Incoming;
use super::sink::Sink;
use super::{Pipe, PipeMetadata, Queue};
use crate::connection::Asking;
use crate::connection::waiting::Answers;
use crate::payload::{Decode, Undecodable};
use crate::{Connection, DispatchError};

/// Name and version of an RPC.
pub(crate) enum Name {
    /// Of one that the program defines.
    Defined(DescriptionRef<'static>),
    /// Known at run time only.
    Given(Arc<Description>),
}

impl Name {
    pub(crate) fn get(&self) -> DescriptionRef<'_> {
        match self {
            Self::Defined(rpc) => *rpc,
            Self::Given(rpc) => rpc.as_ref().as_ref(),
        }
    }
}

/// A streaming RPC's name, where its values go, and how its error is decoded.
pub(crate) struct Definition<S, E> {
    pub(crate) name: Name,
    pub(crate) sink: S,
    pub(crate) error: fn(&[u8]) -> Result<E, Undecodable>,
}

/// Sends the query of `query` bytes that opens a stream.
pub(crate) fn open<S: Sink, E: Send + 'static>(
    connection: &Connection,
    asking: Asking<'_>,
    definition: Definition<S, E>,
    query: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
) -> Result<Opening<S, E>, DispatchError> {
    let incoming = Arc::new(Incoming::new(connection.shared(), definition));
    let payload = stream::query_size(query);
    let receiver = incoming.clone();
    let shared = connection.shared();
    let id = shared.call(asking, Answers::Many, receiver, payload, |buffer| {
        stream::write_before_query(query, buffer);
        write(buffer)
    })?;
    incoming.set_id(id);
    Ok(Opening {
        incoming,
        id,
        connection: connection.clone(),
    })
}

/// A stream whose query has been sent. Dropping it before its answer was taken aborts the
/// stream.
pub(crate) struct Opening<S: Sink, E> {
    incoming: Arc<Incoming<S, E>>,
    id: QueryId,
    connection: Connection,
}

impl<S: Sink, E: Send + 'static> Opening<S, E> {
    /// Waits for the callee's answer.
    pub(crate) async fn answer(
        self,
    ) -> Result<Result<(S::Initial, PipeMetadata), E>, DispatchError> {
        let initial = std::future::poll_fn(|cx| self.incoming.poll_answer(cx)).await?;
        let metadata = |initial| {
            let incoming = self.incoming.clone();
            (initial, PipeMetadata::new(self.id, incoming))
        };
        Ok(initial.map(metadata))
    }
}

impl<T, U, D, E> Opening<Queue<T, U, D>, E>
where
    T: Send + 'static,
    U: Send + 'static,
    D: Decode<U>,
    E: Send + 'static,
{
    /// The same, with a pipe.
    pub(crate) async fn pipe(self) -> Result<Result<(T, Pipe<U>), E>, DispatchError> {
        let initial = std::future::poll_fn(|cx| self.incoming.poll_answer(cx)).await?;
        let pipe = |state| {
            let incoming = self.incoming.clone();
            (state, Pipe::new(incoming, self.id, self.connection.clone()))
        };
        Ok(initial.map(pipe))
    }
}

impl<S: Sink, E> Drop for Opening<S, E> {
    fn drop(&mut self) {
        self.incoming.abandon();
    }
}
