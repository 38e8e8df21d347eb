//! No attempt earlier than the delay; and none later, if the consumer waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Seen, Subscribed};
use crate::names::SubscriptionName;
use crate::plan::{Manner, Pace};

/// Timers have whole milliseconds, and are rounded up.
const ROUNDING: Duration = Duration::from_millis(2);

/// Rules D-MA-2 and D-MA-3; of delays that grow, the bounds.
#[derive(Debug, Default)]
pub(super) struct Delay {
    subscriptions: BTreeMap<SubscriptionName, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    pace: Pace,
    /// Whether the consumer takes each event when it comes.
    prompt: bool,
    /// Whether the delay may begin before the consumer takes the event that announces it.
    queued: bool,
    /// Failures since the last healthy stream.
    failures: u32,
    /// When the present stream began.
    success: Option<Duration>,
    /// When the event before the delay was taken, and what the delay is at most.
    since: Option<(Duration, Duration)>,
}

impl Invariant for Delay {
    fn name(&self) -> &'static str {
        "delay"
    }

    fn see(&mut self, at: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Subscribed(told) => {
                self.subscriptions
                    .insert(told.subscription, Waiting::new(told));
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
                    Seen::Lost | Seen::Failed(_) | Seen::RpcError(_) => waiting.begin(at),
                    Seen::Attempting => return waiting.attempt(*subscription, at),
                    Seen::Success(_) => waiting.success = Some(at),
                    Seen::State { .. } | Seen::Update { .. } | Seen::Current { .. } => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Waiting {
    fn new(told: &Subscribed) -> Self {
        Self {
            pace: told.plan.pace,
            prompt: told.plan.manner == Manner::Prompt,
            queued: told.plan.form.bound().is_some(),
            failures: 0,
            success: None,
            since: None,
        }
    }

    fn begin(&mut self, at: Duration) {
        let longest = match self.pace {
            Pace::Fixed(delay) => delay,
            Pace::Exponential(first, cap) => {
                // Healthy is what lived as long as the longest delay. The consumer may have been
                // told later than it began.
                let lived = self.success.take().map(|since| at.saturating_sub(since));
                if lived.is_some_and(|lived| lived >= cap) {
                    self.failures = 0;
                }
                let doubled = first.saturating_mul(2_u32.saturating_pow(self.failures));
                doubled.min(cap)
            }
        };
        self.failures = self.failures.saturating_add(1);
        self.since = Some((at, longest));
    }

    fn attempt(&mut self, subscription: SubscriptionName, at: Duration) -> Result<(), String> {
        let Some((since, longest)) = self.since.take() else {
            return Ok(());
        };
        let waited = at - since;
        let shortest = match self.pace {
            Pace::Fixed(delay) if self.prompt || !self.queued => delay,
            Pace::Fixed(_) | Pace::Exponential(..) => Duration::ZERO,
        };
        let too_late = self.prompt && waited > longest + ROUNDING;
        if waited < shortest || too_late {
            return Err(format!(
                "{subscription} attempts after {waited:?}, its delay being {shortest:?} to \
                 {longest:?}"
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

    fn attempt_after(first: Fact, millis: u64, pauses: bool, last_is_right: bool) {
        let mut facts = vec![(0, first), (0, saw(Seen::Attempting)), (500, failed())];
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
        for form in [Form::State, Form::Pipe, Form::Merging(1)] {
            attempt_after(subscribed(form), 1_000, false, true);
            attempt_after(subscribed(form), 1_002, false, true);
            attempt_after(subscribed(form), 999, false, false);
            attempt_after(subscribed(form), 1_003, false, false);
        }
    }

    #[test]
    fn who_does_not_read_gets_no_attempts() {
        attempt_after(subscribed(Form::State), 3_000, true, true);
        attempt_after(subscribed(Form::State), 999, true, false);
        attempt_after(subscribed(Form::Merging(1)), 999, true, true);
    }

    #[test]
    fn bounds_of_delays_that_grow_double() {
        let growing = || {
            let mut fact = subscribed(Form::State);
            if let Fact::Subscribed(told) = &mut fact {
                let [first, cap] = [200, 500].map(Duration::from_millis);
                told.plan.pace = Pace::Exponential(first, cap);
            }
            fact
        };
        attempt_after(growing(), 0, false, true);
        attempt_after(growing(), 202, false, true);
        attempt_after(growing(), 203, false, false);
        let mut waiting = match growing() {
            Fact::Subscribed(told) => Waiting::new(&told),
            fact => unreachable!("{fact}"),
        };
        let mut longest = || {
            waiting.begin(Duration::ZERO);
            waiting.since.unwrap().1.as_millis()
        };
        assert_eq!([longest(), longest(), longest()], [200, 400, 500]);
        waiting.success = Some(Duration::ZERO);
        waiting.begin(Duration::from_millis(500));
        let after_health = waiting.since.unwrap().1;
        assert_eq!(after_health, Duration::from_millis(200));
    }
}
