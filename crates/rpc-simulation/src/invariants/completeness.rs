//! All updates that arrived before the end are delivered before *Lost*.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Seen};
use crate::names::{DurableName, LinkName, StreamName, SubscriptionName};
use crate::plan::Form;

/// Rule D-EV-2, judged by the bytes that arrived at the client's end of the network.
#[derive(Debug, Default)]
pub(super) struct Completeness {
    links: BTreeMap<StreamName, LinkName>,
    /// After so many updates comes what is none.
    garbled: BTreeMap<StreamName, u64>,
    arrived: BTreeMap<(LinkName, i64), u64>,
    aborted: BTreeSet<(LinkName, i64)>,
    rounds: BTreeMap<SubscriptionName, Round>,
    /// Whose updates may be dropped.
    dropping: BTreeSet<SubscriptionName>,
    users: BTreeMap<SubscriptionName, DurableName>,
    /// Connections that are held up by a reader: what has arrived may not have been looked at.
    held_up: BTreeSet<DurableName>,
}

#[derive(Debug)]
struct Round {
    query: i64,
    stream: Option<StreamName>,
    delivered: u64,
    /// Whether the consumer did not want the rest.
    dropped: bool,
}

impl Completeness {
    fn lost(&self, subscription: SubscriptionName) -> Result<(), String> {
        let Some(round) = self.rounds.get(&subscription) else {
            return Ok(());
        };
        // Of a stream without a state and without an update nobody knows where it came from.
        let Some(stream) = round.stream else {
            return Ok(());
        };
        let Some(link) = self.links.get(&stream) else {
            return Ok(());
        };
        let arrived = self.arrived.get(&(*link, round.query)).copied();
        let arrived = arrived.unwrap_or_default();
        let garbled = self.garbled.get(&stream).copied();
        let due = garbled.map_or(arrived, |after| after.min(arrived));
        let durable = self.users.get(&subscription);
        let may_miss = round.dropped
            || self.dropping.contains(&subscription)
            || durable.is_some_and(|durable| self.held_up.contains(durable));
        if round.delivered > due || (round.delivered < due && !may_miss) {
            return Err(format!(
                "{subscription} lost {stream} after {} updates, when {due} had arrived",
                round.delivered
            ));
        }
        Ok(())
    }
}

impl Invariant for Completeness {
    fn name(&self) -> &'static str {
        "completeness"
    }

    fn see(&mut self, _: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::StreamOpened(stream, _, link) => {
                self.links.insert(*stream, *link);
            }
            Fact::Garbled(stream, after) => {
                let after = u64::try_from(*after).unwrap_or_default();
                self.garbled.entry(*stream).or_insert(after);
            }
            // What comes after it is not wanted.
            Fact::AbortSent(link, id) => {
                self.aborted.insert((*link, *id));
            }
            Fact::UpdateArrived(link, id) if !self.aborted.contains(&(*link, *id)) => {
                *self.arrived.entry((*link, *id)).or_default() += 1;
            }
            Fact::Saw(subscription, Seen::Success(query)) => {
                let round = Round {
                    query: *query,
                    stream: None,
                    delivered: 0,
                    dropped: false,
                };
                self.rounds.insert(*subscription, round);
            }
            Fact::Saw(subscription, Seen::State { stream, .. }) => {
                if let Some(round) = self.rounds.get_mut(subscription) {
                    round.stream = Some(*stream);
                }
            }
            Fact::Saw(
                subscription,
                Seen::Update {
                    stream,
                    indices: (first, last),
                    ..
                },
            ) => {
                if let Some(round) = self.rounds.get_mut(subscription) {
                    round.stream = Some(*stream);
                    round.delivered += (last - first).unsigned_abs() + 1;
                }
            }
            Fact::Subscribed(told) => {
                self.users.insert(told.subscription, told.plan.durable);
                match told.plan.form {
                    Form::Dropping(_) => {
                        self.dropping.insert(told.subscription);
                    }
                    Form::PushesBack => {
                        self.held_up.insert(told.plan.durable);
                    }
                    _ => {}
                }
            }
            Fact::Resubscribes(subscription) => {
                if let Some(round) = self.rounds.get_mut(subscription) {
                    round.dropped = true;
                }
            }
            Fact::Saw(subscription, Seen::Lost) => return self.lost(*subscription),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, check, saw, state, subscribed, update};
    use super::*;

    /// Stream 1 is opened, and two updates of it arrive.
    fn lost_after(events: &[Fact], last_is_right: bool) {
        lost_in(Form::State, events, last_is_right);
    }

    fn lost_in(form: Form, events: &[Fact], last_is_right: bool) {
        let (link, arrived) = (LinkName(0), Fact::UpdateArrived(LinkName(0), 3));
        let before = [
            subscribed(form),
            Fact::StreamOpened(StreamName(1), SUBSCRIPTION, link),
            saw(Seen::Success(3)),
            state(1, 5),
            arrived.clone(),
            arrived,
        ];
        let facts = [&before, events, &[saw(Seen::Lost)]].concat();
        check(Completeness::default(), &facts, last_is_right);
    }

    #[test]
    fn what_arrived_has_to_be_delivered() {
        lost_after(&[update(1, 0, 6), update(1, 1, 7)], true);
        lost_after(&[update(1, 0, 6)], false);
        lost_after(&[], false);
        let three = [update(1, 0, 6), update(1, 1, 7), update(1, 2, 8)];
        lost_after(&three, false);
    }

    #[test]
    fn what_comes_after_the_abort_is_not_wanted() {
        let abort = Fact::AbortSent(LinkName(0), 3);
        let late = Fact::UpdateArrived(LinkName(0), 3);
        let two = [update(1, 0, 6), update(1, 1, 7)];
        lost_after(&[&two[..], &[abort.clone(), late.clone()]].concat(), true);
        lost_after(&[&two[..], &[late, abort]].concat(), false);
    }

    #[test]
    fn who_wants_to_may_miss_some() {
        lost_in(Form::Dropping(1), &[update(1, 0, 6)], true);
        lost_in(Form::Merging(1), &[update(1, 0, 6)], false);
        lost_in(Form::PushesBack, &[update(1, 0, 6)], true);
        let resubscribes = Fact::Resubscribes(SUBSCRIPTION);
        lost_in(Form::State, &[update(1, 0, 6), resubscribes], true);
    }

    #[test]
    fn what_is_no_update_ends_the_stream() {
        let garbled = Fact::Garbled(StreamName(1), 1);
        lost_after(&[garbled.clone(), update(1, 0, 6)], true);
        lost_after(&[garbled], false);
    }
}
