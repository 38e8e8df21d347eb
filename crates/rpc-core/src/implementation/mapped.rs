//! A plain RPC whose handler knows neither its query nor its response, but what these are mapped to.

use std::marker::PhantomData;
use std::sync::Arc;

use super::handler::{BoxFuture, Handler, HandlerKind, Received, Started};
use super::lift::{Given, Source};
use super::plain::Answering;
use super::shared::{Run, SharedHandler};
use super::slot::Ran;
use crate::connection::query_run::QueryRun;
use crate::error::HandlerError;
use crate::payload::Codec;
use crate::rpc::{self, Rpc, UserErrors};
use crate::shapes::Types;

/// As [`Plain`](super::plain::Plain), with a step before the handler and one after it: so that no
/// second future is needed around the handler's.
pub(crate) struct Mapped<S, M, N, B, E, Q, R, C> {
    handler: SharedHandler<S, M, N>,
    version: i64,
    steps: Arc<(B, E)>,
    user_errors: UserErrors<R>,
    types: PhantomData<fn(Q, C) -> R>,
}

impl<S, M, N, B, E, Q, R, C> Mapped<S, M, N, B, E, Q, R, C> {
    pub(crate) fn new(
        rpc: &Rpc<Q, R, C>,
        handler: SharedHandler<S, M, N>,
        before: B,
        after: E,
    ) -> Self {
        Self {
            handler,
            version: rpc.version(),
            steps: Arc::new((before, after)),
            user_errors: rpc.user_errors(),
            types: PhantomData,
        }
    }
}

impl<S, M, N, B, E, Q, R, C> Handler<S> for Mapped<S, M, N, B, E, Q, R, C>
where
    S: Send + 'static,
    M: 'static,
    N: 'static,
    B: Fn(Q) -> Result<M, Result<R, HandlerError>> + Send + Sync + 'static,
    E: Fn(Result<N, HandlerError>) -> Result<R, HandlerError> + Send + Sync + 'static,
    Q: Send + 'static,
    R: 'static,
    C: Codec<Q> + Codec<R>,
{
    fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started {
        let mut started = Started::Done;
        self.handler.run(self.version, &mut |handler| {
            started = self.answer(state, query, handler);
        });
        started
    }

    fn handle_run(&self, state: &dyn Source<S>, run: &mut QueryRun<'_>) -> Started {
        let mut started = Started::Done;
        self.handler.run(self.version, &mut |handler| {
            started = run.each(|query| self.answer(state, query, handler));
        });
        started
    }

    fn kind(&self) -> HandlerKind {
        HandlerKind::Plain
    }

    fn types(&self) -> Types {
        Types::plain::<Q, R, C>()
    }
}

impl<S, M, N, B, E, Q, R, C> Mapped<S, M, N, B, E, Q, R, C>
where
    S: Send + 'static,
    M: 'static,
    N: 'static,
    B: Fn(Q) -> Result<M, Result<R, HandlerError>> + Send + Sync + 'static,
    E: Fn(Result<N, HandlerError>) -> Result<R, HandlerError> + Send + Sync + 'static,
    Q: Send + 'static,
    R: 'static,
    C: Codec<Q> + Codec<R>,
{
    /// Answers one query by `handler`.
    // Into both of its callers, or the frame that every query is answered in would be set up anew for each.
    #[inline(always)]
    fn answer(
        &self,
        state: &dyn Source<S>,
        query: &Received<'_>,
        handler: &mut Run<'_, S, M, N>,
    ) -> Started {
        let Some(value) = query.decode::<Q, C>(rpc::QUERY_LOCATION) else {
            return Started::Done;
        };
        let call = query.call();
        let answering = Answering::<R, C>::new(HandlerKind::Plain, self.user_errors);
        let (before, after) = &*self.steps;
        match state.give(query) {
            Given::Now(state) => match before(value) {
                Ok(model) => match handler(state, model) {
                    Ran::Over(result) => answering.answer(call, after(result)).into(),
                    Ran::Suspended(running) => {
                        let steps = self.steps.clone();
                        let running = async move { (steps.1)(running.await) };
                        answering.suspended(call, running)
                    }
                },
                Err(answer) => answering.answer(call, answer).into(),
            },
            Given::Refused(error) => answering.answer(call, Err(error)).into(),
            Given::Later(state) => {
                let (handler, steps) = (self.handler.clone(), self.steps.clone());
                let version = self.version;
                let running = async move {
                    let state = state.await?;
                    let model = match (steps.0)(value) {
                        Ok(model) => model,
                        Err(answer) => return answer,
                    };
                    let running = handler.start(&state, version, model);
                    drop(state);
                    (steps.1)(running.await)
                };
                answering.start(call, Box::pin(running) as BoxFuture<_>)
            }
        }
    }
}
