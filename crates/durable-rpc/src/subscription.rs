//! The subscription core: anything that can be dispatched to a state and a stream of updates,
//! made durable.

mod dispatching;
mod machine;
mod silence;
pub(crate) mod source;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::config::Config;
use crate::durable::Durable;
use crate::event::{AttemptError, Event};
use crate::monitor::{Interruption, Monitor, Stats, Status};
use dispatching::Dispatching;
use machine::Machine;
use source::Updates;

/// What a successful dispatch gives.
#[derive(Debug)]
pub struct Subscribed<S, St, M> {
    /// The state at the beginning of the stream.
    pub state: S,
    /// The updates that follow.
    pub updates: St,
    /// What tells this stream from the others.
    pub metadata: M,
}

/// A subscription that is made again whenever it is lost: one endless stream of [`Event`]s.
///
/// It is driven by its consumer and has no task: while nobody reads, no attempt is made and no
/// event piles up (the updates of the present stream do, in its pipe; [`conflated`] bounds them).
/// [`follow`] is for whoever wants the present state, and no events.
///
/// Dropping it, or [closing](Self::close) it, ends the subscription for ever: the callee of the
/// present stream is told to stop, a dispatch that is going on is dropped, and no attempt is made
/// any more (decision 23). The durable value and its connection are not touched (rule D-CL-3).
///
/// [`conflated`]: Self::conflated
/// [`follow`]: Self::follow
pub struct Subscription<S, U, E, M> {
    machine: Machine<S, U, E, M>,
}

/// Makes a subscription from a durable value and a function that dispatches with it.
///
/// The first attempt starts without delay, when the subscription is first polled
/// (rule D-MA-1). After each loss and each failed attempt, the delay of `config` passes
/// (rule D-MA-2, decision 15); a [`Duration`](std::time::Duration) is a configuration.
///
/// # Examples
///
/// Any dispatch will do; this one counts down without any connection:
///
/// ```
/// use std::time::Duration;
/// use durable_rpc::{Durable, Event, Subscribed, subscribe};
/// # use std::pin::Pin;
/// # use std::task::{Context, Poll};
/// # struct Down(u32);
/// # impl futures_core::Stream for Down {
/// #     type Item = u32;
/// #     fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
/// #         Poll::Ready(self.0.checked_sub(1).inspect(|n| self.0 = *n))
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let start = Durable::new(|| async { Ok::<u32, std::fmt::Error>(3) }, |_| false);
/// let mut events = subscribe(&start, Duration::ZERO, |start| async move {
///     Ok(Ok::<_, ()>(Subscribed { state: start, updates: Down(start), metadata: () }))
/// });
/// let mut numbers = Vec::new();
/// while numbers.len() < 5 {
///     if let Some(Event::State(n) | Event::Update(n)) = events.next().await {
///         numbers.push(n);
///     }
/// }
/// assert_eq!(numbers, [3, 2, 1, 0, 3]);
/// # }
/// ```
///
/// The example `polled` (`examples/polled.rs` of the repository) makes a subscription of a plain RPC that
/// is asked again and again.
pub fn subscribe<T, S, U, E, M, Fut, St>(
    durable: &Durable<T>,
    config: impl Into<Config>,
    dispatch: impl Fn(T) -> Fut + Send + Sync + 'static,
) -> Subscription<S, U, E, M>
where
    T: Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Result<Subscribed<S, St, M>, E>, AttemptError>> + Send + 'static,
    St: Stream<Item = U> + Send + 'static,
    U: 'static,
{
    subscribe_by(durable, config, dispatch, source::stream)
}

/// The same, with updates from something that `source` knows better than as a stream.
pub(crate) fn subscribe_by<T, S, U, E, M, Fut, St>(
    durable: &Durable<T>,
    config: impl Into<Config>,
    dispatch: impl Fn(T) -> Fut + Send + Sync + 'static,
    source: fn(St) -> Updates<U>,
) -> Subscription<S, U, E, M>
where
    T: Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Result<Subscribed<S, St, M>, E>, AttemptError>> + Send + 'static,
    St: 'static,
    U: 'static,
{
    let dispatching = Dispatching::new(durable.clone(), dispatch, source);
    Subscription {
        machine: Machine::new(dispatching, config.into()),
    }
}

