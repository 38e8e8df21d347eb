//! State RPCs: one query, an initial state, and a stream of updates to it.

use std::fmt;
use std::marker::PhantomData;

use rpc_wire::{Description, DescriptionRef, RpcDigests, RpcShapes};

use crate::payload::{BinProt, Codec};
use crate::pipe::{Definition, Folding, Name, Queue, open};
use crate::rpc;
use crate::shapes;
use crate::{Connection, DispatchError, Fold, Pipe, PipeMetadata, PipeResponse};

/// A state RPC: query `Q`, initial state `T`, updates `U`, the callee's own error `E`, encoded by
/// `C`. It is a [pipe RPC](crate::PipeRpc) whose callee agrees with a value.
pub struct StateRpc<Q, T, U, E, C = BinProt> {
    name: &'static str,
    version: i64,
    pushes_back: bool,
    types: PhantomData<fn(Q, C) -> (T, U, E)>,
}

impl<Q, T, U, E, C> StateRpc<Q, T, U, E, C> {
    /// Version `version` of the RPC called `name`.
    pub const fn new(name: &'static str, version: i64) -> Self {
        Self {
            name,
            version,
            pushes_back: false,
            types: PhantomData,
        }
    }

    /// Bounds what a [`Pipe`] holds, and holds up the connection meanwhile: see
    /// [`PipeRpc::client_pushes_back`](crate::PipeRpc::client_pushes_back).
    #[must_use]
    pub const fn client_pushes_back(mut self) -> Self {
        self.pushes_back = true;
        self
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The version.
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// Whether a [`Pipe`] of it [pushes back](Self::client_pushes_back).
    pub const fn pushes_back(&self) -> bool {
        self.pushes_back
    }

    /// Name and version.
    pub fn description(&self) -> Description {
        Description::new(self.name, self.version)
    }

    const fn description_ref(&self) -> DescriptionRef<'static> {
        DescriptionRef {
            name: self.name.as_bytes(),
            version: self.version,
        }
    }
}

impl<Q, T, U, E, C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>> StateRpc<Q, T, U, E, C> {
    /// The structures of the types. Computed anew each time.
    pub fn shapes(&self) -> RpcShapes {
        shapes::streaming::<Q, T, U, E, C, C>()
    }

    /// The digests of the types, as menus carry them. Computed anew each time.
    pub fn digests(&self) -> RpcDigests {
        rpc::streaming_digests::<Q, T, U, E, C, C>()
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
        let (state, update) = (<C as Codec<T>>::read, <C as Codec<U>>::read);
        let queue = Queue::new(state, update, self.pushes_back);
        let definition = Definition {
            name: Name::Defined(self.description_ref()),
            sink: queue,
            error: <C as Codec<E>>::read,
        };
        let rpc = self.description_ref();
        let asking = connection.asking(&rpc);
        let opening = open(connection, asking, definition, C::size(query), |buffer| {
            C::write(query, buffer)
        });
        async move { opening?.pipe().await }
    }

    /// [`dispatch`](Self::dispatch) without a pipe: `init` makes an accumulator of the initial
    /// state, `step` takes each update in, and `finish` makes the result of it when the callee has
    /// ended the stream, or it broke (rule R-SC-35).
    ///
    /// The functions run where the messages are read, as
    /// [callbacks](crate::PipeRpc::dispatch_with) do; what `step` results in beside the accumulator
    /// says whether the connection goes on reading, and `()` stands for yes. They may all have run
    /// before the dispatch resolves. If one panics, the stream is broken off, and the [`Fold`] is
    /// that error.
    ///
    /// ```
    /// # use rpc_core::{Connection, DispatchError, StateRpc};
    /// static BALANCE: StateRpc<String, i64, i64, String> = StateRpc::new("balance", 1);
    ///
    /// /// What the balance is when the account is closed.
    /// async fn last_balance(connection: &Connection) -> Result<i64, DispatchError> {
    ///     let folding = BALANCE.dispatch_fold(
    ///         connection,
    ///         &"somebody".to_owned(),
    ///         |balance| balance,
    ///         |balance, change| (balance + change, ()),
    ///         |balance, ended| ended.map(|()| balance),
    ///     );
    ///     match folding.await? {
    ///         // Its `abort` would end the stream.
    ///         Ok((_metadata, balance)) => balance.await?,
    ///         Err(_unknown_account) => Ok(0),
    ///     }
    /// }
    /// # let _ = last_balance;
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future before it resolves aborts the stream, and no function is called any
    /// more.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub fn dispatch_fold<A, R, P, I, S, F>(
        &self,
        connection: &Connection,
        query: &Q,
        init: I,
        step: S,
        finish: F,
    ) -> impl Future<Output = Result<Result<(PipeMetadata, Fold<R>), E>, DispatchError>>
    + Send
    + use<Q, T, U, E, C, A, R, P, I, S, F>
    where
        A: Send + 'static,
        R: Send + 'static,
        P: Into<PipeResponse> + 'static,
        I: FnOnce(T) -> A + Send + 'static,
        S: FnMut(A, U) -> (A, P) + Send + 'static,
        F: FnOnce(A, Result<(), DispatchError>) -> R + Send + 'static,
    {
        let (folding, fold) = Folding::new(
            <C as Codec<T>>::read,
            <C as Codec<U>>::read,
            (init, step, finish),
        );
        let definition = Definition {
            name: Name::Defined(self.description_ref()),
            sink: folding,
            error: <C as Codec<E>>::read,
        };
        let rpc = self.description_ref();
        let asking = connection.asking(&rpc);
        let opening = open(connection, asking, definition, C::size(query), |buffer| {
            C::write(query, buffer)
        });
        async move {
            let answer = opening?.answer().await?;
            Ok(answer.map(|((), metadata)| (metadata, fold)))
        }
    }
}

impl<Q, T, U, E, C> Clone for StateRpc<Q, T, U, E, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Q, T, U, E, C> Copy for StateRpc<Q, T, U, E, C> {}

impl<Q, T, U, E, C> fmt::Debug for StateRpc<Q, T, U, E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateRpc({} version {})", self.name, self.version)
    }
}
