//! How connections end: who learns what, what is still delivered, and that nothing stays behind.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bin_prot::{Info, Sexp};
use rpc_core::connection::{Closed, ClosedBy, Config, heartbeat};
use rpc_core::{
    Connection, ConnectionClosed, DispatchError, Implementations, OneWay, PipeCloseReason, Rpc,
};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{CloseReason, Message, QueryId};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::{Instant, sleep, timeout};

use crate::pair::{CAPACITY, alive_tasks, connect, now, offering, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, ECHO, HOLD, NOTE, Notes, SLEEP, table};
use crate::source::{Dropped, Never};

const SECOND: Duration = Duration::from_secs(1);

fn end_of_input() -> CloseReason {
    CloseReason::debug("EOF or connection closed")
}

/// The error of a call that the end of the connection answered.
#[track_caller]
fn check_closed<T: std::fmt::Debug>(result: Result<T, DispatchError>, closed: &Closed) {
    let error = result.unwrap_err();
    let DispatchError::ConnectionClosed(ConnectionClosed { reason }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(reason.as_deref(), Some(closed));
}

// What both sides observe (*connection* §9).

/// Lets the near end do something that closes; what both ends say of it.
async fn observe(version: i64, act: impl FnOnce(&Connection)) -> (Arc<Closed>, Arc<Closed>) {
    let (near, far, _) = pair(offering(version), offering(version)).await;
    act(&near);
    assert!(near.is_closed());
    let closed = (near.closed().await, far.closed().await);
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

/// *protocol* §13.1, byte by byte.
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

/// C-RM-8, C-RM-9: all three messages, at every version; what follows is not read.
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

// Who closes.

/// C-CL-1, C-CL-2.
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

// What is still delivered.

/// Decision 2: the reason comes behind the data of a stream.
#[tokio::test(start_paused = true)]
async fn reason_costs_no_data_of_a_served_stream() {
    for version in [3, 9, 11] {
        let (table, notes) = (table(), Notes::default());
        let near = (offering(version), &table, notes.clone());
        let far = (offering(version), &table, notes);
        let (near, far) = connect(100, near, far).await;
        let opening = COUNT.dispatch(&near, &500);
        let mut pipe = opening.await.unwrap().unwrap();
        far.close_with_reason("bye");
        for expected in 0..500 {
            assert_eq!(pipe.next().await, Some(expected));
        }
        assert_eq!(pipe.next().await, None);
        let closed = near.closed().await;
        let by = if version >= 4 {
            ClosedBy::Peer
        } else {
            ClosedBy::Unknown
        };
        assert_eq!(closed.by, by);
        // C-CL-12, step 4: no end of the stream.
        match pipe.close_reason().await {
            PipeCloseReason::Error(error) => check_closed(Err::<(), _>(error), &closed),
            other => panic!("{other:?}"),
        }
    }
}

/// C-CL-12, step 3: what a source has ready is taken and sent before closing goes on.
#[tokio::test(start_paused = true)]
async fn reason_waits_until_the_sources_of_streams_are_flushed() {
    let (table, notes) = (table(), Notes::default());
    let near = (Config::default(), &table, notes.clone());
    let far = (Config::default(), &table, notes);
    let (near, far) = connect(1000, near, far).await;
    let mut pipe = COUNT.dispatch(&near, &5000).await.unwrap().unwrap();
    far.close_with_reason("bye");
    let mut updates = 0;
    while pipe.next().await.is_some() {
        updates += 1;
    }
    assert_eq!(updates, 5000);
}

/// C-CL-12, step 5: whatever the transport takes at a time.
#[tokio::test(start_paused = true)]
async fn large_output_is_delivered_whole_before_the_end() {
    for capacity in [7, 1000] {
        let (table, notes) = (table(), Notes::default());
        let near = (Config::default(), &table, Notes::default());
        let far = (Config::default(), &table, notes.clone());
        let (near, far) = connect(capacity, near, far).await;
        let text = "x".repeat(100_000);
        NOTE.dispatch(&near, &text).unwrap();
        NOTE.dispatch(&near, &"the last one".to_owned()).unwrap();
        near.close_with_reason("bye");
        assert_eq!(far.closed().await.reason, CloseReason::user("bye"));
        assert_eq!(notes.get(), [text, "the last one".to_owned()]);
    }
}

/// The same of a large response.
#[tokio::test(start_paused = true)]
async fn answer_that_was_given_is_delivered_before_the_end() {
    static BIG: Rpc<(), String> = Rpc::new("big", 1);
    let table = Implementations::builder()
        .implement_blocking(&BIG, |connection: &OnceLock<Connection>, ()| {
            if let Some(connection) = connection.get() {
                connection.close_with_reason("that was all");
            }
            Ok("x".repeat(100_000))
        })
        .build()
        .unwrap();
    let (near_io, far_io) = tokio::io::duplex(100);
    let (near, far) = tokio::join!(
        Connection::create(near_io, Config::default()),
        Connection::serve(far_io, Config::default(), &table, |connection| {
            OnceLock::from(connection.clone())
        }),
    );
    let (near, _far) = (near.unwrap(), far.unwrap());
    let answer = BIG.dispatch(&near, &()).await.unwrap();
    assert_eq!(answer.len(), 100_000);
    assert_eq!(near.closed().await.by, ClosedBy::Peer);
}

/// C-CL-14, ZC24: the time is bounded, and what is unsent is lost.
#[tokio::test(start_paused = true)]
async fn peer_that_never_reads_delays_closing_by_the_flush_timeout() {
    for timeout in [2, 5] {
        let (mut peer, io) = Peer::new(100);
        let config = Config::default().flush_timeout(Duration::from_secs(timeout));
        let (connection, ()) = tokio::join!(
            Connection::create(io, config),
            peer.shake_hands(11, PeerMetadata::default()),
        );
        let connection = connection.unwrap();
        let call = ECHO.dispatch(&connection, &"x".repeat(10_000));
        settle().await;
        let start = Instant::now();
        connection.close_with_reason("bye");
        let closed = connection.closed().await;
        // Waiting for the peer to end its half takes up to a second more (decision 21).
        let taken = start.elapsed();
        let expected = Duration::from_secs(timeout)..=Duration::from_secs(timeout + 1);
        assert!(expected.contains(&taken), "{taken:?}");
        assert_eq!(closed.by, ClosedBy::Local);
        check_closed(call.await, &closed);
        settle().await;
        assert_eq!(alive_tasks(), 0);
    }
}

/// Decision 21: the peer has a moment to end its own half; what it sends meanwhile is discarded.
#[tokio::test(start_paused = true)]
async fn peer_that_reads_but_never_ends_delays_closing_by_a_second() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let start = Instant::now();
    connection.close_with_reason("bye");
    peer.expect_close_reason().await;
    peer.expect_end().await;
    peer.send(&Message::Heartbeat).await;
    connection.closed().await;
    assert_eq!(start.elapsed(), SECOND);
}

// Calls and handlers.

/// Decision 14, C-CL-20, C-CL-21: by whatever way the connection ends.
#[tokio::test(start_paused = true)]
async fn pending_calls_are_answered_before_closed_resolves() {
    for end in 0..5 {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        let mut call = ECHO.dispatch(&connection, &"x".to_owned());
        let mut opening = Box::pin(HOLD.dispatch(&connection, &()));
        let started = COUNTER.dispatch(&connection, &3);
        for _ in 0..2 {
            peer.expect_query().await;
        }
        let id = peer.expect_query().await.id;
        peer.start(id, &"3").await;
        let (_, mut pipe) = started.await.unwrap().unwrap();
        assert!(now(&mut call).is_pending());
        assert!(now(&mut opening).is_pending());
        match end {
            0 => connection.close(),
            1 => connection.close_with_reason("bye"),
            2 => peer.end().await,
            3 => peer.send(&Message::CloseReason(Info::from("bye"))).await,
            _ => peer.send_bytes(&[0xff; 8]).await,
        }
        connection.closed().await;
        assert!(matches!(now(&mut call), Poll::Ready(Err(_))));
        assert!(matches!(now(&mut opening), Poll::Ready(Err(_))));
        assert!(matches!(now(&mut Box::pin(pipe.next())), Poll::Ready(None)));
        let mut reason = Box::pin(pipe.close_reason());
        assert!(matches!(
            now(&mut reason),
            Poll::Ready(PipeCloseReason::Error(_))
        ));
        assert_eq!(connection.open_queries(), 0);
    }
}

/// C-CL-3, C-DI-3: nothing is sent and nothing registered.
#[tokio::test(start_paused = true)]
async fn dispatches_on_a_closed_connection_fail_at_once() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    connection.close_with_reason("bye");
    // While it closes, and after.
    for _ in 0..2 {
        let closed = connection.close_reason().unwrap();
        let echo = ECHO.dispatch(&connection, &"x".to_owned());
        check_closed(echo.await, &closed);
        check_closed(COUNT.dispatch(&connection, &3).await, &closed);
        check_closed(COUNTER.dispatch(&connection, &3).await, &closed);
        check_closed(NOTE.dispatch(&connection, &"x".to_owned()), &closed);
        assert_eq!(connection.open_queries(), 0);
        connection.closed().await;
    }
    peer.expect_close_reason().await;
    peer.expect_end().await;
}

