//! The task that folds a subscription's updates into the state.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use futures_core::Stream;
use tokio::sync::watch;
use tokio::task::coop::consume_budget;

use super::{Applied, Current};
use crate::durable::panic_text;
use crate::event::Event;
use crate::monitor::{Interruption, Status};
use crate::subscription::Subscription;

/// As many updates are taken in at once, at most: nobody can look at the state meanwhile.
const BATCH: usize = 256;

/// As many batches are taken in before others have their turns, at most: more than a connection reads
/// before others have theirs, or what it has read would pile up.
const BATCHES: usize = 16;

pub(super) struct Folding<S, U, E, M> {
    subscription: Subscription<S, U, E, M>,
    current: watch::Sender<Current<S>>,
    apply_all: ApplyAll<S, U>,
}

/// Folds these updates in, until one does not fit, and counts those that do. One call for many, so
/// that the user's function can be part of the loop.
pub(super) type ApplyAll<S, U> =
    Box<dyn FnMut(&mut S, &mut VecDeque<U>, &mut u64) -> Applied + Send>;

/// What the function panicked with.
#[derive(Debug, thiserror::Error)]
#[error("applying an update panicked: {0}")]
struct ApplyPanicked(String);

impl<S, U, E, M> Folding<S, U, E, M> {
    pub(super) const fn new(
        subscription: Subscription<S, U, E, M>,
        current: watch::Sender<Current<S>>,
        apply_all: ApplyAll<S, U>,
    ) -> Self {
        Self {
            subscription,
            current,
            apply_all,
        }
    }

    /// Until the subscription gives up.
    pub(super) async fn run(mut self) {
        let mut updates = VecDeque::new();
        let mut batches = 0;
        while let Some(event) = self.subscription.next().await {
            let event = self.collect(event, &mut updates).await;
            let may_be_more = updates.len() == BATCH;
            if !updates.is_empty() {
                self.take_in(&mut updates);
            }
            match event {
                Some(Event::State(state)) => self.begin(state),
                Some(Event::LostConnection | Event::FailedToConnect(_) | Event::RpcError(_)) => {
                    self.stop();
                }
                Some(Event::AttemptingNewConnection | Event::ConnectionSuccess(_)) | None => {}
                Some(Event::Update(_)) => unreachable!("updates have been collected"),
            }
            // A source that always has more would keep this task from being ended, and others from
            // their turns.
            batches = if may_be_more { batches + 1 } else { 0 };
            if batches == BATCHES {
                batches = 0;
                wait_a_turn().await;
            } else {
                consume_budget().await;
            }
        }
    }

    /// The updates from this event on that are there already, and the event behind them, if that is
    /// there, too. They are taken in at once: whoever waits is woken once for them.
    async fn collect(
        &mut self,
        first: Event<S, U, E, M>,
        updates: &mut VecDeque<U>,
    ) -> Option<Event<S, U, E, M>> {
        let mut event = first;
        loop {
            let Event::Update(update) = event else {
                return Some(event);
            };
            updates.push_back(update);
            self.subscription.take_ready(updates, BATCH);
            if updates.len() == BATCH {
                return None;
            }
            event = self.ready().await?;
        }
    }

    /// The next event, if it is there.
    async fn ready(&mut self) -> Option<Event<S, U, E, M>> {
        std::future::poll_fn(|cx| {
            let next = Pin::new(&mut self.subscription).poll_next(cx);
            Poll::Ready(match next {
                Poll::Ready(event) => event,
                Poll::Pending => None,
            })
        })
        .await
    }

    fn begin(&mut self, state: S) {
        let now = self.subscription.monitor().clock().now();
        let mut before = None;
        self.current
            .send_modify(|current| before = current.begin(state, now));
        drop(before);
    }

    /// The state is changed under the watch's lock: whoever looks sees all of an update, or
    /// nothing of it. Nothing is taken in after one that does not fit.
    fn take_in(&mut self, updates: &mut VecDeque<U>) {
        let apply_all = &mut self.apply_all;
        let monitor = self.subscription.monitor();
        let mut refused = None;
        self.current.send_modify(|current| {
            let Some(state) = current.state_mut() else {
                return;
            };
            let mut fitting = 0;
            let applied =
                catch_unwind(AssertUnwindSafe(|| apply_all(state, updates, &mut fitting)));
            let applied = applied.unwrap_or_else(|panic| {
                let text = panic_text(&*panic).to_owned();
                Err(ApplyPanicked(text)).into()
            });
            current.count(fitting);
            if let Applied::Refused(error) = applied {
                let why = Interruption::Refused(error);
                current.stop(monitor.clock().now(), why.clone());
                // Before anybody can see the state, who may ask how often this has happened.
                monitor.refused();
                refused = Some(why);
            }
        });
        updates.clear();
        if let Some(why) = refused {
            self.subscription.resubscribe_because(why);
        }
    }

    /// What has happened is what the subscription says.
    fn stop(&mut self) {
        if let Status::Waiting { since, after, .. } | Status::GaveUp { since, after } =
            self.subscription.status()
        {
            self.current
                .send_modify(|current| current.stop(since, after));
        }
    }
}

/// Lets the tasks run that are waiting to, this one behind them. A connection's task, once it has read
/// enough, does the same; tokio's `yield_now` would have that go on reading, for up to 61 turns of all
/// tasks, before this one has its next.
async fn wait_a_turn() {
    let mut waited = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
