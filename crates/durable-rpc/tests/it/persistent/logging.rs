//! What the log says of a persistent connection (P-CY-9), and of a subscription.

use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use durable_rpc::persistent::{Builder, Closable};
use durable_rpc::{AttemptError, Subscribed};
use futures_core::Stream;
use tokio::time::sleep;

use super::exchange::{DELAY, Exchange, Failure, Step};
use crate::checked::Checked;
use crate::dispatched::{Dispatched, Script, intact};
use crate::log::Log;
use crate::server::settle;

/// P-CY-9 (U2): the level, and the tags of each entry.
#[tokio::test(start_paused = true)]
async fn every_event_is_logged_with_its_tags() {
    let log = Log::start();
    let exchange = Exchange::new([
        Step::NoAddress("failed to get host and port"),
        Step::Connects("localhost 1234"),
    ]);
    let kept = exchange.keep();
    kept.connected().await.unwrap();
    settle().await;
    kept.close();
    kept.closed().await;
    let entries = log.take("durable_rpc::persistent");
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.level.as_str(), entry.field("event")))
        .collect();
    assert_eq!(
        told,
        [
            ("INFO", "Attempting_to_connect"),
            ("ERROR", "Failed_to_connect"),
            ("INFO", "Obtained_address"),
            ("INFO", "Connected"),
            ("INFO", "Disconnected"),
        ]
    );
    assert_eq!(entries[1].field("error"), "failed to get host and port");
    assert_eq!(entries[2].field("address"), "\"localhost 1234\"");
    for entry in &entries {
        assert_eq!(entry.field("persistent_connection_to"), "the exchange");
        assert!(entry.field("created_at").contains("exchange.rs:"));
    }
}

/// P-CY-9: where it was created is the caller's line.
#[tokio::test(start_paused = true)]
async fn place_of_creation_is_that_of_the_caller() {
    let log = Log::start();
    let exchange = Exchange::new([]);
    let line = line!() + 1;
    let builder = Builder::new(
        "nobody",
        || ready(Err::<&str, _>(Failure("no".into()))),
        move |address| exchange.clone().connect(address),
    );
    let kept = builder.retry_delay(DELAY).start();
    settle().await;
    let entries = log.take("durable_rpc::persistent");
    let place = entries[0].field("created_at");
    assert!(place.contains(&format!("logging.rs:{line}:")), "{place}");
    assert!(
        kept.current_connection()
            .is_none_or(|line| line.is_closed())
    );
}

/// The life of a subscription is a span of its name, in which attempts are made.
#[tokio::test(start_paused = true)]
async fn subscription_is_a_span() {
    let log = Log::start();
    let dispatched = Dispatched::new([Script::stream(1), Script::user_error()]);
    let config = durable_rpc::Config::new(DELAY).name("prices");
    let dispatch = dispatched.dispatch();
    let mut events = durable_rpc::subscribe(&intact(), config, move |()| {
        tracing::info!("dispatching");
        dispatch(())
    });
    for _ in 0..7 {
        events.next().await;
    }
    events.close();
    drop(events);
    sleep(Duration::from_secs(1)).await;
    let told = log.take("");
    let told: Vec<_> = told
        .iter()
        .map(|entry| {
            assert_eq!(entry.span, "durable_subscription name=prices");
            entry.field("message")
        })
        .collect();
    assert_eq!(
        told,
        [
            "attempting new connection",
            "dispatching",
            "subscribed",
            "no subscription",
            "attempting new connection",
            "dispatching",
            "no subscription",
            "closed",
        ]
    );
}

/// Gives one update, and panics instead of the next.
struct Panicking(bool);

impl Stream for Panicking {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
        assert!(!self.0, "as scripted");
        self.0 = true;
        Poll::Ready(Some(1))
    }
}

/// The loss of a stream that panics is like any other; the log knows what it was.
#[tokio::test(start_paused = true)]
async fn panic_of_the_updates_is_logged() {
    let log = Log::start();
    let config = durable_rpc::Config::new(DELAY).name("prices");
    let subscription = durable_rpc::subscribe(&intact(), config, |()| async {
        let subscribed = Subscribed {
            state: 0,
            updates: Panicking(false),
            metadata: (),
        };
        Ok::<Result<_, String>, AttemptError>(Ok(subscribed))
    });
    let mut events = Checked::new(subscription, DELAY);
    let round = ["attempting", "success", "state 0", "update 1", "lost"];
    for _ in 0..2 {
        events.expect(&round).await;
        let entries = log.take("durable_rpc::subscription");
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!(entries[0].level, "ERROR");
        assert_eq!(entries[0].message(), "stream of updates panicked");
        assert_eq!(entries[0].field("error"), "as scripted");
        assert_eq!(entries[0].span, "durable_subscription name=prices");
    }
}
