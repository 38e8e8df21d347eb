//! Plain and one-way calls, callee and caller, at every version: what is answered, in which
//! order, and which errors concern one query only.

use std::sync::Arc;
use std::time::Duration;

use bin_prot::{ByteString, Sexp};
use rpc_core::connection::{ClosedBy, Config, HandshakeFailure};
use rpc_core::{
    Connection, DispatchError, HandlerError, Implementations, MENU_RPC, OnUnknownRpc, OneWay,
    PipeCloseReason, PipeRpc, Rpc,
};
use rpc_wire::handshake::{NegotiationError, PeerMetadata};
use rpc_wire::{Description, ProtocolVersion, QueryId, RpcDigests, RpcError};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::pair::{CAPACITY, connect, now, offering, pair, settle, version};
use crate::peer::{Peer, framed, header};
use crate::rpcs::{COUNT, COUNTER, ECHO, ECHO_BLOCKING, FAIL, MISSING, NOTE, Notes, SLEEP, table};
use crate::source::Never;

/// Calls each kind of RPC that the other end implements.
async fn call_every_kind(connection: &Connection, notes: &Notes) {
    for echo in [&ECHO, &ECHO_BLOCKING] {
        let answer = echo.dispatch(connection, &"hello".to_owned()).await;
        assert_eq!(answer.unwrap(), "hello");
    }
    assert_eq!(SLEEP.dispatch(connection, &20).await.unwrap(), 20);

    NOTE.dispatch(connection, &"one".to_owned()).unwrap();
    NOTE.dispatch(connection, &"two".to_owned()).unwrap();
    // Messages are handled in order, so the notes are there when a later call is answered.
    ECHO.dispatch(connection, &String::new()).await.unwrap();
    assert_eq!(notes.get(), ["one", "two"]);

    let mut pipe = COUNT.dispatch(connection, &3).await.unwrap().unwrap();
    for expected in [Some(0), Some(1), Some(2), None] {
        assert_eq!(pipe.next().await, expected);
    }
    let refused = COUNT.dispatch(connection, &-1).await.unwrap();
    assert_eq!(refused.unwrap_err(), "-1 is negative");

    let (state, mut pipe) = COUNTER.dispatch(connection, &2).await.unwrap().unwrap();
    assert_eq!(state, "2");
    for expected in [Some(0), Some(1), None] {
        assert_eq!(pipe.next().await, expected);
    }
    assert!(matches!(
        pipe.close_reason().await,
        PipeCloseReason::ClosedRemotely
    ));
    let refused = COUNTER.dispatch(connection, &-2).await.unwrap();
    assert_eq!(refused.unwrap_err(), "-2 is negative");
}

/// *protocol* §3: the versions differ in how, not in what.
#[tokio::test(start_paused = true)]
async fn every_kind_works_in_both_directions_at_every_version() {
    for number in 1..=11 {
        let (table, near_notes, far_notes) = (table(), Notes::default(), Notes::default());
        let (near, far) = connect(
            CAPACITY,
            (offering(number), &table, near_notes.clone()),
            (offering(number), &table, far_notes.clone()),
        )
        .await;
        assert_eq!(near.version(), version(number));
        tokio::join!(
            call_every_kind(&near, &far_notes),
            call_every_kind(&far, &near_notes),
        );
        for connection in [near, far] {
            assert_eq!(connection.open_queries(), 0);
            assert_eq!(connection.served_streams(), 0);
            assert!(!connection.is_closed());
        }
    }
}

/// *protocol* §2.3: both sides come to the highest common version.
#[tokio::test(start_paused = true)]
async fn mixed_offers_agree_on_the_highest_common_version() {
    for near in 1..=11 {
        for far in 1..=11 {
            let (near_end, far_end, _) = pair(offering(near), offering(far)).await;
            assert_eq!(near_end.version(), version(near.min(far)));
            assert_eq!(far_end.version(), near_end.version());
            let answer = ECHO.dispatch(&near_end, &"hello".to_owned()).await;
            assert_eq!(answer.unwrap(), "hello");
        }
    }
}

