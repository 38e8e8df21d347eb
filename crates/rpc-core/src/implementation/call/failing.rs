//! Answers that are errors: what a failure becomes for the caller, and what follows if not even that
//! can be sent.

use bin_prot::{BinWrite, Info, Sexp};
use rpc_wire::frame::AppendError;
use rpc_wire::{Response, RpcError};

use super::Call;
use crate::connection::Cause;
use crate::connection::output::Class;
use crate::error::{Failure, HandlerError, SendError, located};
use crate::implementation::handler::{HandlerKind, Stop};
use crate::on_exception::Raised;
use crate::tracing_event::SentResponse;

impl Call {
    /// Tells the caller why a response could not be sent; nobody listens on a closed connection
    /// (rule R-PL-7). That it has no encoding is a failure of the handler; that it is too large
    /// is not (rule R-XN-5).
    pub(crate) fn not_sent(&self, error: SendError, kind: HandlerKind) -> Option<Stop> {
        let error = unsendable(error, kind)?;
        self.error_instead(|| true, error.clone());
        match error {
            RpcError::UncaughtExn(error) => {
                self.on_exception().act(self, Raised::BeforeReturn, error)
            }
            _ => None,
        }
    }

    /// Answers with an error in place of what could not be sent, if `wanted` says so under the
    /// output's lock. After *Write_error*'s message, which has failed already in the eyes of the
    /// listeners, they are told nothing (rules T-S5, T-S23, T-S24).
    pub(crate) fn error_instead(&self, wanted: impl FnOnce() -> bool, error: RpcError) {
        let told = !matches!(error, RpcError::WriteError(_));
        self.send_error(told, wanted, &error);
    }

    /// The handler failed before its result was there: the answer, and then the policy, which a
    /// refusal and a failed lift do not reach (rules R-PL-4, R-PL-5).
    #[cold]
    pub(crate) fn failed(&self, kind: HandlerKind, error: HandlerError) -> Option<Stop> {
        self.failed_if(|| true, kind, error)
    }

    /// The same; the answer is sent if `wanted` says so under the output's lock. One that is too
    /// large becomes a *Write_error* as a value does (rule R-PL-6), except that of a stream: its
    /// caller would ask for the end of what never began, and wait for it.
    pub(crate) fn failed_if(
        &self,
        wanted: impl FnOnce() -> bool,
        kind: HandlerKind,
        error: HandlerError,
    ) -> Option<Stop> {
        let error = handler_error(kind, error);
        match self.try_error(true, wanted, &error) {
            Ok(()) => {}
            Err(AppendError::TooBig { size, limit }) if kind != HandlerKind::Streaming => {
                self.error_instead(|| true, too_big(size, limit));
            }
            Err(failure) => self.cannot_even_fail(&error, &failure),
        }
        match error {
            RpcError::UncaughtExn(error) => {
                self.on_exception().act(self, Raised::BeforeReturn, error)
            }
            // A refusal or a failed lift.
            _ => None,
        }
    }

    /// What the handler has left running raised.
    #[cold]
    pub(crate) fn raised_in_background(&self, error: HandlerError) -> Option<Stop> {
        self.on_exception()
            .act(self, Raised::InBackground, error.into_sexp())
    }

    /// Answers with an error, in a form that the peer's version knows.
    pub(crate) fn error(&self, error: RpcError) {
        self.error_if(|| true, error);
    }

    /// Answers with an error, if `wanted` says so under the output's lock.
    pub(crate) fn error_if(&self, wanted: impl FnOnce() -> bool, error: RpcError) {
        self.send_error(true, wanted, &error);
    }

    pub(super) fn error_response(&self, error: RpcError) -> Response<'static> {
        Response {
            header: self.header,
            result: Err(error.known_to(self.shared.version)),
        }
    }

    fn send_error(&self, told: bool, wanted: impl FnOnce() -> bool, error: &RpcError) {
        if let Err(failure) = self.try_error(told, wanted, error) {
            self.cannot_even_fail(error, &failure);
        }
    }

    /// Sends an error, unless nobody listens any more. The failure is that it cannot be a message.
    fn try_error(
        &self,
        told: bool,
        wanted: impl FnOnce() -> bool,
        error: &RpcError,
    ) -> Result<(), AppendError> {
        let response = self.error_response(error.clone());
        let size = response.bin_size();
        let output = &self.shared.output;
        let turn = self.shared.events.turn().filter(|_| told);
        let sent = output.send_if(wanted, Class::Response, size, |buffer| {
            response.bin_write(buffer)
        });
        if let (Some(turn), Err(error)) = (turn, response.result) {
            let kind = || SentResponse::SingleOrStreamingRpcErrorOrExn(error);
            self.tell_of_response(&turn, size, &sent, kind);
        }
        let sent = sent.inspect_err(|error| self.give_up_slow_reader(error));
        match sent.map_err(|error| *error) {
            Err(SendError::Frame(failure)) => Err(failure),
            Ok(_) | Err(SendError::Closed(_) | SendError::Overfull { .. }) => Ok(()),
        }
    }

    /// Not even the error fits: the caller would wait for ever (rule R-PL-6). The words are the
    /// reference's (catalogue K6), and both reasons stand behind them.
    pub(super) fn cannot_even_fail(&self, error: &RpcError, failure: &AppendError) {
        let words = "Failed to send write error to client";
        let error = match error {
            RpcError::WriteError(error) => error.clone(),
            // It may be as large as what could not be sent.
            _ => Sexp::atom("error response"),
        };
        let reason = Sexp::atom(failure.to_string());
        let reasons = Sexp::record([("error", error), ("reason", reason)]);
        let text = Info::Sexp(Sexp::list([Sexp::atom(words), reasons]));
        self.shared.start_closing(Cause::loop_failed(text));
    }
}

/// What the caller is told of a handler's failure.
fn handler_error(kind: HandlerKind, error: HandlerError) -> RpcError {
    let failure = error.failure();
    let error = error.into_sexp();
    match failure {
        Failure::Raised => RpcError::UncaughtExn(located(kind.computation(), error)),
        Failure::NotAuthorized => {
            RpcError::AuthorizationFailure(located(kind.authorization(), error))
        }
        Failure::NotLifted => RpcError::LiftError(located(kind.lift(), error)),
    }
}

/// The error that takes the place of a response that could not be sent.
pub(crate) fn unsendable(error: SendError, kind: HandlerKind) -> Option<RpcError> {
    match error {
        SendError::Closed(_) | SendError::Overfull { .. } => None,
        SendError::Frame(AppendError::TooBig { size, limit }) => Some(too_big(size, limit)),
        SendError::Frame(error) => Some(handler_error(kind, HandlerError::from(error))),
    }
}

/// What stands for a response of `size` bytes where `limit` are allowed.
pub(crate) fn too_big(size: usize, limit: usize) -> RpcError {
    let too_big = RpcError::MessageTooBig {
        size: i64::try_from(size).unwrap_or(i64::MAX),
        max_message_size: i64::try_from(limit).unwrap_or(i64::MAX),
    };
    RpcError::WriteError(too_big.to_sexp())
}
