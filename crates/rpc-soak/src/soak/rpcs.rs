//! What is called, and what both sides know of the answers.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use rpc_core::{
    Connection, DirectStreamWriter, HandlerError, Implementations, OnUnknownRpc, OneWay, PipeRpc,
    Rpc, StateRpc, TracingSubscription,
};
use tokio::time::{Sleep, sleep};

use super::board::{self, Board};
use super::grammar;
use super::ledger::{Done, Ledger};
use super::{expert, metadata};

/// From, until, microseconds between two updates.
pub(crate) type Range = (i64, i64, i64);

pub(crate) static ECHO: Rpc<Vec<u8>, Vec<u8>> = Rpc::new("echo", 1);
/// The query, after so many microseconds.
pub(crate) static SLEEP: Rpc<i64, i64> = Rpc::new("sleep", 1);
pub(crate) static FAIL: Rpc<String, ()> = Rpc::new("fail", 1);
/// Numbers of one connection, which grow.
pub(crate) static NUMBER: Rpc<i64, i64> = Rpc::new("number", 1);
pub(crate) static NOTE: OneWay<i64> = OneWay::new("note", 1);
/// Calls back the other way, and answers what it was told.
pub(crate) static BACK: Rpc<i64, i64> = Rpc::new("back", 1);
pub(crate) static COUNT: PipeRpc<Range, i64, String> = PipeRpc::new("count", 1);
pub(crate) static DIRECT: PipeRpc<Range, i64, String> = PipeRpc::new("direct", 1);
pub(crate) static COUNTER: StateRpc<Range, i64, i64, String> = StateRpc::new("counter", 1);
/// Implemented by nobody.
pub(crate) static MISSING: Rpc<(), ()> = Rpc::new("missing", 1);

/// What a server knows of one connection.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) connection: Connection,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) board: Arc<Board>,
    last: AtomicI64,
    _watching: Option<TracingSubscription>,
}

impl State {
    /// Before any query is handled.
    pub(crate) fn new(connection: &Connection, ledger: &Arc<Ledger>, board: &Arc<Board>) -> Self {
        metadata::check_ids(connection, ledger);
        // What is watched takes another way through the library.
        let watched = ledger.times(Done::Connections).is_multiple_of(4);
        Self {
            connection: connection.clone(),
            ledger: ledger.clone(),
            board: board.clone(),
            last: AtomicI64::new(-1),
            _watching: watched.then(|| grammar::watch(connection, ledger)),
        }
    }

    /// Numbers of one connection arrive in the order in which they were sent.
    fn number(&self, number: i64) {
        let last = self.last.swap(number, Ordering::Relaxed);
        if last >= number {
            self.ledger
                .violated(format_args!("{number} came after {last}"));
        }
    }
}

/// The callee's table.
///
/// # Errors
/// Only if this file names an RPC twice.
pub(crate) fn table() -> anyhow::Result<Implementations<State>> {
    Ok(Implementations::<State>::builder()
        .implement_blocking(&ECHO, |_, bytes| Ok(bytes))
        .implement(&SLEEP, |_, micros: i64| async move {
            sleep(Duration::from_micros(u64::try_from(micros)?)).await;
            Ok(micros)
        })
        .implement(&FAIL, |_, text| async move { Err(HandlerError::new(text)) })
        .implement_blocking(&NUMBER, |state: &State, number| {
            state.number(number);
            Ok(number)
        })
        .implement_one_way(&NOTE, |state: &State, number| {
            state.number(number);
            async { Ok(()) }
        })
        .implement(&BACK, |state: &State, number| {
            let connection = state.connection.clone();
            async move { Ok(ECHO_BACK.dispatch(&connection, &number).await?) }
        })
        .implement_pipe(&COUNT, |_, range| async move {
            Ok(refuse(range).map(|()| Paced::new(range)))
        })
        .implement_pipe_direct(&DIRECT, |_, range, writer| async move {
            if let Err(error) = refuse(range) {
                return Ok(Err(error));
            }
            tokio::spawn(write(range, writer));
            Ok(Ok(()))
        })
        .implement_state(&COUNTER, |_, range: Range| async move {
            Ok(refuse(range).map(|()| (range.0, Paced::new(range))))
        })
        .implementation(board::implementation())
        .implementation(expert::implementation())
        .implementation(metadata::implementation())
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()?)
}

/// What callers answer.
pub(crate) static ECHO_BACK: Rpc<i64, i64> = Rpc::new("echo-back", 1);

/// The caller's table.
///
/// # Errors
/// Only if this file names an RPC twice.
pub(crate) fn callers_table() -> anyhow::Result<Implementations<()>> {
    Ok(Implementations::<()>::builder()
        .implement(&ECHO_BACK, |(), number| async move { Ok(number) })
        .build()?)
}

fn refuse((from, until, _): Range) -> Result<(), String> {
    match from <= until {
        true => Ok(()),
        false => Err(format!("{from} to {until}")),
    }
}

async fn write((from, until, micros): Range, writer: DirectStreamWriter<i64>) {
    let every = Duration::from_micros(micros.unsigned_abs());
    for number in from..until {
        let Ok(flushed) = writer.write_with_pushback(&number) else {
            return;
        };
        flushed.await;
        if !every.is_zero() {
            sleep(every).await;
        }
    }
    writer.close();
}

/// Numbers with pauses between them.
struct Paced {
    next: i64,
    until: i64,
    every: Duration,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    fn new((from, until, micros): Range) -> Self {
        Self {
            next: from,
            until,
            every: Duration::from_micros(micros.unsigned_abs()),
            pause: None,
        }
    }
}

impl Stream for Paced {
    type Item = i64;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<i64>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        if self.next == self.until {
            return Poll::Ready(None);
        }
        if !self.every.is_zero() {
            self.pause = Some(Box::pin(sleep(self.every)));
        }
        self.next += 1;
        Poll::Ready(Some(self.next - 1))
    }
}
