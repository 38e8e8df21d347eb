//! When attempts are made, and what is told of them (*durable* §4.1).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable_rpc::persistent::{AttemptPanicked, Builder, Event};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::exchange::{DELAY, Exchange, LONG, Step};
use crate::log::Log;
use crate::server::settle;
use crate::set_by_hand::SetByHand;

const SECOND: Duration = Duration::from_secs(1);

/// P-CY-7: a function that panics is no reason to give up; the default stands in for it.
#[tokio::test(start_paused = true)]
async fn panic_of_the_delay_function_stops_nothing() {
    let log = Log::start();
    let exchange = Exchange::new([Step::Fails("a", "e"), Step::Connects("a")]);
    let start = Instant::now();
    let builder = exchange.builder().retry_delay_by(|| panic!("as scripted"));
    let kept = builder.start();
    kept.connected().await.unwrap();
    assert_eq!(start.elapsed(), 10 * SECOND);
    let entries = log.take("durable_rpc::persistent");
    let panics = entries.iter().filter(|entry| {
        entry.message() == "retry delay panicked" && entry.field("error") == "as scripted"
    });
    assert_eq!(panics.count(), 2, "of each attempt: {entries:?}");
}

/// P-CY-1, P-CY-2 (ZP1, U1).
#[tokio::test(start_paused = true)]
async fn connection_is_made_at_once_and_made_again_when_it_is_lost() {
    let exchange = Exchange::new([Step::Connects("a"), Step::Connects("a")]);
    let kept = exchange.keep();
    settle().await;
    assert_eq!(exchange.events(), ["attempting", "obtained a", "connected"]);
    sleep(LONG).await;
    assert_eq!(exchange.events(), [""; 0]);
    exchange.line().cut();
    settle().await;
    let again = ["disconnected", "attempting", "obtained a", "connected"];
    assert_eq!(exchange.events(), again);
    assert_eq!(kept.current_connection().unwrap().number, 1);
}

/// P-CY-2, P-CY-3 (ZP2): what does not differ from before is not told; a new cycle tells anew.
#[tokio::test(start_paused = true)]
async fn what_has_been_told_in_this_cycle_is_not_told_again() {
    let cycle = [
        Step::NoAddress("e"),
        Step::NoAddress("e"),
        Step::NoAddress("f"),
        Step::Fails("a", "g"),
        Step::Fails("a", "g"),
        Step::Connects("b"),
    ];
    let exchange = Exchange::new(cycle.into_iter().cycle().take(12));
    let _kept = exchange.keep();
    let told = [
        "attempting",
        "failed e",
        "failed f",
        "obtained a",
        "failed g",
        "obtained b",
        "connected",
    ];
    sleep(LONG).await;
    assert_eq!(exchange.events(), told);
    exchange.line().cut();
    settle().await;
    assert_eq!(exchange.events()[0], "disconnected");
    sleep(LONG).await;
    assert_eq!(exchange.lines(), 2);
}

/// P-CY-3: the same error again after another one is told again; so is an address.
#[tokio::test(start_paused = true)]
async fn only_the_last_one_counts() {
    let exchange = Exchange::new([
        Step::Fails("a", "e"),
        Step::Fails("b", "f"),
        Step::Fails("a", "e"),
        Step::Connects("a"),
    ]);
    let _kept = exchange.keep();
    sleep(LONG).await;
    let told = [
        "attempting",
        "obtained a",
        "failed e",
        "obtained b",
        "failed f",
        "obtained a",
        "failed e",
        "connected",
    ];
    assert_eq!(exchange.events(), told);
}

/// P-CY-4 (ZP5): neither connecting nor the end goes on before the callback has.
#[tokio::test(start_paused = true)]
async fn callback_is_waited_for() {
    let exchange = Exchange::new([Step::Connects("a"), Step::Connects("a")]);
    let (gate, recording) = (Arc::new(Semaphore::new(0)), exchange.clone());
    let passing = gate.clone();
    let builder = exchange.unheard().on_event(move |event| {
        recording.record(&event);
        let passing = passing.clone();
        async move { passing.acquire().await.unwrap().forget() }
    });
    let start = Instant::now();
    let kept = builder.start();
    sleep(LONG).await;
    assert_eq!(exchange.events(), ["attempting"]);
    assert!(exchange.attempts(start).is_empty(), "no connecting yet");
    gate.add_permits(1);
    sleep(LONG).await;
    assert_eq!(exchange.events(), ["obtained a"]);
    assert_eq!(exchange.lines(), 0);
    gate.add_permits(1);
    sleep(LONG).await;
    assert_eq!(exchange.events(), ["connected"]);
    // It is there for everybody all the same.
    assert!(kept.connected().await.is_ok());
    exchange.line().cut();
    sleep(LONG).await;
    assert_eq!(exchange.events(), [""; 0], "connected has not been handled");
    gate.add_permits(1);
    sleep(LONG).await;
    assert_eq!(exchange.events(), ["disconnected"]);
}

