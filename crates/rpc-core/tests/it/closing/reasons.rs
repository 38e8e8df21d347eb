//! What the two ends say of the end, and which of several causes counts.

use std::sync::Arc;

use bin_prot::{Info, Sexp};
use rpc_core::Connection;
use rpc_core::connection::{Close, Closed, ClosedBy, Config};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{CloseReason, CloseReasonKind, Message, QueryId};
use tokio::time::{Instant, sleep};

use super::{SECOND, check_closed, end_of_input};
use crate::pair::{alive_tasks, now, offering, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO, NOTE, SLEEP};

/// Lets the near end do something that closes; what both ends say of it.
async fn observe(version: i64, act: impl FnOnce(&Connection)) -> (Arc<Closed>, Arc<Closed>) {
    let (near, far, _) = pair(offering(version), offering(version)).await;
    act(&near);
    assert!(near.is_closed());
    let closed = (near.closed().await, far.closed().await);
    assert_eq!(near.close_started().await, closed.0);
    assert_eq!(far.close_started().await, closed.1);
    assert_eq!(near.close_reason().as_ref(), Some(&closed.0));
    assert_eq!(far.close_reason().as_ref(), Some(&closed.1));
    assert_eq!(closed.0.connection, "near");
    assert_eq!(closed.1.connection, "far");
    settle().await;
    assert_eq!(alive_tasks(), 0);
    closed
}

/// C-CL-5, first row.
#[tokio::test(start_paused = true)]
async fn close_without_a_reason_is_an_end_of_input_for_the_peer() {
    for version in 1..=11 {
        let (near, far) = observe(version, Connection::close).await;
        assert_eq!(near.by, ClosedBy::Local);
        let reason = CloseReason::debug("Rpc.Connection.close");
        assert_eq!(near.reason, reason);
        assert_eq!(far.by, ClosedBy::Unknown);
        assert_eq!(far.reason, end_of_input());
    }
}

/// C-RS-4, C-RS-5: nothing below version 4, the text up to 9, all parts from 10.
#[tokio::test(start_paused = true)]
async fn close_with_a_reason_is_told_as_the_version_can() {
    for version in 1..=11 {
        let close = |connection: &Connection| connection.close_with_reason("bye");
        let (near, far) = observe(version, close).await;
        assert_eq!(near.by, ClosedBy::Local);
        assert_eq!(near.reason, CloseReason::user("bye"));
        let (by, reason) = match version {
            1..=3 => (ClosedBy::Unknown, end_of_input()),
            4..=9 => (ClosedBy::Peer, CloseReason::debug("bye")),
            _ => (ClosedBy::Peer, CloseReason::user("bye")),
        };
        assert_eq!(far.by, by, "at {version}");
        assert_eq!(far.reason, reason, "at {version}");
    }
}

/// C-CL-5, second row: a kind alone is for this side.
#[tokio::test(start_paused = true)]
async fn kind_without_a_reason_is_not_told() {
    for version in [3, 9, 11] {
        let close = |connection: &Connection| {
            connection.close_with(Close::new().kind(CloseReasonKind::ConnectionLimitReached));
        };
        let (near, far) = observe(version, close).await;
        assert_eq!(near.by, ClosedBy::Local);
        let mut reason = CloseReason::debug("Rpc.Connection.close");
        reason.kind = CloseReasonKind::ConnectionLimitReached;
        assert_eq!(near.reason, reason);
        assert_eq!(far.by, ClosedBy::Unknown);
        assert_eq!(far.reason, end_of_input());
    }
}

/// C-CL-5, third row: the kind goes with the reason; C-RS-4: from version 10 apart from it.
#[tokio::test(start_paused = true)]
async fn kind_goes_with_the_reason() {
    for version in [4, 9, 10, 11] {
        let kind = CloseReasonKind::ConnectionLimitReached;
        let close = |connection: &Connection| {
            connection.close_with(Close::new().reason("full").kind(kind.clone()));
        };
        let (near, far) = observe(version, close).await;
        let mut reason = CloseReason::user("full");
        reason.kind = kind.clone();
        assert_eq!(near.reason, reason);
        assert_eq!(far.by, ClosedBy::Peer);
        match version {
            4..=9 => {
                let pair = Sexp::list([Sexp::atom("Connection_limit_reached"), Sexp::atom("full")]);
                assert_eq!(far.reason, CloseReason::debug(pair));
            }
            _ => assert_eq!(far.reason, reason),
        }
    }
}

