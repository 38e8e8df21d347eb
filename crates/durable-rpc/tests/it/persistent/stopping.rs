//! Closing and aborting, in every state (*durable* §4.2).

use std::time::Duration;

use durable_rpc::persistent::{
    Builder, Closable, ConnectContext, NotConnected, PersistentConnectionClosed,
};
use tokio::join;
use tokio::time::{Instant, sleep};

use super::exchange::{DELAY, Exchange, Failure, Kept, LONG, Step};
use crate::server::{settle, some_time};

const SECOND: Duration = Duration::from_secs(1);
const NOTHING: [&str; 0] = [];

/// It is over: nobody gets a connection, and nothing is attempted.
async fn check_over(kept: &Kept, exchange: &Exchange) {
    let start = Instant::now();
    let attempts = exchange.attempts(start).len();
    assert!(kept.is_closed());
    some_time(kept.closed()).await;
    assert!(kept.is_closed());
    assert_eq!(
        kept.connected().await.unwrap_err(),
        PersistentConnectionClosed
    );
    let error = kept.connected_or_failed().await.unwrap_err();
    assert_eq!(error, NotConnected::Closed);
    assert_eq!(error.to_string(), "Persistent connection closed");
    assert!(kept.current_connection().is_none());
    // Twice has no further effect.
    kept.close();
    kept.close_when_current_connection_is_closed();
    kept.closed().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    sleep(LONG).await;
    assert_eq!(exchange.attempts(start).len(), attempts);
    assert_eq!(exchange.events(), NOTHING);
}

/// P-US-4 (ZP8): at once, and without events.
#[tokio::test(start_paused = true)]
async fn closing_while_waiting_for_the_timer() {
    let exchange = Exchange::new([Step::Fails("a", "e"), Step::Connects("a")]);
    let kept = exchange.keep();
    sleep(SECOND).await;
    exchange.events();
    let start = Instant::now();
    let (closed, (), ()) = join!(kept.connected(), kept.closed(), async { kept.close() });
    assert!(closed.is_err());
    assert_eq!(start.elapsed(), Duration::ZERO);
    check_over(&kept, &exchange).await;
}

/// P-US-4, P-US-5 (ZP8): the attempt is waited for, and its connection closed.
#[tokio::test(start_paused = true)]
async fn closing_during_an_attempt_that_succeeds() {
    let exchange = Exchange::slow([(Step::Connects("a"), 3 * SECOND)]);
    let kept = exchange.keep();
    sleep(SECOND).await;
    assert_eq!(exchange.events(), ["attempting", "obtained a"]);
    let start = Instant::now();
    kept.close();
    assert!(kept.is_closed(), "from the call on");
    assert!(kept.connected().await.is_err());
    kept.closed().await;
    assert_eq!(start.elapsed(), 2 * SECOND);
    assert!(exchange.line().is_closed());
    assert_eq!(exchange.events(), ["connected", "disconnected"]);
    check_over(&kept, &exchange).await;
}

/// P-US-5 (ZP8).
#[tokio::test(start_paused = true)]
async fn closing_during_an_attempt_that_fails() {
    for step in [Step::Fails("a", "e"), Step::NoAddress("e")] {
        let exchange = Exchange::slow([(step, 3 * SECOND)]);
        let kept = exchange.keep();
        sleep(SECOND).await;
        exchange.events();
        kept.close();
        let start = Instant::now();
        kept.closed().await;
        assert_eq!(start.elapsed(), 2 * SECOND);
        assert_eq!(exchange.events(), NOTHING);
        check_over(&kept, &exchange).await;
    }
}

/// P-US-4, P-US-5 (ZP8, U1): the present connection is closed.
#[tokio::test(start_paused = true)]
async fn closing_while_connected() {
    let exchange = Exchange::new([Step::Connects("a"), Step::Connects("a")]);
    let kept = exchange.keep();
    kept.connected().await.unwrap();
    settle().await;
    exchange.events();
    let start = Instant::now();
    let ((), ()) = join!(kept.closed(), async { kept.close() });
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(exchange.line().is_closed());
    assert_eq!(exchange.events(), ["disconnected"]);
    check_over(&kept, &exchange).await;
}

