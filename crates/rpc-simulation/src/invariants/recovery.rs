//! Once faults have stopped, everybody recovers within the bound that the settings imply.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::fact::{Census, Fact, Moment, Seen, Subscribed};
use crate::names::{ConsumerName, SubscriptionName};
use crate::plan::Plan;

/// Rules D-MA-2, D-MA-4 and D-MA-6: no failure is final, and what a consumer has then is what the
/// server has published.
#[derive(Debug)]
pub(super) struct Recovery {
    plan: Plan,
    consumers: BTreeMap<ConsumerName, Option<Subscribed>>,
    subscriptions: BTreeMap<SubscriptionName, Known>,
}

/// What a subscription's consumer knows.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    streaming: bool,
    number: Option<i64>,
}

impl Recovery {
    pub(super) fn new(plan: &Plan) -> Self {
        let names = (0..).map(ConsumerName);
        let consumers = names.zip(&plan.consumers).map(|(name, _)| (name, None));
        Self {
            plan: plan.clone(),
            consumers: consumers.collect(),
            subscriptions: BTreeMap::new(),
        }
    }

    fn recovered(&self, census: &Census) -> Result<(), String> {
        for (consumer, told) in &self.consumers {
            let Some(told) = told else {
                return Err(format!("{consumer} has no subscription"));
            };
            let subscription = told.subscription;
            let known = self.subscriptions.get(&subscription).copied();
            let known = known.unwrap_or_default();
            if !known.streaming {
                return Err(format!("{subscription} has not recovered"));
            }
            let server = self.plan.durable(told.plan.durable).server;
            let published = census.published.get(usize::from(server.0));
            let published = published.copied().unwrap_or_default();
            let behind = known.number.map(|number| published - number);
            if behind.is_none_or(|behind| behind > self.under_way(told)) {
                return Err(format!("{subscription} is behind by {behind:?} updates"));
            }
        }
        Ok(())
    }

    /// What may have been published and not have arrived.
    fn under_way(&self, told: &Subscribed) -> i64 {
        let server = self
            .plan
            .server(self.plan.durable(told.plan.durable).server);
        // Publications are at least half an interval apart.
        let shortest = server.interval.as_secs_f64() / 2.0;
        let publications = server.latency.as_secs_f64() * 2.0 / shortest;
        let burst = i64::try_from(server.burst).unwrap_or(i64::MAX);
        (publications.ceil() as i64 + 1) * burst
    }
}

impl Invariant for Recovery {
    fn name(&self) -> &'static str {
        "recovery"
    }

    fn see(&mut self, _: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Subscribed(told) => {
                self.consumers.insert(told.consumer, Some(*told));
                self.subscriptions
                    .insert(told.subscription, Known::default());
            }
            Fact::Saw(subscription, seen) => {
                let known = self.subscriptions.entry(*subscription).or_default();
                match seen {
                    Seen::Success(_) => known.streaming = true,
                    Seen::State { number, .. } | Seen::Update { number, .. } => {
                        known.number = Some(*number);
                    }
                    Seen::Current { fresh, folded } => {
                        known.streaming = *fresh;
                        known.number = folded.map(|folded| folded.number);
                    }
                    Seen::Lost => *known = Known::default(),
                    Seen::Attempting | Seen::Failed(_) | Seen::RpcError(_) => {}
                }
            }
            Fact::Closed(subscription) | Fact::NotSubscribed(subscription, _) => {
                self.subscriptions.remove(subscription);
            }
            Fact::Census(census) if census.moment == Moment::Recovered => {
                return self.recovered(census);
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
    use crate::names::ServerName;
    use crate::plan::Form;

    /// A plan with one server and one consumer.
    fn plan() -> Plan {
        let mut plan = Plan::from_seed(1);
        plan.servers.truncate(1);
        plan.durables.truncate(1);
        plan.consumers.truncate(1);
        plan.durables[0].server = ServerName(0);
        plan.servers[0].burst = 1;
        plan
    }

    fn recovered(events: &[Fact], last_is_right: bool) {
        let census = Census {
            moment: Moment::Recovered,
            published: vec![1_000],
            links: Vec::new(),
            tasks: 0,
        };
        let facts = [events, &[Fact::Census(census)]].concat();
        check(Recovery::new(&plan()), &facts, last_is_right);
    }

    #[test]
    fn who_streams_what_is_published_has_recovered() {
        let begun = [
            subscribed(Form::State),
            saw(Seen::Attempting),
            saw(Seen::Success(1)),
        ];
        let with = |more: &[Fact]| [&begun[..], more].concat();
        recovered(&with(&[state(1, 1_000)]), true);
        recovered(&with(&[state(1, 990), update(1, 0, 1_000)]), true);
        recovered(&with(&[state(1, 500)]), false);
        recovered(&with(&[]), false);
        recovered(&with(&[state(1, 1_000), saw(Seen::Lost)]), false);
        recovered(&with(&[state(1, 1_000), Fact::Closed(SUBSCRIPTION)]), false);
        recovered(&[], false);
    }
}
