//! A plain RPC whose handler may suspend.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use super::Call;
use super::handler::{Handler, HandlerKind, Received, Started, Stop, caught};
use super::lift::{Given, Source};
use super::slot::{Ran, Slot};
use crate::connection::query_run::QueryRun;
use crate::connection::serving::OpenQuery;
use crate::error::HandlerError;
use crate::payload::{self, Codec, Undecodable};
use crate::rpc::{self, UserErrors};
use crate::shapes::Types;

/// The deferred form: answered where the query was read if the result is there at once
/// (rule R-OR-3), else in order of completion (rule R-OR-4).
pub(crate) struct Plain<F, Q, R, C> {
    handler: Arc<F>,
    user_errors: UserErrors<R>,
    types: PhantomData<fn(Q, C) -> R>,
}

impl<F, Q, R, C> Plain<F, Q, R, C> {
    pub(crate) fn new(handler: F, user_errors: UserErrors<R>) -> Self {
        Self {
            handler: Arc::new(handler),
            user_errors,
            types: PhantomData,
        }
    }
}

impl<S, F, Fut, Q, R, C> Handler<S> for Plain<F, Q, R, C>
where
    S: Send + 'static,
    F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    Q: Send + 'static,
    R: 'static,
    C: Codec<Q> + Codec<R>,
{
    fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started {
        self.answer(state, query, &mut Slot::default())
    }

    fn handle_run(&self, state: &dyn Source<S>, run: &mut QueryRun<'_>) -> Started {
        let mut slot = Slot::default();
        run.each(|query| self.answer(state, query, &mut slot))
    }

    fn kind(&self) -> HandlerKind {
        HandlerKind::Plain
    }

    fn types(&self) -> Types {
        Types::plain::<Q, R, C>()
    }
}

impl<F, Q, R, C> Plain<F, Q, R, C> {
    /// Answers one query; its handler runs in `slot`.
    #[inline]
    fn answer<S, Fut>(
        &self,
        state: &dyn Source<S>,
        query: &Received<'_>,
        slot: &mut Slot<Fut>,
    ) -> Started
    where
        S: Send + 'static,
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        Q: Send + 'static,
        R: 'static,
        C: Codec<Q> + Codec<R>,
    {
        let call = query.call();
        let answering = Answering::<R, C>::new(HandlerKind::Plain, self.user_errors);
        // Decoded, handled and answered under one look for panics, so that neither the query nor
        // the result moves. What is not the usual case is left aside, for the same reason.
        let mut decoding = Decoding::Begun;
        let mut started = Started::Done;
        let over = catch_unwind(AssertUnwindSafe(|| {
            let value = match payload::read_unguarded(query.data, C::read) {
                Ok(value) => value,
                Err(error) => {
                    decoding = Decoding::Failed(error);
                    return;
                }
            };
            decoding = Decoding::Over;
            // The common case is apart from the others so that the handler's future is polled as
            // what it is, rather than through a pointer.
            match state.give(query) {
                Given::Now(state) => {
                    let running = (self.handler)(&state, value);
                    // What was lifted for the query is not kept from the handler, which may wait
                    // for it.
                    drop(state);
                    match slot.run(running) {
                        Ran::Over(result) => {
                            if let Some(stop) = answering.answer(call, result) {
                                started = Started::Stop(stop);
                            }
                        }
                        Ran::Suspended(running) => started = answering.suspended(call, running),
                    }
                }
                given => {
                    started = match given.run(&self.handler, value) {
                        Ok(running) => answering.start(call, running),
                        Err(error) => answering.answer(call, Err(error)).into(),
                    }
                }
            }
        }));
        match (decoding, over) {
            (Decoding::Over, Ok(())) => started,
            (decoding, over) => ended_early(query, decoding, over),
        }
    }
}

/// How far reading a query has come.
enum Decoding {
    Begun,
    Failed(Undecodable),
    Over,
}

/// The query could not be read, or its decoder or handler has panicked.
#[cold]
fn ended_early(query: &Received<'_>, decoding: Decoding, over: thread::Result<()>) -> Started {
    let panic = over.err().map(|panic| HandlerError::from_panic(&*panic));
    let call = query.call();
    let undecodable = match (decoding, panic) {
        (Decoding::Failed(error), _) => error,
        (Decoding::Begun, Some(panic)) => payload::panicked(&panic),
        (Decoding::Over, Some(panic)) => return call.failed(HandlerKind::Plain, panic).into(),
        (Decoding::Begun | Decoding::Over, None) => return Started::Done,
    };
    call.undecodable(rpc::QUERY_LOCATION, &undecodable, query.data);
    Started::Done
}

/// How the result of a plain RPC's handler becomes its answer.
pub(super) struct Answering<R, C> {
    kind: HandlerKind,
    user_errors: UserErrors<R>,
    codec: PhantomData<fn(C)>,
}

impl<R, C> Clone for Answering<R, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, C> Copy for Answering<R, C> {}

impl<R: 'static, C: Codec<R>> Answering<R, C> {
    pub(super) fn new(kind: HandlerKind, user_errors: UserErrors<R>) -> Self {
        Self {
            kind,
            user_errors,
            codec: PhantomData,
        }
    }

    pub(super) fn answer(self, call: &Call, result: Result<R, HandlerError>) -> Option<Stop> {
        match result {
            // Where it is: it may be large.
            Ok(ref response) => call.respond::<R, C>(response, self.user_errors, self.kind),
            Err(error) => call.failed(self.kind, error),
        }
    }

    /// Answers at once if the result is there at once.
    #[inline]
    pub(super) fn start<F>(self, call: &Call, mut running: Pin<Box<F>>) -> Started
    where
        F: Future<Output = Result<R, HandlerError>> + Send + ?Sized + 'static,
    {
        let mut now = Context::from_waker(Waker::noop());
        match running.as_mut().poll(&mut now) {
            Poll::Ready(result) => self.answer(call, result).into(),
            Poll::Pending => self.suspended(call, running),
        }
    }

    /// Answers when the result is there.
    pub(super) fn suspended<F>(self, call: &Call, running: F) -> Started
    where
        F: Future<Output = Result<R, HandlerError>> + Send + 'static,
    {
        let open = OpenQuery::new(call.shared());
        Started::Task {
            future: Box::pin(self.finish(call.clone(), open, running)),
            stream: None,
        }
    }

    async fn finish<F>(self, call: Call, _open: OpenQuery, running: F) -> Option<Stop>
    where
        F: Future<Output = Result<R, HandlerError>> + Send,
    {
        // Encoding the response runs the user's code too: it is inside what is caught.
        let inner = call.clone();
        let answered = caught(async move {
            let result = running.await;
            self.answer(&inner, result)
        });
        answered
            .await
            .unwrap_or_else(|panic| call.failed(self.kind, HandlerError::from_panic(&*panic)))
    }
}
