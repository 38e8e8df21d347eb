//! Pipe and state RPCs, both sides: how a stream begins, ends, breaks and is aborted, and that
//! its place in the tables is freed when, and only when, nothing more can come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bin_prot::Sexp;
use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{
    Connection, DispatchError, Implementations, Pipe, PipeCloseReason, PipeRpc, StateRpc,
};
use rpc_wire::stream::{ABORT_PAYLOAD, EOF_PAYLOAD};
use rpc_wire::{Message, QueryId, RpcError};
use tokio::sync::{Notify, mpsc};

use crate::pair::{CAPACITY, alive_tasks, connect, now, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, ECHO, HOLD, Notes, table};
use crate::source::{self, Channel, Dropped, Endless};

const SECOND: Duration = Duration::from_secs(1);

#[track_caller]
fn closed_remotely(reason: &PipeCloseReason) {
    let expected = matches!(reason, PipeCloseReason::ClosedRemotely);
    assert!(expected, "{reason:?}");
}

#[track_caller]
fn closed_locally(reason: &PipeCloseReason) {
    let expected = matches!(reason, PipeCloseReason::ClosedLocally);
    assert!(expected, "{reason:?}");
}

/// What is left in the pipe when nothing more comes.
async fn drain<U>(pipe: &mut Pipe<U>) -> Vec<U> {
    let mut updates = Vec::new();
    while let Some(update) = pipe.next().await {
        updates.push(update);
    }
    updates
}

// The caller's side.

/// A dispatched COUNT whose callee has agreed.
async fn started(version: i64) -> (Connection, Peer, Pipe<i64>, QueryId) {
    let (connection, mut peer) = Peer::called_by_us(version).await;
    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let pipe = opening.await.unwrap().unwrap();
    (connection, peer, pipe, id)
}

/// The connection does what it did before: none of the stream is left.
async fn assert_over(connection: &Connection, peer: &mut Peer) {
    assert_eq!(connection.open_queries(), 0);
    let call = ECHO.dispatch(connection, &"fine".to_owned());
    let asked = peer.expect_query().await;
    assert_eq!(asked.rpc, ECHO.description());
    peer.answer(asked.id, &"fine").await;
    assert_eq!(call.await.unwrap(), "fine");
}

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

// The callee's side.

/// Serves one pipe RPC without a query; `make` makes the source of each stream.
fn serving<St>(
    rpc: &PipeRpc<(), i64, String>,
    make: impl Fn() -> St + Send + Sync + 'static,
) -> Implementations<()>
where
    St: futures_core::Stream<Item = i64> + Send + 'static,
{
    Implementations::builder()
        .implement_pipe(rpc, move |_, ()| {
            let source = make();
            async { Ok(Ok(source)) }
        })
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap()
}

/// Serves HOLD with updates that the test sends.
fn serving_channel() -> (
    Implementations<()>,
    mpsc::UnboundedReceiver<mpsc::UnboundedSender<i64>>,
    Dropped,
) {
    let (senders, receiver) = mpsc::unbounded_channel();
    let dropped = Dropped::default();
    let observed = dropped.clone();
    let table = serving(&HOLD, move || {
        let (sender, source) = Channel::new(&dropped);
        senders.send(sender).unwrap();
        source
    });
    (table, receiver, observed)
}

/// The connection serves on, and nothing of any stream is left.
async fn assert_none_served(connection: &Connection, peer: &mut Peer) {
    settle().await;
    assert_eq!(connection.served_streams(), 0);
    assert_eq!(alive_tasks(), 1);
    peer.query(100, &ECHO.description(), &"fine").await;
    peer.expect_answer(100, &"fine").await;
}

