//! Pipe RPCs, the caller's side.

mod map;
mod register;

use std::fmt;
use std::sync::Arc;

use rpc_core::{Connection, PipeMetadata, PipeResponse};
use rpc_wire::QueryId;

use super::callback::Callback;
use super::{Pipe, PipeMessage, Running, failed};
use crate::builder::Builder;
use crate::connection_with_menu::ConnectionWithMenu;
use crate::converts::{Converts, sealed};
use crate::error::CallError;
use crate::family::{Family, Naming};
use crate::selection::SelectionError;

pub(crate) use register::{operation, raw_operation};

/// A pipe RPC: query `Q`, updates `U`, the callee's own error `E`, dispatched as whichever version
/// of it the callee has. Cheap to clone.
///
/// # Examples
///
/// ```
/// use rpc_core::PipeRpc;
/// use rpc_versioned::convert::into;
/// use rpc_versioned::{CallError, ConnectionWithMenu, caller_converts};
///
/// static TICKS_1: PipeRpc<i64, i32, ()> = PipeRpc::new("ticks", 1);
/// static TICKS_2: PipeRpc<i64, i64, String> = PipeRpc::new("ticks", 2);
///
/// // Built once, and kept by whoever asks.
/// let ticks = caller_converts::PipeRpc::<i64, i64, String>::builder("ticks")
///     .version(&TICKS_1, Ok, into, |()| Ok("no reason given".to_owned()))
///     .version_from(&TICKS_2)
///     .build()?;
///
/// /// The sum of those ticks that have a counterpart.
/// async fn sum(
///     ticks: &caller_converts::PipeRpc<i64, i64, String>,
///     connection: &ConnectionWithMenu,
/// ) -> Result<i64, CallError> {
///     let Ok(mut ticks) = ticks.dispatch(connection, 100).await? else {
///         return Ok(0);
///     };
///     let mut sum = 0;
///     while let Some(tick) = ticks.next().await {
///         // `tick?` would stop at the first that cannot be converted.
///         sum += tick.unwrap_or(0);
///     }
///     Ok(sum)
/// }
/// # let _ = (ticks, sum);
/// # Ok::<(), rpc_versioned::RegistrationError>(())
/// ```
pub struct PipeRpc<Q, U, E> {
    family: Family<Operation<Q, U, E>>,
}

/// What can be done with one version.
#[expect(
    unnameable_types,
    reason = "part of a sealed trait, so that it can change"
)]
pub struct Operation<Q, U, E> {
    open: Arc<dyn Fn(&Connection, Q) -> Opening<Pipe<U>, E> + Send + Sync>,
    /// None of a raw form.
    call: Option<Call<Q, U, E>>,
}

type Opening<T, E> = Running<Result<T, E>>;

type Call<Q, U, E> =
    Arc<dyn Fn(&Connection, Q, Callback<U>) -> Opening<PipeMetadata, E> + Send + Sync>;

impl<Q, U, E> fmt::Debug for Operation<Q, U, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").finish_non_exhaustive()
    }
}

impl<Q, U, E> Clone for Operation<Q, U, E> {
    fn clone(&self) -> Self {
        Self {
            open: self.open.clone(),
            call: self.call.clone(),
        }
    }
}

impl<Q: 'static, U: Send + 'static, E: Send + 'static> PipeRpc<Q, U, E> {
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

    /// Sends the query, of the version that is selected; resolves with the callee's answer to it.
    /// The query is in the output buffer when this returns.
    ///
    /// The outer error is that of the call, the inner one the callee's own. Both the callee's error
    /// and the updates are converted by whoever awaits them.
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
    ) -> impl Future<Output = Result<Result<Pipe<U>, E>, CallError>> + Send + use<Q, U, E> {
        match self.family.select(connection.shared_menu()) {
            Ok((_, operation)) => (operation.open)(connection.connection(), query),
            Err(error) => failed(error),
        }
    }

    /// [`dispatch`](Self::dispatch) with a callback in place of a pipe, called as that of
    /// [`rpc_core::PipeRpc::dispatch_with`]: for each update where that is read, once it is
    /// converted, and then once for the end.
    ///
    /// An update that cannot be converted breaks the stream off (rule V-CA-8): the callee is told to
    /// stop, the callback is called with the error as the end, and the connection goes on.
    ///
    /// # Cancel safety
    /// Dropping the future before it resolves aborts the stream, and the callback is not called any
    /// more.
    ///
    /// # Errors
    /// [`CallError::Raw`] if the version is registered in raw form (rule V-CA-9); for others see
    /// [`CallError`].
    pub fn dispatch_with<F, R>(
        &self,
        connection: &ConnectionWithMenu,
        query: Q,
        mut on_message: F,
    ) -> impl Future<Output = Result<Result<PipeMetadata, E>, CallError>> + Send + use<Q, U, E, F, R>
    where
        F: FnMut(PipeMessage<U>) -> R + Send + 'static,
        R: Into<PipeResponse> + 'static,
    {
        let (rpc, operation) = match self.family.select(connection.shared_menu()) {
            Ok(selected) => selected,
            Err(error) => return failed(error),
        };
        match &operation.call {
            Some(call) => {
                let callback = Box::new(move |message| on_message(message).into());
                call(connection.connection(), query, callback)
            }
            None => failed(CallError::Raw(rpc.description())),
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

impl<Q, U, E> Converts for PipeRpc<Q, U, E> {}

impl<Q, U, E> sealed::Sealed for PipeRpc<Q, U, E> {
    type Operation = Operation<Q, U, E>;

    fn from_family(family: Family<Self::Operation>) -> Self {
        Self { family }
    }

    fn family(&self) -> &Family<Self::Operation> {
        &self.family
    }
}

impl<Q, U, E> Clone for PipeRpc<Q, U, E> {
    fn clone(&self) -> Self {
        Self {
            family: self.family.clone(),
        }
    }
}

impl<Q, U, E> fmt::Debug for PipeRpc<Q, U, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family.fmt("PipeRpc", f)
    }
}
