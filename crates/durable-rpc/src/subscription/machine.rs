//! The state machine of a subscription.
//!
//! ```text
//!       ┌─► CHECK: emit Attempting
//!       │     ▼
//!       │  DISPATCHING (use of the durable value, then the dispatch)
//!       │     │ error            │ user error         │ ok
//!       │     │ emit Failed      │ emit Rpc_error     │ emit Success, State
//!       │     ▼                  ▼                    ▼
//!       │   DELAY ◄──────────────┘              STREAMING
//!       │     ▲                                       │ stream ended, all delivered; or it was
//!       │     └──────────── emit Lost ────────────────┘ silent for too long, or is not wanted
//!       └── after the delay
//! ```
//!
//! Each event is made where its state is entered or left, and nowhere else: that is why the
//! grammar of the events holds.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, ready};

use tokio::time::Instant;

use super::Subscribed;
use super::dispatching::{Attempt, Dispatching};
use super::silence::Silence;
use super::source::Updates;
use crate::clock::{AnyClock, Timer};
use crate::config::Config;
use crate::durable::panic_text;
use crate::event::{AttemptError, Event};
use crate::monitor::{Interruption, Monitor};
use crate::retry::Trouble;

pub(super) struct Machine<S, U, E, M> {
    dispatching: Dispatching<S, U, E, M>,
    config: Config,
    trouble: Trouble,
    monitor: Monitor,
    state: State<S, U, E, M>,
    /// On its way to the consumer; empty between two events. Were it made where it is returned, an
    /// update would take what another event has behind it along from the stack, out of words that
    /// have just been written by halves: the processor waits for that.
    event: Option<Event<S, U, E, M>>,
}

enum State<S, U, E, M> {
    Check,
    Dispatching(Attempt<S, U, E, M>),
    /// An attempt that was made ahead of time has succeeded; nothing of it has been emitted.
    Established(Begun<S, U, M>),
    /// Attempting has been emitted, success comes next.
    Succeeded(Begun<S, U, M>),
    /// Success has been emitted, the state comes next.
    Opening(S, Streaming<U>),
    Streaming(Streaming<U>),
    Delay(Timer),
    Closed,
}

struct Begun<S, U, M> {
    state: S,
    metadata: M,
    streaming: Streaming<U>,
}

struct Streaming<U> {
    /// Taken from the source, in batches.
    ready: VecDeque<U>,
    source: Source<U>,
    silence: Option<Silence>,
    /// When the callee had agreed to it.
    subscribed: Instant,
}

enum Source<U> {
    Open(Updates<U>),
    /// It has ended, or this side does not want it any more.
    GivenUp(Interruption),
}

impl<S, U, E, M> Machine<S, U, E, M> {
    pub(super) fn new(dispatching: Dispatching<S, U, E, M>, config: Config) -> Self {
        let name = config.name.clone();
        let name = name.unwrap_or_else(|| "subscription".into());
        Self {
            dispatching,
            trouble: Trouble::new(config.retry.clone()),
            monitor: Monitor::new(name, config.clock.clone()),
            config,
            state: State::Check,
            event: None,
        }
    }

    pub(super) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Makes the first attempt ahead of time.
    pub(super) async fn establish(&mut self) -> Result<Result<(), E>, AttemptError> {
        let mut attempt = self.begin();
        let outcome = std::future::poll_fn(|cx| attempt.poll(self.monitor.span(), cx)).await;
        match &outcome {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => self.fail_once(Interruption::RpcError),
            Err(error) => self.fail_once(Interruption::FailedToConnect(error.clone())),
        }
        Ok(outcome?.map(|subscribed| {
            self.state = State::Established(self.begun(subscribed));
        }))
    }

    /// Nothing comes after a first attempt that had to succeed.
    fn fail_once(&mut self, why: Interruption) {
        self.state = State::Closed;
        self.monitor.interrupted(self.clock().now(), None, why);
    }

