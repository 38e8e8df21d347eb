//! What goes with our queries: given with the dispatch, or by hooks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rpc_core::connection::{Config, HookAlreadySet, MetadataHook};
use rpc_core::{Connection, DispatchError, Implementations};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{DescriptionRef, Message, QueryId, QueryMetadata};

use super::{metadata, saying};
use crate::pair::settle;
use crate::peer::{Asked, Peer};
use crate::rpcs::{COUNT, COUNTER, ECHO, NOTE, SLEEP};

const NO_HOOK: fn(DescriptionRef<'_>, QueryId) -> Option<String> = |_, _| None;

#[track_caller]
fn check<const N: usize>(asked: &Asked, expected: [(i64, &str); N]) {
    let expected = expected.map(|(key, payload)| (key, payload.as_bytes().to_vec()));
    assert_eq!(asked.metadata, expected);
}

/// Calls each kind of RPC once; what the peer was asked.
async fn ask_every_kind(connection: &Connection, peer: &mut Peer) -> [Asked; 4] {
    drop(ECHO.dispatch(connection, &"x".to_owned()));
    NOTE.dispatch(connection, &"x".to_owned()).unwrap();
    // Each is followed by its abort.
    let _never_polled = (
        COUNT.dispatch(connection, &1),
        COUNTER.dispatch(connection, &1),
    );
    [
        peer.expect_query().await,
        peer.expect_query().await,
        peer.expect_query().await,
        peer.expect_query().await,
    ]
}

/// I1, I2, C-MD-4: nothing to say is nothing sent, not an empty list.
#[tokio::test(start_paused = true)]
async fn without_metadata_the_field_is_absent() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let absent = |body: &[u8]| {
        let Ok(Message::Query(query)) = Message::decode(body) else {
            panic!("{body:02x?}");
        };
        // 0c 00 04 "echo" 01, the id, and the field.
        assert_eq!(body[9], 0, "{query:?}");
    };
    drop(ECHO.dispatch(&connection, &"x".to_owned()));
    absent(&peer.expect_frame().await);
    let hook = MetadataHook::new().when_sending(NO_HOOK);
    connection.set_metadata_hook(0, hook).unwrap();
    drop(ECHO.dispatch(&connection, &"x".to_owned()));
    absent(&peer.expect_frame().await);
    let empty = connection.with_metadata(QueryMetadata::new());
    drop(ECHO.dispatch(&empty, &"x".to_owned()));
    absent(&peer.expect_frame().await);
}

/// I3, C-MD-3: once for each dispatch, with its description and id.
#[tokio::test(start_paused = true)]
async fn hook_is_asked_once_for_each_dispatch_of_any_kind() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let hook = MetadataHook::new().when_sending(|rpc, id| Some(format!("{rpc}, {id}")));
    connection.set_metadata_hook(0, hook).unwrap();
    let expected = ["echo", "note", "count", "counter"];
    let asked = ask_every_kind(&connection, &mut peer).await;
    for (asked, name) in asked.iter().zip(expected) {
        let payload = format!("{name} version 1, {}", asked.id);
        check(asked, [(0, &payload)]);
    }
}

/// I7: what is given with a dispatch goes with it, of whatever kind.
#[tokio::test(start_paused = true)]
async fn metadata_of_the_handle_goes_with_every_dispatch() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let speaking = connection.with_metadata(metadata([(0, "zero"), (-7, "minus seven")]));
    for asked in ask_every_kind(&speaking, &mut peer).await {
        check(&asked, [(-7, "minus seven"), (0, "zero")]);
    }
    // Other handles are not concerned.
    for _abort in 0..2 {
        check(&peer.expect_query().await, []);
    }
    for asked in ask_every_kind(&connection, &mut peer).await {
        check(&asked, []);
    }
}

/// `Connection::with_metadata`: of two payloads of a key, the later counts.
#[tokio::test(start_paused = true)]
async fn metadata_of_handles_adds_up() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let outer = connection.with_metadata(metadata([(0, "outer"), (1, "outer")]));
    let inner = outer.with_metadata(metadata([(1, "inner"), (2, "inner")]));
    drop(ECHO.dispatch(&inner, &"x".to_owned()));
    let expected = [(0, "outer"), (1, "inner"), (2, "inner")];
    check(&peer.expect_query().await, expected);
    drop(ECHO.dispatch(&inner.clone(), &"x".to_owned()));
    check(&peer.expect_query().await, expected);
    drop(ECHO.dispatch(&outer, &"x".to_owned()));
    check(&peer.expect_query().await, [(0, "outer"), (1, "outer")]);
}

