//! The task that takes a subscription's events to the queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::Overflow;
use super::queue::{Ended, Full, Queue};
use crate::event::Event;
use crate::monitor::Interruption;
use crate::subscription::Subscription;

pub(super) struct Pump<S, U, E, M> {
    subscription: Subscription<S, U, E, M>,
    overflow: Overflow<U>,
    queue: Arc<Queue<S, U, E, M>>,
}

impl<S, U, E, M> Pump<S, U, E, M> {
    pub(super) const fn new(
        subscription: Subscription<S, U, E, M>,
        overflow: Overflow<U>,
        queue: Arc<Queue<S, U, E, M>>,
    ) -> Self {
        Self {
            subscription,
            overflow,
            queue,
        }
    }

    fn put(&mut self, event: Event<S, U, E, M>) {
        let Err(Full(update)) = self.queue.put(event) else {
            return;
        };
        let dropped = match &mut self.overflow {
            Overflow::Merge(merge) => match self.queue.take_last() {
                Some(mut last) => {
                    let merging = AssertUnwindSafe(|| merge(&mut last, update));
                    if catch_unwind(merging).is_ok() {
                        return self.put(Event::Update(last));
                    }
                    // Both that were to be one.
                    2
                }
                // The consumer has taken it just now: there is room.
                None => return self.put(Event::Update(update)),
            },
            // Who waits has asked for room before.
            Overflow::Wait | Overflow::Resubscribe => 1,
        };
        let dropped_updates = dropped + self.queue.drop_updates();
        let why = Interruption::Overflowed { dropped_updates };
        self.subscription.resubscribe_because(why);
    }
}

impl<S, U, E, M> Future for Pump<S, U, E, M> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            // A source that always has more would keep this task from being ended, and others from
            // their turns.
            ready!(tokio::task::coop::poll_proceed(cx)).made_progress();
            let for_update = matches!(this.overflow, Overflow::Wait);
            if let Err(Ended) = ready!(this.queue.poll_room(for_update, cx)) {
                return Poll::Ready(());
            }
            match ready!(Pin::new(&mut this.subscription).poll_next(cx)) {
                Some(event) => this.put(event),
                None => return Poll::Ready(()),
            }
        }
    }
}

// Nothing in it is pinned in place.
impl<S, U, E, M> Unpin for Pump<S, U, E, M> {}

impl<S, U, E, M> Drop for Pump<S, U, E, M> {
    /// Whoever waits learns of the end, however the task ends.
    fn drop(&mut self) {
        self.queue.end();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::pin::pin;
    use std::task::Waker;
    use std::time::Duration;

    use super::*;
    use crate::{AttemptError, Durable, Subscribed, subscribe};

    /// Numbers that are always there.
    struct Endless(u64);

    impl Stream for Endless {
        type Item = u64;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
            self.0 += 1;
            Poll::Ready(Some(self.0))
        }
    }

    /// It is over, rather than reading what nobody takes until its task is found to be aborted.
    #[tokio::test(start_paused = true)]
    async fn pump_is_over_once_its_queue_is_closed() {
        let nothing = Durable::new(async || Ok::<_, std::fmt::Error>(()), |()| false);
        let subscription = subscribe(&nothing, Duration::ZERO, async |()| {
            let subscribed = Subscribed {
                state: (),
                updates: Endless(0),
                metadata: (),
            };
            Ok::<Result<_, ()>, AttemptError>(Ok(subscribed))
        });
        let monitor = subscription.monitor();
        let queue = Arc::new(Queue::new(NonZeroUsize::MIN));
        let overflow = Overflow::merge(|last, update| *last = update);
        let mut pump = pin!(Pump::new(subscription, overflow, queue.clone()));
        let mut poll = || pump.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        while monitor.stats().updates == 0 {
            assert!(
                poll().is_pending(),
                "nothing is to be had, or its turn is over"
            );
            tokio::task::yield_now().await;
        }
        let taken = monitor.stats().updates;
        queue.close();
        assert!(poll().is_ready());
        assert_eq!(monitor.stats().updates, taken);
    }
}
