//! The state that follows its stream, and what is said of its freshness.

use std::time::Duration;

use durable_rpc::{
    Config, Durable, Followed, Freshness, Interruption, Retry, Subscribed, SubscriptionEnded,
    subscribe,
};
use rpc_core::{Connection, PipeMetadata};
use tokio::time::{Instant, sleep, timeout};

use crate::checked::{DELAY, LONG};
use crate::server::{COUNT, Feed, Server, settle, some_time};

const SECOND: Duration = Duration::from_secs(1);

/// A stream's state, and the updates since.
type Log = Vec<i64>;
type Logs = durable_rpc::Subscription<Log, i64, String, PipeMetadata>;

fn logs(connection: &Durable<Connection>, config: impl Into<Config>) -> Logs {
    subscribe(connection, config, |connection| async move {
        let answer = COUNT.dispatch(&connection, &42).await?;
        Ok(answer.map(|(state, updates)| Subscribed {
            state: vec![state],
            metadata: updates.metadata(),
            updates,
        }))
    })
}

fn follow(connection: &Durable<Connection>) -> Followed<Log> {
    logs(connection, DELAY).follow(|log, update| log.push(update))
}

async fn begin(server: &mut Server, state: i64) -> Feed {
    let feed = server.call().await.accept(state);
    settle().await;
    feed
}

fn log(followed: &Followed<Log>) -> Option<Log> {
    followed.borrow().state().cloned()
}

/// When it became stale, and why.
fn stale(followed: &Followed<Log>) -> (Instant, Interruption) {
    match followed.borrow().freshness() {
        Freshness::Stale { since, why } => (*since, why.clone()),
        other => panic!("{other:?}"),
    }
}

/// The state is that of the stream, with every update of it, and nothing else.
#[tokio::test(start_paused = true)]
async fn state_is_what_the_stream_makes_of_it() {
    let mut server = Server::start();
    let start = Instant::now();
    let followed = follow(&server.durable());
    assert!(log(&followed).is_none());
    assert!(matches!(
        followed.borrow().freshness(),
        Freshness::Awaited { since } if *since == start
    ));
    let feed = begin(&mut server, 7).await;
    assert_eq!(log(&followed), Some(vec![7]));
    assert!(matches!(
        followed.borrow().freshness(),
        Freshness::Fresh { since } if *since == start
    ));
    for update in 8..20 {
        feed.send(update);
    }
    settle().await;
    assert_eq!(log(&followed), Some((7..20).collect()));
}

/// The old state stays, said to be stale since the loss, until there is a new one; nothing of the
/// old one is in that.
#[tokio::test(start_paused = true)]
async fn state_is_stale_between_two_streams() {
    let mut server = Server::start();
    let followed = follow(&server.durable());
    let feed = begin(&mut server, 7).await;
    feed.send(8);
    settle().await;
    server.stop();
    let lost = Instant::now();
    settle().await;
    assert_eq!(log(&followed), Some(vec![7, 8]));
    assert!(!followed.borrow().is_fresh());
    let (since, why) = stale(&followed);
    assert_eq!(since, lost);
    assert!(matches!(why, Interruption::Lost));

    sleep(DELAY + SECOND).await;
    let (since, why) = stale(&followed);
    assert_eq!(since, lost, "still the same");
    assert!(matches!(why, Interruption::FailedToConnect(_)));
    assert_eq!(why.to_string(), "connection refused");

    server.restart();
    let feed = begin(&mut server, 100).await;
    assert_eq!(log(&followed), Some(vec![100]));
    assert!(followed.borrow().is_fresh());
    feed.send(101);
    settle().await;
    assert_eq!(log(&followed), Some(vec![100, 101]));
    let now = followed.borrow();
    assert_eq!((now.streams(), now.updates()), (2, 1));
}

