//! Adding versions of a state RPC.

use std::sync::Arc;

use futures_core::Stream;
use rpc_core::payload::Codec;

use super::{Operation, Pipe, StateRpc};
use crate::builder::Builder;
use crate::caller_converts::streaming::opened;
use crate::conversion::{Conversion, Convert, Unconvertible};
use crate::registered::Registered;

/// Versions of a state RPC: how the query becomes theirs, and their state, updates and error become
/// ours, in the order of the definition's types.
impl<Q, T, U, E> Builder<StateRpc<Q, T, U, E>>
where
    Q: 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    /// Adds a version. If the query cannot be converted, nothing is sent (rule V-CA-1).
    pub fn version<Q1, T1, U1, E1, C>(
        self,
        rpc: &rpc_core::StateRpc<Q1, T1, U1, E1, C>,
        query: impl Convert<Q, Q1>,
        state: impl Convert<T1, T>,
        update: impl Convert<U1, U>,
        error: impl Convert<E1, E>,
    ) -> Self
    where
        Q1: 'static,
        T1: Send + 'static,
        U1: Send + 'static,
        E1: Send + 'static,
        C: Codec<Q1> + Codec<T1> + Codec<U1> + Codec<E1>,
    {
        let operation = operation(rpc, query, state, update, error);
        self.with(Registered::state(rpc), operation)
    }

    /// Adds a version with the conversions that [`From`] has.
    pub fn version_from<Q1, T1, U1, E1, C>(
        self,
        rpc: &rpc_core::StateRpc<Q1, T1, U1, E1, C>,
    ) -> Self
    where
        Q1: From<Q> + 'static,
        T1: Send + 'static,
        U1: Send + 'static,
        E1: Send + 'static,
        T: From<T1>,
        U: From<U1>,
        E: From<E1>,
        C: Codec<Q1> + Codec<T1> + Codec<U1> + Codec<E1>,
    {
        self.version(
            rpc,
            |query| Ok(query.into()),
            |state| Ok(state.into()),
            |update| Ok(update.into()),
            |error| Ok(error.into()),
        )
    }

    /// Adds a version whose updates are converted as a whole, by a function that is called once for
    /// each stream: the raw form of §5. It may drop, combine or add updates.
    ///
    /// If it fails, the dispatch does, and the stream is closed (rule V-CA-7). If what it results in
    /// panics, that is the last element.
    pub fn version_raw<Q1, T1, U1, E1, C, St>(
        self,
        rpc: &rpc_core::StateRpc<Q1, T1, U1, E1, C>,
        query: impl Convert<Q, Q1>,
        state: impl Convert<T1, T>,
        updates: impl Convert<rpc_core::Pipe<U1>, St>,
        error: impl Convert<E1, E>,
    ) -> Self
    where
        Q1: 'static,
        T1: Send + 'static,
        U1: Send + 'static,
        E1: Send + 'static,
        C: Codec<Q1> + Codec<T1> + Codec<U1> + Codec<E1>,
        St: Stream<Item = Result<U, Unconvertible>> + Send + 'static,
    {
        let operation = raw_operation(rpc, query, state, updates, error);
        self.with(Registered::state(rpc), operation)
    }
}

pub(crate) fn operation<Q, T, U, E, Q1, T1, U1, E1, C>(
    rpc: &rpc_core::StateRpc<Q1, T1, U1, E1, C>,
    query: impl Convert<Q, Q1>,
    state: impl Convert<T1, T>,
    update: impl Convert<U1, U>,
    error: impl Convert<E1, E>,
) -> Operation<Q, T, U, E>
where
    Q: 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    Q1: 'static,
    T1: Send + 'static,
    U1: Send + 'static,
    E1: Send + 'static,
    C: Codec<Q1> + Codec<T1> + Codec<U1> + Codec<E1>,
{
    let version = Registered::state(rpc).named();
    let rpc = *rpc;
    let conversions = Arc::new((query, state, update, error));
    Arc::new(move |connection, value| {
        let shared = conversions.clone();
        let sent = version
            .run(Conversion::Query, || (shared.0)(value))
            .map(|value| rpc.dispatch(connection, &value));
        Box::pin(async move {
            let accepted = |state, pipe| {
                let state = version.run(Conversion::State, || (shared.1)(state))?;
                let conversions = shared.clone();
                let update = move |update| (conversions.2)(update);
                let pipe = Pipe::converted(pipe, version, Conversion::Update, update);
                Ok((state, pipe))
            };
            opened(version, sent?, accepted, &shared.3).await
        })
    })
}

pub(crate) fn raw_operation<Q, T, U, E, Q1, T1, U1, E1, C, St>(
    rpc: &rpc_core::StateRpc<Q1, T1, U1, E1, C>,
    query: impl Convert<Q, Q1>,
    state: impl Convert<T1, T>,
    updates: impl Convert<rpc_core::Pipe<U1>, St>,
    error: impl Convert<E1, E>,
) -> Operation<Q, T, U, E>
where
    Q: 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    Q1: 'static,
    T1: Send + 'static,
    U1: Send + 'static,
    E1: Send + 'static,
    C: Codec<Q1> + Codec<T1> + Codec<U1> + Codec<E1>,
    St: Stream<Item = Result<U, Unconvertible>> + Send + 'static,
{
    let version = Registered::state(rpc).named();
    let rpc = *rpc;
    let conversions = Arc::new((query, state, updates, error));
    Arc::new(move |connection, value| {
        let shared = conversions.clone();
        let sent = version
            .run(Conversion::Query, || (shared.0)(value))
            .map(|value| rpc.dispatch(connection, &value));
        Box::pin(async move {
            let accepted = |state, pipe| {
                let state = version.run(Conversion::State, || (shared.1)(state))?;
                let pipe = Pipe::raw(pipe, version, Conversion::Update, &shared.2)?;
                Ok((state, pipe))
            };
            opened(version, sent?, accepted, &shared.3).await
        })
    })
}
