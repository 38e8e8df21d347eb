//! Races and their outcomes (*durable* §2.7). D-RA-6 is in `slow_consumer`, D-RA-7 in `closing`,
//! D-RA-8 in `failures` and `or_fail`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use durable_rpc::BuildError;
use tokio::join;
use tokio::time::Instant;

use crate::cancelling::poll_once;
use crate::checked::{DELAY, counts};
use crate::events::{ask, begin};
use crate::server::{Server, settle};

/// D-RA-1 (ZD23): before the consumer has seen the success.
#[tokio::test(start_paused = true)]
async fn connection_lost_right_after_the_answer() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let _feed = ask(&mut events, &mut server).await.accept(7);
    settle().await;
    server.stop();
    settle().await;
    events.expect(&["success", "state 7", "lost"]).await;
    let lost = Instant::now();
    server.restart();
    begin(&mut events, &mut server, 8).await;
    assert_eq!(lost.elapsed(), DELAY);
}

/// D-RA-1: after the state, before any update.
#[tokio::test(start_paused = true)]
async fn connection_lost_before_the_first_update() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let _feed = begin(&mut events, &mut server, 7).await;
    let start = Instant::now();
    server.stop();
    events.expect(&["lost"]).await;
    server.restart();
    begin(&mut events, &mut server, 8).await;
    assert_eq!(start.elapsed(), DELAY);
}

/// D-DU-3: the connection was made while the consumer did something else, and is gone by the time
/// it goes on. That is a failed attempt, not a second build (rule D-DU-6).
#[tokio::test(start_paused = true)]
async fn connection_lost_before_it_is_used() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    events.expect(&["attempting"]).await;
    assert!(poll_once(Box::pin(events.next()).as_mut()).await.is_none());
    settle().await;
    server.cut();
    settle().await;
    let failure = format!("failed: {}", BuildError::BrokenAtOnce);
    events.expect(&[&failure]).await;
    assert_eq!(server.connects(), 1);
    begin(&mut events, &mut server, 7).await;
    assert_eq!(server.connects(), 2);
}

/// D-RA-2 (ZD23).
#[tokio::test(start_paused = true)]
async fn stream_that_ends_at_once() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let start = Instant::now();
    for state in 0..10 {
        begin(&mut events, &mut server, state).await.end();
        events.expect(&["lost"]).await;
    }
    assert_eq!(start.elapsed(), 9 * DELAY);
    assert_eq!(server.connects(), 1);
}

/// D-RA-3 (ZD23): with the consumer in the middle of them.
#[tokio::test(start_paused = true)]
async fn connection_lost_while_updates_are_queued() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let feed = begin(&mut events, &mut server, 7).await;
    for update in 0..5 {
        feed.send(update);
    }
    events.expect(&["update 0", "update 1"]).await;
    server.stop();
    settle().await;
    events
        .expect(&["update 2", "update 3", "update 4", "lost"])
        .await;
}

/// D-RA-4 (ZD23).
#[tokio::test(start_paused = true)]
async fn closed_connection_that_counts_as_intact() {
    let is_blind = Arc::new(AtomicBool::new(true));
    let blind = is_blind.clone();
    let mut server = Server::start();
    let connection = server
        .durable_unless(move |connection| connection.is_closed() && !blind.load(Ordering::Relaxed));
    let mut events = counts(&connection);
    let _feed = begin(&mut events, &mut server, 7).await;
    server.cut();
    events.expect(&["lost"]).await;
    for _ in 0..3 {
        let start = Instant::now();
        events.expect(&["attempting"]).await;
        assert_eq!(start.elapsed(), DELAY);
        let failure = crate::checked::label(&events.next().await.unwrap());
        assert!(failure.starts_with("failed: "), "{failure}");
    }
    assert_eq!(server.connects(), 1);
    is_blind.store(false, Ordering::Relaxed);
    begin(&mut events, &mut server, 8).await;
    assert_eq!(server.connects(), 2);
}

/// D-RA-5, D-DU-7 (ZD23): both wait, and share the new connection.
#[tokio::test(start_paused = true)]
async fn two_subscriptions_lose_one_connection() {
    let mut server = Server::start();
    let connection = server.durable();
    let mut first = counts(&connection);
    let mut second = counts(&connection);
    let _feeds = [
        begin(&mut first, &mut server, 1).await,
        begin(&mut second, &mut server, 2).await,
    ];
    assert_eq!(server.connects(), 1);
    server.cut();
    join!(first.expect(&["lost"]), second.expect(&["lost"]));
    let lost = Instant::now();
    let ((), (), _feeds) = join!(
        first.expect(&["attempting", "success", "state 3"]),
        second.expect(&["attempting", "success", "state 3"]),
        async { [server.call().await.accept(3), server.call().await.accept(3)] }
    );
    assert_eq!(lost.elapsed(), DELAY);
    assert_eq!(server.connects(), 2);
    assert_eq!(server.streams(), 2);
}