/// Stale from the beginning, if nothing succeeds; there is no state, and the reason is there.
#[tokio::test(start_paused = true)]
async fn state_that_has_never_been_is_stale() {
    let mut server = Server::start();
    server.stop();
    let start = Instant::now();
    let mut followed = follow(&server.durable());
    followed.changed().await.unwrap();
    let (since, why) = stale(&followed);
    assert_eq!(since, start);
    assert!(matches!(why, Interruption::FailedToConnect(_)));
    assert!(log(&followed).is_none());
    server.restart();
    some_time(server.call()).await.refuse("no");
    settle().await;
    let (since, why) = stale(&followed);
    assert_eq!(since, start);
    assert!(matches!(why, Interruption::RpcError));
}

/// Who waits is woken by a state, an update and a loss, and sees the latest.
#[tokio::test(start_paused = true)]
async fn changes_can_be_waited_for() {
    let mut server = Server::start();
    let mut followed = follow(&server.durable());
    let feed = begin(&mut server, 7).await;
    some_time(followed.changed()).await.unwrap();
    assert_eq!(log(&followed), Some(vec![7]));
    assert!(
        timeout(LONG, followed.changed()).await.is_err(),
        "nothing new"
    );
    for update in 8..12 {
        feed.send(update);
    }
    settle().await;
    some_time(followed.changed()).await.unwrap();
    assert_eq!(log(&followed), Some(vec![7, 8, 9, 10, 11]));
    assert!(
        timeout(LONG, followed.changed()).await.is_err(),
        "seen at once"
    );
    feed.end();
    some_time(followed.changed()).await.unwrap();
    assert!(!followed.borrow().is_fresh());
}