/// I6, I8, C-MD-3: of a key with both, the hook wins, if it says something.
#[tokio::test(start_paused = true)]
async fn hook_wins_over_what_is_given_with_the_dispatch() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    connection.set_metadata_hook(0, saying("hook")).unwrap();
    let silent = MetadataHook::new().when_sending(NO_HOOK);
    connection.set_metadata_hook(2, silent).unwrap();
    connection.set_metadata_hook(3, saying("hook")).unwrap();
    let given = metadata([(0, "given"), (1, "given"), (2, "given")]);
    let speaking = connection.with_metadata(given);
    drop(ECHO.dispatch(&speaking, &"x".to_owned()));
    let expected = [(0, "hook"), (1, "given"), (2, "given"), (3, "hook")];
    check(&peer.expect_query().await, expected);
}

/// C-MD-6: one-way queries carry metadata, aborts none; and nobody is asked about aborts.
#[tokio::test(start_paused = true)]
async fn aborts_carry_no_metadata() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let hook = MetadataHook::new().when_sending(move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        Some("hook")
    });
    connection.set_metadata_hook(0, hook).unwrap();
    let speaking = connection.with_metadata(metadata([(1, "given")]));
    drop(COUNT.dispatch(&speaking, &1));
    let opened = peer.expect_query().await;
    check(&opened, [(0, "hook"), (1, "given")]);
    let aborted = peer.expect_query().await;
    assert_eq!(aborted.id, opened.id);
    check(&aborted, []);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// I9, I10, C-MD-5: hooks' and handles' payloads alike, to the configured size.
#[tokio::test(start_paused = true)]
async fn payloads_are_cut_to_the_maximum_for_each_key() {
    for most in [0, 1, 1024, 2000] {
        let config = Config::default().max_metadata_bytes_per_key(most);
        let (connection, mut peer) = Peer::open(config, &Implementations::empty(), (), 11).await;
        for (key, length) in [(0, most), (1, most + 1), (2, 2 * most + 7)] {
            let hook = saying(&"h".repeat(length));
            connection.set_metadata_hook(key, hook).unwrap();
        }
        let given = QueryMetadata::new()
            .with(3, "g".repeat(most))
            .with(4, "g".repeat(2 * most + 1));
        drop(ECHO.dispatch(&connection.with_metadata(given), &"x".to_owned()));
        let asked = peer.expect_query().await;
        let lengths: Vec<_> = asked.metadata.iter().map(|(_, p)| p.len()).collect();
        assert_eq!(lengths, [most; 5]);
    }
    assert_eq!(1024, {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        let long = connection.with_metadata(metadata([(0, &"x".repeat(2048))]));
        drop(ECHO.dispatch(&long, &"x".to_owned()));
        peer.expect_query().await.metadata[0].1.len()
    });
}

/// C-MD-1, C-MD-7, ZC30: nothing at version 1, key 0 only up to 7, then all.
#[tokio::test(start_paused = true)]
async fn version_decides_which_keys_travel() {
    for version in 1..=11 {
        let (connection, mut peer) = Peer::called_by_us(version).await;
        let both = connection.with_metadata(metadata([(0, "zero"), (1, "one")]));
        drop(ECHO.dispatch(&both, &"x".to_owned()));
        let asked = peer.expect_query().await;
        match version {
            1 => check(&asked, []),
            2..=7 => check(&asked, [(0, "zero")]),
            _ => check(&asked, [(0, "zero"), (1, "one")]),
        }
        let other = connection.with_metadata(metadata([(1, "one")]));
        drop(ECHO.dispatch(&other, &"x".to_owned()));
        let asked = peer.expect_query().await;
        match version {
            1..=7 => check(&asked, []),
            _ => check(&asked, [(1, "one")]),
        }
    }
}

/// C-MD-2, ZC32: the first stays. Key 0 can be set like any other.
#[tokio::test(start_paused = true)]
async fn hook_is_set_once_for_each_key() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    for key in [0, 7, i64::MIN] {
        assert!(!connection.has_metadata_hook(key));
    }
    for key in [0, 7] {
        connection.set_metadata_hook(key, saying("first")).unwrap();
        // Of the connection, not of the handle.
        let clone = connection.clone();
        assert!(clone.has_metadata_hook(key));
        let second = clone.set_metadata_hook(key, saying("second"));
        assert_eq!(second, Err(HookAlreadySet { key }));
    }
    assert!(!connection.has_metadata_hook(1));
    drop(ECHO.dispatch(&connection, &"x".to_owned()));
    check(&peer.expect_query().await, [(0, "first"), (7, "first")]);
}

