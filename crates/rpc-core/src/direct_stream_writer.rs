//! The sending end of a stream whose handler writes the updates itself.

mod direct;

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bin_prot::WriteError;
use rpc_wire::frame::AppendError;
use rpc_wire::stream;
use thiserror::Error;

use crate::error::HandlerError;
use crate::payload::{BinProt, Codec};

pub(crate) use direct::{Appended, Direct};

/// Writes the updates of one stream, without a pipe in between (*rpcs* §8). Made by
/// [`Implementation::pipe_direct`](crate::Implementation::pipe_direct) and
/// [`state_direct`](crate::Implementation::state_direct), for their handlers to keep.
///
/// ```text
///  handler called     handler returned ok
///       │ writes are kept   │ writes go out at once
///       ▼                   ▼
///   not started ────────► started ── close, abort by the caller, end of the connection ──► closed
///       │ close, abort: the initial response, what was kept and the end are still sent
///       │ handler failed: what was kept is dropped
///       └────────────────────────────────────────────────────────────────────────────────► closed
/// ```
///
/// Once it has started, each write puts its update into the connection's output buffer before it
/// returns, hence before anything that is sent later (rules R-OR-5, R-DW-3).
///
/// Nobody waits for the caller to read (rule R-DW-9): whoever writes faster than the transport
/// takes fills that buffer, and beyond
/// [`max_buffered_output`](crate::connection::Config::max_buffered_output) the connection closes.
/// [`write_with_pushback`](Self::write_with_pushback) tells when to go on, and
/// [`Implementation::pipe`](crate::Implementation::pipe) needs no such care.
///
/// Clones are handles to the same stream; they may be used from several threads. Dropping the last
/// one [closes](Self::close) it. A writer does not keep its connection open.
///
/// # Examples
///
/// ```
/// use rpc_core::connection::{Config, Connection};
/// use rpc_core::{DirectStreamWriter, Implementations, PipeRpc};
///
/// static TICKS: PipeRpc<(), i64, String> = PipeRpc::new("ticks", 1);
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let implementations = Implementations::<()>::builder()
///     .implement_pipe_direct(&TICKS, |_, (), ticks: DirectStreamWriter<i64>| async move {
///         // Kept until the handler has returned.
///         ticks.write(&0)?;
///         tokio::spawn(async move {
///             ticks.started().await;
///             for tick in 1..3 {
///                 // Fails once the caller has enough.
///                 if ticks.write(&tick).is_err() {
///                     return;
///                 }
///             }
///             // Dropping the last handle ends the stream.
///         });
///         Ok(Ok(()))
///     })
///     .build()?;
///
/// # let (near, far) = tokio::io::duplex(4096);
/// # let (connection, _serving) = tokio::try_join!(
/// #     Connection::create(near, Config::default()),
/// #     Connection::serve(far, Config::default(), &implementations, |_| ()),
/// # )?;
/// let mut ticks = TICKS.dispatch(&connection, &()).await??;
/// for tick in 0..3 {
///     assert_eq!(ticks.next().await, Some(tick));
/// }
/// assert_eq!(ticks.next().await, None);
/// # Ok(())
/// # }
/// ```
pub struct DirectStreamWriter<U, C = BinProt> {
    handle: Arc<Handle>,
    types: PhantomData<fn(&U) -> C>,
}

/// What the clones share. Its drop ends the stream.
pub(crate) struct Handle {
    pub(crate) direct: Arc<Direct>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.direct.close();
    }
}

/// Why an update was not written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StreamWriteError {
    /// The stream is over: closed here, aborted by its caller, or its connection is closed.
    #[error("stream is closed")]
    Closed,
    /// The update exceeds this side's limit. *Write_error* is sent in its place, which makes
    /// callers end the stream; until they do, it goes on (rule R-SV-10).
    #[error("update of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Size of the message's body, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The update has no encoding; nothing was sent.
    #[error("update cannot be encoded")]
    Unencodable(#[from] WriteError),
    /// The update's codec announced another size than it wrote; nothing was sent.
    #[error("update announced {promised} bytes and wrote {written}")]
    SizeMismatch {
        /// Bytes announced.
        promised: usize,
        /// Bytes written.
        written: usize,
    },
}

impl From<AppendError> for StreamWriteError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::TooBig { size, limit } => Self::TooLarge { size, limit },
            AppendError::Write(error) => Self::Unencodable(error),
            AppendError::SizeMismatch { promised, written } => {
                Self::SizeMismatch { promised, written }
            }
        }
    }
}

