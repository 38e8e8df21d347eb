//! An *Rpc error* is an answer that a server gave to this very subscription, told once.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Seen};
use crate::names::SubscriptionName;

/// *durable* §2.4, and rule D-SU-2: every attempt asks the same.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Who was given each error, until it is told.
    errors: BTreeMap<u64, SubscriptionName>,
}

impl Invariant for Answers {
    fn name(&self) -> &'static str {
        "answers"
    }

    fn see(&mut self, _: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Asked(server, subscription, false) => {
                return Err(format!(
                    "{server} is asked by {subscription} what it did not ask"
                ));
            }
            Fact::Refused(subscription, number) => {
                self.errors.insert(*number, *subscription);
            }
            Fact::Saw(subscription, Seen::RpcError(error)) => {
                let number: Option<u64> = error.parse().ok();
                let given = number.and_then(|number| self.errors.remove(&number));
                if given != Some(*subscription) {
                    return Err(format!(
                        "{subscription} got error {error}, which is not its own"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, check, saw};
    use super::*;
    use crate::names::ServerName;

    #[test]
    fn errors_are_told_once_and_to_whom_they_were_given() {
        let error = saw(Seen::RpcError("4".to_owned()));
        let refused = Fact::Refused(SUBSCRIPTION, 4);
        check(Answers::default(), &[refused.clone(), error.clone()], true);
        check(
            Answers::default(),
            &[refused, error.clone(), error.clone()],
            false,
        );
        check(Answers::default(), std::slice::from_ref(&error), false);
        let others = Fact::Refused(SubscriptionName(1), 4);
        check(Answers::default(), &[others, error], false);
    }

    #[test]
    fn another_question_is_noticed() {
        let asked = |intact| Fact::Asked(ServerName(0), SUBSCRIPTION, intact);
        check(Answers::default(), &[asked(true), asked(false)], false);
    }
}
