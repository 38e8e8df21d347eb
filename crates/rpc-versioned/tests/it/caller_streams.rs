//! Pipe and state RPCs, the caller's side: conversions that fail, and that panic.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use rpc_core::{Connection, Implementation, Pipe, PipeCloseReason, PipeRpc, StateRpc};
use rpc_versioned::convert::{Convert, Unconvertible};
use rpc_versioned::{ConnectionWithMenu, Conversion, caller_converts};

use crate::pair::{assert_call, assert_conversion, endless, serving, settle, updates};

static COUNT: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1);
static COUNTER: StateRpc<i64, i64, i64, String> = StateRpc::new("counter", 1);

type Count = caller_converts::PipeRpc<i64, i64, String>;
type Counter = caller_converts::StateRpc<i64, i64, i64, String>;

/// Of a positive number n: updates 1 to n and the end. Of zero: without end. Of a negative one: a
/// user error. The state is 100.
async fn counting() -> (ConnectionWithMenu, Connection) {
    fn answer(until: i64) -> Result<crate::pair::Updates<i64>, String> {
        match until {
            0 => Ok(endless([1, 2, 3])),
            1.. => Ok(updates(1..=until)),
            _ => Err("negative".to_owned()),
        }
    }
    let count = Implementation::pipe(&COUNT, |(), until| async move { Ok(answer(until)) });
    let counter = Implementation::state(&COUNTER, |(), until| async move {
        Ok(answer(until).map(|updates| (100, updates)))
    });
    serving([count, counter], ()).await
}

/// Fails of 2, panics of 3.
fn unlucky(number: i64) -> Result<i64, Unconvertible> {
    match number {
        2 => Err(Unconvertible::new("two")),
        3 => panic!("three"),
        _ => Ok(number),
    }
}

fn count(update: impl Convert<i64, i64>, error: impl Convert<String, String>) -> Count {
    Count::builder("count")
        .version(&COUNT, unlucky_query, update, error)
        .build()
        .unwrap()
}

fn unlucky_query(number: i64) -> Result<i64, Unconvertible> {
    match number {
        -2 => panic!("minus two"),
        _ => Ok(number),
    }
}

fn counter(state: impl Convert<i64, i64>, update: impl Convert<i64, i64>) -> Counter {
    Counter::builder("counter")
        .version(&COUNTER, unlucky_query, state, update, |_| {
            Err(Unconvertible::new("no such error"))
        })
        .build()
        .unwrap()
}

/// Nothing is left of any stream, and the connection goes on.
async fn assert_well(connection: &ConnectionWithMenu, callee: &Connection) {
    settle().await;
    assert_eq!(callee.served_streams(), 0);
    let connection = connection.connection();
    assert_eq!(connection.open_queries(), 0);
    let mut pipe = COUNT.dispatch(connection, &1).await.unwrap().unwrap();
    assert_eq!(pipe.next().await, Some(1));
    assert_eq!(pipe.next().await, None);
}

/// What a converted pipe yields, and why it ends.
async fn rest(
    mut pipe: caller_converts::Pipe<i64>,
    conversion: Conversion,
    rpc: &rpc_wire::Description,
) -> (Vec<Option<i64>>, PipeCloseReason) {
    let mut seen = Vec::new();
    while let Some(update) = pipe.next().await {
        let update = update.map_err(|error| {
            let text = if seen.len() == 1 { "two" } else { "three" };
            assert_conversion(&error, conversion, rpc, text);
        });
        seen.push(update.ok());
    }
    let reason = pipe.close_reason().await;
    (seen, reason)
}

