//! A bound on what waits for a slow consumer.

mod pump;
mod queue;

use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::event::Event;
use crate::monitor::Monitor;
use crate::subscription::Subscription;
use crate::task::Task;
use pump::Pump;
use queue::Queue;

/// What is done with an update for which there is no place.
///
/// Nothing is lost silently: either every update reaches the consumer, as it came or merged into
/// another one, or the consumer is told of a loss, and a state follows that has everything in it.
pub enum Overflow<U> {
    /// The update waits in its stream, with those after it. That bounds the memory only if the
    /// stream is of an RPC whose [client pushes back](rpc_core::PipeRpc::client_pushes_back), and
    /// then holds up its whole connection.
    Wait,
    /// The update is merged into the one before it by this function. How much that keeps is the
    /// function's to bound. If it panics, the stream is given up, as by the next one.
    Merge(Box<dyn FnMut(&mut U, U) + Send>),
    /// The stream is given up: the updates that wait are dropped, the consumer gets
    /// [`LostConnection`](Event::LostConnection) in their place, and, when it has taken that and
    /// the delay has passed, a state that is as new as can be.
    Resubscribe,
}

impl<U> Overflow<U> {
    /// Merges by this function: into its first argument.
    pub fn merge(merge: impl FnMut(&mut U, U) + Send + 'static) -> Self {
        Self::Merge(Box::new(merge))
    }
}

impl<U> fmt::Debug for Overflow<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wait => "Wait",
            Self::Merge(_) => "Merge",
            Self::Resubscribe => "Resubscribe",
        })
    }
}

/// A subscription with a bounded queue between it and its consumer: see
/// [`Subscription::conflated`].
///
/// Unlike a subscription by itself, it has a task, and goes on while nobody reads: until an update
/// finds no place, or the round is over (rule D-BP-4), so that at most one round is kept. Dropping
/// it closes it.
pub struct Conflated<S, U, E, M> {
    queue: Arc<Queue<S, U, E, M>>,
    task: Task,
    monitor: Monitor,
}

impl<S, U, E, M> Subscription<S, U, E, M>
where
    S: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
    M: Send + 'static,
{
    /// Reads the subscription at once, wherever its consumer is, and keeps at most `bound` updates
    /// for it; `overflow` says what becomes of more. The grammar of the events stays. The reference
    /// has no such thing.
    ///
    /// Must be called within a tokio runtime: there is a task.
    ///
    /// ```
    /// # use durable_rpc::{Conflated, Event, Overflow, state::Subscription};
    /// # use std::num::NonZeroUsize;
    /// # use rpc_core::PipeMetadata;
    /// /// Changes of many prices, of which only the last one of each matters.
    /// type Changes = std::collections::BTreeMap<String, u64>;
    ///
    /// fn latest(
    ///     prices: Subscription<Changes, Changes, String>,
    /// ) -> Conflated<Changes, Changes, String, PipeMetadata> {
    ///     prices.conflated(NonZeroUsize::MIN, Overflow::merge(|all: &mut Changes, more| all.extend(more)))
    /// }
    /// # let _ = latest;
    /// ```
    pub fn conflated(self, bound: NonZeroUsize, overflow: Overflow<U>) -> Conflated<S, U, E, M> {
        let monitor = self.monitor();
        let queue = Arc::new(Queue::new(bound));
        let task = Task::spawn(Pump::new(self, overflow, queue.clone()));
        Conflated {
            queue,
            task,
            monitor,
        }
    }
}

impl<S, U, E, M> Conflated<S, U, E, M> {
    /// The next event. Never `None` unless it has been closed (rule D-EV-4), or was told to
    /// [give up](crate::Retry::give_up_after) and did.
    ///
    /// # Cancel safety
    /// No event is lost by dropping the future.
    pub async fn next(&mut self) -> Option<Event<S, U, E, M>> {
        std::future::poll_fn(|cx| self.queue.poll_take(cx)).await
    }

    /// Ends the subscription: no event is delivered any more. Twice has no further effect.
    pub fn close(&mut self) {
        self.queue.close();
        self.task.abort();
    }

    /// What tells what the subscription is doing, as far as it has been read by the task.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }
}

impl<S, U, E, M> Stream for Conflated<S, U, E, M> {
    type Item = Event<S, U, E, M>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.queue.poll_take(cx)
    }
}

impl<S, U, E, M> fmt::Debug for Conflated<S, U, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conflated")
            .field("queued_updates", &self.queue.updates())
            .field("monitor", &self.monitor)
            .finish_non_exhaustive()
    }
}
