//! What is told of a subscription while it goes on.

use std::time::Duration;

use durable_rpc::{Config, Interruption, Status, pipe, state};
use tokio::join;
use tokio::time::{Instant, sleep};

use crate::checked::{Checked, DELAY, counts};
use crate::events::{ask, begin};
use crate::server::{COUNT, Server, TICKS, settle};

const SECOND: Duration = Duration::from_secs(1);

/// Each status, as it comes and as it is shown.
#[tokio::test(start_paused = true)]
async fn status_says_what_the_subscription_is_doing() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let monitor = events.subscription.monitor();
    let start = Instant::now();
    let zero = "attempts 0, losses 0, updates 0, connected 0.0 s";
    assert!(matches!(monitor.status(), Status::NotStarted));
    assert_eq!(
        monitor.to_string(),
        format!("count version 1: not started; {zero}")
    );

    let call = ask(&mut events, &mut server).await;
    sleep(2 * SECOND).await;
    assert!(matches!(monitor.status(), Status::Attempting { since } if since == start));
    let attempting = "count version 1: attempting for 2.0 s; attempts 1, ";
    assert!(monitor.to_string().starts_with(attempting));

    let feed = call.accept(7);
    feed.send(8);
    events.expect(&["success", "state 7", "update 8"]).await;
    let subscribed = Instant::now();
    sleep(12 * SECOND).await;
    assert!(matches!(monitor.status(), Status::Subscribed { since } if since == subscribed));
    assert_eq!(
        monitor.to_string(),
        "count version 1: subscribed for 12 s; attempts 1, losses 0, updates 1, connected 12 s"
    );

    server.stop();
    events.expect(&["lost"]).await;
    let lost = Instant::now();
    sleep(SECOND).await;
    let status = monitor.status();
    let Status::Waiting {
        since,
        until,
        after,
    } = status
    else {
        panic!("{status:?}");
    };
    assert_eq!((since, until), (lost, lost + DELAY));
    assert!(matches!(after, Interruption::Lost));
    let waiting =
        "count version 1: next attempt in 9.0 s after: the stream ended; attempts 1, losses 1, ";
    assert!(monitor.to_string().starts_with(waiting));

    events
        .expect(&["attempting", "failed: connection refused"])
        .await;
    let waiting = "count version 1: next attempt in 10 s after: connection refused; attempts 2, ";
    assert!(monitor.to_string().starts_with(waiting));

    events.subscription.close();
    assert!(matches!(monitor.status(), Status::Closed));
    assert!(
        monitor
            .to_string()
            .starts_with("count version 1: closed; attempts 2, ")
    );
    assert_eq!(events.subscription.to_string(), monitor.to_string());
}

/// Everything is counted where it happens, and the time with a stream added up.
#[tokio::test(start_paused = true)]
async fn attempts_losses_and_time_connected_are_counted() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let monitor = events.subscription.monitor();
    for round in 0..3 {
        let feed = begin(&mut events, &mut server, 7).await;
        for update in 0..=round {
            feed.send(update);
            events.expect(&[&format!("update {update}")]).await;
        }
        sleep(100 * SECOND).await;
        feed.end();
        events.expect(&["lost"]).await;
    }
    let ((), ()) = join!(events.expect(&["attempting", "error no"]), async {
        server.call().await.refuse("no");
    });
    server.stop();
    events
        .expect(&["attempting", "failed: connection refused"])
        .await;
    server.restart();
    let _feed = begin(&mut events, &mut server, 7).await;
    sleep(7 * SECOND).await;
    let stats = monitor.stats();
    assert_eq!((stats.attempts, stats.successes), (6, 4));
    assert_eq!((stats.failures, stats.rpc_errors), (1, 1));
    assert_eq!((stats.losses, stats.silences), (3, 0));
    assert_eq!(stats.updates, 6);
    assert_eq!(stats.connected, 307 * SECOND);
    assert_eq!(events.subscription.stats(), stats);
    drop(events);
    sleep(SECOND).await;
    assert_eq!(monitor.stats(), stats, "it is over");
    assert!(matches!(monitor.status(), Status::Closed));
}

/// A failure of the first attempt of *create or fail* is all there is.
#[tokio::test(start_paused = true)]
async fn attempt_ahead_of_time_is_counted_once() {
    let mut server = Server::start();
    let connection = server.durable();
    let (mut events, _feed) = crate::or_fail::established(&connection, &mut server).await;
    let monitor = events.subscription.monitor();
    assert!(matches!(monitor.status(), Status::Subscribed { .. }));
    events.expect(&["attempting", "success", "state 7"]).await;
    settle().await;
    let stats = monitor.stats();
    assert_eq!((stats.attempts, stats.successes), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn name_is_the_configured_one_or_that_of_the_rpc() {
    let connection = Server::start().durable();
    let named = |config: Config| {
        let counts = state::create(&COUNT, &connection, 42, config.clone());
        let ticks = pipe::create(&TICKS, &connection, 42, config);
        [
            counts.monitor().name().to_owned(),
            ticks.monitor().name().to_owned(),
        ]
    };
    assert_eq!(named(DELAY.into()), ["count version 1", "ticks version 1"]);
    let config = Config::new(DELAY).name("everything");
    assert_eq!(named(config), ["everything", "everything"]);
}

/// A monitor does not keep a subscription alive, and an updates' count is that of all streams.
#[tokio::test(start_paused = true)]
async fn monitor_outlives_its_subscription() {
    let mut server = Server::start();
    let connection = server.durable();
    let subscription = state::create(&COUNT, &connection, 42, DELAY);
    let mut events = Checked::new(subscription, DELAY);
    let monitor = events.subscription.monitor().clone();
    let feed = begin(&mut events, &mut server, 7).await;
    drop(events);
    feed.aborted().await;
    assert!(matches!(monitor.status(), Status::Closed));
}