/// V-CA-4, ZV5: one bad update is an error in its place, whether it fails or panics; the stream goes
/// on. V-CA-11: why it ended is told by the pipe.
#[tokio::test(start_paused = true)]
async fn bad_update_is_an_error_in_its_place() {
    let (connection, callee) = counting().await;
    let pipe = count(unlucky, Ok)
        .dispatch(&connection, 4)
        .await
        .unwrap()
        .unwrap();
    let (seen, reason) = rest(pipe, Conversion::Response, &COUNT.description()).await;
    assert_eq!(seen, [Some(1), None, None, Some(4)]);
    assert!(matches!(reason, PipeCloseReason::ClosedRemotely));
    let opened = counter(Ok, unlucky).dispatch(&connection, 4).await;
    let (state, pipe) = opened.unwrap().unwrap();
    assert_eq!(state, 100);
    let (seen, reason) = rest(pipe, Conversion::Update, &COUNTER.description()).await;
    assert_eq!(seen, [Some(1), None, None, Some(4)]);
    assert!(matches!(reason, PipeCloseReason::ClosedRemotely));
    assert_well(&connection, &callee).await;
}

/// V-CA-1: of streams.
#[tokio::test(start_paused = true)]
async fn query_that_cannot_be_converted_is_not_sent() {
    let (connection, callee) = counting().await;
    let before = connection.connection().bytes_written();
    let error = count(Ok, Ok).dispatch(&connection, -2).await.unwrap_err();
    assert_call(error, Conversion::Query, &COUNT.description(), "minus two");
    let with = count(Ok, Ok).dispatch_with(&connection, -2, |_| ());
    let error = with.await.unwrap_err();
    assert_call(error, Conversion::Query, &COUNT.description(), "minus two");
    let error = counter(Ok, Ok).dispatch(&connection, -2).await.unwrap_err();
    assert_call(
        error,
        Conversion::Query,
        &COUNTER.description(),
        "minus two",
    );
    settle().await;
    assert_eq!(connection.connection().bytes_written(), before);
    assert_well(&connection, &callee).await;
}

/// V-CA-3, ZV6: of the callee's own error; and that it is converted, if it can be.
#[tokio::test(start_paused = true)]
async fn user_error_is_converted_or_the_dispatch_fails() {
    let (connection, callee) = counting().await;
    let told = count(Ok, |error| Ok(error.to_uppercase()));
    let refusal = told.dispatch(&connection, -1).await.unwrap().unwrap_err();
    assert_eq!(refusal, "NEGATIVE");
    let with = told.dispatch_with(&connection, -1, |_| ());
    assert_eq!(with.await.unwrap().unwrap_err(), "NEGATIVE");
    let panics = count(Ok, |error| panic!("panics of {error}"));
    let error = panics.dispatch(&connection, -1).await.unwrap_err();
    assert_call(
        error,
        Conversion::Error,
        &COUNT.description(),
        "panics of negative",
    );
    let with = panics.dispatch_with(&connection, -1, |_| ());
    let error = with.await.unwrap_err();
    assert_call(
        error,
        Conversion::Error,
        &COUNT.description(),
        "panics of negative",
    );
    let error = counter(Ok, Ok).dispatch(&connection, -1).await.unwrap_err();
    assert_call(
        error,
        Conversion::Error,
        &COUNTER.description(),
        "no such error",
    );
    assert_well(&connection, &callee).await;
}

/// V-CA-6, ZV5: the initial state's conversion fails, or panics: the stream is closed.
#[tokio::test(start_paused = true)]
async fn bad_state_closes_the_stream() {
    let (connection, callee) = counting().await;
    let fails = counter(|_| Err(Unconvertible::new("no state")), Ok);
    let error = fails.dispatch(&connection, 0).await.unwrap_err();
    assert_call(error, Conversion::State, &COUNTER.description(), "no state");
    let panics = counter(|state| panic!("no state {state}"), Ok);
    let error = panics.dispatch(&connection, 0).await.unwrap_err();
    assert_call(
        error,
        Conversion::State,
        &COUNTER.description(),
        "no state 100",
    );
    assert_well(&connection, &callee).await;
}