/// C-RS-1, C-CL-5, fourth row: as it is, with nothing in it or everything, and told.
#[tokio::test(start_paused = true)]
async fn whole_reason_is_told_as_given() {
    let everything = CloseReason {
        kind: CloseReasonKind::ConnectionValidationFailed,
        debug_info: Some(Info::from("debug")),
        user_reason: Some(Info::from("user")),
    };
    for reason in [CloseReason::default(), everything, CloseReason::debug("d")] {
        for version in [4, 9, 10, 11] {
            let close = |connection: &Connection| connection.close_with(reason.clone());
            let (near, far) = observe(version, close).await;
            assert_eq!(near.by, ClosedBy::Local);
            assert_eq!(near.reason, reason);
            assert_eq!(far.by, ClosedBy::Peer);
            match version {
                4..=9 => assert_eq!(far.reason, CloseReason::debug(reason.to_info())),
                _ => assert_eq!(far.reason, reason),
            }
        }
    }
}

/// C-RS-2: the prefix says who, and the description which connection.
#[tokio::test(start_paused = true)]
async fn text_of_the_end_says_who_closed_which_connection() {
    let close = |connection: &Connection| connection.close_with_reason("bye");
    let (near, far) = observe(11, close).await;
    let expected = r#"(("Connection closed by local side:"bye)(connection_description near))"#;
    assert_eq!(near.to_string(), expected);
    let expected = r#"(("Connection closed by remote side:"bye)(connection_description far))"#;
    assert_eq!(far.to_string(), expected);
    let (_, far) = observe(11, Connection::close).await;
    let expected = r#"("EOF or connection closed"(connection_description far))"#;
    assert_eq!(far.to_string(), expected);
}

/// H12, H14, *protocol* §13.1, byte by byte.
#[tokio::test(start_paused = true)]
async fn reason_is_the_last_frame() {
    let text = b"\x03\x00\x0btest reason";
    for (version, body) in [
        (3, None),
        (4, Some([b"\x05", text.as_slice()].concat())),
        (9, Some([b"\x05", text.as_slice()].concat())),
        (
            10,
            Some([b"\x0b\x00\x0bUnspecified\x00\x01".as_slice(), text].concat()),
        ),
    ] {
        let (connection, mut peer) = Peer::called_by_us(version).await;
        connection.close_with_reason(Sexp::atom("test reason"));
        if let Some(body) = body {
            assert_eq!(peer.expect_frame().await, body);
        }
        peer.expect_end().await;
    }
}

/// C-RE-1: the peer's process is gone.
#[tokio::test(start_paused = true)]
async fn lost_peer_is_an_end_of_input() {
    for version in [1, 11] {
        let (connection, peer) = Peer::called_by_us(version).await;
        let call = ECHO.dispatch(&connection, &"x".to_owned());
        drop(peer);
        let closed = connection.closed().await;
        assert_eq!(closed.by, ClosedBy::Unknown);
        assert_eq!(closed.reason, end_of_input());
        check_closed(call.await, &closed);
    }
}

/// C-RE-3, C-RM-8, C-RM-9: all three messages, at every version; what follows is not read.
#[tokio::test(start_paused = true)]
async fn close_reason_of_the_peer_is_the_reason() {
    let structured = CloseReason::user("bye").to_v2();
    for version in [1, 4, 11] {
        for (message, expected) in [
            (
                Message::CloseReason(Info::from("bye")),
                CloseReason::debug("bye"),
            ),
            (
                Message::CloseReasonDuplicated(Info::from("bye")),
                CloseReason::debug("bye"),
            ),
            (
                Message::CloseReasonV2(Box::new(structured.clone())),
                CloseReason::user("bye"),
            ),
        ] {
            let (connection, mut peer) = Peer::called_by_us(version).await;
            let call = ECHO.dispatch(&connection, &"x".to_owned());
            peer.expect_query().await;
            peer.send(&message).await;
            peer.answer(QueryId::new(1), &"too late").await;
            let closed = connection.closed().await;
            assert_eq!(closed.by, ClosedBy::Peer);
            assert_eq!(closed.reason, expected);
            check_closed(call.await, &closed);
            // Not answered by another one.
            peer.expect_end().await;
        }
    }
}

