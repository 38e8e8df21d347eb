//! Durable subscriptions to pipe RPCs: those to state RPCs, without a state (rule D-SU-1).

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use rpc_core::payload::Codec;
use rpc_core::{Connection, PipeMetadata, PipeRpc};
use rpc_versioned::{ConnectionWithMenu, ConversionError, caller_converts};

use crate::config::Config;
use crate::dispatch::{pipe_rpc, versioned_pipe_rpc};
use crate::durable::Durable;
use crate::event::{self, AttemptError};
use crate::monitor::{Monitor, Stats, Status};
use crate::subscription::{self, source, subscribe, subscribe_by, subscribe_or_fail};

/// One event of a subscription to updates `U`, whose callee's own errors are `E`; `M` describes
/// one stream.
///
/// The grammar (*durable* §2.2), which the stream follows by construction:
///
/// ```text
/// round   = AttemptingNewConnection ( FailedToConnect | RpcError )
///         | AttemptingNewConnection ConnectionSuccess Update* LostConnection
/// stream  = round (delay round)*       endless, or cut anywhere by the consumer
/// ```
#[derive(Clone, Debug)]
pub enum Event<U, E, M> {
    /// An attempt begins.
    AttemptingNewConnection,
    /// The attempt succeeded.
    ConnectionSuccess(M),
    /// What the callee sent.
    Update(U),
    /// The stream ended, for whatever reason, the callee's ordinary end included (rule D-EV-3).
    /// All updates received before have been delivered (rule D-EV-2). Some of those that the
    /// callee sent may be missing for ever.
    LostConnection,
    /// The attempt failed.
    FailedToConnect(AttemptError),
    /// The callee answered the attempt with its own error. It is retried like any other failure
    /// (rule D-MA-4).
    RpcError(E),
}

impl<U, E, M> Event<U, E, M> {
    /// The same event with another update, if it has one.
    pub fn map_update<V>(self, map: impl FnOnce(U) -> V) -> Event<V, E, M> {
        match self {
            Self::AttemptingNewConnection => Event::AttemptingNewConnection,
            Self::ConnectionSuccess(metadata) => Event::ConnectionSuccess(metadata),
            Self::Update(update) => Event::Update(map(update)),
            Self::LostConnection => Event::LostConnection,
            Self::FailedToConnect(error) => Event::FailedToConnect(error),
            Self::RpcError(error) => Event::RpcError(error),
        }
    }

    /// `None` for the state, which is not told.
    fn without_state(event: event::Event<(), U, E, M>) -> Option<Self> {
        Some(match event {
            event::Event::AttemptingNewConnection => Self::AttemptingNewConnection,
            event::Event::ConnectionSuccess(metadata) => Self::ConnectionSuccess(metadata),
            event::Event::State(()) => return None,
            event::Event::Update(update) => Self::Update(update),
            event::Event::LostConnection => Self::LostConnection,
            event::Event::FailedToConnect(error) => Self::FailedToConnect(error),
            event::Event::RpcError(error) => Self::RpcError(error),
        })
    }
}

/// A durable subscription to a pipe RPC, or to anything else that has no state. Everything that
/// is said of a [`Subscription`](subscription::Subscription) with a state is true of it.
pub struct Subscription<U, E, M = PipeMetadata> {
    inner: subscription::Subscription<(), U, E, M>,
}

/// A durable subscription to whichever version of a pipe RPC the callee has. An update that cannot
/// be converted is an error, and its stream goes on (rules D-SU-3, V-CA-4).
pub type Versioned<U, E> = Subscription<Result<U, ConversionError>, E>;

/// Subscribes for ever: every attempt sends the same query.
///
/// See [`subscribe`] for when attempts are made.
pub fn create<Q, U, E, C>(
    rpc: &'static PipeRpc<Q, U, E, C>,
    connection: &Durable<Connection>,
    query: Q,
    config: impl Into<Config>,
) -> Subscription<U, E>
where
    Q: Send + Sync + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<U> + Codec<E>,
{
    let config = config.into().named_unless(|| rpc.description().to_string());
    subscribe_by(connection, config, pipe_rpc(rpc, query), source::pipe).into()
}

