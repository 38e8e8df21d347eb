//! A plain RPC whose handler may suspend.

use std::marker::PhantomData;
use std::task::Poll;

use rpc_wire::{Data, RpcDigests};

use super::{BoxFuture, Call, Handler, Started, caught, poll_now};
use crate::connection::serving::OpenQuery;
use crate::error::HandlerError;
use crate::payload::Codec;
use crate::rpc::{self, UserErrors};

const LOCATION: &str = "server-side rpc computation";

/// The deferred form: answered where the query was read if the result is there at once
/// (rule R-OR-3), else in order of completion (rule R-OR-4).
pub(crate) struct Plain<F, Q, R, C> {
    handler: F,
    user_errors: UserErrors<R>,
    types: PhantomData<fn(Q, C) -> R>,
}

impl<F, Q, R, C> Plain<F, Q, R, C> {
    pub(crate) fn new(handler: F, user_errors: UserErrors<R>) -> Self {
        Self {
            handler,
            user_errors,
            types: PhantomData,
        }
    }
}

impl<S, F, Fut, Q, R, C> Handler<S> for Plain<F, Q, R, C>
where
    F: Fn(&S, Q) -> Fut + Send + Sync,
    Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    R: 'static,
    C: Codec<Q> + Codec<R>,
{
    fn handle(&self, state: &S, data: Data<'_>, call: &Call) -> Started {
        let Some(query) = call.decode::<Q, C>(data, rpc::QUERY_LOCATION) else {
            return Started::Done;
        };
        let mut future = Box::pin((self.handler)(state, query));
        match poll_now(future.as_mut()) {
            Poll::Ready(result) => {
                answer::<R, C>(call, result, self.user_errors);
                Started::Done
            }
            Poll::Pending => {
                let open = OpenQuery::new(call.shared());
                let finish = finish::<R, C>(call.clone(), open, future, self.user_errors);
                Started::Task {
                    future: Box::pin(finish),
                    stream: None,
                }
            }
        }
    }

    fn location(&self) -> &'static str {
        LOCATION
    }

    fn digests(&self) -> RpcDigests {
        rpc::digests::<Q, R, C>()
    }
}

fn answer<R, C: Codec<R>>(
    call: &Call,
    result: Result<R, HandlerError>,
    user_errors: UserErrors<R>,
) {
    match result {
        Ok(response) => call.respond::<R, C>(&response, user_errors, LOCATION),
        Err(error) => call.failed(LOCATION, error),
    }
}

async fn finish<R: 'static, C: Codec<R>>(
    call: Call,
    _open: OpenQuery,
    future: BoxFuture<Result<R, HandlerError>>,
    user_errors: UserErrors<R>,
) {
    // Encoding the response runs the user's code too: it is inside what is caught.
    let inner = call.clone();
    let answered = caught(Box::pin(async move {
        answer::<R, C>(&inner, future.await, user_errors);
    }));
    if let Err(panic) = answered.await {
        call.raised(LOCATION, &*panic);
    }
}