/// C-HF-7: both sides come to the same result, and say which versions there were.
#[tokio::test(start_paused = true)]
async fn disjoint_offers_fail_on_both_sides() {
    let new = Config::default().versions(version(7)..=ProtocolVersion::MAX);
    let (near, far) = tokio::io::duplex(CAPACITY);
    let (near, far) = tokio::join!(
        Connection::create(near, offering(6)),
        Connection::create(far, new),
    );
    let old: Vec<i64> = (1..=6).collect();
    let new: Vec<i64> = (7..=11).collect();
    for (created, ours, peers) in [(near, &old, &new), (far, &new, &old)] {
        let cause = created.unwrap_err().cause;
        let HandshakeFailure::Negotiation(error) = cause else {
            panic!("{cause:?}");
        };
        let expected = NegotiationError::NoCommonVersion {
            ours: ours.clone(),
            peers: peers.clone(),
        };
        assert_eq!(error, expected);
    }
}

/// ZC1, C7, C-HS-13: the query came right behind the metadata.
#[tokio::test(start_paused = true)]
async fn query_in_the_same_chunk_as_the_handshake_is_answered() {
    for number in [1, 3, 11] {
        let (mut peer, io) = Peer::at(number);
        let mut chunk = framed(&header(version(number)));
        let metadata = PeerMetadata::default().to_message(version(number));
        if let Some(metadata) = &metadata {
            chunk.extend(framed(metadata));
        }
        chunk.extend(peer.query_message(1, &ECHO.description(), b"\x05hello"));
        peer.send_bytes(&chunk).await;
        let config = Config::default();
        let connection = Connection::serve(io, config, &table(), |_| Notes::default()).await;
        peer.expect_header().await;
        if metadata.is_some() {
            peer.expect_metadata().await;
        }
        peer.expect_answer(1, &"hello").await;
        assert!(!connection.unwrap().is_closed());
    }
}

// Order.

/// C-DI-8, R-OR-1, catalogue ZR1: also when the first one is large.
#[tokio::test(start_paused = true)]
async fn two_dispatches_arrive_in_order() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let large = ECHO.dispatch(&connection, &"x".repeat(1_000_000));
    let small = ECHO.dispatch(&connection, &"y".to_owned());
    NOTE.dispatch(&connection, &"z".to_owned()).unwrap();
    assert_eq!(peer.expect_query().await.payload.len(), 1_000_005);
    assert_eq!(peer.expect_query().await.payload, b"\x01y");
    assert_eq!(peer.expect_query().await.payload, b"\x01z");
    // Answers may come in any order.
    peer.answer(QueryId::new(2), &"b").await;
    peer.answer(QueryId::new(1), &"a").await;
    assert_eq!(small.await.unwrap(), "b");
    assert_eq!(large.await.unwrap(), "a");
}

