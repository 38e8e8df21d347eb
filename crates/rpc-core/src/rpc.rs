//! Plain RPCs: one query, one response.

mod user_errors;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bin_prot::ByteString;
use rpc_wire::{Description, DescriptionRef, RpcDigests, RpcShapes, ShapeDigest};

use crate::Connection;
use crate::dispatch::{Dispatch, MappedDispatch, PlainCall};
use crate::error::DispatchError;
use crate::payload::{BinProt, Codec};
use crate::shapes;

pub(crate) use user_errors::UserErrors;

pub(crate) const QUERY_LOCATION: &str = "server-side rpc query un-bin-io'ing";

/// Asks any peer what it implements: unit to names and versions. Answered by every table of
/// implementations; needed below version 3 only, where the handshake has no menu.
pub static MENU_RPC: Rpc<(), Vec<(ByteString, i64)>> = Rpc::new("__Versioned_rpc.Menu", 1);

/// Name and version of [`MENU_RPC`].
pub(crate) const MENU: DescriptionRef<'_> = MENU_RPC.description_ref();

/// A plain RPC from `Q` to `R`, whose payloads are encoded by `C`.
///
/// ```
/// use rpc_core::Rpc;
///
/// static ADD: Rpc<(i64, i64), i64> = Rpc::new("add", 1);
/// assert_eq!(ADD.description().to_string(), "add version 1");
/// ```
pub struct Rpc<Q, R, C = BinProt> {
    name: &'static str,
    version: i64,
    user_errors: UserErrors<R>,
    types: PhantomData<fn(Q, C) -> R>,
}

impl<Q, R, C> Rpc<Q, R, C> {
    /// Version `version` of the RPC called `name`.
    pub const fn new(name: &'static str, version: i64) -> Self {
        Self {
            name,
            version,
            user_errors: UserErrors::NEVER,
            types: PhantomData,
        }
    }

    /// Says by which responses the callee refuses: those for which `is_user_error` holds. Nothing
    /// changes on the wire; [tracing events](crate::TracingEvent) and metrics tell such a response
    /// from a success. Default: none.
    ///
    /// | The reference's rule | here |
    /// |---|---|
    /// | *Only on exn* | the default |
    /// | *Result*, *Or_error* | `Result::is_err` |
    /// | *On none* | `Option::is_none` |
    /// | *Result Result* and its like | `\|r\| !matches!(r, Ok(Ok(_)))` |
    /// | *Generic result* of a rule | `\|r\| r.as_ref().is_ok_and(rule) \|\| r.is_err()` |
    /// | *Embedded*, *Custom* | any function without captures |
    ///
    /// The function is called only while somebody listens to the connection's events
    /// (rule R-RE-2). If it panics, the event says so, and the response counts as what it is.
    ///
    /// ```
    /// use rpc_core::Rpc;
    ///
    /// static DIVIDE: Rpc<(i64, i64), Result<i64, String>> =
    ///     Rpc::new("divide", 1).user_error_if(Result::is_err);
    /// ```
    #[must_use]
    pub const fn user_error_if(mut self, is_user_error: fn(&R) -> bool) -> Self {
        self.user_errors = UserErrors::when(is_user_error);
        self
    }

    pub(crate) const fn user_errors(&self) -> UserErrors<R> {
        self.user_errors
    }

