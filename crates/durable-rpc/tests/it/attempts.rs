//! When attempts are made (*durable* §2.3).

use std::time::Duration;

use durable_rpc::{state, subscribe};
use tokio::join;
use tokio::time::{Instant, sleep, timeout};

use crate::checked::{Checked, DELAY, LONG, counts};
use crate::dispatched::{Dispatched, Outcome, Script, intact};
use crate::events::begin;
use crate::server::{COUNT, Server, settle};

/// D-MA-1.
#[tokio::test(start_paused = true)]
async fn first_attempt_starts_without_delay() {
    let mut server = Server::start();
    let start = Instant::now();
    let mut events = counts(&server.durable());
    begin(&mut events, &mut server, 7).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// The machine has no task: nothing happens before it is polled.
#[tokio::test(start_paused = true)]
async fn subscription_that_is_never_polled_does_nothing() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    sleep(LONG).await;
    assert_eq!(server.connects(), 0);
    let start = Instant::now();
    begin(&mut events, &mut server, 7).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// The event comes before the attempt is under way.
#[tokio::test(start_paused = true)]
async fn attempt_is_announced_before_it_is_made() {
    let server = Server::start();
    let mut events = counts(&server.durable());
    events.expect(&["attempting"]).await;
    sleep(LONG).await;
    assert_eq!(server.connects(), 0);
}

/// D-MA-2 (ZD15): a server that is down, and then up.
#[tokio::test(start_paused = true)]
async fn delay_passes_after_a_failure_to_connect() {
    let mut server = Server::start();
    server.stop();
    let mut events = counts(&server.durable());
    let start = Instant::now();
    for failures in 0..5 {
        events.expect(&["attempting"]).await;
        assert_eq!(start.elapsed(), failures * DELAY);
        events.expect(&["failed: connection refused"]).await;
        assert_eq!(start.elapsed(), failures * DELAY);
    }
    server.restart();
    begin(&mut events, &mut server, 7).await;
    assert_eq!(start.elapsed(), 5 * DELAY);
    assert_eq!(server.connects(), 6);
}

/// D-MA-2, D-MA-4 (ZD16).
#[tokio::test(start_paused = true)]
async fn delay_passes_after_a_user_error() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let start = Instant::now();
    for errors in 0..5 {
        events.expect(&["attempting"]).await;
        assert_eq!(start.elapsed(), errors * DELAY);
        let ((), ()) = join!(events.expect(&["error not now"]), async {
            server.call().await.refuse("not now");
        });
    }
    begin(&mut events, &mut server, 7).await;
    assert_eq!(start.elapsed(), 5 * DELAY);
    assert_eq!(server.connects(), 1, "D-MA-6");
}

/// D-MA-2, D-MA-6, decision 15 (ZD13).
#[tokio::test(start_paused = true)]
async fn delay_passes_after_the_end_of_a_stream_and_the_connection_is_used_again() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let start = Instant::now();
    for ends in 0..5 {
        let feed = begin(&mut events, &mut server, 7).await;
        assert_eq!(start.elapsed(), ends * DELAY);
        feed.send(8);
        feed.end();
        events.expect(&["update 8", "lost"]).await;
        assert!(!server.has_calls());
    }
    begin(&mut events, &mut server, 7).await;
    assert_eq!(start.elapsed(), 5 * DELAY);
    assert_eq!(server.connects(), 1);
}

/// D-MA-2, D-MA-6, decision 15 (ZD14).
#[tokio::test(start_paused = true)]
async fn delay_passes_after_the_loss_of_a_connection_and_it_is_made_again() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let start = Instant::now();
    for losses in 0..5 {
        let _feed = begin(&mut events, &mut server, 7).await;
        assert_eq!(start.elapsed(), losses * DELAY);
        server.cut();
        events.expect(&["lost"]).await;
        events
            .expect_silence(DELAY - Duration::from_millis(1))
            .await;
        assert_eq!(server.connects(), 1 + losses as usize);
    }
    begin(&mut events, &mut server, 7).await;
    assert_eq!(server.connects(), 6);
}

/// D-MA-3: from when the event is handed out, not from when its cause occurred.
#[tokio::test(start_paused = true)]
async fn delay_starts_when_the_consumer_takes_the_event() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let feed = begin(&mut events, &mut server, 7).await;
    feed.send(8);
    feed.end();
    sleep(LONG).await;
    events.expect(&["update 8"]).await;
    sleep(LONG).await;
    events.expect(&["lost"]).await;
    let lost = Instant::now();
    begin(&mut events, &mut server, 7).await;
    assert_eq!(lost.elapsed(), DELAY);
}

