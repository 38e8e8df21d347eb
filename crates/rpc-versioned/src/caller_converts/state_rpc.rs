//! State RPCs, the caller's side.

mod map;
mod register;

use std::fmt;
use std::sync::Arc;

use rpc_core::Connection;
use rpc_wire::QueryId;

use super::{Pipe, Running, failed};
use crate::builder::Builder;
use crate::connection_with_menu::ConnectionWithMenu;
use crate::converts::{Converts, sealed};
use crate::error::CallError;
use crate::family::{Family, Naming};
use crate::selection::SelectionError;

pub(crate) use register::{operation, raw_operation};

/// A state RPC: query `Q`, initial state `T`, updates `U`, the callee's own error `E`, dispatched as
/// whichever version of it the callee has. Cheap to clone.
pub struct StateRpc<Q, T, U, E> {
    family: Family<Operation<Q, T, U, E>>,
}

type Operation<Q, T, U, E> = Arc<dyn Fn(&Connection, Q) -> Opening<T, U, E> + Send + Sync>;

type Opening<T, U, E> = Running<Result<(T, Pipe<U>), E>>;

impl<Q, T, U, E> StateRpc<Q, T, U, E>
where
    Q: 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    /// Starts a family of versions, all of this name, of which the highest is used
    /// (rule V-SE-1).
    pub fn builder(name: &'static str) -> Builder<Self> {
        Builder::new(Naming::One(name))
    }

    /// Starts a list of RPCs that may have different names, of which the first is used that the
    /// callee has (rule V-BA-2).
    pub fn by_preference() -> Builder<Self> {
        Builder::new(Naming::Preference)
    }

    /// Sends the query, of the version that is selected; resolves with the initial state and the
    /// updates to it. The query is in the output buffer when this returns.
    ///
    /// The outer error is that of the call, the inner one the callee's own. If the initial state
    /// cannot be converted, the stream is closed (rule V-CA-6).
    ///
    /// # Cancel safety
    /// Dropping the future aborts the stream; what the callee still sends is swallowed.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn dispatch(
        &self,
        connection: &ConnectionWithMenu,
        query: Q,
    ) -> impl Future<Output = Result<Result<(T, Pipe<U>), E>, CallError>> + Send + use<Q, T, U, E>
    {
        match self.family.select(connection.shared_menu()) {
            Ok((_, open)) => open(connection.connection(), query),
            Err(error) => failed(error),
        }
    }

    /// Asks the callee to end the stream that the query with this id has opened, as
    /// [`Connection::abort`] does, whatever its version was.
    ///
    /// # Errors
    /// The callee has no version that the caller knows (rule V-CA-10); then nothing is sent,
    /// and a stream that was opened by another menu stays open.
    pub fn abort(
        &self,
        connection: &ConnectionWithMenu,
        id: QueryId,
    ) -> Result<(), SelectionError> {
        self.family.select(connection.shared_menu())?;
        connection.connection().abort(id);
        Ok(())
    }
}

impl<Q, T, U, E> Converts for StateRpc<Q, T, U, E> {}

impl<Q, T, U, E> sealed::Sealed for StateRpc<Q, T, U, E> {
    type Operation = Operation<Q, T, U, E>;

    fn from_family(family: Family<Self::Operation>) -> Self {
        Self { family }
    }

    fn family(&self) -> &Family<Self::Operation> {
        &self.family
    }
}

impl<Q, T, U, E> Clone for StateRpc<Q, T, U, E> {
    fn clone(&self) -> Self {
        Self {
            family: self.family.clone(),
        }
    }
}

impl<Q, T, U, E> fmt::Debug for StateRpc<Q, T, U, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family.fmt("StateRpc", f)
    }
}
