//! Streams that their caller has enough of: one abort, and its place stays taken until nothing more
//! can come.

use bin_prot::Sexp;
use rpc_core::PipeCloseReason;
use rpc_wire::{Message, QueryId, RpcError};

use super::{SECOND, assert_over, closed_locally, closed_remotely, started};
use crate::pair::{now, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO};

/// R-SC-6, R-SC-22: the callee may still be sending.
#[tokio::test(start_paused = true)]
async fn dropping_the_pipe_sends_one_abort_and_waits_for_the_end() {
    for version in [1, 8, 11] {
        let (connection, mut peer, pipe, id) = started(version).await;
        peer.update(id, &1_i64).await;
        drop(pipe);
        peer.expect_abort(id).await;
        for update in 2..10_i64 {
            peer.update(id, &update).await;
        }
        peer.expect_silence(SECOND).await;
        assert_eq!(connection.open_queries(), 1);
        peer.end_stream(id).await;
        settle().await;
        assert_over(&connection, &mut peer).await;
    }
}

/// Catalogue ZR28.
/// R-SC-22: once, however often it is closed; not after the end, and not after an error.
#[tokio::test(start_paused = true)]
async fn closing_a_pipe_aborts_at_most_once() {
    let (connection, mut peer, mut pipe, id) = started(11).await;
    peer.update(id, &1_i64).await;
    settle().await;
    pipe.close();
    pipe.close();
    assert_eq!(pipe.next().await, None);
    closed_locally(&pipe.close_reason().await);
    drop(pipe);
    peer.expect_abort(id).await;
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;

    let (connection, mut peer, mut pipe, id) = started(11).await;
    peer.end_stream(id).await;
    settle().await;
    pipe.close();
    closed_remotely(&pipe.close_reason().await);
    drop(pipe);
    assert_over(&connection, &mut peer).await;

    let (connection, mut peer, mut pipe, id) = started(11).await;
    let error = RpcError::UncaughtExn(Sexp::atom("boom"));
    peer.respond(id, Err(error)).await;
    settle().await;
    pipe.close();
    let reason = pipe.close_reason().await;
    assert!(matches!(reason, PipeCloseReason::Error(_)), "{reason:?}");
    drop(pipe);
    assert_over(&connection, &mut peer).await;
}

/// Catalogue ZR26.
/// R-SC-4, R-SC-6: an error in place of the end.
#[tokio::test(start_paused = true)]
async fn error_ends_a_stream_that_was_aborted() {
    let (connection, mut peer, pipe, id) = started(11).await;
    drop(pipe);
    peer.expect_abort(id).await;
    let error = RpcError::WriteError(Sexp::atom("ignored"));
    peer.respond(id, Err(error)).await;
    settle().await;
    assert_eq!(connection.open_queries(), 1);
    let error = RpcError::UncaughtExn(Sexp::atom("boom"));
    peer.respond(id, Err(error)).await;
    settle().await;
    assert_over(&connection, &mut peer).await;
}

/// Catalogue ZR22.
/// R-SC-7: the first abort may have been ignored (R-SV-8), so it is sent again.
#[tokio::test(start_paused = true)]
async fn dropping_a_pending_dispatch_aborts_again_if_the_stream_starts() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let mut opening = Box::pin(COUNT.dispatch(&connection, &3));
    assert!(now(&mut opening).is_pending());
    drop(opening);
    let id = peer.expect_query().await.id;
    peer.expect_abort(id).await;
    peer.start(id, &()).await;
    peer.expect_abort(id).await;
    peer.update(id, &1_i64).await;
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.open_queries(), 1);
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;
}

/// R-SC-7: a dispatch that was never polled, too. Our own callee answers with the end at once
/// (decision 3).
#[tokio::test(start_paused = true)]
async fn dropping_a_pending_dispatch_copes_with_whatever_the_callee_answers() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    for answer in 0..4 {
        drop(COUNT.dispatch(&connection, &3));
        let id = peer.expect_query().await.id;
        peer.expect_abort(id).await;
        match answer {
            0 => peer.end_stream(id).await,
            1 => peer.refuse(id, &"no").await,
            2 => {
                let error = RpcError::UncaughtExn(Sexp::atom("boom"));
                peer.respond(id, Err(error)).await;
            }
            _ => {
                let error = RpcError::WriteError(Sexp::atom("too big"));
                peer.respond(id, Err(error)).await;
                peer.expect_abort(id).await;
                peer.end_stream(id).await;
            }
        }
        settle().await;
        assert_over(&connection, &mut peer).await;
    }
}