    pub(crate) const fn description_ref(&self) -> DescriptionRef<'static> {
        DescriptionRef {
            name: self.name.as_bytes(),
            version: self.version,
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

impl<Q, R, C: Codec<Q> + Codec<R>> Rpc<Q, R, C> {
    /// The structures of the types. Computed anew each time.
    pub fn shapes(&self) -> RpcShapes {
        shapes::plain::<Q, R, C>()
    }

    /// The digests of the types, as menus carry them. Computed anew each time.
    ///
    /// ```
    /// use rpc_core::Rpc;
    ///
    /// static ADD: Rpc<(i64, i64), i64> = Rpc::new("add", 1);
    /// static SUBTRACT: Rpc<(i64, i64), i64> = Rpc::new("subtract", 1);
    /// assert_eq!(ADD.digests(), SUBTRACT.digests());
    /// ```
    pub fn digests(&self) -> RpcDigests {
        digests::<Q, R, C>()
    }
}

impl<Q, R, C> Rpc<Q, R, C>
where
    R: Send + 'static,
    C: Codec<Q> + Codec<R>,
{
    /// Sends one query; the result waits for its response.
    ///
    /// The query is in the output buffer when this returns, so queries dispatched one after
    /// another arrive in that order. The response is decoded where it is read.
    ///
    /// ```
    /// # use rpc_core::{Connection, DispatchError, Rpc};
    /// use std::time::Duration;
    /// use tokio::time::timeout;
    ///
    /// static ADD: Rpc<(i64, i64), i64> = Rpc::new("add", 1);
    ///
    /// /// `None` if there is no answer within a second.
    /// async fn add(connection: &Connection) -> Option<Result<i64, DispatchError>> {
    ///     let answer = ADD.dispatch(connection, &(1, 2));
    ///     timeout(Duration::from_secs(1), answer).await.ok()
    /// }
    /// # let _ = add;
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the result forgets the response. The query has been sent all the same, and keeps
    /// its place among the [open queries](Connection::open_queries) until the peer answers.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub fn dispatch(&self, connection: &Connection, query: &Q) -> Dispatch<R> {
        let call = PlainCall::new::<C>(self.description_ref(), self.user_errors);
        let call = Arc::new(call);
        let sent = call.send(connection, C::size(query), |buffer| C::write(query, buffer));
        Dispatch::new(connection, call, sent)
    }

    /// [`dispatch`](Self::dispatch) with a result that is mapped by whoever awaits it, so that the
    /// future's type tells only what it is mapped to.
    ///
    /// # Cancel safety
    /// As that of [`dispatch`](Self::dispatch).
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub fn dispatch_map<T, F>(
        &self,
        connection: &Connection,
        query: &Q,
        map: F,
    ) -> MappedDispatch<T>
    where
        F: Fn(Result<R, DispatchError>) -> T + Send + Sync + 'static,
    {
        let call = PlainCall::new::<C>(self.description_ref(), self.user_errors);
        MappedDispatch::new(connection, call, map, |answers, receiver| {
            let rpc = self.description_ref();
            let (shared, asking) = (connection.shared(), connection.asking(&rpc));
            let write = |buffer: &mut Vec<u8>| C::write(query, buffer);
            shared.call(asking, answers, receiver, C::size(query), write)?;
            Ok(())
        })
    }
}

impl<Q, R, C> Clone for Rpc<Q, R, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Q, R, C> Copy for Rpc<Q, R, C> {}

impl<Q, R, C> fmt::Debug for Rpc<Q, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rpc({} version {})", self.name, self.version)
    }
}

fn digest<T, C: Codec<T>>() -> Option<ShapeDigest> {
    C::digest().map(ShapeDigest)
}

/// The digests of a plain RPC (*shapes* §11).
pub(crate) fn digests<Q, R, C: Codec<Q> + Codec<R>>() -> RpcDigests {
    let digests = || {
        Some(RpcDigests::Rpc {
            query: digest::<Q, C>()?,
            response: digest::<R, C>()?,
        })
    };
    digests().unwrap_or(RpcDigests::Unknown)
}

pub(crate) fn one_way_digests<Q, C: Codec<Q>>() -> RpcDigests {
    digest::<Q, C>().map_or(RpcDigests::Unknown, |msg| RpcDigests::OneWay { msg })
}

pub(crate) fn streaming_digests<Q, T, U, E, C, CT>() -> RpcDigests
where
    C: Codec<Q> + Codec<U> + Codec<E>,
    CT: Codec<T>,
{
    let digests = || {
        Some(RpcDigests::StreamingRpc {
            query: digest::<Q, C>()?,
            initial_response: digest::<T, CT>()?,
            update_response: digest::<U, C>()?,
            error: digest::<E, C>()?,
        })
    };
    digests().unwrap_or(RpcDigests::Unknown)
}