/// V-CA-5, ZV7: closing the converted pipe, or dropping it, sends the abort; `abort` leaves it open
/// for what comes until the callee's end. It is converted as it is read: of an endless stream
/// nothing is converted that nobody asks for.
#[tokio::test(start_paused = true)]
async fn closing_the_converted_pipe_aborts_the_stream() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let (connection, callee) = counting().await;
    let converted = Arc::new(AtomicUsize::new(0));
    let counted = converted.clone();
    let caller = count(
        move |update| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(update)
        },
        Ok,
    );
    let mut pipe = caller.dispatch(&connection, 0).await.unwrap().unwrap();
    settle().await;
    assert_eq!(converted.load(Ordering::Relaxed), 0);
    assert_eq!(pipe.next().await.unwrap().unwrap(), 1);
    assert_eq!(converted.load(Ordering::Relaxed), 1);
    assert_eq!(callee.served_streams(), 1);
    pipe.close();
    assert!(pipe.next().await.is_none());
    assert!(matches!(
        pipe.close_reason().await,
        PipeCloseReason::ClosedLocally
    ));
    settle().await;
    assert_eq!(callee.served_streams(), 0);

    let pipe = caller.dispatch(&connection, 0).await.unwrap().unwrap();
    drop(pipe);
    settle().await;
    assert_eq!(callee.served_streams(), 0);

    let mut pipe = caller.dispatch(&connection, 0).await.unwrap().unwrap();
    pipe.abort();
    let mut seen = Vec::new();
    while let Some(update) = pipe.next().await {
        seen.push(update.unwrap());
    }
    assert_eq!(seen, [1, 2, 3]);
    assert!(matches!(
        pipe.close_reason().await,
        PipeCloseReason::ClosedRemotely
    ));
    assert_well(&connection, &callee).await;
}

/// V-CA-5: a version that pushes back holds its connection up until the final consumer reads.
#[tokio::test(start_paused = true)]
async fn push_back_waits_for_the_final_consumer() {
    static PUSHING: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1).client_pushes_back();
    let (connection, callee) = counting().await;
    let caller = Count::builder("count")
        .version_from(&PUSHING)
        .build()
        .unwrap();
    let mut pipe = caller.dispatch(&connection, 500).await.unwrap().unwrap();
    let other = COUNT.dispatch(connection.connection(), &1);
    let mut other = Box::pin(other);
    settle().await;
    // One hundred unread updates, and nothing of the connection is read any more.
    let answer = futures_poll(other.as_mut()).await;
    assert!(answer.is_none());
    for expected in 1..=500 {
        assert_eq!(pipe.next().await.unwrap().unwrap(), expected);
    }
    // Whoever asks for more has taken the last hundred.
    assert!(pipe.next().await.is_none());
    drop(other.await.unwrap().unwrap());
    drop(pipe);
    assert_well(&connection, &callee).await;
}

/// What a future has to say now.
async fn futures_poll<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The sums of neighbours; panics at a sum of `panics_at`.
struct Pairs {
    pipe: Pipe<i64>,
    panics_at: i64,
    previous: Option<i64>,
}

impl Stream for Pairs {
    type Item = Result<i64, Unconvertible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let Some(update) = ready!(Pin::new(&mut this.pipe).poll_next(cx)) else {
                return Poll::Ready(None);
            };
            if let Some(previous) = this.previous.take() {
                let sum = previous + update;
                assert_ne!(sum, this.panics_at, "on purpose");
                let odd_pair = || Unconvertible::new("too much");
                let sum = (sum < 20).then_some(sum).ok_or_else(odd_pair);
                return Poll::Ready(Some(sum));
            }
            this.previous = Some(update);
        }
    }
}

fn pairs(pipe: Pipe<i64>, panics_at: i64) -> Pairs {
    Pairs {
        pipe,
        panics_at,
        previous: None,
    }
}

