//! Handlers that write the updates of their stream themselves (*rpcs* §8).

use std::marker::PhantomData;
use std::sync::Arc;
use std::task::Poll;

use rpc_wire::stream::Initial;

use super::{KIND, decode_or_abort, register, run};
use crate::direct_stream_writer::{Direct, DirectStreamWriter};
use crate::error::HandlerError;
use crate::implementation::handler::{
    BoxFuture, Handler, HandlerKind, Received, Started, Stop, caught, or_panic, poll_now,
};
use crate::implementation::lift::Source;
use crate::payload::Codec;
use crate::shapes::Types;

/// The initial value, or the user's error, or a failure.
type Outcome<T, E> = Result<Result<T, E>, HandlerError>;

/// `CT` is the codec of the initial value, `C` that of everything else.
pub(crate) struct StreamingDirect<F, Q, T, U, E, C, CT> {
    handler: Arc<F>,
    types: PhantomData<fn(Q, C, CT) -> (T, U, E)>,
}

impl<F, Q, T, U, E, C, CT> StreamingDirect<F, Q, T, U, E, C, CT> {
    pub(crate) fn new(handler: F) -> Self {
        Self {
            handler: Arc::new(handler),
            types: PhantomData,
        }
    }
}

impl<S, F, Fut, Q, T, U, E, C, CT> Handler<S> for StreamingDirect<F, Q, T, U, E, C, CT>
where
    S: Send + 'static,
    F: Fn(&S, (Q, DirectStreamWriter<U, C>)) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome<T, E>> + Send + 'static,
    Q: Send + 'static,
    T: Send + 'static,
    U: 'static,
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
        let unstarted = Unstarted(Direct::new(sender));
        let writer = DirectStreamWriter::new(unstarted.0.clone());
        let handler = run(|| state.give(query).run(&self.handler, (value, writer)));
        let handler = match handler {
            Ok(handler) => handler,
            Err(error) => return unstarted.failed(error).into(),
        };
        let mut future: BoxFuture<_> = Box::pin(serve::<T, E, C, CT>(unstarted, handler));
        match poll_now(future.as_mut()) {
            Poll::Ready(stop) => stop.into(),
            // An abort does not cancel the handler: what it has written is still to be sent
            // (rule R-SV-8).
            Poll::Pending => Started::Task {
                future,
                stream: None,
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

/// A stream whose handler has not returned. If it never does, since its connection is over, the
/// writer is closed.
struct Unstarted(Arc<Direct>);

impl Unstarted {
    fn failed(&self, error: HandlerError) -> Option<Stop> {
        self.0.abandon();
        self.0.sender().failed(error)
    }
}

impl Drop for Unstarted {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

async fn serve<T, E, C, CT>(
    stream: Unstarted,
    handler: impl Future<Output = Outcome<T, E>> + Send,
) -> Option<Stop>
where
    T: Send + 'static,
    E: Send + 'static,
    C: Codec<E>,
    CT: Codec<T>,
{
    // Encoding the result runs the user's code too: it is inside what is caught.
    let stream = &stream;
    let served = caught(async move {
        Ok(match handler.await? {
            Ok(state) => start::<T, CT>(stream, &state),
            Err(error) => {
                stream.0.abandon();
                stream.0.sender().refuse::<E, C>(&error)
            }
        })
    });
    or_panic(served.await).unwrap_or_else(|error| stream.failed(error))
}

fn start<T, CT: Codec<T>>(stream: &Unstarted, state: &T) -> Option<Stop> {
    let payload = Initial::payload_size(CT::size(state));
    let started = stream.0.start(payload, |buffer| {
        Initial::Ok.write_before(buffer);
        CT::write(state, buffer)
    });
    let error = *started.err()?;
    stream.0.abandon();
    stream.0.sender().reject(error)
}
