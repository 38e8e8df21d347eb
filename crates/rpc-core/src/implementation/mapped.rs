//! A plain RPC whose handler knows neither its query nor its response, but what these are mapped to.

use std::marker::PhantomData;
use std::sync::Arc;
use std::task::Poll;

use super::handler::{BoxFuture, Handler, HandlerKind, Received, Started, poll_now};
use super::lift::{Given, Source};
use super::plain::Answering;
use crate::error::HandlerError;
use crate::payload::Codec;
use crate::rpc::{self, UserErrors};
use crate::shapes::Types;

/// As [`Plain`](super::plain::Plain), for a handler whose future is in a box already, and whose result
/// becomes the response in a step of its own: so that there is no second box around both.
pub(crate) struct Mapped<B, E, Q, R, C> {
    steps: Arc<(B, E)>,
    user_errors: UserErrors<R>,
    types: PhantomData<fn(Q, C) -> R>,
}

impl<B, E, Q, R, C> Mapped<B, E, Q, R, C> {
    pub(crate) fn new(begin: B, end: E, user_errors: UserErrors<R>) -> Self {
        Self {
            steps: Arc::new((begin, end)),
            user_errors,
            types: PhantomData,
        }
    }
}

impl<S, B, E, M, Q, R, C> Handler<S> for Mapped<B, E, Q, R, C>
where
    S: Send + 'static,
    B: Fn(&S, Q) -> Result<BoxFuture<M>, Result<R, HandlerError>> + Send + Sync + 'static,
    E: Fn(M) -> Result<R, HandlerError> + Send + Sync + 'static,
    M: Send + 'static,
    Q: Send + 'static,
    R: 'static,
    C: Codec<Q> + Codec<R>,
{
    fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started {
        let Some(value) = query.decode::<Q, C>(rpc::QUERY_LOCATION) else {
            return Started::Done;
        };
        let call = query.call();
        let answering = Answering::<R, C>::new(HandlerKind::Plain, self.user_errors);
        let (begin, end) = &*self.steps;
        match state.give(query) {
            Given::Now(state) => match begin(&state, value) {
                Ok(mut running) => match poll_now(running.as_mut()) {
                    Poll::Ready(result) => answering.answer(call, end(result)).into(),
                    Poll::Pending => {
                        let steps = self.steps.clone();
                        let running = async move { (steps.1)(running.await) };
                        answering.suspended(call, running)
                    }
                },
                Err(answer) => answering.answer(call, answer).into(),
            },
            Given::Refused(error) => answering.answer(call, Err(error)).into(),
            Given::Later(state) => {
                let steps = self.steps.clone();
                let running = async move {
                    let state = state.await?;
                    let running = match (steps.0)(&state, value) {
                        Ok(running) => running,
                        Err(answer) => return answer,
                    };
                    drop(state);
                    (steps.1)(running.await)
                };
                answering.start(call, Box::pin(running) as BoxFuture<_>)
            }
        }
    }

    fn kind(&self) -> HandlerKind {
        HandlerKind::Plain
    }

    fn types(&self) -> Types {
        Types::plain::<Q, R, C>()
    }
}
