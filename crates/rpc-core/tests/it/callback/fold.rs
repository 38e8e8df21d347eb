//! State RPCs whose updates are folded (rule R-SC-35).

use std::sync::{Arc, Mutex};

use rpc_core::{Connection, DispatchError, Fold, PipeMetadata, PipeResponse};
use rpc_wire::QueryId;
use tokio::sync::Notify;

use crate::pair::{now, settle};
use crate::peer::Peer;
use crate::rpcs::COUNTER;
use crate::streams::assert_over;

/// The state, the updates and how it ended, as text.
type Told = String;

/// A dispatched COUNTER whose callee has agreed with the state "s".
async fn folding() -> (Connection, Peer, PipeMetadata, QueryId, Fold<Told>) {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = COUNTER.dispatch_fold(
        &connection,
        &3,
        |state| state,
        |told, update| {
            assert!(update != 13, "on purpose");
            (format!("{told} {update}"), ())
        },
        |told, ended| match ended {
            Ok(()) => format!("{told} end"),
            Err(error) => format!("{told} {error}"),
        },
    );
    let id = peer.expect_query().await.id;
    peer.start(id, &"s").await;
    let (metadata, fold) = opening.await.unwrap().unwrap();
    (connection, peer, metadata, id, fold)
}

/// Catalogue O16: initial state, each update, the end.
#[tokio::test(start_paused = true)]
async fn fold_goes_from_the_state_to_the_end() {
    let (connection, mut peer, _metadata, id, mut fold) = folding().await;
    peer.update(id, &1_i64).await;
    peer.update(id, &2_i64).await;
    settle().await;
    assert!(now(&mut fold).is_pending());
    peer.end_stream(id).await;
    assert_eq!(fold.await.unwrap(), "s 1 2 end");
    assert_over(&connection, &mut peer).await;
}

/// Catalogue O16: all of it may have happened before the dispatch resolves.
#[tokio::test(start_paused = true)]
async fn fold_may_be_over_before_the_dispatch_resolves() {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let note = |step: &'static str| {
        let steps = steps.clone();
        move || steps.lock().unwrap().push(step)
    };
    let (init, step, finish) = (note("init"), note("step"), note("finish"));
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = COUNTER.dispatch_fold(
        &connection,
        &3,
        move |_| init(),
        move |(), _| {
            step();
            ((), PipeResponse::Continue)
        },
        move |(), _| finish(),
    );
    let id = peer.expect_query().await.id;
    peer.start(id, &"s").await;
    peer.update(id, &1_i64).await;
    peer.update(id, &2_i64).await;
    peer.end_stream(id).await;
    settle().await;
    assert_eq!(*steps.lock().unwrap(), ["init", "step", "step", "finish"]);
    let (_, fold) = opening.await.unwrap().unwrap();
    fold.await.unwrap();
    assert_over(&connection, &mut peer).await;
}

/// R-SC-35: an aborted fold is finished by the callee's end.
#[tokio::test(start_paused = true)]
async fn aborted_fold_finishes_with_the_end_of_the_stream() {
    let (connection, mut peer, metadata, id, fold) = folding().await;
    metadata.abort();
    peer.expect_abort(id).await;
    peer.update(id, &1_i64).await;
    peer.end_stream(id).await;
    assert_eq!(fold.await.unwrap(), "s 1 end");
    assert_over(&connection, &mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn broken_stream_finishes_the_fold_with_the_error() {
    let (connection, mut peer, _metadata, id, fold) = folding().await;
    peer.update(id, &1_i64).await;
    peer.respond(id, Ok(b"\x79\x8a\x00\x00\x01\xfb")).await;
    let told = fold.await.unwrap();
    assert!(
        told.starts_with("s 1 client-side streaming_rpc response"),
        "{told}"
    );
    peer.expect_abort(id).await;
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;

    let (connection, peer, _metadata, _, fold) = folding().await;
    drop(peer);
    let told = fold.await.unwrap();
    assert!(told.contains("EOF or connection closed"), "{told}");
    connection.closed().await;
}

/// R-SC-30: a step can make the connection wait.
#[tokio::test(start_paused = true)]
async fn step_can_make_the_connection_wait() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let proceed = Arc::new(Notify::new());
    let wait = proceed.clone();
    let opening = COUNTER.dispatch_fold(
        &connection,
        &3,
        |_| 0,
        move |sum, update| {
            let wait = wait.clone();
            let wait = PipeResponse::wait(async move { wait.notified().await });
            (sum + update, wait)
        },
        |sum, _| sum,
    );
    let id = peer.expect_query().await.id;
    peer.start(id, &"s").await;
    for update in 1..=3_i64 {
        peer.update(id, &update).await;
    }
    peer.end_stream(id).await;
    let (_, mut fold) = opening.await.unwrap().unwrap();
    for _ in 0..3 {
        settle().await;
        assert!(now(&mut fold).is_pending());
        proceed.notify_one();
    }
    assert_eq!(fold.await.unwrap(), 6);
    assert_over(&connection, &mut peer).await;
}

/// Decision 4: the accumulator is gone with the function that panicked; the connection goes on.
#[tokio::test(start_paused = true)]
async fn panicking_step_is_the_result_of_the_fold() {
    let (connection, mut peer, _metadata, id, fold) = folding().await;
    peer.update(id, &1_i64).await;
    peer.update(id, &13_i64).await;
    peer.update(id, &2_i64).await;
    peer.expect_abort(id).await;
    let error = fold.await.unwrap_err();
    assert!(matches!(error, DispatchError::CallbackFailed(_)), "{error}");
    let expected = "callback failed: (Failure\"on purpose\")";
    assert_eq!(error.to_string(), expected);
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;
}

/// The same of the two others: of the first the dispatch fails.
#[tokio::test(start_paused = true)]
async fn panicking_init_fails_the_dispatch_and_panicking_finish_the_fold() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = COUNTER.dispatch_fold(
        &connection,
        &3,
        |_| panic!("on purpose"),
        |(), _| ((), ()),
        |(), _| (),
    );
    let id = peer.expect_query().await.id;
    peer.start(id, &"s").await;
    let error = opening.await.unwrap_err();
    assert!(matches!(error, DispatchError::CallbackFailed(_)), "{error}");
    peer.expect_abort(id).await;
    peer.update(id, &1_i64).await;
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;

    let opening = COUNTER.dispatch_fold(
        &connection,
        &3,
        |_| (),
        |(), _| ((), ()),
        |(), _| panic!("on purpose"),
    );
    let id = peer.expect_query().await.id;
    peer.start(id, &"s").await;
    let (_, fold) = opening.await.unwrap().unwrap();
    let fold: Fold<()> = fold;
    peer.end_stream(id).await;
    let error = fold.await.unwrap_err();
    assert!(matches!(error, DispatchError::CallbackFailed(_)), "{error}");
    assert_over(&connection, &mut peer).await;
}

/// The user's error is the dispatch's result, as in the other forms.
#[tokio::test(start_paused = true)]
async fn user_error_is_the_result_of_the_dispatch() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let never = |_: String| -> i64 { panic!("called") };
    let opening = COUNTER.dispatch_fold(&connection, &3, never, |n, _| (n, ()), |n, _| n);
    let id = peer.expect_query().await.id;
    peer.refuse(id, &"no").await;
    assert_eq!(opening.await.unwrap().unwrap_err(), "no");
    assert_over(&connection, &mut peer).await;
}
