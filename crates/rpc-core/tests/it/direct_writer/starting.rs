//! Before the handler has returned, and the moment when it does.

use std::time::Duration;

use rpc_core::connection::Config;
use rpc_core::{HandlerError, Implementations, OnUnknownRpc, StateRpc, StreamWriteError};
use rpc_wire::RpcError;
use tokio::time::timeout;

use super::{DIRECT, ID, opened, started};
use crate::pair::{CAPACITY, alive_tasks, connect, now, settle};
use crate::peer::Peer;
use crate::rpcs::ECHO;
use crate::streams::{SECOND, closed_remotely, drain};

/// R-DW-2, R-DW-3, R-OR-7, catalogue O7, O19 (a): nothing is sent before the initial response, and
/// everything at once with it.
#[tokio::test(start_paused = true)]
async fn writes_before_the_start_follow_the_initial_response_in_order() {
    for version in [1, 7, 11] {
        let (table, mut running, _) = super::implemented();
        let (_connection, mut peer) = Peer::open(Config::default(), &table, (), version).await;
        peer.open_stream(ID, &DIRECT.description(), &()).await;
        let running = running.recv().await.unwrap();
        for update in 0..10 {
            running.writer.write(&update).unwrap();
        }
        let writer = running.writer.clone();
        let mut start = Box::pin(writer.started());
        assert!(now(&mut start).is_pending());
        peer.expect_silence(SECOND).await;

        running.returns(Ok(Ok(())));
        start.await;
        // Enqueued when the write returns, and so behind what was kept.
        writer.write(&10).unwrap();
        peer.expect_start(ID, &()).await;
        for update in 0..=10_i64 {
            peer.expect_update(ID, &update).await;
        }
        writer.started().await;
        writer.close();
        peer.expect_end_of_stream(ID).await;
    }
}

/// R-SV-1: an abort finds the stream while its handler is called.
#[tokio::test(start_paused = true)]
async fn stream_is_registered_before_its_handler_runs() {
    let table = Implementations::builder()
        .implement_pipe_direct(&DIRECT, |connection: &rpc_core::Connection, (), writer| {
            let served = i64::try_from(connection.served_streams());
            async move {
                writer.write(&served?)?;
                Ok(Ok(()))
            }
        })
        .build()
        .unwrap();
    let (mut peer, io) = Peer::new(CAPACITY);
    let (connection, ()) = tokio::join!(
        rpc_core::Connection::serve(io, Config::default(), &table, Clone::clone),
        peer.shake_hands(11, Default::default()),
    );
    peer.open_stream(ID, &DIRECT.description(), &()).await;
    peer.expect_start(ID, &()).await;
    peer.expect_update(ID, &1_i64).await;
    peer.expect_end_of_stream(ID).await;
    assert_eq!(connection.unwrap().served_streams(), 0);
}

/// R-DW-5, catalogue P2.
#[tokio::test(start_paused = true)]
async fn close_before_the_start_ends_the_stream_when_it_starts() {
    let (connection, mut peer, running, _) = opened(Config::default()).await;
    let writer = running.writer.clone();
    writer.write_encoded(&[5]).unwrap();
    writer.close();
    writer.closed().await;
    assert_eq!(writer.write(&6), Err(StreamWriteError::Closed));
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.served_streams(), 1);
    running.returns(Ok(Ok(())));
    peer.expect_start(ID, &()).await;
    peer.expect_update(ID, &5_i64).await;
    peer.expect_end_of_stream(ID).await;
    writer.started().await;
    assert_eq!(connection.served_streams(), 0);
    peer.expect_silence(SECOND).await;
}

/// R-SV-8, catalogue ZR21: the handler goes on, and what it wrote before is sent.
#[tokio::test(start_paused = true)]
async fn abort_before_the_start_ends_the_stream_when_it_starts() {
    let (connection, mut peer, running, _) = opened(Config::default()).await;
    let writer = running.writer.clone();
    writer.write(&1).unwrap();
    writer.write(&2).unwrap();
    peer.abort(ID, &DIRECT.description()).await;
    writer.closed().await;
    assert_eq!(writer.write(&3), Err(StreamWriteError::Closed));
    // R-SV-9: a second one is for a stream that is being ended.
    peer.abort(ID, &DIRECT.description()).await;
    peer.expect_silence(SECOND).await;
    running.returns(Ok(Ok(())));
    peer.expect_start(ID, &()).await;
    peer.expect_update(ID, &1_i64).await;
    peer.expect_update(ID, &2_i64).await;
    peer.expect_end_of_stream(ID).await;
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.served_streams(), 0);
}

