//! The callee's side of pipe and state RPCs.

use bin_prot::Sexp;
use rpc_core::connection::Config;
use rpc_wire::RpcError;

use super::{SECOND, assert_none_served, serving, serving_channel};
use crate::pair::{alive_tasks, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, HOLD, Notes, table};
use crate::source;

/// R-SV-2, R-SV-5, R-SV-6, R-OR-7, at every version.
#[tokio::test(start_paused = true)]
async fn callee_sends_the_initial_response_the_updates_and_the_end() {
    for version in 1..=11 {
        let (table, mut senders, dropped) = serving_channel();
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), version).await;
        peer.open_stream(7, &HOLD.description(), &()).await;
        peer.expect_start(7, &()).await;
        assert_eq!(connection.served_streams(), 1);
        let sender = senders.recv().await.unwrap();
        for update in 0..3 {
            sender.send(update).unwrap();
            peer.expect_update(7, &update).await;
        }
        sender.send(3).unwrap();
        drop(sender);
        peer.expect_update(7, &3_i64).await;
        peer.expect_end_of_stream(7).await;
        assert_none_served(&connection, &mut peer).await;
        assert!(dropped.is_set());
        // R-SV-9: an abort that was on its way.
        peer.abort(7, &HOLD.description()).await;
        assert_none_served(&connection, &mut peer).await;
        drop((connection, peer));
        settle().await;
    }
}

/// R-SV-2: and nothing else, also if an abort was on its way.
#[tokio::test(start_paused = true)]
async fn callee_sends_a_user_error_and_nothing_after_it() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    peer.open_stream(7, &COUNTER.description(), &-1_i64).await;
    let payload = b"\x00\x01\x0e-1 is negative";
    let answered = peer.expect_response().await;
    assert_eq!(answered.result.unwrap(), payload);
    peer.abort(7, &COUNTER.description()).await;
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-3, R-SV-15, R-ER-1.
#[tokio::test(start_paused = true)]
async fn undecodable_stream_query_is_answered_with_its_location() {
    let outer = "server-side pipe_rpc stream_query un-bin-io'ing";
    let inner = "streaming_rpc server-side query un-bin-io'ing";
    let rows: [(&[u8], &str); 5] = [
        (b"\x01\x02\x03\x04", outer),
        (b"", outer),
        // A byte beyond the query's length.
        (b"\xd1\xf5\x2f\xe2\x01\x03\x04", outer),
        (b"\xd1\xf5\x2f\xe2\x01\xfb", inner),
        (b"\xd1\xf5\x2f\xe2\x02\x03\x04", inner),
    ];
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    for (payload, location) in rows {
        let message = peer.query_message(7, &COUNT.description(), payload);
        peer.send_bytes(&message).await;
        let RpcError::BinIoExn(error) = peer.expect_error(7).await else {
            panic!("another error");
        };
        let error = error.to_string();
        assert!(error.contains(location), "{payload:02x?}: {error}");
    }
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-12: what was there is sent, then the error, in place of the end.
#[tokio::test(start_paused = true)]
async fn panic_of_the_source_is_an_uncaught_exn_without_location() {
    let table = serving(&HOLD, || {
        source::iter((0..4).inspect(|n| assert!(*n < 3, "boom at {n}")))
    });
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(7, &HOLD.description(), &()).await;
    peer.expect_start(7, &()).await;
    for update in 0..3_i64 {
        peer.expect_update(7, &update).await;
    }
    let failure = Sexp::list([Sexp::atom("Failure"), Sexp::atom("boom at 3")]);
    assert_eq!(peer.expect_error(7).await, RpcError::UncaughtExn(failure));
    peer.abort(7, &HOLD.description()).await;
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// The same for an update that has no encoding.
#[tokio::test(start_paused = true)]
async fn update_outside_63_bits_ends_the_stream_with_an_uncaught_exn() {
    let table = serving(&HOLD, || source::iter([1, i64::MAX, 2]));
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(7, &HOLD.description(), &()).await;
    peer.expect_start(7, &()).await;
    peer.expect_update(7, &1_i64).await;
    let error = peer.expect_error(7).await;
    assert!(matches!(error, RpcError::UncaughtExn(_)), "{error}");
    assert!(error.to_string().contains("63 bits"), "{error}");
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-14: producers notice, however the connection ends.
#[tokio::test(start_paused = true)]
async fn source_is_dropped_when_the_connection_closes() {
    for end in 0..3 {
        let (table, mut senders, dropped) = serving_channel();
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
        peer.open_stream(7, &HOLD.description(), &()).await;
        peer.expect_start(7, &()).await;
        let sender = senders.recv().await.unwrap();
        match end {
            0 => connection.close(),
            1 => drop(peer),
            _ => peer.send_frame(&[0xff]).await,
        }
        connection.closed().await;
        assert!(dropped.is_set());
        assert!(sender.is_closed());
        settle().await;
        assert_eq!(alive_tasks(), 0);
    }
}

/// A peer that opens another stream under an id in use takes the place of the first
/// (*protocol* §11); nothing is left of either.
#[tokio::test(start_paused = true)]
async fn id_used_twice_leaves_nothing_behind() {
    let (table, mut senders, dropped) = serving_channel();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    for _ in 0..2 {
        peer.open_stream(7, &HOLD.description(), &()).await;
        peer.expect_start(7, &()).await;
    }
    let first = senders.recv().await.unwrap();
    let second = senders.recv().await.unwrap();
    assert_eq!(connection.served_streams(), 1);
    drop(first);
    peer.expect_end_of_stream(7).await;
    settle().await;
    assert_eq!(connection.served_streams(), 1);
    peer.abort(7, &HOLD.description()).await;
    peer.expect_end_of_stream(7).await;
    settle().await;
    assert!(second.is_closed());
    assert!(dropped.is_set());
    assert_none_served(&connection, &mut peer).await;
}