/// R-SV-2, R-SV-5, R-SV-6, R-OR-7, at every version.
#[tokio::test(start_paused = true)]
async fn callee_sends_the_initial_response_the_updates_and_the_end() {
    for version in 1..=11 {
        let (table, mut senders, dropped) = serving_channel();
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), version).await;
        peer.open_stream(7, &HOLD.description(), &()).await;
        peer.expect_start(7, &()).await;
        assert_eq!(connection.served_streams(), 1);
        let sender = senders.recv().await.unwrap();
        for update in 0..3 {
            sender.send(update).unwrap();
            peer.expect_update(7, &update).await;
        }
        sender.send(3).unwrap();
        drop(sender);
        peer.expect_update(7, &3_i64).await;
        peer.expect_end_of_stream(7).await;
        assert_none_served(&connection, &mut peer).await;
        assert!(dropped.is_set());
        // R-SV-9: an abort that was on its way.
        peer.abort(7, &HOLD.description()).await;
        assert_none_served(&connection, &mut peer).await;
        drop((connection, peer));
        settle().await;
    }
}

/// R-SV-2: and nothing else, also if an abort was on its way.
#[tokio::test(start_paused = true)]
async fn callee_sends_a_user_error_and_nothing_after_it() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    peer.open_stream(7, &COUNTER.description(), &-1_i64).await;
    let payload = b"\x00\x01\x0e-1 is negative";
    let answered = peer.expect_response().await;
    assert_eq!(answered.result.unwrap(), payload);
    peer.abort(7, &COUNTER.description()).await;
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-3, R-SV-15, R-ER-1.
#[tokio::test(start_paused = true)]
async fn undecodable_stream_query_is_answered_with_its_location() {
    let outer = "server-side pipe_rpc stream_query un-bin-io'ing";
    let inner = "streaming_rpc server-side query un-bin-io'ing";
    let rows: [(&[u8], &str); 5] = [
        (b"\x01\x02\x03\x04", outer),
        (b"", outer),
        // A byte beyond the query's length.
        (b"\xd1\xf5\x2f\xe2\x01\x03\x04", outer),
        (b"\xd1\xf5\x2f\xe2\x01\xfb", inner),
        (b"\xd1\xf5\x2f\xe2\x02\x03\x04", inner),
    ];
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    for (payload, location) in rows {
        let message = peer.query_message(7, &COUNT.description(), payload);
        peer.send_bytes(&message).await;
        let RpcError::BinIoExn(error) = peer.expect_error(7).await else {
            panic!("another error");
        };
        let error = error.to_string();
        assert!(error.contains(location), "{payload:02x?}: {error}");
    }
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-7: the end acknowledges; the source is dropped, and what it had is not sent.
#[tokio::test(start_paused = true)]
async fn abort_drops_the_source_and_is_answered_with_the_end() {
    for version in [1, 8, 11] {
        let (table, mut senders, dropped) = serving_channel();
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), version).await;
        peer.open_stream(7, &HOLD.description(), &()).await;
        peer.expect_start(7, &()).await;
        let sender = senders.recv().await.unwrap();
        sender.send(1).unwrap();
        peer.expect_update(7, &1_i64).await;
        assert!(!dropped.is_set());
        peer.abort(7, &HOLD.description()).await;
        peer.expect_end_of_stream(7).await;
        settle().await;
        assert!(dropped.is_set());
        assert!(sender.send(2).is_err());
        assert_none_served(&connection, &mut peer).await;
        // A second one is for a stream that is unknown (R-SV-9).
        peer.abort(7, &HOLD.description()).await;
        assert_none_served(&connection, &mut peer).await;
        drop((connection, peer));
        settle().await;
    }
}

