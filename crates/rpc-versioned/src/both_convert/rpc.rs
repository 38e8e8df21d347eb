//! Plain RPCs, both sides.

use std::fmt;

use rpc_core::payload::Codec;

use crate::builder::Builder;
use crate::callee_converts::rpc::{raised, told};
use crate::conversion::{Convert, Unconvertible};
use crate::converts::{Converts, sealed};
use crate::family::{Family, Naming};
use crate::registered::Registered;
use crate::{callee_converts, caller_converts};

/// A plain RPC, from `CQ` to `CR` as callers think of it and from `Q` to `R` as the callee does, which
/// answers on connections whose state is `S`.
///
/// # Examples
///
/// ```
/// use rpc_core::{Implementations, Rpc};
/// use rpc_versioned::{ConnectionWithMenu, CallError, both_convert};
///
/// static ADD_1: Rpc<(i32, i32), i32> = Rpc::new("add", 1);
/// static ADD_2: Rpc<Vec<i64>, i64> = Rpc::new("add", 2);
///
/// let add = both_convert::Rpc::<(), (i32, i32), i64, Vec<i64>, i64>::builder("add")
///     .version(
///         &ADD_1,
///         Ok,
///         |(a, b)| Ok(vec![a.into(), b.into()]),
///         |sum| Ok(sum.try_into()?),
///         |sum| Ok(sum.into()),
///     )
///     .version(&ADD_2, |(a, b)| Ok(vec![a.into(), b.into()]), Ok, Ok, Ok)
///     .build()?;
/// let table = Implementations::builder()
///     .implementations(
///         add.callee().implement_blocking(|(), _version, numbers| Ok(numbers.iter().sum())),
///     )
///     .build()?;
/// # let _ = table;
///
/// let caller = add.caller().clone();
/// let add = async move |connection: &ConnectionWithMenu| {
///     caller.dispatch(connection, (1, 2)).await
/// };
/// # let _ = add;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Rpc<S, CQ, CR, Q, R> {
    family: Operations<S, CQ, CR, Q, R>,
    caller: caller_converts::Rpc<CQ, CR>,
    callee: callee_converts::Rpc<S, Q, R>,
}

type Operations<S, CQ, CR, Q, R> = Family<Operation<S, CQ, CR, Q, R>>;

/// What each half does with a version.
type Operation<S, CQ, CR, Q, R> = (
    <caller_converts::Rpc<CQ, CR> as sealed::Sealed>::Operation,
    <callee_converts::Rpc<S, Q, R> as sealed::Sealed>::Operation,
);

impl<S, CQ, CR, Q, R> Rpc<S, CQ, CR, Q, R>
where
    S: Send + 'static,
    CQ: 'static,
    CR: Send + 'static,
    Q: Send + 'static,
    R: Send + 'static,
{
    /// Starts a family of versions, all of this name.
    pub fn builder(name: &'static str) -> Builder<Self> {
        Builder::new(Naming::One(name))
    }

    /// The half that calls.
    pub fn caller(&self) -> &caller_converts::Rpc<CQ, CR> {
        &self.caller
    }

    /// The half that answers.
    pub fn callee(&self) -> &callee_converts::Rpc<S, Q, R> {
        &self.callee
    }
}

/// Versions of a plain RPC.
impl<S, CQ, CR, Q, R> Builder<Rpc<S, CQ, CR, Q, R>>
where
    S: Send + 'static,
    CQ: 'static,
    CR: Send + 'static,
    Q: Send + 'static,
    R: Send + 'static,
{
    /// Adds a version to both sides: how the caller's query becomes this version's, and then the
    /// callee's; and how the callee's response becomes this version's, and then the caller's.
    pub fn version<Q1, R1, C>(
        self,
        rpc: &rpc_core::Rpc<Q1, R1, C>,
        query: impl Convert<CQ, Q1>,
        callee_query: impl Convert<Q1, Q>,
        callee_response: impl Convert<R, R1>,
        response: impl Convert<R1, CR>,
    ) -> Self
    where
        Q1: Send + 'static,
        R1: Send + 'static,
        C: Codec<Q1> + Codec<R1>,
    {
        let caller = caller_converts::rpc::operation(rpc, query, response);
        let callee = callee_converts::rpc::operation(rpc, callee_query, callee_response, raised);
        self.with(Registered::plain(rpc), (caller, callee))
    }

    /// Adds a version with the conversions that [`From`] has.
    pub fn version_from<Q1, R1, C>(self, rpc: &rpc_core::Rpc<Q1, R1, C>) -> Self
    where
        Q1: From<CQ> + Send + 'static,
        R1: From<R> + Send + 'static,
        Q: From<Q1>,
        CR: From<R1>,
        C: Codec<Q1> + Codec<R1>,
    {
        self.version(
            rpc,
            |query| Ok(query.into()),
            |query| Ok(query.into()),
            |response| Ok(response.into()),
            |response| Ok(response.into()),
        )
    }

    /// Adds a version whose response the caller can understand only together with its query: the second
    /// form of §5. The callee's half is that of [`version`](Self::version).
    pub fn version_with_query<Q1, R1, C>(
        self,
        rpc: &rpc_core::Rpc<Q1, R1, C>,
        query: impl Fn(&CQ) -> Result<Q1, Unconvertible> + Send + Sync + 'static,
        callee_query: impl Convert<Q1, Q>,
        callee_response: impl Convert<R, R1>,
        response: impl Fn(&CQ, R1) -> Result<CR, Unconvertible> + Send + Sync + 'static,
    ) -> Self
    where
        CQ: Send + Sync,
        Q1: Send + 'static,
        R1: Send + 'static,
        C: Codec<Q1> + Codec<R1>,
    {
        let caller = caller_converts::rpc::operation_with_query(rpc, query, response);
        let callee = callee_converts::rpc::operation(rpc, callee_query, callee_response, raised);
        self.with(Registered::plain(rpc), (caller, callee))
    }

    /// Adds a version whose callers expect to be told of what has no counterpart at the callee: the text
    /// of its conversion's failure is their response (rule V-CE-10).
    pub fn version_with_failure<Q1, R1, C>(
        self,
        rpc: &rpc_core::Rpc<Q1, Result<R1, String>, C>,
        query: impl Convert<CQ, Q1>,
        callee_query: impl Convert<Q1, Q>,
        callee_response: impl Convert<R, R1>,
        response: impl Convert<Result<R1, String>, CR>,
    ) -> Self
    where
        Q1: Send + 'static,
        R1: Send + 'static,
        C: Codec<Q1> + Codec<Result<R1, String>>,
    {
        let caller = caller_converts::rpc::operation(rpc, query, response);
        let callee_response = move |value| Ok(Ok(callee_response(value)?));
        let callee = callee_converts::rpc::operation(rpc, callee_query, callee_response, told);
        self.with(Registered::plain(rpc), (caller, callee))
    }
}

impl<S, CQ, CR, Q, R> Converts for Rpc<S, CQ, CR, Q, R> {}

impl<S, CQ, CR, Q, R> sealed::Sealed for Rpc<S, CQ, CR, Q, R> {
    type Operation = Operation<S, CQ, CR, Q, R>;

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

impl<S, CQ, CR, Q, R> Clone for Rpc<S, CQ, CR, Q, R> {
    fn clone(&self) -> Self {
        Self {
            family: self.family.clone(),
            caller: self.caller.clone(),
            callee: self.callee.clone(),
        }
    }
}

impl<S, CQ, CR, Q, R> fmt::Debug for Rpc<S, CQ, CR, Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family.fmt("Rpc", f)
    }
}