/// C-CL-3, C-CL-11, ZC18: what is open goes on, in both directions.
#[tokio::test(start_paused = true)]
async fn peer_that_started_closing_takes_no_more_queries() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    let id = peer.expect_query().await.id;
    // A second one changes nothing (C-RM-10).
    for _ in 0..2 {
        peer.send(&Message::CloseStarted).await;
    }
    settle().await;
    assert!(connection.is_closed());
    assert!(connection.close_reason().is_none());
    let refused = ECHO.dispatch(&connection, &"y".to_owned()).await;
    assert!(matches!(
        refused,
        Err(DispatchError::ConnectionClosed(ConnectionClosed {
            reason: None
        }))
    ));
    peer.query(5, &ECHO.description(), &"z").await;
    peer.expect_answer(5, &"z").await;
    peer.answer(id, &"x").await;
    assert_eq!(call.await.unwrap(), "x");
    drop(peer);
    assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
}

/// Decision 13 (C-CL-25): plain, one-way and streaming handlers, and the sources of streams.
#[tokio::test(start_paused = true)]
async fn handlers_are_cancelled_before_closed_resolves() {
    static WAIT: OneWay<()> = OneWay::new("wait", 1);
    let forever = |dropped: &Dropped| {
        let guard = dropped.guard();
        async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        }
    };
    for end in 0..3 {
        let dropped: [Dropped; 3] = std::array::from_fn(|_| Dropped::default());
        let table = Implementations::<[Dropped; 3]>::builder()
            .implement(&ECHO, move |dropped, text| {
                let waiting = forever(&dropped[0]);
                async move {
                    waiting.await;
                    Ok(text)
                }
            })
            .implement_one_way(&WAIT, move |dropped, ()| {
                let waiting = forever(&dropped[1]);
                async move {
                    waiting.await;
                    Ok(())
                }
            })
            .implement_pipe(&HOLD, move |dropped, ()| {
                let waiting = forever(&dropped[2]);
                async move {
                    waiting.await;
                    Ok(Ok(Never))
                }
            })
            .build()
            .unwrap();
        let config = Config::default();
        let (connection, mut peer) = Peer::open(config, &table, dropped.clone(), 11).await;
        peer.query(1, &ECHO.description(), &"x").await;
        peer.query(2, &WAIT.description(), &()).await;
        peer.open_stream(3, &HOLD.description(), &()).await;
        settle().await;
        assert_eq!(alive_tasks(), 4);
        match end {
            0 => connection.close(),
            1 => drop(peer),
            _ => peer.send_bytes(&[0xff; 8]).await,
        }
        connection.closed().await;
        assert!(dropped.iter().all(Dropped::is_set));
        settle().await;
        assert_eq!(alive_tasks(), 0);
    }
}

