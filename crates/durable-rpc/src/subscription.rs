//! The subscription core: anything that can be dispatched to a state and a stream of updates,
//! made durable.
//!
//! ```text
//!       ┌─► CHECK: emit Attempting
//!       │     ▼
//!       │  DISPATCHING (use of the durable value, then the dispatch)
//!       │     │ error            │ user error         │ ok
//!       │     │ emit Failed      │ emit Rpc_error     │ emit Success, State
//!       │     ▼                  ▼                    ▼
//!       │   DELAY ◄──────────────┘              STREAMING
//!       │     ▲                                       │ stream ended, all delivered
//!       │     └──────────── emit Lost ────────────────┘
//!       └── after the resubscribe delay
//! ```
//!
//! The machine is driven by its consumer and has no task: while nobody reads, no attempt is made
//! and no event piles up (the updates of the present stream do, in its pipe), and dropping the
//! subscription ends everything at once.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use rpc_core::DispatchError;
use tokio::time::{Sleep, sleep};

use crate::durable::{Durable, panic_text};
use crate::event::{AttemptError, Event};

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

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Updates<U> = Pin<Box<dyn Stream<Item = U> + Send>>;
type Attempt<S, U, E, M> = Result<Result<Subscribed<S, Updates<U>, M>, E>, AttemptError>;

/// A subscription that is made again whenever it is lost: one endless stream of [`Event`]s.
///
/// Dropping it, or [closing](Self::close) it, ends the subscription for ever: the callee of the
/// present stream is told to stop, and no attempt is made any more. The durable value and its
/// connection are not touched (rule D-CL-3).
pub struct Subscription<S, U, E, M> {
    attempt: Box<dyn Fn() -> BoxFuture<Attempt<S, U, E, M>> + Send>,
    delay: Duration,
    machine: Machine<S, U, E, M>,
}

enum Machine<S, U, E, M> {
    Check,
    Dispatching(BoxFuture<Attempt<S, U, E, M>>),
    /// An attempt that was made ahead of time has succeeded; nothing of it has been emitted.
    Established(Subscribed<S, Updates<U>, M>),
    /// Attempting has been emitted, success comes next.
    Succeeded(Subscribed<S, Updates<U>, M>),
    /// Success has been emitted, the state comes next.
    Begun(S, Updates<U>),
    Streaming(Updates<U>),
    Delay(Pin<Box<Sleep>>),
    Closed,
}

/// Makes a subscription from a durable value and a function that dispatches with it.
///
/// The first attempt starts without delay, when the subscription is first polled
/// (rule D-MA-1). After each loss and each failed attempt, `resubscribe_delay` passes
/// (rule D-MA-2, decision 15); it may be zero.
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
pub fn subscribe<T, S, U, E, M, Fut, St>(
    durable: &Durable<T>,
    resubscribe_delay: Duration,
    dispatch: impl Fn(T) -> Fut + Send + Sync + 'static,
) -> Subscription<S, U, E, M>
where
    T: Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Result<Subscribed<S, St, M>, E>, DispatchError>> + Send + 'static,
    St: Stream<Item = U> + Send + 'static,
{
    let (durable, dispatch) = (durable.clone(), Arc::new(dispatch));
    let attempt = move || -> BoxFuture<Attempt<S, U, E, M>> {
        let (durable, dispatch) = (durable.clone(), dispatch.clone());
        Box::pin(async move {
            let subscribed = durable.with(|value| dispatch(value)).await??;
            Ok(subscribed.map(|subscribed| Subscribed {
                state: subscribed.state,
                updates: Box::pin(subscribed.updates) as Updates<U>,
                metadata: subscribed.metadata,
            }))
        })
    };
    Subscription {
        attempt: Box::new(attempt),
        delay: resubscribe_delay,
        machine: Machine::Check,
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
    resubscribe_delay: Duration,
    dispatch: impl Fn(T) -> Fut + Send + Sync + 'static,
) -> Result<Result<Subscription<S, U, E, M>, E>, AttemptError>
where
    T: Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Result<Subscribed<S, St, M>, E>, DispatchError>> + Send + 'static,
    St: Stream<Item = U> + Send + 'static,
{
    let mut subscription = subscribe(durable, resubscribe_delay, dispatch);
    let mut attempt = (subscription.attempt)();
    let attempted = std::future::poll_fn(|cx| poll_attempt(&mut attempt, cx)).await;
    Ok(attempted?.map(|subscribed| {
        subscription.machine = Machine::Established(subscribed);
        subscription
    }))
}

fn poll_attempt<S, U, E, M>(
    attempt: &mut BoxFuture<Attempt<S, U, E, M>>,
    cx: &mut Context<'_>,
) -> Poll<Attempt<S, U, E, M>> {
    // A panic of the dispatch is one failed attempt (rule D-RA-8).
    catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(cx))).unwrap_or_else(|panic| {
        let text = panic_text(&*panic).into();
        Poll::Ready(Err(AttemptError::Panicked(text)))
    })
}

