//! Streams, wherever their updates go.

use std::time::Duration;

use rpc_core::connection::Config;
use rpc_core::{PipeResponse, PipeRpc};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::{check_dropped_anywhere, dropped_at};
use crate::pair::{pair, settle};
use crate::rpcs::{COUNT, COUNTER, HOLD};

/// R-SC-7: before the answer, between answer and pipe, and with the pipe.
#[tokio::test(start_paused = true)]
async fn stream_dispatch_can_be_dropped_at_any_poll() {
    check_dropped_anywhere(async |near| drop(HOLD.dispatch(near, &()).await.unwrap())).await;
    check_dropped_anywhere(async |near| {
        let mut pipe = COUNT.dispatch(near, &3).await.unwrap().unwrap();
        yield_now().await;
        while pipe.next().await.is_some() {
            yield_now().await;
        }
    })
    .await;
    check_dropped_anywhere(async |near| {
        let (_, pipe) = COUNTER.dispatch(near, &3).await.unwrap().unwrap();
        yield_now().await;
        pipe.close_reason().await;
        yield_now().await;
    })
    .await;
    check_dropped_anywhere(async |near| COUNT.dispatch(near, &-1).await.unwrap().err()).await;
}

/// R-SC-7, C-DI-10: with a callback in place of the pipe, or folded.
#[tokio::test(start_paused = true)]
async fn dispatch_with_a_callback_can_be_dropped_at_any_poll() {
    check_dropped_anywhere(async |near| {
        let opening = COUNT.dispatch_with(near, &3, |_| ());
        let metadata = opening.await.unwrap().unwrap();
        // From here on the stream goes on by itself.
        metadata.close_reason().await;
    })
    .await;
    check_dropped_anywhere(async |near| {
        let opening = COUNT.dispatch_with(near, &3, |_| {
            PipeResponse::wait(sleep(Duration::from_millis(10)))
        });
        let metadata = opening.await.unwrap().unwrap();
        metadata.close_reason().await;
    })
    .await;
    check_dropped_anywhere(async |near| {
        let opening = COUNTER.dispatch_fold(
            near,
            &3,
            |_| 0,
            |sum, update| (sum + update, ()),
            |sum, _| sum,
        );
        let (_, fold) = opening.await.unwrap().unwrap();
        assert_eq!(fold.await.unwrap(), 3);
    })
    .await;
    // Each step has reading wait for a while.
    check_dropped_anywhere(async |near| {
        let opening = COUNTER.dispatch_fold(
            near,
            &3,
            |_| 0,
            |sum, update| {
                let waiting = sleep(Duration::from_millis(10));
                (sum + update, PipeResponse::wait(waiting))
            },
            |sum, _| sum,
        );
        let (_, fold) = opening.await.unwrap().unwrap();
        assert_eq!(fold.await.unwrap(), 3);
        yield_now().await;
    })
    .await;
    check_dropped_anywhere(async |near| {
        let opening = COUNT.dispatch_with(near, &-1, |_| ());
        opening.await.unwrap().err()
    })
    .await;
}

/// R-SC-7, R-SC-25: a pipe that holds up its connection, given up at any poll.
#[tokio::test(start_paused = true)]
async fn dispatch_that_pushes_back_can_be_dropped_at_any_poll() {
    static PUSHING: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1).client_pushes_back();
    check_dropped_anywhere(async |near| {
        let mut pipe = PUSHING.dispatch(near, &350).await.unwrap().unwrap();
        yield_now().await;
        while pipe.next().await.is_some() {}
        yield_now().await;
    })
    .await;
}

/// `Pipe::next`: no update is lost.
#[tokio::test(start_paused = true)]
async fn dropping_next_loses_no_update() {
    let (near, _far, _) = pair(Config::default(), Config::default()).await;
    let mut pipe = COUNT.dispatch(&near, &2500).await.unwrap().unwrap();
    let mut updates = Vec::new();
    let mut polls = 0;
    while updates.len() < 2500 {
        if let Some(update) = dropped_at(polls % 3, pipe.next()).await {
            updates.push(update.unwrap());
        }
        polls += 1;
        if polls.is_multiple_of(7) {
            settle().await;
        }
    }
    assert!(updates.into_iter().eq(0..2500));
    assert_eq!(pipe.next().await, None);
}
