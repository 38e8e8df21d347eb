//! After closing there is no event and no traffic, and in the end nothing is left running.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Invariant;
use crate::fact::{Census, Fact, Moment};
use crate::names::{DurableName, LinkName, StreamName, SubscriptionName};
use crate::plan::{FLUSH_TIMEOUT, WRITE_TIMEOUT};

/// What was in the output buffer before closing may be written for so long.
const IN_BUFFER: Duration = WRITE_TIMEOUT.saturating_add(FLUSH_TIMEOUT);

/// How long an abort may take, if it can be written at all.
const UNTIL_ABORT: Duration = IN_BUFFER.saturating_mul(2);

/// Rules D-CL-1 to D-CL-3.
#[derive(Debug, Default)]
pub(super) struct Closing {
    closed: BTreeMap<SubscriptionName, Duration>,
    /// Streams that servers are serving.
    streams: BTreeMap<StreamName, SubscriptionName>,
    /// The connection that each durable value was given last, unless it has ended.
    connections: BTreeMap<DurableName, LinkName>,
    /// The last query of each subscription, unless its stream is over or has been aborted.
    queries: BTreeMap<SubscriptionName, (LinkName, i64)>,
    /// Since when the callee of a query is to be told to stop.
    owed: BTreeMap<(LinkName, i64), Duration>,
    /// The callee was not told before its answer was there. That is right only if the connection was
    /// ending; when the answer came.
    late: BTreeMap<(LinkName, i64), Duration>,
}

impl Closing {
    /// Nobody wants what comes of the subscription's query.
    fn owe(&mut self, subscription: SubscriptionName, at: Duration) {
        if let Some(query) = self.queries.remove(&subscription) {
            self.owed.insert(query, at);
        }
    }

    /// Nothing is in the way of an abort that is sent at once: what a client sends is little.
    fn answered(&mut self, query: (LinkName, i64), at: Duration) {
        if self.owed.get(&query).is_some_and(|since| *since < at) {
            self.owed.remove(&query);
            self.late.insert(query, at);
        }
    }

    /// Nothing can be sent any more.
    fn ended(&mut self, link: LinkName) {
        self.settle(|other, _| other == link);
        self.late.retain(|(other, _), _| *other != link);
    }

    fn overdue(&self, at: Duration) -> Result<(), String> {
        let overdue = |(query, since): (&(LinkName, i64), &Duration)| {
            (*since + UNTIL_ABORT < at).then_some(*query)
        };
        if let Some((link, id)) = self.owed.iter().find_map(overdue) {
            return Err(format!("the abort of {id} was not sent over {link}"));
        }
        if let Some((link, id)) = self.late.iter().find_map(overdue) {
            return Err(format!("{link} waited for the answer to {id}"));
        }
        Ok(())
    }

    fn settle(&mut self, is_settled: impl Fn(LinkName, i64) -> bool) {
        self.queries.retain(|_, (link, id)| !is_settled(*link, *id));
        self.owed.retain(|(link, id), _| !is_settled(*link, *id));
    }

    fn census(&self, census: &Census) -> Result<(), String> {
        match census.moment {
            Moment::Recovered => {
                let mut users = BTreeSet::new();
                for (stream, subscription) in &self.streams {
                    if self.closed.contains_key(subscription) || !users.insert(subscription) {
                        return Err(format!("{stream} was left behind by {subscription}"));
                    }
                }
            }
            Moment::SubscriptionsClosed => {
                if let Some((stream, subscription)) = self.streams.first_key_value() {
                    return Err(format!("{stream} was left behind by {subscription}"));
                }
                for (durable, link) in &self.connections {
                    if !census.links.contains(link) {
                        return Err(format!("{durable} was closed with its subscriptions"));
                    }
                }
            }
            Moment::AllClosed => {
                if let Some(link) = census.links.first() {
                    return Err(format!("{link} was left behind"));
                }
                if census.tasks > 0 {
                    return Err(format!("{} tasks were left behind", census.tasks));
                }
            }
        }
        Ok(())
    }
}

