//! One handler with its types erased, and the call it answers.
//!
//! A handler's future is polled once where its query was read; if it is ready, the answer is
//! encoded there and then. Only a pending one becomes a task.

pub(crate) mod blocking;
pub(crate) mod one_way;
pub(crate) mod plain;
pub(crate) mod streaming;

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bin_prot::{BinWrite, Sexp};
use rpc_wire::frame::AppendError;
use rpc_wire::{
    CloseReason, Data, Description, DescriptionRef, QueryId, Response, ResponseHeader, RpcDigests,
    RpcError,
};

use crate::connection::output::Class;
use crate::connection::serving::Served;
use crate::connection::{ClosedBy, Shared};
use crate::error::{HandlerError, SendError, failure, located};
use crate::payload::{self, Codec, Undecodable};
use crate::rpc::{self, UserErrors};
use crate::tracing_event::{Event, Kind, SendFailure, SentResponse, Turn};

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What answers the queries of one RPC, for connections whose state is `S`.
pub(crate) trait Handler<S>: Send + Sync {
    /// Starts answering. A panic in here is the handler's (rule R-XN-1).
    fn handle(&self, state: &S, data: Data<'_>, call: &Call) -> Started;

    /// Where an error of the handler is said to have arisen (rule R-ER-1).
    fn location(&self) -> &'static str;

    /// The kind and the digests of the types.
    fn digests(&self) -> RpcDigests;

    /// Whether queries open streams, which can be aborted.
    fn is_streaming(&self) -> bool {
        false
    }
}

/// How far answering a query has come when its handler returns.
pub(crate) enum Started {
    /// Nothing more is to be done.
    Done,
    /// The rest is done by this future; of a stream, it is to be cancelled by an abort.
    Task {
        future: BoxFuture<()>,
        stream: Option<Arc<Served>>,
    },
    /// The connection has to stop, because of this error.
    Stop(Sexp),
}

/// Which RPC a query is for; costs nothing to keep.
#[derive(Clone, Debug)]
pub(crate) enum CalledRpc {
    /// The one at this place of the table.
    Implemented(usize),
    Menu,
    Unknown(Arc<Description>),
}

/// One query being answered.
#[derive(Clone)]
pub(crate) struct Call {
    shared: Arc<Shared>,
    rpc: CalledRpc,
    header: ResponseHeader,
}

impl Call {
    pub(crate) fn new(
        shared: Arc<Shared>,
        rpc: CalledRpc,
        id: QueryId,
        menu_index: Option<usize>,
    ) -> Self {
        let header = ResponseHeader::new(shared.version, id, menu_index);
        Self {
            shared,
            rpc,
            header,
        }
    }

