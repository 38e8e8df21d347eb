//! What comes with the peer's queries: as handlers see it, and as hooks do.

use std::sync::{Arc, Mutex};

use rpc_core::connection::{Config, MetadataHook};
use rpc_core::{
    Connection, HandlerError, Implementation, Implementations, OnUnknownRpc, QueryContext,
};
use rpc_wire::{QueryMetadata, RpcError};

use super::{metadata, saying};
use crate::pair::{CAPACITY, connect, offering, settle};
use crate::peer::Peer;
use crate::rpcs::{ECHO, HOLD, MISSING, NOTE};
use crate::source::Never;

/// What a handler saw of its query.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    rpc: String,
    id: i64,
    /// Keys 0 and 1.
    metadata: [Option<String>; 2],
    /// What the hooks made of it.
    values: (Option<Zero>, Option<One>),
}

#[derive(Clone, Debug, PartialEq)]
struct Zero(Option<String>);

#[derive(Clone, Debug, PartialEq)]
struct One(Option<String>);

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn see(context: &QueryContext<'_>) -> Seen {
    Seen {
        rpc: context.rpc().to_string(),
        id: context.id().get(),
        metadata: [0, 1].map(|key| context.metadata(key).map(text)),
        values: (
            context.value::<Zero>().cloned(),
            context.value::<One>().cloned(),
        ),
    }
}

type Noted = Arc<Mutex<Vec<Seen>>>;

/// ECHO, as a handler that suspends; everything else is unknown and answered by the expert
/// function. Both note what they see.
fn noting() -> (Implementations<()>, Noted) {
    let noted = Noted::default();
    let [of_echo, of_others] = [noted.clone(), noted.clone()];
    let echo = Implementation::plain(&ECHO, |_: &Seen, text| async move {
        tokio::task::yield_now().await;
        Ok(text)
    });
    let echo = echo.lift(move |(), context| {
        let seen = see(context);
        of_echo.lock().unwrap().push(seen.clone());
        seen
    });
    let answer = OnUnknownRpc::expert(move |(), query, responder| {
        of_others.lock().unwrap().push(see(query.context()));
        async move {
            responder.error(HandlerError::new("unknown"))?;
            Ok(())
        }
    });
    let table = Implementations::builder()
        .implementation(echo)
        .on_unknown_rpc(answer)
        .build()
        .unwrap();
    (table, noted)
}

/// A connection with hooks for keys 0 and 1 as they are wanted.
async fn receiving(number: i64, hooks: &[i64]) -> (Connection, Peer, Noted) {
    let (table, noted) = noting();
    let (connection, peer) = Peer::open(Config::default(), &table, (), number).await;
    for key in hooks {
        let hook = MetadataHook::new();
        let hook = match key {
            0 => hook.on_receive(|_, _, payload| Zero(payload.map(text))),
            _ => hook.on_receive(|_, _, payload| One(payload.map(text))),
        };
        connection.set_metadata_hook(*key, hook).unwrap();
    }
    (connection, peer, noted)
}

async fn ask(peer: &mut Peer, id: i64, metadata: &QueryMetadata) {
    let query = peer.query_with_metadata(id, &ECHO.description(), b"\x01x", metadata);
    peer.send_bytes(&query).await;
    peer.expect_answer(id, &"x").await;
}

/// I3, C-MD-9: a handler sees the metadata of its query, hooks or none.
#[tokio::test(start_paused = true)]
async fn handler_sees_the_metadata_of_its_query() {
    for version in 1..=11 {
        let (_connection, mut peer, noted) = receiving(version, &[]).await;
        ask(&mut peer, 7, &metadata([(1, "one"), (0, "zero")])).await;
        let some = |text: &str| Some(text.to_owned());
        let expected = Seen {
            rpc: "echo version 1".to_owned(),
            id: 7,
            metadata: match version {
                1 => [None, None],
                2..=7 => [some("zero"), None],
                _ => [some("zero"), some("one")],
            },
            values: (None, None),
        };
        assert_eq!(*noted.lock().unwrap(), [expected]);
    }
}

/// I4, C-MD-8: called for every query, with its payload or none; before the implementation.
#[tokio::test(start_paused = true)]
async fn what_a_hook_makes_of_the_payload_reaches_the_implementation() {
    let (_connection, mut peer, noted) = receiving(11, &[0, 1]).await;
    ask(&mut peer, 1, &QueryMetadata::new()).await;
    ask(&mut peer, 2, &metadata([(1, "one"), (0, "zero")])).await;
    let values = |seen: &Seen| seen.values.clone();
    let seen: Vec<_> = noted.lock().unwrap().iter().map(values).collect();
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        (Some(Zero(None)), Some(One(None))),
        (Some(Zero(some("zero"))), Some(One(some("one")))),
    ];
    assert_eq!(seen, expected);
}

