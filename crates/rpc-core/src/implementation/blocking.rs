//! A plain RPC whose handler answers without suspending.

use std::marker::PhantomData;

use rpc_wire::{Data, RpcDigests};

use super::{Call, Handler, Started};
use crate::error::HandlerError;
use crate::payload::Codec;
use crate::rpc::{self, UserErrors};

/// The blocking form (rule R-OR-3): the answer is enqueued before the next message is handled.
pub(crate) struct Blocking<F, Q, R, C> {
    handler: F,
    user_errors: UserErrors<R>,
    types: PhantomData<fn(Q, C) -> R>,
}

impl<F, Q, R, C> Blocking<F, Q, R, C> {
    pub(crate) fn new(handler: F, user_errors: UserErrors<R>) -> Self {
        Self {
            handler,
            user_errors,
            types: PhantomData,
        }
    }
}

impl<S, F, Q, R, C> Handler<S> for Blocking<F, Q, R, C>
where
    F: Fn(&S, Q) -> Result<R, HandlerError> + Send + Sync,
    C: Codec<Q> + Codec<R>,
{
    fn handle(&self, state: &S, data: Data<'_>, call: &Call) -> Started {
        if let Some(query) = call.decode::<Q, C>(data, rpc::QUERY_LOCATION) {
            let location = Handler::<S>::location(self);
            match (self.handler)(state, query) {
                Ok(response) => call.respond::<R, C>(&response, self.user_errors, location),
                Err(error) => call.failed(location, error),
            }
        }
        Started::Done
    }

    fn location(&self) -> &'static str {
        "server-side blocking rpc computation"
    }

    fn digests(&self) -> RpcDigests {
        rpc::digests::<Q, R, C>()
    }
}