/// C-RD-1, R-OR-2, R-OR-3, catalogue ZR2: its answer leaves before a later query is handled, in
/// the same chunk too.
#[tokio::test(start_paused = true)]
async fn handler_that_is_ready_at_once_answers_before_the_next_query() {
    let (_connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    let mut chunk = Vec::new();
    for id in 1..=4 {
        let rpc = if id % 2 == 0 { &ECHO } else { &ECHO_BLOCKING };
        chunk.extend(peer.query_message(id, &rpc.description(), b"\x01x"));
    }
    peer.send_bytes(&chunk).await;
    for id in 1..=4 {
        peer.expect_answer(id, &"x").await;
    }
}

/// R-OR-4.
#[tokio::test(start_paused = true)]
async fn suspended_handlers_answer_in_order_of_completion() {
    let (_connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    for (id, millis) in [(1, 120_i64), (2, 60), (3, 5), (4, 60)] {
        peer.query(id, &SLEEP.description(), &millis).await;
    }
    peer.query(5, &ECHO.description(), &"at once").await;
    peer.expect_answer(5, &"at once").await;
    for (id, millis) in [(3, 5_i64), (2, 60), (4, 60), (1, 120)] {
        peer.expect_answer(id, &millis).await;
    }
}

// Handlers that fail.

/// How a handler raises.
#[derive(Clone, Copy, Debug)]
enum Raise {
    Error,
    Panic,
    /// Before there is a future.
    PanicAtOnce,
    ErrorLater,
    PanicLater,
}

fn raising(raise: Raise) -> Implementations<()> {
    let pause = || sleep(Duration::from_millis(1));
    Implementations::builder()
        .implement_blocking(&ECHO_BLOCKING, move |_, text: String| match raise {
            Raise::Error | Raise::ErrorLater => Err(HandlerError::new(text)),
            Raise::Panic | Raise::PanicAtOnce | Raise::PanicLater => panic!("{text}"),
        })
        .implement(&ECHO, move |_, text: String| {
            assert!(!matches!(raise, Raise::PanicAtOnce), "{text}");
            async move {
                match raise {
                    Raise::Error => Err(HandlerError::new(text)),
                    Raise::ErrorLater => {
                        pause().await;
                        Err(HandlerError::new(text))
                    }
                    Raise::PanicLater => {
                        pause().await;
                        panic!("{text}")
                    }
                    Raise::Panic | Raise::PanicAtOnce => panic!("{text}"),
                }
            }
        })
        .implement_pipe(&COUNT, move |_, n: i64| {
            assert!(!matches!(raise, Raise::PanicAtOnce), "boom");
            async move {
                match raise {
                    Raise::Error => return Err(HandlerError::new("boom")),
                    Raise::ErrorLater => {
                        pause().await;
                        return Err(HandlerError::new("boom"));
                    }
                    Raise::PanicLater => pause().await,
                    Raise::Panic | Raise::PanicAtOnce => {}
                }
                assert!(n < 0, "boom");
                Ok(Ok(Never))
            }
        })
        .build()
        .unwrap()
}

/// `((location LOCATION)(exn(Failure TEXT)))`.
fn raised(location: &str, text: &str) -> RpcError {
    let failure = Sexp::list([Sexp::atom("Failure"), Sexp::atom(text)]);
    RpcError::UncaughtExn(Sexp::record([
        ("location", Sexp::atom(location)),
        ("exn", failure),
    ]))
}

/// R-PL-4, R-SV-3, R-XN-1, with the locations of R-ER-1. The connection goes on.
#[tokio::test(start_paused = true)]
async fn raise_before_return_is_an_uncaught_exn_with_its_location() {
    let raises = [
        Raise::Error,
        Raise::Panic,
        Raise::PanicAtOnce,
        Raise::ErrorLater,
        Raise::PanicLater,
    ];
    for raise in raises {
        let (connection, mut peer) = Peer::open(Config::default(), &raising(raise), (), 11).await;
        peer.query(1, &ECHO.description(), &"boom").await;
        let expected = raised("server-side rpc computation", "boom");
        assert_eq!(peer.expect_error(1).await, expected, "{raise:?}");
        peer.query(2, &ECHO_BLOCKING.description(), &"boom").await;
        let expected = raised("server-side blocking rpc computation", "boom");
        assert_eq!(peer.expect_error(2).await, expected, "{raise:?}");
        peer.open_stream(3, &COUNT.description(), &1_i64).await;
        let expected = raised("server-side pipe_rpc computation", "boom");
        assert_eq!(peer.expect_error(3).await, expected, "{raise:?}");
        settle().await;
        assert_eq!(connection.served_streams(), 0, "{raise:?}");
        assert!(!connection.is_closed());
    }
}

/// R-PL-21: the caller gets what the callee sent.
#[tokio::test(start_paused = true)]
async fn error_of_a_handler_reaches_the_caller() {
    let (near, _far, _) = pair(Config::default(), Config::default()).await;
    let error = FAIL.dispatch(&near, &"no".to_owned()).await.unwrap_err();
    let DispatchError::Rpc(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error, raised("server-side rpc computation", "no"));
    assert!(!near.is_closed());
}

/// R-OW-1, R-OW-4, R-OW-5, decision 22: nobody is told.
#[tokio::test(start_paused = true)]
async fn raise_of_a_one_way_handler_concerns_nobody() {
    static RAISE: OneWay<i64> = OneWay::new("raise", 1);
    let handler = |_: &(), how: i64| {
        assert_ne!(how, 0, "at once");
        async move {
            assert_ne!(how, 1, "in the future");
            if how == 2 {
                return Err(HandlerError::new("as an error"));
            }
            sleep(Duration::from_millis(1)).await;
            assert_ne!(how, 3, "later");
            Ok(())
        }
    };
    let table = Implementations::builder()
        .implement_one_way(&RAISE, handler)
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    for how in 0..=3_i64 {
        peer.query(how, &RAISE.description(), &how).await;
    }
    peer.expect_silence(Duration::from_secs(1)).await;
    peer.query(9, &ECHO.description(), &"fine").await;
    peer.expect_answer(9, &"fine").await;
    assert!(!connection.is_closed());
}

/// R-OW-6: it is no reason to wait.
#[tokio::test(start_paused = true)]
async fn suspended_one_way_handler_does_not_hold_up_other_messages() {
    static WAIT: OneWay<()> = OneWay::new("wait", 1);
    let go = Arc::new(Notify::new());
    let handler = |go: &Arc<Notify>, ()| {
        let go = go.clone();
        async move {
            go.notified().await;
            Ok(())
        }
    };
    let table = Implementations::builder()
        .implement_one_way(&WAIT, handler)
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap();
    let (_connection, mut peer) = Peer::open(Config::default(), &table, go.clone(), 11).await;
    peer.query(1, &WAIT.description(), &()).await;
    peer.query(2, &ECHO.description(), &"fine").await;
    peer.expect_answer(2, &"fine").await;
    go.notify_one();
}

// Unknown RPCs.

fn answering_unknown(policy: OnUnknownRpc) -> Implementations<()> {
    Implementations::builder()
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .on_unknown_rpc(policy)
        .build()
        .unwrap()
}

/// R-UN-1, R-UN-2, catalogue ZR6: name and version as they were asked for, at every version.
#[tokio::test(start_paused = true)]
async fn unknown_name_or_version_is_answered_and_the_connection_goes_on() {
    static ECHO_2: Rpc<String, String> = Rpc::new("echo", 2);
    for number in 1..=11 {
        let (near, _far, _) = pair(offering(number), offering(number)).await;
        for rpc in [&MISSING, &ECHO_2] {
            let error = rpc.dispatch(&near, &String::new()).await.unwrap_err();
            let DispatchError::Rpc(error) = error else {
                panic!("{error:?}");
            };
            assert_eq!(error, RpcError::unimplemented(rpc.description()));
        }
        let answer = ECHO.dispatch(&near, &"fine".to_owned()).await;
        assert_eq!(answer.unwrap(), "fine");
    }
}

/// R-UN-1: the answer comes first; the peer is not told why the stream ends.
#[tokio::test(start_paused = true)]
async fn unknown_rpc_with_policy_close_ends_the_connection() {
    let table = answering_unknown(OnUnknownRpc::CloseConnection);
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.query(1, &MISSING.description(), &"x").await;
    let expected = RpcError::unimplemented(MISSING.description());
    assert_eq!(peer.expect_error(1).await, expected);
    peer.expect_end().await;
    drop(peer);
    let closed = connection.closed().await;
    assert_eq!(closed.by, ClosedBy::Unknown);
    let reason = closed.reason.to_string();
    assert_eq!(reason, "Rpc message handling loop stopped");
}

/// R-UN-1, C-RE-5: the answer comes first; then the peer is told. The empty table does so too
/// (C-SK-6, R-IM-5).
#[tokio::test(start_paused = true)]
async fn unknown_rpc_with_policy_raise_ends_the_connection_and_tells() {
    for table in [
        answering_unknown(OnUnknownRpc::Raise),
        Implementations::empty(),
    ] {
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
        peer.query(1, &MISSING.description(), &"x").await;
        let expected = RpcError::unimplemented(MISSING.description());
        assert_eq!(peer.expect_error(1).await, expected);
        let reason = peer.expect_close_reason().await.to_string();
        let prefix = "(\"exn raised in RPC connection loop\"";
        assert!(reason.starts_with(prefix), "{reason}");
        peer.expect_end().await;
        drop(peer);
        assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
    }
}

/// R-UN-4: the callee cannot know that nobody waits; the caller closes.
#[tokio::test(start_paused = true)]
async fn unknown_one_way_rpc_ends_the_callers_connection() {
    static MISSING_ONE_WAY: OneWay<String> = OneWay::new("missing", 1);
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let waiting = SLEEP.dispatch(&near, &1_000_000);
    MISSING_ONE_WAY.dispatch(&near, &String::new()).unwrap();
    let closed = near.closed().await;
    assert_eq!(closed.by, ClosedBy::Unknown);
    let reason = closed.reason.to_string();
    assert!(reason.contains("Unknown_query_id"), "{reason}");
    assert!(matches!(
        waiting.await,
        Err(DispatchError::ConnectionClosed(_))
    ));
    assert_eq!(far.closed().await.by, ClosedBy::Peer);
}

// Payloads.

/// C-RD-13, R-PL-3, R-ER-2, catalogue ZR8: too short and too long.
#[tokio::test(start_paused = true)]
async fn undecodable_query_is_answered_and_the_handler_does_not_run() {
    let notes = Notes::default();
    let handler = |notes: &Notes, text: String| {
        notes.push(text.clone());
        Ok(text)
    };
    let table = Implementations::builder()
        .implement_blocking(&ECHO, handler)
        .build()
        .unwrap();
    let (_connection, mut peer) = Peer::open(Config::default(), &table, notes.clone(), 11).await;
    for (payload, text) in [
        (b"\x05he".as_slice(), "5 bytes expected, 2 left"),
        (
            b"\x02hello",
            "message length (3) did not match expected length (6)",
        ),
    ] {
        let message = peer.query_message(1, &ECHO.description(), payload);
        peer.send_bytes(&message).await;
        let RpcError::BinIoExn(error) = peer.expect_error(1).await else {
            panic!("another error");
        };
        let error = error.to_string();
        let location = "((location\"server-side rpc query un-bin-io'ing\")";
        assert!(error.starts_with(location), "{error}");
        assert!(error.contains(text), "{error}");
    }
    peer.query(2, &ECHO.description(), &"fine").await;
    peer.expect_answer(2, &"fine").await;
    assert_eq!(notes.get(), ["fine"]);
}

/// R-PL-21: an error of that call.
#[tokio::test(start_paused = true)]
async fn undecodable_response_is_an_error_of_its_call() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let bad = ECHO.dispatch(&connection, &String::new());
    let good = ECHO.dispatch(&connection, &String::new());
    peer.respond(QueryId::new(1), Ok(b"\x05he")).await;
    peer.answer(QueryId::new(2), &"fine").await;
    let error = bad.await.unwrap_err();
    assert!(
        matches!(
            error,
            DispatchError::Undecodable {
                location: "client-side rpc response un-bin-io'ing",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(matches!(error.to_rpc_error(), RpcError::BinIoExn(_)));
    assert_eq!(good.await.unwrap(), "fine");
    assert_eq!(connection.open_queries(), 0);
}

/// R-PL-6: size and limit are told; the next response is sent.
#[tokio::test(start_paused = true)]
async fn response_above_the_limit_is_a_write_error_and_the_connection_lives() {
    static REPEAT: Rpc<i64, String> = Rpc::new("repeat", 1);
    let table = Implementations::builder()
        .implement_blocking(&REPEAT, |_, n: i64| Ok("x".repeat(usize::try_from(n)?)))
        .build()
        .unwrap();
    // Tag, id, menu index, result, two lengths.
    let overhead = 1 + 1 + 2 + 1 + 3 + 3;
    let config = Config::default().max_message_size(overhead + 500);
    let (connection, mut peer) = Peer::open(config, &table, (), 11).await;
    peer.query(1, &REPEAT.description(), &500_i64).await;
    peer.expect_answer(1, &"x".repeat(500)).await;
    peer.query(2, &REPEAT.description(), &501_i64).await;
    let RpcError::WriteError(error) = peer.expect_error(2).await else {
        panic!("another error");
    };
    let expected = format!(
        "(Message_too_big((size {})(max_message_size {})))",
        overhead + 501,
        overhead + 500
    );
    assert_eq!(error.to_string(), expected);
    peer.query(3, &REPEAT.description(), &3_i64).await;
    peer.expect_answer(3, &"xxx").await;
    assert!(!connection.is_closed());
}

/// R-PL-6: where not even the *Write_error* in its place fits, the caller would wait for ever.
#[tokio::test(start_paused = true)]
async fn error_above_the_limit_ends_the_connection() {
    let config = Config::default().max_message_size(60);
    let (connection, mut peer) = Peer::open(config, &table(), Notes::default(), 2).await;
    peer.query(1, &FAIL.description(), &"x".repeat(40)).await;
    peer.expect_end().await;
    drop(peer);
    let closed = connection.closed().await;
    let words = "Failed to send write error to client";
    assert!(closed.to_string().contains(words), "{closed}");
    assert!(closed.to_string().contains("exceeds the limit"), "{closed}");
}

/// C-DI-4, C-LM-4, C-DI-5: nothing is sent, nothing is left, and the connection is usable.
#[tokio::test(start_paused = true)]
async fn query_above_the_limit_is_not_sent() {
    let (mut peer, io) = Peer::new(CAPACITY);
    let config = Config::default().max_message_size(100);
    let (connection, ()) = tokio::join!(
        Connection::create(io, config),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    let large = "x".repeat(100);
    let is_too_big = |error: DispatchError| matches!(error, DispatchError::MessageTooBig { size, limit: 100 } if size > 100);
    let error = ECHO.dispatch(&connection, &large).await.unwrap_err();
    assert!(matches!(
        error.to_rpc_error(),
        RpcError::MessageTooBig { .. }
    ));
    assert!(is_too_big(error));
    assert!(is_too_big(NOTE.dispatch(&connection, &large).unwrap_err()));
    static PIPE: PipeRpc<String, i64, String> = PipeRpc::new("pipe", 1);
    let error = PIPE.dispatch(&connection, &large).await.unwrap_err();
    assert!(is_too_big(error));
    assert_eq!(connection.open_queries(), 0);
    peer.expect_silence(Duration::from_secs(1)).await;
    let call = ECHO.dispatch(&connection, &"small".to_owned());
    let id = peer.expect_query().await.id;
    peer.answer(id, &"small").await;
    assert_eq!(call.await.unwrap(), "small");
}

/// An OCaml `int` has 63 bits.
const TOO_WIDE: i64 = i64::MAX;

/// Nothing is sent, nothing is left, and the connection is usable.
#[tokio::test(start_paused = true)]
async fn query_outside_63_bits_is_not_sent() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let unencodable = |error: &DispatchError| matches!(error, DispatchError::Unencodable(_));
    let error = SLEEP.dispatch(&connection, &TOO_WIDE).await.unwrap_err();
    assert!(unencodable(&error), "{error:?}");
    assert!(matches!(error.to_rpc_error(), RpcError::UncaughtExn(_)));
    let error = COUNT.dispatch(&connection, &TOO_WIDE).await.unwrap_err();
    assert!(unencodable(&error), "{error:?}");
    static WIDE: OneWay<i64> = OneWay::new("wide", 1);
    let error = WIDE.dispatch(&connection, &TOO_WIDE).unwrap_err();
    assert!(unencodable(&error), "{error:?}");
    assert_eq!(connection.open_queries(), 0);
    peer.expect_silence(Duration::from_secs(1)).await;
    let call = SLEEP.dispatch(&connection, &1);
    let id = peer.expect_query().await.id;
    peer.answer(id, &1_i64).await;
    assert_eq!(call.await.unwrap(), 1);
}

/// The handler's result cannot be told: that is its failure.
#[tokio::test(start_paused = true)]
async fn response_outside_63_bits_is_an_uncaught_exn_and_the_connection_lives() {
    let later = |_: &(), n: i64| async move {
        sleep(Duration::from_millis(1)).await;
        Ok(if n == 0 { TOO_WIDE } else { n })
    };
    let table = Implementations::builder()
        .implement_blocking(&ECHO_WIDE, |_, n| Ok(if n == 0 { TOO_WIDE } else { n }))
        .implement(&SLEEP, later)
        .build()
        .unwrap();
    static ECHO_WIDE: Rpc<i64, i64> = Rpc::new("echo-wide", 1);
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    for rpc in [&ECHO_WIDE, &SLEEP] {
        peer.query(1, &rpc.description(), &0_i64).await;
        let RpcError::UncaughtExn(error) = peer.expect_error(1).await else {
            panic!("another error");
        };
        assert!(error.to_string().contains("63 bits"), "{error}");
        peer.query(2, &rpc.description(), &7_i64).await;
        peer.expect_answer(2, &7_i64).await;
    }
    assert!(!connection.is_closed());
}

// Menus.

fn names(table: &Implementations<Notes>) -> Vec<Description> {
    table.descriptions().cloned().collect()
}

/// C-CR-2, C-CR-3, R-PL-9: sorted, without itself, at every version.
#[tokio::test(start_paused = true)]
async fn menu_rpc_lists_what_is_implemented() {
    for number in 1..=11 {
        let (near, _far, _) = pair(offering(number), offering(number)).await;
        let menu = MENU_RPC.dispatch(&near, &()).await.unwrap();
        let expected: Vec<(ByteString, i64)> = names(&table())
            .into_iter()
            .map(|rpc| (rpc.name, rpc.version))
            .collect();
        assert_eq!(menu, expected);
    }
}

/// C-CR-2, C-CR-7, C-HS-4: from version 3, with digests if they are to be provided.
#[tokio::test(start_paused = true)]
async fn handshake_tells_the_menu_from_version_3() {
    for number in 1..=11 {
        for shapes in [false, true] {
            let far = offering(number).provide_shapes(shapes);
            let (near, far, _) = pair(offering(number), far).await;
            let Some(menu) = near.peer_menu() else {
                assert!(number < 3, "no menu at {number}");
                continue;
            };
            assert!(number >= 3, "a menu at {number}");
            assert!(menu.descriptions().eq(&names(&table())));
            assert_eq!(far.local_menu().unwrap().entries(), menu.entries());
            let known = |digests| !matches!(digests, RpcDigests::Unknown);
            let all_known = menu.entries().iter().all(|entry| known(entry.digests));
            assert_eq!(all_known, shapes, "at {number}");
        }
    }
}

/// ZC11, C-CR-1: the handshake has no menu, and the user's implementation answers.
#[tokio::test(start_paused = true)]
async fn users_own_menu_rpc_takes_the_place_of_the_menu() {
    let answer = vec![(ByteString::from("secret"), 5)];
    let told = answer.clone();
    let table = Implementations::builder()
        .implement_blocking(&MENU_RPC, move |_: &(), ()| Ok(told.clone()))
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap();
    for number in [3, 11] {
        let far = (offering(number), &table, ());
        let near = (offering(number), &Implementations::empty(), ());
        let (near, far) = connect(CAPACITY, near, far).await;
        assert_eq!(near.peer_menu(), None);
        assert_eq!(far.local_menu(), None);
        assert_eq!(far.peer_menu().unwrap().entries(), []);
        assert_eq!(MENU_RPC.dispatch(&near, &()).await.unwrap(), answer);
        let echo = ECHO.dispatch(&near, &"by name".to_owned()).await;
        assert_eq!(echo.unwrap(), "by name");
    }
}

/// C-OP-5: by rank where the menu has it, else by name.
#[tokio::test(start_paused = true)]
async fn queries_name_ranks_of_the_peers_menu_at_version_11() {
    let menu = || [ECHO.description(), Description::new("another", 3)];
    for (number, in_menu, body) in [
        (11, true, b"\x0c\x01\x01\x01\x00\x02\x01x".as_slice()),
        (11, false, b"\x0c\x00\x04echo\x01\x01\x00\x02\x01x"),
        (10, true, b"\x09\x04echo\x01\x01\x00\x02\x01x"),
    ] {
        let menu = menu().into_iter().skip(usize::from(!in_menu));
        let (connection, mut peer) = Peer::open_with_menu(number, menu).await;
        let call = ECHO.dispatch(&connection, &"x".to_owned());
        assert_eq!(peer.expect_frame().await, body);
        peer.answer(QueryId::new(1), &"y").await;
        assert_eq!(call.await.unwrap(), "y");
    }
}

/// *protocol* §11: the index of the implementation in the menu that the handshake told.
#[tokio::test(start_paused = true)]
async fn responses_carry_menu_indices_from_version_7() {
    let index = u8::try_from(
        names(&table())
            .iter()
            .position(|rpc| *rpc == ECHO.description())
            .unwrap(),
    )
    .unwrap();
    for (number, body) in [
        (6, vec![0x02, 1, 0, 2, 1, b'x']),
        (7, vec![0x08, 1, 1, index, 0, 2, 1, b'x']),
        (11, vec![0x08, 1, 1, index, 0, 2, 1, b'x']),
    ] {
        let config = Config::default();
        let (_connection, mut peer) = Peer::open(config, &table(), Notes::default(), number).await;
        peer.query(1, &ECHO.description(), &"x").await;
        assert_eq!(peer.expect_frame().await, body);
    }
}

/// C-CR-7.
#[tokio::test(start_paused = true)]
async fn identification_is_told_from_version_3() {
    for number in 1..=11 {
        let far = offering(number).identification("far end");
        let (near, far, _) = pair(offering(number).identification(""), far).await;
        let told = near.peer_identification().map(|bytes| &bytes[..]);
        assert_eq!(told, (number >= 3).then_some(&b"far end"[..]));
        // Empty is not absent (*protocol* §9.2).
        let told = far.peer_identification().map(|bytes| &bytes[..]);
        assert_eq!(told, (number >= 3).then_some(&b""[..]));
    }
}

/// R-IM-2: each once, whatever kinds they are; another version is another RPC.
#[test]
fn duplicate_implementations_are_reported_together() {
    static A: Rpc<i64, i64> = Rpc::new("a", 1);
    static A_2: Rpc<i64, i64> = Rpc::new("a", 2);
    static A_ONE_WAY: OneWay<i64> = OneWay::new("a", 1);
    static B: Rpc<i64, i64> = Rpc::new("b", 2);
    let same = |_: &(), n: i64| Ok(n);
    let error = Implementations::builder()
        .implement_blocking(&B, same)
        .implement_blocking(&A, same)
        .implement_blocking(&A_2, same)
        .implement_one_way(&A_ONE_WAY, |_, _| async { Ok(()) })
        .implement_blocking(&B, same)
        .implement_blocking(&A, same)
        .build()
        .unwrap_err();
    assert_eq!(error.0, [A.description(), B.description()]);
    let text = "implemented more than once: a version 1, b version 2";
    assert_eq!(error.to_string(), text);
}

// Sending.

/// C-BP-5: not before the transport has taken what was sent.
#[tokio::test(start_paused = true)]
async fn flushed_waits_for_the_transport() {
    let (mut peer, io) = Peer::new(100);
    let (connection, ()) = tokio::join!(
        Connection::create(io, Config::default()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    connection.flushed().await;
    NOTE.dispatch(&connection, &"x".repeat(1000)).unwrap();
    let mut flushed = Box::pin(connection.flushed());
    assert!(now(&mut flushed).is_pending());
    settle().await;
    assert!(now(&mut flushed).is_pending());
    peer.expect_query().await;
    flushed.await;
}
