//! What can go wrong with a call, and how a handler says that it failed.

use std::fmt;
use std::sync::Arc;

use bin_prot::{ByteString, Sexp, WriteError};
use rpc_wire::RpcError;
use rpc_wire::frame::AppendError;
use thiserror::Error;

use crate::connection::Closed;
use crate::payload::Undecodable;

/// Why a dispatch has no answer.
///
/// Cheap to clone: a lost connection is told to all who wait.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum DispatchError {
    /// The connection ended before the answer, or was closed or closing at the dispatch. The
    /// query may or may not have been executed, except in the latter case.
    #[error(transparent)]
    ConnectionClosed(#[from] ConnectionClosed),
    /// The callee answered with an error.
    #[error("callee answered {0}")]
    Rpc(RpcError),
    /// The callee's answer could not be decoded. The connection is intact.
    #[error("{location}: {reason}")]
    Undecodable {
        /// Which part of which message, in the reference's words (rule R-ER-1).
        location: &'static str,
        /// What was wrong.
        reason: Undecodable,
    },
    /// The connection ended because the peer sent something that makes no sense.
    #[error("connection failed: {0}")]
    ConnectionFailed(Arc<Closed>),
    /// A callback of this side's panicked. The stream that it was for is being ended; the
    /// connection is intact.
    #[error("callback failed: {0}")]
    CallbackFailed(HandlerError),
    /// The query exceeds this side's limit; nothing was sent.
    #[error("query of {size} bytes exceeds the limit of {limit}")]
    MessageTooBig {
        /// Size of the message's body, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// More than [`Config::max_buffered_output`](crate::connection::Config::max_buffered_output)
    /// is waiting for the peer to read it; nothing was sent. Wait for
    /// [`Connection::flushed`](crate::Connection::flushed), and try again.
    #[error("{buffered} bytes are waiting for the peer to read them")]
    OutputFull {
        /// The bytes that wait.
        buffered: usize,
    },
    /// The query has no encoding; nothing was sent.
    #[error("query cannot be encoded")]
    Unencodable(#[from] WriteError),
    /// The query's codec announced another size than it wrote; nothing was sent.
    #[error("query announced {promised} bytes and wrote {written}")]
    SizeMismatch {
        /// Bytes announced.
        promised: usize,
        /// Bytes written.
        written: usize,
    },
}

impl DispatchError {
    /// The error as the reference's callers see it: the one place where local errors become
    /// wire errors.
    pub fn to_rpc_error(&self) -> RpcError {
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        match self {
            Self::ConnectionClosed(_) => RpcError::ConnectionClosed,
            Self::Rpc(error) => error.clone(),
            Self::Undecodable { location, reason } => {
                RpcError::BinIoExn(located(location, failure(reason)))
            }
            Self::ConnectionFailed(closed) => RpcError::UncaughtExn(Sexp::atom(closed.to_string())),
            Self::CallbackFailed(error) => RpcError::UncaughtExn(error.clone().into_sexp()),
            Self::MessageTooBig { size, limit } => RpcError::MessageTooBig {
                size: number(*size),
                max_message_size: number(*limit),
            },
            Self::OutputFull { .. } | Self::Unencodable(_) | Self::SizeMismatch { .. } => {
                RpcError::UncaughtExn(failure(self))
            }
        }
    }
}

/// Why [`OneWay::dispatch_all`](crate::OneWay::dispatch_all) has not sent every message.
#[derive(Clone, Debug, Error)]
#[error("{sent} messages were sent, and no more")]
pub struct DispatchAllError {
    /// How many messages were sent: the first so many.
    pub sent: usize,
    /// Why the next one was not.
    #[source]
    pub error: DispatchError,
}

impl From<Box<SendError>> for DispatchError {
    fn from(error: Box<SendError>) -> Self {
        match *error {
            SendError::Closed(closed) => Self::ConnectionClosed(closed),
            SendError::Overfull { buffered, .. } => Self::OutputFull { buffered },
            SendError::Frame(AppendError::TooBig { size, limit }) => {
                Self::MessageTooBig { size, limit }
            }
            SendError::Frame(AppendError::Write(error)) => Self::Unencodable(error),
            SendError::Frame(AppendError::SizeMismatch { promised, written }) => {
                Self::SizeMismatch { promised, written }
            }
        }
    }
}

/// The connection cannot be used (any more).
#[derive(Clone, Debug, Error)]
pub struct ConnectionClosed {
    /// Who closed it and why, if closing has started on this side. `None` when the peer has
    /// announced that it takes no more queries, or the transport takes no more bytes.
    pub reason: Option<Arc<Closed>>,
}

impl fmt::Display for ConnectionClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(closed) => closed.fmt(f),
            None => f.write_str("no more queries can be sent"),
        }
    }
}

