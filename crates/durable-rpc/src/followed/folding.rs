//! The task that folds a subscription's updates into the state.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use futures_core::Stream;
use tokio::sync::watch;
use tokio::task::coop;

use super::{Applied, Current};
use crate::durable::panic_text;
use crate::event::Event;
use crate::monitor::{Interruption, Status};
use crate::subscription::Subscription;

/// As many updates are taken in at once, at most: nobody can look at the state meanwhile.
const BATCH: usize = 256;

pub(super) struct Folding<S, U, E, M> {
    subscription: Subscription<S, U, E, M>,
    current: watch::Sender<Current<S>>,
    apply: Box<dyn FnMut(&mut S, U) -> Applied + Send>,
}

/// What `apply` panicked with.
#[derive(Debug, thiserror::Error)]
#[error("applying an update panicked: {0}")]
struct ApplyPanicked(String);

impl<S, U, E, M> Folding<S, U, E, M> {
    pub(super) const fn new(
        subscription: Subscription<S, U, E, M>,
        current: watch::Sender<Current<S>>,
        apply: Box<dyn FnMut(&mut S, U) -> Applied + Send>,
    ) -> Self {
        Self {
            subscription,
            current,
            apply,
        }
    }

    /// Until the subscription gives up.
    pub(super) async fn run(mut self) {
        let mut updates = Vec::new();
        while let Some(event) = self.subscription.next().await {
            // A source that always has more would keep this task from being ended, and others from
            // their turns.
            coop::consume_budget().await;
            let mut event = Some(event);
            // What is there already is taken in at once: whoever waits is woken once for it.
            while let Some(Event::Update(update)) = event {
                updates.push(update);
                event = None;
                if updates.len() < BATCH {
                    event = self.ready().await;
                }
            }
            if !updates.is_empty() {
                self.take_in(&mut updates);
            }
            match event {
                Some(Event::State(state)) => self.begin(state),
                Some(Event::LostConnection | Event::FailedToConnect(_) | Event::RpcError(_)) => {
                    self.stop();
                }
                Some(Event::AttemptingNewConnection | Event::ConnectionSuccess(_)) | None => {}
                Some(Event::Update(_)) => unreachable!("updates have been taken in"),
            }
        }
    }

    /// The next event, if it is there and the task's turn is not over.
    async fn ready(&mut self) -> Option<Event<S, U, E, M>> {
        std::future::poll_fn(|cx| {
            let Poll::Ready(turn) = coop::poll_proceed(cx) else {
                return Poll::Ready(None);
            };
            turn.made_progress();
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
    fn take_in(&mut self, updates: &mut Vec<U>) {
        let apply = &mut self.apply;
        let monitor = self.subscription.monitor();
        let mut refused = None;
        self.current.send_modify(|current| {
            for update in updates.drain(..) {
                let Some(state) = current.state_mut() else {
                    return;
                };
                let applied = catch_unwind(AssertUnwindSafe(|| apply(state, update)));
                let applied = applied.unwrap_or_else(|panic| {
                    let text = panic_text(&*panic).to_owned();
                    Err(ApplyPanicked(text)).into()
                });
                match applied {
                    Applied::Fits => current.count(),
                    Applied::Refused(error) => {
                        let why = Interruption::Refused(error);
                        current.stop(monitor.clock().now(), why.clone());
                        // Before anybody can see the state, who may ask how often this has happened.
                        monitor.refused();
                        refused = Some(why);
                        return;
                    }
                }
            }
        });
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