/// R-SV-7: values that were produced and not yet sent are discarded.
#[tokio::test(start_paused = true)]
async fn abort_discards_what_the_source_still_has() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    peer.open_stream(7, &COUNT.description(), &5000_i64).await;
    peer.abort(7, &COUNT.description()).await;
    peer.expect_start(7, &()).await;
    // At most what was produced before the abort could be read.
    let mut updates = 0;
    while peer.expect_response().await.result.unwrap() != EOF_PAYLOAD {
        updates += 1;
    }
    assert!(updates <= 1000, "{updates}");
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// Decision 3 (R-SV-8): the handler is cancelled, and the end is all that is sent.
#[tokio::test(start_paused = true)]
async fn abort_before_the_handler_returned_cancels_it() {
    let dropped = Dropped::default();
    let never = Arc::new(Notify::new());
    let observed = dropped.clone();
    let handler = move |never: &Arc<Notify>, ()| {
        let (never, guard) = (never.clone(), dropped.guard());
        async move {
            let _guard = guard;
            never.notified().await;
            Ok(Ok(source::Never))
        }
    };
    let table = Implementations::builder()
        .implement_pipe(&HOLD, handler)
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap();
    let config = Config::default();
    let (connection, mut peer) = Peer::open(config, &table, never.clone(), 11).await;
    peer.open_stream(7, &HOLD.description(), &()).await;
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.served_streams(), 1);
    peer.abort(7, &HOLD.description()).await;
    peer.expect_end_of_stream(7).await;
    settle().await;
    assert!(observed.is_set());
    never.notify_one();
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-7, R-SV-9: in one chunk, and a second abort behind it.
#[tokio::test(start_paused = true)]
async fn abort_right_behind_the_query_is_answered_once() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    let rpc = HOLD.description();
    let mut chunk = peer.query_message(7, &rpc, b"\xd1\xf5\x2f\xe2\x01\x00");
    chunk.extend(peer.query_message(7, &rpc, ABORT_PAYLOAD));
    chunk.extend(peer.query_message(7, &rpc, ABORT_PAYLOAD));
    peer.send_bytes(&chunk).await;
    peer.expect_start(7, &()).await;
    peer.expect_end_of_stream(7).await;
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

static TEXTS: PipeRpc<(), String, String> = PipeRpc::new("texts", 1);

fn serving_texts(sizes: &'static [usize]) -> Implementations<()> {
    Implementations::builder()
        .implement_pipe(&TEXTS, |_, ()| async {
            Ok(Ok(source::iter(sizes.iter().map(|n| "x".repeat(*n)))))
        })
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap()
}

/// R-SV-10: in its place, and the stream goes on.
#[tokio::test(start_paused = true)]
async fn update_above_the_limit_is_a_write_error_in_its_place() {
    // Tag, id, menu index, result, length, update tag, two lengths.
    let overhead = 1 + 1 + 2 + 1 + 3 + 4 + 3 + 3;
    let config = Config::default().max_message_size(overhead + 300);
    let table = serving_texts(&[1, 301, 300, 302, 2]);
    let (connection, mut peer) = Peer::open(config, &table, (), 11).await;
    peer.open_stream(7, &TEXTS.description(), &()).await;
    peer.expect_start(7, &()).await;
    for size in [1, 301, 300, 302, 2] {
        if size <= 300 {
            peer.expect_update(7, &"x".repeat(size)).await;
            continue;
        }
        let RpcError::WriteError(error) = peer.expect_error(7).await else {
            panic!("another error");
        };
        let expected = format!(
            "(Message_too_big((size {})(max_message_size {})))",
            overhead + size,
            overhead + 300
        );
        assert_eq!(error.to_string(), expected);
    }
    peer.expect_end_of_stream(7).await;
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-10 with R-SC-2: what the user of both our ends sees.
#[tokio::test(start_paused = true)]
async fn update_above_the_callees_limit_breaks_the_callers_pipe() {
    let table = serving_texts(&[1, 1000, 2]);
    let far = (Config::default().max_message_size(500), &table, ());
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, far) = connect(CAPACITY, near, far).await;
    let mut pipe = TEXTS.dispatch(&near, &()).await.unwrap().unwrap();
    assert_eq!(pipe.next().await.as_deref(), Some("x"));
    assert_eq!(pipe.next().await, None);
    let reason = pipe.close_reason().await;
    assert!(
        matches!(
            reason,
            PipeCloseReason::Error(DispatchError::Rpc(RpcError::WriteError(_)))
        ),
        "{reason:?}"
    );
    settle().await;
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
    assert!(!near.is_closed());
}

