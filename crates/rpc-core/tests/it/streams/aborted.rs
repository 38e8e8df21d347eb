//! Streams that are aborted while this side serves them.

use std::sync::Arc;

use rpc_core::Implementations;
use rpc_core::connection::Config;
use rpc_wire::stream::{ABORT_PAYLOAD, EOF_PAYLOAD};
use tokio::sync::Notify;

use super::{SECOND, assert_none_served, serving_channel};
use crate::pair::settle;
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO, HOLD, Notes, table};
use crate::source;
use crate::source::Dropped;

/// R-SV-7: the end acknowledges; the source is dropped, and what it had is not sent.
#[tokio::test(start_paused = true)]
async fn abort_drops_the_source_and_is_answered_with_the_end() {
    for version in [1, 8, 11] {
        let (table, mut senders, dropped) = serving_channel();
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), version).await;
        peer.open_stream(7, &HOLD.description(), &()).await;
        peer.expect_start(7, &()).await;
        let sender = senders.recv().await.unwrap();
        sender.send(1).unwrap();
        peer.expect_update(7, &1_i64).await;
        assert!(!dropped.is_set());
        peer.abort(7, &HOLD.description()).await;
        peer.expect_end_of_stream(7).await;
        settle().await;
        assert!(dropped.is_set());
        assert!(sender.send(2).is_err());
        assert_none_served(&connection, &mut peer).await;
        // A second one is for a stream that is unknown (R-SV-9).
        peer.abort(7, &HOLD.description()).await;
        assert_none_served(&connection, &mut peer).await;
        drop((connection, peer));
        settle().await;
    }
}

/// Catalogue ZR24.
/// R-SV-7: values that were produced and not yet sent are discarded.
#[tokio::test(start_paused = true)]
async fn abort_discards_what_the_source_still_has() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    peer.open_stream(7, &COUNT.description(), &5000_i64).await;
    peer.abort(7, &COUNT.description()).await;
    peer.expect_start(7, &()).await;
    // At most what was produced before the abort could be read.
    let mut updates = 0;
    while peer.expect_response().await.result.unwrap() != EOF_PAYLOAD {
        updates += 1;
    }
    assert!(updates <= 1000, "{updates}");
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// Catalogue ZR20, as decision 3 changes it.
/// Decision 3 (R-SV-8): the handler is cancelled, and the end is all that is sent.
#[tokio::test(start_paused = true)]
async fn abort_before_the_handler_returned_cancels_it() {
    let dropped = Dropped::default();
    let never = Arc::new(Notify::new());
    let observed = dropped.clone();
    let handler = move |never: &Arc<Notify>, ()| {
        let (never, guard) = (never.clone(), dropped.guard());
        async move {
            let _guard = guard;
            never.notified().await;
            Ok(Ok(source::Never))
        }
    };
    let table = Implementations::builder()
        .implement_pipe(&HOLD, handler)
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap();
    let config = Config::default();
    let (connection, mut peer) = Peer::open(config, &table, never.clone(), 11).await;
    peer.open_stream(7, &HOLD.description(), &()).await;
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.served_streams(), 1);
    peer.abort(7, &HOLD.description()).await;
    peer.expect_end_of_stream(7).await;
    settle().await;
    assert!(observed.is_set());
    never.notify_one();
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-7, R-SV-9: in one chunk, and a second abort behind it.
#[tokio::test(start_paused = true)]
async fn abort_right_behind_the_query_is_answered_once() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    let rpc = HOLD.description();
    let mut chunk = peer.query_message(7, &rpc, b"\xd1\xf5\x2f\xe2\x01\x00");
    chunk.extend(peer.query_message(7, &rpc, ABORT_PAYLOAD));
    chunk.extend(peer.query_message(7, &rpc, ABORT_PAYLOAD));
    peer.send_bytes(&chunk).await;
    peer.expect_start(7, &()).await;
    peer.expect_end_of_stream(7).await;
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}