/// R-SV-4, R-DW-2, R-DW-4, catalogue M5, M6, M7, M9, P3: what was kept is dropped, and who waits is
/// told, but not of a start.
#[tokio::test(start_paused = true)]
async fn failing_handler_abandons_what_was_written() {
    for refuses in [false, true] {
        let (connection, mut peer, running, raises) = opened(Config::default()).await;
        let writer = running.writer.clone();
        let flushed = writer.write_with_pushback(&1).unwrap();
        writer.write_encoded(&[2]).unwrap();
        running.returns(match refuses {
            true => Ok(Err("no".to_owned())),
            false => Err(HandlerError::new("on purpose")),
        });
        let answered = peer.expect_response().await;
        assert_eq!(answered.id, ID);
        match answered.result {
            Ok(payload) => assert_eq!(payload, b"\x00\x01\x02no"),
            Err(RpcError::UncaughtExn(error)) => {
                assert!(
                    error
                        .to_string()
                        .contains("server-side pipe_rpc computation")
                );
            }
            Err(error) => panic!("{error}"),
        }
        flushed.await;
        writer.closed().await;
        assert_eq!(writer.write(&3), Err(StreamWriteError::Closed));
        let start = timeout(SECOND, writer.started()).await;
        assert!(start.is_err(), "it has started");
        peer.expect_silence(SECOND).await;
        assert_eq!(connection.served_streams(), 0);
        let expected: &[&str] = if refuses { &[] } else { &["BeforeReturn"] };
        assert_eq!(*raises.lock().unwrap(), expected);
    }
}

