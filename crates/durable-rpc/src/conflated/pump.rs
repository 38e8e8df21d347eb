//! The task that takes a subscription's events to the queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::Overflow;
use super::queue::{Full, Queue};
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
        let is_merged = match &mut self.overflow {
            Overflow::Merge(merge) => {
                // The consumer may have taken it just now; then there is room.
                let merged = match self.queue.take_last() {
                    Some(mut last) => {
                        let merging = AssertUnwindSafe(|| merge(&mut last, update));
                        catch_unwind(merging).map(|()| last)
                    }
                    None => Ok(update),
                };
                merged.is_ok_and(|merged| self.queue.put(Event::Update(merged)).is_ok())
            }
            // Who waits has asked for room before.
            Overflow::Wait | Overflow::Resubscribe => false,
        };
        if !is_merged {
            // Those that wait, and the one that found no place.
            let dropped_updates = self.queue.drop_updates() + 1;
            let why = Interruption::Overflowed { dropped_updates };
            self.subscription.resubscribe_because(why);
        }
    }
}

impl<S, U, E, M> Future for Pump<S, U, E, M> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            // A source that always has more would keep this task from being ended.
            ready!(tokio::task::coop::poll_proceed(cx)).made_progress();
            let for_update = matches!(this.overflow, Overflow::Wait);
            ready!(this.queue.poll_room(for_update, cx));
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
