//! What waits for a slow consumer is bounded, where a bound was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Seen};
use crate::names::{DurableName, LinkName, StreamName, SubscriptionName};
use crate::plan::Form;

/// A pipe whose client pushes back holds a hundred updates, and no more of its connection is read
/// than the bytes of one read: rule R-SC-25. An update takes at least 24 bytes, in its frame.
const PUSHED_BACK: u64 = 100 + 64 * 1024 / 24;

/// Judged by what arrived at the client's end of the network.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    subscriptions: BTreeMap<SubscriptionName, Reader>,
    links: BTreeMap<StreamName, LinkName>,
    arrived: BTreeMap<(LinkName, i64), u64>,
    /// Connections that are held up by a reader: what has arrived is looked at later.
    held_up: BTreeSet<DurableName>,
}

#[derive(Debug)]
struct Reader {
    form: Form,
    durable: DurableName,
    /// The present stream, as far as it is known.
    query: Option<i64>,
    link: Option<LinkName>,
    delivered: u64,
    /// Updates taken at this time.
    moment: (Duration, u64),
    /// Updates that arrived at this time.
    arriving: (Duration, u64),
}

impl Reader {
    /// What a consumer takes at one moment was waiting, or came just then.
    fn take(&mut self, at: Duration) -> Result<(), String> {
        let Some(bound) = self.form.bound() else {
            return Ok(());
        };
        count(&mut self.moment, at);
        let just_then = if self.arriving.0 == at {
            self.arriving.1
        } else {
            0
        };
        let most = bound as u64 + just_then;
        // What waits in the stream itself has another bound, or none.
        if matches!(self.form, Form::Merging(_) | Form::Dropping(_)) && self.moment.1 > most {
            return Err(format!(
                "had {} updates waiting, {most} being allowed",
                self.moment.1
            ));
        }
        Ok(())
    }
}

impl Invariant for Backlog {
    fn name(&self) -> &'static str {
        "backlog"
    }

    fn see(&mut self, at: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Subscribed(told) => {
                if told.plan.form == Form::PushesBack {
                    self.held_up.insert(told.plan.durable);
                }
                let reader = Reader {
                    form: told.plan.form,
                    durable: told.plan.durable,
                    query: None,
                    link: None,
                    delivered: 0,
                    moment: (at, 0),
                    arriving: (at, 0),
                };
                self.subscriptions.insert(told.subscription, reader);
            }
            Fact::Closed(subscription) => {
                self.subscriptions.remove(subscription);
            }
            Fact::StreamOpened(stream, _, link) => {
                self.links.insert(*stream, *link);
            }
            Fact::UpdateArrived(link, id) => {
                let arrived = self.arrived.entry((*link, *id)).or_default();
                *arrived += 1;
                let arrived = *arrived;
                return self.arrive(at, *link, *id, arrived);
            }
            Fact::Saw(subscription, seen) => {
                let Some(reader) = self.subscriptions.get_mut(subscription) else {
                    return Ok(());
                };
                match seen {
                    Seen::Success(query) => {
                        (reader.query, reader.link) = (Some(*query), None);
                        reader.delivered = 0;
                    }
                    Seen::State { stream, .. } => reader.link = self.links.get(stream).copied(),
                    Seen::Update { .. } => {
                        reader.delivered += 1;
                        let taken = reader.take(at);
                        if self.held_up.contains(&reader.durable) {
                            return Ok(());
                        }
                        return taken.map_err(|text| format!("{subscription} {text}"));
                    }
                    Seen::Lost => reader.link = None,
                    Seen::Attempting
                    | Seen::Failed(_)
                    | Seen::RpcError(_)
                    | Seen::Current { .. } => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Backlog {
    fn arrive(
        &mut self,
        at: Duration,
        link: LinkName,
        id: i64,
        arrived: u64,
    ) -> Result<(), String> {
        for (subscription, reader) in &mut self.subscriptions {
            if (reader.link, reader.query) != (Some(link), Some(id)) {
                continue;
            }
            count(&mut reader.arriving, at);
            let waiting = arrived.saturating_sub(reader.delivered);
            if reader.form == Form::PushesBack && waiting > PUSHED_BACK {
                return Err(format!("{subscription} has {waiting} updates waiting"));
            }
        }
        Ok(())
    }
}

/// One more, at this time.
fn count((moment, number): &mut (Duration, u64), at: Duration) {
    if *moment != at {
        (*moment, *number) = (at, 0);
    }
    *number += 1;
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, check_timed, saw, state, subscribed, update};
    use super::*;

    /// A stream of this form begins; then these facts, all at one time.
    fn at_once(form: Form, events: impl Iterator<Item = Fact>, last_is_right: bool) {
        let begin = [
            subscribed(form),
            Fact::StreamOpened(StreamName(1), SUBSCRIPTION, LinkName(0)),
            saw(Seen::Success(1)),
            state(1, 5),
        ];
        let begin = begin.into_iter().map(|fact| (Duration::ZERO, fact));
        let events = events.map(|fact| (Duration::from_secs(1), fact));
        let facts: Vec<_> = begin.chain(events).collect();
        check_timed(Backlog::default(), &facts, last_is_right);
    }

    fn updates(count: i64) -> impl Iterator<Item = Fact> {
        (0..count).map(|index| update(1, index, 6 + index))
    }

    #[test]
    fn more_than_the_bound_is_noticed() {
        at_once(Form::Merging(3), updates(3), true);
        at_once(Form::Merging(3), updates(4), false);
        at_once(Form::Dropping(3), updates(4), false);
        at_once(Form::State, updates(400), true);
        // One of them came just then.
        let arrives = std::iter::once(Fact::UpdateArrived(LinkName(0), 1));
        at_once(Form::Merging(3), arrives.chain(updates(4)), true);
    }

    #[test]
    fn pushing_back_is_felt() {
        let arrive = |count| (0..count).map(|_| Fact::UpdateArrived(LinkName(0), 1));
        at_once(Form::PushesBack, arrive(PUSHED_BACK), true);
        at_once(Form::PushesBack, arrive(PUSHED_BACK + 1), false);
        at_once(Form::State, arrive(PUSHED_BACK + 1), true);
    }
}
