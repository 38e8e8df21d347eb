//! Pipe RPCs: one query, a stream of updates.

use std::fmt;
use std::marker::PhantomData;

use rpc_wire::Description;

use crate::payload::{BinProt, Codec};
use crate::pipe::{Definition, open};
use crate::{Connection, DispatchError, Pipe};

/// A pipe RPC: query `Q`, updates `U`, the callee's own error `E`, encoded by `C`.
///
/// The life of a pipe: the query leaves; the callee answers with its own error, and that was it,
/// or agrees; updates follow; the callee ends the pipe, or this side aborts it by dropping.
///
/// ```
/// use rpc_core::PipeRpc;
///
/// static TICKS: PipeRpc<i64, i64, String> = PipeRpc::new("ticks", 1);
///
/// async fn three_ticks(connection: &rpc_core::Connection) -> Option<Vec<i64>> {
///     let mut ticks = TICKS.dispatch(connection, &100).await.ok()?.ok()?;
///     let mut seen = Vec::new();
///     while seen.len() < 3 {
///         seen.push(ticks.next().await?);
///     }
///     Some(seen)
/// }
/// # let _ = three_ticks;
/// ```
pub struct PipeRpc<Q, U, E, C = BinProt> {
    name: &'static str,
    version: i64,
    types: PhantomData<fn(Q, C) -> (U, E)>,
}

impl<Q, U, E, C> PipeRpc<Q, U, E, C> {
    /// Version `version` of the RPC called `name`.
    pub const fn new(name: &'static str, version: i64) -> Self {
        Self {
            name,
            version,
            types: PhantomData,
        }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The version.
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// Name and version.
    pub fn description(&self) -> Description {
        Description::new(self.name, self.version)
    }
}

impl<Q, U, E, C> PipeRpc<Q, U, E, C>
where
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<U> + Codec<E>,
{
    /// Sends the query; resolves with the callee's answer to it. The query is in the output
    /// buffer when this returns.
    ///
    /// The outer error is that of the call, the inner one the callee's own.
    ///
    /// # Cancel safety
    /// Dropping the future aborts the stream; what the callee still sends is swallowed.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub fn dispatch(
        &self,
        connection: &Connection,
        query: &Q,
    ) -> impl Future<Output = Result<Result<Pipe<U>, E>, DispatchError>> + Send + use<Q, U, E, C>
    {
        let definition = Definition {
            name: self.name,
            version: self.version,
            state: <BinProt as Codec<()>>::read,
            update: <C as Codec<U>>::read,
            error: <C as Codec<E>>::read,
        };
        let opening = open(connection, definition, C::size(query), |buffer| {
            C::write(query, buffer)
        });
        async move { Ok(opening?.answer().await?.map(|((), pipe)| pipe)) }
    }
}

impl<Q, U, E, C> fmt::Debug for PipeRpc<Q, U, E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PipeRpc({} version {})", self.name, self.version)
    }
}
