//! Pipe and state RPCs, the callee's side (*rpcs* §7).
//!
//! ```text
//! query ─► registered ─► handler ─┬─ state and stream ─► initial response, updates ─┬─ end ─► Eof
//!                                 ├─ user error ─► initial error, gone              ├─ panic ─► error
//!                                 └─ failure ────► error, gone                      └─ abort ─► Eof
//! ```
//!
//! A state RPC is a pipe RPC with a meaningful initial value, so there is one implementation.

use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bin_prot::{BinRead, Reader};
use futures_core::Stream;
use rpc_wire::stream::{self, Initial, StreamQuery};
use rpc_wire::{Data, RpcDigests, RpcError};

use super::Call;
use super::call::unsendable;
use super::handler::{BoxFuture, Handler, HandlerKind, Received, Started, Stop, caught, poll_now};
use super::lift::Source;
use crate::connection::Shared;
use crate::connection::output::Class;
use crate::connection::serving::Served;
use crate::error::{HandlerError, SendError};
use crate::payload::{self, Codec, Undecodable};
use crate::rpc;
use crate::tracing_event::SentResponse;

const KIND: HandlerKind = HandlerKind::Streaming;
const OUTER_LOCATION: &str = "server-side pipe_rpc stream_query un-bin-io'ing";
const INNER_LOCATION: &str = "streaming_rpc server-side query un-bin-io'ing";

/// Updates that are taken from a stream before waiting for the transport (rule R-SV-5).
const BATCH: usize = 1000;

/// The same for the first time, where the query was read: a peer that opens many streams at once
/// must not hold up others.
const FIRST_BATCH: usize = 16;

/// Bytes in the output buffer at which a batch ends, however few updates it has.
const HIGH_WATER: usize = 256 * 1024;

/// What a handler of a streaming RPC results in: the initial value and the updates, or the
/// user's error, or a failure.
pub(crate) type Outcome<T, U, E> = Result<Result<(T, U), E>, HandlerError>;

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
    St: Stream<Item = U> + Send + 'static,
    Q: Send + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<U> + Codec<E>,
    CT: Codec<T>,
{
    fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started {
        let call = query.call();
        let value = match read_query::<Q, C>(query.data) {
            Ok(Some(value)) => value,
            Ok(None) => {
                abort(call);
                return Started::Done;
            }
            Err((location, error)) => {
                call.undecodable(location, &error);
                return Started::Done;
            }
        };
        let handler = match state.give(query).run(&self.handler, value) {
            Ok(handler) => handler,
            Err(error) => return call.failed(KIND, error).into(),
        };
        let served = call.shared().serving.register(call.id());
        let sender = Sender {
            call: call.clone(),
            served: served.clone(),
        };
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

    fn digests(&self) -> RpcDigests {
        rpc::streaming_digests::<Q, T, U, E, C, CT>()
    }
}

/// The user's query; `None` is an abort. Both lengths are checked (*protocol* §6).
fn read_query<Q, C: Codec<Q>>(data: Data<'_>) -> Result<Option<Q>, (&'static str, Undecodable)> {
    let outer = |error: &dyn std::fmt::Display| (OUTER_LOCATION, Undecodable::new(error));
    let payload = data.bytes().map_err(|error| outer(&error))?;
    let mut reader = Reader::new(payload);
    let query = StreamQuery::bin_read(&mut reader).map_err(|error| outer(&error))?;
    reader.finish().map_err(|error| outer(&error))?;
    match query {
        StreamQuery::Abort => Ok(None),
        StreamQuery::Query(data) => {
            let inner = |error| (INNER_LOCATION, error);
            payload::read(data, C::read).map(Some).map_err(inner)
        }
    }
}

/// The end of the stream acknowledges an abort, at whatever stage the handler is (decision 3).
/// An abort of an unknown or finished stream is ignored (rule R-SV-9).
fn abort(call: &Call) {
    if let Some(served) = call.shared().serving.remove(call.id()) {
        let sender = Sender {
            call: call.clone(),
            served,
        };
        sender.end();
        sender.served.cancel();
    }
}

/// Sends the messages of one stream, and nothing after its end.
struct Sender {
    call: Call,
    served: Arc<Served>,
}

/// Whether a stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Continue,
    /// Not before the transport has taken what is buffered.
    Pause,
    Stop,
}

