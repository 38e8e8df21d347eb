//! Durable subscriptions to state RPCs.

use std::time::Duration;

use rpc_core::payload::Codec;
use rpc_core::{Connection, DispatchError, Pipe, PipeMetadata, StateRpc};

use crate::durable::Durable;
use crate::event::AttemptError;
use crate::subscription::{self, Subscribed};

/// A durable subscription to a state RPC.
pub type Subscription<T, U, E> = subscription::Subscription<T, U, E, PipeMetadata>;

/// Subscribes for ever: every attempt sends the same query.
///
/// See [`subscribe`](crate::subscribe) for when attempts are made.
pub fn create<Q, T, U, E, C>(
    rpc: &'static StateRpc<Q, T, U, E, C>,
    connection: &Durable<Connection>,
    query: Q,
    resubscribe_delay: Duration,
) -> Subscription<T, U, E>
where
    Q: Send + Sync + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
{
    crate::subscribe(connection, resubscribe_delay, dispatch(rpc, query))
}

/// Subscribes for ever, provided that the first attempt succeeds.
///
/// # Cancel safety
/// Dropping the future is like dropping the subscription.
///
/// # Errors
/// The outer error is that of the attempt, the inner one the callee's own.
pub async fn create_or_fail<Q, T, U, E, C>(
    rpc: &'static StateRpc<Q, T, U, E, C>,
    connection: &Durable<Connection>,
    query: Q,
    resubscribe_delay: Duration,
) -> Result<Result<Subscription<T, U, E>, E>, AttemptError>
where
    Q: Send + Sync + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
{
    crate::subscribe_or_fail(connection, resubscribe_delay, dispatch(rpc, query)).await
}

type Dispatched<T, U, E> = Result<Result<Subscribed<T, Pipe<U>, PipeMetadata>, E>, DispatchError>;

fn dispatch<Q, T, U, E, C>(
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
            Ok(dispatched.await?.map(|(state, updates)| Subscribed {
                state,
                metadata: updates.metadata(),
                updates,
            }))
        })
    }
}

type Dispatching<T, U, E> = std::pin::Pin<Box<dyn Future<Output = Dispatched<T, U, E>> + Send>>;
