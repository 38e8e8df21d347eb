//! The caller's side: how a dispatched stream answers, delivers, ends and breaks.

use bin_prot::Sexp;
use rpc_core::connection::ClosedBy;
use rpc_core::{DispatchError, PipeCloseReason};
use rpc_wire::RpcError;

use super::{SECOND, assert_over, closed_locally, closed_remotely, drain, started};
use crate::pair::settle;
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, ECHO};

/// R-SC-1, R-SC-20, at every version.
#[tokio::test(start_paused = true)]
async fn pipe_delivers_updates_then_the_end_and_its_cause() {
    for version in 1..=11 {
        let (connection, mut peer, mut pipe, id) = started(version).await;
        assert_eq!(pipe.id(), id);
        for update in 5..8_i64 {
            peer.update(id, &update).await;
            assert_eq!(pipe.next().await, Some(update));
        }
        assert_eq!(connection.open_queries(), 1);
        peer.end_stream(id).await;
        assert_eq!(pipe.next().await, None);
        assert_eq!(pipe.next().await, None);
        closed_remotely(&pipe.close_reason().await);
        drop(pipe);
        assert_over(&connection, &mut peer).await;
    }
}

/// R-SC-21: what came before the end remains readable after it.
#[tokio::test(start_paused = true)]
async fn updates_remain_readable_after_the_end() {
    let (_connection, mut peer, mut pipe, id) = started(11).await;
    for update in 5..8_i64 {
        peer.update(id, &update).await;
    }
    peer.end_stream(id).await;
    closed_remotely(&pipe.close_reason().await);
    assert_eq!(drain(&mut pipe).await, [5, 6, 7]);
}

/// R-SC-1, C-DI-2: whatever the unused id says.
#[tokio::test(start_paused = true)]
async fn state_comes_before_its_updates() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = COUNTER.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    // −1 where our callee writes 0.
    let initial = [0xff, 0xff, 0x00, 0x05, b's', b't', b'a', b't', b'e'];
    peer.respond(id, Ok(&initial)).await;
    peer.update(id, &1_i64).await;
    peer.end_stream(id).await;
    let (state, mut pipe) = opening.await.unwrap().unwrap();
    assert_eq!(state, "state");
    assert_eq!(drain(&mut pipe).await, [1]);
    assert_over(&connection, &mut peer).await;
}

/// R-SC-1: nothing follows it, and nothing is aborted.
#[tokio::test(start_paused = true)]
async fn user_error_ends_the_stream() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.refuse(id, &"no").await;
    assert_eq!(opening.await.unwrap().unwrap_err(), "no");
    assert_over(&connection, &mut peer).await;
}

/// R-SC-3: the answer to the query.
#[tokio::test(start_paused = true)]
async fn error_response_ends_the_dispatch() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    let error = RpcError::unimplemented(COUNT.description());
    peer.respond(id, Err(error.clone())).await;
    let found = opening.await.unwrap_err();
    assert!(matches!(found, DispatchError::Rpc(found) if found == error));
    assert_over(&connection, &mut peer).await;
}

/// R-SC-3, R-SC-21: no abort; what came before remains.
#[tokio::test(start_paused = true)]
async fn error_in_the_middle_ends_the_stream() {
    let (connection, mut peer, mut pipe, id) = started(11).await;
    peer.update(id, &1_i64).await;
    let error = RpcError::UncaughtExn(Sexp::atom("boom"));
    peer.respond(id, Err(error.clone())).await;
    assert_eq!(drain(&mut pipe).await, [1]);
    let reason = pipe.close_reason().await;
    let PipeCloseReason::Error(DispatchError::Rpc(found)) = reason else {
        panic!("{reason:?}");
    };
    assert_eq!(found, error);
    drop(pipe);
    assert_over(&connection, &mut peer).await;
}

