//! Answering a query by hand: for handlers that see the payload's bytes (*rpcs* §6).

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bin_prot::WriteError;
use bytes::Bytes;
use rpc_wire::RpcError;
use rpc_wire::frame::AppendError;
use thiserror::Error;

use crate::Rpc;
use crate::direct_stream_writer::Flushed;
use crate::error::{HandlerError, SendError, located};
use crate::implementation::Call;
use crate::payload::Codec;
use crate::query_context::QueryContext;

/// Where the error of [`Responder::error`] is said to have arisen (rule R-ER-1).
const LOCATION: &str = "server-side raw rpc computation";

/// An undecoded query. It borrows from the connection's input, so what an expert handler's future
/// needs of it is copied before the `async move`.
#[derive(Clone, Copy, Debug)]
pub struct ExpertQuery<'a> {
    pub(crate) context: QueryContext<'a>,
    pub(crate) bytes: &'a [u8],
}

impl<'a> ExpertQuery<'a> {
    /// The RPC, the query's id, its metadata.
    pub fn context(&self) -> &QueryContext<'a> {
        &self.context
    }

    /// The encoded query. For what the caller takes to be a pipe or state RPC, it has a layer
    /// around the user's value: [`StreamQuery`](rpc_wire::stream::StreamQuery), which says
    /// whether this is the query or the abort of a stream.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// A copy that can outlive the handler.
    pub fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.bytes)
    }
}

/// What an expert handler results in.
pub enum Reply {
    /// It has replied through its [`Responder`]. If it has not, the caller is answered
    /// *Uncaught_exn* that says so (rule R-EX-6).
    Replied,
    /// This future will, and meanwhile the connection's other messages are handled.
    Delayed(Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send>>),
}

impl Reply {
    /// A reply that is still to be sent, by `reply`. The future ends with the connection.
    pub fn delayed(reply: impl Future<Output = Result<(), HandlerError>> + Send + 'static) -> Self {
        Self::Delayed(Box::pin(reply))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replied => "Replied",
            Self::Delayed(_) => "Delayed",
        })
    }
}

/// The right to answer one query, once.
///
/// Whatever answers takes the responder, so that a second answer cannot be written down. Once
/// the connection is closed, answers go nowhere, without an error (rule R-EX-5).
///
/// # Errors
/// A response that is too large, or has no encoding, is not sent, and the error hands the
/// responder back: it may answer something else (decision 10). What fails with
/// [`AlreadyResponded`](RespondError::AlreadyResponded) comes after the library's own answer,
/// that the handler failed or did not reply (rule R-EX-3).
pub struct Responder {
    call: Call,
    answered: Arc<Answered>,
}

/// Why a responder did not answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RespondError {
    /// The response exceeds this side's limit; nothing was sent.
    #[error("message cannot be sent: {size} bytes exceed the limit of {limit}")]
    TooBig {
        /// Size of the message's body, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
        /// To answer something else.
        responder: Box<Responder>,
    },
    /// The value has no encoding; nothing was sent.
    #[error("response cannot be encoded")]
    Unencodable {
        /// Why not.
        source: WriteError,
        /// To answer something else.
        responder: Box<Responder>,
    },
    /// The value's codec announced another size than it wrote; nothing was sent.
    #[error("response announced {promised} bytes and wrote {written}")]
    SizeMismatch {
        /// Bytes announced.
        promised: usize,
        /// Bytes written.
        written: usize,
        /// To answer something else.
        responder: Box<Responder>,
    },
    /// The query has been answered.
    #[error("Already responded")]
    AlreadyResponded,
    /// The connection takes no more responses. Only [`Responder::schedule`] says so.
    #[error("connection is closed")]
    Closed,
}

impl Responder {
    pub(crate) fn new(call: &Call, answered: &Arc<Answered>) -> Self {
        Self {
            call: call.clone(),
            answered: answered.clone(),
        }
    }

    /// Answers with an encoded value, which is copied. It is in the output buffer when this
    /// returns.
    ///
    /// # Errors
    /// See [`Responder`].
    pub fn bytes(self, response: &[u8]) -> Result<(), RespondError> {
        let sent = self.send(|call| {
            call.send_untold(response.len(), |buffer| {
                buffer.extend_from_slice(response);
                Ok(())
            })
        });
        self.finish(sent)
    }