/// C-CL-12, step 4: the table of served streams is cleared.
#[tokio::test(start_paused = true)]
async fn no_stream_is_served_once_the_connection_has_closed() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    peer.open_stream(1, &HOLD.description(), &()).await;
    peer.expect_start(1, &()).await;
    assert_eq!(connection.served_streams(), 1);
    drop(peer);
    connection.closed().await;
    assert_eq!(connection.served_streams(), 0);
}

/// C-RM-2, decision 1: whatever the form, and however close behind.
#[tokio::test(start_paused = true)]
async fn queries_that_arrive_after_the_close_are_dropped() {
    static CLOSE: OneWay<()> = OneWay::new("close", 1);
    type State = (OnceLock<Connection>, Notes);
    let table = Implementations::<State>::builder()
        .implement_one_way(&CLOSE, |(connection, _), ()| {
            connection.get().unwrap().close();
            async { Ok(()) }
        })
        .implement_blocking(&ECHO, |(_, notes), text| {
            notes.push(text.clone());
            Ok(text)
        })
        .build()
        .unwrap();
    for version in [1, 2, 8, 11] {
        let notes = Notes::default();
        let (mut peer, io) = Peer::new(CAPACITY);
        let state = |connection: &Connection| (OnceLock::from(connection.clone()), notes.clone());
        let (connection, ()) = tokio::join!(
            Connection::serve(io, Config::default(), &table, state),
            peer.shake_hands(version, PeerMetadata::default()),
        );
        let mut chunk = peer.query_message(1, &ECHO.description(), b"\x06before");
        chunk.extend(peer.query_message(2, &CLOSE.description(), b"\x00"));
        chunk.extend(peer.query_message(3, &ECHO.description(), b"\x05after"));
        peer.send_bytes(&chunk).await;
        peer.expect_answer(1, &"before").await;
        peer.expect_end().await;
        drop(peer);
        assert_eq!(connection.unwrap().closed().await.by, ClosedBy::Local);
        assert_eq!(notes.get(), ["before"], "at {version}");
    }
}