/// Why a message was not put into the output buffer. Handed on in a box: results that fit into
/// registers are what keeps sending quick.
#[derive(Debug)]
pub(crate) enum SendError {
    Closed(ConnectionClosed),
    Frame(AppendError),
    /// The peer does not read, or not fast enough: so many bytes wait for it.
    Overfull {
        buffered: usize,
        limit: usize,
    },
}

/// A handler's failure that is none of its declared results: what an exception is in the
/// reference. The caller gets *Uncaught_exn* with the text, and then the
/// [`OnException`](crate::OnException) policy applies.
///
/// Any error converts into it, so `?` works in handlers. A panic has the same effect.
///
/// A handler that refuses, rather than fails, says [`not_authorized`](Self::not_authorized): the
/// caller gets *Authorization_failure*, and no policy applies (rule R-AU-5).
///
/// ```
/// use rpc_core::HandlerError;
///
/// async fn withdraw(balance: u64, amount: u64) -> Result<u64, HandlerError> {
///     if amount > 1_000 {
///         return Err(HandlerError::not_authorized("more than 1000 at once"));
///     }
///     balance.checked_sub(amount).ok_or_else(|| HandlerError::new("not that much there"))
/// }
/// # let _ = withdraw;
/// ```
#[derive(Clone, Debug)]
pub struct HandlerError {
    failure: Failure,
    reason: Reason,
}

/// What kind of failure a handler's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Raised,
    NotAuthorized,
    NotLifted,
}

#[derive(Clone, Debug)]
enum Reason {
    Text(String),
    Sexp(Sexp),
}

impl HandlerError {
    /// A failure with this text.
    pub fn new(text: impl fmt::Display) -> Self {
        Self {
            failure: Failure::Raised,
            reason: Reason::Text(text.to_string()),
        }
    }

    /// A failure with this S-expression, shown to the caller as it is.
    pub fn from_sexp(sexp: Sexp) -> Self {
        Self {
            failure: Failure::Raised,
            reason: Reason::Sexp(sexp),
        }
    }

    /// A refusal with this text. Peers below version 3 are told *Uncaught_exn* (rule C-OP-6).
    pub fn not_authorized(text: impl fmt::Display) -> Self {
        Self::new(text).into_failure(Failure::NotAuthorized)
    }

    pub(crate) fn from_panic(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self::new(text.unwrap_or("handler panicked"))
    }

    /// The same reason, given by a lifting function. A refusal stays one.
    pub(crate) fn into_failure(self, failure: Failure) -> Self {
        match self.failure {
            Failure::Raised => Self { failure, ..self },
            Failure::NotAuthorized | Failure::NotLifted => self,
        }
    }

    pub(crate) fn failure(&self) -> Failure {
        self.failure
    }

    /// The S-expression that stands for the failure: an exception's for a raise, an error's for
    /// a refusal.
    pub(crate) fn into_sexp(self) -> Sexp {
        match (self.reason, self.failure) {
            (Reason::Sexp(sexp), _) => sexp,
            (Reason::Text(text), Failure::Raised) => failure(text),
            (Reason::Text(text), Failure::NotAuthorized | Failure::NotLifted) => {
                Sexp::atom(ByteString::from(text))
            }
        }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.clone().into_sexp().fmt(f)
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::new(describe(&error))
    }
}

/// An error with its causes, in one line.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

/// `(Failure TEXT)`, as OCaml prints it (decisions, R-ER-1).
pub(crate) fn failure(text: impl fmt::Display) -> Sexp {
    Sexp::list([
        Sexp::atom("Failure"),
        Sexp::atom(ByteString::from(text.to_string())),
    ])
}

/// The record by which errors say where they arose (rule R-ER-1).
pub(crate) fn located(location: &str, exn: Sexp) -> Sexp {
    Sexp::record([("location", Sexp::atom(location)), ("exn", exn)])
}
