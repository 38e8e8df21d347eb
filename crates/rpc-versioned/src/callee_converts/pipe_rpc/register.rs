//! Adding versions of a pipe RPC.

use std::sync::Arc;

use futures_core::Stream;
use rpc_core::Implementation;
use rpc_core::payload::Codec;

use super::{DirectHandler, Handler, Operation, PipeRpc};
use crate::builder::Builder;
use crate::callee_converts::streaming::answered;
use crate::callee_converts::updates::{Updates, converted, raw};
use crate::callee_converts::{DirectStreamWriter, Implement};
use crate::conversion::{Conversion, Convert, Unconvertible};
use crate::registered::Registered;

/// Versions of a pipe RPC: how their query becomes ours, and our updates and our error become
/// theirs, in the order of the definition's types.
impl<S, Q, U, E> Builder<PipeRpc<S, Q, U, E>>
where
    S: Send + 'static,
    Q: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    /// Adds a version. A query or an error that cannot be converted is *Uncaught_exn* for the caller
    /// (rule V-CE-3).
    pub fn version<Q1, U1, E1, C>(
        self,
        rpc: &rpc_core::PipeRpc<Q1, U1, E1, C>,
        query: impl Convert<Q1, Q>,
        update: impl Convert<U, U1>,
        error: impl Convert<E, E1>,
    ) -> Self
    where
        Q1: Send + 'static,
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
        Q1: Send + 'static,
        U1: From<U> + Send + 'static,
        E1: From<E> + Send + 'static,
        Q: From<Q1>,
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
    /// stream: the raw form of §6. It may drop, combine or add updates. A family with such a
    /// version has no [direct form](PipeRpc::implement_direct).
    pub fn version_raw<Q1, U1, E1, C, St>(
        self,
        rpc: &rpc_core::PipeRpc<Q1, U1, E1, C>,
        query: impl Convert<Q1, Q>,
        updates: impl Convert<Updates<U>, St>,
        error: impl Convert<E, E1>,
    ) -> Self
    where
        Q1: Send + 'static,
        U1: Send + 'static,
        E1: Send + 'static,
        C: Codec<Q1> + Codec<U1> + Codec<E1>,
        St: Stream<Item = Result<U1, Unconvertible>> + Send + 'static,
    {
        let operation = raw_operation(rpc, query, updates, error);
        self.with(Registered::pipe(rpc), operation)
    }
}

pub(crate) fn operation<S, Q, U, E, Q1, U1, E1, C>(
    rpc: &rpc_core::PipeRpc<Q1, U1, E1, C>,
    query: impl Convert<Q1, Q>,
    update: impl Convert<U, U1>,
    error: impl Convert<E, E1>,
) -> Operation<S, Q, U, E>
where
    S: Send + 'static,
    Q: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    Q1: Send + 'static,
    U1: Send + 'static,
    E1: Send + 'static,
    C: Codec<Q1> + Codec<U1> + Codec<E1>,
{
    let version = Registered::pipe(rpc).named();
    let rpc = *rpc;
    let conversions = Arc::new((query, update, error));
    let shared = conversions.clone();
    let pipe: Implement<S, Handler<S, Q, U, E>> = Arc::new(move |handler, first| {
        let shared = shared.clone();
        Implementation::fallible_pipe(&rpc, move |state, value| {
            first.note();
            let running = version
                .run(Conversion::Query, || (shared.0)(value))
                .map(|query| handler(state, version.number, query));
            let shared = shared.clone();
            async move {
                let accepted = |updates| {
                    let conversions = shared.clone();
                    let update = move |update| (conversions.1)(update);
                    Ok(converted(updates, version, Conversion::Response, update))
                };
                answered(version, running, accepted, &shared.2).await
            }
        })
    });
    let direct: Implement<S, DirectHandler<S, Q, U, E>> = Arc::new(move |handler, first| {
        let shared = conversions.clone();
        Implementation::pipe_direct(&rpc, move |state, value, writer| {
            first.note();
            let conversions = shared.clone();
            let update = move |update| (conversions.1)(update);
            let writer = DirectStreamWriter::new(writer, version, update);
            let running = version
                .run(Conversion::Query, || (shared.0)(value))
                .map(|query| handler(state, version.number, query, writer));
            let shared = shared.clone();
            async move { answered(version, running, Ok, &shared.2).await }
        })
    });
    Operation {
        pipe,
        direct: Some(direct),
    }
}

pub(crate) fn raw_operation<S, Q, U, E, Q1, U1, E1, C, St>(
    rpc: &rpc_core::PipeRpc<Q1, U1, E1, C>,
    query: impl Convert<Q1, Q>,
    updates: impl Convert<Updates<U>, St>,
    error: impl Convert<E, E1>,
) -> Operation<S, Q, U, E>
where
    S: Send + 'static,
    Q: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    Q1: Send + 'static,
    U1: Send + 'static,
    E1: Send + 'static,
    C: Codec<Q1> + Codec<U1> + Codec<E1>,
    St: Stream<Item = Result<U1, Unconvertible>> + Send + 'static,
{
    let version = Registered::pipe(rpc).named();
    let rpc = *rpc;
    let conversions = Arc::new((query, updates, error));
    let pipe: Implement<S, Handler<S, Q, U, E>> = Arc::new(move |handler, first| {
        let shared = conversions.clone();
        Implementation::fallible_pipe(&rpc, move |state, value| {
            first.note();
            let running = version
                .run(Conversion::Query, || (shared.0)(value))
                .map(|query| handler(state, version.number, query));
            let shared = shared.clone();
            async move {
                let accepted = |updates| raw(updates, version, Conversion::Response, &shared.1);
                answered(version, running, accepted, &shared.2).await
            }
        })
    });
    Operation { pipe, direct: None }
}
