//! A loss is announced as soon as it can be known.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Seen};
use crate::names::{DurableName, LinkName, StreamName, SubscriptionName};
use crate::plan::{DurablePlan, FLUSH_TIMEOUT, Manner, Plan, WRITE_TIMEOUT};

/// Once the client's end of a link was told that it has ended, or after the heartbeat timeout if
/// it is told nothing, whoever has a stream over it sees *Lost* (rules D-RA-1, D-RA-3; C-HB-10).
#[derive(Debug)]
pub(super) struct Notice {
    /// The silence that each durable value's connections tolerate.
    tolerated: Vec<Duration>,
    links: BTreeMap<LinkName, DurableName>,
    streams: BTreeMap<StreamName, LinkName>,
    /// Prompt consumers, and the stream that they are in.
    prompt: BTreeMap<SubscriptionName, Option<StreamName>>,
    deadlines: BTreeMap<LinkName, Duration>,
}

impl Notice {
    pub(super) fn new(plan: &Plan) -> Self {
        // A dead peer is found at the first heartbeat after the timeout.
        let tolerated = |durable: &DurablePlan| durable.timeout + durable.send_every;
        Self {
            tolerated: plan.durables.iter().map(tolerated).collect(),
            links: BTreeMap::new(),
            streams: BTreeMap::new(),
            prompt: BTreeMap::new(),
            deadlines: BTreeMap::new(),
        }
    }

    /// What is still to be written may take its time before calls and streams hear of the end.
    const CLOSING: Duration = FLUSH_TIMEOUT
        .saturating_mul(3)
        .saturating_add(WRITE_TIMEOUT);

    fn set_deadline(&mut self, link: LinkName, deadline: Duration) {
        let earliest = self.deadlines.entry(link).or_insert(deadline);
        *earliest = deadline.min(*earliest);
    }

    /// Whether somebody should have noticed by now.
    fn check(&mut self, at: Duration) -> Result<(), String> {
        let passed = |(link, deadline): (&LinkName, &Duration)| (*deadline < at).then_some(*link);
        let Some(link) = self.deadlines.iter().find_map(passed) else {
            return Ok(());
        };
        self.deadlines.remove(&link);
        let mut users = self.prompt.iter();
        let user = users.find(|(_, stream)| {
            let link_of = |stream| self.streams.get(&stream).copied();
            stream.and_then(link_of) == Some(link)
        });
        match user {
            Some((subscription, _)) => Err(format!(
                "{subscription} has not noticed that {link} has ended"
            )),
            None => Ok(()),
        }
    }
}

impl Invariant for Notice {
    fn name(&self) -> &'static str {
        "notice"
    }

    fn see(&mut self, at: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::LinkOpened(link, durable, _) => {
                self.links.insert(*link, *durable);
            }
            Fact::StreamOpened(stream, _, link) => {
                self.streams.insert(*stream, *link);
            }
            Fact::Subscribed(told) if told.plan.manner == Manner::Prompt => {
                self.prompt.insert(told.subscription, None);
            }
            Fact::Pauses(subscription, _) | Fact::Closed(subscription) => {
                self.prompt.remove(subscription);
            }
            Fact::Saw(subscription, seen) => {
                if let Some(current) = self.prompt.get_mut(subscription) {
                    match seen {
                        Seen::State { stream, .. } | Seen::Update { stream, .. } => {
                            *current = Some(*stream);
                        }
                        Seen::Current {
                            fresh: true,
                            folded: Some(folded),
                        } => *current = Some(folded.stream),
                        Seen::Current { .. }
                        | Seen::Attempting
                        | Seen::Success(_)
                        | Seen::Lost
                        | Seen::Failed(_)
                        | Seen::RpcError(_) => *current = None,
                    }
                }
            }
            Fact::LinkEnded(link) => self.set_deadline(*link, at + Self::CLOSING),
            Fact::LinkSilent(link) => {
                let durable = self.links.get(link).map_or(0, |durable| durable.0);
                let tolerated = self.tolerated.get(usize::from(durable)).copied();
                let tolerated = tolerated.unwrap_or_default();
                self.set_deadline(*link, at + tolerated + Self::CLOSING);
            }
            _ => {}
        }
        self.check(at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, check_timed, saw, state, subscribed};
    use super::*;
    use crate::names::ServerName;
    use crate::plan::Form;

    const LINK: LinkName = LinkName(0);

    /// Streaming over the link, then these facts; and many seconds later the last one.
    fn streaming(events: Vec<Fact>, later: Duration, last_is_right: bool) {
        let begin = [
            Fact::LinkOpened(LINK, DurableName(0), ServerName(0)),
            subscribed(Form::State),
            Fact::StreamOpened(StreamName(1), SUBSCRIPTION, LINK),
            saw(Seen::Attempting),
            saw(Seen::Success(1)),
            state(1, 5),
        ];
        let facts = begin.into_iter().chain(events);
        let mut facts: Vec<_> = facts.map(|fact| (Duration::ZERO, fact)).collect();
        facts.push((later, Fact::Calm));
        let notice = Notice::new(&Plan::from_seed(1));
        check_timed(notice, &facts, last_is_right);
    }

    #[test]
    fn an_end_is_noticed_at_once() {
        let (ended, lost) = (Fact::LinkEnded(LINK), saw(Seen::Lost));
        let later = Notice::CLOSING + Duration::from_millis(1);
        streaming(vec![ended.clone()], Notice::CLOSING, true);
        streaming(vec![ended.clone()], later, false);
        streaming(vec![ended.clone(), lost], later, true);
        let pauses = Fact::Pauses(SUBSCRIPTION, later);
        streaming(vec![pauses, ended], later, true);
    }

    #[test]
    fn silence_is_noticed_after_the_timeout() {
        let silent = Fact::LinkSilent(LINK);
        let tolerated = Notice::new(&Plan::from_seed(1)).tolerated[0] + Notice::CLOSING;
        streaming(vec![silent.clone()], tolerated, true);
        streaming(vec![silent], tolerated + Duration::from_millis(1), false);
    }
}