impl Sender {
    fn send(
        &self,
        kind: SentResponse,
        class: Class,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), bin_prot::WriteError>,
    ) -> Result<Flow, SendError> {
        let sent = self
            .call
            .send_if(|| kind, || !self.served.is_ended(), class, payload, write)?;
        Ok(match sent {
            Some(buffered) if buffered < HIGH_WATER => Flow::Continue,
            Some(_) => Flow::Pause,
            None => Flow::Stop,
        })
    }

    fn initial<T, C: Codec<T>>(&self, initial: Initial, value: &T) -> Result<Flow, SendError> {
        let kind = match initial {
            Initial::Ok => SentResponse::StreamingInitial,
            Initial::Error => SentResponse::SingleOrStreamingUserDefinedError,
        };
        self.send(
            kind,
            Class::Response,
            Initial::payload_size(C::size(value)),
            |buffer| {
                initial.write_before(buffer);
                C::write(value, buffer)
            },
        )
    }

    fn update<U, C: Codec<U>>(&self, update: &U) -> Result<Flow, SendError> {
        let size = C::size(update);
        let kind = SentResponse::StreamingUpdate;
        self.send(kind, Class::Item, stream::update_size(size), |buffer| {
            stream::write_before_update(size, buffer);
            C::write(update, buffer)
        })
    }

    /// The ordinary end.
    fn end(&self) {
        let payload = stream::EOF_PAYLOAD;
        let sent = self.call.send_if(
            || SentResponse::StreamingClosed,
            || self.served.end(),
            Class::Item,
            payload.len(),
            |buffer| {
                buffer.extend_from_slice(payload);
                Ok(())
            },
        );
        if let Err(error) = sent.map(drop)
            && let Some(error) = unsendable(error, KIND)
        {
            self.call.error_instead(|| true, error);
        }
    }

    /// An error in place of the end.
    fn fail(&self, error: RpcError) {
        self.call.error_if(|| self.served.end(), error);
    }

    /// The handler failed before its result was sent.
    fn failed(&self, error: HandlerError) -> Option<Stop> {
        let stop = self.call.failed_if(|| self.served.end(), KIND, error);
        self.finished();
        stop
    }

    /// An error in place of the initial response. After *Write_error* the caller will abort and
    /// wait for an end, so the stream stays registered (decision 9).
    fn reject(&self, error: SendError) {
        match unsendable(error, KIND) {
            Some(error @ RpcError::WriteError(_)) => self.report(error),
            Some(error) => {
                self.fail(error);
                self.finished();
            }
            None => self.finished(),
        }
    }

    /// An error that does not end the stream.
    fn report(&self, error: RpcError) {
        self.call.error_instead(|| !self.served.is_ended(), error);
    }

    /// Nothing more to send: an abort that comes from now on concerns nobody.
    fn finished(&self) {
        self.call
            .shared()
            .serving
            .finished(self.call.id(), &self.served);
    }
}

/// The whole life of a stream. What is the user's in it may panic: before the initial response
/// that is the handler's failure, and after it the source's (rule R-SV-12), which has no location.
async fn serve<St, T, U, E, C, CT>(
    sender: Sender,
    handler: impl Future<Output = Outcome<T, St, E>> + Send + 'static,
) -> Option<Stop>
where
    St: Stream<Item = U> + Send + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<U> + Codec<E>,
    CT: Codec<T>,
{
    let sender = Arc::new(sender);
    let begin = begin::<St, T, E, C, CT>(sender.clone(), handler);
    let updates = match caught(begin).await {
        Ok(Ok(updates)) => updates,
        Ok(Err(stop)) => return stop,
        Err(panic) => return sender.failed(HandlerError::from_panic(&*panic)),
    };
    let pump = pump::<St, U, C>(sender.clone(), updates);
    let mut stop = None;
    if let Err(panic) = caught(pump).await {
        let error = HandlerError::from_panic(&*panic);
        sender.fail(RpcError::UncaughtExn(error.clone().into_sexp()));
        stop = sender.call.raised_in_background(error);
    }
    sender.finished();
    stop
}

