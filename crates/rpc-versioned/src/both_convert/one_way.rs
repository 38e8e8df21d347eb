//! One-way RPCs, both sides.

use std::fmt;

use rpc_core::payload::Codec;

use crate::builder::Builder;
use crate::conversion::Convert;
use crate::converts::{Converts, sealed};
use crate::family::{Family, Naming};
use crate::registered::Registered;
use crate::{callee_converts, caller_converts};

/// A one-way RPC whose messages are `CQ` as callers think of them and `Q` as the callee does, which takes
/// them on connections whose state is `S`.
pub struct OneWay<S, CQ, Q> {
    family: Operations<S, CQ, Q>,
    caller: caller_converts::OneWay<CQ>,
    callee: callee_converts::OneWay<S, Q>,
}

type Operations<S, CQ, Q> = Family<Operation<S, CQ, Q>>;

/// What each half does with a version.
type Operation<S, CQ, Q> = (
    <caller_converts::OneWay<CQ> as sealed::Sealed>::Operation,
    <callee_converts::OneWay<S, Q> as sealed::Sealed>::Operation,
);

impl<S, CQ, Q> OneWay<S, CQ, Q>
where
    S: Send + 'static,
    CQ: 'static,
    Q: Send + 'static,
{
    /// Starts a family of versions, all of this name.
    pub fn builder(name: &'static str) -> Builder<Self> {
        Builder::new(Naming::One(name))
    }

    /// The half that calls.
    pub fn caller(&self) -> &caller_converts::OneWay<CQ> {
        &self.caller
    }

    /// The half that answers.
    pub fn callee(&self) -> &callee_converts::OneWay<S, Q> {
        &self.callee
    }
}

/// Versions of a one-way RPC.
impl<S, CQ, Q> Builder<OneWay<S, CQ, Q>>
where
    S: Send + 'static,
    CQ: 'static,
    Q: Send + 'static,
{
    /// Adds a version to both sides: how the caller's message becomes this version's, and then the
    /// callee's.
    pub fn version<Q1, C>(
        self,
        rpc: &rpc_core::OneWay<Q1, C>,
        message: impl Convert<CQ, Q1>,
        callee_message: impl Convert<Q1, Q>,
    ) -> Self
    where
        Q1: Send + 'static,
        C: Codec<Q1>,
    {
        let caller = caller_converts::one_way::operation(rpc, message);
        let callee = callee_converts::one_way::operation(rpc, callee_message);
        self.with(Registered::one_way(rpc), (caller, callee))
    }

    /// Adds a version with the conversions that [`From`] has.
    pub fn version_from<Q1, C>(self, rpc: &rpc_core::OneWay<Q1, C>) -> Self
    where
        Q1: From<CQ> + Send + 'static,
        Q: From<Q1>,
        C: Codec<Q1>,
    {
        self.version(
            rpc,
            |message| Ok(message.into()),
            |message| Ok(message.into()),
        )
    }
}

impl<S, CQ, Q> Converts for OneWay<S, CQ, Q> {}

impl<S, CQ, Q> sealed::Sealed for OneWay<S, CQ, Q> {
    type Operation = Operation<S, CQ, Q>;

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

impl<S, CQ, Q> Clone for OneWay<S, CQ, Q> {
    fn clone(&self) -> Self {
        Self {
            family: self.family.clone(),
            caller: self.caller.clone(),
            callee: self.callee.clone(),
        }
    }
}

impl<S, CQ, Q> fmt::Debug for OneWay<S, CQ, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family.fmt("OneWay", f)
    }
}
