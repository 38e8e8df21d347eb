//! What becomes of calls, handlers and streams when their connection closes.

use std::sync::OnceLock;
use std::task::Poll;

use bin_prot::Info;
use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{
    Connection, ConnectionClosed, DispatchError, Implementations, OneWay, PipeCloseReason,
};
use rpc_wire::Message;
use rpc_wire::handshake::PeerMetadata;
use tokio::time::timeout;

use super::{SECOND, check_closed};
use crate::pair::{CAPACITY, alive_tasks, now, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, ECHO, HOLD, NOTE, Notes, SLEEP, table};
use crate::source::{Dropped, Never};

/// W12, W13, Decision 14, C-CL-20, C-CL-21: by whatever way the connection ends.
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

/// C-CL-24: W12, C-CL-3, C-DI-3: nothing is sent and nothing registered.
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

/// C-CL-24, C-CL-3, C-CL-11, ZC18: what is open goes on, in both directions.
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

/// C-RM-3, C-RM-2, decision 1: whatever the form, and however close behind.
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

/// D9, C-HS-10: creation succeeds; the peer gets neither a heartbeat nor an answer.
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
