//! Each state is followed by exactly the updates that extend it, in order, without gap or repeat.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Folded, Seen};
use crate::names::{StreamName, SubscriptionName};

/// Rules D-EV-1, D-EV-2: what a consumer gets between a success and the loss is one stream that a
/// server opened for it, from its beginning.
#[derive(Debug, Default)]
pub(super) struct Continuity {
    /// For whom each stream was opened, until it is first seen.
    fresh: BTreeMap<StreamName, SubscriptionName>,
    streams: BTreeMap<SubscriptionName, Current>,
    /// What followed states were last.
    folded: BTreeMap<SubscriptionName, Folded>,
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
        of: StreamName,
        (first, last): (i64, i64),
        number: i64,
    ) -> Result<(), String> {
        if let Some(Current::Unknown) = self.streams.get(&subscription) {
            self.begin(subscription, of, None)?;
        }
        let Some(Current::Known {
            stream,
            next_index,
            next_number,
        }) = self.streams.get_mut(&subscription)
        else {
            return Err(format!("{subscription} got an update of no stream"));
        };
        // What was merged stands for all of them.
        let number_of_first = number - (last - first);
        let due = next_number.unwrap_or(number_of_first);
        if (of, first, number_of_first) != (*stream, *next_index, due) {
            return Err(format!(
                "{subscription} got update {first} of {of}, number {number_of_first}, in place of \
                 {next_index} of {stream}, number {due}"
            ));
        }
        *next_index = last + 1;
        *next_number = Some(number + 1);
        Ok(())
    }

    /// Within a stream, followed states do not go back, and each update brings them forward by one.
    fn fold(&mut self, subscription: SubscriptionName, folded: Folded) -> Result<(), String> {
        let before = self.folded.get(&subscription).copied();
        match before {
            Some(before) if before.stream == folded.stream => {
                let begun_at = |folded: Folded| folded.number.checked_sub_unsigned(folded.updates);
                if folded.number < before.number || begun_at(folded) != begun_at(before) {
                    return Err(format!("{subscription} goes from {before:?} to {folded:?}"));
                }
            }
            Some(_) | None => self.begin(subscription, folded.stream, None)?,
        }
        self.folded.insert(subscription, folded);
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
            Fact::Misfit(subscription, text) => return Err(format!("{subscription}: {text}")),
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
                    indices,
                    number,
                    intact: true,
                } => return self.extend(*subscription, *stream, *indices, *number),
                Seen::Current { folded, .. } => {
                    if let Some(folded) = folded {
                        return self.fold(*subscription, *folded);
                    }
                }
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
            indices: (0, 0),
            number: 6,
            intact: false,
        });
        streamed(&[state(1, 5), damaged], false);
    }

    #[test]
    fn merged_updates_stand_for_all_of_them() {
        let merged = |first, last, number| {
            saw(Seen::Update {
                stream: StreamName(1),
                indices: (first, last),
                number,
                intact: true,
            })
        };
        streamed(&[state(1, 5), merged(0, 3, 9), update(1, 4, 10)], true);
        streamed(&[state(1, 5), merged(0, 3, 8)], false);
        streamed(&[state(1, 5), merged(1, 3, 9)], false);
    }

    #[test]
    fn followed_states_do_not_go_back() {
        let folded_in = |stream, number, updates| {
            let folded = Some(Folded {
                stream: StreamName(stream),
                number,
                updates,
            });
            saw(Seen::Current {
                fresh: true,
                folded,
            })
        };
        let first = folded_in(1, 5, 2);
        streamed(&[first.clone(), first.clone(), folded_in(1, 8, 5)], true);
        streamed(&[first.clone(), folded_in(1, 4, 1)], false);
        streamed(&[first, folded_in(1, 8, 4)], false);
        streamed(&[folded_in(2, 5, 2)], false);
        let misfit = Fact::Misfit(SUBSCRIPTION, String::new());
        streamed(&[misfit], false);
    }

    #[test]
    fn a_stream_of_somebody_elses_is_noticed() {
        let other = SubscriptionName(8);
        let opened = Fact::StreamOpened(StreamName(1), other, LinkName(0));
        let facts = [opened, saw(Seen::Success(1)), state(1, 5)];
        check(Continuity::default(), &facts, false);
    }
}
