//! The dispatch functions of the forms that are built in. One of your own looks like these.

use std::pin::Pin;

use rpc_core::payload::Codec;
use rpc_core::{Connection, Pipe, PipeMetadata, PipeRpc, StateRpc};

use crate::event::AttemptError;
use crate::subscription::Subscribed;

pub(crate) type Dispatching<T, U, E> = Pin<Box<dyn Future<Output = Dispatched<T, U, E>> + Send>>;
type Dispatched<T, U, E> = Result<Result<Subscribed<T, Pipe<U>, PipeMetadata>, E>, AttemptError>;

pub(crate) fn state_rpc<Q, T, U, E, C>(
    rpc: &'static StateRpc<Q, T, U, E, C>,
    query: Q,
) -> impl Fn(Connection) -> Dispatching<T, U, E> + Send + Sync + 'static
where
    Q: Send + Sync + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
{
    move |connection| {
        let dispatched = rpc.dispatch(&connection, &query);
        Box::pin(async move {
            let answer = dispatched.await?;
            Ok(answer.map(|(state, updates)| subscribed(state, updates)))
        })
    }
}

pub(crate) fn pipe_rpc<Q, U, E, C>(
    rpc: &'static PipeRpc<Q, U, E, C>,
    query: Q,
) -> impl Fn(Connection) -> Dispatching<(), U, E> + Send + Sync + 'static
where
    Q: Send + Sync + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<U> + Codec<E>,
{
    move |connection| {
        let dispatched = rpc.dispatch(&connection, &query);
        Box::pin(async move {
            let answer = dispatched.await?;
            Ok(answer.map(|updates| subscribed((), updates)))
        })
    }
}

fn subscribed<T, U: 'static>(state: T, updates: Pipe<U>) -> Subscribed<T, Pipe<U>, PipeMetadata> {
    Subscribed {
        state,
        metadata: updates.metadata(),
        updates,
    }
}
