//! Streams that go to a callback, or are folded, where they are read.

mod failing;
mod fold;
mod waiting;

use std::sync::{Arc, Mutex};

use bin_prot::Sexp;
use rpc_core::{Connection, DispatchError, PipeCloseReason, PipeMessage, PipeMetadata};
use rpc_wire::{QueryId, RpcError};

use crate::pair::{now, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO};
use crate::streams::{SECOND, assert_over, closed_remotely};

/// What a callback was called with.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<Result<i64, Option<DispatchError>>>>>);

impl Heard {
    fn note(&self, message: PipeMessage<i64>) {
        self.0.lock().unwrap().push(match message {
            PipeMessage::Update(update) => Ok(update),
            PipeMessage::Closed(result) => Err(result.err()),
        });
    }

    /// The updates so far, with nothing else among them.
    #[track_caller]
    fn updates(&self) -> Vec<i64> {
        let heard = self.0.lock().unwrap();
        heard
            .iter()
            .map(|message| *message.as_ref().unwrap())
            .collect()
    }

    /// These updates, and then the end, once. What broke the stream, if it did.
    #[track_caller]
    fn ended_after(&self, updates: &[i64]) -> Option<DispatchError> {
        let heard = self.0.lock().unwrap();
        let (last, before) = heard.split_last().expect("nothing was heard");
        let before: Vec<_> = before
            .iter()
            .map(|message| *message.as_ref().unwrap())
            .collect();
        assert_eq!(before, updates);
        last.clone().expect_err("an update, not the end")
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

/// A dispatched COUNT whose callee has agreed, with a callback that notes everything.
async fn started(version: i64) -> (Connection, Peer, PipeMetadata, QueryId, Heard) {
    let (connection, mut peer) = Peer::called_by_us(version).await;
    let heard = Heard::default();
    let noted = heard.clone();
    let opening = COUNT.dispatch_with(&connection, &3, move |message| noted.note(message));
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let metadata = opening.await.unwrap().unwrap();
    assert_eq!(metadata.id(), id);
    (connection, peer, metadata, id, heard)
}

/// R-SC-30, at every version: any number of updates, then the end, once.
#[tokio::test(start_paused = true)]
async fn callback_gets_updates_and_then_the_end() {
    for version in 1..=11 {
        let (connection, mut peer, metadata, id, heard) = started(version).await;
        assert!(heard.is_empty());
        for update in 0..3_i64 {
            peer.update(id, &update).await;
            settle().await;
            assert_eq!(heard.updates().len(), usize::try_from(update).unwrap() + 1);
        }
        peer.end_stream(id).await;
        closed_remotely(&metadata.close_reason().await);
        assert!(heard.ended_after(&[0, 1, 2]).is_none());
        assert_over(&connection, &mut peer).await;
        assert!(heard.ended_after(&[0, 1, 2]).is_none());
    }
}

/// R-SC-30, R-OR-5, catalogue ZR3: before anything that comes later is handled.
#[tokio::test(start_paused = true)]
async fn callback_runs_before_later_messages_are_handled() {
    let (connection, mut peer, _metadata, id, heard) = started(11).await;
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    let asked = peer.expect_query().await;
    peer.update(id, &1_i64).await;
    peer.answer(asked.id, &"y").await;
    assert_eq!(call.await.unwrap(), "y");
    assert_eq!(heard.updates(), [1]);
}

/// Catalogue W2: ten streams, ten updates each, interleaved.
#[tokio::test(start_paused = true)]
async fn each_callback_gets_its_own_updates() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let mut streams = Vec::new();
    for n in 0..10_i64 {
        let heard = Heard::default();
        let noted = heard.clone();
        let opening = COUNT.dispatch_with(&connection, &n, move |message| noted.note(message));
        let id = peer.expect_query().await.id;
        peer.start(id, &()).await;
        streams.push((id, heard, opening.await.unwrap().unwrap()));
    }
    for n in 0..10_i64 {
        for (id, ..) in &streams {
            peer.update(*id, &(id.get() * 100 + n)).await;
        }
    }
    for (id, ..) in streams.iter().rev() {
        peer.end_stream(*id).await;
    }
    for (id, heard, metadata) in &streams {
        closed_remotely(&metadata.close_reason().await);
        let expected: Vec<_> = (0..10).map(|n| id.get() * 100 + n).collect();
        assert!(heard.ended_after(&expected).is_none());
    }
    assert_eq!(connection.open_queries(), 0);
}

/// R-SC-1, R-SC-2, R-SC-3, catalogue W3, W4: what fails the dispatch is not the callback's matter.
#[tokio::test(start_paused = true)]
async fn failed_dispatch_does_not_call_the_callback() {
    for answer in 0..4 {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        let heard = Heard::default();
        let noted = heard.clone();
        let opening = COUNT.dispatch_with(&connection, &3, move |message| noted.note(message));
        let id = peer.expect_query().await.id;
        match answer {
            0 => {
                peer.refuse(id, &"no").await;
                assert_eq!(opening.await.unwrap().unwrap_err(), "no");
            }
            1 => {
                let error = RpcError::UncaughtExn(Sexp::atom("boom"));
                peer.respond(id, Err(error)).await;
                let error = opening.await.unwrap_err();
                assert!(matches!(error, DispatchError::Rpc(_)), "{error}");
            }
            2 => {
                peer.respond(id, Ok(b"\x00\x09")).await;
                let error = opening.await.unwrap_err();
                assert!(
                    matches!(error, DispatchError::Undecodable { .. }),
                    "{error}"
                );
                peer.expect_abort(id).await;
                peer.end_stream(id).await;
                settle().await;
            }
            _ => {
                drop(peer);
                let error = opening.await.unwrap_err();
                assert!(
                    matches!(error, DispatchError::ConnectionClosed(_)),
                    "{error}"
                );
                assert!(heard.is_empty());
                continue;
            }
        }
        assert_over(&connection, &mut peer).await;
        assert!(heard.is_empty());
    }
}

/// R-SC-2, R-SC-3, R-SC-4, R-SC-30, catalogue W5, W6: the callback learns at once, the place stays
/// taken if the callee may go on.
#[tokio::test(start_paused = true)]
async fn broken_stream_is_told_to_the_callback_once() {
    let boom = || RpcError::UncaughtExn(Sexp::atom("boom"));
    let too_big = || RpcError::WriteError(Sexp::atom("too big"));
    // Whether the callee may still send.
    let rows: [(Result<&[u8], RpcError>, bool); 4] = [
        (Err(boom()), false),
        (Err(too_big()), true),
        (Ok(b"\x01\x02\x03\x04"), true),
        (Ok(b"\x79\x8a\x00\x00\x01\xfb"), true),
    ];
    for (response, goes_on) in rows {
        let (connection, mut peer, metadata, id, heard) = started(11).await;
        peer.update(id, &1_i64).await;
        peer.respond(id, response).await;
        let reason = metadata.close_reason().await;
        assert!(matches!(reason, PipeCloseReason::Error(_)), "{reason:?}");
        assert!(heard.ended_after(&[1]).is_some());
        if goes_on {
            peer.expect_abort(id).await;
            peer.update(id, &2_i64).await;
            peer.respond(id, Err(too_big())).await;
            settle().await;
            assert_eq!(connection.open_queries(), 1);
            // Asking for the end makes no difference now.
            metadata.abort();
            peer.expect_silence(SECOND).await;
            peer.end_stream(id).await;
            settle().await;
        }
        assert!(heard.ended_after(&[1]).is_some());
        assert_over(&connection, &mut peer).await;
    }
}

/// R-SC-32, catalogue O18: what is on the way still comes, and the end is the callee's.
#[tokio::test(start_paused = true)]
async fn abort_by_id_leaves_the_stream_to_its_callee() {
    let (connection, mut peer, metadata, id, heard) = started(11).await;
    peer.update(id, &1_i64).await;
    connection.abort(metadata.id());
    // Once, by whichever way.
    metadata.abort();
    connection.abort(id);
    peer.expect_abort(id).await;
    peer.update(id, &2_i64).await;
    peer.expect_silence(SECOND).await;
    assert_eq!(heard.updates(), [1, 2]);
    peer.end_stream(id).await;
    closed_remotely(&metadata.close_reason().await);
    assert!(heard.ended_after(&[1, 2]).is_none());
    // Not after the end.
    metadata.abort();
    connection.abort(id);
    assert_over(&connection, &mut peer).await;
}

/// C-CL-21, R-SC-30, catalogue O18: the connection's end is the stream's.
#[tokio::test(start_paused = true)]
async fn lost_connection_is_told_to_the_callback() {
    let (connection, mut peer, metadata, id, heard) = started(11).await;
    peer.update(id, &1_i64).await;
    settle().await;
    connection.close();
    connection.closed().await;
    let error = heard.ended_after(&[1]).expect("an ordinary end");
    assert!(
        matches!(error, DispatchError::ConnectionClosed(_)),
        "{error}"
    );
    let reason = metadata.close_reason().await;
    assert!(matches!(reason, PipeCloseReason::Error(_)), "{reason:?}");
}

/// `PipeRpc::dispatch_with`: a callback keeps no connection open.
#[tokio::test(start_paused = true)]
async fn callback_does_not_keep_its_connection_open() {
    let (connection, mut peer, _metadata, _, heard) = started(11).await;
    drop(connection);
    peer.expect_end().await;
    drop(peer);
    settle().await;
    assert!(heard.ended_after(&[]).is_some());
}

/// R-SC-7, `PipeRpc::dispatch_with`: the callback is not called for a dispatch that was dropped,
/// neither before nor after the answer.
#[tokio::test(start_paused = true)]
async fn dropped_dispatch_does_not_call_the_callback() {
    for answered in [false, true] {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        let heard = Heard::default();
        let noted = heard.clone();
        let mut opening =
            Box::pin(COUNT.dispatch_with(&connection, &3, move |message| noted.note(message)));
        let id = peer.expect_query().await.id;
        if answered {
            peer.start(id, &()).await;
            settle().await;
            drop(opening);
            peer.expect_abort(id).await;
        } else {
            assert!(now(&mut opening).is_pending());
            drop(opening);
            peer.expect_abort(id).await;
            peer.start(id, &()).await;
            peer.expect_abort(id).await;
        }
        peer.update(id, &1_i64).await;
        peer.end_stream(id).await;
        settle().await;
        assert_over(&connection, &mut peer).await;
        assert!(heard.is_empty());
    }
}

/// R-SC-33, decision 4: what the callback holds is let go when the stream is over, whoever keeps the
/// metadata.
#[tokio::test(start_paused = true)]
async fn callback_is_dropped_at_the_end_of_its_stream() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let dropped = crate::source::Dropped::default();
    let guard = dropped.guard();
    let opening = COUNT.dispatch_with(&connection, &3, move |_| {
        let _kept = &guard;
    });
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let metadata = opening.await.unwrap().unwrap();
    assert!(!dropped.is_set());
    peer.end_stream(id).await;
    closed_remotely(&metadata.close_reason().await);
    assert!(dropped.is_set());
    drop(metadata);
}