/// Makes the first attempt before it resolves, and fails with it; afterwards the subscription
/// behaves as one of [`subscribe`] (rule D-MA-5). Its first events are `AttemptingNewConnection`,
/// `ConnectionSuccess` and `State`.
///
/// # Cancel safety
/// Dropping the future is like dropping the subscription.
///
/// # Errors
/// The outer error is that of the attempt, the inner one the callee's own. Nothing keeps running
/// then.
pub async fn subscribe_or_fail<T, S, U, E, M, Fut, St>(
    durable: &Durable<T>,
    config: impl Into<Config>,
    dispatch: impl Fn(T) -> Fut + Send + Sync + 'static,
) -> Result<Result<Subscription<S, U, E, M>, E>, AttemptError>
where
    T: Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Result<Subscribed<S, St, M>, E>, AttemptError>> + Send + 'static,
    St: Stream<Item = U> + Send + 'static,
    U: 'static,
{
    subscribe(durable, config, dispatch).established().await
}

impl<S, U, E, M> Subscription<S, U, E, M> {
    /// The subscription, if its first attempt succeeds.
    pub(crate) async fn established(mut self) -> Result<Result<Self, E>, AttemptError> {
        let established = self.machine.establish().await?;
        Ok(established.map(|()| self))
    }

    /// The next event. Never `None` unless the subscription has been closed (rule D-EV-4), or was
    /// told to [give up](crate::Retry::give_up_after) and did.
    ///
    /// # Cancel safety
    /// No event is lost by dropping the future.
    #[inline]
    #[expect(
        clippy::should_implement_trait,
        reason = "a future of the next item, as streams have it by this name"
    )]
    pub fn next(&mut self) -> impl Future<Output = Option<Event<S, U, E, M>>> {
        Next(&mut self.machine)
    }

    /// Ends the present stream, if there is one, as if it had been lost: the callee is told to
    /// stop, its unread updates are dropped, and in their place comes
    /// [`LostConnection`](Event::LostConnection), after which the subscription is made again in
    /// the ordinary way. For whoever has found that the updates do not add up, or has fallen
    /// too far behind. Does nothing between streams.
    pub fn resubscribe(&mut self) {
        self.resubscribe_because(Interruption::Resubscribed);
    }

    /// Moves updates that are there already to `updates`, as if they had been events.
    pub(crate) fn take_ready(&mut self, updates: &mut VecDeque<U>, most: usize) {
        self.machine.take_ready(updates, most);
    }

    pub(crate) fn resubscribe_because(&mut self, why: Interruption) {
        self.machine.resubscribe(why);
    }

    /// Ends the subscription: no event is delivered any more. Twice has no further effect.
    pub fn close(&mut self) {
        self.machine.close();
    }

    /// What tells what the subscription is doing, wherever that goes.
    pub fn monitor(&self) -> Monitor {
        self.machine.monitor().clone()
    }

    /// What the subscription is doing.
    pub fn status(&self) -> Status {
        self.machine.monitor().status()
    }

    /// What has happened so far.
    pub fn stats(&self) -> Stats {
        self.machine.monitor().stats()
    }
}

/// Waits for the next event. Not an `async fn`, which would not be inlined where events are taken,
/// and would hand each of them on in memory.
struct Next<'a, S, U, E, M>(&'a mut Machine<S, U, E, M>);

impl<S, U, E, M> Future for Next<'_, S, U, E, M> {
    type Output = Option<Event<S, U, E, M>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll_event(cx)
    }
}

impl<S, U, E, M> Stream for Subscription<S, U, E, M> {
    type Item = Event<S, U, E, M>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().machine.poll_event(cx)
    }
}

// Nothing in it is pinned in place: what needs pinning is boxed.
impl<S, U, E, M> Unpin for Subscription<S, U, E, M> {}

impl<S, U, E, M> fmt::Debug for Subscription<S, U, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("name", &self.machine.monitor().name())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl<S, U, E, M> fmt::Display for Subscription<S, U, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.machine.monitor().fmt(f)
    }
}
