//! Catalogue C and W: how bytes arrive, and which answer belongs to which call.

use rpc_core::connection::Config;
use rpc_wire::Message;

use crate::pair::{CAPACITY, settle};
use crate::peer::{Peer, framed};
use crate::rpcs::{COUNT, ECHO, HOLD, NOTE, Notes, table};
use crate::source::Dropped;

/// C1 to C6: C1, C2, C3, C4, C5, C6. Messages are handled when they are complete, however they
/// arrive. Our transports have no batches to count.
#[tokio::test(start_paused = true)]
async fn messages_are_handled_when_they_are_complete() {
    let notes = Notes::default();
    let (_connection, mut peer) = Peer::open(Config::default(), &table(), notes.clone(), 11).await;
    let message = peer.query_message(1, &NOTE.description(), b"\x09FOOBAR123");
    let two = [&message[..], &message].concat();
    let half = message.len() / 2;
    let thirds = vec![&message[..8], &message[8..half], &message[half..]];
    let single: Vec<&[u8]> = two.chunks(1).collect();
    // The chunks, and how many messages are complete when the last but one, and the last has come.
    let c1 = (vec![&message[..]], 0, 1);
    let c2 = (vec![&message[..], &message], 1, 2);
    let c3 = (thirds, 0, 1);
    let c4 = (vec![&two[..]], 0, 2);
    let c5 = (single, 1, 2);
    let c6 = [c1.clone(), c3.clone(), c4.clone(), c5.clone(), c1.clone()];
    for (chunks, before_last, all) in [c1, c2, c3, c4, c5].into_iter().chain(c6) {
        let (last, others) = chunks.split_last().unwrap();
        for chunk in others {
            peer.send_bytes(chunk).await;
            settle().await;
        }
        assert_eq!(notes.get().len(), before_last);
        peer.send_bytes(last).await;
        settle().await;
        assert_eq!(notes.take(), vec!["FOOBAR123"; all]);
    }
}

/// C9, C-CL-12: nobody waits for bytes that no transport will take.
#[tokio::test(start_paused = true)]
async fn flushed_resolves_when_the_connection_dies() {
    let (connection, peer) = Peer::called_by_us(11).await;
    let large = "x".repeat(256 * 1024);
    assert!(large.len() > CAPACITY);
    let call = ECHO.dispatch(&connection, &large);
    settle().await;
    let mut flushed = Box::pin(connection.flushed());
    assert!(crate::pair::now(&mut flushed).is_pending());
    drop(peer);
    flushed.await;
    let error = call.await.unwrap_err().to_string();
    assert!(error.contains("EOF or connection closed"), "{error}");
}

/// C-DI-9: W1.
#[tokio::test(start_paused = true)]
async fn answers_in_reverse_order_reach_their_calls() {
    let (connection, mut peer) = Peer::called_by_us(1).await;
    let text = |n: i64| format!("call {n}");
    let calls: Vec<_> = (0..10)
        .map(|n| ECHO.dispatch(&connection, &text(n)))
        .collect();
    let mut asked = Vec::new();
    for _ in 0..10 {
        asked.push(peer.expect_query().await);
    }
    for asked in asked.iter().rev() {
        peer.respond(asked.id, Ok(&asked.payload)).await;
    }
    for (n, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap(), text(n));
    }
}

/// C-DI-9: W11: an entry for each open stream, until its end.
#[tokio::test(start_paused = true)]
async fn entry_of_a_stream_lives_until_its_end() {
    let (connection, mut peer) = Peer::called_by_us(1).await;
    let opening = COUNT.dispatch(&connection, &10);
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let mut pipe = opening.await.unwrap().unwrap();
    for n in 0..10 {
        peer.update(id, &n).await;
        assert_eq!(pipe.next().await, Some(n));
        assert_eq!(connection.open_queries(), 1);
    }
    peer.end_stream(id).await;
    assert_eq!(pipe.next().await, None);
    assert_eq!(connection.open_queries(), 0);
    connection.close();
    peer.expect_end().await;
    drop(peer);
    connection.closed().await;
}

