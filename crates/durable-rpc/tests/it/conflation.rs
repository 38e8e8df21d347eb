//! A bound on what waits for a slow consumer. The grammar of the events is checked in every test.

use std::num::NonZeroUsize;

use durable_rpc::{Conflated, Durable, Event, Interruption, Overflow, Status, pipe, state};
use rpc_core::{Connection, PipeMetadata};
use tokio::join;
use tokio::time::{Instant, sleep};

use crate::checked::{DELAY, LONG, label};
use crate::server::{COUNT, Feed, Server, TICKS, settle, some_time};

/// The bound in these tests.
const BOUND: usize = 4;

type Counts = Conflated<i64, i64, String, PipeMetadata>;

fn conflated(connection: &Durable<Connection>, overflow: Overflow<i64>) -> Counts {
    let counts = state::create(&COUNT, connection, 42, DELAY);
    counts.conflated(NonZeroUsize::new(BOUND).unwrap(), overflow)
}

/// Adds up.
fn sums() -> Overflow<i64> {
    Overflow::merge(|sum: &mut i64, more| *sum += more)
}

async fn expect(counts: &mut Counts, expected: &[&str]) {
    for expected in expected {
        let event = some_time(counts.next()).await;
        assert_eq!(event.as_ref().map(label).as_deref(), Some(*expected));
    }
}

/// A stream that is open, with nothing read of it.
async fn begin(server: &mut Server, state: i64) -> Feed {
    let feed = server.call().await.accept(state);
    settle().await;
    feed
}

const BEGUN: [&str; 3] = ["attempting", "success", "state 7"];

/// While the consumer keeps up, every policy is the same, and the same as without a bound.
#[tokio::test(start_paused = true)]
async fn consumer_that_keeps_up_sees_every_update() {
    for overflow in [Overflow::Wait, sums(), Overflow::Resubscribe] {
        let mut server = Server::start();
        let mut counts = conflated(&server.durable(), overflow);
        let feed = begin(&mut server, 7).await;
        expect(&mut counts, &BEGUN).await;
        for round in 0..3 {
            for update in 0..BOUND as i64 {
                feed.send(10 * round + update);
            }
            settle().await;
            for update in 0..BOUND as i64 {
                expect(&mut counts, &[&format!("update {}", 10 * round + update)]).await;
            }
        }
        feed.end();
        expect(&mut counts, &["lost"]).await;
        let lost = Instant::now();
        let _feed = begin(&mut server, 8).await;
        expect(&mut counts, &["attempting", "success", "state 8"]).await;
        let waited = lost.elapsed();
        assert!(waited >= DELAY && waited < DELAY + 2 * std::time::Duration::from_millis(1));
    }
}

/// Nothing is lost: the others wait in the stream, and come in order.
#[tokio::test(start_paused = true)]
async fn updates_without_a_place_wait_in_their_stream() {
    let mut server = Server::start();
    let mut counts = conflated(&server.durable(), Overflow::Wait);
    let feed = begin(&mut server, 7).await;
    for update in 0..100 {
        feed.send(update);
        settle().await;
    }
    assert_eq!(counts.monitor().stats().updates, BOUND as u64);
    feed.end();
    expect(&mut counts, &BEGUN).await;
    for update in 0..100 {
        settle().await;
        let taken = counts.monitor().stats().updates;
        assert!(taken <= update + BOUND as u64);
        expect(&mut counts, &[&format!("update {update}")]).await;
    }
    expect(&mut counts, &["lost"]).await;
}

/// The last one takes in what comes after it.
#[tokio::test(start_paused = true)]
async fn updates_without_a_place_are_merged_into_the_last_one() {
    let mut server = Server::start();
    let mut counts = conflated(&server.durable(), sums());
    let feed = begin(&mut server, 7).await;
    for _ in 0..100 {
        feed.send(1);
        settle().await;
    }
    feed.end();
    settle().await;
    expect(&mut counts, &BEGUN).await;
    expect(
        &mut counts,
        &["update 1", "update 1", "update 1", "update 97", "lost"],
    )
    .await;
    assert_eq!(counts.monitor().stats().dropped_updates, 0);
}