/// P-CY-5 (ZP11): a failed attempt with that error.
#[tokio::test(start_paused = true)]
async fn panics_of_lookup_and_connect_are_failed_attempts() {
    let exchange = Exchange::new([
        Step::LookupPanics,
        Step::ConnectPanics("a"),
        Step::Connects("a"),
    ]);
    let start = Instant::now();
    let kept = exchange.keep();
    let failed = kept.connected_or_failed().await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "attempt to connect panicked: as scripted"
    );
    kept.connected().await.unwrap();
    assert_eq!(exchange.attempts(start), [0, 1, 2].map(|n| n * DELAY));
    settle().await;
    let told = [
        "attempting",
        "failed attempt to connect panicked: as scripted",
        "obtained a",
        "connected",
    ];
    assert_eq!(exchange.events(), told, "the second error equals the first");
}

/// P-CY-5 (ZP11): also before its future, and in it.
#[tokio::test(start_paused = true)]
async fn panic_of_the_callback_stops_nothing() {
    for at_once in [false, true] {
        let exchange = Exchange::new([Step::Connects("a"), Step::Connects("a")]);
        let recording = exchange.clone();
        let builder = exchange.unheard().on_event(move |event| {
            recording.record(&event);
            assert!(!at_once, "as scripted");
            async { panic!("as scripted") }
        });
        let _kept = builder.start();
        settle().await;
        exchange.line().cut();
        sleep(LONG).await;
        let cycle = ["attempting", "obtained a", "connected"];
        let told = cycle.into_iter().chain(["disconnected"]).chain(cycle);
        assert_eq!(exchange.events(), told.collect::<Vec<_>>());
    }
}

/// P-CY-6 (ZP3): failures at 0, 10, 20 s; the connection made then dies at 21 s, and the next one
/// is made at 30 s; that one dies at 100 s, and the next is made at once.
#[tokio::test(start_paused = true)]
async fn timer_runs_from_the_beginning_of_the_attempt() {
    let exchange = Exchange::new([
        Step::NoAddress("e"),
        Step::Fails("a", "e"),
        Step::Connects("a"),
        Step::Connects("a"),
        Step::Connects("a"),
    ]);
    let start = Instant::now();
    let _kept = exchange.keep();
    tokio::time::sleep_until(start + 21 * SECOND).await;
    exchange.line().cut();
    tokio::time::sleep_until(start + 100 * SECOND).await;
    exchange.line().cut();
    settle().await;
    assert_eq!(
        exchange.attempts(start),
        [0, 10, 20, 30, 100].map(Duration::from_secs)
    );
}

/// P-CY-6 (ZP3): an attempt that took longer than the delay is followed at once, and one that took
/// less waits for the rest of it.
#[tokio::test(start_paused = true)]
async fn time_of_an_attempt_is_part_of_the_delay() {
    let exchange = Exchange::slow([
        (Step::Fails("a", "e"), 15 * SECOND),
        (Step::NoAddress("e"), 3 * SECOND),
        (Step::Connects("a"), Duration::ZERO),
    ]);
    let start = Instant::now();
    let kept = exchange.keep();
    kept.connected().await.unwrap();
    assert_eq!(
        exchange.attempts(start),
        [0, 15, 25].map(Duration::from_secs)
    );
}

/// P-CY-7: the delay is asked for before each attempt.
#[tokio::test(start_paused = true)]
async fn delay_can_differ_from_attempt_to_attempt() {
    let exchange = Exchange::new([]);
    let seconds = Mutex::new(0);
    let builder = exchange.builder().retry_delay_by(move || {
        let mut seconds = seconds.lock().unwrap();
        *seconds += 1;
        *seconds * SECOND
    });
    let start = Instant::now();
    let _kept = builder.start();
    sleep(12 * SECOND).await;
    assert_eq!(
        exchange.attempts(start),
        [0, 1, 3, 6, 10].map(Duration::from_secs)
    );
}

/// P-CY-6, P-CY-7: delays pass on the given clock alone, the one that runs since the last attempt
/// included.
#[tokio::test(start_paused = true)]
async fn only_the_given_clock_counts() {
    let exchange = Exchange::new([
        Step::Fails("a", "e"),
        Step::Connects("a"),
        Step::Connects("a"),
    ]);
    let (clock, start) = (SetByHand::new(), Instant::now());
    let kept = exchange.builder().clock(clock.clone()).start();
    let attempts = || exchange.attempts(start).len();
    sleep(LONG).await;
    assert_eq!(attempts(), 1, "everybody else's time passes, ours does not");
    clock.advance(DELAY - SECOND);
    sleep(LONG).await;
    assert_eq!(attempts(), 1);
    clock.advance(SECOND);
    settle().await;
    assert_eq!((attempts(), exchange.lines()), (2, 1));

    // That of the attempt that succeeded has not passed, however long the connection lived.
    sleep(LONG).await;
    exchange.line().cut();
    sleep(LONG).await;
    assert_eq!(attempts(), 2);
    clock.advance(DELAY);
    settle().await;
    assert_eq!(kept.current_connection().unwrap().number, 1);
}

