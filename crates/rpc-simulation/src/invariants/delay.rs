//! No attempt earlier than the delay; and none later, if the consumer waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Seen};
use crate::names::SubscriptionName;
use crate::plan::Manner;

/// Timers have whole milliseconds, and are rounded up.
const ROUNDING: Duration = Duration::from_millis(2);

/// Rules D-MA-2 and D-MA-3.
#[derive(Debug, Default)]
pub(super) struct Delay {
    subscriptions: BTreeMap<SubscriptionName, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    delay: Duration,
    /// Whether the consumer takes each event when it comes.
    prompt: bool,
    /// When the event before the delay was taken.
    since: Option<Duration>,
}

impl Invariant for Delay {
    fn name(&self) -> &'static str {
        "delay"
    }

    fn see(&mut self, at: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Subscribed(told) => {
                let waiting = Waiting {
                    delay: told.delay,
                    prompt: told.manner == Manner::Prompt,
                    since: None,
                };
                self.subscriptions.insert(told.subscription, waiting);
            }
            Fact::Pauses(subscription, _) => {
                if let Some(waiting) = self.subscriptions.get_mut(subscription) {
                    waiting.prompt = false;
                }
            }
            Fact::Saw(subscription, seen) => {
                let Some(waiting) = self.subscriptions.get_mut(subscription) else {
                    return Ok(());
                };
                match seen {
                    Seen::Lost | Seen::Failed(_) | Seen::RpcError(_) => waiting.since = Some(at),
                    Seen::Attempting => return waiting.attempt(*subscription, at),
                    Seen::Success(_) | Seen::State { .. } | Seen::Update { .. } => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Waiting {
    fn attempt(&mut self, subscription: SubscriptionName, at: Duration) -> Result<(), String> {
        let Some(since) = self.since.take() else {
            return Ok(());
        };
        let (waited, delay) = (at - since, self.delay);
        let too_early = waited < delay;
        let too_late = self.prompt && waited > delay + ROUNDING;
        if too_early || too_late {
            return Err(format!(
                "{subscription} attempts after {waited:?}, its delay being {delay:?}"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, check_timed, failed, saw, subscribed};
    use super::*;
    use crate::plan::Form;

    fn attempt_after(millis: u64, pauses: bool, last_is_right: bool) {
        let mut facts = vec![
            (0, subscribed(Form::State)),
            (0, saw(Seen::Attempting)),
            (500, failed()),
        ];
        if pauses {
            facts.push((600, Fact::Pauses(SUBSCRIPTION, Duration::from_secs(3))));
        }
        facts.push((500 + millis, saw(Seen::Attempting)));
        let facts: Vec<_> = facts
            .into_iter()
            .map(|(millis, fact)| (Duration::from_millis(millis), fact))
            .collect();
        check_timed(Delay::default(), &facts, last_is_right);
    }

    #[test]
    fn delay_of_a_second_is_a_second() {
        attempt_after(1_000, false, true);
        attempt_after(1_002, false, true);
        attempt_after(999, false, false);
        attempt_after(1_003, false, false);
    }

    #[test]
    fn who_does_not_read_gets_no_attempts() {
        attempt_after(3_000, true, true);
        attempt_after(999, true, false);
    }
}