impl Invariant for Closing {
    fn name(&self) -> &'static str {
        "closing"
    }

    fn see(&mut self, at: Duration, fact: &Fact) -> Result<(), String> {
        self.overdue(at)?;
        match fact {
            Fact::Closed(subscription) | Fact::NotSubscribed(subscription, _) => {
                self.closed.insert(*subscription, at);
                self.owe(*subscription, at);
            }
            Fact::AbortSent(link, id) | Fact::StreamOver(link, id) => {
                self.settle(|other, number| (other, number) == (*link, *id));
            }
            Fact::StreamAgreed(link, id) => self.answered((*link, *id), at),
            Fact::LinkLeft(link) => self.ended(*link),
            Fact::Saw(subscription, seen) if self.closed.contains_key(subscription) => {
                return Err(format!("{subscription} {seen}, after it was closed"));
            }
            Fact::QuerySent(link, subscription, id) => {
                self.queries.insert(*subscription, (*link, *id));
                if let Some(closed) = self.closed.get(subscription) {
                    if at > *closed + IN_BUFFER {
                        return Err(format!("{subscription} sent a query after it was closed"));
                    }
                    self.owe(*subscription, at);
                }
            }
            Fact::StreamOpened(stream, subscription, _) => {
                self.streams.insert(*stream, *subscription);
            }
            Fact::StreamEnded(stream, _) | Fact::StreamDropped(stream) => {
                self.streams.remove(stream);
            }
            Fact::BuildEnded(durable, Ok(link)) | Fact::ConnectEnded(durable, Ok(link)) => {
                self.connections.insert(*durable, *link);
            }
            // If its client has ended it for another reason than subscriptions, too.
            Fact::LinkEnded(link) | Fact::LinkSilent(link) => {
                self.ended(*link);
                self.connections.retain(|_, present| present != link);
            }
            Fact::Census(census) => return self.census(census),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, check, check_timed, failed, saw};
    use super::*;
    use crate::fact::Seen;

    const LINK: LinkName = LinkName(0);

    fn census(moment: Moment, links: &[LinkName], tasks: usize) -> Fact {
        Fact::Census(Census {
            moment,
            published: Vec::new(),
            links: links.to_vec(),
            tasks,
        })
    }

    #[test]
    fn nothing_is_seen_after_closing() {
        let closed = Fact::Closed(SUBSCRIPTION);
        check(Closing::default(), &[failed(), closed.clone()], true);
        check(Closing::default(), &[closed, saw(Seen::Attempting)], false);
    }

    #[test]
    fn nothing_is_sent_after_closing() {
        let query = Fact::QuerySent(LINK, SUBSCRIPTION, 1);
        for (after, is_right) in [(IN_BUFFER, true), (IN_BUFFER * 2, false)] {
            let closed = (Duration::ZERO, Fact::Closed(SUBSCRIPTION));
            let facts = [closed, (after, query.clone())];
            check_timed(Closing::default(), &facts, is_right);
        }
    }

    #[test]
    fn who_closes_tells_the_callee() {
        let query = Fact::QuerySent(LINK, SUBSCRIPTION, 1);
        let closed = Fact::Closed(SUBSCRIPTION);
        let rows = [
            (None, false),
            (Some(Fact::AbortSent(LINK, 1)), true),
            (Some(Fact::AbortSent(LINK, 2)), false),
            (Some(Fact::StreamOver(LINK, 1)), true),
            (Some(Fact::LinkEnded(LINK)), true),
            (Some(Fact::LinkLeft(LINK)), true),
        ];
        for (fact, is_right) in rows {
            let facts = [Some(query.clone()), Some(closed.clone()), fact];
            let facts = facts.into_iter().flatten();
            let mut facts: Vec<_> = facts.map(|fact| (Duration::ZERO, fact)).collect();
            facts.push((UNTIL_ABORT + Duration::from_millis(1), Fact::Calm));
            check_timed(Closing::default(), &facts, is_right);
        }
    }

    /// Not only when it answers; unless the connection ends anyway.
    #[test]
    fn who_closes_does_not_wait_for_the_answer() {
        let (agreed, abort) = (Fact::StreamAgreed(LINK, 1), Fact::AbortSent(LINK, 1));
        let rows = [
            (vec![abort.clone(), agreed.clone()], true),
            (vec![agreed.clone(), abort.clone()], false),
            (vec![agreed, abort, Fact::LinkLeft(LINK)], true),
        ];
        for (facts, is_right) in rows {
            let begin = [
                Fact::QuerySent(LINK, SUBSCRIPTION, 1),
                Fact::Closed(SUBSCRIPTION),
            ];
            let begin = begin.into_iter().map(|fact| (Duration::ZERO, fact));
            let later = Duration::from_millis(1);
            let facts = facts.into_iter().map(|fact| (later, fact));
            let last = (UNTIL_ABORT + 2 * later, Fact::Calm);
            let facts: Vec<_> = begin.chain(facts).chain([last]).collect();
            check_timed(Closing::default(), &facts, is_right);
        }
    }

    #[test]
    fn streams_do_not_outlive_their_subscriptions() {
        let opened = |stream| Fact::StreamOpened(StreamName(stream), SUBSCRIPTION, LINK);
        let dropped = Fact::StreamDropped(StreamName(1));
        let closed = Fact::Closed(SUBSCRIPTION);
        let recovered = census(Moment::Recovered, &[], 0);
        let after = census(Moment::SubscriptionsClosed, &[], 0);
        let rows = [
            (vec![opened(1), recovered.clone()], true),
            (vec![opened(1), opened(2), recovered.clone()], false),
            (vec![opened(1), closed.clone(), recovered], false),
            (vec![opened(1), closed.clone(), after.clone()], false),
            (vec![opened(1), closed, dropped, after], true),
        ];
        for (facts, is_right) in rows {
            check(Closing::default(), &facts, is_right);
        }
    }

    #[test]
    fn connections_outlive_subscriptions_and_nothing_else() {
        let built = Fact::BuildEnded(DurableName(0), Ok(LINK));
        let moment = Moment::SubscriptionsClosed;
        let rows = [
            (vec![built.clone(), census(moment, &[LINK], 9)], true),
            (vec![built.clone(), census(moment, &[], 9)], false),
            (
                vec![built, Fact::LinkEnded(LINK), census(moment, &[], 9)],
                true,
            ),
            (vec![census(Moment::AllClosed, &[], 0)], true),
            (vec![census(Moment::AllClosed, &[LINK], 0)], false),
            (vec![census(Moment::AllClosed, &[], 1)], false),
        ];
        for (facts, is_right) in rows {
            check(Closing::default(), &facts, is_right);
        }
    }
}
