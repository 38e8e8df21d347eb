//! A plain call that is under way, in whichever version.

use std::pin::Pin;
use std::task::{Context, Poll};

use rpc_core::MappedDispatch;

use super::Running;
use crate::error::CallError;

/// A future. What was sent as it is needs no box of its own.
#[expect(
    unnameable_types,
    reason = "part of a sealed trait, so that it can change"
)]
pub struct Calling<R>(State<R>);

enum State<R> {
    Sent(MappedDispatch<Result<R, CallError>>),
    /// Of a caller that was mapped.
    Mapped(Running<R>),
    /// Nothing was sent. Gone once it is told.
    Failed(Option<Box<CallError>>),
}

impl<R> Calling<R> {
    pub(super) const fn sent(response: MappedDispatch<Result<R, CallError>>) -> Self {
        Self(State::Sent(response))
    }

    pub(super) fn mapped(
        running: impl Future<Output = Result<R, CallError>> + Send + 'static,
    ) -> Self {
        Self(State::Mapped(Box::pin(running)))
    }

    #[cold]
    pub(super) fn failed(error: impl Into<CallError>) -> Self {
        Self(State::Failed(Some(Box::new(error.into()))))
    }
}

impl<R> Unpin for Calling<R> {}

impl<R> Future for Calling<R> {
    type Output = Result<R, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            State::Sent(response) => Pin::new(response).poll(cx),
            State::Mapped(running) => running.as_mut().poll(cx),
            State::Failed(error) => match error.take() {
                Some(error) => Poll::Ready(Err(*error)),
                None => Poll::Pending,
            },
        }
    }
}

impl<R> std::fmt::Debug for Calling<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calling").finish_non_exhaustive()
    }
}
