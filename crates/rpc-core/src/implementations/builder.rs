//! Collecting implementations for a table.

use std::fmt;

use futures_core::Stream;

use super::{DuplicateImplementations, Implementations};
use crate::error::HandlerError;
use crate::implementation::Implementation;
use crate::on_exception::OnException;
use crate::payload::Codec;
use crate::unknown_rpc::OnUnknownRpc;
use crate::{DirectStreamWriter, OneWay, PipeRpc, Rpc, StateRpc};

/// Collects implementations.
///
/// Each `implement…` is short for [`implementation`](Self::implementation) with the [`Implementation`] of the same name.
///
/// Handlers get the connection's state by reference, so what a future needs of it is cloned
/// before the `async move`. A handler's error or panic reaches the caller as *Uncaught_exn*; the
/// connection and its other queries go on, unless [`OnException`] says otherwise. Handlers of a
/// connection that has closed are cancelled: their futures and streams are dropped.
pub struct Builder<S> {
    entries: Vec<Implementation<S>>,
    on_unknown_rpc: OnUnknownRpc<S>,
    on_exception: OnException,
}

impl<S> Builder<S> {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            on_unknown_rpc: OnUnknownRpc::default(),
            on_exception: OnException::default(),
        }
    }

    /// Adds an implementation.
    #[must_use]
    pub fn implementation(mut self, implementation: Implementation<S>) -> Self {
        self.entries.push(implementation);
        self
    }

    /// Adds all of them, those of another table for instance.
    #[must_use]
    pub fn implementations(
        mut self,
        implementations: impl IntoIterator<Item = Implementation<S>>,
    ) -> Self {
        self.entries.extend(implementations);
        self
    }

    /// What happens after a query for something else. Default: [`OnUnknownRpc::Raise`].
    #[must_use]
    pub fn on_unknown_rpc(mut self, policy: OnUnknownRpc<S>) -> Self {
        self.on_unknown_rpc = policy;
        self
    }

    /// What happens when a handler raises that has no [policy of its
    /// own](Implementation::on_exception). Default: [`OnException::LogOnBackgroundException`].
    #[must_use]
    pub fn on_exception(mut self, policy: OnException) -> Self {
        self.on_exception = policy;
        self
    }

    /// The finished table.
    ///
    /// # Errors
    /// Lists every name and version that was implemented more than once (rule R-IM-2).
    pub fn build(self) -> Result<Implementations<S>, DuplicateImplementations> {
        Implementations::from_unsorted(self.entries, self.on_unknown_rpc, self.on_exception)
    }
}

impl<S: Send + 'static> Builder<S> {
    /// Implements a plain RPC: see [`Implementation::plain`].
    #[must_use]
    pub fn implement<Q, R, C, F, Fut>(self, rpc: &Rpc<Q, R, C>, handler: F) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        Q: Send + 'static,
        R: 'static,
        C: Codec<Q> + Codec<R>,
    {
        self.implementation(Implementation::plain(rpc, handler))
    }

    /// Implements a plain RPC by a function that does not suspend: see
    /// [`Implementation::blocking`].
    #[must_use]
    pub fn implement_blocking<Q, R, C, F>(self, rpc: &Rpc<Q, R, C>, handler: F) -> Self
    where
        F: Fn(&S, Q) -> Result<R, HandlerError> + Send + Sync + 'static,
        Q: Send + 'static,
        R: 'static,
        C: Codec<Q> + Codec<R>,
    {
        self.implementation(Implementation::blocking(rpc, handler))
    }

    /// Implements a one-way RPC: see [`Implementation::one_way`].
    #[must_use]
    pub fn implement_one_way<Q, C, F, Fut>(self, rpc: &OneWay<Q, C>, handler: F) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
        Q: Send + 'static,
        C: Codec<Q>,
    {
        self.implementation(Implementation::one_way(rpc, handler))
    }

    /// Implements a pipe RPC: see [`Implementation::pipe`].
    #[must_use]
    pub fn implement_pipe<Q, U, E, C, F, Fut, St>(
        self,
        rpc: &PipeRpc<Q, U, E, C>,
        handler: F,
    ) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<St, E>, HandlerError>> + Send + 'static,
        St: Stream<Item = U> + Send + 'static,
        Q: Send + 'static,
        U: Send + 'static,
        E: Send + 'static,
        C: Codec<Q> + Codec<U> + Codec<E>,
    {
        self.implementation(Implementation::pipe(rpc, handler))
    }

    /// Implements a state RPC: see [`Implementation::state`].
    #[must_use]
    pub fn implement_state<Q, T, U, E, C, F, Fut, St>(
        self,
        rpc: &StateRpc<Q, T, U, E, C>,
        handler: F,
    ) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<(T, St), E>, HandlerError>> + Send + 'static,
        St: Stream<Item = U> + Send + 'static,
        Q: Send + 'static,
        T: Send + 'static,
        U: Send + 'static,
        E: Send + 'static,
        C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
    {
        self.implementation(Implementation::state(rpc, handler))
    }

    /// Implements a pipe RPC by a handler that writes its updates itself: see
    /// [`Implementation::pipe_direct`].
    #[must_use]
    pub fn implement_pipe_direct<Q, U, E, C, F, Fut>(
        self,
        rpc: &PipeRpc<Q, U, E, C>,
        handler: F,
    ) -> Self
    where
        F: Fn(&S, Q, DirectStreamWriter<U, C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<(), E>, HandlerError>> + Send + 'static,
        Q: Send + 'static,
        U: 'static,
        E: Send + 'static,
        C: Codec<Q> + Codec<U> + Codec<E>,
    {
        self.implementation(Implementation::pipe_direct(rpc, handler))
    }

    /// Implements a state RPC by a handler that writes its updates itself: see
    /// [`Implementation::state_direct`].
    #[must_use]
    pub fn implement_state_direct<Q, T, U, E, C, F, Fut>(
        self,
        rpc: &StateRpc<Q, T, U, E, C>,
        handler: F,
    ) -> Self
    where
        F: Fn(&S, Q, DirectStreamWriter<U, C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<T, E>, HandlerError>> + Send + 'static,
        Q: Send + 'static,
        T: Send + 'static,
        U: 'static,
        E: Send + 'static,
        C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
    {
        self.implementation(Implementation::state_direct(rpc, handler))
    }
}

impl<S> fmt::Debug for Builder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let descriptions = self.entries.iter();
        let descriptions = descriptions.map(|entry| entry.description().to_string());
        f.debug_list().entries(descriptions).finish()
    }
}
