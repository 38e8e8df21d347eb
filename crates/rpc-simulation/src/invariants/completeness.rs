//! All updates that arrived before the end are delivered before *Lost*.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use super::arrivals::Arrivals;
use crate::fact::{Fact, Folded, Seen};
use crate::names::{StreamName, SubscriptionName};
use crate::plan::Form;

/// Rule D-EV-2, judged by the bytes that arrived at the client's end of the network. What arrived
/// is part of a followed state before that is stale.
#[derive(Debug, Default)]
pub(super) struct Completeness {
    arrivals: Arrivals,
    /// After so many updates comes what is none.
    garbled: BTreeMap<StreamName, u64>,
    readers: BTreeMap<SubscriptionName, Reader>,
}

/// Who reads the present stream, and what has been read of it.
#[derive(Debug)]
struct Reader {
    form: Form,
    /// Of a stream without a state and without an update nobody knows which it is.
    stream: Option<StreamName>,
    delivered: u64,
    /// Whether the consumer did not want the rest.
    dropped: bool,
    /// The stream that a followed state is stale of, and how many updates of it are part of it.
    stale: Option<(StreamName, u64)>,
}

impl Completeness {
    fn lost(&self, subscription: SubscriptionName) -> Result<(), String> {
        let Some(reader) = self.readers.get(&subscription) else {
            return Ok(());
        };
        let Some(stream) = reader.stream else {
            return Ok(());
        };
        let (delivered, due) = (reader.delivered, self.due(stream));
        // Who is too slow misses more than its bound, or nothing.
        let overflowed =
            matches!(reader.form, Form::Dropping(bound) if due > delivered + bound as u64);
        let may_miss = reader.dropped || overflowed || self.arrivals.is_held_up(subscription);
        if delivered > due || (delivered < due && !may_miss) {
            return Err(format!(
                "{subscription} lost {stream} after {delivered} updates, when {due} had arrived"
            ));
        }
        Ok(())
    }

    /// What arrives after the state is stale is not wanted, whether or not the abort can be written.
    fn follow(
        &mut self,
        subscription: SubscriptionName,
        fresh: bool,
        folded: Folded,
    ) -> Result<(), String> {
        let stale = (!fresh).then_some((folded.stream, folded.updates));
        let due = self.due(folded.stream);
        let may_miss = fresh || self.arrivals.is_held_up(subscription);
        let reader = self.readers.get_mut(&subscription);
        let before = reader.and_then(|reader| std::mem::replace(&mut reader.stale, stale));
        if stale.is_some() && before == stale {
            return Ok(());
        }
        if folded.updates > due || (folded.updates < due && !may_miss) {
            return Err(format!(
                "{subscription} is {folded:?}, when {due} updates had arrived"
            ));
        }
        Ok(())
    }

    /// How many updates of the stream have arrived.
    fn due(&self, stream: StreamName) -> u64 {
        let arrived = self.arrivals.updates(stream);
        let garbled = self.garbled.get(&stream).copied();
        garbled.map_or(arrived, |after| after.min(arrived))
    }

    fn saw(&mut self, subscription: SubscriptionName, seen: &Seen) -> Result<(), String> {
        let Some(reader) = self.readers.get_mut(&subscription) else {
            return Ok(());
        };
        match seen {
            Seen::Success(_) => {
                (reader.stream, reader.delivered, reader.dropped) = (None, 0, false);
            }
            Seen::State { stream, .. } => reader.stream = Some(*stream),
            Seen::Update {
                stream,
                indices: (first, last),
                ..
            } => {
                reader.stream = Some(*stream);
                reader.delivered += (last - first).unsigned_abs() + 1;
            }
            Seen::Current {
                fresh,
                folded: Some(folded),
            } => return self.follow(subscription, *fresh, *folded),
            Seen::Lost => return self.lost(subscription),
            Seen::Current { folded: None, .. }
            | Seen::Attempting
            | Seen::Failed(_)
            | Seen::RpcError(_) => {}
        }
        Ok(())
    }
}

