//! What answers one RPC: a name, a version, a handler, and what happens when the handler raises.
//!
//! A handler's future is polled once where its query was read; if it is ready, the answer is
//! encoded there and then. Only a pending one becomes a task.

pub(crate) mod blocking;
pub(crate) mod call;
pub(crate) mod expert;
pub(crate) mod handler;
pub(crate) mod lift;
pub(crate) mod mapped;
mod named;
pub(crate) mod one_way;
pub(crate) mod plain;
mod shared;
mod slot;
pub(crate) mod streaming;
mod text;

use std::sync::{Arc, OnceLock};

use futures_core::Stream;
use rpc_wire::{Description, RpcDigests, RpcShapes};

use crate::error::HandlerError;
use crate::on_exception::OnException;
use crate::payload::{BinProt, Codec};
use crate::responder::{ExpertQuery, Reply, Responder};
use crate::{DirectStreamWriter, OneWay, PipeRpc, Rpc, StateRpc};
use blocking::Blocking;
use expert::{Expert, OneWayExpert};
use lift::{Lift, LiftedHandler};
use mapped::Mapped;
use one_way::OneWayHandler;
use plain::Plain;
use streaming::Streaming;
use streaming::direct::StreamingDirect;

pub use named::Named;
pub use shared::SharedHandler;

pub(crate) use call::{Call, CalledRpc};
pub(crate) use handler::{
    BoxFuture, Handler, HandlerKind, Received, Started, Stop, caught, poll_now,
};
pub(crate) use lift::{Own, Source};

/// One handler with its RPC's name and version, for connections whose state is `S`.
///
/// Tables are built of them. [`Builder`](crate::Builder) has a shorter way for those that need
/// nothing more than a handler; this is for what does: a [policy for
/// exceptions](Self::on_exception) of its own, or a state that is
/// [lifted](Self::lift) from the connection's.
///
/// Cheap to clone.
///
/// # Examples
///
/// ```
/// use rpc_core::{HandlerError, Implementation, Implementations, OnException, QueryContext, Rpc};
///
/// static BALANCE: Rpc<(), u64> = Rpc::new("balance", 1);
/// static DEPOSIT: Rpc<u64, ()> = Rpc::new("deposit", 1);
///
/// /// What is known of every connection.
/// struct Peer { user: Option<String> }
///
/// /// What these handlers need: somebody who may ask.
/// struct User { name: String }
///
/// fn authorize(peer: &Peer, _: &QueryContext<'_>) -> Result<User, HandlerError> {
///     match &peer.user {
///         Some(name) => Ok(User { name: name.clone() }),
///         None => Err(HandlerError::new("nobody is logged in")),
///     }
/// }
///
/// let implementations = Implementations::builder()
///     .implementation(
///         Implementation::plain(&BALANCE, |user: &User, ()| {
///             let balance = user.name.len() as u64;
///             async move { Ok(balance) }
///         })
///         .authorize(authorize),
///     )
///     .implementation(
///         Implementation::blocking(&DEPOSIT, |_: &User, _| Ok(()))
///             .on_exception(OnException::Log)
///             .authorize(authorize),
///     )
///     .build()?;
/// # let _ = implementations;
/// # Ok::<(), rpc_core::DuplicateImplementations>(())
/// ```
pub struct Implementation<S> {
    description: Description,
    handler: Arc<dyn Handler<S>>,
    on_exception: Option<OnException>,
    /// Evaluating shapes takes time, and most tables are never asked (rule R-IM-8).
    digests: OnceLock<RpcDigests>,
}

impl<S> Clone for Implementation<S> {
    fn clone(&self) -> Self {
        Self {
            description: self.description.clone(),
            handler: self.handler.clone(),
            on_exception: self.on_exception.clone(),
            digests: self.digests.clone(),
        }
    }
}

