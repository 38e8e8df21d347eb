//! Pipe and state RPCs, the callee's side (*rpcs* §7).
//!
//! ```text
//! query ─► registered ─► handler ─┬─ state and stream ─► initial response, updates ─┬─ end ─► Eof
//!                                 ├─ user error ─► initial error, gone              ├─ panic ─► error
//!                                 └─ failure ────► error, gone                      └─ abort ─► Eof
//! ```
//!
//! A state RPC is a pipe RPC with a meaningful initial value, so there is one implementation. A
//! handler that writes its updates itself is in [`direct`].

mod chunk;
pub(crate) mod direct;
mod pump;
pub(crate) mod sender;

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use bin_prot::{BinRead, Reader};
use futures_core::Stream;
use rpc_wire::Data;
use rpc_wire::stream::{Initial, StreamQuery};

use super::Call;
use super::handler::{
    BoxFuture, Handler, HandlerKind, Received, Running, Started, Stop, caught, or_panic, poll_now,
};
use super::lift::Source;
use crate::connection::Limit;
use crate::error::HandlerError;
use crate::payload::{self, Codec, Undecodable};
use crate::shapes::Types;
use pump::{Item, pump};
use sender::{Flow, Sender};

const KIND: HandlerKind = HandlerKind::Streaming;
const OUTER_LOCATION: &str = "server-side pipe_rpc stream_query un-bin-io'ing";
const INNER_LOCATION: &str = "streaming_rpc server-side query un-bin-io'ing";

/// What a handler of a streaming RPC results in: the initial value and the source of the updates,
/// or the user's error, or a failure.
type Outcome<T, St, E> = Result<Result<(T, St), E>, HandlerError>;

/// `CT` is the codec of the initial value, `C` that of everything else.
pub(crate) struct Streaming<F, Q, T, U, E, C, CT> {
    handler: Arc<F>,
    types: PhantomData<fn(Q, C, CT) -> (T, U, E)>,
}

impl<F, Q, T, U, E, C, CT> Streaming<F, Q, T, U, E, C, CT> {
    pub(crate) fn new(handler: F) -> Self {
        Self {
            handler: Arc::new(handler),
            types: PhantomData,
        }
    }
}

impl<S, F, Fut, St, Q, T, U, E, C, CT> Handler<S> for Streaming<F, Q, T, U, E, C, CT>
where
    S: Send + 'static,
    F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome<T, St, E>> + Send + 'static,
    St: Stream<Item: Item<U>> + Send + 'static,
    Q: Send + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<U> + Codec<E>,
    CT: Codec<T>,
{
    fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started {
        let Some(value) = decode_or_abort::<Q, C>(query) else {
            return Started::Done;
        };
        let Some(sender) = register(query.call()) else {
            return Started::Done;
        };
        let handler = run(|| state.give(query).run(&self.handler, value));
        let handler = match handler {
            Ok(handler) => handler,
            Err(error) => return sender.failed(error).into(),
        };
        let served = sender.served.clone();
        let mut future: BoxFuture<_> = Box::pin(serve::<St, T, U, E, C, CT>(sender, handler));
        match poll_now(future.as_mut()) {
            Poll::Ready(stop) => stop.into(),
            Poll::Pending => Started::Task {
                future,
                stream: Some(served),
            },
        }
    }

    fn kind(&self) -> HandlerKind {
        KIND
    }

    fn types(&self) -> Types {
        Types::streaming::<Q, T, U, E, C, CT>()
    }
}

/// The user's query. An abort is done, and what is undecodable is answered.
fn decode_or_abort<Q, C: Codec<Q>>(query: &Received<'_>) -> Option<Q> {
    match read_query::<Q, C>(query.data) {
        Ok(Some(value)) => return Some(value),
        Ok(None) => abort(query.call()),
        Err((location, error)) => query.call().undecodable(location, &error, query.data),
    }
    None
}

