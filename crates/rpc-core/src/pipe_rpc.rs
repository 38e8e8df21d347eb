//! Pipe RPCs: one query, a stream of updates.

use std::fmt;
use std::marker::PhantomData;

use rpc_wire::{Description, DescriptionRef, RpcDigests, RpcShapes};

use crate::payload::{BinProt, Codec};
use crate::pipe::{Definition, Name, Queue, open, updates_to};
use crate::rpc;
use crate::shapes;
use crate::{Connection, DispatchError, Pipe, PipeMessage, PipeMetadata, PipeResponse};

/// A pipe RPC: query `Q`, updates `U`, the callee's own error `E`, encoded by `C`.
///
/// The life of a pipe, between its two ends:
///
/// ```text
/// caller                                        callee
/// dispatch(query)   ── query ──────────────►    handler(state, query)
/// Err(e)            ◄── initial error ──────    Ok(Err(e)), and that was it; or
/// Ok(pipe)          ◄── initial response ───    Ok(Ok(stream))
/// pipe.next()       ◄── update ─────────────    stream yields, any number of times
/// None              ◄── end ────────────────    stream ends
///
/// drop(pipe)        ── abort ──────────────►    stream is dropped
///                   ◄── end ────────────────    which acknowledges
/// ```
///
/// Within a stream the initial response comes first, then the updates in the order in which they
/// were produced, then the end (rule R-OR-7). Nothing is promised about its order among other
/// messages of the connection (rule R-OR-6), except that what is dispatched first arrives first.
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
    pushes_back: bool,
    types: PhantomData<fn(Q, C) -> (U, E)>,
}

impl<Q, U, E, C> PipeRpc<Q, U, E, C> {
    /// Version `version` of the RPC called `name`.
    pub const fn new(name: &'static str, version: i64) -> Self {
        Self {
            name,
            version,
            pushes_back: false,
            types: PhantomData,
        }
    }

    /// Bounds what a [`Pipe`] holds: at 100 unread updates the caller stops reading its
    /// connection, and goes on when all of them were taken and the next one is asked for
    /// (rule R-SC-25). Default: the pipe grows without bound.
    ///
    /// This stops the whole connection: answers to other calls, and the peer's heartbeats
    /// (rule R-SC-26). Whoever lets such a pipe wait for another answer of the same connection waits
    /// for ever; and one that is not read for longer than the
    /// [heartbeat timeout](crate::connection::heartbeat::Config) ends the connection. It changes
    /// nothing on the wire and nothing for the callee, nor for
    /// [callbacks](Self::dispatch_with) (rule R-SC-27).
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

impl<Q, U, E, C: Codec<Q> + Codec<U> + Codec<E>> PipeRpc<Q, U, E, C> {
    /// The structures of the types. Computed anew each time.
    pub fn shapes(&self) -> RpcShapes {
        shapes::streaming::<Q, (), U, E, C, BinProt>()
    }

    /// The digests of the types, as menus carry them. Computed anew each time.
    pub fn digests(&self) -> RpcDigests {
        rpc::streaming_digests::<Q, (), U, E, C, BinProt>()
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
    /// ```
    /// # use rpc_core::{Connection, DispatchError, Pipe, PipeRpc};
    /// use std::time::Duration;
    /// use tokio::time::timeout;
    ///
    /// static TICKS: PipeRpc<i64, i64, String> = PipeRpc::new("ticks", 1);
    ///
    /// /// The sum of what comes within a second, of which a tenth may pass before the callee agrees.
    /// async fn sum(connection: &Connection) -> Result<i64, Box<dyn std::error::Error>> {
    ///     let opening = TICKS.dispatch(connection, &100);
    ///     let mut ticks = timeout(Duration::from_millis(100), opening).await???;
    ///     let mut sum = 0;
    ///     let deadline = timeout(Duration::from_secs(1), async {
    ///         while let Some(tick) = ticks.try_next().await? {
    ///             sum += tick;
    ///         }
    ///         Ok::<_, DispatchError>(())
    ///     });
    ///     if let Ok(ended) = deadline.await {
    ///         ended?;
    ///     }
    ///     // Dropping the pipe tells the callee to stop.
    ///     Ok(sum)
    /// }
    /// # let _ = sum;
    /// ```
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
        let (state, update) = (<BinProt as Codec<()>>::read, <C as Codec<U>>::read);
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
        async move { Ok(opening?.pipe().await?.map(|((), pipe)| pipe)) }
    }

    /// [`dispatch`](Self::dispatch) with a callback in place of a pipe: it is called for each
    /// update where that is read, before any later message is handled (rule R-SC-30).
    ///
    /// What it results in says whether the connection goes on reading; `()` stands for yes. It is
    /// called with [`Closed`](PipeMessage::Closed) once, after the last update, unless the dispatch
    /// fails. It may run before the dispatch resolves. As it keeps other messages waiting, it
    /// should be quick. If it panics, the stream is broken off, and the callback is called with
    /// that error; the connection goes on (decision 4).
    ///
    /// The stream is ended by [`PipeMetadata::abort`]. It does not keep the connection open: keep
    /// a handle.
    ///
    /// ```
    /// # use rpc_core::{Connection, DispatchError, PipeMessage, PipeRpc};
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicI64, Ordering};
    ///
    /// static TICKS: PipeRpc<i64, i64, String> = PipeRpc::new("ticks", 1);
    ///
    /// /// Keeps the latest tick in `latest`, until the stream is over.
    /// async fn follow(connection: &Connection, latest: Arc<AtomicI64>) -> Result<(), DispatchError> {
    ///     let follow = TICKS.dispatch_with(connection, &100, move |message| {
    ///         if let PipeMessage::Update(tick) = message {
    ///             latest.store(tick, Ordering::Relaxed);
    ///         }
    ///     });
    ///     match follow.await? {
    ///         Ok(ticks) => ticks.close_reason().await.into_result(),
    ///         Err(_refused) => Ok(()),
    ///     }
    /// }
    /// # let _ = follow;
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future before it resolves aborts the stream, and the callback is not called any
    /// more.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub fn dispatch_with<F, R>(
        &self,
        connection: &Connection,
        query: &Q,
        on_message: F,
    ) -> impl Future<Output = Result<Result<PipeMetadata, E>, DispatchError>>
    + Send
    + use<Q, U, E, C, F, R>
    where
        F: FnMut(PipeMessage<U>) -> R + Send + 'static,
        R: Into<PipeResponse> + 'static,
    {
        let sink = updates_to(
            <BinProt as Codec<()>>::read,
            <C as Codec<U>>::read,
            on_message,
        );
        let definition = Definition {
            name: Name::Defined(self.description_ref()),
            sink,
            error: <C as Codec<E>>::read,
        };
        let rpc = self.description_ref();
        let asking = connection.asking(&rpc);
        let opening = open(connection, asking, definition, C::size(query), |buffer| {
            C::write(query, buffer)
        });
        async move { Ok(opening?.answer().await?.map(|((), metadata)| metadata)) }
    }
}

impl<Q, U, E, C> Clone for PipeRpc<Q, U, E, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Q, U, E, C> Copy for PipeRpc<Q, U, E, C> {}

impl<Q, U, E, C> fmt::Debug for PipeRpc<Q, U, E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PipeRpc({} version {})", self.name, self.version)
    }
}