    /// The common case is meant to be inlined where events are taken: an update comes many millions
    /// of times a second, and everything else once in a while.
    #[inline(always)]
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event<S, U, E, M>>> {
        if let State::Streaming(streaming) = &mut self.state
            && let Some(update) = ready!(streaming.poll_next(&self.monitor, cx))
        {
            self.monitor.updates(1);
            self.event = Some(Event::Update(update));
        } else {
            ready!(self.poll_status_event(cx));
        }
        Poll::Ready(self.event.take())
    }

    /// Moves updates that have been taken from the stream already to `updates`, at most until there
    /// are so many of them: whoever wants many is spared an event for each.
    pub(super) fn take_ready(&mut self, updates: &mut VecDeque<U>, most: usize) {
        if let State::Streaming(streaming) = &mut self.state {
            let room = most.saturating_sub(updates.len());
            let count = streaming.ready.len().min(room);
            updates.extend(streaming.ready.drain(..count));
            self.monitor.updates(count as u64);
        }
    }

    #[inline(never)]
    fn poll_status_event(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.event = ready!(self.poll_status(cx));
        Poll::Ready(())
    }

    fn poll_status(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event<S, U, E, M>>> {
        match &mut self.state {
            State::Streaming(streaming) => {
                let (subscribed, why) = (streaming.subscribed, streaming.why_ended());
                self.pause(Some(subscribed), why);
                Poll::Ready(Some(Event::LostConnection))
            }
            State::Dispatching(_) => ready!(self.poll_dispatching(cx)).map_or_else(
                || Poll::Ready(self.step()),
                |failed| Poll::Ready(Some(failed)),
            ),
            State::Delay(delay) => {
                ready!(delay.as_mut().poll(cx));
                self.state = State::Check;
                Poll::Ready(self.step())
            }
            State::Check
            | State::Established(_)
            | State::Succeeded(_)
            | State::Opening(..)
            | State::Closed => Poll::Ready(self.step()),
        }
    }

    /// The event of a failure, or nothing and the state that follows success.
    fn poll_dispatching(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event<S, U, E, M>>> {
        let State::Dispatching(attempt) = &mut self.state else {
            return Poll::Ready(None);
        };
        Poll::Ready(match ready!(attempt.poll(self.monitor.span(), cx)) {
            Ok(Ok(subscribed)) => {
                self.state = State::Succeeded(self.begun(subscribed));
                None
            }
            Ok(Err(error)) => {
                self.pause(None, Interruption::RpcError);
                Some(Event::RpcError(error))
            }
            Err(error) => {
                self.pause(None, Interruption::FailedToConnect(error.clone()));
                Some(Event::FailedToConnect(error))
            }
        })
    }

    /// The event that is due at once, and the state after it.
    fn step(&mut self) -> Option<Event<S, U, E, M>> {
        let (event, next) = match std::mem::replace(&mut self.state, State::Closed) {
            State::Check => {
                let attempt = self.begin();
                (Event::AttemptingNewConnection, State::Dispatching(attempt))
            }
            State::Established(begun) => (Event::AttemptingNewConnection, State::Succeeded(begun)),
            State::Succeeded(begun) => (
                Event::ConnectionSuccess(begun.metadata),
                State::Opening(begun.state, begun.streaming),
            ),
            State::Opening(state, streaming) => (Event::State(state), State::Streaming(streaming)),
            // The others wait for something, so they are not due.
            State::Dispatching(_) | State::Streaming(_) | State::Delay(_) | State::Closed => {
                return None;
            }
        };
        self.state = next;
        Some(event)
    }

    fn begin(&mut self) -> Attempt<S, U, E, M> {
        let now = self.clock().now();
        self.trouble.attempt(now);
        self.monitor.attempting(now);
        self.dispatching.begin()
    }

    fn begun(&self, subscribed: Subscribed<S, Updates<U>, M>) -> Begun<S, U, M> {
        let now = self.clock().now();
        self.monitor.subscribed(now);
        Begun {
            state: subscribed.state,
            metadata: subscribed.metadata,
            streaming: Streaming {
                ready: VecDeque::new(),
                source: Source::Open(subscribed.updates),
                silence: self.config.silence_limit.map(Silence::new),
                subscribed: now,
            },
        }
    }

    /// The delay starts when the event is handed out (rule D-MA-3).
    fn pause(&mut self, subscribed: Option<Instant>, why: Interruption) {
        let now = self.clock().now();
        let delay = self.trouble.delay(now, subscribed);
        let until = delay.map(|delay| self.clock().after(delay));
        self.monitor.interrupted(now, until, why);
        self.state = match until {
            Some(until) => State::Delay(self.clock().timer(until)),
            None => State::Closed,
        };
    }

    /// What begins a stream is handed out all the same.
    pub(super) fn resubscribe(&mut self, mut why: Interruption) {
        let streaming = match &mut self.state {
            State::Established(Begun { streaming, .. })
            | State::Succeeded(Begun { streaming, .. })
            | State::Opening(_, streaming)
            | State::Streaming(streaming) => streaming,
            State::Check | State::Dispatching(_) | State::Delay(_) | State::Closed => return,
        };
        if let Interruption::Overflowed { dropped_updates } = &mut why {
            // Those that would have come next as well.
            *dropped_updates += streaming.ready.len();
        }
        streaming.give_up(why);
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.monitor.closed();
    }

    fn clock(&self) -> &AnyClock {
        &self.config.clock
    }
}

impl<U> Streaming<U> {
    /// The next update; `None` when there will be none any more.
    #[inline]
    fn poll_next(&mut self, monitor: &Monitor, cx: &mut Context<'_>) -> Poll<Option<U>> {
        while self.ready.is_empty() {
            if !ready!(self.poll_more(monitor, cx)) {
                return Poll::Ready(None);
            }
        }
        if let Some(silence) = &mut self.silence {
            silence.heard();
        }
        Poll::Ready(self.ready.pop_front())
    }

    /// Whether there are more updates now, or will never be.
    #[inline(never)]
    fn poll_more(&mut self, monitor: &Monitor, cx: &mut Context<'_>) -> Poll<bool> {
        let (Source::Open(updates), ready) = (&mut self.source, &mut self.ready) else {
            return Poll::Ready(false);
        };
        // A source that panics has ended, behind what it gave before.
        let more = catch_unwind(AssertUnwindSafe(|| updates.poll_more(ready, cx)));
        let why_ended = match more {
            Ok(Poll::Ready(true)) => return Poll::Ready(true),
            Ok(Poll::Pending) => {
                let Some(silence) = &mut self.silence else {
                    return Poll::Pending;
                };
                ready!(silence.poll_too_long(monitor.clock(), cx));
                Interruption::Silent
            }
            Ok(Poll::Ready(false)) => Interruption::Lost,
            Err(panic) => {
                let error = panic_text(&*panic);
                tracing::error!(parent: monitor.span(), error, "stream of updates panicked");
                Interruption::Lost
            }
        };
        self.source.give_up(why_ended);
        Poll::Ready(false)
    }

    /// Nothing more is wanted of it, what it has given included.
    fn give_up(&mut self, why: Interruption) {
        self.ready.clear();
        self.source.give_up(why);
    }

    fn why_ended(&self) -> Interruption {
        match &self.source {
            Source::GivenUp(why) => why.clone(),
            Source::Open(_) => Interruption::Lost,
        }
    }
}

impl<U> Source<U> {
    /// The first reason counts.
    fn give_up(&mut self, why: Interruption) {
        if let Self::Open(_) = self {
            *self = Self::GivenUp(why);
        }
    }
}

impl<S, U, E, M> Drop for Machine<S, U, E, M> {
    fn drop(&mut self) {
        self.monitor.closed();
    }
}