/// The user's query; `None` is an abort. Both lengths are checked (*protocol* §6).
fn read_query<Q, C: Codec<Q>>(data: Data<'_>) -> Result<Option<Q>, (&'static str, Undecodable)> {
    let outer = |error| (OUTER_LOCATION, error);
    let unreadable = |error| outer(Undecodable::new(error));
    let overlong = |error| outer(Undecodable::wrong_length(error));
    let payload = data.bytes().map_err(overlong)?;
    let mut reader = Reader::new(payload);
    let query = StreamQuery::bin_read(&mut reader).map_err(unreadable)?;
    let left_over = |error| outer(Undecodable::wrong_length(error));
    reader.finish().map_err(left_over)?;
    match query {
        StreamQuery::Abort => Ok(None),
        StreamQuery::Query(data) => {
            let inner = |error| (INNER_LOCATION, error);
            payload::read(data, C::read).map(Some).map_err(inner)
        }
    }
}

/// The end of the stream acknowledges an abort, at whatever stage the handler is (decision 3);
/// only what writes directly and has not started is ended when it starts (rule R-SV-8). An abort
/// of an unknown or finished stream is ignored (rule R-SV-9).
fn abort(call: &Call) {
    let Some(served) = call.shared().serving.remove(call.id()) else {
        return;
    };
    if let Some(direct) = served.direct() {
        direct.close();
        return;
    }
    let sender = Sender {
        call: call.clone(),
        served,
    };
    sender.end();
    sender.served.cancel();
}

/// A stream begins: before its handler runs (rule R-SV-1). One that would be too many is answered.
fn register(call: &Call) -> Option<Sender> {
    let Some(served) = call.shared().serving.register(call.id()) else {
        call.refuse(KIND, Limit::ServedStreams);
        return None;
    };
    let call = call.clone();
    Some(Sender { call, served })
}

/// Runs what a handler does before its future. Its panic is a failure like others.
fn run<T>(
    handler: impl FnOnce() -> Result<Running<T>, HandlerError>,
) -> Result<Running<T>, HandlerError> {
    or_panic(catch_unwind(AssertUnwindSafe(handler)))
}

/// The whole life of a stream. What is the user's in it may panic: before the initial response
/// that is the handler's failure, and after it the source's (rule R-SV-12).
async fn serve<St, T, U, E, C, CT>(
    sender: Sender,
    handler: impl Future<Output = Outcome<T, St, E>> + Send + 'static,
) -> Option<Stop>
where
    St: Stream<Item: Item<U>> + Send + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<U> + Codec<E>,
    CT: Codec<T>,
{
    let sender = Arc::new(sender);
    let begin = begin::<St, T, E, C, CT>(sender.clone(), handler);
    let (updates, room) = match caught(begin).await {
        Ok(Ok(begun)) => begun,
        Ok(Err(stop)) => return stop,
        Err(panic) => return sender.failed(HandlerError::from_panic(&*panic)),
    };
    let pump = pump::<St, U, C>(sender.clone(), updates, room);
    match or_panic(caught(pump).await) {
        Ok(()) => {
            sender.finished();
            None
        }
        Err(error) => sender.failed_in_background(error),
    }
}

/// Runs the handler and sends the initial response. The updates, if there are to be any, and whether
/// the transport has room for them; else whether the connection has to stop.
async fn begin<St, T, E, C, CT>(
    sender: Arc<Sender>,
    handler: impl Future<Output = Outcome<T, St, E>>,
) -> Result<(St, Flow), Option<Stop>>
where
    C: Codec<E>,
    CT: Codec<T>,
{
    match handler.await {
        Ok(Ok((state, updates))) => match sender.initial::<T, CT>(Initial::Ok, &state) {
            Ok(Flow::Stop) => Err(None),
            Ok(room) => Ok((updates, room)),
            Err(error) => Err(sender.reject(*error)),
        },
        Ok(Err(error)) => Err(sender.refuse::<E, C>(&error)),
        Err(error) => Err(sender.failed(error)),
    }
}
