//! What has arrived of each stream at its client's end of the network, judged by the bytes: for
//! invariants that ask what a consumer could have had.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::fact::Fact;
use crate::names::{DurableName, LinkName, StreamName, SubscriptionName};
use crate::plan::Form;

/// A query, and the stream that answers it.
type Query = (LinkName, i64);

#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// The last query of each subscription over each connection.
    queries: BTreeMap<(SubscriptionName, LinkName), i64>,
    streams: BTreeMap<StreamName, Query>,
    arrived: BTreeMap<Query, Arrived>,
    aborted: BTreeSet<Query>,
    users: BTreeMap<SubscriptionName, DurableName>,
    /// Whose connections are held up by a reader: what has arrived may not have been looked at.
    held_up: BTreeSet<DurableName>,
}

#[derive(Debug)]
struct Arrived {
    updates: u64,
    /// When the last of them arrived, or the stream began.
    last: Duration,
    /// Between two of them.
    longest_gap: Duration,
}

impl Arrivals {
    pub(super) fn see(&mut self, at: Duration, fact: &Fact) {
        match fact {
            Fact::Subscribed(told) => {
                self.users.insert(told.subscription, told.plan.durable);
                if told.plan.form == Form::PushesBack {
                    self.held_up.insert(told.plan.durable);
                }
            }
            Fact::QuerySent(link, subscription, id) => {
                self.queries.insert((*subscription, *link), *id);
            }
            Fact::StreamOpened(stream, subscription, link) => {
                if let Some(id) = self.queries.get(&(*subscription, *link)) {
                    let begun = Arrived {
                        updates: 0,
                        last: at,
                        longest_gap: Duration::ZERO,
                    };
                    self.streams.insert(*stream, (*link, *id));
                    self.arrived.insert((*link, *id), begun);
                }
            }
            // What comes after it is not wanted.
            Fact::AbortSent(link, id) => {
                self.aborted.insert((*link, *id));
            }
            Fact::UpdateArrived(link, id) if !self.aborted.contains(&(*link, *id)) => {
                if let Some(arrived) = self.arrived.get_mut(&(*link, *id)) {
                    arrived.updates += 1;
                    arrived.longest_gap = arrived.longest_gap.max(at - arrived.last);
                    arrived.last = at;
                }
            }
            _ => {}
        }
    }

    /// How many updates of the stream have arrived.
    pub(super) fn updates(&self, stream: StreamName) -> u64 {
        self.of(stream).map_or(0, |arrived| arrived.updates)
    }

    /// For how long nothing of the stream has arrived, at one time or another until now.
    pub(super) fn longest_gap(&self, stream: StreamName, at: Duration) -> Duration {
        let gap = |arrived: &Arrived| arrived.longest_gap.max(at - arrived.last);
        self.of(stream).map_or(Duration::MAX, gap)
    }

    /// Whether the subscription's connection may not have looked at what has arrived.
    pub(super) fn is_held_up(&self, subscription: SubscriptionName) -> bool {
        let durable = self.users.get(&subscription);
        durable.is_some_and(|durable| self.held_up.contains(durable))
    }

    fn of(&self, stream: StreamName) -> Option<&Arrived> {
        self.arrived.get(self.streams.get(&stream)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, subscribed};
    use super::*;

    const LINK: LinkName = LinkName(0);

    fn arrivals(facts: &[(u64, Fact)]) -> Arrivals {
        let mut arrivals = Arrivals::default();
        let begin = [
            (0, Fact::QuerySent(LINK, SUBSCRIPTION, 3)),
            (1, Fact::StreamOpened(StreamName(1), SUBSCRIPTION, LINK)),
        ];
        for (second, fact) in begin.iter().chain(facts) {
            arrivals.see(Duration::from_secs(*second), fact);
        }
        arrivals
    }

    #[test]
    fn updates_of_the_stream_are_counted_until_it_is_aborted() {
        let update = Fact::UpdateArrived(LINK, 3);
        let other = Fact::UpdateArrived(LINK, 4);
        let elsewhere = Fact::UpdateArrived(LinkName(1), 3);
        let abort = Fact::AbortSent(LINK, 3);
        let facts = [&update, &other, &elsewhere, &update, &abort, &update];
        let facts: Vec<_> = facts.into_iter().map(|fact| (2, fact.clone())).collect();
        let arrivals = arrivals(&facts);
        assert_eq!(arrivals.updates(StreamName(1)), 2);
        assert_eq!(arrivals.updates(StreamName(2)), 0);
    }

    #[test]
    fn gaps_are_between_updates_and_before_and_after_them() {
        let update = |second| (second, Fact::UpdateArrived(LINK, 3));
        let gap = |facts: &[_], second| {
            let at = Duration::from_secs(second);
            arrivals(facts).longest_gap(StreamName(1), at).as_secs()
        };
        assert_eq!(gap(&[], 5), 4);
        assert_eq!(gap(&[update(4), update(5)], 5), 3);
        assert_eq!(gap(&[update(2), update(9), update(10)], 11), 7);
        assert_eq!(gap(&[update(2)], 12), 10);
    }

    #[test]
    fn who_pushes_back_holds_up_its_connection() {
        let is_held_up = |form| arrivals(&[(2, subscribed(form))]).is_held_up(SUBSCRIPTION);
        assert!(is_held_up(Form::PushesBack));
        assert!(!is_held_up(Form::Waiting(1)));
    }
}