/// C-DI-3, C-MD-10, ZC17: asked before it is known whether the query can be sent.
#[tokio::test(start_paused = true)]
async fn hook_is_asked_although_the_connection_is_closed() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let hook = MetadataHook::new().when_sending(move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        None::<String>
    });
    connection.set_metadata_hook(0, hook).unwrap();
    peer.send(&Message::CloseStarted).await;
    settle().await;
    let mut expected = 0;
    // The peer closes; it has closed; and nothing is left of the connection.
    for _ in 0..2 {
        let refused = ECHO.dispatch(&connection, &"x".to_owned()).await;
        assert!(matches!(refused, Err(DispatchError::ConnectionClosed(_))));
        let refused = NOTE.dispatch(&connection, &"x".to_owned());
        assert!(matches!(refused, Err(DispatchError::ConnectionClosed(_))));
        let refused = COUNT.dispatch(&connection, &1).await;
        assert!(matches!(refused, Err(DispatchError::ConnectionClosed(_))));
        expected += 3;
        assert_eq!(asked.load(Ordering::Relaxed), expected);
        assert_eq!(connection.open_queries(), 0);
        connection.close();
        peer.end().await;
        connection.closed().await;
    }
}

/// The caller's own affair: nothing was sent, so nothing is waited for.
#[tokio::test(start_paused = true)]
async fn panic_of_a_hook_comes_out_of_the_dispatch_and_leaves_nothing_behind() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let hook = MetadataHook::new().when_sending(|rpc, _| match rpc.name {
        b"echo" => panic!("no"),
        _ => Some("fine"),
    });
    connection.set_metadata_hook(0, hook).unwrap();
    let dispatch = std::panic::AssertUnwindSafe(|| {
        drop(ECHO.dispatch(&connection, &"x".to_owned()));
    });
    assert!(std::panic::catch_unwind(dispatch).is_err());
    assert_eq!(connection.open_queries(), 0);
    NOTE.dispatch(&connection, &"x".to_owned()).unwrap();
    check(&peer.expect_query().await, [(0, "fine")]);
}

/// The id of a query that a hook is asked about is issued before: what the hook dispatches has a later
/// one, and is sent, and answered, first.
#[tokio::test(start_paused = true)]
async fn call_whose_hook_calls_is_answered_as_well_as_that() {
    let (mut peer, io) = Peer::new(1000);
    let (connection, ()) = tokio::join!(
        Connection::create(io, Config::default()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    let (inner, asked_first) = (connection.clone(), Arc::new(Mutex::new(None)));
    let first = asked_first.clone();
    let hook = MetadataHook::new().when_sending(move |rpc, _| {
        if rpc.name == b"sleep" {
            *first.lock().unwrap() = Some(ECHO.dispatch(&inner, &"x".to_owned()));
        }
        None::<&str>
    });
    connection.set_metadata_hook(0, hook).unwrap();
    let sleeping = SLEEP.dispatch(&connection, &20);
    let echo = peer.expect_query().await;
    let sleep = peer.expect_query().await;
    assert_eq!(echo.rpc, ECHO.description());
    assert!(sleep.id.get() < echo.id.get());
    peer.respond(echo.id, Ok(b"\x01x")).await;
    peer.respond(sleep.id, Ok(&[21])).await;
    let echoing = asked_first.lock().unwrap().take().unwrap();
    assert_eq!(echoing.await.unwrap(), "x");
    assert_eq!(sleeping.await.unwrap(), 21);
    assert_eq!(connection.open_queries(), 0);
}

/// Hooks run without any lock held.
#[tokio::test(start_paused = true)]
async fn hook_may_dispatch() {
    let (mut peer, io) = Peer::new(1000);
    let (connection, ()) = tokio::join!(
        Connection::create(io, Config::default()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    let inner = connection.clone();
    let hook = MetadataHook::new().when_sending(move |rpc, _| {
        (rpc.name == b"note").then(|| {
            drop(ECHO.dispatch(&inner, &"x".to_owned()));
            "after another"
        })
    });
    connection.set_metadata_hook(0, hook).unwrap();
    NOTE.dispatch(&connection, &"x".to_owned()).unwrap();
    assert_eq!(peer.expect_query().await.rpc, ECHO.description());
    let asked = peer.expect_query().await;
    assert_eq!(asked.rpc, NOTE.description());
    check(&asked, [(0, "after another")]);
}
