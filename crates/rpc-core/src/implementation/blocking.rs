//! A plain RPC whose handler answers without suspending.

use std::marker::PhantomData;
use std::sync::Arc;

use super::handler::{Handler, HandlerKind, Received, Started};
use super::lift::{Given, Source};
use super::plain::Answering;
use crate::error::HandlerError;
use crate::payload::Codec;
use crate::rpc::{self, UserErrors};
use crate::shapes::Types;

/// The blocking form (rule R-OR-3): the answer is enqueued before the next message is handled,
/// unless the state has to be waited for (rule R-AU-4).
pub(crate) struct Blocking<F, Q, R, C> {
    handler: Arc<F>,
    user_errors: UserErrors<R>,
    types: PhantomData<fn(Q, C) -> R>,
}

impl<F, Q, R, C> Blocking<F, Q, R, C> {
    pub(crate) fn new(handler: F, user_errors: UserErrors<R>) -> Self {
        Self {
            handler: Arc::new(handler),
            user_errors,
            types: PhantomData,
        }
    }
}

impl<S, F, Q, R, C> Handler<S> for Blocking<F, Q, R, C>
where
    S: Send + 'static,
    F: Fn(&S, Q) -> Result<R, HandlerError> + Send + Sync + 'static,
    Q: Send + 'static,
    R: 'static,
    C: Codec<Q> + Codec<R>,
{
    fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started {
        let Some(value) = query.decode::<Q, C>(rpc::QUERY_LOCATION) else {
            return Started::Done;
        };
        let (call, handler) = (query.call(), &self.handler);
        let answering = Answering::<R, C>::new(HandlerKind::Blocking, self.user_errors);
        match state.give(query) {
            Given::Now(state) => answering.answer(call, handler(&state, value)).into(),
            Given::Refused(error) => answering.answer(call, Err(error)).into(),
            Given::Later(state) => {
                let handler = handler.clone();
                let running = async move { handler(&state.await?, value) };
                answering.start(call, Box::pin(running))
            }
        }
    }

    fn kind(&self) -> HandlerKind {
        HandlerKind::Blocking
    }

    fn types(&self) -> Types {
        Types::plain::<Q, R, C>()
    }
}