/// C-DI-6: W32: what is sent waits in the buffer; the caller does not.
#[tokio::test(start_paused = true)]
async fn stalled_peer_does_not_hold_up_the_callers() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let large = "x".repeat(10 * CAPACITY);
    let calls: Vec<_> = (0..5).map(|_| ECHO.dispatch(&connection, &large)).collect();
    NOTE.dispatch(&connection, &"behind them".to_owned())
        .unwrap();
    settle().await;
    assert!(connection.bytes_to_write() > 40 * CAPACITY as u64);
    let mut asked = Vec::new();
    for _ in 0..6 {
        asked.push(peer.expect_query().await);
    }
    assert_eq!(asked[5].rpc, NOTE.description());
    for (asked, call) in asked.iter().zip(calls) {
        peer.answer(asked.id, &"fine").await;
        assert_eq!(call.await.unwrap(), "fine");
    }
}

/// W10: heartbeats are sent as long as the silence is tolerated.
#[tokio::test(start_paused = true)]
async fn silence_is_answered_with_heartbeats_and_then_with_the_end() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    for _ in 0..4 {
        peer.expect_heartbeat().await;
    }
    assert!(!connection.is_closed());
    tokio::time::sleep(10 * super::SECOND).await;
    let reason = peer.expect_close_reason().await.to_string();
    assert!(reason.contains("No heartbeats received for"), "{reason}");
}

/// ZC36, C-BP-3: a handler that holds up the connection holds up the signs of life that arrive,
/// in both styles.
#[tokio::test(start_paused = true)]
async fn handler_that_holds_up_the_connection_for_too_long_costs_it() {
    use rpc_core::connection::heartbeat::{self, TimeoutStyle};
    use rpc_core::{ExpertQuery, Implementation, Implementations, Responder};
    let dropped = Dropped::default();
    let guarded = dropped.clone();
    let handler = move |(): &(), _: ExpertQuery<'_>, _responder: Responder| {
        let guard = guarded.guard();
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    };
    let table = Implementations::builder()
        .implementation(Implementation::expert(&ECHO, handler))
        .build()
        .unwrap();
    for (style, seconds) in [
        (TimeoutStyle::TimeBetweenHeartbeats, 40),
        (TimeoutStyle::NumberOfHeartbeats, 30),
    ] {
        let heartbeat = heartbeat::Config::default().style(style);
        let config = Config::default().heartbeat(heartbeat);
        let (connection, mut peer) = Peer::open(config, &table, (), 11).await;
        peer.query(1, &ECHO.description(), &"x").await;
        settle().await;
        for _ in 0..seconds - 1 {
            tokio::time::sleep(super::SECOND).await;
            peer.send_bytes(&framed(&Message::Heartbeat)).await;
        }
        assert!(!connection.is_closed(), "{style:?}");
        let closed = connection.close_started().await;
        assert!(closed.to_string().contains("No heartbeats"), "{closed}");
        drop(peer);
        connection.closed().await;
        assert!(dropped.is_set());
    }
}

/// ZC19, C-CL-4, R-SC-5: a peer that has started to close is asked for nothing more.
#[tokio::test(start_paused = true)]
async fn no_abort_is_sent_to_a_peer_that_started_closing() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = HOLD.dispatch(&connection, &());
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let mut pipe = opening.await.unwrap().unwrap();
    peer.send(&Message::CloseStarted).await;
    settle().await;
    pipe.close();
    let mut reason = Box::pin(pipe.close_reason());
    let std::task::Poll::Ready(reason) = crate::pair::now(&mut reason) else {
        panic!("not closed");
    };
    crate::streams::closed_locally(&reason);
    peer.expect_silence(super::SECOND).await;
    assert_eq!(connection.open_queries(), 1);
    peer.end_stream(id).await;
    settle().await;
    assert_eq!(connection.open_queries(), 0);
}
