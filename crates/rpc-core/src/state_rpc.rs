//! State RPCs: one query, an initial state, and a stream of updates to it.

use std::fmt;
use std::marker::PhantomData;

use rpc_wire::Description;

use crate::payload::{BinProt, Codec};
use crate::pipe::{Definition, open};
use crate::{Connection, DispatchError, Pipe};

/// A state RPC: query `Q`, initial state `T`, updates `U`, the callee's own error `E`, encoded by
/// `C`.
pub struct StateRpc<Q, T, U, E, C = BinProt> {
    name: &'static str,
    version: i64,
    types: PhantomData<fn(Q, C) -> (T, U, E)>,
}

impl<Q, T, U, E, C> StateRpc<Q, T, U, E, C> {
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

impl<Q, T, U, E, C> StateRpc<Q, T, U, E, C>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
{
    /// Sends the query; resolves with the initial state and the updates to it. The query is in
    /// the output buffer when this returns.
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
    ) -> impl Future<Output = Result<Result<(T, Pipe<U>), E>, DispatchError>> + Send + use<Q, T, U, E, C>
    {
        let definition = Definition {
            name: self.name,
            version: self.version,
            state: <C as Codec<T>>::read,
            update: <C as Codec<U>>::read,
            error: <C as Codec<E>>::read,
        };
        let opening = open(connection, definition, C::size(query), |buffer| {
            C::write(query, buffer)
        });
        async move { opening?.answer().await }
    }
}

impl<Q, T, U, E, C> fmt::Debug for StateRpc<Q, T, U, E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateRpc({} version {})", self.name, self.version)
    }
}
