//! Durable subscriptions to state RPCs.

use rpc_core::payload::Codec;
use rpc_core::{Connection, PipeMetadata, StateRpc};
use rpc_versioned::{ConnectionWithMenu, ConversionError, caller_converts};

use crate::config::Config;
use crate::dispatch::{state_rpc, versioned_state_rpc};
use crate::durable::Durable;
use crate::event::AttemptError;
use crate::subscription::{self, source, subscribe, subscribe_by, subscribe_or_fail};

/// A durable subscription to a state RPC.
pub type Subscription<T, U, E> = subscription::Subscription<T, U, E, PipeMetadata>;

/// A durable subscription to whichever version of a state RPC the callee has. An update that cannot
/// be converted is an error, and its stream goes on (rules D-SU-3, V-CA-4).
pub type Versioned<T, U, E> = Subscription<T, Result<U, ConversionError>, E>;

/// Subscribes for ever: every attempt sends the same query.
///
/// See [`subscribe`] for when attempts are made.
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
    subscribe_by(connection, config, state_rpc(rpc, query), source::pipe)
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
    subscribe_by(connection, config, state_rpc(rpc, query), source::pipe)
        .established()
        .await
}

/// [`create`] for an RPC of many versions, of which every attempt selects one anew. The caller of a
/// [both-convert](rpc_versioned::both_convert) RPC is its
/// [`caller`](rpc_versioned::both_convert::StateRpc::caller).
pub fn create_versioned<Q, T, U, E>(
    rpc: &caller_converts::StateRpc<Q, T, U, E>,
    connection: &Durable<ConnectionWithMenu>,
    query: Q,
    config: impl Into<Config>,
) -> Versioned<T, U, E>
where
    Q: Clone + Send + Sync + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    let config = config.into().named_after(rpc);
    subscribe(connection, config, versioned_state_rpc(rpc.clone(), query))
}

/// [`create_or_fail`] for an RPC of many versions.
///
/// # Cancel safety
/// Dropping the future is like dropping the subscription.
///
/// # Errors
/// The outer error is that of the attempt, the inner one the callee's own.
pub async fn create_or_fail_versioned<Q, T, U, E>(
    rpc: &caller_converts::StateRpc<Q, T, U, E>,
    connection: &Durable<ConnectionWithMenu>,
    query: Q,
    config: impl Into<Config>,
) -> Result<Result<Versioned<T, U, E>, E>, AttemptError>
where
    Q: Clone + Send + Sync + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    let config = config.into().named_after(rpc);
    subscribe_or_fail(connection, config, versioned_state_rpc(rpc.clone(), query)).await
}
