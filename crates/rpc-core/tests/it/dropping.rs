//! Futures dropped at every poll: nothing closes, nothing leaks, late answers are swallowed.

mod by_decoder;
mod calls;
mod expert;
mod mixtures;
mod streams;
mod waiting;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use rpc_core::Connection;
use rpc_core::connection::Config;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::pair::{alive_tasks, pair};
use crate::rpcs::ECHO;

/// Polls the future `polls` times, and drops it if it is not ready by then.
async fn dropped_at<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        let Some(next) = left.checked_sub(1) else {
            return Poll::Ready(None);
        };
        left = next;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The same with a future that does not get ready, and that nothing need wake.
async fn dropped_pending(polls: usize, future: impl Future) {
    let mut future = pin!(future);
    for _ in 0..polls {
        let ready = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
        assert!(!ready);
        yield_now().await;
    }
}

/// Drops the future that `make` makes at its first poll, its second, and so on until it is ready
/// before. After each, and after all answers have come, nothing is left on either end.
async fn check_dropped_anywhere<T>(make: impl AsyncFn(&Connection) -> T) {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let mut polls = 0;
    while dropped_at(polls, make(&near)).await.is_none() {
        assert_unharmed(&near, &far).await;
        polls += 1;
    }
    assert!(polls > 0, "ready without being polled");
    assert_unharmed(&near, &far).await;
}

async fn assert_unharmed(near: &Connection, far: &Connection) {
    sleep(Duration::from_secs(1)).await;
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
    assert_eq!(alive_tasks(), 2);
    let answer = ECHO.dispatch(near, &"fine".to_owned()).await;
    assert_eq!(answer.unwrap(), "fine");
}
