//! A one-way RPC: nothing is ever sent in answer (rule R-OW-1).

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use rpc_wire::{Data, RpcDigests, RpcError};

use super::{BoxFuture, Call, Handler, Started, caught, poll_now};
use crate::error::{HandlerError, failure, located};
use crate::payload::{self, Codec};
use crate::rpc;
use crate::tracing_event::SentResponse;

const LOCATION: &str = "server-side one-way rpc computation";
const QUERY_LOCATION: &str = "server-side one-way rpc message un-bin-io'ing";

pub(crate) struct OneWay<F, Q, C> {
    handler: F,
    types: PhantomData<fn(Q, C)>,
}

impl<F, Q, C> OneWay<F, Q, C> {
    pub(crate) fn new(handler: F) -> Self {
        Self {
            handler,
            types: PhantomData,
        }
    }
}

impl<S, F, Fut, Q, C> Handler<S> for OneWay<F, Q, C>
where
    F: Fn(&S, Q) -> Fut + Send + Sync,
    Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
    C: Codec<Q>,
{
    fn handle(&self, state: &S, data: Data<'_>, call: &Call) -> Started {
        let message = match payload::read(data, C::read) {
            Ok(message) => message,
            Err(error) => {
                // Nobody waits who could be told: the connection ends (rule R-OW-2).
                let error = located(QUERY_LOCATION, failure(error));
                return Started::Stop(RpcError::BinIoExn(error).to_sexp());
            }
        };
        // A panic must not become an answer, so it is caught here.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let mut future = Box::pin((self.handler)(state, message));
            match poll_now(future.as_mut()) {
                Poll::Ready(result) => Ok(result),
                Poll::Pending => Err(future),
            }
        }));
        // Told of even if it failed or goes on (rule T-S8).
        call.tell(SentResponse::OneWaySoNoResponse);
        match polled {
            Ok(Ok(result)) => log(call, result),
            Ok(Err(future)) => {
                return Started::Task {
                    future: Box::pin(finish(call.clone(), future)),
                    stream: None,
                };
            }
            Err(panic) => log(call, Err(HandlerError::from_panic(&*panic))),
        }
        Started::Done
    }

    fn location(&self) -> &'static str {
        LOCATION
    }

    fn digests(&self) -> RpcDigests {
        rpc::one_way_digests::<Q, C>()
    }
}

/// A failure concerns nobody but this side (rule R-OW-4).
fn log(call: &Call, result: Result<(), HandlerError>) {
    if let Err(error) = result {
        let connection = &call.shared().description;
        tracing::error!(connection, id = %call.id(), %error, "one-way handler failed");
    }
}

async fn finish(call: Call, future: BoxFuture<Result<(), HandlerError>>) {
    let result = caught(future).await;
    log(
        &call,
        result.unwrap_or_else(|panic| Err(HandlerError::from_panic(&*panic))),
    );
}
