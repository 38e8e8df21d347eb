//! Nothing is lost without a cause.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Invariant;
use super::arrivals::Arrivals;
use crate::fact::{Fact, Folded, Seen};
use crate::names::{LinkName, StreamName, SubscriptionName};
use crate::plan::Form;

/// *Lost* comes because the server ended the stream or sent what is no update, the connection
/// ended, the stream was silent for as long as its limit, more updates were waiting than their bound
/// allows, or the consumer wanted it. So does a followed state's becoming stale, or being of another
/// stream.
#[derive(Debug, Default)]
pub(super) struct Cause {
    arrivals: Arrivals,
    links: BTreeMap<StreamName, LinkName>,
    ended_links: BTreeSet<LinkName>,
    ended_streams: BTreeSet<StreamName>,
    readers: BTreeMap<SubscriptionName, Reader>,
}

#[derive(Debug)]
struct Reader {
    form: Form,
    limit: Option<Duration>,
    /// The present one. Of a stream without a state and without an update nobody knows which it is.
    stream: Option<StreamName>,
    /// When the stream began, or brought something last.
    heard: Duration,
    /// Updates of it that were taken.
    delivered: u64,
    /// Whether the consumer does not want the stream.
    unwanted: bool,
}

impl Reader {
    /// Who reads from a queue, has a stream before the first event or sees the last of several
    /// states may learn late what was heard before.
    fn learns_late(&self) -> bool {
        self.form.bound().is_some() || self.form.or_fails() || self.form == Form::Followed
    }
}

impl Cause {
    fn lost(
        &self,
        subscription: SubscriptionName,
        stream: StreamName,
        at: Duration,
    ) -> Result<(), String> {
        let Some(reader) = self.readers.get(&subscription) else {
            return Ok(());
        };
        let link = self.links.get(&stream);
        let ended = self.ended_streams.contains(&stream)
            || link.is_some_and(|link| self.ended_links.contains(link));
        let silence = if !reader.learns_late() {
            at - reader.heard
        } else if self.arrivals.is_held_up(subscription) {
            Duration::MAX
        } else {
            self.arrivals.longest_gap(stream, at)
        };
        let silent = reader.limit.is_some_and(|limit| silence >= limit);
        let waiting = self
            .arrivals
            .updates(stream)
            .saturating_sub(reader.delivered);
        let overflowed = matches!(reader.form, Form::Dropping(bound) if waiting > bound as u64);
        if ended || silent || overflowed || reader.unwanted {
            return Ok(());
        }
        Err(format!("{subscription} lost {stream}, which is well"))
    }

    /// A followed state tells of losses by what it is.
    fn follow(
        &mut self,
        subscription: SubscriptionName,
        fresh: bool,
        folded: Folded,
        at: Duration,
    ) -> Result<(), String> {
        let Some(reader) = self.readers.get_mut(&subscription) else {
            return Ok(());
        };
        let before = reader.stream.replace(folded.stream);
        if let Some(before) = before.filter(|before| *before != folded.stream) {
            self.lost(subscription, before, at)?;
        }
        if fresh {
            return Ok(());
        }
        self.lost(subscription, folded.stream, at)
    }

    fn saw(&mut self, subscription: SubscriptionName, seen: &Seen, at: Duration) {
        let Some(reader) = self.readers.get_mut(&subscription) else {
            return;
        };
        match seen {
            Seen::Success(_) => {
                (reader.stream, reader.unwanted) = (None, false);
                (reader.heard, reader.delivered) = (at, 0);
            }
            // Comes with the success, whenever it is taken.
            Seen::State { stream, .. } => reader.stream = Some(*stream),
            Seen::Update {
                stream,
                indices: (first, last),
                ..
            } => {
                (reader.stream, reader.heard) = (Some(*stream), at);
                reader.delivered += (last - first).unsigned_abs() + 1;
            }
            Seen::Attempting
            | Seen::Lost
            | Seen::Failed(_)
            | Seen::RpcError(_)
            | Seen::Current { .. } => {}
        }
    }
}

