//! What comes in which order (*durable* §2.2). The grammar itself is checked in every test.

use std::pin::Pin;
use std::time::Duration;

use durable_rpc::{Event, state};
use futures_core::Stream;
use rpc_core::{PipeCloseReason, PipeMetadata};
use tokio::join;
use tokio::time::{Instant, timeout};

use crate::checked::{Checked, Counts, DELAY, LONG, counts, label};
use crate::dispatched::{Dispatched, Script, intact};
use crate::server::{COUNT, Call, Feed, Server, settle, some_time};

/// An attempt that succeeds with this state.
pub(crate) async fn begin(events: &mut Counts, server: &mut Server, state: i64) -> Feed {
    let label = format!("state {state}");
    let expected = ["attempting", "success", &label];
    let (feed, ()) = join!(
        async { server.call().await.accept(state) },
        events.expect(&expected)
    );
    feed
}

/// An attempt whose query has arrived, and is not answered; the consumer does not wait for it
/// any more.
pub(crate) async fn ask(events: &mut Counts, server: &mut Server) -> Call {
    events.expect(&["attempting"]).await;
    tokio::select! {
        event = events.next() => unreachable!("{event:?}"),
        call = server.call() => call,
    }
}

/// D-EV-1, D-EV-2, D-EV-5 (ZD11).
#[tokio::test(start_paused = true)]
async fn stream_begins_with_success_and_state_and_goes_on_with_its_updates() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let feed = begin(&mut events, &mut server, 7).await;
    for update in 8..12 {
        feed.send(update);
    }
    events
        .expect(&["update 8", "update 9", "update 10", "update 11"])
        .await;
    settle().await;
    feed.send(12);
    events.expect(&["update 12"]).await;
    events.expect_silence(LONG).await;
}

/// D-EV-1: the state is there with the success, without any waiting, even if nothing of the
/// server's goes on.
#[tokio::test(start_paused = true)]
async fn nothing_comes_between_success_and_state() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let (feed, ()) = join!(
        async { server.call().await.accept(7) },
        events.expect(&["attempting", "success"])
    );
    feed.send(8);
    feed.end();
    settle().await;
    server.stop();
    tokio::time::sleep(LONG).await;
    timeout(Duration::ZERO, events.expect(&["state 7"]))
        .await
        .unwrap();
    events.expect(&["update 8", "lost"]).await;
}

/// D-EV-2 (ZD14).
#[tokio::test(start_paused = true)]
async fn updates_that_arrived_are_delivered_before_the_loss() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let feed = begin(&mut events, &mut server, 7).await;
    feed.send(8);
    feed.send(9);
    settle().await;
    server.stop();
    settle().await;
    events.expect(&["update 8", "update 9", "lost"]).await;
}

/// D-EV-3: the metadata of a stream tells why it ended; the event does not.
#[tokio::test(start_paused = true)]
async fn metadata_knows_why_the_stream_was_lost() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());

    let (metadata, feed) = metadata(&mut events, &mut server).await;
    feed.end();
    events.expect(&["lost"]).await;
    let reason = some_time(metadata.close_reason()).await;
    assert!(matches!(reason, PipeCloseReason::ClosedRemotely));

    let (metadata, _feed) = self::metadata(&mut events, &mut server).await;
    server.cut();
    events.expect(&["lost"]).await;
    let reason = some_time(metadata.close_reason()).await;
    assert!(matches!(reason, PipeCloseReason::Error(_)));

    let (metadata, _feed) = self::metadata(&mut events, &mut server).await;
    events.subscription.close();
    let reason = some_time(metadata.close_reason()).await;
    assert!(matches!(reason, PipeCloseReason::ClosedLocally));
}

async fn metadata(events: &mut Counts, server: &mut Server) -> (PipeMetadata, Feed) {
    events.expect(&["attempting"]).await;
    let (success, feed) = join!(events.next(), async { server.call().await.accept(7) });
    events.expect(&["state 7"]).await;
    match success {
        Some(Event::ConnectionSuccess(metadata)) => (metadata, feed),
        other => panic!("{other:?}"),
    }
}

/// Each stream has a handle of its own.
#[tokio::test(start_paused = true)]
async fn metadata_of_two_streams_differ() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let (first, feed) = metadata(&mut events, &mut server).await;
    feed.end();
    events.expect(&["lost"]).await;
    let (second, _feed) = metadata(&mut events, &mut server).await;
    assert_ne!(first.id(), second.id());
}

/// D-EV-4, D-EV-5: whatever happens, for a thousand rounds.
#[tokio::test(start_paused = true)]
async fn stream_of_events_never_ends_by_itself() {
    let outcomes = [Script::stream(1), Script::user_error(), Script::failure()];
    let scripts = outcomes.into_iter().cycle().take(1000);
    let dispatched = Dispatched::new(scripts.clone());
    let subscription = durable_rpc::subscribe(&intact(), DELAY, dispatched.dispatch());
    let mut events = Checked::new(subscription, DELAY);
    for (attempt, script) in scripts.enumerate() {
        for expected in script.events(attempt) {
            events.expect(&[&expected]).await;
        }
    }
}

/// D-SU-2: the same query at every attempt.
#[tokio::test(start_paused = true)]
async fn every_attempt_sends_the_same_query() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let asked = tokio::spawn(async move {
        let mut queries = Vec::new();
        for round in 0..6 {
            let call = server.call().await;
            queries.push(call.query);
            match round % 3 {
                0 => call.refuse("no"),
                1 => call.fail("no"),
                _ => call.accept(7).end(),
            }
            if round == 2 {
                settle().await;
                server.cut();
            }
        }
        queries
    });
    while !asked.is_finished() {
        events.next().await;
    }
    assert_eq!(asked.await.unwrap(), [42; 6]);
}

/// The `Stream` gives what `next` gives.
#[tokio::test(start_paused = true)]
async fn subscription_is_a_stream_of_the_same_events() {
    let mut server = Server::start();
    let mut events = state::create(&COUNT, &server.durable(), 42, DELAY);
    let script = tokio::spawn(async move {
        let feed = server.call().await.accept(7);
        feed.send(8);
        server
    });
    for expected in ["attempting", "success", "state 7", "update 8"] {
        let event = std::future::poll_fn(|cx| Pin::new(&mut events).poll_next(cx)).await;
        assert_eq!(label(&event.unwrap()), expected);
    }
    let _server = script.await.unwrap();
    events.close();
    let event = std::future::poll_fn(|cx| Pin::new(&mut events).poll_next(cx)).await;
    assert!(event.is_none());
}

/// D-SU-1 (ZD25): the generic core over a number and a stream that counts.
#[tokio::test(start_paused = true)]
async fn anything_that_can_be_dispatched_can_be_subscribed_to() {
    let scripts = [Script::stream(2), Script::failure(), Script::stream(1)];
    let dispatched = Dispatched::new(scripts);
    let subscription = durable_rpc::subscribe(&intact(), DELAY, dispatched.dispatch());
    let mut events = Checked::new(subscription, DELAY);
    let start = Instant::now();
    events.expect(&["attempting"]).await;
    match events.next().await {
        Some(Event::ConnectionSuccess(metadata)) => assert_eq!(metadata, 0),
        other => panic!("{other:?}"),
    }
    events
        .expect(&["state 0", "update 0", "update 1", "lost"])
        .await;
    events
        .expect(&["attempting", "failed: no more queries can be sent"])
        .await;
    events
        .expect(&["attempting", "success", "state 2", "update 0", "lost"])
        .await;
    assert!(start.elapsed() >= 2 * DELAY);
}