#[tokio::test(start_paused = true)]
async fn freshness_can_be_waited_for() {
    let mut server = Server::start();
    let mut followed = follow(&server.durable());
    let feed = begin(&mut server, 7).await;
    assert_eq!(
        some_time(followed.fresh()).await.unwrap().state(),
        Some(&vec![7])
    );
    feed.end();
    settle().await;
    assert!(timeout(DELAY / 2, followed.fresh()).await.is_err());
    let lost = Instant::now();
    let _feed = begin(&mut server, 8).await;
    assert_eq!(
        some_time(followed.fresh()).await.unwrap().state(),
        Some(&vec![8])
    );
    assert!(lost.elapsed() < DELAY);
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is odd")]
struct Odd(i64);

/// Takes no odd numbers, by an error or by a panic.
fn even(connection: &Durable<Connection>, panics: bool) -> Followed<Log> {
    logs(connection, DELAY).follow(move |log, update| {
        log.push(update);
        if update % 2 == 0 {
            return Ok(());
        }
        assert!(!panics, "{}", Odd(update));
        Err(Odd(update))
    })
}

/// An update that does not fit makes the state stale at once, and nothing after it is folded in;
/// the stream is given up, and another one begun.
#[tokio::test(start_paused = true)]
async fn update_that_does_not_fit_ends_the_stream() {
    for (panics, text) in [
        (false, "an update did not fit: 5 is odd"),
        (
            true,
            "an update did not fit: applying an update panicked: 5 is odd",
        ),
    ] {
        let mut server = Server::start();
        let followed = even(&server.durable(), panics);
        let feed = begin(&mut server, 7).await;
        for update in [2, 4, 5, 6, 8] {
            feed.send(update);
        }
        feed.aborted().await;
        settle().await;
        assert_eq!(log(&followed), Some(vec![7, 2, 4, 5]));
        assert_eq!(followed.borrow().updates(), 2, "that are in it");
        assert_eq!(stale(&followed).1.to_string(), text);
        let feed = begin(&mut server, 10).await;
        feed.send(12);
        settle().await;
        assert_eq!(log(&followed), Some(vec![10, 12]));
        assert!(followed.borrow().is_fresh());
        assert_eq!((server.aborts(), server.connects()), (1, 1));
        let stats = followed.monitor().stats();
        assert_eq!((stats.losses, stats.refused), (1, 1));
    }
}

/// What does not fit is told and counted, also if the stream's end comes with it; and what is counted
/// stays so, when there is something else to tell.
#[tokio::test(start_paused = true)]
async fn refused_update_is_not_forgotten_over_what_follows() {
    let mut server = Server::start();
    let followed = even(&server.durable(), false);
    let feed = begin(&mut server, 7).await;
    feed.send(5);
    feed.end();
    settle().await;
    assert!(matches!(stale(&followed).1, Interruption::Refused(_)));
    server.stop();
    sleep(DELAY).await;
    assert!(matches!(
        stale(&followed).1,
        Interruption::FailedToConnect(_)
    ));
    assert_eq!(followed.monitor().stats().refused, 1);
    server.restart();
    let feed = begin(&mut server, 8).await;
    assert!(followed.borrow().is_fresh());
    assert_eq!(followed.monitor().stats().refused, 1);
    feed.end();
    settle().await;
    assert!(matches!(stale(&followed).1, Interruption::Lost));
    assert_eq!(followed.monitor().stats().refused, 1);
}

/// There is no moment at which a stale state is said to be fresh.
#[tokio::test(start_paused = true)]
async fn state_that_refuses_is_never_seen_fresh() {
    let mut server = Server::start();
    let mut followed = even(&server.durable(), false);
    let feed = begin(&mut server, 7).await;
    let watching = tokio::spawn(async move {
        loop {
            followed.changed().await.unwrap();
            let now = followed.borrow();
            let log = now.state().unwrap();
            assert_eq!(now.is_fresh(), !log.contains(&5));
            if !now.is_fresh() {
                break;
            }
        }
    });
    for update in [2, 4, 5] {
        feed.send(update);
        tokio::task::yield_now().await;
    }
    some_time(watching).await.unwrap();
}

/// When nobody follows any more, the callee is told, and nothing goes on.
#[tokio::test(start_paused = true)]
async fn dropping_the_last_clone_closes_the_subscription() {
    let mut server = Server::start();
    let connection = server.durable();
    let followed = follow(&connection);
    let other = followed.clone();
    let feed = begin(&mut server, 7).await;
    drop(followed);
    feed.send(8);
    settle().await;
    assert_eq!(log(&other), Some(vec![7, 8]));
    let monitor = other.monitor().clone();
    drop(other);
    feed.aborted().await;
    sleep(LONG).await;
    assert!(!server.has_calls());
    assert!(matches!(monitor.status(), durable_rpc::Status::Closed));
    assert_eq!((server.aborts(), server.connects()), (1, 1));
}

/// The last state stays to be looked at; waiting says that nothing comes.
#[tokio::test(start_paused = true)]
async fn end_of_the_subscription_is_an_error_of_who_waits() {
    let mut server = Server::start();
    let retry = Retry::fixed(SECOND).give_up_after(3 * SECOND);
    let followed = logs(&server.durable(), retry).follow(|log, update| log.push(update));
    let mut followed = followed.clone();
    let _feed = begin(&mut server, 7).await;
    server.stop();
    while some_time(followed.changed()).await.is_ok() {}
    assert_eq!(followed.changed().await, Err(SubscriptionEnded));
    assert!(matches!(followed.fresh().await, Err(SubscriptionEnded)));
    assert_eq!(log(&followed), Some(vec![7]));
    assert!(matches!(
        stale(&followed).1,
        Interruption::FailedToConnect(_)
    ));
}

/// A stuck callee makes the state stale, although its connection lives.
#[tokio::test(start_paused = true)]
async fn silence_makes_the_state_stale() {
    let mut server = Server::start();
    let config = Config::new(DELAY).silence_limit(LONG);
    let followed = logs(&server.durable(), config).follow(|log, update| log.push(update));
    let _feed = begin(&mut server, 7).await;
    sleep(LONG - SECOND).await;
    assert!(followed.borrow().is_fresh());
    sleep(SECOND).await;
    assert!(matches!(stale(&followed).1, Interruption::Silent));
}
