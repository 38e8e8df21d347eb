//! A stream that brings nothing for longer than its limit counts as lost.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Seen};
use crate::names::SubscriptionName;
use crate::plan::Manner;

/// Timers have whole milliseconds, and are rounded up.
const ROUNDING: Duration = Duration::from_millis(2);

/// Of consumers that wait for every event.
#[derive(Debug, Default)]
pub(super) struct Silence {
    subscriptions: BTreeMap<SubscriptionName, Listening>,
}

#[derive(Debug)]
struct Listening {
    limit: Duration,
    /// When the present stream brought something last, or began.
    heard: Option<Duration>,
}

impl Invariant for Silence {
    fn name(&self) -> &'static str {
        "silence"
    }

    fn see(&mut self, at: Duration, fact: &Fact) -> Result<(), String> {
        for (subscription, listening) in &self.subscriptions {
            let silent = listening.heard.map(|heard| at.saturating_sub(heard));
            if silent.is_some_and(|silent| silent > listening.limit + ROUNDING) {
                return Err(format!(
                    "{subscription} has tolerated silence for longer than {:?}",
                    listening.limit
                ));
            }
        }
        match fact {
            Fact::Subscribed(told) if told.plan.manner == Manner::Prompt => {
                if let Some(limit) = told.plan.silence_limit {
                    let listening = Listening { limit, heard: None };
                    self.subscriptions.insert(told.subscription, listening);
                }
            }
            Fact::Pauses(subscription, _) | Fact::Closed(subscription) => {
                self.subscriptions.remove(subscription);
            }
            Fact::Saw(subscription, seen) => {
                if let Some(listening) = self.subscriptions.get_mut(subscription) {
                    listening.heard = match seen {
                        Seen::Success(_)
                        | Seen::State { .. }
                        | Seen::Update { .. }
                        | Seen::Current { fresh: true, .. } => Some(at),
                        Seen::Attempting
                        | Seen::Lost
                        | Seen::Failed(_)
                        | Seen::RpcError(_)
                        | Seen::Current { fresh: false, .. } => None,
                    };
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_timed, saw, state, subscribed};
    use super::*;
    use crate::plan::Form;

    /// The limit is a second; the stream begins after one.
    fn silent_until(events: Vec<(u64, Fact)>, last_is_right: bool) {
        let mut first = subscribed(Form::State);
        if let Fact::Subscribed(told) = &mut first {
            told.plan.silence_limit = Some(Duration::from_secs(1));
        }
        let begin = [(0, first), (0, saw(Seen::Attempting)), (1_000, state(1, 5))];
        let facts: Vec<_> = begin
            .into_iter()
            .chain(events)
            .map(|(millis, fact)| (Duration::from_millis(millis), fact))
            .collect();
        check_timed(Silence::default(), &facts, last_is_right);
    }

    #[test]
    fn silence_beyond_the_limit_is_a_loss() {
        silent_until(vec![(2_001, saw(Seen::Lost)), (9_000, Fact::Calm)], true);
        silent_until(vec![(1_900, state(1, 5)), (2_900, Fact::Calm)], true);
        silent_until(vec![(2_003, Fact::Calm)], false);
    }
}