/// ZC22, C-CL-1, C-CL-2.
#[tokio::test(start_paused = true)]
async fn first_close_wins() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    near.close_with_reason("first");
    near.close_with_reason("second");
    near.close();
    assert_eq!(near.closed().await.reason, CloseReason::user("first"));
    near.close_with_reason("third");
    assert_eq!(near.closed().await.reason, CloseReason::user("first"));
    assert_eq!(far.closed().await.reason, CloseReason::user("first"));
}

/// C-RS-8: each keeps its own cause, and nobody waits for anybody.
#[tokio::test(start_paused = true)]
async fn both_sides_closing_at_once_keep_their_own_reasons() {
    for version in [3, 9, 11] {
        let (near, far, _) = pair(offering(version), offering(version)).await;
        let start = Instant::now();
        let calls = [SLEEP.dispatch(&near, &1000), SLEEP.dispatch(&far, &1000)];
        near.close_with_reason("near's");
        far.close_with_reason("far's");
        let (near, far) = tokio::join!(near.closed(), far.closed());
        assert_eq!(near.by, ClosedBy::Local);
        assert_eq!(near.reason, CloseReason::user("near's"));
        assert_eq!(far.by, ClosedBy::Local);
        assert_eq!(far.reason, CloseReason::user("far's"));
        assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
        let [near_call, far_call] = calls;
        check_closed(near_call.await, &near);
        check_closed(far_call.await, &far);
    }
}

/// C-RS-8: ours would be no news to a peer that has closed.
#[tokio::test(start_paused = true)]
async fn reason_of_the_peer_suppresses_sending_ours() {
    let (mut peer, io) = Peer::new(100);
    let (connection, ()) = tokio::join!(
        Connection::create(io, Config::default()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    // Closing takes as long as this does.
    NOTE.dispatch(&connection, &"x".repeat(1000)).unwrap();
    settle().await;
    connection.close_with_reason("ours");
    settle().await;
    let theirs = CloseReason::user("theirs");
    peer.send(&Message::CloseReasonV2(Box::new(theirs.to_v2())))
        .await;
    settle().await;
    assert_eq!(peer.expect_query().await.payload.len(), 1003);
    peer.expect_end().await;
    let closed = connection.closed().await;
    assert_eq!(closed.by, ClosedBy::Local);
    assert_eq!(closed.reason, CloseReason::user("ours"));
}

/// C-CL-3, C-RS-7: the reason can be awaited at the start and at the end of closing.
#[tokio::test(start_paused = true)]
async fn start_of_closing_can_be_awaited() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let waiting = [connection.clone(), connection.clone()];
    let mut waiting = waiting.map(|c| Box::pin(async move { c.close_started().await }));
    sleep(SECOND).await;
    assert!(now(&mut waiting[0]).is_pending());
    connection.close_with_reason("bye");
    let expected = CloseReason::user("bye");
    for waiting in &mut waiting {
        assert_eq!(waiting.await.reason, expected);
    }
    // Closing has not finished: the peer has not ended its half.
    assert!(now(&mut Box::pin(connection.closed())).is_pending());
    peer.expect_close_reason().await;
    drop(peer);
    assert_eq!(connection.closed().await.reason, expected);
    assert_eq!(connection.close_started().await.reason, expected);
}

/// The handle is the connection.
#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_closes() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let clone = near.clone();
    drop(near);
    settle().await;
    let answer = ECHO.dispatch(&clone, &"fine".to_owned()).await;
    assert_eq!(answer.unwrap(), "fine");
    drop(clone);
    let closed = far.closed().await;
    assert_eq!(closed.by, ClosedBy::Unknown);
    assert_eq!(closed.reason, end_of_input());
    settle().await;
    assert_eq!(alive_tasks(), 0);
}

/// Calls in flight and pipes hold handles.
#[tokio::test(start_paused = true)]
async fn connection_lives_until_its_calls_and_pipes_are_over() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let call = SLEEP.dispatch(&near, &100_000);
    let opening = COUNT.dispatch(&near, &3);
    drop(near);
    assert_eq!(call.await.unwrap(), 100_000);
    let mut pipe = opening.await.unwrap().unwrap();
    sleep(100 * SECOND).await;
    assert!(!far.is_closed());
    for expected in [Some(0), Some(1), Some(2), None] {
        assert_eq!(pipe.next().await, expected);
    }
    settle().await;
    assert!(!far.is_closed());
    drop(pipe);
    assert_eq!(far.closed().await.by, ClosedBy::Unknown);
}