/// R-SC-2: the user learns at once; the callee goes on until it is told, and everything until
/// its end is dropped.
#[tokio::test(start_paused = true)]
async fn write_error_in_the_middle_aborts_and_waits_for_the_end() {
    let (connection, mut peer, mut pipe, id) = started(11).await;
    peer.update(id, &1_i64).await;
    let error = RpcError::WriteError(Sexp::atom("too big"));
    peer.respond(id, Err(error.clone())).await;
    peer.expect_abort(id).await;
    assert_eq!(drain(&mut pipe).await, [1]);
    let reason = pipe.close_reason().await;
    let PipeCloseReason::Error(DispatchError::Rpc(found)) = reason else {
        panic!("{reason:?}");
    };
    assert_eq!(found, error);
    peer.update(id, &2_i64).await;
    // R-SC-4: one more is ignored.
    peer.respond(id, Err(error)).await;
    peer.update(id, &3_i64).await;
    drop(pipe);
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.open_queries(), 1);
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;
}

/// R-SC-2: in place of the initial response.
#[tokio::test(start_paused = true)]
async fn write_error_instead_of_the_initial_response_aborts_and_waits_for_the_end() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    let error = RpcError::WriteError(Sexp::atom("too big"));
    peer.respond(id, Err(error.clone())).await;
    let found = opening.await.unwrap_err();
    assert!(matches!(found, DispatchError::Rpc(found) if found == error));
    peer.expect_abort(id).await;
    // A callee of the reference has started all the same (R-SV-11).
    peer.update(id, &1_i64).await;
    settle().await;
    assert_eq!(connection.open_queries(), 1);
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;
}

/// R-SC-2, with the locations of R-ER-1.
#[tokio::test(start_paused = true)]
async fn undecodable_update_aborts_and_waits_for_the_end() {
    let header = "client-side streaming_rpc response un-bin-io'ing";
    let update = "client-side streaming_rpc response un-bin-io'ing to [bin_reader_update]";
    let rows: [(&[u8], &str); 5] = [
        // Neither an update nor the end.
        (b"\x01\x02\x03\x04", header),
        (b"", header),
        // A second byte beyond the update's length.
        (b"\x79\x8a\x00\x00\x01\x05\x06", header),
        // No int begins so.
        (b"\x79\x8a\x00\x00\x01\xfb", update),
        // Two ints.
        (b"\x79\x8a\x00\x00\x02\x05\x06", update),
    ];
    for (payload, expected) in rows {
        let (connection, mut peer, mut pipe, id) = started(11).await;
        peer.update(id, &1_i64).await;
        peer.respond(id, Ok(payload)).await;
        peer.expect_abort(id).await;
        assert_eq!(drain(&mut pipe).await, [1]);
        let reason = pipe.close_reason().await;
        let PipeCloseReason::Error(DispatchError::Undecodable { location, .. }) = reason else {
            panic!("{reason:?}");
        };
        assert_eq!(location, expected, "{payload:02x?}");
        peer.update(id, &2_i64).await;
        settle().await;
        assert_eq!(connection.open_queries(), 1);
        peer.end_stream(id).await;
        settle().await;
        assert_over(&connection, &mut peer).await;
    }
}

/// Catalogue ZR25.
/// R-SC-2, R-ER-1.
#[tokio::test(start_paused = true)]
async fn undecodable_initial_response_aborts_and_waits_for_the_end() {
    let expected = "client-side streaming_rpc initial_response un-bin-io'ing";
    // No result; a state that is no unit; one that goes on.
    for payload in [b"\x00\x09".as_slice(), b"\x00\x00\x01", b"\x00\x00\x00\x00"] {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        let opening = COUNT.dispatch(&connection, &3);
        let id = peer.expect_query().await.id;
        peer.respond(id, Ok(payload)).await;
        let error = opening.await.unwrap_err();
        let DispatchError::Undecodable { location, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(location, expected);
        peer.expect_abort(id).await;
        peer.update(id, &2_i64).await;
        settle().await;
        assert_eq!(connection.open_queries(), 1);
        peer.end_stream(id).await;
        settle().await;
        assert_over(&connection, &mut peer).await;
    }
}

/// Nothing follows a user's error, readable or not.
#[tokio::test(start_paused = true)]
async fn undecodable_user_error_ends_the_stream() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.respond(id, Ok(b"\x00\x01\x05no")).await;
    let error = opening.await.unwrap_err();
    assert!(matches!(error, DispatchError::Undecodable { .. }));
    assert_over(&connection, &mut peer).await;
}