/// P-US-4 (ZP8): all who wait are told at the same time.
#[tokio::test(start_paused = true)]
async fn closing_twice_is_closing_once() {
    let exchange = Exchange::slow([(Step::Connects("a"), 3 * SECOND)]);
    let kept = exchange.keep();
    settle().await;
    kept.close();
    kept.close();
    let start = Instant::now();
    let ended = async || {
        kept.closed().await;
        start.elapsed()
    };
    let (first, second) = join!(ended(), ended());
    assert_eq!(first, second);
    assert_eq!(exchange.lines(), 1);
}

/// Dropping the last handle is closing.
#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_closes() {
    let exchange = Exchange::new([Step::Connects("a"), Step::Connects("a")]);
    let kept = exchange.keep();
    let other = kept.clone();
    kept.connected().await.unwrap();
    settle().await;
    drop(kept);
    settle().await;
    assert!(!exchange.line().is_closed());
    exchange.events();
    drop(other);
    settle().await;
    assert!(exchange.line().is_closed());
    assert_eq!(exchange.events(), ["disconnected"]);
    sleep(LONG).await;
    assert_eq!(exchange.lines(), 1);
}

/// P-US-6 (ZP9): the present connection stays, and is the last one.
#[tokio::test(start_paused = true)]
async fn closing_after_the_present_connection() {
    let exchange = Exchange::new([Step::Connects("a"), Step::Connects("a")]);
    let kept = exchange.keep();
    kept.connected().await.unwrap();
    settle().await;
    exchange.events();
    kept.close_when_current_connection_is_closed();
    sleep(LONG).await;
    assert!(!kept.is_closed());
    assert_eq!(kept.connected().await.unwrap().number, 0);
    assert_eq!(kept.connected_or_failed().await.unwrap().number, 0);
    assert_eq!(exchange.events(), NOTHING);
    exchange.line().cut();
    some_time(kept.closed()).await;
    assert_eq!(exchange.events(), ["disconnected"]);
    check_over(&kept, &exchange).await;
}

/// P-US-6 (ZP9): without a connection, at once; whoever waits is told.
#[tokio::test(start_paused = true)]
async fn closing_after_the_present_connection_when_there_is_none() {
    let exchange = Exchange::new([Step::Fails("a", "e"), Step::Connects("a")]);
    let kept = exchange.keep();
    sleep(SECOND).await;
    exchange.events();
    let start = Instant::now();
    let (pending, ()) = join!(kept.connected_or_failed(), async {
        kept.close_when_current_connection_is_closed();
    });
    assert_eq!(pending.unwrap_err(), NotConnected::Closed);
    assert_eq!(start.elapsed(), Duration::ZERO);
    check_over(&kept, &exchange).await;

    // During an attempt, whose connection is closed as after `close`.
    let exchange = Exchange::slow([(Step::Connects("a"), 3 * SECOND)]);
    let kept = exchange.keep();
    sleep(SECOND).await;
    exchange.events();
    kept.close_when_current_connection_is_closed();
    let pending = kept.connected_or_failed().await.unwrap_err();
    assert_eq!(pending, NotConnected::Closed);
    kept.closed().await;
    assert!(exchange.line().is_closed());
    assert_eq!(exchange.events(), ["connected", "disconnected"]);
    check_over(&kept, &exchange).await;
}

/// P-US-4, P-US-6: closing wins over what was wished before.
#[tokio::test(start_paused = true)]
async fn closing_at_once_wins() {
    let exchange = Exchange::new([Step::Connects("a")]);
    let kept = exchange.keep();
    kept.connected().await.unwrap();
    kept.close_when_current_connection_is_closed();
    kept.close();
    assert!(exchange.line().is_closed());
    kept.closed().await;
    exchange.events();
    check_over(&kept, &exchange).await;
}

