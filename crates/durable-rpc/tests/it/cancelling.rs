//! Futures that are dropped half-way (the promises under *Cancel safety*).

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use durable_rpc::{Durable, Subscribed, state, subscribe, subscribe_or_fail};
use tokio::task::yield_now;

use crate::checked::{Checked, DELAY, LONG, counts, label};
use crate::dispatched::{Dispatched, Script, intact};
use crate::server::{COUNT, Server, settle};

/// The result of a future if one poll is enough.
pub(crate) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Dispatches and streams that are pending again and again.
fn outcomes() -> [Script; 5] {
    [
        Script::stream(3),
        Script::user_error(),
        Script::failure(),
        Script::stream(0),
        Script::stream(5),
    ]
}

/// No event is lost, none comes twice, no dispatch is begun again.
#[tokio::test(start_paused = true)]
async fn next_that_is_dropped_at_every_poll_loses_nothing() {
    let run = async |dropping: bool| {
        let dispatched = Dispatched::new(outcomes());
        let subscription = subscribe(&intact(), DELAY, dispatched.dispatch());
        let mut events = Checked::new(subscription, DELAY);
        let mut labels = Vec::new();
        while labels.len() < 22 {
            let event = if dropping {
                let event = poll_once(Box::pin(events.next()).as_mut()).await;
                if event.is_none() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    continue;
                }
                event.flatten()
            } else {
                events.next().await
            };
            labels.push(label(&event.unwrap()));
        }
        (labels, dispatched.dispatches())
    };
    let undisturbed = run(false).await;
    assert_eq!(undisturbed.1, 5);
    assert_eq!(undisturbed, run(true).await);
}

/// The same over a connection.
#[tokio::test(start_paused = true)]
async fn deadlines_around_next_do_not_disturb_a_subscription() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let script = tokio::spawn(async move {
        for round in 0..10 {
            let feed = server.call().await.accept(round);
            for update in 0..5 {
                settle().await;
                feed.send(update);
                yield_now().await;
            }
            feed.end();
            if round % 2 == 0 {
                settle().await;
                server.cut();
            }
        }
        server.connects()
    });
    let mut labels = Vec::new();
    while labels.len() < 90 {
        let next = tokio::time::timeout(Duration::from_micros(100), events.next());
        if let Ok(event) = next.await {
            labels.push(label(&event.unwrap()));
        }
    }
    let expected = (0..10).flat_map(|round| {
        let updates = (0..5).map(|update| format!("update {update}"));
        let beginning = ["attempting", "success"].map(str::to_owned);
        let state = [format!("state {round}")];
        let lost = ["lost".to_owned()];
        beginning
            .into_iter()
            .chain(state)
            .chain(updates)
            .chain(lost)
    });
    assert_eq!(labels, expected.collect::<Vec<_>>());
    assert_eq!(script.await.unwrap(), 6);
}

/// Like dropping the subscription: the callee is told, and nothing goes on.
#[tokio::test(start_paused = true)]
async fn create_or_fail_that_is_dropped_leaves_nothing_behind() {
    let mut server = Server::start();
    let connection = server.durable();
    let creating = state::create_or_fail(&COUNT, &connection, 42, DELAY);
    let mut call = tokio::select! {
        _ = creating => unreachable!("not answered"),
        call = server.call() => call,
    };
    call.cancelled().await;
    tokio::time::sleep(LONG).await;
    assert!(!server.has_calls());
    assert_eq!((server.aborts(), server.streams()), (1, 0));
    let closed = connection.with(async |connection| connection.is_closed());
    assert!(!closed.await.unwrap());
    assert_eq!(server.connects(), 1);
}

/// While the value is being built there is no callee to tell; the build goes on (rule D-DU-9).
#[tokio::test(start_paused = true)]
async fn create_or_fail_that_is_dropped_during_the_build_does_not_disturb_it() {
    let server = Server::start();
    let connection = server.durable();
    let door = server.shut_door();
    let mut creating = Box::pin(state::create_or_fail(&COUNT, &connection, 42, DELAY));
    assert!(poll_once(creating.as_mut()).await.is_none());
    settle().await;
    drop(creating);
    drop(door);
    settle().await;
    assert!(!server.has_calls());
    connection.with(async |_| ()).await.unwrap();
    assert_eq!(server.connects(), 1);
}

/// The dispatch is dropped with the future.
#[tokio::test(start_paused = true)]
async fn subscribe_or_fail_that_is_dropped_drops_the_dispatch() {
    struct Canary(std::sync::Arc<()>);
    let alive = std::sync::Arc::new(());
    let canary = alive.clone();
    let number = Durable::new(async || Ok::<_, std::fmt::Error>(1), |_| false);
    let mut subscribing = Box::pin(subscribe_or_fail(&number, DELAY, move |_| {
        let canary = Canary(canary.clone());
        async move {
            std::future::pending::<()>().await;
            drop(canary.0);
            Ok(Ok::<_, ()>(Subscribed {
                state: (),
                updates: crate::dispatched::Counting::new(0),
                metadata: (),
            }))
        }
    }));
    for _ in 0..2 {
        assert!(poll_once(subscribing.as_mut()).await.is_none());
        settle().await;
    }
    // Ours, the dispatch function's, and that of the dispatch going on.
    assert_eq!(std::sync::Arc::strong_count(&alive), 3);
    drop(subscribing);
    assert_eq!(std::sync::Arc::strong_count(&alive), 1);
}