/// C-HS-10: creation succeeds; the peer gets neither a heartbeat nor an answer.
#[tokio::test(start_paused = true)]
async fn connection_closed_by_its_state_function_is_created_closed() {
    let (mut peer, io) = Peer::new(CAPACITY);
    let table = table();
    let (connection, ()) = tokio::join!(
        Connection::serve(io, Config::default(), &table, |connection| {
            connection.close();
            Notes::default()
        }),
        async {
            peer.shake_hands(11, PeerMetadata::default()).await;
            peer.query(1, &ECHO.description(), &"x").await;
        },
    );
    let connection = connection.unwrap();
    assert!(connection.is_closed());
    peer.expect_end_at_once().await;
    drop(peer);
    assert_eq!(connection.closed().await.by, ClosedBy::Local);
    settle().await;
    assert_eq!(alive_tasks(), 0);
}

// What `closed` promises.

/// Notes whether the connection's end had been announced when this was dropped.
struct Witness {
    connection: Arc<OnceLock<Connection>>,
    announced: Arc<OnceLock<bool>>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let connection = self.connection.get().unwrap();
        let over = now(&mut Box::pin(connection.closed())).is_ready();
        self.announced.get_or_init(|| over);
    }
}

/// `Connection::closed`: all handlers gone, and with them what they share.
#[tokio::test(start_paused = true)]
async fn state_is_dropped_before_closed_resolves() {
    let (connection_cell, announced) = (Arc::default(), Arc::default());
    let witness = Witness {
        connection: Arc::clone(&connection_cell),
        announced: Arc::clone(&announced),
    };
    let table = Implementations::empty();
    let (connection, peer) = Peer::open(Config::default(), &table, witness, 11).await;
    connection_cell.set(connection.clone()).unwrap();
    drop(peer);
    connection.closed().await;
    settle().await;
    assert_eq!(announced.get(), Some(&false));
}

