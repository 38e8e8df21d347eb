//! The task that folds a subscription's updates into the state.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::watch;

use super::{Applied, Current};
use crate::durable::panic_text;
use crate::event::Event;
use crate::monitor::{Interruption, Status};
use crate::subscription::Subscription;

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
        while let Some(event) = self.subscription.next().await {
            match event {
                Event::AttemptingNewConnection | Event::ConnectionSuccess(_) => {}
                Event::State(state) => self.begin(state),
                Event::Update(update) => self.take_in(update),
                Event::LostConnection | Event::FailedToConnect(_) | Event::RpcError(_) => {
                    self.stop();
                }
            }
        }
    }

    fn begin(&mut self, state: S) {
        let now = self.subscription.monitor().clock().now();
        let mut before = None;
        self.current
            .send_modify(|current| before = current.begin(state, now));
        drop(before);
    }

    /// The state is changed under the watch's lock: whoever looks sees all of an update, or
    /// nothing of it.
    fn take_in(&mut self, update: U) {
        let apply = &mut self.apply;
        let clock = self.subscription.monitor().clock().clone();
        let mut refused = None;
        self.current.send_modify(|current| {
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
                    current.stop(clock.now(), why.clone());
                    refused = Some(why);
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
