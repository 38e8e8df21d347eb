//! Each state is followed by exactly the updates that extend it, in order, without gap or repeat.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Seen};
use crate::names::{StreamName, SubscriptionName};

/// Rules D-EV-1, D-EV-2: what a consumer gets between a success and the loss is one stream that a
/// server opened for it, from its beginning.
#[derive(Debug, Default)]
pub(super) struct Continuity {
    /// For whom each stream was opened, until it is first seen.
    fresh: BTreeMap<StreamName, SubscriptionName>,
    streams: BTreeMap<SubscriptionName, Current>,
}

/// The stream that a subscription is in.
#[derive(Clone, Copy, Debug)]
enum Current {
    /// Not known: the first thing seen of it will tell.
    Unknown,
    Known {
        stream: StreamName,
        next_index: i64,
        /// What is published with the next update; not known before the first one, if there is
        /// no state.
        next_number: Option<i64>,
    },
}

impl Continuity {
    fn begin(
        &mut self,
        subscription: SubscriptionName,
        stream: StreamName,
        next_number: Option<i64>,
    ) -> Result<(), String> {
        match self.fresh.remove(&stream) {
            Some(whose) if whose == subscription => {}
            Some(whose) => return Err(format!("{subscription} got {stream}, which is {whose}'s")),
            None => {
                return Err(format!(
                    "{subscription} got {stream}, which is not a new one"
                ));
            }
        }
        let known = Current::Known {
            stream,
            next_index: 0,
            next_number,
        };
        self.streams.insert(subscription, known);
        Ok(())
    }

    fn extend(
        &mut self,
        subscription: SubscriptionName,
        update: (StreamName, i64, i64),
    ) -> Result<(), String> {
        if let Some(Current::Unknown) = self.streams.get(&subscription) {
            self.begin(subscription, update.0, None)?;
        }
        let Some(Current::Known {
            stream,
            next_index,
            next_number,
        }) = self.streams.get_mut(&subscription)
        else {
            return Err(format!("{subscription} got an update of no stream"));
        };
        let number = next_number.unwrap_or(update.2);
        if update != (*stream, *next_index, number) {
            return Err(format!(
                "{subscription} got update {} of {}, number {}, in place of {next_index} of \
                 {stream}, number {number}",
                update.1, update.0, update.2
            ));
        }
        *next_index += 1;
        *next_number = Some(number + 1);
        Ok(())
    }
}

impl Invariant for Continuity {
    fn name(&self) -> &'static str {
        "continuity"
    }

    fn see(&mut self, _: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::StreamOpened(stream, subscription, _) => {
                self.fresh.insert(*stream, *subscription);
            }
            Fact::Saw(subscription, seen) => match seen {
                Seen::Success(_) => {
                    self.streams.insert(*subscription, Current::Unknown);
                }
                Seen::State { stream, number } => {
                    return self.begin(*subscription, *stream, Some(number + 1));
                }
                Seen::Update { intact: false, .. } => {
                    return Err(format!("{subscription} {seen}"));
                }
                Seen::Update {
                    stream,
                    index,
                    number,
                    intact: true,
                } => return self.extend(*subscription, (*stream, *index, *number)),
                Seen::Attempting | Seen::Lost | Seen::Failed(_) | Seen::RpcError(_) => {
                    self.streams.remove(subscription);
                }
            },
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, check, saw, state, update};
    use super::*;
    use crate::names::LinkName;

    /// Stream 1 is opened, and this comes.
    fn streamed(events: &[Fact], last_is_right: bool) {
        let opened = Fact::StreamOpened(StreamName(1), SUBSCRIPTION, LinkName(0));
        let facts = [&[opened, saw(Seen::Success(1))], events].concat();
        check(Continuity::default(), &facts, last_is_right);
    }

    #[test]
    fn updates_that_extend_the_state_are_right() {
        streamed(&[state(1, 5), update(1, 0, 6), update(1, 1, 7)], true);
        // Without a state, the first update tells.
        streamed(&[update(1, 0, 6), update(1, 1, 7)], true);
    }

    #[test]
    fn others_are_noticed() {
        streamed(&[state(1, 5), update(1, 1, 7)], false);
        streamed(&[state(1, 5), update(1, 0, 7)], false);
        streamed(&[state(1, 5), update(1, 0, 6), update(1, 0, 6)], false);
        streamed(&[state(1, 5), update(2, 0, 6)], false);
        streamed(&[state(2, 5)], false);
        streamed(&[update(1, 1, 7)], false);
        streamed(&[state(1, 5), saw(Seen::Lost), update(1, 0, 6)], false);
        // The same stream twice.
        let again = saw(Seen::Success(2));
        streamed(&[state(1, 5), saw(Seen::Lost), again, state(1, 5)], false);
        let damaged = saw(Seen::Update {
            stream: StreamName(1),
            index: 0,
            number: 6,
            intact: false,
        });
        streamed(&[state(1, 5), damaged], false);
    }

    #[test]
    fn a_stream_of_somebody_elses_is_noticed() {
        let other = SubscriptionName(8);
        let opened = Fact::StreamOpened(StreamName(1), other, LinkName(0));
        let facts = [opened, saw(Seen::Success(1)), state(1, 5)];
        check(Continuity::default(), &facts, false);
    }
}