/// Handlers get the state by reference, so what a future needs of it is cloned before the
/// `async move`.
impl<S: Send + 'static> Implementation<S> {
    /// Implements a plain RPC.
    ///
    /// The future is polled where the query was read; if it is ready at once, its answer leaves
    /// before that of any later query (rule R-OR-3). Otherwise it becomes a task, and answers
    /// leave in order of completion.
    pub fn plain<Q, R, C, F, Fut>(rpc: &Rpc<Q, R, C>, handler: F) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        Q: Send + 'static,
        R: 'static,
        C: Codec<Q> + Codec<R>,
    {
        let handler = Plain::<F, Q, R, C>::new(handler, rpc.user_errors());
        Self::new(rpc.description(), handler)
    }

    /// Implements a plain RPC by a function that does not suspend. It holds up all other
    /// messages of the connection while it runs.
    pub fn blocking<Q, R, C, F>(rpc: &Rpc<Q, R, C>, handler: F) -> Self
    where
        F: Fn(&S, Q) -> Result<R, HandlerError> + Send + Sync + 'static,
        Q: Send + 'static,
        R: 'static,
        C: Codec<Q> + Codec<R>,
    {
        let handler = Blocking::<F, Q, R, C>::new(handler, rpc.user_errors());
        Self::new(rpc.description(), handler)
    }

    /// Implements a plain RPC by a handler that thinks in other types than the definition's: `before`
    /// makes what the handler is asked of the query, or the answer at once; `after` makes the answer of
    /// what the handler results in: it does not see that a state could not be lifted, nor that the
    /// handler panicked, which are answered as ever. What converts between versions stands on it.
    ///
    /// It allocates no more than [`plain`](Self::plain), which would need a future around the handler's.
    pub fn mapped<Q, R, C, M, N, B, E>(
        rpc: &Rpc<Q, R, C>,
        handler: &SharedHandler<S, M, N>,
        before: B,
        after: E,
    ) -> Self
    where
        B: Fn(Q) -> Result<M, Result<R, HandlerError>> + Send + Sync + 'static,
        E: Fn(Result<N, HandlerError>) -> Result<R, HandlerError> + Send + Sync + 'static,
        M: 'static,
        N: 'static,
        Q: Send + 'static,
        R: 'static,
        C: Codec<Q> + Codec<R>,
    {
        let handler = Mapped::new(rpc, handler.clone(), before, after);
        Self::new(rpc.description(), handler)
    }

    /// Implements a one-way RPC. Nobody is told of a failure (rule R-OW-1); what happens then is
    /// up to [`OnException`]. A message that cannot be decoded closes the connection
    /// (rule R-OW-2).
    pub fn one_way<Q, C, F, Fut>(rpc: &OneWay<Q, C>, handler: F) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
        Q: Send + 'static,
        C: Codec<Q>,
    {
        let handler = OneWayHandler::<F, Q, C>::new(handler);
        Self::new(rpc.description(), handler)
    }

    /// Implements a pipe RPC: the handler results in a stream of updates, or in the RPC's own
    /// error.
    ///
    /// Updates are taken from the stream in batches of at most 1000, and then only when the
    /// transport has taken them: a slow caller stops the stream. The stream is dropped when it
    /// has ended, when the caller aborts, and when the connection closes.
    pub fn pipe<Q, U, E, C, F, Fut, St>(rpc: &PipeRpc<Q, U, E, C>, handler: F) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<St, E>, HandlerError>> + Send + 'static,
        St: Stream<Item = U> + Send + 'static,
        Q: Send + 'static,
        U: Send + 'static,
        E: Send + 'static,
        C: Codec<Q> + Codec<U> + Codec<E>,
    {
        let handler = move |state: &S, query: Q| {
            let future = handler(state, query);
            async move { Ok(future.await?.map(|updates| ((), updates))) }
        };
        let handler = Streaming::<_, Q, (), U, E, C, BinProt>::new(handler);
        Self::new(rpc.description(), handler)
    }

    /// Implements a state RPC: the handler results in the initial state and a stream of updates
    /// to it, or in the RPC's own error. The stream is treated as that of a [pipe](Self::pipe).
    pub fn state<Q, T, U, E, C, F, Fut, St>(rpc: &StateRpc<Q, T, U, E, C>, handler: F) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<(T, St), E>, HandlerError>> + Send + 'static,
        St: Stream<Item = U> + Send + 'static,
        Q: Send + 'static,
        T: Send + 'static,
        U: Send + 'static,
        E: Send + 'static,
        C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
    {
        let handler = Streaming::<F, Q, T, U, E, C, C>::new(handler);
        Self::new(rpc.description(), handler)
    }

    /// [`pipe`](Self::pipe) by a stream that may fail.
    ///
    /// An `Err` ends the stream: what came before it is sent, then *Uncaught_exn* in place of the
    /// end, and the [policy](OnException) applies, as for a stream that panics (rule R-SV-12). A
    /// failure that is not to end the stream (the reference's *leave open on exception*, rule
    /// R-SV-13) is one that the stream keeps to itself.
    pub fn fallible_pipe<Q, U, E, C, F, Fut, St>(rpc: &PipeRpc<Q, U, E, C>, handler: F) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<St, E>, HandlerError>> + Send + 'static,
        St: Stream<Item = Result<U, HandlerError>> + Send + 'static,
        Q: Send + 'static,
        U: Send + 'static,
        E: Send + 'static,
        C: Codec<Q> + Codec<U> + Codec<E>,
    {
        let handler = move |state: &S, query: Q| {
            let future = handler(state, query);
            async move { Ok(future.await?.map(|updates| ((), updates))) }
        };
        let handler = Streaming::<_, Q, (), U, E, C, BinProt>::new(handler);
        Self::new(rpc.description(), handler)
    }

    /// [`state`](Self::state) by a stream that may fail: see
    /// [`fallible_pipe`](Self::fallible_pipe).
    pub fn fallible_state<Q, T, U, E, C, F, Fut, St>(
        rpc: &StateRpc<Q, T, U, E, C>,
        handler: F,
    ) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<(T, St), E>, HandlerError>> + Send + 'static,
        St: Stream<Item = Result<U, HandlerError>> + Send + 'static,
        Q: Send + 'static,
        T: Send + 'static,
        U: Send + 'static,
        E: Send + 'static,
        C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
    {
        let handler = Streaming::<F, Q, T, U, E, C, C>::new(handler);
        Self::new(rpc.description(), handler)
    }

    /// Implements a pipe RPC by a handler that writes its updates itself, through a
    /// [`DirectStreamWriter`] that it may keep: to write from elsewhere, or to many callers at once
    /// by a [`Group`](crate::Group).
    ///
    /// What is written before the handler has returned follows the initial response. An abort
    /// closes the writer and does not cancel the handler: when it returns ok, the initial response,
    /// what it had written and the end are sent (rule R-SV-8).
    pub fn pipe_direct<Q, U, E, C, F, Fut>(rpc: &PipeRpc<Q, U, E, C>, handler: F) -> Self
    where
        F: Fn(&S, Q, DirectStreamWriter<U, C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<(), E>, HandlerError>> + Send + 'static,
        Q: Send + 'static,
        U: 'static,
        E: Send + 'static,
        C: Codec<Q> + Codec<U> + Codec<E>,
    {
        let handler = move |state: &S, (query, writer)| handler(state, query, writer);
        let handler = StreamingDirect::<_, Q, (), U, E, C, BinProt>::new(handler);
        Self::new(rpc.description(), handler)
    }

    /// Implements a state RPC in the same way; the handler results in the initial state.
    pub fn state_direct<Q, T, U, E, C, F, Fut>(rpc: &StateRpc<Q, T, U, E, C>, handler: F) -> Self
    where
        F: Fn(&S, Q, DirectStreamWriter<U, C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<T, E>, HandlerError>> + Send + 'static,
        Q: Send + 'static,
        T: Send + 'static,
        U: 'static,
        E: Send + 'static,
        C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
    {
        let handler = move |state: &S, (query, writer)| handler(state, query, writer);
        let handler = StreamingDirect::<_, Q, T, U, E, C, C>::new(handler);
        Self::new(rpc.description(), handler)
    }

    /// Implements a plain RPC by a handler that gets the undecoded query and answers by a
    /// [`Responder`].
    ///
    /// The connection's other messages wait until the handler's future is ready
    /// (rule R-EX-1): what takes its time results in [`Reply::delayed`]. The future is polled
    /// where the query was read, so a handler without an `await` costs no task.
    ///
    /// A handler that fails before it has answered is one that raised; one that fails afterwards
    /// also closes the connection, after the policy (rule R-EX-7).
    ///
    /// ```
    /// use rpc_core::{Implementation, Implementations, Reply, Rpc};
    ///
    /// static ECHO: Rpc<String, String> = Rpc::new("echo", 1);
    ///
    /// let implementations = Implementations::builder()
    ///     .implementation(Implementation::expert(&ECHO, |_: &(), query, responder| {
    ///         // The response is encoded as the query is, so there is no need to decode it.
    ///         let sent = responder.bytes(query.bytes());
    ///         async move {
    ///             sent?;
    ///             Ok(Reply::Replied)
    ///         }
    ///     }))
    ///     .build()?;
    /// # let _ = implementations;
    /// # Ok::<(), rpc_core::DuplicateImplementations>(())
    /// ```
    pub fn expert<F, Fut>(rpc: &impl Named, handler: F) -> Self
    where
        F: Fn(&S, ExpertQuery<'_>, Responder) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply, HandlerError>> + Send + 'static,
    {
        Self::new(rpc.name_and_version(), Expert::new(handler, rpc.types()))
    }

    /// The same by a function that does not suspend.
    pub fn expert_blocking<F>(rpc: &impl Named, handler: F) -> Self
    where
        F: Fn(&S, ExpertQuery<'_>, Responder) -> Result<Reply, HandlerError>
            + Send
            + Sync
            + 'static,
    {
        Self::expert(rpc, move |state: &S, query: ExpertQuery<'_>, responder| {
            std::future::ready(handler(state, query, responder))
        })
    }

    /// Implements a one-way RPC by a handler that gets the undecoded message (rule R-OW-7).
    pub fn one_way_expert<F, Fut>(rpc: &impl Named, handler: F) -> Self
    where
        F: Fn(&S, ExpertQuery<'_>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        Self::new(
            rpc.name_and_version(),
            OneWayExpert::new(handler, rpc.types()),
        )
    }

    fn new(description: Description, handler: impl Handler<S> + 'static) -> Self {
        Self {
            description,
            handler: Arc::new(handler),
            on_exception: None,
            digests: OnceLock::new(),
        }
    }

    pub(crate) fn lifted_by<W: Send + 'static>(self, lift: Arc<Lift<W, S>>) -> Implementation<W> {
        Implementation {
            description: self.description,
            handler: Arc::new(LiftedHandler::new(self.handler, lift)),
            on_exception: self.on_exception,
            digests: self.digests,
        }
    }
}

impl<S> Implementation<S> {
    /// Replaces what happens when the handler raises, which is otherwise up to the table
    /// (rule R-IM-10).
    #[must_use]
    pub fn on_exception(mut self, policy: OnException) -> Self {
        self.on_exception = Some(policy);
        self
    }

    /// Name and version.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The kind of the RPC and the digests of its types. Computed when first asked for
    /// (rule R-IM-8).
    pub fn digests(&self) -> RpcDigests {
        *self
            .digests
            .get_or_init(|| (self.handler.types().digests)())
    }

    /// The kind of the RPC and the shapes of its types. Computed anew each time.
    pub fn shapes(&self) -> RpcShapes {
        (self.handler.types().shapes)()
    }

    pub(crate) fn handler(&self) -> &dyn Handler<S> {
        &*self.handler
    }

    pub(crate) fn own_policy(&self) -> Option<&OnException> {
        self.on_exception.as_ref()
    }
}