/// A transport with a witness.
struct Watched {
    io: DuplexStream,
    _witness: Witness,
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// `Connection::closed`: the transport closed.
#[tokio::test(start_paused = true)]
async fn transport_is_dropped_before_closed_resolves() {
    let (connection_cell, announced) = (Arc::default(), Arc::default());
    let (mut peer, io) = Peer::new(CAPACITY);
    let io = Watched {
        io,
        _witness: Witness {
            connection: Arc::clone(&connection_cell),
            announced: Arc::clone(&announced),
        },
    };
    let (connection, ()) = tokio::join!(
        Connection::create(io, Config::default()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    connection_cell.set(connection.clone()).unwrap();
    drop(peer);
    connection.closed().await;
    settle().await;
    assert_eq!(announced.get(), Some(&false));
}

// Transports that fail.

/// Reads from the peer, and writes to somebody else, who can go away.
async fn half_open(config: Config) -> (Connection, Peer, DuplexStream) {
    let (mut peer, io) = Peer::new(CAPACITY);
    let (read, _) = tokio::io::split(io);
    let (write, sink) = tokio::io::duplex(CAPACITY);
    let transport = tokio::io::join(read, write);
    let (connection, ()) = tokio::join!(
        Connection::create(transport, config),
        peer.send_handshake(11),
    );
    (connection.unwrap(), peer, sink)
}

/// C-CL-30, C-CL-32, ZC26: the peer may still say why.
#[tokio::test(start_paused = true)]
async fn reason_that_arrives_after_writing_failed_is_the_reason() {
    let (connection, mut peer, sink) = half_open(Config::default()).await;
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    settle().await;
    drop(sink);
    NOTE.dispatch(&connection, &"not taken".to_owned()).unwrap();
    settle().await;
    let refused = ECHO.dispatch(&connection, &"y".to_owned()).await;
    assert!(matches!(refused, Err(DispatchError::ConnectionClosed(_))));
    sleep(4 * SECOND).await;
    peer.send(&Message::CloseReason(Info::from("bye"))).await;
    let closed = connection.closed().await;
    assert_eq!(closed.by, ClosedBy::Peer);
    assert_eq!(closed.reason, CloseReason::debug("bye"));
    check_closed(call.await, &closed);
}

/// C-CL-30, ZC26: not for ever, heartbeats or none.
#[tokio::test(start_paused = true)]
async fn transport_that_takes_nothing_is_given_up_after_the_drain_timeout() {
    let heartbeats = heartbeat::Config::default();
    for heartbeats in [heartbeats, heartbeats.never()] {
        let config = Config::default()
            .reader_drain_timeout(3 * SECOND)
            .heartbeat(heartbeats);
        let (connection, _peer, sink) = half_open(config).await;
        settle().await;
        drop(sink);
        let start = Instant::now();
        let call = ECHO.dispatch(&connection, &"x".to_owned());
        let closed = timeout(100 * SECOND, connection.closed()).await.unwrap();
        assert_eq!(start.elapsed(), 3 * SECOND);
        assert_eq!(closed.by, ClosedBy::Unknown);
        let reason = CloseReason::debug("RPC transport stopped");
        assert_eq!(closed.reason, reason);
        check_closed(call.await, &closed);
    }
}

/// However the connection's task ends: a runtime that shuts down leaves nobody waiting.
#[test]
fn runtime_that_shuts_down_answers_whoever_waits() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    let first = runtime();
    let (connection, _peer) = first.block_on(Peer::called_by_us(11));
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    let opening = COUNT.dispatch(&connection, &3);
    drop(first);
    runtime().block_on(async {
        let closed = connection.closed().await;
        assert_eq!(closed.by, ClosedBy::Local);
        check_closed(call.await, &closed);
        check_closed(opening.await, &closed);
        assert_eq!(connection.open_queries(), 0);
        let refused = ECHO.dispatch(&connection, &"y".to_owned()).await;
        check_closed(refused, &closed);
    });
}

/// Threads for whatever order the paused clock does not try.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_call_is_answered_whenever_the_connection_closes() {
    for round in 0..100 {
        let (near, far, _) = pair(Config::default(), Config::default()).await;
        let calls: Vec<_> = (0..8)
            .map(|n| {
                let near = near.clone();
                tokio::spawn(async move {
                    loop {
                        let over = match n % 4 {
                            0 => ECHO.dispatch(&near, &"x".to_owned()).await.is_err(),
                            1 => NOTE.dispatch(&near, &"x".to_owned()).is_err(),
                            2 => match COUNT.dispatch(&near, &n).await {
                                Ok(pipe) => pipe.unwrap().next().await.is_none(),
                                Err(_) => true,
                            },
                            _ => SLEEP.dispatch(&near, &1_000_000).await.is_err(),
                        };
                        if over {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        match round % 4 {
            0 => near.close(),
            1 => far.close_with_reason("bye"),
            2 => {
                near.close_with_reason("bye");
                far.close();
            }
            _ => drop(far),
        }
        let over = async {
            for call in calls {
                call.await.unwrap();
            }
            near.closed().await;
        };
        timeout(10 * SECOND, over).await.expect("a call hangs");
        assert_eq!(near.open_queries(), 0);
    }
}
