//! How a stream that is written to directly ends.

use bin_prot::Sexp;
use rpc_core::connection::Config;
use rpc_core::{HandlerError, StreamWriteError};
use rpc_wire::RpcError;

use super::{DIRECT, ID, opened, started};
use crate::pair::{CAPACITY, alive_tasks, connect, settle};
use crate::streams::{SECOND, closed_locally, closed_remotely, drain};

/// R-DW-4, R-DW-6: once, however often it is closed.
#[tokio::test(start_paused = true)]
async fn close_sends_one_end() {
    let (connection, mut peer, writer) = started().await;
    let other = writer.clone();
    writer.close();
    other.close();
    writer.closed().await;
    assert!(other.is_closed());
    assert_eq!(other.write(&1), Err(StreamWriteError::Closed));
    drop((writer, other));
    peer.expect_end_of_stream(ID).await;
    assert_eq!(connection.served_streams(), 0);
    // R-SV-9: an abort that was on its way.
    peer.abort(ID, &DIRECT.description()).await;
    peer.expect_silence(SECOND).await;
}

/// `DirectStreamWriter`: the last handle ends the stream.
#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_ends_the_stream() {
    let (connection, mut peer, writer) = started().await;
    let other = writer.clone();
    drop(writer);
    other.write(&1).unwrap();
    peer.expect_update(ID, &1_i64).await;
    peer.expect_silence(SECOND).await;
    drop(other);
    peer.expect_end_of_stream(ID).await;
    assert_eq!(connection.served_streams(), 0);

    // Before the start too: what it had written is sent.
    let (_connection, mut peer, running, _) = opened(Config::default()).await;
    running.writer.write(&1).unwrap();
    drop(running.returns(Ok(Ok(()))));
    peer.expect_start(ID, &()).await;
    peer.expect_update(ID, &1_i64).await;
    peer.expect_end_of_stream(ID).await;
}

/// R-SV-7, R-DW-4, at several versions.
#[tokio::test(start_paused = true)]
async fn abort_closes_the_writer_and_is_answered_with_the_end() {
    let (connection, mut peer, writer) = started().await;
    writer.write(&1).unwrap();
    peer.abort(ID, &DIRECT.description()).await;
    peer.expect_update(ID, &1_i64).await;
    peer.expect_end_of_stream(ID).await;
    writer.closed().await;
    assert_eq!(writer.write(&2), Err(StreamWriteError::Closed));
    peer.abort(ID, &DIRECT.description()).await;
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.served_streams(), 0);
}

/// R-SV-14, R-DW-6, C-CL-12, catalogue ZC25: no end is sent, whoever closes.
#[tokio::test(start_paused = true)]
async fn connection_that_ends_closes_the_writer_without_an_end() {
    let (connection, mut peer, writer) = started().await;
    writer.write(&1).unwrap();
    connection.close();
    peer.expect_update(ID, &1_i64).await;
    peer.expect_end().await;
    writer.closed().await;
    assert_eq!(writer.write(&2), Err(StreamWriteError::Closed));
    connection.closed().await;
    assert_eq!(connection.served_streams(), 0);
    settle().await;
    assert_eq!(alive_tasks(), 0);

    let (connection, peer, writer) = started().await;
    drop(peer);
    writer.closed().await;
    connection.closed().await;
    assert_eq!(writer.write(&2), Err(StreamWriteError::Closed));
}

/// A runtime that is shut down tells writers that live elsewhere.
#[test]
fn runtime_that_ends_closes_the_writer() {
    let build = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    let serving = build();
    let (writer, _peer, _connection) = serving.block_on(async {
        let (connection, peer, writer) = started().await;
        (writer, peer, connection)
    });
    assert!(!writer.is_closed());
    drop(serving);
    build().block_on(writer.closed());
    assert_eq!(writer.write(&1), Err(StreamWriteError::Closed));
}

