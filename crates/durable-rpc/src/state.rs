//! Durable subscriptions to state RPCs.

use rpc_core::payload::Codec;
use rpc_core::{Connection, PipeMetadata, StateRpc};

use crate::config::Config;
use crate::dispatch::state_rpc;
use crate::durable::Durable;
use crate::event::AttemptError;
use crate::subscription::{self, subscribe, subscribe_or_fail};

/// A durable subscription to a state RPC.
pub type Subscription<T, U, E> = subscription::Subscription<T, U, E, PipeMetadata>;

/// Subscribes for ever: every attempt sends the same query.
///
/// See [`subscribe`](crate::subscribe) for when attempts are made.
pub fn create<Q, T, U, E, C>(
    rpc: &'static StateRpc<Q, T, U, E, C>,
    connection: &Durable<Connection>,
    query: Q,
    config: impl Into<Config>,
) -> Subscription<T, U, E>
where
    Q: Send + Sync + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
{
    let config = config.into().named_unless(|| rpc.description().to_string());
    subscribe(connection, config, state_rpc(rpc, query))
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
    config: impl Into<Config>,
) -> Result<Result<Subscription<T, U, E>, E>, AttemptError>
where
    Q: Send + Sync + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
{
    let config = config.into().named_unless(|| rpc.description().to_string());
    subscribe_or_fail(connection, config, state_rpc(rpc, query)).await
}
