//! One query for each attempt, over a connection of its own durable value.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Seen, Subscribed};
use crate::names::{DurableName, LinkName, SubscriptionName};
use crate::plan::Form;

/// Rules D-MA-5 and D-MA-6, judged by the bytes that the client's end sent.
#[derive(Debug, Default)]
pub(super) struct Queries {
    links: BTreeMap<LinkName, DurableName>,
    subscriptions: BTreeMap<SubscriptionName, Counts>,
}

#[derive(Debug)]
struct Counts {
    told: Subscribed,
    attempts: u64,
    queries: u64,
}

impl Counts {
    /// How many queries there may be: the first attempt of a subscription that depends on it is
    /// told of afterwards.
    fn due(&self) -> u64 {
        let form = self.told.plan.form;
        if form == Form::Followed {
            // Attempts are not told.
            return u64::MAX;
        }
        if form.or_fails() {
            return self.attempts.max(1);
        }
        // A subscription with a queue goes on while its consumer does not read.
        self.attempts + u64::from(form.bound().is_some())
    }
}

impl Queries {
    fn sent(&mut self, link: LinkName, subscription: SubscriptionName) -> Result<(), String> {
        let Some(counts) = self.subscriptions.get_mut(&subscription) else {
            return Err(format!("{subscription} sends a query, and does not exist"));
        };
        counts.queries += 1;
        let (queries, due) = (counts.queries, counts.due());
        if queries > due {
            return Err(format!(
                "{subscription} sent {queries} queries for {due} attempts"
            ));
        }
        if self.links.get(&link) != Some(&counts.told.plan.durable) {
            let durable = counts.told.plan.durable;
            return Err(format!(
                "{subscription} used {link}, which is not {durable}'s"
            ));
        }
        Ok(())
    }
}

impl Invariant for Queries {
    fn name(&self) -> &'static str {
        "queries"
    }

    fn see(&mut self, _: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::LinkOpened(link, durable, _) => {
                self.links.insert(*link, *durable);
            }
            Fact::Subscribed(told) => {
                let counts = Counts {
                    told: *told,
                    attempts: 0,
                    queries: 0,
                };
                self.subscriptions.insert(told.subscription, counts);
            }
            Fact::Saw(subscription, Seen::Attempting) => {
                if let Some(counts) = self.subscriptions.get_mut(subscription) {
                    counts.attempts += 1;
                }
            }
            Fact::QuerySent(link, subscription, _) => return self.sent(*link, *subscription),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, check, saw, subscribed};
    use super::*;
    use crate::names::ServerName;

    fn opened(link: u32, durable: u8) -> Fact {
        Fact::LinkOpened(LinkName(link), DurableName(durable), ServerName(0))
    }

    fn sent(link: u32) -> Fact {
        Fact::QuerySent(LinkName(link), SUBSCRIPTION, 1)
    }

    #[test]
    fn a_query_without_attempt_is_noticed() {
        let attempting = saw(Seen::Attempting);
        let rows = [
            (vec![attempting.clone(), sent(0)], Form::State, true),
            (vec![sent(0)], Form::State, false),
            (
                vec![attempting.clone(), sent(0), sent(0)],
                Form::Pipe,
                false,
            ),
            (vec![sent(0), attempting.clone()], Form::StateOrFail, true),
            (vec![sent(0), attempting, sent(0)], Form::StateOrFail, false),
        ];
        for (facts, form, is_right) in rows {
            let facts = [vec![opened(0, 0), subscribed(form)], facts].concat();
            check(Queries::default(), &facts, is_right);
        }
    }

    #[test]
    fn a_connection_of_somebody_elses_is_noticed() {
        let attempting = saw(Seen::Attempting);
        let facts = [opened(0, 1), subscribed(Form::State), attempting, sent(0)];
        check(Queries::default(), &facts, false);
    }
}
