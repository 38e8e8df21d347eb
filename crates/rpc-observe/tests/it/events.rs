//! What those who watch a server are shown.

use bin_prot::BinShape;
use rpc_core::Implementations;
use rpc_core::connection::{Config, Connection};
use rpc_observe::{EVENTS, EventHub, Message, ServerEvent, What};

use crate::ends::{ECHO, observed, settle};

fn in_words(event: &ServerEvent) -> String {
    let ServerEvent {
        connection,
        peer,
        what,
        ..
    } = event;
    let show = |verb: &str, message: &Message| {
        let Message {
            kind,
            rpc,
            version,
            id,
            ..
        } = message;
        format!("{verb} {kind} {rpc} {version} {id}")
    };
    let what = match what {
        What::Sent(message) => show("sent", message),
        What::Received(message) => show("received", message),
        What::FailedToSend(message) => show("failed to send", message),
        other => format!("{other:?}"),
    };
    format!("{connection} {peer}: {what}")
}

/// The hub's own RPC, on a connection of its own that the hub observes, too.
async fn watch(hub: &EventHub) -> Connection {
    let (near, far) = tokio::io::duplex(4096);
    let table = Implementations::<()>::builder()
        .implementation(hub.implementation())
        .build()
        .unwrap();
    let config = Config::default().description("watcher");
    let (near, far) = tokio::join!(
        Connection::create(near, Config::default()),
        Connection::serve(far, config, &table, |connection| hub.observe(connection)),
    );
    let far = far.unwrap();
    tokio::spawn(async move { far.closed().await });
    near.unwrap()
}

#[tokio::test(start_paused = true)]
async fn watchers_see_the_life_of_a_connection() {
    let hub = EventHub::new(100);
    let watcher = watch(&hub).await;
    let mut events = EVENTS.dispatch(&watcher, &()).await.unwrap().unwrap();
    let mut others = hub.watch();
    let (near, far) = observed(11, |_| {}, |connection| hub.observe(connection)).await;
    ECHO.dispatch(&near, &"hello".to_owned()).await.unwrap();
    drop(near);
    far.closed().await;
    let expected = [
        "2 far: Connected",
        "2 far: received query echo 1 1",
        "2 far: sent response echo 1 1",
        "2 far: Disconnected",
    ];
    for expected in expected {
        let event = events.next().await.unwrap();
        assert!(event.nanoseconds > 0);
        assert_eq!(in_words(&event), expected);
        assert_eq!(others.next().await.unwrap(), event);
    }
    // Of the watching nothing was told, or it would never end.
    settle().await;
    drop(events);
    drop(watcher);
    let left = others.next().await.unwrap();
    assert_eq!(in_words(&left), "1 watcher: Disconnected");
}

#[tokio::test(start_paused = true)]
async fn slow_watcher_is_told_what_it_missed_and_holds_up_nobody() {
    let hub = EventHub::new(4);
    let (near, _far) = observed(11, |_| {}, |connection| hub.observe(connection)).await;
    let mut slow = hub.watch();
    for _ in 0..10 {
        ECHO.dispatch(&near, &String::new()).await.unwrap();
    }
    assert_eq!(slow.next().await.unwrap().what, What::Lost(16));
    let next = slow.next().await.unwrap();
    assert_eq!(in_words(&next), "1 far: received query echo 1 9");
}

#[tokio::test(start_paused = true)]
async fn events_end_with_the_last_who_could_tell() {
    let hub = EventHub::new(4);
    let mut watching = hub.watch();
    drop(hub);
    assert_eq!(watching.next().await, None);
    assert_eq!(watching.next().await, None);
}

/// Programs of another version have to understand the events.
#[test]
fn structure_is_pinned() {
    let digest = ServerEvent::bin_shape().digest().unwrap();
    assert_eq!(digest.to_string(), "8cc3f688ebd6fda1c336c7adc33a8775");
}
