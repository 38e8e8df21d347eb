//! Adding versions of a pipe RPC.

use std::sync::Arc;

use futures_core::Stream;
use rpc_core::payload::Codec;

use super::{Operation, Pipe, PipeRpc};
use crate::builder::Builder;
use crate::caller_converts::callback::converting;
use crate::caller_converts::streaming::opened;
use crate::conversion::{Conversion, Convert, Unconvertible};
use crate::error::CallError;
use crate::registered::Registered;

/// Versions of a pipe RPC: how the query becomes theirs, and their updates and their error become
/// ours, in the order of the definition's types.
impl<Q: 'static, U: Send + 'static, E: Send + 'static> Builder<PipeRpc<Q, U, E>> {
    /// Adds a version. If the query cannot be converted, nothing is sent (rule V-CA-1).
    pub fn version<Q1, U1, E1, C>(
        self,
        rpc: &rpc_core::PipeRpc<Q1, U1, E1, C>,
        query: impl Convert<Q, Q1>,
        update: impl Convert<U1, U>,
        error: impl Convert<E1, E>,
    ) -> Self
    where
        Q1: 'static,
        U1: Send + 'static,
        E1: Send + 'static,
        C: Codec<Q1> + Codec<U1> + Codec<E1>,
    {
        let operation = operation(rpc, query, update, error);
        self.with(Registered::pipe(rpc), operation)
    }

    /// Adds a version with the conversions that [`From`] has.
    pub fn version_from<Q1, U1, E1, C>(self, rpc: &rpc_core::PipeRpc<Q1, U1, E1, C>) -> Self
    where
        Q1: From<Q> + 'static,
        U1: Send + 'static,
        E1: Send + 'static,
        U: From<U1>,
        E: From<E1>,
        C: Codec<Q1> + Codec<U1> + Codec<E1>,
    {
        self.version(
            rpc,
            |query| Ok(query.into()),
            |update| Ok(update.into()),
            |error| Ok(error.into()),
        )
    }

    /// Adds a version whose pipe is converted as a whole, by a function that is called once for each
    /// stream: the raw form of §5. It may drop, combine or add updates.
    ///
    /// If it fails, the dispatch does, and the stream is closed (rule V-CA-7). If what it results in
    /// panics, that is the last element. There is no
    /// [dispatch with a callback](PipeRpc::dispatch_with) of such a version (rule V-CA-9).
    pub fn version_raw<Q1, U1, E1, C, St>(
        self,
        rpc: &rpc_core::PipeRpc<Q1, U1, E1, C>,
        query: impl Convert<Q, Q1>,
        updates: impl Convert<rpc_core::Pipe<U1>, St>,
        error: impl Convert<E1, E>,
    ) -> Self
    where
        Q1: 'static,
        U1: Send + 'static,
        E1: Send + 'static,
        C: Codec<Q1> + Codec<U1> + Codec<E1>,
        St: Stream<Item = Result<U, Unconvertible>> + Send + 'static,
    {
        let operation = raw_operation(rpc, query, updates, error);
        self.with(Registered::pipe(rpc), operation)
    }
}

pub(crate) fn operation<Q, U, E, Q1, U1, E1, C>(
    rpc: &rpc_core::PipeRpc<Q1, U1, E1, C>,
    query: impl Convert<Q, Q1>,
    update: impl Convert<U1, U>,
    error: impl Convert<E1, E>,
) -> Operation<Q, U, E>
where
    Q: 'static,
    U: Send + 'static,
    E: Send + 'static,
    Q1: 'static,
    U1: Send + 'static,
    E1: Send + 'static,
    C: Codec<Q1> + Codec<U1> + Codec<E1>,
{
    let version = Registered::pipe(rpc).named();
    let rpc = *rpc;
    let conversions = Arc::new((query, update, error));
    let shared = conversions.clone();
    let open = move |connection: &_, value| {
        let sent = version
            .run(Conversion::Query, || (shared.0)(value))
            .map(|value| rpc.dispatch(connection, &value));
        let shared = shared.clone();
        let running = async move {
            let sent = sent?;
            let opening = async move { Ok(sent.await?.map(|pipe| ((), pipe))) };
            let conversions = shared.clone();
            let update = move |update| (conversions.1)(update);
            let accepted =
                |(), pipe| Ok(Pipe::converted(pipe, version, Conversion::Response, update));
            opened(version, opening, accepted, &shared.2).await
        };
        Box::pin(running) as super::Opening<_, _>
    };
    let call = move |connection: &_, value, callback| {
        let shared = conversions.clone();
        let update = move |update| (shared.1)(update);
        let callback = converting(version, update, callback);
        let sent = version
            .run(Conversion::Query, || (conversions.0)(value))
            .map(|value| rpc.dispatch_with(connection, &value, callback));
        let shared = conversions.clone();
        let running = async move {
            let answer = sent?.await;
            match answer.map_err(|error| CallError::dispatch(version, error))? {
                Ok(metadata) => Ok(Ok(metadata)),
                Err(error) => Ok(Err(version.run(Conversion::Error, || (shared.2)(error))?)),
            }
        };
        Box::pin(running) as super::Opening<_, _>
    };
    Operation {
        open: Arc::new(open),
        call: Some(Arc::new(call)),
    }
}

pub(crate) fn raw_operation<Q, U, E, Q1, U1, E1, C, St>(
    rpc: &rpc_core::PipeRpc<Q1, U1, E1, C>,
    query: impl Convert<Q, Q1>,
    updates: impl Convert<rpc_core::Pipe<U1>, St>,
    error: impl Convert<E1, E>,
) -> Operation<Q, U, E>
where
    Q: 'static,
    U: Send + 'static,
    E: Send + 'static,
    Q1: 'static,
    U1: Send + 'static,
    E1: Send + 'static,
    C: Codec<Q1> + Codec<U1> + Codec<E1>,
    St: Stream<Item = Result<U, Unconvertible>> + Send + 'static,
{
    let version = Registered::pipe(rpc).named();
    let rpc = *rpc;
    let (updates, error) = (Arc::new(updates), Arc::new(error));
    let open = move |connection: &_, value| {
        let sent = version
            .run(Conversion::Query, || query(value))
            .map(|value| rpc.dispatch(connection, &value));
        let (updates, error) = (updates.clone(), error.clone());
        let running = async move {
            let sent = sent?;
            let opening = async move { Ok(sent.await?.map(|pipe| ((), pipe))) };
            let accepted = |(), pipe| Pipe::raw(pipe, version, Conversion::Response, &*updates);
            opened(version, opening, accepted, &*error).await
        };
        Box::pin(running) as super::Opening<_, _>
    };
    Operation {
        open: Arc::new(open),
        call: None,
    }
}