/// Decision 9 (R-SV-11): no updates follow, and the caller's abort is answered.
#[tokio::test(start_paused = true)]
async fn initial_response_above_the_limit_ends_the_stream_and_its_abort_is_answered() {
    static BIG_STATE: StateRpc<i64, String, i64, String> = StateRpc::new("big-state", 1);
    let handler = |_: &(), n: i64| async move {
        let size = usize::try_from(n.abs())?;
        Ok(if n < 0 {
            Err("x".repeat(size))
        } else {
            Ok(("x".repeat(size), source::iter(0..3)))
        })
    };
    let table = Implementations::builder()
        .implement_state(&BIG_STATE, handler)
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap();
    let config = Config::default().max_message_size(300);
    let (connection, mut peer) = Peer::open(config.clone(), &table, (), 11).await;
    for n in [1000_i64, -1000] {
        peer.open_stream(7, &BIG_STATE.description(), &n).await;
        let error = peer.expect_error(7).await;
        assert!(matches!(error, RpcError::WriteError(_)), "{error}");
        peer.expect_silence(SECOND).await;
        peer.abort(7, &BIG_STATE.description()).await;
        peer.expect_end_of_stream(7).await;
        assert_none_served(&connection, &mut peer).await;
    }
    drop((connection, peer));

    let near = (Config::default(), &Implementations::empty(), ());
    let (near, far) = connect(CAPACITY, near, (config, &table, ())).await;
    let error = BIG_STATE.dispatch(&near, &1000).await.unwrap_err();
    assert!(matches!(error, DispatchError::Rpc(RpcError::WriteError(_))));
    settle().await;
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}

