//! Nothing is lost without a cause.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Seen};
use crate::names::{LinkName, StreamName, SubscriptionName};
use crate::plan::Form;

/// *Lost* comes because the server ended the stream or sent what is no update, the connection
/// ended, the stream was silent for as long as its limit, or the consumer wanted it.
#[derive(Debug, Default)]
pub(super) struct Cause {
    links: BTreeMap<StreamName, LinkName>,
    ended_links: BTreeSet<LinkName>,
    ended_streams: BTreeSet<StreamName>,
    readers: BTreeMap<SubscriptionName, Reader>,
}

#[derive(Debug)]
struct Reader {
    form: Form,
    limit: Option<Duration>,
    stream: Option<StreamName>,
    /// When the stream began, or brought something last.
    heard: Duration,
    /// Whether the consumer does not want the stream.
    unwanted: bool,
}

impl Cause {
    fn lost(&self, subscription: SubscriptionName, at: Duration) -> Result<(), String> {
        let Some(reader) = self.readers.get(&subscription) else {
            return Ok(());
        };
        // Of a stream without a state and without an update nobody knows what became of it.
        let Some(stream) = reader.stream else {
            return Ok(());
        };
        let link = self.links.get(&stream);
        let ended = self.ended_streams.contains(&stream)
            || link.is_some_and(|link| self.ended_links.contains(link));
        // Who reads from a queue, or has a stream before the first event, may read late what was
        // heard before.
        let queued = reader.form.bound().is_some() || reader.form.or_fails();
        let silent = |limit| queued || at - reader.heard >= limit;
        let silent = reader.limit.is_some_and(silent);
        let overflowed = matches!(reader.form, Form::Dropping(_));
        if ended || silent || overflowed || reader.unwanted {
            return Ok(());
        }
        Err(format!("{subscription} lost {stream}, which is well"))
    }
}

impl Invariant for Cause {
    fn name(&self) -> &'static str {
        "cause"
    }

    fn see(&mut self, at: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Subscribed(told) => {
                let reader = Reader {
                    form: told.plan.form,
                    limit: told.plan.silence_limit,
                    stream: None,
                    heard: at,
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
            Fact::Saw(subscription, Seen::Lost) => return self.lost(*subscription, at),
            Fact::Saw(subscription, seen) => {
                let Some(reader) = self.readers.get_mut(subscription) else {
                    return Ok(());
                };
                match seen {
                    Seen::Success(_) => {
                        (reader.stream, reader.unwanted) = (None, false);
                        reader.heard = at;
                    }
                    // Comes with the success, whenever it is taken.
                    Seen::State { stream, .. } => reader.stream = Some(*stream),
                    Seen::Update { stream, .. } => {
                        (reader.stream, reader.heard) = (Some(*stream), at);
                    }
                    Seen::Attempting
                    | Seen::Lost
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

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, check, saw, state, subscribed, update};
    use super::*;

    fn lost(limit: Option<u64>, events: &[Fact], last_is_right: bool) {
        let mut first = subscribed(Form::State);
        if let Fact::Subscribed(told) = &mut first {
            told.plan.silence_limit = limit.map(Duration::from_secs);
        }
        let begin = [
            first,
            Fact::StreamOpened(StreamName(1), SUBSCRIPTION, LinkName(0)),
            saw(Seen::Success(1)),
            state(1, 5),
        ];
        let facts = [&begin[..], events, &[saw(Seen::Lost)]].concat();
        check(Cause::default(), &facts, last_is_right);
    }

    #[test]
    fn causes_are_causes() {
        lost(None, &[], false);
        lost(None, &[Fact::StreamEnded(StreamName(1), 0)], true);
        lost(None, &[Fact::StreamEnded(StreamName(2), 0)], false);
        lost(None, &[Fact::Garbled(StreamName(1), 0)], true);
        lost(None, &[Fact::LinkEnded(LinkName(0))], true);
        lost(None, &[Fact::LinkEnded(LinkName(1))], false);
        lost(None, &[Fact::LinkLeft(LinkName(0))], true);
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
}