    /// Name and version of what was called.
    pub(crate) fn rpc(&self) -> DescriptionRef<'_> {
        match &self.rpc {
            CalledRpc::Implemented(index) => match self.shared.implemented.get(*index) {
                Some(rpc) => rpc.as_ref(),
                // The index comes from the same table.
                None => rpc::MENU,
            },
            CalledRpc::Menu => rpc::MENU,
            CalledRpc::Unknown(rpc) => rpc.as_ref().as_ref(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn id(&self) -> QueryId {
        self.header.id
    }

    /// Reads the query, or answers that it cannot be read (rule R-PL-3).
    pub(crate) fn decode<Q, C: Codec<Q>>(
        &self,
        data: Data<'_>,
        location: &'static str,
    ) -> Option<Q> {
        match payload::read(data, C::read) {
            Ok(query) => Some(query),
            Err(error) => {
                self.undecodable(location, &error);
                None
            }
        }
    }

    pub(crate) fn undecodable(&self, location: &str, error: &Undecodable) {
        self.error(RpcError::BinIoExn(located(location, failure(error))));
    }

    /// Answers with a value. One that is too large, or cannot be encoded, becomes an error
    /// (rule R-PL-6).
    pub(crate) fn respond<R, C: Codec<R>>(
        &self,
        value: &R,
        user_errors: UserErrors<R>,
        location: &'static str,
    ) {
        let size = C::size(value);
        let sent = self.send_if(
            || user_errors.sent(value),
            || true,
            Class::Response,
            size,
            |buffer| C::write(value, buffer),
        );
        if let Err(error) = sent {
            self.not_sent(error, location);
        }
    }

    /// Sends a response of this kind with a payload of `payload` bytes, if `wanted` says so under
    /// the output's lock. Returns how many bytes are buffered then; `None` if it was not wanted.
    /// The kind is asked only if somebody listens (rule R-RE-2).
    pub(crate) fn send_if(
        &self,
        kind: impl FnOnce() -> SentResponse,
        wanted: impl FnOnce() -> bool,
        class: Class,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), bin_prot::WriteError>,
    ) -> Result<Option<usize>, SendError> {
        let size = self.header.message_size(payload);
        let turn = self.shared.events.turn();
        let sent = self.shared.output.send_if(wanted, class, size, |buffer| {
            self.header.write_before(payload, buffer)?;
            write(buffer)
        });
        if let Some(turn) = turn {
            self.tell_of_response(&turn, size, &sent, kind);
        }
        sent.inspect_err(|error| self.give_up_slow_reader(error))
    }

    /// Tells the listeners that nothing is sent in answer to a one-way query (rule T-S8), or that
    /// an expert handler has answered (rules T-S11, T-S15).
    pub(crate) fn tell(&self, kind: SentResponse) {
        self.shared.events.tell(self.rpc(), self.id(), 0, || {
            Event::Sent(Kind::Response(kind))
        });
    }

    #[cold]
    /// Tells of a response of `body` bytes that was sent or refused (rules T-S1 to T-S7). None is
    /// told once closing has stopped the implementations.
    fn tell_of_response(
        &self,
        turn: &Turn<'_>,
        body: usize,
        sent: &Result<Option<usize>, SendError>,
        kind: impl FnOnce() -> SentResponse,
    ) {
        let refused = |kind, failure| Event::FailedToSend(Kind::Response(kind), failure);
        let (event, bytes) = match sent {
            Ok(Some(_)) => (Event::Sent(Kind::Response(kind())), body),
            Err(SendError::Frame(AppendError::TooBig { size, .. })) => {
                (refused(kind(), SendFailure::TooLarge), *size)
            }
            Err(SendError::Closed(closed)) if closed.reason.is_none() => {
                (refused(kind(), SendFailure::Closed), 0)
            }
            Ok(None)
            | Err(SendError::Frame(_) | SendError::Closed(_) | SendError::Overfull { .. }) => {
                return;
            }
        };
        turn.tell(self.rpc(), self.id(), bytes, &event);
    }

    /// A peer that asks for more and more and does not read the answers is not waited for
    /// (rule C-BP-7).
    fn give_up_slow_reader(&self, error: &SendError) {
        if let SendError::Overfull { buffered, limit } = error {
            let text = format!(
                "peer does not read: {buffered} bytes are waiting for it, allowed are {limit}"
            );
            let reason = CloseReason::debug(text);
            self.shared.start_closing(ClosedBy::Unknown, reason);
        }
    }

    /// Tells the caller why a response could not be sent; nobody listens on a closed connection
    /// (rule R-PL-7).
    pub(crate) fn not_sent(&self, error: SendError, location: &str) {
        if let Some(error) = unsendable(error, location) {
            self.error_instead(|| true, error);
        }
    }

    /// Answers with an error in place of what could not be sent, if `wanted` says so under the
    /// output's lock. After *Write_error*'s message, which has failed already in the eyes of the
    /// listeners, they are told nothing (rules T-S5, T-S23, T-S24).
    pub(crate) fn error_instead(&self, wanted: impl FnOnce() -> bool, error: RpcError) {
        let told = !matches!(error, RpcError::WriteError(_));
        self.send_error(told, wanted, error);
    }

    /// The handler failed before its result was there.
    pub(crate) fn failed(&self, location: &str, error: HandlerError) {
        self.error(RpcError::UncaughtExn(located(location, error.into_sexp())));
    }

    /// The handler panicked.
    pub(crate) fn raised(&self, location: &str, panic: &(dyn Any + Send)) {
        self.failed(location, HandlerError::from_panic(panic));
    }

    /// Answers with an error, in a form that the peer's version knows.
    pub(crate) fn error(&self, error: RpcError) {
        self.error_if(|| true, error);
    }

    /// Answers with an error, if `wanted` says so under the output's lock.
    pub(crate) fn error_if(&self, wanted: impl FnOnce() -> bool, error: RpcError) {
        self.send_error(true, wanted, error);
    }

    fn send_error(&self, told: bool, wanted: impl FnOnce() -> bool, error: RpcError) {
        let response = Response {
            header: self.header,
            result: Err(error.known_to(self.shared.version)),
        };
        let size = response.bin_size();
        let output = &self.shared.output;
        let turn = self.shared.events.turn().filter(|_| told);
        let sent = output.send_if(wanted, Class::Response, size, |buffer| {
            response.bin_write(buffer)
        });
        if let (Some(turn), Err(error)) = (turn, response.result) {
            let kind = || SentResponse::SingleOrStreamingRpcErrorOrExn(error);
            self.tell_of_response(&turn, size, &sent, kind);
        }
        let sent = sent.inspect_err(|error| self.give_up_slow_reader(error));
        if let Err(SendError::Frame(error)) = sent {
            // Not even the error fits: the caller would wait for ever (rule R-PL-6).
            let reason = CloseReason::debug(format!("error response cannot be sent: {error}"));
            self.shared.start_closing(ClosedBy::Local, reason);
        }
    }
}

/// The error that takes the place of a response that could not be sent.
pub(crate) fn unsendable(error: SendError, location: &str) -> Option<RpcError> {
    match error {
        SendError::Closed(_) | SendError::Overfull { .. } => None,
        SendError::Frame(AppendError::TooBig { size, limit }) => {
            let too_big = RpcError::MessageTooBig {
                size: i64::try_from(size).unwrap_or(i64::MAX),
                max_message_size: i64::try_from(limit).unwrap_or(i64::MAX),
            };
            Some(RpcError::WriteError(too_big.to_sexp()))
        }
        SendError::Frame(error) => {
            let error = HandlerError::from(error);
            Some(RpcError::UncaughtExn(located(location, error.into_sexp())))
        }
    }
}

/// Polls a future once, outside any task.
pub(crate) fn poll_now<T>(future: Pin<&mut (dyn Future<Output = T> + Send)>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs a future to its end, a panic included.
pub(crate) async fn caught<T>(mut future: BoxFuture<T>) -> Result<T, Box<dyn Any + Send>> {
    std::future::poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        },
    )
    .await
}