impl<S, U, E, M> Subscription<S, U, E, M> {
    /// The next event. Never `None` unless the subscription has been closed (rule D-EV-4).
    ///
    /// # Cancel safety
    /// No event is lost by dropping the future.
    pub async fn next(&mut self) -> Option<Event<S, U, E, M>> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Ends the subscription: no event is delivered any more. Twice has no further effect.
    pub fn close(&mut self) {
        self.machine = Machine::Closed;
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event<S, U, E, M>>> {
        if let Machine::Dispatching(attempt) = &mut self.machine {
            let event = match ready!(poll_attempt(attempt, cx)) {
                Ok(Ok(subscribed)) => {
                    self.machine = Machine::Succeeded(subscribed);
                    None
                }
                Ok(Err(error)) => Some(Event::RpcError(error)),
                Err(error) => Some(Event::FailedToConnect(error)),
            };
            if let Some(event) = event {
                return Poll::Ready(Some(self.pause(event)));
            }
        }
        if let Machine::Streaming(updates) = &mut self.machine {
            // A source that panics has ended.
            let update = catch_unwind(AssertUnwindSafe(|| updates.as_mut().poll_next(cx)));
            let event = match ready!(update.unwrap_or(Poll::Ready(None))) {
                Some(update) => Event::Update(update),
                None => self.pause(Event::LostConnection),
            };
            return Poll::Ready(Some(event));
        }
        if let Machine::Delay(delay) = &mut self.machine {
            ready!(delay.as_mut().poll(cx));
            self.machine = Machine::Check;
        }
        Poll::Ready(self.step())
    }

    /// The event that is due at once, and the state after it.
    fn step(&mut self) -> Option<Event<S, U, E, M>> {
        let (event, next) = match std::mem::replace(&mut self.machine, Machine::Closed) {
            Machine::Check => (
                Event::AttemptingNewConnection,
                Machine::Dispatching((self.attempt)()),
            ),
            Machine::Established(subscribed) => (
                Event::AttemptingNewConnection,
                Machine::Succeeded(subscribed),
            ),
            Machine::Succeeded(subscribed) => (
                Event::ConnectionSuccess(subscribed.metadata),
                Machine::Begun(subscribed.state, subscribed.updates),
            ),
            Machine::Begun(state, updates) => (Event::State(state), Machine::Streaming(updates)),
            // The others wait for something, so they are not due.
            Machine::Dispatching(_)
            | Machine::Streaming(_)
            | Machine::Delay(_)
            | Machine::Closed => return None,
        };
        self.machine = next;
        Some(event)
    }

    /// The delay starts when the event is handed out (rule D-MA-3).
    fn pause(&mut self, event: Event<S, U, E, M>) -> Event<S, U, E, M> {
        self.machine = Machine::Delay(Box::pin(sleep(self.delay)));
        event
    }
}

impl<S, U, E, M> Stream for Subscription<S, U, E, M> {
    type Item = Event<S, U, E, M>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_event(cx)
    }
}

// Nothing in it is pinned in place: what needs pinning is boxed.
impl<S, U, E, M> Unpin for Subscription<S, U, E, M> {}

impl<S, U, E, M> fmt::Debug for Subscription<S, U, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.machine {
            Machine::Check => "about to attempt",
            Machine::Dispatching(_) => "attempting",
            Machine::Established(_)
            | Machine::Succeeded(_)
            | Machine::Begun(..)
            | Machine::Streaming(_) => "subscribed",
            Machine::Delay(_) => "waiting before the next attempt",
            Machine::Closed => "closed",
        };
        f.debug_struct("Subscription")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