/// Also when the consumer takes some in between: nothing is counted twice, or not at all.
#[tokio::test(start_paused = true)]
async fn merged_updates_add_up_whenever_they_are_read() {
    for reads in 1..8 {
        let mut server = Server::start();
        let mut counts = conflated(&server.durable(), sums());
        let feed = begin(&mut server, 0).await;
        expect(&mut counts, &["attempting", "success", "state 0"]).await;
        let mut sum = 0;
        for update in 0..200 {
            feed.send(update);
            if update % 5 == 0 {
                settle().await;
            }
            if update % reads == 0 {
                let event = some_time(counts.next()).await;
                let Some(Event::Update(update)) = event else {
                    panic!("{event:?}");
                };
                sum += update;
            }
        }
        feed.end();
        loop {
            match some_time(counts.next()).await {
                Some(Event::Update(update)) => sum += update,
                other => break assert!(matches!(other, Some(Event::LostConnection))),
            }
        }
        assert_eq!(sum, (0..200).sum::<i64>());
    }
}

/// The consumer learns of a loss in place of the updates, and then has a state that is as new as
/// can be.
#[tokio::test(start_paused = true)]
async fn stream_with_too_many_updates_is_made_again() {
    let mut server = Server::start();
    let mut counts = conflated(&server.durable(), Overflow::Resubscribe);
    let feed = begin(&mut server, 7).await;
    for update in 0..=BOUND as i64 {
        assert!(!feed.is_aborted());
        feed.send(update);
        settle().await;
    }
    feed.aborted().await;
    assert!(matches!(
        counts.monitor().status(),
        Status::Waiting {
            after: Interruption::Overflowed { dropped_updates: 5 },
            ..
        }
    ));
    sleep(LONG).await;
    assert!(
        !server.has_calls(),
        "there is no snapshot to get before somebody wants it"
    );
    expect(&mut counts, &BEGUN).await;
    expect(&mut counts, &["lost"]).await;
    let feed = begin(&mut server, 8).await;
    feed.send(9);
    expect(
        &mut counts,
        &["attempting", "success", "state 8", "update 9"],
    )
    .await;
    let stats = counts.monitor().stats();
    assert_eq!((stats.dropped_updates, stats.losses), (5, 1));
    assert_eq!((server.aborts(), server.connects()), (1, 1));
}

/// Also of those that had come together with the one that found no place.
#[tokio::test(start_paused = true)]
async fn every_update_that_is_dropped_is_counted() {
    let mut server = Server::start();
    let mut counts = conflated(&server.durable(), Overflow::Resubscribe);
    let feed = begin(&mut server, 7).await;
    for update in 0..10 {
        feed.send(update);
    }
    feed.aborted().await;
    let stats = counts.monitor().stats();
    assert_eq!((stats.dropped_updates, stats.losses), (10, 1));
    expect(&mut counts, &BEGUN).await;
    expect(&mut counts, &["lost"]).await;
}

/// At the bound nothing happens yet; who takes one makes room for one.
#[tokio::test(start_paused = true)]
async fn bound_is_exact() {
    let mut server = Server::start();
    let mut counts = conflated(&server.durable(), Overflow::Resubscribe);
    let feed = begin(&mut server, 7).await;
    expect(&mut counts, &BEGUN).await;
    for update in 0..BOUND as i64 {
        feed.send(update);
    }
    settle().await;
    for update in 0..20 {
        expect(&mut counts, &[&format!("update {update}")]).await;
        feed.send(update + BOUND as i64);
        settle().await;
        assert!(!feed.is_aborted());
    }
    feed.send(100);
    feed.aborted().await;
}