/// An exchange whose connect function says what it learns from its context.
fn with_context(
    exchange: &Exchange,
    on_connect: impl Fn(&ConnectContext<Failure>) + Send + Sync + 'static,
) -> Kept {
    let (connecting, recording) = (exchange.clone(), exchange.clone());
    Builder::with_context(
        "the exchange",
        || std::future::ready(Ok::<_, Failure>("a")),
        move |address, context: ConnectContext<Failure>| {
            on_connect(&context);
            connecting.clone().connect(address)
        },
    )
    .retry_delay(DELAY)
    .without_randomness()
    .on_event(move |event| {
        recording.record(&event);
        std::future::ready(())
    })
    .start()
}

/// P-US-7 (ZP10).
#[tokio::test(start_paused = true)]
async fn context_counts_failed_attempts() {
    let exchange = Exchange::new([
        Step::Fails("a", "e"),
        Step::Fails("a", "e"),
        Step::Connects("a"),
        Step::Fails("a", "e"),
        Step::Connects("a"),
    ]);
    let counts = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let counting = counts.clone();
    let kept = with_context(&exchange, move |context| {
        counting.lock().unwrap().push(context.failed_attempts());
    });
    kept.connected().await.unwrap();
    exchange.line().cut();
    kept.connected().await.unwrap();
    assert_eq!(*counts.lock().unwrap(), [0, 1, 2, 0, 1]);
}

/// P-US-7 (ZP10): who waits gets the error at once, and what the attempt makes is closed.
#[tokio::test(start_paused = true)]
async fn abort_ends_the_attempts_with_an_error() {
    for step in [Step::Connects("a"), Step::Fails("a", "e")] {
        let exchange = Exchange::slow([(step, 3 * SECOND), (Step::Connects("a"), SECOND)]);
        let kept = with_context(&exchange, |context| {
            context.abort(Failure("out of copper".to_owned()));
            context.abort(Failure("the first one counts".to_owned()));
        });
        let start = Instant::now();
        let pending = kept.connected_or_failed().await.unwrap_err();
        assert_eq!(
            pending,
            NotConnected::Aborted(Failure("out of copper".to_owned()))
        );
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(
            kept.connected().await.unwrap_err(),
            PersistentConnectionClosed
        );
        assert!(kept.is_closed());
        kept.closed().await;
        assert_eq!(start.elapsed(), 3 * SECOND);
        if exchange.lines() > 0 {
            assert!(exchange.line().is_closed());
        }
        sleep(LONG).await;
        assert_eq!(exchange.events(), ["attempting", "obtained a"]);
        let late = kept.connected_or_failed().await.unwrap_err();
        assert_eq!(late, pending);
    }
}

/// *durable* §5, open point 6 (P-US-4, P-US-7): closing wins.
#[tokio::test(start_paused = true)]
async fn closing_and_aborting_at_the_same_time() {
    for closes_first in [false, true] {
        let exchange = Exchange::slow([(Step::Connects("a"), 3 * SECOND)]);
        let aborting = std::sync::Arc::new(std::sync::Mutex::new(None));
        let keeping = aborting.clone();
        let kept = with_context(&exchange, move |context| {
            *keeping.lock().unwrap() = Some(context.clone());
        });
        sleep(SECOND).await;
        exchange.events();
        let context = aborting.lock().unwrap().take().unwrap();
        if closes_first {
            kept.close();
        }
        context.abort(Failure("out of copper".to_owned()));
        if !closes_first {
            kept.close();
        }
        let pending = kept.connected_or_failed().await.unwrap_err();
        assert_eq!(pending, NotConnected::Closed);
        kept.closed().await;
        assert!(exchange.line().is_closed());
        assert_eq!(exchange.events(), ["connected", "disconnected"]);
        check_over(&kept, &exchange).await;
    }
}

/// Whoever waits learns of the end of the runtime, too.
#[test]
fn end_of_the_runtime_is_the_end() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().unwrap()
    };
    let exchange = Exchange::new([]);
    let one = runtime();
    let kept = one.block_on(async {
        let kept = exchange.keep();
        assert!(kept.connected_or_failed().await.is_err());
        kept
    });
    drop(one);
    runtime().block_on(async {
        kept.closed().await;
        assert!(kept.is_closed());
        assert!(kept.connected().await.is_err());
    });
}
