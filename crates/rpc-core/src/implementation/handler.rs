//! One handler with its types erased: what it is asked, and how far it has come when it returns.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bin_prot::{Info, Sexp};
use rpc_wire::Data;

use super::call::Call;
use super::lift::Source;
use crate::connection::query_run::QueryRun;
use crate::connection::serving::Served;
use crate::error::HandlerError;
use crate::payload::Codec;
use crate::query_context::QueryContext;
use crate::shapes::Types;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What answers the queries of one RPC, for connections whose state is `S`.
pub(crate) trait Handler<S>: Send + Sync {
    /// Starts answering. A panic in here is the handler's (rule R-XN-1).
    fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started;

    /// Answers queries one after the other, until one of them is not done with at once.
    fn handle_run(&self, state: &dyn Source<S>, run: &mut QueryRun<'_>) -> Started {
        run.each(|query| self.handle(state, query))
    }

    fn kind(&self) -> HandlerKind;

    /// What menus tell of the RPC.
    fn types(&self) -> Types;
}

/// A query in the frame in which it came.
#[derive(Clone, Copy)]
pub(crate) struct Received<'a> {
    pub(crate) context: QueryContext<'a>,
    pub(crate) data: Data<'a>,
}

impl<'a> Received<'a> {
    pub(crate) fn call(&self) -> &'a Call {
        self.context.call()
    }

    /// Reads the query, or answers that it cannot be read (rule R-PL-3).
    pub(crate) fn decode<Q, C: Codec<Q>>(&self, location: &'static str) -> Option<Q> {
        self.call().decode::<Q, C>(self.data, location)
    }
}

/// How far answering a query has come when its handler returns.
pub(crate) enum Started {
    /// Nothing more is to be done.
    Done,
    /// The rest is done by this future; of a stream, it is to be cancelled by an abort.
    Task {
        future: BoxFuture<Option<Stop>>,
        stream: Option<Arc<Served>>,
    },
    /// The connection has to stop.
    Stop(Stop),
}

impl From<Option<Stop>> for Started {
    fn from(stop: Option<Stop>) -> Self {
        stop.map_or(Self::Done, Self::Stop)
    }
}

/// Why a handler makes its connection stop.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It asked for it (C-RE-2).
    Asked,
    /// It asked for it, because of this error (C-RE-4).
    Failed(Sexp),
    /// Something raised that nobody is there to be told of (C-RE-5).
    Raised(Info),
}

/// What kind of handler answers an RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandlerKind {
    Plain,
    Blocking,
    Expert,
    Streaming,
    OneWay,
    OneWayExpert,
}

impl HandlerKind {
    /// The kind as implementations are shown (rule R-IM-9).
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Plain | Self::Blocking | Self::Expert => "rpc",
            Self::Streaming => "streaming-rpc",
            Self::OneWay | Self::OneWayExpert => "one-way",
        }
    }

    /// Where an error of the handler is said to have arisen (rule R-ER-1).
    pub(crate) fn computation(self) -> &'static str {
        match self {
            Self::Plain => "server-side rpc computation",
            Self::Blocking => "server-side blocking rpc computation",
            Self::Expert => "server-side rpc expert computation",
            Self::Streaming => "server-side pipe_rpc computation",
            Self::OneWay => "server-side one-way rpc computation",
            Self::OneWayExpert => "server-side one-way rpc expert computation",
        }
    }

    /// The same of a refusal.
    pub(crate) fn authorization(self) -> &'static str {
        match self {
            Self::Plain | Self::Blocking => "server-side rpc authorization",
            Self::Expert => "server-side rpc expert authorization",
            Self::Streaming => "server-side pipe_rpc authorization",
            Self::OneWay => "server-side one-way rpc authorization",
            Self::OneWayExpert => "server-side one-way rpc expert authorization",
        }
    }

    /// The same of a failed lift.
    pub(crate) fn lift(self) -> &'static str {
        match self {
            Self::Plain | Self::Blocking => "server-side rpc lift",
            Self::Expert => "server-side rpc expert lift",
            Self::Streaming => "server-side pipe_rpc lift",
            Self::OneWay => "server-side one-way rpc lift",
            Self::OneWayExpert => "server-side one-way rpc expert lift",
        }
    }
}

/// Polls a future once, outside any task.
pub(crate) fn poll_now<T>(future: Pin<&mut (dyn Future<Output = T> + Send)>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs a future to its end, a panic included.
pub(crate) async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    std::future::poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        },
    )
    .await
}

/// The result of running a handler, whose panic is a failure like others.
pub(crate) fn or_panic<T>(
    result: Result<Result<T, HandlerError>, Box<dyn Any + Send>>,
) -> Result<T, HandlerError> {
    result.unwrap_or_else(|panic| Err(HandlerError::from_panic(&*panic)))
}

/// A handler's future.
pub(crate) type Running<T> = BoxFuture<Result<T, HandlerError>>;

/// How far a handler has come without suspending.
pub(crate) enum Polled<T> {
    Over(T),
    Suspended(Running<T>),
}

/// Runs a handler as far as it goes without suspending. Its panic is a failure like others.
pub(crate) fn poll_at_once<T>(
    run: impl FnOnce() -> Result<Running<T>, HandlerError>,
) -> Result<Polled<T>, HandlerError> {
    at_once(|| poll_running(run()?))
}

/// Polls a handler's future once.
pub(super) fn poll_running<T>(mut running: Running<T>) -> Result<Polled<T>, HandlerError> {
    Ok(match poll_now(running.as_mut()) {
        Poll::Ready(result) => Polled::Over(result?),
        Poll::Pending => Polled::Suspended(running),
    })
}

/// What a handler has come to without suspending. Its panic is a failure like others.
fn at_once<T>(
    run: impl FnOnce() -> Result<Polled<T>, HandlerError>,
) -> Result<Polled<T>, HandlerError> {
    or_panic(catch_unwind(AssertUnwindSafe(run)))
}
