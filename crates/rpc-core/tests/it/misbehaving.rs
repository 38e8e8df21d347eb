//! Bad input within a call: what a peer that is confused about one query or stream gets, and that
//! the connection goes on wherever the rules let it. The rows of `docs/hostile-peers.md` that are
//! not in [`hostile`](crate::hostile).

use bin_prot::Sexp;
use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{Connection, DispatchError, PipeCloseReason};
use rpc_wire::stream::{EOF_PAYLOAD, Initial};
use rpc_wire::{CloseReason, Message, QueryId, RpcError};

use crate::pair::settle;
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, ECHO, Notes, table};

/// The connection answers and calls as if nothing had happened.
async fn assert_unharmed(connection: &Connection, peer: &mut Peer) {
    settle().await;
    assert_eq!(connection.open_queries(), 0);
    let call = ECHO.dispatch(connection, &"still here".to_owned());
    let id = peer.expect_query().await.id;
    peer.answer(id, &"still here".to_owned()).await;
    assert_eq!(call.await.unwrap(), "still here");
}

fn location(error: &DispatchError) -> &'static str {
    match error {
        DispatchError::Undecodable { location, .. } => location,
        other => panic!("{other:?}"),
    }
}

/// R-SC-2, R-OR-7: whatever comes first is taken for the initial response. An update is none, and
/// neither is an end: the stream is aborted, and over when its end comes.
#[tokio::test(start_paused = true)]
async fn update_or_end_before_the_initial_response_aborts_the_stream() {
    const INITIAL: &str = "client-side streaming_rpc initial_response un-bin-io'ing";
    for payload in [EOF_PAYLOAD, b"\x79\x8a\x00\x00\x01\x05"] {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        let pipe = COUNT.dispatch(&connection, &3);
        let id = peer.expect_query().await.id;
        peer.respond(id, Ok(payload)).await;
        assert_eq!(location(&pipe.await.unwrap_err()), INITIAL);
        peer.expect_abort(id).await;
        // Whatever the peer believes to be streaming is swallowed.
        peer.update(id, &7_i64).await;
        peer.end_stream(id).await;
        assert_unharmed(&connection, &mut peer).await;
    }
}

/// C-DI-10: the id is forgotten with the end, so a second one is an id nobody waits for.
#[tokio::test(start_paused = true)]
async fn second_end_of_a_stream_ends_the_connection() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let pipe = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    peer.end_stream(id).await;
    let pipe = pipe.await.unwrap().unwrap();
    assert!(matches!(
        pipe.close_reason().await,
        PipeCloseReason::ClosedRemotely
    ));
    peer.end_stream(id).await;
    let told = peer.expect_close_reason().await.to_string();
    assert!(told.contains(&format!("(Unknown_query_id {id})")), "{told}");
    assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
}

/// C-DI-10: and so is an update after the end.
#[tokio::test(start_paused = true)]
async fn update_after_the_end_ends_the_connection() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let pipe = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    peer.end_stream(id).await;
    peer.update(id, &1_i64).await;
    let told = peer.expect_close_reason().await.to_string();
    assert!(told.contains("Unknown_query_id"), "{told}");
    connection.closed().await;
    // The stream itself had ended well.
    let pipe = pipe.await.unwrap().unwrap();
    assert!(matches!(
        pipe.close_reason().await,
        PipeCloseReason::ClosedRemotely
    ));
}

/// C-RM-8, C-RM-9: reading stops at the first close reason, so a second one is not seen.
#[tokio::test(start_paused = true)]
async fn second_close_reason_is_not_read() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let first = CloseReason::user("first")
        .to_message(crate::pair::version(11))
        .unwrap();
    let second = CloseReason::user("second")
        .to_message(crate::pair::version(11))
        .unwrap();
    let both: Vec<u8> = [first, second]
        .iter()
        .flat_map(crate::peer::framed)
        .collect();
    peer.send_bytes(&both).await;
    let closed = connection.closed().await;
    assert_eq!(closed.by, ClosedBy::Peer);
    assert_eq!(closed.reason, CloseReason::user("first"));
}

/// C-RM-10: a second close-started has no effect either, and the connection goes on answering.
#[tokio::test(start_paused = true)]
async fn close_started_twice_is_close_started_once() {
    let config = Config::default();
    let (connection, mut peer) = Peer::open(config, &table(), Notes::default(), 11).await;
    for _ in 0..2 {
        peer.send(&Message::CloseStarted).await;
    }
    settle().await;
    assert!(connection.is_closed());
    assert_eq!(connection.close_reason(), None);
    peer.query(1, &ECHO.description(), &"hello").await;
    peer.expect_answer(1, &"hello").await;
}