impl Invariant for Cause {
    fn name(&self) -> &'static str {
        "cause"
    }

    fn see(&mut self, at: Duration, fact: &Fact) -> Result<(), String> {
        self.arrivals.see(at, fact);
        match fact {
            Fact::Subscribed(told) => {
                let reader = Reader {
                    form: told.plan.form,
                    limit: told.plan.silence_limit,
                    stream: None,
                    heard: at,
                    delivered: 0,
                    unwanted: false,
                };
                self.readers.insert(told.subscription, reader);
            }
            Fact::StreamOpened(stream, _, link) => {
                self.links.insert(*stream, *link);
            }
            Fact::StreamEnded(stream, _) | Fact::Garbled(stream, _) => {
                self.ended_streams.insert(*stream);
            }
            Fact::LinkEnded(link) | Fact::LinkLeft(link) => {
                self.ended_links.insert(*link);
            }
            Fact::Resubscribes(subscription) => {
                if let Some(reader) = self.readers.get_mut(subscription) {
                    reader.unwanted = true;
                }
            }
            Fact::Saw(subscription, Seen::Lost) => {
                let reader = self.readers.get(subscription);
                if let Some(stream) = reader.and_then(|reader| reader.stream) {
                    return self.lost(*subscription, stream, at);
                }
            }
            Fact::Saw(
                subscription,
                Seen::Current {
                    fresh,
                    folded: Some(folded),
                },
            ) => return self.follow(*subscription, *fresh, *folded, at),
            Fact::Saw(subscription, seen) => self.saw(*subscription, seen, at),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, check, saw, state, subscribed, update};
    use super::*;

    const LINK: LinkName = LinkName(0);

    /// Stream 1 is opened for a subscription of this form.
    fn opened(form: Form, limit: Option<u64>) -> Vec<Fact> {
        let mut first = subscribed(form);
        if let Fact::Subscribed(told) = &mut first {
            told.plan.silence_limit = limit.map(Duration::from_secs);
        }
        vec![
            first,
            Fact::QuerySent(LINK, SUBSCRIPTION, 3),
            Fact::StreamOpened(StreamName(1), SUBSCRIPTION, LINK),
        ]
    }

    fn lost_in(form: Form, limit: Option<u64>, events: &[Fact], last_is_right: bool) {
        let begin = [
            opened(form, limit),
            vec![saw(Seen::Success(3)), state(1, 5)],
        ]
        .concat();
        let facts = [&begin[..], events, &[saw(Seen::Lost)]].concat();
        check(Cause::default(), &facts, last_is_right);
    }

    fn lost(limit: Option<u64>, events: &[Fact], last_is_right: bool) {
        lost_in(Form::State, limit, events, last_is_right);
    }

    #[test]
    fn causes_are_causes() {
        lost(None, &[], false);
        lost(None, &[Fact::StreamEnded(StreamName(1), 0)], true);
        lost(None, &[Fact::StreamEnded(StreamName(2), 0)], false);
        lost(None, &[Fact::Garbled(StreamName(1), 0)], true);
        lost(None, &[Fact::LinkEnded(LINK)], true);
        lost(None, &[Fact::LinkEnded(LinkName(1))], false);
        lost(None, &[Fact::LinkLeft(LINK)], true);
        lost(None, &[Fact::Resubscribes(SUBSCRIPTION)], true);
    }

    #[test]
    fn silence_has_to_last_as_long_as_its_limit() {
        // One fact each second.
        lost(Some(2), &[], true);
        lost(Some(3), &[], false);
        lost(Some(3), &[Fact::Calm], true);
        lost(Some(3), &[Fact::Calm, update(1, 0, 6)], false);
    }

    /// What counts is when it arrived.
    #[test]
    fn silence_before_a_queue_may_be_heard_of_late() {
        let arrives = Fact::UpdateArrived(LINK, 3);
        let waiting = |limit, events: &[Fact], is_right| {
            lost_in(Form::Waiting(1), Some(limit), events, is_right);
        };
        waiting(3, &[], true);
        waiting(4, &[], false);
        waiting(3, std::slice::from_ref(&arrives), true);
        waiting(4, &[arrives.clone(), update(1, 0, 6)], false);
        let late = [arrives, Fact::Calm, Fact::Calm, update(1, 0, 6)];
        waiting(4, &late, true);
        waiting(5, &late, false);
    }

    #[test]
    fn bound_has_to_be_exceeded() {
        let arrives = || vec![Fact::UpdateArrived(LINK, 3)];
        let dropping = |events: &[Vec<Fact>], is_right| {
            lost_in(Form::Dropping(2), None, &events.concat(), is_right);
        };
        dropping(&[arrives(), arrives()], false);
        dropping(&[arrives(), arrives(), arrives()], true);
        let taken = vec![update(1, 0, 6)];
        dropping(&[arrives(), taken.clone(), arrives(), arrives()], false);
        dropping(&[arrives(), taken, arrives(), arrives(), arrives()], true);
        let merging = [arrives(), arrives(), arrives()].concat();
        lost_in(Form::Merging(2), None, &merging, false);
    }

    #[test]
    fn followed_states_are_of_their_stream_until_it_is_lost() {
        let current = |fresh, stream| {
            let folded = Some(Folded {
                stream: StreamName(stream),
                number: 5,
                updates: 0,
            });
            saw(Seen::Current { fresh, folded })
        };
        let followed = |limit, events: &[Fact], is_right| {
            let facts = [&opened(Form::Followed, limit), events].concat();
            check(Cause::default(), &facts, is_right);
        };
        let (fresh, stale, next) = (current(true, 1), current(false, 1), current(true, 2));
        let ended = Fact::StreamEnded(StreamName(1), 0);
        followed(None, &[fresh.clone(), fresh.clone()], true);
        followed(None, &[fresh.clone(), stale.clone()], false);
        followed(None, &[fresh.clone(), ended.clone(), stale.clone()], true);
        followed(None, &[fresh.clone(), next.clone()], false);
        followed(None, &[fresh.clone(), ended, next], true);
        followed(None, std::slice::from_ref(&stale), false);
        followed(Some(2), &[fresh.clone(), stale.clone()], true);
        followed(Some(3), &[fresh, stale], false);
    }
}
