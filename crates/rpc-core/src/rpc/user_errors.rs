//! Which responses of a plain RPC say no (*rpcs* §14). For events only.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bin_prot::Sexp;
use rpc_wire::RpcError;

use crate::error::HandlerError;
use crate::tracing_event::{ReceivedResponse, SentResponse};

/// The rule of one definition.
pub(crate) struct UserErrors<R>(Option<fn(&R) -> bool>);

impl<R> Clone for UserErrors<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for UserErrors<R> {}

impl<R> UserErrors<R> {
    /// No response does.
    pub(crate) const NEVER: Self = Self(None);

    pub(crate) const fn when(is_user_error: fn(&R) -> bool) -> Self {
        Self(Some(is_user_error))
    }

    /// What a callee sent by sending this value (rules T-S1 to T-S3).
    pub(crate) fn sent(self, value: &R) -> SentResponse {
        match self.judge(value) {
            Ok(false) => SentResponse::SingleSucceeded,
            Ok(true) => SentResponse::SingleOrStreamingUserDefinedError,
            Err(panic) => SentResponse::SingleOrStreamingRpcErrorOrExn(panic),
        }
    }

    /// What a caller received with this value (rules T-C7 to T-C9).
    pub(crate) fn received(self, value: &R) -> ReceivedResponse {
        match self.judge(value) {
            Ok(false) => ReceivedResponse::ResponseFinishedOk,
            Ok(true) => ReceivedResponse::ResponseFinishedUserDefinedError,
            Err(panic) => ReceivedResponse::ResponseFinishedRpcErrorOrExn(panic),
        }
    }

    fn judge(self, value: &R) -> Result<bool, RpcError> {
        let Some(is_user_error) = self.0 else {
            return Ok(false);
        };
        catch_unwind(AssertUnwindSafe(|| is_user_error(value))).map_err(|panic| {
            let error: Sexp = HandlerError::from_panic(&*panic).into_sexp();
            RpcError::UncaughtExn(error)
        })
    }
}