/// I4, I5, I6, ZC31, C-MD-8: with description and id, also for unknown RPCs and for aborts, which
/// have none.
#[tokio::test(start_paused = true)]
async fn hook_sees_every_query_of_whatever_kind() {
    let table = Implementations::builder()
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .implement_one_way(&NOTE, |(), _| async { Ok(()) })
        .implement_pipe(&HOLD, |(), ()| async { Ok(Ok(Never)) })
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = seen.clone();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    let hook = MetadataHook::new().on_receive(move |rpc, id, payload| {
        let seen = (rpc.to_string(), id.get(), payload.map(text));
        notes.lock().unwrap().push(seen);
    });
    connection.set_metadata_hook(5, hook).unwrap();
    let five = metadata([(5, "five")]);
    let hold = b"\xd1\xf5\x2f\xe2\x01\x00";
    for (id, rpc, payload) in [
        (1, ECHO.description(), b"\x01x".as_slice()),
        (2, NOTE.description(), b"\x01x"),
        (3, HOLD.description(), hold),
        (4, MISSING.description(), b"?"),
    ] {
        let query = peer.query_with_metadata(id, &rpc, payload, &five);
        peer.send_bytes(&query).await;
    }
    peer.abort(3, &HOLD.description()).await;
    settle().await;
    let expected = [
        ("echo version 1", 1, Some("five")),
        ("note version 1", 2, Some("five")),
        ("hold version 1", 3, Some("five")),
        ("missing version 1", 4, Some("five")),
        ("hold version 1", 3, None),
    ];
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let seen: Vec<_> = seen
        .iter()
        .map(|(rpc, id, payload)| (rpc.as_str(), *id, payload.as_deref()))
        .collect();
    assert_eq!(seen, expected);
    // Dropped queries are not seen (C-RM-2).
    connection.close();
    peer.query(9, &ECHO.description(), &"late").await;
    drop(peer);
    connection.closed().await;
}

/// I5: an expert function for unknown RPCs gets the whole context.
#[tokio::test(start_paused = true)]
async fn unknown_rpc_handler_sees_metadata_and_values() {
    let (_connection, mut peer, noted) = receiving(11, &[0]).await;
    let zero = metadata([(0, "test_rpc:1")]);
    let query = peer.query_with_metadata(3, &MISSING.description(), b"\0", &zero);
    peer.send_bytes(&query).await;
    let RpcError::UncaughtExn(error) = peer.expect_error(3).await else {
        panic!();
    };
    assert!(
        error
            .to_string()
            .contains("server-side raw rpc computation")
    );
    let payload = Some("test_rpc:1".to_owned());
    let expected = Seen {
        rpc: MISSING.description().to_string(),
        id: 3,
        metadata: [payload.clone(), None],
        values: (Some(Zero(payload)), None),
    };
    assert_eq!(*noted.lock().unwrap(), [expected]);
}

/// `QueryContext::value`: by type; of two of a type, that of the later hook.
#[tokio::test(start_paused = true)]
async fn values_are_found_by_their_types() {
    let (connection, mut peer, noted) = receiving(11, &[0]).await;
    let hook = MetadataHook::new().on_receive(|_, _, _| Zero(Some("later".to_owned())));
    connection.set_metadata_hook(-1, hook).unwrap();
    ask(&mut peer, 1, &metadata([(0, "earlier")])).await;
    let later = Some(Zero(Some("later".to_owned())));
    assert_eq!(noted.lock().unwrap()[0].values, (later, None));
}

/// Ours: logged, and the query is answered all the same.
#[tokio::test(start_paused = true)]
async fn panic_of_a_receiving_hook_concerns_nobody() {
    let (connection, mut peer, noted) = receiving(11, &[0]).await;
    let hook = MetadataHook::new().on_receive(|_, _, _| -> One { panic!("no") });
    connection.set_metadata_hook(1, hook).unwrap();
    ask(&mut peer, 1, &QueryMetadata::new()).await;
    assert_eq!(noted.lock().unwrap()[0].values, (Some(Zero(None)), None));
}

/// *protocol* §10: a key that comes twice.
#[tokio::test(start_paused = true)]
async fn first_payload_of_a_key_counts() {
    let (_connection, mut peer, noted) = receiving(11, &[0]).await;
    let twice = b"\x0c\x00\x04echo\x01\x07\x01\x02\x00\x01a\x00\x01b\x02\x01x";
    peer.send_frame(twice).await;
    peer.expect_answer(7, &"x").await;
    let first = || Some("a".to_owned());
    let seen = noted.lock().unwrap()[0].clone();
    assert_eq!(seen.metadata, [first(), None]);
    assert_eq!(seen.values.0, Some(Zero(first())));
}

/// I6, I7, I8 with both our ends: what one end's hooks and handle say, the other end's see.
#[tokio::test(start_paused = true)]
async fn metadata_travels_between_our_ends() {
    for version in [1, 2, 7, 8, 11] {
        let (table, noted) = noting();
        let (near, far) = connect(
            CAPACITY,
            (offering(version), &Implementations::empty(), ()),
            (offering(version), &table, ()),
        )
        .await;
        let read = MetadataHook::new().on_receive(|_, _, payload| Zero(payload.map(text)));
        far.set_metadata_hook(0, read).unwrap();
        near.set_metadata_hook(0, saying("hook")).unwrap();
        let speaking = near.with_metadata(metadata([(0, "given"), (1, "given")]));
        let answer = ECHO.dispatch(&speaking, &"x".to_owned()).await;
        assert_eq!(answer.unwrap(), "x");
        let some = |text: &str| Some(text.to_owned());
        let expected = match version {
            1 => [None, None],
            2..=7 => [some("hook"), None],
            _ => [some("hook"), some("given")],
        };
        let seen = noted.lock().unwrap()[0].clone();
        assert_eq!(seen.values.0, Some(Zero(expected[0].clone())));
        assert_eq!(seen.metadata, expected);
    }
}