    /// Answers with an encoded value, which is not copied if it is large: it stays where it is
    /// until the transport has taken it, which is what the result waits for.
    ///
    /// # Errors
    /// See [`Responder`]; also [`Closed`](RespondError::Closed).
    pub fn schedule(self, response: Bytes) -> Result<Flushed, RespondError> {
        let sent = self.send(|call| call.send_shared_untold(&response));
        let shared = self.call.shared().clone();
        if let Err(Refused::Send(SendError::Closed(_) | SendError::Overfull { .. })) = sent {
            return Err(RespondError::Closed);
        }
        self.finish(sent)?;
        let mark = shared.output.mark();
        Ok(Flushed::new(async move {
            shared.output.flushed_to(mark).await;
        }))
    }

    /// Answers with a value of the type that `rpc` responds with, encoded by its codec.
    ///
    /// # Errors
    /// See [`Responder`].
    pub fn value<Q, R, C: Codec<R>>(
        self,
        rpc: &Rpc<Q, R, C>,
        response: &R,
    ) -> Result<(), RespondError> {
        let _names_the_types = rpc;
        let sent = self
            .send(|call| call.send_untold(C::size(response), |buffer| C::write(response, buffer)));
        self.finish(sent)
    }

    /// Answers that answering failed: *Uncaught_exn* with this error.
    ///
    /// # Errors
    /// See [`Responder`].
    pub fn error(self, error: impl Into<HandlerError>) -> Result<(), RespondError> {
        let error = located(LOCATION, error.into().into_sexp());
        self.rpc_error(RpcError::UncaughtExn(error))
    }

    /// Answers with an error as it is, which a proxy may have been answered itself. Peers of
    /// older versions get a substitute (rule C-OP-6).
    ///
    /// # Errors
    /// See [`Responder`].
    pub fn rpc_error(self, error: RpcError) -> Result<(), RespondError> {
        let sent = self.send(|call| call.send_error_untold(error));
        self.finish(sent)
    }

    fn send(&self, send: impl FnOnce(&Call) -> Result<(), Box<SendError>>) -> Result<(), Refused> {
        // Held while sending, so that the library's own answer does not come between a response
        // that is refused and what the handler answers instead. Taken before the output's lock.
        let mut answered = self.answered.lock();
        if *answered {
            return Err(Refused::Answered);
        }
        send(&self.call).map_err(|error| Refused::Send(*error))?;
        *answered = true;
        Ok(())
    }

    fn finish(self, sent: Result<(), Refused>) -> Result<(), RespondError> {
        let refused = match sent {
            Ok(()) => return Ok(()),
            Err(Refused::Answered) => return Err(RespondError::AlreadyResponded),
            Err(Refused::Send(refused)) => refused,
        };
        let responder = Box::new(self);
        Err(match refused {
            SendError::Closed(_) | SendError::Overfull { .. } => {
                // Nobody is there to be answered, which counts as having answered.
                responder.answered.claim();
                return Ok(());
            }
            SendError::Frame(AppendError::TooBig { size, limit }) => RespondError::TooBig {
                size,
                limit,
                responder,
            },
            SendError::Frame(AppendError::Write(source)) => {
                RespondError::Unencodable { source, responder }
            }
            SendError::Frame(AppendError::SizeMismatch { promised, written }) => {
                RespondError::SizeMismatch {
                    promised,
                    written,
                    responder,
                }
            }
        })
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("rpc", &self.call.rpc().to_string())
            .field("id", &self.call.id())
            .finish_non_exhaustive()
    }
}

enum Refused {
    Answered,
    Send(SendError),
}

/// Whether a query that an expert handler answers has been answered.
#[derive(Debug, Default)]
pub(crate) struct Answered(Mutex<bool>);

impl Answered {
    fn lock(&self) -> MutexGuard<'_, bool> {
        // A codec that panicked has sent nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims the right to answer. `false` if it has been used.
    pub(crate) fn claim(&self) -> bool {
        !std::mem::replace(&mut *self.lock(), true)
    }
}
