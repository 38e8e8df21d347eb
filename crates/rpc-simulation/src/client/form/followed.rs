//! A followed state, whose changes are told as events.

use std::fmt;

use durable_rpc::Followed;
use thiserror::Error;

use super::{BoxFuture, Events, StateSubscription};
use crate::fact::{Fact, Folded, Seen};
use crate::names::{StreamName, SubscriptionName};
use crate::wire_types::{Snapshot, Update};
use crate::world::World;

pub(super) struct Following {
    followed: Followed<Snapshot>,
}

/// An update that is not the next one of its stream.
#[derive(Debug, Error)]
#[error("{0}")]
struct Misfit(String);

impl Following {
    pub(super) fn new(
        subscription: StateSubscription,
        name: SubscriptionName,
        world: &World,
    ) -> Self {
        let world = world.clone();
        let mut next_index = 0;
        let mut before = None;
        let followed = subscription.follow(move |state: &mut Snapshot, update: Update| {
            // A new state begins at the first update.
            if before != Some(state.stream) {
                before = Some(state.stream);
                next_index = 0;
            }
            let due = (state.stream, next_index, state.number + 1);
            if !update.is_intact() || (update.stream, update.index, update.number) != due {
                let text = format!("{update:?} in place of {due:?}");
                world.tell(Fact::Misfit(name, text.clone()));
                return Err(Misfit(text));
            }
            next_index += 1;
            state.number += 1;
            Ok(())
        });
        Self { followed }
    }
}

impl Events for Following {
    fn next(&mut self) -> BoxFuture<'_, Option<Seen>> {
        Box::pin(async {
            self.followed.changed().await.ok()?;
            let current = self.followed.borrow();
            let folded = current.state().map(|state| Folded {
                stream: StreamName(state.stream),
                number: state.number,
                updates: current.updates(),
            });
            Some(Seen::Current {
                fresh: current.is_fresh(),
                folded,
            })
        })
    }

    fn close(&mut self) -> bool {
        false
    }

    fn resubscribe(&mut self) -> bool {
        false
    }
}

impl fmt::Debug for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.followed.fmt(f)
    }
}