/// What outlives the pipe tells of its end.
#[tokio::test(start_paused = true)]
async fn metadata_tells_the_end_of_a_pipe_that_is_gone() {
    let (_connection, mut peer, pipe, id) = started(11).await;
    let metadata = pipe.metadata();
    assert_eq!(metadata.id(), id);
    drop(pipe);
    closed_locally(&metadata.close_reason().await);
    peer.expect_abort(id).await;

    let (_connection, mut peer, pipe, id) = started(11).await;
    let metadata = pipe.metadata();
    peer.end_stream(id).await;
    closed_remotely(&metadata.close_reason().await);
    drop(pipe);
}

/// C-CL-21: the pipe's user learns that it was not the ordinary end.
#[tokio::test(start_paused = true)]
async fn lost_connection_breaks_pipes_and_what_arrived_remains() {
    let (connection, mut peer, mut pipe, id) = started(11).await;
    peer.update(id, &1_i64).await;
    drop(peer);
    assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
    assert_eq!(drain(&mut pipe).await, [1]);
    let reason = pipe.close_reason().await;
    assert!(
        matches!(
            reason,
            PipeCloseReason::Error(DispatchError::ConnectionClosed(_))
        ),
        "{reason:?}"
    );
}

/// `Connection::open_queries`: a stream counts until nothing more can come.
#[tokio::test(start_paused = true)]
async fn open_queries_counts_streams_until_their_end() {
    let (connection, mut peer, pipe, id) = started(11).await;
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    assert_eq!(connection.open_queries(), 2);
    let asked = peer.expect_query().await;
    peer.answer(asked.id, &"y").await;
    assert_eq!(call.await.unwrap(), "y");
    assert_eq!(connection.open_queries(), 1);
    peer.end_stream(id).await;
    closed_remotely(&pipe.close_reason().await);
    settle().await;
    assert_eq!(connection.open_queries(), 0);
}

/// Catalogue O17.
/// R-SC-24, catalogue O4, O5: updates first; an end of either side's is success.
#[tokio::test(start_paused = true)]
async fn try_next_tells_an_end_from_a_broken_stream() {
    let (_connection, mut peer, mut pipe, id) = started(11).await;
    peer.update(id, &1_i64).await;
    peer.end_stream(id).await;
    assert_eq!(pipe.try_next().await.unwrap(), Some(1));
    assert_eq!(pipe.try_next().await.unwrap(), None);
    assert_eq!(pipe.try_next().await.unwrap(), None);

    let (_connection, _peer, mut pipe, _) = started(11).await;
    pipe.close();
    assert_eq!(pipe.try_next().await.unwrap(), None);

    let (connection, mut peer, mut pipe, id) = started(11).await;
    for update in 0..2_i64 {
        peer.update(id, &update).await;
        assert_eq!(pipe.try_next().await.unwrap(), Some(update));
    }
    peer.update(id, &2_i64).await;
    settle().await;
    connection.close();
    connection.closed().await;
    assert_eq!(pipe.try_next().await.unwrap(), Some(2));
    let error = pipe.try_next().await.unwrap_err();
    let DispatchError::ConnectionClosed(closed) = error else {
        panic!("{error:?}");
    };
    assert_eq!(closed.reason.unwrap().by, ClosedBy::Local);
}
