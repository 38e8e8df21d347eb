//! A handler apart from its type, so that the implementations of several RPCs can have it in common.

use std::fmt;
use std::sync::Arc;

use super::handler::Running;
use super::lift::Now;
use super::slot::{Place, Ran, Slot};
use crate::error::HandlerError;

/// A handler of plain queries that [several implementations](crate::Implementation::mapped) have in
/// common: each of them maps the types of its RPC to this one's, `Q` and `R`. Cheap to clone.
pub struct SharedHandler<S, Q, R>(Arc<dyn Erased<S, Q, R>>);

impl<S: Send + 'static, Q: 'static, R: 'static> SharedHandler<S, Q, R> {
    /// By a function of the state, the version that was asked, and the query.
    pub fn new<F, Fut>(handler: F) -> Self
    where
        F: Fn(&S, i64, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    {
        Self(Arc::new(handler))
    }

    /// Hands `body` what runs queries of this version one after the other, all in one place.
    #[inline]
    pub(super) fn run(&self, version: i64, body: &mut dyn FnMut(&mut Run<'_, S, Q, R>)) {
        self.0.run(version, body);
    }

    /// The handler's future, not polled yet.
    pub(super) fn start(&self, state: &S, version: i64, query: Q) -> Running<R> {
        self.0.start(state, version, query)
    }
}

impl<S, Q, R> Clone for SharedHandler<S, Q, R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, Q, R> fmt::Debug for SharedHandler<S, Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedHandler").finish_non_exhaustive()
    }
}

/// Runs the handler of one query as far as it goes without suspending.
pub(super) type Run<'a, S, Q, R> = dyn FnMut(Now<'_, S>, Q) -> ErasedRan<R> + 'a;

/// How far it has come.
type ErasedRan<R> =
    Ran<Result<R, HandlerError>, dyn Place<Output = Result<R, HandlerError>> + Send>;

trait Erased<S, Q, R>: Send + Sync {
    fn run(&self, version: i64, body: &mut dyn FnMut(&mut Run<'_, S, Q, R>));

    fn start(&self, state: &S, version: i64, query: Q) -> Running<R>;
}

impl<S, F, Fut, Q, R> Erased<S, Q, R> for F
where
    F: Fn(&S, i64, Q) -> Fut + Send + Sync,
    Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
{
    // Inside out, so that only this knows how large a place is, which then need not be looked up
    // for each query.
    fn run(&self, version: i64, body: &mut dyn FnMut(&mut Run<'_, S, Q, R>)) {
        let mut slot = Slot::default();
        body(&mut |state, query| {
            let running = self(&state, version, query);
            // What was lifted for the query is not kept from the handler, which may wait for it.
            drop(state);
            match slot.run(running) {
                Ran::Over(result) => Ran::Over(result),
                Ran::Suspended(running) => Ran::Suspended(running.erased()),
            }
        });
    }

    fn start(&self, state: &S, version: i64, query: Q) -> Running<R> {
        Box::pin(self(state, version, query))
    }
}