impl Invariant for Completeness {
    fn name(&self) -> &'static str {
        "completeness"
    }

    fn see(&mut self, at: Duration, fact: &Fact) -> Result<(), String> {
        self.arrivals.see(at, fact);
        match fact {
            Fact::Garbled(stream, after) => {
                let after = u64::try_from(*after).unwrap_or_default();
                self.garbled.entry(*stream).or_insert(after);
            }
            Fact::Subscribed(told) => {
                let reader = Reader {
                    form: told.plan.form,
                    stream: None,
                    delivered: 0,
                    dropped: false,
                    stale: None,
                };
                self.readers.insert(told.subscription, reader);
            }
            Fact::Resubscribes(subscription) => {
                if let Some(reader) = self.readers.get_mut(subscription) {
                    reader.dropped = true;
                }
            }
            Fact::Saw(subscription, seen) => return self.saw(*subscription, seen),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, check, saw, state, subscribed, update};
    use super::*;
    use crate::names::LinkName;

    /// Stream 1 is opened, and two updates of it arrive.
    fn lost_after(events: &[Fact], last_is_right: bool) {
        lost_in(Form::State, events, last_is_right);
    }

    fn lost_in(form: Form, events: &[Fact], last_is_right: bool) {
        let (link, arrived) = (LinkName(0), Fact::UpdateArrived(LinkName(0), 3));
        let before = [
            subscribed(form),
            Fact::QuerySent(link, SUBSCRIPTION, 3),
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
        lost_in(Form::Dropping(1), &[], true);
        lost_in(Form::Dropping(1), &[update(1, 0, 6)], false);
        lost_in(Form::Dropping(2), &[], false);
        lost_in(Form::Merging(1), &[update(1, 0, 6)], false);
        lost_in(Form::PushesBack, &[update(1, 0, 6)], true);
        let resubscribes = Fact::Resubscribes(SUBSCRIPTION);
        lost_in(Form::State, &[update(1, 0, 6), resubscribes], true);
    }

    #[test]
    fn what_arrived_has_to_be_folded_in_before_the_state_is_stale() {
        let link = LinkName(0);
        let is = |fresh, updates, last_is_right| {
            let folded = Some(Folded {
                stream: StreamName(1),
                number: 5,
                updates,
            });
            let facts = [
                subscribed(Form::Followed),
                Fact::QuerySent(link, SUBSCRIPTION, 3),
                Fact::StreamOpened(StreamName(1), SUBSCRIPTION, link),
                Fact::UpdateArrived(link, 3),
                Fact::UpdateArrived(link, 3),
                saw(Seen::Current { fresh, folded }),
            ];
            check(Completeness::default(), &facts, last_is_right);
        };
        is(true, 1, true);
        is(true, 2, true);
        is(true, 3, false);
        is(false, 1, false);
        is(false, 2, true);
        is(false, 3, false);
    }

    #[test]
    fn what_arrives_when_the_state_is_stale_is_not_wanted() {
        let link = LinkName(0);
        let arrived = Fact::UpdateArrived(link, 3);
        let is = |fresh, updates| {
            let folded = Some(Folded {
                stream: StreamName(1),
                number: 5,
                updates,
            });
            saw(Seen::Current { fresh, folded })
        };
        let rows = [
            (vec![is(false, 1), arrived.clone(), is(false, 1)], true),
            (
                vec![is(false, 1), is(true, 1), arrived.clone(), is(false, 1)],
                false,
            ),
            (
                vec![is(false, 1), arrived.clone(), arrived, is(false, 2)],
                false,
            ),
        ];
        for (facts, last_is_right) in rows {
            let before = [
                subscribed(Form::Followed),
                Fact::QuerySent(link, SUBSCRIPTION, 3),
                Fact::StreamOpened(StreamName(1), SUBSCRIPTION, link),
                Fact::UpdateArrived(link, 3),
            ];
            let facts = [&before[..], &facts].concat();
            check(Completeness::default(), &facts, last_is_right);
        }
    }

    #[test]
    fn what_is_no_update_ends_the_stream() {
        let garbled = Fact::Garbled(StreamName(1), 1);
        lost_after(&[garbled.clone(), update(1, 0, 6)], true);
        lost_after(&[garbled], false);
    }
}
