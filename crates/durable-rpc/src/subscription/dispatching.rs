//! One attempt: a use of the durable value, and the dispatch with it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tracing::Span;

use super::Subscribed;
use super::source::Updates;
use crate::durable::{Durable, panic_text};
use crate::event::AttemptError;

/// What one attempt comes to.
pub(super) type Outcome<S, U, E, M> = Result<Result<Subscribed<S, Updates<U>, M>, E>, AttemptError>;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Begins attempts.
pub(super) struct Dispatching<S, U, E, M> {
    begin: Box<dyn Fn() -> BoxFuture<Outcome<S, U, E, M>> + Send>,
}

/// An attempt that is going on. Dropping it drops the dispatch, not the build of the value.
pub(super) struct Attempt<S, U, E, M>(BoxFuture<Outcome<S, U, E, M>>);

impl<S, U, E, M> Dispatching<S, U, E, M> {
    pub(super) fn new<T, Fut, St>(
        durable: Durable<T>,
        dispatch: impl Fn(T) -> Fut + Send + Sync + 'static,
        source: fn(St) -> Updates<U>,
    ) -> Self
    where
        T: Clone + Send + Sync + 'static,
        Fut:
            Future<Output = Result<Result<Subscribed<S, St, M>, E>, AttemptError>> + Send + 'static,
        St: 'static,
        U: 'static,
    {
        let dispatch = Arc::new(dispatch);
        let begin = move || -> BoxFuture<Outcome<S, U, E, M>> {
            let (durable, dispatch) = (durable.clone(), dispatch.clone());
            Box::pin(async move {
                let subscribed = durable.with(|value| dispatch(value)).await??;
                Ok(subscribed.map(|subscribed| Subscribed {
                    state: subscribed.state,
                    updates: source(subscribed.updates),
                    metadata: subscribed.metadata,
                }))
            })
        };
        Self {
            begin: Box::new(begin),
        }
    }

    /// Nothing happens before the first poll.
    pub(super) fn begin(&self) -> Attempt<S, U, E, M> {
        Attempt((self.begin)())
    }
}

impl<S, U, E, M> Attempt<S, U, E, M> {
    /// A panic of the dispatch is one failed attempt (rule D-RA-8).
    pub(super) fn poll(&mut self, span: &Span, cx: &mut Context<'_>) -> Poll<Outcome<S, U, E, M>> {
        let _entered = span.enter();
        let polled = catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx)));
        polled.unwrap_or_else(|panic| {
            let text = panic_text(&*panic).into();
            Poll::Ready(Err(AttemptError::Panicked(text)))
        })
    }
}
