//! What happens, beside the answer, when a handler raises (*rpcs* §12).

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bin_prot::{Info, Sexp};
use rpc_wire::{Description, QueryId};

use crate::connection::Cause;
use crate::error::HandlerError;
use crate::implementation::{Call, Stop};

/// What happens when a handler raises: fails or panics. In every policy the caller is first
/// answered *Uncaught_exn*, unless the RPC is one-way (rule R-XN-1).
///
/// A table has a [policy](crate::Builder::on_exception) for its handlers, and each implementation
/// may have [its own](crate::Implementation::on_exception) instead (rule R-IM-10).
///
/// | Policy | A raise before the result | in the background |
/// |---|---|---|
/// | [`call`](Self::call) | the function is called | the function is called |
/// | `Log` | logged | logged |
/// | `LogOnBackgroundException` | nothing | logged |
/// | `CloseConnection` | the connection closes | the connection closes |
/// | [`raise_to_monitor`](Self::raise_to_monitor) | given to the function | given to the function |
///
/// In the background raises what a handler has left running: the stream that it returned, and a
/// one-way handler once it has suspended. Undecodable queries, refusals, failed lifts and
/// responses above the size limit reach no policy (rule R-XN-5).
///
/// ```
/// use rpc_core::{Implementation, Implementations, OnException, Rpc};
///
/// static PRICE: Rpc<String, u64> = Rpc::new("price", 1);
/// static SELL: Rpc<String, ()> = Rpc::new("sell", 1);
///
/// let sell = Implementation::blocking(&SELL, |_: &(), _| Err("market is closed".parse::<u8>().unwrap_err().into()));
/// let implementations = Implementations::builder()
///     .implement_blocking(&PRICE, |_, _| Ok(7))
///     .implementation(sell.on_exception(OnException::CloseConnection))
///     .on_exception(OnException::call(|exception| eprintln!("{exception}")))
///     .build()?;
/// # let _ = implementations;
/// # Ok::<(), rpc_core::DuplicateImplementations>(())
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum OnException {
    /// Calls a function, on the connection's task or the handler's. If it panics, the connection
    /// closes (rule R-XN-2).
    Call(Arc<dyn Fn(&Exception) + Send + Sync>),
    /// Logs every raise, through `tracing`, as an error.
    Log,
    /// Logs what nobody would learn of otherwise. The default of every table (rule R-IM-5).
    #[default]
    LogOnBackgroundException,
    /// Closes the connection, once the answer is sent; the peer is told why (rule R-XN-3). A
    /// one-way handler that raises at once also keeps what has been read after its message from
    /// being handled (rule R-OW-4).
    CloseConnection,
    /// Hands the raise to a function which owns it from then on: the reference's monitor. If the
    /// function panics, that is logged.
    RaiseToMonitor(Arc<dyn Fn(Exception) + Send + Sync>),
}

/// What a handler raised, as a policy sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exception {
    /// The RPC.
    pub rpc: Description,
    /// The query's id.
    pub id: QueryId,
    /// Whether the handler's result was there already.
    pub raised: Raised,
    /// What was raised. Before the result, a record that also says where: what the caller got.
    pub error: Sexp,
}

/// When a handler raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Raised {
    /// Before its result was there, also after it had suspended (rule R-XN-4).
    BeforeReturn,
    /// Afterwards, in what the handler has left running.
    InBackground,
}

impl OnException {
    /// Calls `function` for every raise.
    pub fn call(function: impl Fn(&Exception) + Send + Sync + 'static) -> Self {
        Self::Call(Arc::new(function))
    }

    /// Hands every raise to `monitor`.
    pub fn raise_to_monitor(monitor: impl Fn(Exception) + Send + Sync + 'static) -> Self {
        Self::RaiseToMonitor(Arc::new(monitor))
    }

    /// Acts on a raise that has been answered, and says whether the connection has to stop.
    #[cold]
    pub(crate) fn act(&self, call: &Call, raised: Raised, error: Sexp) -> Option<Stop> {
        let exception = Exception {
            rpc: call.rpc().to_description(),
            id: call.id(),
            raised,
            error,
        };
        match self {
            Self::Call(function) => {
                let called = catch_unwind(AssertUnwindSafe(|| function(&exception)));
                let panic = called.err()?;
                let panic = HandlerError::from_panic(&*panic).into_sexp();
                return Some(Stop::Raised(Info::Sexp(panic)));
            }
            Self::LogOnBackgroundException if raised == Raised::BeforeReturn => {}
            Self::Log | Self::LogOnBackgroundException => log(call, &exception),
            Self::CloseConnection => {
                let cause = Cause::implementation_raised(exception.error);
                call.shared().start_closing(cause);
            }
            Self::RaiseToMonitor(monitor) => {
                let called = catch_unwind(AssertUnwindSafe(|| monitor(exception)));
                if let Err(panic) = called {
                    let error = HandlerError::from_panic(&*panic);
                    let connection = &call.shared().description;
                    tracing::error!(connection, %error, "monitor of exceptions panicked");
                }
            }
        }
        None
    }

    /// Whether a raise closes the connection.
    pub(crate) fn closes_connection(&self) -> bool {
        matches!(self, Self::CloseConnection)
    }
}

fn log(call: &Call, exception: &Exception) {
    let connection = &call.shared().description;
    let (rpc, id, error) = (&exception.rpc, exception.id, &exception.error);
    match exception.raised {
        Raised::BeforeReturn => {
            tracing::error!(connection, %rpc, %id, %error, "handler raised");
        }
        Raised::InBackground => {
            tracing::error!(connection, %rpc, %id, %error, "handler raised in the background");
        }
    }
}

impl fmt::Debug for OnException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call(_) => "Call",
            Self::Log => "Log",
            Self::LogOnBackgroundException => "Log_on_background_exn",
            Self::CloseConnection => "Close_connection",
            Self::RaiseToMonitor(_) => "Raise_to_monitor",
        })
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, query {}: {}", self.rpc, self.id, self.error)
    }
}