/// Runs the handler and sends the initial response. The updates, if there are to be any; else
/// whether the connection has to stop.
async fn begin<St, T, E, C, CT>(
    sender: Arc<Sender>,
    handler: impl Future<Output = Outcome<T, St, E>>,
) -> Result<St, Option<Stop>>
where
    C: Codec<E>,
    CT: Codec<T>,
{
    match handler.await {
        Ok(Ok((state, updates))) => match sender.initial::<T, CT>(Initial::Ok, &state) {
            Ok(Flow::Continue | Flow::Pause) => return Ok(updates),
            Ok(Flow::Stop) => {}
            Err(error) => sender.reject(error),
        },
        Ok(Err(error)) => match sender.initial::<E, C>(Initial::Error, &error) {
            Ok(_) => sender.finished(),
            Err(error) => sender.reject(error),
        },
        Err(error) => return Err(sender.failed(error)),
    }
    Err(None)
}

async fn pump<St, U, C>(sender: Arc<Sender>, updates: St)
where
    St: Stream<Item = U> + Send + 'static,
    U: Send + 'static,
    C: Codec<U>,
{
    let mut updates = pin!(updates);
    let mut busy = Some(Busy::new(&sender));
    let mut limit = FIRST_BATCH;
    loop {
        let batch = std::future::poll_fn(|cx| {
            let batch = poll_batch::<St, U, C>(&sender, updates.as_mut(), limit, cx);
            if batch.is_pending() {
                busy = None;
            }
            batch
        });
        let batch = batch.await;
        busy.get_or_insert_with(|| Busy::new(&sender));
        limit = BATCH;
        if batch == Batch::Stopped {
            return;
        }
        // A slow transport stops the consumption of the source (rule C-BP-6), and delays the end
        // (rule R-SV-6).
        let output = &sender.call.shared().output;
        let mark = output.mark();
        std::future::poll_fn(|cx| output.poll_flushed(mark, cx)).await;
        if batch == Batch::Ended {
            // A connection that closes ends its streams without saying so (rule R-SV-14).
            if !output.is_flushing() {
                sender.end();
            }
            return;
        }
    }
}

/// While this exists, the source may have more to give, and closing waits for it.
struct Busy<'a>(&'a Shared);

impl<'a> Busy<'a> {
    fn new(sender: &'a Sender) -> Self {
        let shared = sender.call.shared();
        shared.serving.begin_busy();
        Self(shared)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.serving.end_busy();
        if self.0.output.is_closing() {
            self.0.output.wake_task();
        }
    }
}

/// Why a batch is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batch {
    /// It is full, or no more updates are there at present.
    Taken,
    /// The source has ended.
    Ended,
    /// Nobody wants more.
    Stopped,
}

fn poll_batch<St, U, C>(
    sender: &Sender,
    mut updates: Pin<&mut St>,
    limit: usize,
    cx: &mut Context<'_>,
) -> Poll<Batch>
where
    St: Stream<Item = U>,
    C: Codec<U>,
{
    for taken in 0..limit {
        let update = match updates.as_mut().poll_next(cx) {
            Poll::Ready(Some(update)) => update,
            Poll::Ready(None) => return Poll::Ready(Batch::Ended),
            Poll::Pending if taken > 0 => return Poll::Ready(Batch::Taken),
            Poll::Pending => return Poll::Pending,
        };
        match sender.update::<U, C>(&update) {
            Ok(Flow::Continue) => {}
            Ok(Flow::Pause) => return Poll::Ready(Batch::Taken),
            Ok(Flow::Stop) | Err(SendError::Closed(_) | SendError::Overfull { .. }) => {
                return Poll::Ready(Batch::Stopped);
            }
            Err(error) => match unsendable(error, KIND) {
                // One update that is too large does not end the stream (rule R-SV-10).
                Some(error @ RpcError::WriteError(_)) => sender.report(error),
                Some(error) => {
                    sender.fail(error);
                    return Poll::Ready(Batch::Stopped);
                }
                None => return Poll::Ready(Batch::Stopped),
            },
        }
    }
    Poll::Ready(Batch::Taken)
}