/// P-CY-7 (ZP4): waits between 7 and 13 s, which differ, and are the same for the same seed.
#[tokio::test(start_paused = true)]
async fn delays_are_randomised_by_default() {
    let waits = async |seed: Option<u64>| {
        let exchange = Exchange::new([]);
        let builder = exchange.randomised();
        let start = Instant::now();
        let _kept = match seed {
            Some(seed) => builder.seed(seed).start(),
            None => builder.start(),
        };
        sleep(LONG).await;
        let attempts = exchange.attempts(start);
        let waits = attempts.windows(2).map(|pair| pair[1] - pair[0]);
        waits.collect::<Vec<_>>()
    };
    let first = waits(None).await;
    assert!(first.len() > 70);
    let bounds = 7 * SECOND..=13 * SECOND + Duration::from_millis(1);
    assert!(first.iter().all(|wait| bounds.contains(wait)), "{first:?}");
    assert_ne!(first, waits(None).await);
    assert_eq!(waits(Some(7)).await, waits(Some(7)).await);
}

/// P-CY-8: without the address; a late one is told the last one; a failing one harms nobody.
#[tokio::test(start_paused = true)]
async fn events_are_told_to_listeners_too() {
    let exchange = Exchange::new([Step::Fails("a", "e"), Step::Connects("b")]);
    let kept = exchange.keep();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = heard.clone();
    let _failing = kept.on_event(|_| panic!("as scripted"));
    let listening = kept.on_event(move |event| hearing.lock().unwrap().push(event.clone()));
    sleep(LONG).await;
    let all = heard.lock().unwrap().clone();
    let failure = super::exchange::Failure("e".to_owned());
    assert_eq!(
        all,
        [
            Event::AttemptingToConnect,
            Event::ObtainedAddress(()),
            Event::FailedToConnect(failure),
            Event::ObtainedAddress(()),
            Event::Connected,
        ]
    );
    let late = Arc::new(Mutex::new(Vec::new()));
    let hearing = late.clone();
    let _late = kept.on_event(move |event| hearing.lock().unwrap().push(event.clone()));
    assert_eq!(*late.lock().unwrap(), [Event::Connected]);
    drop(listening);
    exchange.line().cut();
    settle().await;
    assert_eq!(heard.lock().unwrap().len(), 5, "it has left");
    let after = [
        Event::Connected,
        Event::Disconnected,
        Event::AttemptingToConnect,
    ];
    assert!(late.lock().unwrap().starts_with(&after));
}

/// A user's own error: two of them are equal if they are of the same kind.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind} {number}")]
struct Numbered {
    kind: &'static str,
    number: usize,
}

impl PartialEq for Numbered {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl From<AttemptPanicked> for Numbered {
    fn from(_: AttemptPanicked) -> Self {
        Self {
            kind: "panic",
            number: 0,
        }
    }
}

/// What the lookup fails with.
struct NotFound(usize);

impl From<NotFound> for Numbered {
    fn from(NotFound(number): NotFound) -> Self {
        Self {
            kind: "not found",
            number,
        }
    }
}

/// P-US-8, P-CY-3: the user's own equality decides what is told, and its conversions apply.
#[tokio::test(start_paused = true)]
async fn errors_can_be_of_the_users_own_type() {
    let attempts = AtomicUsize::new(0);
    let lookup = move || {
        let attempt = attempts.fetch_add(1, Ordering::Relaxed);
        std::future::ready(match attempt {
            0..3 => Err(NotFound(attempt)),
            3 => panic!("as scripted"),
            _ => Ok(attempt),
        })
    };
    let refused = |number| {
        let kind = "refused";
        std::future::ready(Err::<super::exchange::Line, _>(Numbered { kind, number }))
    };
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = told.clone();
    let builder = Builder::new("nobody", lookup, refused).on_event(move |event| {
        if let Event::FailedToConnect(error) = event {
            telling.lock().unwrap().push(error.to_string());
        }
        std::future::ready(())
    });
    let _kept = builder.retry_delay(DELAY).start();
    sleep(LONG).await;
    assert_eq!(
        *told.lock().unwrap(),
        ["not found 0", "panic 0", "refused 4"]
    );
}

/// P-CY-3: without a type of one's own, errors are equal if their texts are, causes included.
#[test]
fn failures_are_compared_by_their_texts() {
    use durable_rpc::persistent::ConnectFailure;
    #[derive(Debug, thiserror::Error)]
    #[error("cannot connect")]
    struct Because(#[source] std::io::Error);
    let because = |text| ConnectFailure::new(Because(std::io::Error::other(text)));
    assert_eq!(because("no cable"), because("no cable"));
    assert_ne!(because("no cable"), because("no power"));
    assert_ne!(because("no cable"), ConnectFailure::new("cannot connect"));
    assert_eq!(
        ConnectFailure::new("cannot connect").to_string(),
        "cannot connect"
    );
}