/// A function that panics leaves no hole: the stream is made again.
#[tokio::test(start_paused = true)]
async fn panic_while_merging_gives_the_stream_up() {
    let mut server = Server::start();
    let overflow = Overflow::merge(|_: &mut i64, _| panic!("as scripted"));
    let mut counts = conflated(&server.durable(), overflow);
    let feed = begin(&mut server, 7).await;
    for update in 0..=BOUND as i64 {
        feed.send(update);
    }
    feed.aborted().await;
    assert_eq!(counts.monitor().stats().dropped_updates, BOUND as u64 + 1);
    expect(&mut counts, &BEGUN).await;
    expect(&mut counts, &["lost"]).await;
    let _feed = begin(&mut server, 8).await;
    expect(&mut counts, &["attempting", "success", "state 8"]).await;
}

/// Decision 7: while nobody reads, one round is kept, and no second one begun.
#[tokio::test(start_paused = true)]
async fn nothing_piles_up_while_nobody_reads() {
    for overflow in [Overflow::Wait, sums(), Overflow::Resubscribe] {
        let mut server = Server::start();
        let mut counts = conflated(&server.durable(), overflow);
        let feed = begin(&mut server, 7).await;
        feed.send(1);
        settle().await;
        for _ in 0..100 {
            server.stop();
            sleep(DELAY).await;
            server.restart();
            sleep(DELAY).await;
        }
        assert_eq!(server.connects(), 1);
        expect(&mut counts, &BEGUN).await;
        expect(&mut counts, &["update 1", "lost"]).await;
        let _feed = begin(&mut server, 8).await;
        expect(&mut counts, &["attempting", "success", "state 8"]).await;
    }
}

/// D-CL-1, D-CL-2: also of what waits.
#[tokio::test(start_paused = true)]
async fn closing_ends_the_events_and_tells_the_callee() {
    for drops in [false, true] {
        let mut server = Server::start();
        let connection = server.durable();
        let mut counts = conflated(&connection, Overflow::Wait);
        let feed = begin(&mut server, 7).await;
        feed.send(1);
        settle().await;
        expect(&mut counts, &["attempting"]).await;
        if drops {
            drop(counts);
        } else {
            counts.close();
            assert!(counts.next().await.is_none());
            counts.close();
        }
        feed.aborted().await;
        sleep(LONG).await;
        assert!(!server.has_calls());
        assert_eq!((server.aborts(), server.connects()), (1, 1));
        let open = connection.with(async |connection| connection.open_queries());
        assert_eq!(open.await.unwrap(), 0);
    }
}

/// A consumer that waits for an event learns that the subscription has given up.
#[tokio::test(start_paused = true)]
async fn end_of_the_subscription_is_the_end_of_the_queue() {
    let server = Server::start();
    server.stop();
    let retry = durable_rpc::Retry::fixed(DELAY).give_up_after(DELAY);
    let counts = state::create(&COUNT, &server.durable(), 42, retry);
    let mut counts = counts.conflated(NonZeroUsize::MIN, Overflow::Wait);
    let failure = ["attempting", "failed: connection refused"];
    expect(&mut counts, &failure).await;
    expect(&mut counts, &failure).await;
    assert!(some_time(counts.next()).await.is_none());
    assert!(counts.next().await.is_none());
}

/// The pipe form: its state is the unit.
#[tokio::test(start_paused = true)]
async fn pipes_can_be_conflated() {
    let mut server = Server::start();
    let ticks = pipe::create(&TICKS, &server.durable(), 42, DELAY);
    let mut ticks = ticks.with_unit_state().conflated(NonZeroUsize::MIN, sums());
    let feed = begin(&mut server, 0).await;
    for _ in 0..10 {
        feed.send(3);
    }
    settle().await;
    let (events, ()) = join!(
        async {
            let mut sums = Vec::new();
            while sums.len() < 2 {
                if let Some(Event::Update(sum)) = ticks.next().await {
                    sums.push(sum);
                }
            }
            sums
        },
        async {
            settle().await;
            feed.send(1);
        }
    );
    assert_eq!(events, [30, 1]);
}
