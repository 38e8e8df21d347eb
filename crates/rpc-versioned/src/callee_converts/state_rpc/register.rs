//! Adding versions of a state RPC.

use std::sync::Arc;

use futures_core::Stream;
use rpc_core::Implementation;
use rpc_core::payload::Codec;

use super::{Operation, StateRpc};
use crate::builder::Builder;
use crate::callee_converts::streaming::answered;
use crate::callee_converts::updates::{Updates, converted, raw};
use crate::conversion::{Conversion, ConversionError, Convert, Unconvertible};
use crate::registered::Registered;

/// Versions of a state RPC: how their query becomes ours, and our state, updates and error become
/// theirs, in the order of the definition's types.
impl<S, Q, T, U, E> Builder<StateRpc<S, Q, T, U, E>>
where
    S: Send + 'static,
    Q: Send + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    /// Adds a version. A query, state or error that cannot be converted is *Uncaught_exn* for the
    /// caller (rule V-CE-3).
    pub fn version<Q1, T1, U1, E1, C>(
        self,
        rpc: &rpc_core::StateRpc<Q1, T1, U1, E1, C>,
        query: impl Convert<Q1, Q>,
        state: impl Convert<T, T1>,
        update: impl Convert<U, U1>,
        error: impl Convert<E, E1>,
    ) -> Self
    where
        Q1: Send + 'static,
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
        Q1: Send + 'static,
        T1: From<T> + Send + 'static,
        U1: From<U> + Send + 'static,
        E1: From<E> + Send + 'static,
        Q: From<Q1>,
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

    /// Adds a version whose updates are converted as a whole, by a function of the state and all of
    /// them that is called once for each stream: the raw form of §6. It may drop, combine or add
    /// updates.
    pub fn version_raw<Q1, T1, U1, E1, C, St>(
        self,
        rpc: &rpc_core::StateRpc<Q1, T1, U1, E1, C>,
        query: impl Convert<Q1, Q>,
        state: impl Convert<T, T1>,
        updates: impl Fn(&T, Updates<U>) -> Result<St, Unconvertible> + Send + Sync + 'static,
        error: impl Convert<E, E1>,
    ) -> Self
    where
        Q1: Send + 'static,
        T1: Send + 'static,
        U1: Send + 'static,
        E1: Send + 'static,
        C: Codec<Q1> + Codec<T1> + Codec<U1> + Codec<E1>,
        St: Stream<Item = Result<U1, Unconvertible>> + Send + 'static,
    {
        let operation = raw_operation(rpc, query, state, updates, error);
        self.with(Registered::state(rpc), operation)
    }
}

pub(crate) fn operation<S, Q, T, U, E, Q1, T1, U1, E1, C>(
    rpc: &rpc_core::StateRpc<Q1, T1, U1, E1, C>,
    query: impl Convert<Q1, Q>,
    state: impl Convert<T, T1>,
    update: impl Convert<U, U1>,
    error: impl Convert<E, E1>,
) -> Operation<S, Q, T, U, E>
where
    S: Send + 'static,
    Q: Send + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    Q1: Send + 'static,
    T1: Send + 'static,
    U1: Send + 'static,
    E1: Send + 'static,
    C: Codec<Q1> + Codec<T1> + Codec<U1> + Codec<E1>,
{
    let version = Registered::state(rpc).named();
    let rpc = *rpc;
    let conversions = Arc::new((query, state, update, error));
    Arc::new(move |handler, first| {
        let shared = conversions.clone();
        Implementation::fallible_state(&rpc, move |connection, value| {
            first.note();
            let running = version
                .run(Conversion::Query, || (shared.0)(value))
                .map(|query| handler(connection, version.number, query));
            let shared = shared.clone();
            async move {
                let accepted = |(state, updates)| {
                    let state = version.run(Conversion::State, || (shared.1)(state));
                    let state = state.map_err(ConversionError::raise)?;
                    let conversions = shared.clone();
                    let update = move |update| (conversions.2)(update);
                    let updates = converted(updates, version, Conversion::Update, update);
                    Ok((state, updates))
                };
                answered(version, running, accepted, &shared.3).await
            }
        })
    })
}

pub(crate) fn raw_operation<S, Q, T, U, E, Q1, T1, U1, E1, C, St>(
    rpc: &rpc_core::StateRpc<Q1, T1, U1, E1, C>,
    query: impl Convert<Q1, Q>,
    state: impl Convert<T, T1>,
    updates: impl Fn(&T, Updates<U>) -> Result<St, Unconvertible> + Send + Sync + 'static,
    error: impl Convert<E, E1>,
) -> Operation<S, Q, T, U, E>
where
    S: Send + 'static,
    Q: Send + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    Q1: Send + 'static,
    T1: Send + 'static,
    U1: Send + 'static,
    E1: Send + 'static,
    C: Codec<Q1> + Codec<T1> + Codec<U1> + Codec<E1>,
    St: Stream<Item = Result<U1, Unconvertible>> + Send + 'static,
{
    let version = Registered::state(rpc).named();
    let rpc = *rpc;
    let conversions = Arc::new((query, state, updates, error));
    Arc::new(move |handler, first| {
        let shared = conversions.clone();
        Implementation::fallible_state(&rpc, move |connection, value| {
            first.note();
            let running = version
                .run(Conversion::Query, || (shared.0)(value))
                .map(|query| handler(connection, version.number, query));
            let shared = shared.clone();
            async move {
                let accepted = |(state, updates)| {
                    let convert = |updates| (shared.2)(&state, updates);
                    let updates = raw(updates, version, Conversion::Update, convert)?;
                    let state = version.run(Conversion::State, || (shared.1)(state));
                    Ok((state.map_err(ConversionError::raise)?, updates))
                };
                answered(version, running, accepted, &shared.3).await
            }
        })
    })
}
