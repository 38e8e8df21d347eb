//! Callbacks that panic: their stream is broken off, and the connection goes on (decision 4).

use rpc_core::{
    DispatchError, ExpertRpc, HandlerError, PipeCloseReason, PipeMessage, PipeResponse,
};

use super::Heard;
use crate::pair::{alive_tasks, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER};
use crate::streams::assert_over;
use crate::trace::Trace;

#[track_caller]
fn assert_on_purpose(error: Option<&DispatchError>) {
    let Some(DispatchError::CallbackFailed(error)) = error else {
        panic!("{error:?}");
    };
    assert!(error.to_string().contains("on purpose"), "{error}");
}

/// T-C23 as decision 4 changes it.
/// R-SC-33 as decision 4 has it, R-SC-2: abort, wait for the end; T-C18 and T-C19.
#[tokio::test(start_paused = true)]
async fn panicking_callback_breaks_off_its_stream_alone() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let heard = Heard::default();
    let noted = heard.clone();
    let opening = COUNT.dispatch_with(&connection, &3, move |message| {
        assert!(!matches!(message, PipeMessage::Update(2)), "on purpose");
        noted.note(message);
    });
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let metadata = opening.await.unwrap().unwrap();
    let trace = Trace::of(&connection);
    peer.update(id, &1_i64).await;
    peer.update(id, &2_i64).await;
    peer.update(id, &3_i64).await;
    peer.expect_abort(id).await;
    assert_on_purpose(heard.ended_after(&[1]).as_ref());
    let reason = metadata.close_reason().await;
    let PipeCloseReason::Error(error) = reason else {
        panic!("{reason:?}");
    };
    assert_on_purpose(Some(&error));
    assert_eq!(connection.open_queries(), 1);
    peer.end_stream(id).await;
    settle().await;
    // Tag, id, no index, ok, length, variant (4), length, int: 11; of the end 9.
    trace.expect(&[
        "R Partial 11",
        "S Abort 16",
        "R One_way 16",
        "R Partial 11",
        "R Partial 11",
        "R Finished_error 9",
    ]);
    drop(trace);
    assert_over(&connection, &mut peer).await;
    assert_on_purpose(heard.ended_after(&[1]).as_ref());
}

/// The same of a callback, or a fold, that asks for it rather than panicking.
#[tokio::test(start_paused = true)]
async fn callback_that_says_so_breaks_off_its_stream_alone() {
    let answer = |update: i64| match update {
        2 => PipeResponse::Fail(HandlerError::new("on purpose")),
        _ => PipeResponse::Continue,
    };
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let heard = Heard::default();
    let noted = heard.clone();
    let opening = COUNT.dispatch_with(&connection, &3, move |message| {
        noted.note(message.clone());
        match message {
            PipeMessage::Update(update) => answer(update),
            PipeMessage::Closed(_) => PipeResponse::Continue,
        }
    });
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let metadata = opening.await.unwrap().unwrap();
    for update in 1..=3_i64 {
        peer.update(id, &update).await;
    }
    peer.expect_abort(id).await;
    assert_on_purpose(heard.ended_after(&[1, 2]).as_ref());
    let reason = metadata.close_reason().await;
    assert_on_purpose(reason.into_result().err().as_ref());
    peer.end_stream(id).await;

    let folding = COUNTER.dispatch_fold(
        &connection,
        &3,
        |_state| 0,
        move |sum, update| (sum + update, answer(update)),
        |_sum, ended| ended,
    );
    let id = peer.expect_query().await.id;
    peer.start(id, &"100".to_owned()).await;
    let (_, ended) = folding.await.unwrap().unwrap();
    for update in 1..=3_i64 {
        peer.update(id, &update).await;
    }
    peer.expect_abort(id).await;
    assert_on_purpose(ended.await.unwrap_or_else(Err).err().as_ref());
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;
}

/// The same of what it asked to wait for: at once, or later.
#[tokio::test(start_paused = true)]
async fn panicking_wait_breaks_off_its_stream_alone() {
    for suspends in [false, true] {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        let heard = Heard::default();
        let noted = heard.clone();
        let opening = COUNT.dispatch_with(&connection, &3, move |message| {
            let is_update = matches!(message, PipeMessage::Update(_));
            noted.note(message);
            match is_update {
                true => PipeResponse::wait(async move {
                    if suspends {
                        tokio::task::yield_now().await;
                    }
                    panic!("on purpose");
                }),
                false => PipeResponse::Continue,
            }
        });
        let id = peer.expect_query().await.id;
        peer.start(id, &()).await;
        let _metadata = opening.await.unwrap().unwrap();
        peer.update(id, &1_i64).await;
        peer.update(id, &2_i64).await;
        peer.expect_abort(id).await;
        assert_on_purpose(heard.ended_after(&[1]).as_ref());
        peer.end_stream(id).await;
        settle().await;
        assert_over(&connection, &mut peer).await;
        assert_eq!(alive_tasks(), 1);
    }
}

/// Nothing is left to be broken off, and nobody to be told.
#[tokio::test(start_paused = true)]
async fn callback_that_panics_at_the_end_harms_nobody() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = COUNT.dispatch_with(&connection, &3, |message| {
        assert!(matches!(message, PipeMessage::Update(_)), "on purpose");
    });
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    peer.update(id, &1_i64).await;
    peer.end_stream(id).await;
    let metadata = opening.await.unwrap().unwrap();
    settle().await;
    crate::streams::closed_remotely(&metadata.close_reason().await);
    assert_over(&connection, &mut peer).await;
}

/// T-C22 as R-SC-34 recommends.
/// R-SC-34 as it recommends (R-SC-2), catalogue ZR30: called for the close with the error, and the
/// entry stays until the callee's end.
#[tokio::test(start_paused = true)]
async fn panicking_expert_callback_breaks_off_its_stream_alone() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let heard = Heard::default();
    let noted = heard.clone();
    let rpc = ExpertRpc::from(COUNT.description());
    let opening = rpc.dispatch_stream_with(&connection, &[3], move |message| {
        noted.note(match message {
            PipeMessage::Update([2]) => panic!("on purpose"),
            PipeMessage::Update(bytes) => PipeMessage::Update(i64::from(bytes[0])),
            PipeMessage::Closed(result) => PipeMessage::Closed(result),
        });
    });
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let (_, _metadata) = opening.await.unwrap().unwrap();
    peer.update(id, &1_i64).await;
    peer.update(id, &2_i64).await;
    peer.update(id, &3_i64).await;
    peer.expect_abort(id).await;
    assert_on_purpose(heard.ended_after(&[1]).as_ref());
    assert_eq!(connection.open_queries(), 1);
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;
}
