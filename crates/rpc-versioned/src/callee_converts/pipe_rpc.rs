//! Pipe RPCs, the callee's side.

mod register;

use std::fmt;
use std::sync::Arc;

use futures_core::Stream;
use rpc_core::{HandlerError, Implementation};

use super::first_query::OnNewVersion;
use super::updates::{Source, infallible};
use super::{DirectStreamWriter, Implement, RawVersions, Running, implement_each};
use crate::builder::Builder;
use crate::converts::{Converts, sealed};
use crate::family::{Family, Naming};
use crate::registered::Registered;

pub(crate) use register::{operation, raw_operation};

/// A pipe RPC with query `Q`, updates `U` and the callee's own error `E` that is answered in several
/// versions, on connections whose state is `S`. Cheap to clone.
pub struct PipeRpc<S, Q, U, E> {
    family: Family<Operation<S, Q, U, E>>,
    on_new_version: Option<OnNewVersion>,
}

/// What can be done with one version.
#[expect(
    unnameable_types,
    reason = "part of a sealed trait, so that it can change"
)]
pub struct Operation<S, Q, U, E> {
    pipe: Implement<S, Handler<S, Q, U, E>>,
    /// None of a raw form.
    direct: Option<Implement<S, DirectHandler<S, Q, U, E>>>,
}

/// The function that answers by a stream, apart from its type.
type Handler<S, Q, U, E> = Arc<dyn Fn(&S, i64, Q) -> Running<Result<Source<U>, E>> + Send + Sync>;

/// The function that writes, apart from its type.
type DirectHandler<S, Q, U, E> =
    Arc<dyn Fn(&S, i64, Q, DirectStreamWriter<U>) -> Running<Result<(), E>> + Send + Sync>;

impl<S, Q, U, E> Clone for Operation<S, Q, U, E> {
    fn clone(&self) -> Self {
        Self {
            pipe: self.pipe.clone(),
            direct: self.direct.clone(),
        }
    }
}

impl<S, Q, U, E> fmt::Debug for Operation<S, Q, U, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").finish_non_exhaustive()
    }
}

impl<S, Q, U, E> PipeRpc<S, Q, U, E>
where
    S: Send + 'static,
    Q: Send + 'static,
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

    /// One implementation of each version, by a function of the state, the version that is served,
    /// and the query (rule V-CE-1): as [`Implementation::pipe`].
    ///
    /// An update that cannot be converted ends the stream: what came before it is sent, then
    /// *Uncaught_exn* in place of the end (rule V-CE-6, decision 8).
    pub fn implement<F, Fut, St>(&self, handler: F) -> Vec<Implementation<S>>
    where
        F: Fn(&S, i64, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<St, E>, HandlerError>> + Send + 'static,
        St: Stream<Item = U> + Send + 'static,
    {
        self.implement_by(
            &(Arc::new(move |state: &S, version, query| {
                let running = handler(state, version, query);
                Box::pin(async move { Ok(running.await?.map(infallible)) }) as Running<_>
            }) as Handler<S, Q, U, E>),
        )
    }

    /// The same by a stream that may fail: as [`Implementation::fallible_pipe`].
    pub fn implement_fallible<F, Fut, St>(&self, handler: F) -> Vec<Implementation<S>>
    where
        F: Fn(&S, i64, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<St, E>, HandlerError>> + Send + 'static,
        St: Stream<Item = Result<U, HandlerError>> + Send + 'static,
    {
        self.implement_by(
            &(Arc::new(move |state: &S, version, query| {
                let running = handler(state, version, query);
                let running = async move {
                    let updates = running.await?;
                    Ok(updates.map(|updates| Box::pin(updates) as Source<U>))
                };
                Box::pin(running) as Running<_>
            }) as Handler<S, Q, U, E>),
        )
    }

    fn implement_by(&self, handler: &Handler<S, Q, U, E>) -> Vec<Implementation<S>> {
        let on_new_version = self.on_new_version.as_ref();
        implement_each(&self.family, on_new_version, handler, |operation| {
            &operation.pipe
        })
    }

    /// The same by a handler that writes its updates itself, through a [`DirectStreamWriter`]: as
    /// [`Implementation::pipe_direct`].
    ///
    /// # Errors
    /// Some version is registered in raw form (rule V-CE-8).
    pub fn implement_direct<F, Fut>(
        &self,
        handler: F,
    ) -> Result<Vec<Implementation<S>>, RawVersions>
    where
        F: Fn(&S, i64, Q, DirectStreamWriter<U>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<(), E>, HandlerError>> + Send + 'static,
    {
        let handler: DirectHandler<S, Q, U, E> = Arc::new(move |state, version, query, writer| {
            Box::pin(handler(state, version, query, writer))
        });
        let entries = self.family.entries().iter();
        let raw = entries.filter(|(_, operation)| operation.direct.is_none());
        let raw: Vec<_> = raw.map(|(rpc, _)| rpc.description()).collect();
        if !raw.is_empty() {
            return Err(RawVersions(raw));
        }
        let direct = self.family.entries().iter();
        let direct = direct.filter_map(|(rpc, operation)| Some((rpc, operation.direct.as_ref()?)));
        let on_new_version = &self.on_new_version;
        Ok(direct
            .map(|(rpc, implement)| {
                let first = super::FirstQuery::new(*rpc, on_new_version.clone());
                implement(handler.clone(), first)
            })
            .collect())
    }
}

impl<S, Q, U, E> Converts for PipeRpc<S, Q, U, E> {}

impl<S, Q, U, E> sealed::Sealed for PipeRpc<S, Q, U, E> {
    type Operation = Operation<S, Q, U, E>;

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

impl<S, Q, U, E> Clone for PipeRpc<S, Q, U, E> {
    fn clone(&self) -> Self {
        Self {
            family: self.family.clone(),
            on_new_version: self.on_new_version.clone(),
        }
    }
}

impl<S, Q, U, E> fmt::Debug for PipeRpc<S, Q, U, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family.fmt("PipeRpc", f)
    }
}