/// R-SC-7: the answer is there, and nobody took it.
#[tokio::test(start_paused = true)]
async fn dropping_a_dispatch_with_its_answer_untaken_aborts_once() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    peer.update(id, &1_i64).await;
    settle().await;
    drop(opening);
    peer.expect_abort(id).await;
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.open_queries(), 1);
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;

    // Nothing to abort after an error or the end.
    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.refuse(id, &"no").await;
    settle().await;
    drop(opening);
    assert_over(&connection, &mut peer).await;
    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    peer.end_stream(id).await;
    settle().await;
    drop(opening);
    assert_over(&connection, &mut peer).await;
}

/// C-CL-4, R-SC-5: the peer takes no more queries, and an abort is one.
#[tokio::test(start_paused = true)]
async fn no_abort_is_sent_while_the_peer_closes() {
    let (connection, mut peer, mut pipe, id) = started(11).await;
    peer.send(&Message::CloseStarted).await;
    settle().await;
    assert!(connection.is_closed());
    assert!(connection.close_reason().is_none());
    peer.update(id, &1_i64).await;
    assert_eq!(pipe.next().await, Some(1));
    pipe.close();
    closed_locally(&pipe.close_reason().await);
    drop(pipe);
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.open_queries(), 1);
    peer.end_stream(id).await;
    settle().await;
    assert_eq!(connection.open_queries(), 0);
}

/// R-SC-23, catalogue ZR27: by whichever of three ways, once; what is on the way is still
/// delivered, and the end is the callee's.
#[tokio::test(start_paused = true)]
async fn explicit_abort_leaves_the_pipe_open_until_the_callees_end() {
    let (connection, mut peer, mut pipe, id) = started(11).await;
    peer.update(id, &1_i64).await;
    pipe.abort();
    pipe.metadata().abort();
    connection.abort(pipe.id());
    peer.expect_abort(id).await;
    peer.update(id, &2_i64).await;
    peer.expect_silence(SECOND).await;
    assert_eq!(pipe.next().await, Some(1));
    assert_eq!(pipe.next().await, Some(2));
    assert!(now(&mut Box::pin(pipe.close_reason())).is_pending());
    peer.end_stream(id).await;
    assert_eq!(pipe.next().await, None);
    closed_remotely(&pipe.close_reason().await);
    pipe.abort();
    drop(pipe);
    assert_over(&connection, &mut peer).await;
}

/// R-SC-6, R-SC-22, R-SC-23: closing a pipe whose end has been asked for sends nothing more.
#[tokio::test(start_paused = true)]
async fn closing_an_aborted_pipe_aborts_no_second_time() {
    let (connection, mut peer, mut pipe, id) = started(11).await;
    pipe.abort();
    peer.expect_abort(id).await;
    pipe.close();
    closed_locally(&pipe.close_reason().await);
    peer.update(id, &1_i64).await;
    pipe.abort();
    drop(pipe);
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.open_queries(), 1);
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;
}

/// R-SC-2, R-SC-23: nor does an error that would have.
#[tokio::test(start_paused = true)]
async fn error_of_an_aborted_stream_aborts_no_second_time() {
    let (connection, mut peer, pipe, id) = started(11).await;
    pipe.abort();
    peer.expect_abort(id).await;
    let error = RpcError::WriteError(Sexp::atom("too big"));
    peer.respond(id, Err(error)).await;
    peer.expect_silence(SECOND).await;
    assert!(pipe.close_reason().await.into_result().is_err());
    peer.end_stream(id).await;
    settle().await;
    drop(pipe);
    assert_over(&connection, &mut peer).await;
}

/// `Connection::abort`: an id that is no open stream's.
#[tokio::test(start_paused = true)]
async fn abort_of_what_is_no_open_stream_sends_nothing() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    connection.abort(QueryId::new(1));
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    let plain = peer.expect_query().await.id;
    connection.abort(plain);
    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    connection.abort(id);
    peer.expect_silence(SECOND).await;
    peer.answer(plain, &"y").await;
    assert_eq!(call.await.unwrap(), "y");
    peer.start(id, &()).await;
    let pipe = opening.await.unwrap().unwrap();
    peer.end_stream(id).await;
    closed_remotely(&pipe.close_reason().await);
    connection.abort(id);
    assert_over(&connection, &mut peer).await;
}

/// R-SC-5, C-CL-4: nothing is sent once either side is closing.
#[tokio::test(start_paused = true)]
async fn explicit_abort_is_not_sent_while_the_peer_closes() {
    let (_connection, mut peer, pipe, id) = started(11).await;
    peer.send(&Message::CloseStarted).await;
    settle().await;
    pipe.abort();
    peer.expect_silence(SECOND).await;
    peer.end_stream(id).await;
    closed_remotely(&pipe.close_reason().await);
}