/// R-SV-12: at once, in place of the end, without a location, and the policy applies.
#[tokio::test(start_paused = true)]
async fn close_with_an_error_is_an_uncaught_exn_in_place_of_the_end() {
    let failure = Sexp::list([Sexp::atom("Failure"), Sexp::atom("source is gone")]);
    for before_start in [false, true] {
        let (connection, mut peer, running, raises) = opened(Config::default()).await;
        let writer = running.writer.clone();
        writer.write(&1).unwrap();
        let fail = || writer.close_with_error(HandlerError::new("source is gone"));
        if before_start {
            fail();
            assert!(writer.is_closed());
            peer.expect_silence(SECOND).await;
        }
        running.returns(Ok(Ok(())));
        peer.expect_start(ID, &()).await;
        peer.expect_update(ID, &1_i64).await;
        if !before_start {
            fail();
        }
        let error = peer.expect_error(ID).await;
        assert_eq!(error, RpcError::UncaughtExn(failure.clone()));
        assert_eq!(*raises.lock().unwrap(), ["InBackground"]);
        // Once: a stream that is over cannot fail.
        writer.close_with_error(HandlerError::new("again"));
        writer.close();
        peer.abort(ID, &DIRECT.description()).await;
        peer.expect_silence(SECOND).await;
        assert_eq!(raises.lock().unwrap().len(), 1);
        assert_eq!(connection.served_streams(), 0);
    }
}

/// R-SV-4: a handler that fails after all has nothing more to say than that.
#[tokio::test(start_paused = true)]
async fn handler_that_fails_after_a_close_is_an_error() {
    let (connection, mut peer, running, raises) = opened(Config::default()).await;
    running.writer.write(&1).unwrap();
    running.writer.close_with_error(HandlerError::new("first"));
    running.returns(Err(HandlerError::new("second")));
    let error = peer.expect_error(ID).await;
    assert!(error.to_string().contains("second"), "{error}");
    assert_eq!(*raises.lock().unwrap(), ["BeforeReturn"]);
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.served_streams(), 0);
}

/// A peer that opens two streams under one id: the writer of the first is closed, since nothing
/// would tell it of the connection's end.
#[tokio::test(start_paused = true)]
async fn id_used_twice_closes_the_first_writer() {
    let (table, mut running, _) = super::implemented();
    let (connection, mut peer) = crate::peer::Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(ID, &DIRECT.description(), &()).await;
    let first = running.recv().await.unwrap().returns(Ok(Ok(())));
    peer.expect_start(ID, &()).await;
    peer.open_stream(ID, &DIRECT.description(), &()).await;
    let second = running.recv().await.unwrap().returns(Ok(Ok(())));
    first.closed().await;
    peer.expect_end_of_stream(ID).await;
    peer.expect_start(ID, &()).await;
    assert_eq!(connection.served_streams(), 1);
    second.write(&1).unwrap();
    peer.expect_update(ID, &1_i64).await;
    peer.abort(ID, &DIRECT.description()).await;
    peer.expect_end_of_stream(ID).await;
    second.closed().await;
    assert_eq!(connection.served_streams(), 0);
}

/// Catalogue O19: ended by the handler, by the caller, and by the loss of the connection.
#[tokio::test(start_paused = true)]
async fn ten_updates_before_the_return_arrive_however_the_stream_ends() {
    for end in 0..3 {
        let (table, mut running, _) = super::implemented();
        let near = (Config::default(), &rpc_core::Implementations::empty(), ());
        let (near, _far) = connect(CAPACITY, near, (Config::default(), &table, ())).await;
        let opening = DIRECT.dispatch(&near, &());
        let running = running.recv().await.unwrap();
        for update in 0..10 {
            running.writer.write(&update).unwrap();
        }
        let writer = running.returns(Ok(Ok(())));
        if end == 0 {
            writer.close();
        }
        let mut pipe = opening.await.unwrap().unwrap();
        match end {
            0 => {
                assert!(drain(&mut pipe).await.into_iter().eq(0..10));
                closed_remotely(&pipe.close_reason().await);
            }
            1 => {
                for update in 0..10 {
                    assert_eq!(pipe.next().await, Some(update));
                }
                pipe.close();
                closed_locally(&pipe.close_reason().await);
                writer.closed().await;
            }
            _ => {
                settle().await;
                near.close();
                assert!(drain(&mut pipe).await.into_iter().eq(0..10));
                assert!(pipe.close_reason().await.into_result().is_err());
                writer.closed().await;
            }
        }
    }
}
