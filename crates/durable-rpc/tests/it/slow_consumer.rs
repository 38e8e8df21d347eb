//! A consumer that does not read (*durable* §2.6, decision 7): the machine is driven by it, so
//! nothing happens and no event piles up.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::checked::{DELAY, LONG, counts};
use crate::events::begin;
use crate::server::{Server, settle};

/// Decision 7, D-BP-1: while the connection flaps, no attempt is made and no event is kept.
#[tokio::test(start_paused = true)]
async fn nothing_piles_up_while_the_connection_flaps() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let feed = begin(&mut events, &mut server, 7).await;
    feed.send(8);
    settle().await;
    for _ in 0..100 {
        server.stop();
        sleep(DELAY).await;
        server.restart();
        sleep(DELAY).await;
    }
    assert_eq!(server.connects(), 1);
    assert!(!server.has_calls());
    events.expect(&["update 8", "lost"]).await;
    begin(&mut events, &mut server, 9).await;
    assert_eq!(server.connects(), 2);
}

/// Decision 7: nor while a server is down.
#[tokio::test(start_paused = true)]
async fn nothing_is_attempted_while_nobody_reads() {
    let server = Server::start();
    server.stop();
    let mut events = counts(&server.durable());
    events
        .expect(&["attempting", "failed: connection refused"])
        .await;
    sleep(LONG).await;
    events.expect(&["attempting"]).await;
    sleep(LONG).await;
    assert_eq!(server.connects(), 1);
    events.expect(&["failed: connection refused"]).await;
    assert_eq!(server.connects(), 2);
}

/// D-BP-3, D-BP-4 (ZD22): updates wait, then the loss, then the delay, then the next attempt.
#[tokio::test(start_paused = true)]
async fn loss_and_next_attempt_wait_for_the_consumer() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let feed = begin(&mut events, &mut server, 7).await;
    for update in 0..1000 {
        feed.send(update);
    }
    feed.end();
    for update in 0..1000 {
        sleep(DELAY / 5).await;
        events.expect(&[&format!("update {update}")]).await;
        assert!(!server.has_calls());
    }
    sleep(LONG).await;
    assert!(!server.has_calls());
    events.expect(&["lost"]).await;
    let lost = Instant::now();
    begin(&mut events, &mut server, 8).await;
    assert_eq!(lost.elapsed(), DELAY);
}

/// D-BP-2 (ZD21): what has arrived together is taken without waiting in between.
#[tokio::test(start_paused = true)]
async fn updates_that_are_there_are_read_without_waiting() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let feed = begin(&mut events, &mut server, 7).await;
    for update in 0..3 {
        feed.send(update);
    }
    settle().await;
    let all = events.expect(&["update 0", "update 1", "update 2"]);
    timeout(Duration::ZERO, all).await.unwrap();
    events.expect_silence(LONG).await;
}

/// D-RA-6 (ZD23): the stream stays open, for ever, and goes on when the consumer does.
#[tokio::test(start_paused = true)]
async fn stream_stays_open_while_nobody_reads() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let feed = begin(&mut events, &mut server, 7).await;
    for update in 0..10 {
        sleep(LONG).await;
        feed.send(update);
    }
    sleep(LONG).await;
    assert_eq!((server.streams(), server.aborts()), (1, 0));
    for update in 0..10 {
        events.expect(&[&format!("update {update}")]).await;
    }
    feed.send(10);
    events.expect(&["update 10"]).await;
    assert_eq!(server.connects(), 1);
}
