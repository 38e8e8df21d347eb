//! The dispatch functions of the forms that are built in. One of your own looks like these.

use std::pin::Pin;

use rpc_core::payload::Codec;
use rpc_core::{Connection, Pipe, PipeMetadata, PipeRpc, StateRpc};
use rpc_versioned::{ConnectionWithMenu, caller_converts};

use crate::event::AttemptError;
use crate::subscription::Subscribed;

/// A dispatch that is going on: to a state `T` and a stream `P`.
pub(crate) type Dispatching<T, P, E> = Pin<Box<dyn Future<Output = Dispatched<T, P, E>> + Send>>;
type Dispatched<T, P, E> = Result<Result<Subscribed<T, P, PipeMetadata>, E>, AttemptError>;

pub(crate) fn state_rpc<Q, T, U, E, C>(
    rpc: &'static StateRpc<Q, T, U, E, C>,
    query: Q,
) -> impl Fn(Connection) -> Dispatching<T, Pipe<U>, E> + Send + Sync + 'static
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
) -> impl Fn(Connection) -> Dispatching<(), Pipe<U>, E> + Send + Sync + 'static
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

pub(crate) fn versioned_state_rpc<Q, T, U, E>(
    rpc: caller_converts::StateRpc<Q, T, U, E>,
    query: Q,
) -> impl Fn(ConnectionWithMenu) -> Dispatching<T, caller_converts::Pipe<U>, E> + Send + Sync + 'static
where
    Q: Clone + Send + Sync + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    move |connection| {
        let dispatched = rpc.dispatch(&connection, query.clone());
        Box::pin(async move {
            let answer = dispatched.await?;
            Ok(answer.map(|(state, updates)| converted(state, updates)))
        })
    }
}

pub(crate) fn versioned_pipe_rpc<Q, U, E>(
    rpc: caller_converts::PipeRpc<Q, U, E>,
    query: Q,
) -> impl Fn(ConnectionWithMenu) -> Dispatching<(), caller_converts::Pipe<U>, E> + Send + Sync + 'static
where
    Q: Clone + Send + Sync + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    move |connection| {
        let dispatched = rpc.dispatch(&connection, query.clone());
        Box::pin(async move {
            let answer = dispatched.await?;
            Ok(answer.map(|updates| converted((), updates)))
        })
    }
}

fn converted<T, U>(
    state: T,
    updates: caller_converts::Pipe<U>,
) -> Subscribed<T, caller_converts::Pipe<U>, PipeMetadata> {
    Subscribed {
        state,
        metadata: updates.metadata().clone(),
        updates,
    }
}