/// R-SV-4: the same where the handler raises before it has a future, or panics in it.
#[tokio::test(start_paused = true)]
async fn panicking_handler_closes_its_writer() {
    static AT_ONCE: rpc_core::PipeRpc<(), i64, String> = rpc_core::PipeRpc::new("at-once", 1);
    let (writers, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let later = writers.clone();
    let table = Implementations::builder()
        .implement_pipe_direct(&AT_ONCE, move |(), (), writer| {
            writers.send(writer).unwrap();
            if true {
                panic!("on purpose");
            }
            async { Ok(Ok(())) }
        })
        .implement_pipe_direct(&DIRECT, move |(), (), writer| {
            later.send(writer).unwrap();
            async { panic!("on purpose") }
        })
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    for rpc in [&AT_ONCE, &DIRECT] {
        peer.open_stream(ID, &rpc.description(), &()).await;
        let error = peer.expect_error(ID).await;
        assert!(matches!(error, RpcError::UncaughtExn(_)), "{error}");
        kept.recv().await.unwrap().closed().await;
        assert_eq!(connection.served_streams(), 0);
    }
}

/// Decision 9 (R-SV-11): the stream does not start, and the abort that follows is answered.
#[tokio::test(start_paused = true)]
async fn initial_state_above_the_limit_abandons_the_stream() {
    static STATE: StateRpc<i64, String, i64, String> = StateRpc::new("state", 1);
    let (writers, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let table = Implementations::builder()
        .implement_state_direct(&STATE, move |(), size: i64, writer| {
            let known = writers.send(writer.clone());
            async move {
                known?;
                writer.write(&1)?;
                Ok(Ok("x".repeat(usize::try_from(size)?)))
            }
        })
        .build()
        .unwrap();
    let config = Config::default().max_message_size(300);
    let (connection, mut peer) = Peer::open(config, &table, (), 11).await;
    peer.open_stream(ID, &STATE.description(), &1000_i64).await;
    let error = peer.expect_error(ID).await;
    assert!(matches!(error, RpcError::WriteError(_)), "{error}");
    kept.recv().await.unwrap().closed().await;
    peer.abort(ID, &STATE.description()).await;
    peer.expect_end_of_stream(ID).await;
    peer.open_stream(ID, &STATE.description(), &3_i64).await;
    peer.expect_start(ID, &"xxx").await;
    peer.expect_update(ID, &1_i64).await;
    drop(kept.recv().await);
    peer.expect_end_of_stream(ID).await;
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.served_streams(), 0);
}

/// R-DW-1: before the start the future is about what is on the way, so that a handler can wait for it.
#[tokio::test(start_paused = true)]
async fn pushback_before_the_start_does_not_wait_for_the_handler() {
    let (_connection, mut peer, running, _) = opened(Config::default()).await;
    settle().await;
    let flushed = running.writer.write_with_pushback(&1).unwrap();
    timeout(SECOND, flushed).await.unwrap();
    let writer = running.returns(Ok(Ok(())));
    peer.expect_start(ID, &()).await;
    peer.expect_update(ID, &1_i64).await;
    drop(writer);
}

/// R-SV-10: in its place, after the start; the writer is told at once.
#[tokio::test(start_paused = true)]
async fn update_above_the_limit_before_the_start_is_a_write_error_in_its_place() {
    let (_connection, mut peer, running, _) = opened(Config::default().max_message_size(200)).await;
    running.writer.write(&1).unwrap();
    let refused = running.writer.write_encoded(&[0; 200]);
    let Err(StreamWriteError::TooLarge { size, limit }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((size, limit), (200 + 1 + 1 + 2 + 1 + 3 + 4 + 3, 200));
    running.writer.write(&2).unwrap();
    let writer = running.returns(Ok(Ok(())));
    peer.expect_start(ID, &()).await;
    peer.expect_update(ID, &1_i64).await;
    let error = peer.expect_error(ID).await;
    assert!(matches!(error, RpcError::WriteError(_)), "{error}");
    peer.expect_update(ID, &2_i64).await;
    writer.close();
    peer.expect_end_of_stream(ID).await;
}

/// R-DW-4, R-SV-14: a handler that never returns is cancelled with its connection, and the writer
/// closed.
#[tokio::test(start_paused = true)]
async fn connection_that_ends_before_the_start_closes_the_writer() {
    for peers_doing in [false, true] {
        let (connection, peer, running, _) = opened(Config::default()).await;
        let writer = running.writer.clone();
        let flushed = writer.write_with_pushback(&1).unwrap();
        let _peer = match peers_doing {
            true => {
                drop(peer);
                None
            }
            false => {
                connection.close();
                Some(peer)
            }
        };
        writer.closed().await;
        flushed.await;
        assert_eq!(writer.write(&2), Err(StreamWriteError::Closed));
        connection.closed().await;
        assert!(running.result.is_closed(), "the handler was not cancelled");
        settle().await;
        assert_eq!(alive_tasks(), 0);
    }
}

/// R-AU-2: a refusal before the handler; no writer is made for anybody to wait on.
#[tokio::test(start_paused = true)]
async fn refused_query_leaves_no_stream() {
    let implementation =
        rpc_core::Implementation::pipe_direct(&DIRECT, |(), (), _| async { Ok(Ok(())) })
            .authorize(|(): &(), _| Err(HandlerError::new("no")));
    let table = Implementations::builder()
        .implementation(implementation)
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(ID, &DIRECT.description(), &()).await;
    let error = peer.expect_error(ID).await;
    assert!(
        matches!(error, RpcError::AuthorizationFailure(_)),
        "{error}"
    );
    assert_eq!(connection.served_streams(), 0);
}

/// Catalogue O12, O13, with both of our ends: the dispatch does not wait for the end.
#[tokio::test(start_paused = true)]
async fn both_ends_agree_on_a_direct_stream() {
    static STATE: StateRpc<(), String, i64, String> = StateRpc::new("state", 1);
    let table = Implementations::builder()
        .implement_state_direct(&STATE, |(), (), writer| async move {
            tokio::spawn(async move {
                writer.started().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                for update in 0..3 {
                    writer.write(&update).unwrap();
                }
            });
            Ok(Ok("state".to_owned()))
        })
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .build()
        .unwrap();
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, far) = connect(CAPACITY, near, (Config::default(), &table, ())).await;
    let (state, mut pipe) = STATE.dispatch(&near, &()).await.unwrap().unwrap();
    assert_eq!(state, "state");
    assert!(now(&mut Box::pin(pipe.next())).is_pending());
    assert_eq!(drain(&mut pipe).await, [0, 1, 2]);
    closed_remotely(&pipe.close_reason().await);
    assert_eq!(far.served_streams(), 0);
    assert_eq!(near.open_queries(), 0);
}

/// A start with nobody writing, so that the test of order above cannot pass by luck.
#[tokio::test(start_paused = true)]
async fn stream_without_updates_starts_and_ends() {
    let (connection, mut peer, writer) = started().await;
    assert!(!writer.is_closed());
    assert_eq!(connection.served_streams(), 1);
    drop(writer);
    peer.expect_end_of_stream(ID).await;
    assert_eq!(connection.served_streams(), 0);
}
