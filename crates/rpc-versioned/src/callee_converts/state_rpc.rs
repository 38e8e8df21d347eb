//! State RPCs, the callee's side.

mod register;

use std::fmt;
use std::sync::Arc;

use futures_core::Stream;
use rpc_core::{HandlerError, Implementation};

use super::first_query::OnNewVersion;
use super::updates::{Source, infallible};
use super::{Implement, Running, implement_each};
use crate::builder::Builder;
use crate::converts::{Converts, sealed};
use crate::family::{Family, Naming};
use crate::registered::Registered;

pub(crate) use register::{operation, raw_operation};

/// A state RPC with query `Q`, initial state `T`, updates `U` and the callee's own error `E` that is
/// answered in several versions, on connections whose state is `S`. Cheap to clone.
pub struct StateRpc<S, Q, T, U, E> {
    family: Family<Operation<S, Q, T, U, E>>,
    on_new_version: Option<OnNewVersion>,
}

type Operation<S, Q, T, U, E> = Implement<S, Handler<S, Q, T, U, E>>;

/// The function that answers, apart from its type.
type Handler<S, Q, T, U, E> =
    Arc<dyn Fn(&S, i64, Q) -> Running<Result<(T, Source<U>), E>> + Send + Sync>;

impl<S, Q, T, U, E> StateRpc<S, Q, T, U, E>
where
    S: Send + 'static,
    Q: Send + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    /// Starts a family of versions, all of this name.
    pub fn builder(name: &'static str) -> Builder<Self> {
        Builder::new(Naming::One(name))
    }

    /// Whom to tell when the first query of a version comes: see
    /// [`Rpc::on_new_version`](super::Rpc::on_new_version).
    #[must_use]
    pub fn on_new_version(mut self, tell: impl Fn(&Registered) + Send + Sync + 'static) -> Self {
        self.on_new_version = Some(Arc::new(tell));
        self
    }

    /// One implementation of each version, by a function of the state of the connection, the version
    /// that is served, and the query (rule V-CE-1): as [`Implementation::state`].
    ///
    /// An update that cannot be converted ends the stream: what came before it is sent, then
    /// *Uncaught_exn* in place of the end (rule V-CE-6, decision 8).
    pub fn implement<F, Fut, St>(&self, handler: F) -> Vec<Implementation<S>>
    where
        F: Fn(&S, i64, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<(T, St), E>, HandlerError>> + Send + 'static,
        St: Stream<Item = U> + Send + 'static,
    {
        self.implement_by(
            &(Arc::new(move |state: &S, version, query| {
                let running = handler(state, version, query);
                let running = async move {
                    let answer = running.await?;
                    Ok(answer.map(|(state, updates)| (state, infallible(updates))))
                };
                Box::pin(running) as Running<_>
            }) as Handler<S, Q, T, U, E>),
        )
    }

    /// The same by a stream that may fail: as [`Implementation::fallible_state`].
    pub fn implement_fallible<F, Fut, St>(&self, handler: F) -> Vec<Implementation<S>>
    where
        F: Fn(&S, i64, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<(T, St), E>, HandlerError>> + Send + 'static,
        St: Stream<Item = Result<U, HandlerError>> + Send + 'static,
    {
        self.implement_by(
            &(Arc::new(move |state: &S, version, query| {
                let running = handler(state, version, query);
                let running = async move {
                    let answer = running.await?;
                    Ok(answer.map(|(state, updates)| (state, Box::pin(updates) as Source<U>)))
                };
                Box::pin(running) as Running<_>
            }) as Handler<S, Q, T, U, E>),
        )
    }

    fn implement_by(&self, handler: &Handler<S, Q, T, U, E>) -> Vec<Implementation<S>> {
        let on_new_version = self.on_new_version.as_ref();
        implement_each(&self.family, on_new_version, handler, |implement| implement)
    }
}

impl<S, Q, T, U, E> Converts for StateRpc<S, Q, T, U, E> {}

impl<S, Q, T, U, E> sealed::Sealed for StateRpc<S, Q, T, U, E> {
    type Operation = Operation<S, Q, T, U, E>;

    fn from_family(family: Family<Self::Operation>) -> Self {
        Self {
            family,
            on_new_version: None,
        }
    }

    fn family(&self) -> &Family<Self::Operation> {
        &self.family
    }
}

impl<S, Q, T, U, E> Clone for StateRpc<S, Q, T, U, E> {
    fn clone(&self) -> Self {
        Self {
            family: self.family.clone(),
            on_new_version: self.on_new_version.clone(),
        }
    }
}

impl<S, Q, T, U, E> fmt::Debug for StateRpc<S, Q, T, U, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family.fmt("StateRpc", f)
    }
}