/// V-CA-7: the raw forms convert the whole pipe, once for each subscription; their elements are
/// results too, and a stream that panics ends with an error.
#[tokio::test(start_paused = true)]
async fn raw_forms_convert_the_whole_pipe() {
    let (connection, callee) = counting().await;
    for panics_at in [0, 7] {
        let count = Count::builder("count")
            .version_raw(&COUNT, Ok, move |pipe| Ok(pairs(pipe, panics_at)), Ok)
            .build()
            .unwrap();
        let pipe = count.dispatch(&connection, 21).await.unwrap().unwrap();
        check_pairs(pipe, panics_at, Conversion::Response).await;
        let counter = Counter::builder("counter")
            .version_raw(
                &COUNTER,
                Ok,
                |state| Ok(state + 1),
                move |pipe| Ok(pairs(pipe, panics_at)),
                Ok,
            )
            .build()
            .unwrap();
        let (state, pipe) = counter.dispatch(&connection, 21).await.unwrap().unwrap();
        assert_eq!(state, 101);
        check_pairs(pipe, panics_at, Conversion::Update).await;
        assert_well(&connection, &callee).await;
    }
}

async fn check_pairs(mut pipe: caller_converts::Pipe<i64>, panics_at: i64, label: Conversion) {
    let mut seen = Vec::new();
    while let Some(update) = pipe.next().await {
        seen.push(update.map_err(|error| {
            assert_eq!(error.conversion(), label);
            error.cause().to_string()
        }));
    }
    if panics_at == 7 {
        let (last, before) = seen.split_last().unwrap();
        assert_eq!(before, [Ok(3)]);
        assert!(last.as_ref().unwrap_err().contains("on purpose"));
        return;
    }
    let fits = |sum: i64| {
        (sum < 20)
            .then_some(sum)
            .ok_or_else(|| "too much".to_owned())
    };
    let expected: Vec<_> = (0..10).map(|pair| fits(4 * pair + 3)).collect();
    assert_eq!(seen, expected);
}

/// V-CA-7: the function itself fails, or panics: an error of the dispatch, and the stream is closed.
#[tokio::test(start_paused = true)]
async fn raw_form_that_fails_closes_the_stream() {
    fn refuse(_: Pipe<i64>) -> Result<Pairs, Unconvertible> {
        Err(Unconvertible::new("no pairs"))
    }
    fn panic(_: Pipe<i64>) -> Result<Pairs, Unconvertible> {
        panic!("no pairs at all")
    }
    let (connection, callee) = counting().await;
    for (make, text) in [
        (refuse as fn(Pipe<i64>) -> _, "no pairs"),
        (panic, "no pairs at all"),
    ] {
        let count = Count::builder("count")
            .version_raw(&COUNT, Ok, make, Ok)
            .build()
            .unwrap();
        let error = count.dispatch(&connection, 0).await.unwrap_err();
        assert_call(error, Conversion::Response, &COUNT.description(), text);
        let counter = Counter::builder("counter").version_raw(&COUNTER, Ok, Ok, make, Ok);
        let error = counter
            .build()
            .unwrap()
            .dispatch(&connection, 0)
            .await
            .unwrap_err();
        assert_call(error, Conversion::Update, &COUNTER.description(), text);
        assert_well(&connection, &callee).await;
    }
}

/// Closing the pipe of a raw form drops what the form made, and so the stream.
#[tokio::test(start_paused = true)]
async fn closing_the_pipe_of_a_raw_form_aborts_the_stream() {
    let (connection, callee) = counting().await;
    let count = Count::builder("count")
        .version_raw(&COUNT, Ok, |pipe| Ok(pairs(pipe, 0)), Ok)
        .build()
        .unwrap();
    let mut pipe = count.dispatch(&connection, 0).await.unwrap().unwrap();
    assert_eq!(pipe.next().await.unwrap().unwrap(), 3);
    pipe.close();
    assert!(pipe.next().await.is_none());
    assert_well(&connection, &callee).await;
}
