//! Sources that always have more: who takes from them lets others run, and ends when told to.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use durable_rpc::{AttemptError, Overflow, Status, Subscribed, Subscription, subscribe};
use futures_core::Stream;
use tokio::task::yield_now;

use crate::checked::DELAY;
use crate::dispatched::intact;

/// The end of what is otherwise without end, so that a task which never lets go fails a test
/// rather than keeping it from ending.
const END: u64 = 10_000_000;

/// Numbers that are always there. How many have been taken is known elsewhere.
struct Endless(Arc<AtomicU64>);

impl Stream for Endless {
    type Item = u64;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
        let taken = self.0.fetch_add(1, Ordering::Relaxed);
        Poll::Ready((taken < END).then_some(taken))
    }
}

fn endless(taken: &Arc<AtomicU64>) -> Subscription<u64, u64, String, ()> {
    let taken = taken.clone();
    subscribe(&intact(), DELAY, move |()| {
        let updates = Endless(taken.clone());
        async {
            let subscribed = Subscribed {
                state: 0,
                updates,
                metadata: (),
            };
            Ok::<_, AttemptError>(Ok(subscribed))
        }
    })
}

/// The turns of another task alternate with those of the one that takes, and none of the latter takes
/// more than `most` updates.
async fn expect_turns(taken: &Arc<AtomicU64>, most: u64) {
    let taken = taken.clone();
    let other = tokio::spawn(async move {
        let mut before = taken.load(Ordering::Relaxed);
        // Who takes may be put off by the runtime for some turns.
        for turn in 0..10_000 {
            if turn >= 100 && before > 1000 {
                return;
            }
            wait_a_turn().await;
            let now = taken.load(Ordering::Relaxed);
            let turn = now - before;
            assert!(turn <= most, "{turn} updates were taken without a pause");
            before = now;
        }
        panic!("only {before} updates were taken");
    });
    other.await.unwrap();
}

/// Lets the tasks run that are waiting to, this one behind them.
async fn wait_a_turn() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn state_that_follows_an_endless_source_lets_others_run_and_ends() {
    let taken = Arc::new(AtomicU64::new(0));
    let followed = endless(&taken).follow(|last, update| *last = update);
    expect_turns(&taken, 4096).await;
    let monitor = followed.monitor().clone();
    let before = followed.borrow().updates();
    assert!(before > 0);
    drop(followed);
    yield_now().await;
    assert!(matches!(monitor.status(), Status::Closed));
    assert_eq!(Arc::strong_count(&taken), 1, "the source is still there");
}

/// Merging is what never waits for the consumer.
#[tokio::test(start_paused = true)]
async fn queue_behind_an_endless_source_lets_others_run_and_ends() {
    for drops in [false, true] {
        let taken = Arc::new(AtomicU64::new(0));
        let overflow = Overflow::merge(|last, update| *last = update);
        let mut conflated = endless(&taken).conflated(NonZeroUsize::MIN, overflow);
        expect_turns(&taken, 1024).await;
        let monitor = conflated.monitor().clone();
        if drops {
            drop(conflated);
        } else {
            conflated.close();
        }
        yield_now().await;
        assert!(matches!(monitor.status(), Status::Closed));
        assert_eq!(Arc::strong_count(&taken), 1, "the source is still there");
    }
}