/// R-SV-12: what was there is sent, then the error, in place of the end.
#[tokio::test(start_paused = true)]
async fn panic_of_the_source_is_an_uncaught_exn_without_location() {
    let table = serving(&HOLD, || {
        source::iter((0..4).inspect(|n| assert!(*n < 3, "boom at {n}")))
    });
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(7, &HOLD.description(), &()).await;
    peer.expect_start(7, &()).await;
    for update in 0..3_i64 {
        peer.expect_update(7, &update).await;
    }
    let failure = Sexp::list([Sexp::atom("Failure"), Sexp::atom("boom at 3")]);
    assert_eq!(peer.expect_error(7).await, RpcError::UncaughtExn(failure));
    peer.abort(7, &HOLD.description()).await;
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// The same for an update that has no encoding.
#[tokio::test(start_paused = true)]
async fn update_outside_63_bits_ends_the_stream_with_an_uncaught_exn() {
    let table = serving(&HOLD, || source::iter([1, i64::MAX, 2]));
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(7, &HOLD.description(), &()).await;
    peer.expect_start(7, &()).await;
    peer.expect_update(7, &1_i64).await;
    let error = peer.expect_error(7).await;
    assert!(matches!(error, RpcError::UncaughtExn(_)), "{error}");
    assert!(error.to_string().contains("63 bits"), "{error}");
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-14: producers notice, however the connection ends.
#[tokio::test(start_paused = true)]
async fn source_is_dropped_when_the_connection_closes() {
    for end in 0..3 {
        let (table, mut senders, dropped) = serving_channel();
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
        peer.open_stream(7, &HOLD.description(), &()).await;
        peer.expect_start(7, &()).await;
        let sender = senders.recv().await.unwrap();
        match end {
            0 => connection.close(),
            1 => drop(peer),
            _ => peer.send_frame(&[0xff]).await,
        }
        connection.closed().await;
        assert!(dropped.is_set());
        assert!(sender.is_closed());
        settle().await;
        assert_eq!(alive_tasks(), 0);
    }
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

// Flow.

/// C-BP-6, R-SV-5: a first small batch, which the transport takes, and a whole one; then nothing
/// before the transport took that.
#[tokio::test(start_paused = true)]
async fn slow_reader_stops_the_consumption_of_the_source() {
    let (taken, dropped) = (Arc::new(AtomicUsize::new(0)), Dropped::default());
    let counter = taken.clone();
    let observed = dropped.clone();
    let table = serving(&HOLD, move || Endless::new(counter.clone(), &dropped));
    let (mut peer, io) = Peer::new(1000);
    let (connection, ()) = tokio::join!(
        Connection::serve(io, Config::default(), &table, |_| ()),
        peer.shake_hands(11, Default::default()),
    );
    let connection = connection.unwrap();
    peer.open_stream(7, &HOLD.description(), &()).await;
    settle().await;
    assert_eq!(taken.load(Ordering::Relaxed), 1016);
    peer.expect_start(7, &()).await;
    for update in 0..1016_i64 {
        assert!(taken.load(Ordering::Relaxed) <= 2016);
        peer.expect_update(7, &update).await;
    }
    settle().await;
    assert_eq!(taken.load(Ordering::Relaxed), 2016);
    // An abort gets through nevertheless, and the end comes behind what was sent.
    peer.abort(7, &HOLD.description()).await;
    for update in 1016..2016_i64 {
        peer.expect_update(7, &update).await;
    }
    peer.expect_end_of_stream(7).await;
    settle().await;
    assert!(observed.is_set());
    assert_eq!(connection.served_streams(), 0);
    assert_eq!(taken.load(Ordering::Relaxed), 2016);
}

/// C-BP-6: one that is stuck holds up no plain call of the same connection for good.
#[tokio::test(start_paused = true)]
async fn endless_stream_leaves_room_for_other_answers() {
    let (taken, dropped) = (Arc::new(AtomicUsize::new(0)), Dropped::default());
    let table = serving(&HOLD, move || Endless::new(taken.clone(), &dropped));
    let far = (Config::default(), &table, ());
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, far) = connect(1000, near, far).await;
    let mut pipe = HOLD.dispatch(&near, &()).await.unwrap().unwrap();
    for expected in 0..10 {
        let answer = ECHO.dispatch(&near, &"between".to_owned()).await;
        assert_eq!(answer.unwrap(), "between");
        assert_eq!(pipe.next().await, Some(expected));
    }
    drop(pipe);
    settle().await;
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}

/// R-OR-7.
#[tokio::test(start_paused = true)]
async fn hundred_thousand_updates_arrive_in_order() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let mut pipe = COUNT.dispatch(&near, &100_000).await.unwrap().unwrap();
    for expected in 0..100_000 {
        assert_eq!(pipe.next().await, Some(expected));
    }
    assert_eq!(pipe.next().await, None);
    closed_remotely(&pipe.close_reason().await);
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}

/// Several streams, each with its own order and its own end.
#[tokio::test(start_paused = true)]
async fn streams_of_one_connection_do_not_mix() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let mut pipes = Vec::new();
    for n in 0..50 {
        pipes.push(COUNTER.dispatch(&near, &(n * 100)).await.unwrap().unwrap());
    }
    for (n, (state, pipe)) in pipes.iter_mut().enumerate() {
        let n = i64::try_from(n).unwrap() * 100;
        assert_eq!(*state, n.to_string());
        assert!(drain(pipe).await.into_iter().eq(0..n));
    }
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}

/// A peer that opens another stream under an id in use takes the place of the first
/// (*protocol* §11); nothing is left of either.
#[tokio::test(start_paused = true)]
async fn id_used_twice_leaves_nothing_behind() {
    let (table, mut senders, dropped) = serving_channel();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    for _ in 0..2 {
        peer.open_stream(7, &HOLD.description(), &()).await;
        peer.expect_start(7, &()).await;
    }
    let first = senders.recv().await.unwrap();
    let second = senders.recv().await.unwrap();
    assert_eq!(connection.served_streams(), 1);
    drop(first);
    peer.expect_end_of_stream(7).await;
    settle().await;
    assert_eq!(connection.served_streams(), 1);
    peer.abort(7, &HOLD.description()).await;
    peer.expect_end_of_stream(7).await;
    settle().await;
    assert!(second.is_closed());
    assert!(dropped.is_set());
    assert_none_served(&connection, &mut peer).await;
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