/// Waits until the transport has taken what was written, or the writers concerned are closed; a
/// future. Dropping it changes nothing.
#[must_use = "the update is written; this waits for the transport to take it"]
pub struct Flushed(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Flushed {
    pub(crate) fn new(flushed: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Box::pin(flushed))
    }
}

impl Future for Flushed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Flushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flushed").finish_non_exhaustive()
    }
}

impl<U, C> DirectStreamWriter<U, C> {
    pub(crate) fn new(direct: Arc<Direct>) -> Self {
        Self::from_handle(Arc::new(Handle { direct }))
    }

    pub(crate) fn from_handle(handle: Arc<Handle>) -> Self {
        Self {
            handle,
            types: PhantomData,
        }
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    fn direct(&self) -> &Arc<Direct> {
        &self.handle.direct
    }

    /// Writes an update that is encoded already, without a length before it. The bytes are copied
    /// (rule R-DW-7).
    ///
    /// # Errors
    /// See [`StreamWriteError`].
    pub fn write_encoded(&self, update: &[u8]) -> Result<(), StreamWriteError> {
        let payload = stream::update_size(update.len());
        self.direct().write(payload, |buffer| {
            stream::write_before_update(update.len(), buffer);
            buffer.extend_from_slice(update);
            Ok(())
        })
    }

    /// [`write_encoded`](Self::write_encoded) with what
    /// [`write_with_pushback`](Self::write_with_pushback) results in.
    ///
    /// # Errors
    /// See [`StreamWriteError`].
    pub fn write_encoded_with_pushback(&self, update: &[u8]) -> Result<Flushed, StreamWriteError> {
        self.write_encoded(update)?;
        Ok(self.flushed())
    }

    /// Waits until the transport has taken everything that was sent so far, or the writer is closed:
    /// what [`write_with_pushback`](Self::write_with_pushback) results in, without a write.
    pub fn flushed(&self) -> Flushed {
        let direct = self.direct().clone();
        let mark = direct.mark();
        Flushed::new(async move { direct.flushed_or_closed(mark).await })
    }

    /// Waits until the handler has returned and what was kept has been written: from then on, each
    /// write goes out at once. Never resolves if the handler fails (rule R-DW-2), so wait for
    /// [`closed`](Self::closed) too.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn started(&self) {
        self.direct().started().await;
    }

    /// Waits until the stream is closed: here, by its caller's abort, because the handler failed, or
    /// because the connection ended (rule R-DW-4).
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn closed(&self) {
        self.direct().closed().await;
    }

    /// Whether writes are refused.
    pub fn is_closed(&self) -> bool {
        self.direct().is_closed()
    }

    /// Ends the stream, once. If it has not started, the initial response, what was kept and the
    /// end are sent when the handler returns ok (rule R-DW-5).
    pub fn close(&self) {
        self.direct().close();
    }

    /// Ends the stream with an error in place of the end: the caller's pipe breaks with
    /// *Uncaught_exn*, and the RPC's [`OnException`](crate::OnException) policy applies, as for
    /// any failure in the background (rule R-SV-12). Does nothing if the stream is closed.
    pub fn close_with_error(&self, error: impl Into<HandlerError>) {
        self.direct().fail(error.into());
    }
}

impl<U, C: Codec<U>> DirectStreamWriter<U, C> {
    /// Writes an update.
    ///
    /// # Errors
    /// See [`StreamWriteError`].
    pub fn write(&self, update: &U) -> Result<(), StreamWriteError> {
        let size = C::size(update);
        self.direct().write(stream::update_size(size), |buffer| {
            stream::write_before_update(size, buffer);
            C::write(update, buffer)
        })
    }

    /// Writes an update; the future waits until the transport has taken everything that was sent
    /// so far, or the writer is closed. Before the start the update is not among that: waiting in
    /// the handler waits for what is on the way, and not for the handler itself (rule R-DW-1).
    ///
    /// # Errors
    /// See [`StreamWriteError`].
    pub fn write_with_pushback(&self, update: &U) -> Result<Flushed, StreamWriteError> {
        self.write(update)?;
        Ok(self.flushed())
    }
}

impl<U, C> Clone for DirectStreamWriter<U, C> {
    fn clone(&self) -> Self {
        Self::from_handle(self.handle.clone())
    }
}

impl<U, C> fmt::Debug for DirectStreamWriter<U, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.direct().fmt(f)
    }
}
