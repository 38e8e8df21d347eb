//! What a callback gets of a stream, and what it says to it.

use std::fmt;
use std::pin::Pin;

use super::sink::Next;
use crate::{DispatchError, HandlerError};

/// What a callback is called with: any number of updates, and then the end, once.
#[derive(Clone, Debug)]
pub enum PipeMessage<U> {
    /// One update.
    Update(U),
    /// The stream is over: ended by the callee, or broken.
    Closed(Result<(), DispatchError>),
}

/// What a callback says to an update (rule R-SC-30). `()` stands for
/// [`Continue`](Self::Continue). What it says to the end makes no difference.
#[derive(Default)]
pub enum PipeResponse {
    /// Go on.
    #[default]
    Continue,
    /// Take no further message from the connection, of whatever call, until this future is ready
    /// (rule C-BP-1). Heartbeats are sent meanwhile, but none are read, so a long wait can make
    /// this side take the peer for dead (rule C-BP-3). If the future panics, that is as if the
    /// callback had.
    Wait(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// Break the stream off with this error, as if the callback had panicked: the callee is told to
    /// stop, and the stream ends with [`CallbackFailed`](DispatchError::CallbackFailed)
    /// (decision 4).
    Fail(HandlerError),
}

impl PipeResponse {
    /// [`Wait`](Self::Wait) for `future`.
    pub fn wait(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self::Wait(Box::pin(future))
    }

    /// What the connection does next, unless the stream is to be broken off.
    pub(super) fn into_next(self) -> Result<Next, DispatchError> {
        match self {
            Self::Continue => Ok(Next::Continue),
            Self::Wait(wait) => Ok(Next::Wait(wait)),
            Self::Fail(error) => Err(DispatchError::CallbackFailed(error)),
        }
    }
}

impl From<()> for PipeResponse {
    fn from((): ()) -> Self {
        Self::Continue
    }
}

impl fmt::Debug for PipeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Continue => "Continue",
            Self::Wait(_) => "Wait",
            Self::Fail(_) => "Fail",
        })
    }
}
