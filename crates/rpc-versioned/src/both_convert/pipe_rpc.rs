//! Pipe RPCs, both sides.

use std::fmt;

use futures_core::Stream;
use rpc_core::payload::Codec;

use crate::builder::Builder;
use crate::conversion::{Convert, Unconvertible, into};
use crate::converts::{Converts, sealed};
use crate::family::{Family, Naming};
use crate::registered::Registered;
use crate::{callee_converts, caller_converts};

/// A pipe RPC: query `CQ`, updates `CU` and error `CE` as callers think of them, and `Q`, `U` and `E` as the
/// callee does, which answers on connections whose state is `S`.
pub struct PipeRpc<S, CQ, CU, CE, Q, U, E> {
    family: Operations<S, CQ, CU, CE, Q, U, E>,
    caller: caller_converts::PipeRpc<CQ, CU, CE>,
    callee: callee_converts::PipeRpc<S, Q, U, E>,
}

type Operations<S, CQ, CU, CE, Q, U, E> = Family<Operation<S, CQ, CU, CE, Q, U, E>>;

/// What each half does with a version.
type Operation<S, CQ, CU, CE, Q, U, E> = (
    <caller_converts::PipeRpc<CQ, CU, CE> as sealed::Sealed>::Operation,
    <callee_converts::PipeRpc<S, Q, U, E> as sealed::Sealed>::Operation,
);

impl<S, CQ, CU, CE, Q, U, E> PipeRpc<S, CQ, CU, CE, Q, U, E>
where
    S: Send + 'static,
    CQ: 'static,
    CU: Send + 'static,
    CE: Send + 'static,
    Q: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    /// Starts a family of versions, all of this name.
    pub fn builder(name: &'static str) -> Builder<Self> {
        Builder::new(Naming::One(name))
    }

    /// The half that calls.
    pub fn caller(&self) -> &caller_converts::PipeRpc<CQ, CU, CE> {
        &self.caller
    }

    /// The half that answers.
    pub fn callee(&self) -> &callee_converts::PipeRpc<S, Q, U, E> {
        &self.callee
    }
}

/// Versions of a pipe RPC.
impl<S, CQ, CU, CE, Q, U, E> Builder<PipeRpc<S, CQ, CU, CE, Q, U, E>>
where
    S: Send + 'static,
    CQ: 'static,
    CU: Send + 'static,
    CE: Send + 'static,
    Q: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    /// Adds a version to both sides: how the caller's query becomes this version's, and then the
    /// callee's; and how the callee's update and error become this version's, and then the caller's.
    pub fn version<Q1, U1, E1, C>(
        self,
        rpc: &rpc_core::PipeRpc<Q1, U1, E1, C>,
        (query, callee_query): (impl Convert<CQ, Q1>, impl Convert<Q1, Q>),
        (callee_update, update): (impl Convert<U, U1>, impl Convert<U1, CU>),
        (callee_error, error): (impl Convert<E, E1>, impl Convert<E1, CE>),
    ) -> Self
    where
        Q1: Send + 'static,
        U1: Send + 'static,
        E1: Send + 'static,
        C: Codec<Q1> + Codec<U1> + Codec<E1>,
    {
        let caller = caller_converts::pipe_rpc::operation(rpc, query, update, error);
        let callee =
            callee_converts::pipe_rpc::operation(rpc, callee_query, callee_update, callee_error);
        self.with(Registered::pipe(rpc), (caller, callee))
    }

    /// Adds a version with the conversions that [`From`] has.
    pub fn version_from<Q1, U1, E1, C>(self, rpc: &rpc_core::PipeRpc<Q1, U1, E1, C>) -> Self
    where
        Q1: From<CQ> + Send + 'static,
        U1: From<U> + Send + 'static,
        E1: From<E> + Send + 'static,
        Q: From<Q1>,
        CU: From<U1>,
        CE: From<E1>,
        C: Codec<Q1> + Codec<U1> + Codec<E1>,
    {
        self.version(rpc, (into, into), (into, into), (into, into))
    }

    /// Adds a version whose pipe is converted as a whole on both sides: the raw forms of
    /// [the caller](Builder#method.version_raw) and [the callee](Builder#method.version_raw-1).
    pub fn version_raw<Q1, U1, E1, C, St, CalleeSt>(
        self,
        rpc: &rpc_core::PipeRpc<Q1, U1, E1, C>,
        (query, callee_query): (impl Convert<CQ, Q1>, impl Convert<Q1, Q>),
        (callee_updates, updates): (
            impl Convert<callee_converts::Updates<U>, CalleeSt>,
            impl Convert<rpc_core::Pipe<U1>, St>,
        ),
        (callee_error, error): (impl Convert<E, E1>, impl Convert<E1, CE>),
    ) -> Self
    where
        Q1: Send + 'static,
        U1: Send + 'static,
        E1: Send + 'static,
        C: Codec<Q1> + Codec<U1> + Codec<E1>,
        St: Stream<Item = Result<CU, Unconvertible>> + Send + 'static,
        CalleeSt: Stream<Item = Result<U1, Unconvertible>> + Send + 'static,
    {
        let caller = caller_converts::pipe_rpc::raw_operation(rpc, query, updates, error);
        let callee = callee_converts::pipe_rpc::raw_operation(
            rpc,
            callee_query,
            callee_updates,
            callee_error,
        );
        self.with(Registered::pipe(rpc), (caller, callee))
    }
}

impl<S, CQ, CU, CE, Q, U, E> Converts for PipeRpc<S, CQ, CU, CE, Q, U, E> {}

impl<S, CQ, CU, CE, Q, U, E> sealed::Sealed for PipeRpc<S, CQ, CU, CE, Q, U, E> {
    type Operation = Operation<S, CQ, CU, CE, Q, U, E>;

    fn from_family(family: Family<Self::Operation>) -> Self {
        let caller = family.map(|_, (caller, _)| caller.clone());
        let callee = family.map(|_, (_, callee)| callee.clone());
        Self {
            family,
            caller: sealed::Sealed::from_family(caller),
            callee: sealed::Sealed::from_family(callee),
        }
    }

    fn family(&self) -> &Family<Self::Operation> {
        &self.family
    }
}

impl<S, CQ, CU, CE, Q, U, E> Clone for PipeRpc<S, CQ, CU, CE, Q, U, E> {
    fn clone(&self) -> Self {
        Self {
            family: self.family.clone(),
            caller: self.caller.clone(),
            callee: self.callee.clone(),
        }
    }
}

impl<S, CQ, CU, CE, Q, U, E> fmt::Debug for PipeRpc<S, CQ, CU, CE, Q, U, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family.fmt("PipeRpc", f)
    }
}