/// R-ER-2, R-PL-21, R-SC-2: bytes left over, in each payload that a caller decodes.
#[tokio::test(start_paused = true)]
async fn bytes_left_over_in_a_response_are_an_error_of_its_call() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    let id = peer.expect_query().await.id;
    peer.respond(id, Ok(b"\x01x!")).await;
    let error = call.await.unwrap_err();
    assert_eq!(location(&error), "client-side rpc response un-bin-io'ing");
    let text = "message length (2) did not match expected length (3)";
    assert!(error.to_string().contains(text), "{error}");
    assert_unharmed(&connection, &mut peer).await;
}

/// R-SC-2: the same in a state, an update, and around an update; and payloads that are too short.
#[tokio::test(start_paused = true)]
async fn undecodable_parts_of_a_stream_are_errors_of_their_stream() {
    const INITIAL: &str = "client-side streaming_rpc initial_response un-bin-io'ing";
    const HEADER: &str = "client-side streaming_rpc response un-bin-io'ing";
    const UPDATE: &str = "client-side streaming_rpc response un-bin-io'ing to [bin_reader_update]";
    // Unused id, ok, the state "s"; and one more byte.
    let states: [&[u8]; 3] = [b"\x00\x00\x01s!", b"\x00\x00\x02s", b"\x00\x02"];
    for payload in states {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        let opening = COUNTER.dispatch(&connection, &3);
        let id = peer.expect_query().await.id;
        peer.respond(id, Ok(payload)).await;
        assert_eq!(location(&opening.await.unwrap_err()), INITIAL);
        peer.expect_abort(id).await;
        peer.end_stream(id).await;
        assert_unharmed(&connection, &mut peer).await;
    }
    // The tag of an update, its length, the update 5; and what is wrong with each.
    let updates: [(&[u8], &str); 5] = [
        (b"\x79\x8a\x00\x00\x02\x05\x05", UPDATE),
        (b"\x79\x8a\x00\x00\x01\xff", UPDATE),
        (b"\x79\x8a\x00\x00\x01\x05\x05", HEADER),
        (b"\x79\x8a\x00\x00\x09\x05", UPDATE),
        (b"\x01\x02\x03\x04", HEADER),
    ];
    for (payload, expected) in updates {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        let opening = COUNT.dispatch(&connection, &3);
        let id = peer.expect_query().await.id;
        peer.start(id, &()).await;
        let pipe = opening.await.unwrap().unwrap();
        peer.respond(id, Ok(payload)).await;
        match pipe.close_reason().await {
            PipeCloseReason::Error(error) => assert_eq!(location(&error), expected),
            other => panic!("{other:?}"),
        }
        peer.expect_abort(id).await;
        peer.end_stream(id).await;
        assert_unharmed(&connection, &mut peer).await;
    }
}

/// R-SC-1: an undecodable user error is the stream's last message; nothing is aborted.
#[tokio::test(start_paused = true)]
async fn undecodable_user_error_needs_no_abort() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    let mut payload = Vec::new();
    Initial::Error.write_before(&mut payload);
    payload.push(0xff);
    peer.respond(id, Ok(&payload)).await;
    opening.await.unwrap_err();
    assert_unharmed(&connection, &mut peer).await;
}

/// R-SC-3: an error response to an abort, or to a stream that was dropped, ends it.
#[tokio::test(start_paused = true)]
async fn error_in_answer_to_an_abort_ends_the_stream() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    drop(COUNT.dispatch(&connection, &3));
    let id = peer.expect_query().await.id;
    peer.expect_abort(id).await;
    peer.respond(id, Err(RpcError::UncaughtExn(Sexp::atom("no"))))
        .await;
    assert_unharmed(&connection, &mut peer).await;
}

/// C-DI-10: ids that no caller issues.
#[tokio::test(start_paused = true)]
async fn response_to_id_zero_or_a_negative_one_ends_the_connection() {
    for id in [0, -1, i64::from(i32::MIN)] {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        peer.answer(QueryId::new(id), &()).await;
        let told = peer.expect_close_reason().await.to_string();
        assert!(told.contains(&format!("(Unknown_query_id {id})")), "{told}");
        connection.closed().await;
    }
}

/// R-SV-1: ids are the caller's; two streams under one id are its own confusion. The connection
/// lives, and an abort ends what is left.
#[tokio::test(start_paused = true)]
async fn query_with_the_id_of_an_open_plain_query_is_answered_too() {
    let config = Config::default();
    let (connection, mut peer) = Peer::open(config, &table(), Notes::default(), 11).await;
    for _ in 0..2 {
        peer.query(7, &ECHO.description(), &"twice").await;
    }
    for _ in 0..2 {
        peer.expect_answer(7, &"twice").await;
    }
    drop(connection);
    peer.expect_end().await;
}