/// Subscribes for ever, provided that the first attempt succeeds.
///
/// # Cancel safety
/// Dropping the future is like dropping the subscription.
///
/// # Errors
/// The outer error is that of the attempt, the inner one the callee's own.
pub async fn create_or_fail<Q, U, E, C>(
    rpc: &'static PipeRpc<Q, U, E, C>,
    connection: &Durable<Connection>,
    query: Q,
    config: impl Into<Config>,
) -> Result<Result<Subscription<U, E>, E>, AttemptError>
where
    Q: Send + Sync + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<U> + Codec<E>,
{
    let config = config.into().named_unless(|| rpc.description().to_string());
    let created = subscribe_by(connection, config, pipe_rpc(rpc, query), source::pipe)
        .established()
        .await?;
    Ok(created.map(Into::into))
}

/// [`create`] for an RPC of many versions, of which every attempt selects one anew. The caller of a
/// [both-convert](rpc_versioned::both_convert) RPC is its
/// [`caller`](rpc_versioned::both_convert::PipeRpc::caller).
pub fn create_versioned<Q, U, E>(
    rpc: &caller_converts::PipeRpc<Q, U, E>,
    connection: &Durable<ConnectionWithMenu>,
    query: Q,
    config: impl Into<Config>,
) -> Versioned<U, E>
where
    Q: Clone + Send + Sync + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    let config = config.into().named_after(rpc);
    subscribe(connection, config, versioned_pipe_rpc(rpc.clone(), query)).into()
}

/// [`create_or_fail`] for an RPC of many versions.
///
/// # Cancel safety
/// Dropping the future is like dropping the subscription.
///
/// # Errors
/// The outer error is that of the attempt, the inner one the callee's own.
pub async fn create_or_fail_versioned<Q, U, E>(
    rpc: &caller_converts::PipeRpc<Q, U, E>,
    connection: &Durable<ConnectionWithMenu>,
    query: Q,
    config: impl Into<Config>,
) -> Result<Result<Versioned<U, E>, E>, AttemptError>
where
    Q: Clone + Send + Sync + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    let config = config.into().named_after(rpc);
    let dispatch = versioned_pipe_rpc(rpc.clone(), query);
    let created = subscribe_or_fail(connection, config, dispatch).await?;
    Ok(created.map(Into::into))
}

/// Whatever was [subscribed](subscribe) to without a state.
impl<U, E, M> From<subscription::Subscription<(), U, E, M>> for Subscription<U, E, M> {
    fn from(inner: subscription::Subscription<(), U, E, M>) -> Self {
        Self { inner }
    }
}

impl<U, E, M> Subscription<U, E, M> {
    /// The next event. Never `None` unless the subscription has been closed (rule D-EV-4), or was
    /// told to [give up](crate::Retry::give_up_after) and did.
    ///
    /// # Cancel safety
    /// No event is lost by dropping the future.
    pub async fn next(&mut self) -> Option<Event<U, E, M>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The same subscription with the state `()`: to be [conflated] or [followed].
    ///
    /// [conflated]: subscription::Subscription::conflated
    /// [followed]: subscription::Subscription::follow
    pub fn with_unit_state(self) -> subscription::Subscription<(), U, E, M> {
        self.inner
    }

    /// See [`Subscription::resubscribe`](subscription::Subscription::resubscribe).
    pub fn resubscribe(&mut self) {
        self.inner.resubscribe();
    }

    /// Ends the subscription: no event is delivered any more. Twice has no further effect.
    pub fn close(&mut self) {
        self.inner.close();
    }

    /// What tells what the subscription is doing, wherever that goes.
    pub fn monitor(&self) -> Monitor {
        self.inner.monitor()
    }

    /// What the subscription is doing.
    pub fn status(&self) -> Status {
        self.inner.status()
    }

    /// What has happened so far.
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

impl<U, E, M> Stream for Subscription<U, E, M> {
    type Item = Event<U, E, M>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(event) = ready!(Pin::new(&mut self.inner).poll_next(cx)) else {
                return Poll::Ready(None);
            };
            if let Some(event) = Event::without_state(event) {
                return Poll::Ready(Some(event));
            }
        }
    }
}

impl<U, E, M> fmt::Debug for Subscription<U, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<U, E, M> fmt::Display for Subscription<U, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}