/// D-MA-3: while the consumer does something else, the delay passes all the same.
#[tokio::test(start_paused = true)]
async fn delay_passes_unattended() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let feed = begin(&mut events, &mut server, 7).await;
    feed.end();
    events.expect(&["lost"]).await;
    sleep(LONG).await;
    assert!(!server.has_calls(), "no attempt unless somebody asks");
    let asked = Instant::now();
    begin(&mut events, &mut server, 7).await;
    assert_eq!(asked.elapsed(), Duration::ZERO);
}

/// D-MA-2: no back-off, no limit.
#[tokio::test(start_paused = true)]
async fn delay_is_the_same_after_a_thousand_failures() {
    let dispatched = Dispatched::new(vec![
        Script {
            outcome: Outcome::Failure,
            pause: Duration::ZERO
        };
        1001
    ]);
    let subscription = subscribe(&intact(), DELAY, dispatched.dispatch());
    let mut events = Checked::new(subscription, DELAY);
    let start = Instant::now();
    for _ in 0..=1000 {
        events
            .expect(&["attempting", "failed: no more queries can be sent"])
            .await;
    }
    assert_eq!(start.elapsed(), 1000 * DELAY);
    assert_eq!(dispatched.dispatches(), 1001);
}

/// D-MA-2: zero is allowed.
#[tokio::test(start_paused = true)]
async fn zero_delay_lets_attempts_follow_at_once() {
    let mut server = Server::start();
    let subscription = state::create(&COUNT, &server.durable(), 42, Duration::ZERO);
    let mut events = Checked::new(subscription, Duration::ZERO);
    let start = Instant::now();
    for round in 0..10 {
        let feed = begin(&mut events, &mut server, round).await;
        feed.end();
        events.expect(&["lost"]).await;
        let ((), ()) = join!(events.expect(&["attempting", "error no"]), async {
            server.call().await.refuse("no");
        });
    }
    // The timer's resolution is a millisecond.
    assert!(start.elapsed() <= Duration::from_millis(20));
    assert_eq!(server.connects(), 1);
}

/// D-MA-2 (ZD26): a consumer that does nothing but read does not starve the others, though no
/// attempt ever waits for anything.
#[tokio::test(start_paused = true)]
async fn zero_delay_leaves_others_their_turn() {
    for outcome in [Outcome::Failure, Outcome::UserError, Outcome::Stream(0)] {
        let script = Script {
            outcome,
            pause: Duration::ZERO,
        };
        let dispatched = Dispatched::new(vec![script; 100_000]);
        let subscription = subscribe(&intact(), Duration::ZERO, dispatched.dispatch());
        let mut events = Checked::new(subscription, Duration::ZERO);
        let consumer = tokio::spawn(async move {
            for _ in 0..100_000 {
                events.next().await;
            }
        });
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(dispatched.dispatches() > 0);
        assert!(!consumer.is_finished());
        consumer.abort();
    }
}

/// D-MA-6: whether a connection is made is the durable value's decision, at each attempt.
#[tokio::test(start_paused = true)]
async fn attempt_uses_the_connection_that_somebody_else_has_made() {
    let mut server = Server::start();
    let connection = server.durable();
    let mut events = counts(&connection);
    let _feed = begin(&mut events, &mut server, 7).await;
    server.cut();
    events.expect(&["lost"]).await;
    connection.with(async |_| ()).await.unwrap();
    assert_eq!(server.connects(), 2);
    begin(&mut events, &mut server, 8).await;
    assert_eq!(server.connects(), 2);
}

/// An attempt takes as long as it takes; there is no deadline of its own.
#[tokio::test(start_paused = true)]
async fn slow_build_and_slow_answer_are_waited_for() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    events.expect(&["attempting"]).await;
    let door = server.shut_door();
    events.expect_silence(LONG).await;
    drop(door);
    events.expect_silence(LONG).await;
    let call = server.call().await;
    let feed = call.accept(7);
    settle().await;
    timeout(Duration::ZERO, events.expect(&["success", "state 7"]))
        .await
        .unwrap();
    feed.send(8);
    events.expect(&["update 8"]).await;
    assert_eq!(server.connects(), 1);
}
