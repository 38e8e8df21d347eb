//! The grammar of a durable subscription's events (*durable* §2.2).

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Seen};
use crate::names::SubscriptionName;
use crate::plan::Form;

/// Rules D-EV-1, D-EV-4 and D-EV-5: each event comes where it may.
#[derive(Debug, Default)]
pub(super) struct Grammar {
    positions: BTreeMap<SubscriptionName, (Form, Position)>,
}

#[derive(Clone, Copy, Debug)]
enum Position {
    BetweenRounds,
    Attempting,
    /// The state has to come next.
    Succeeded,
    Streaming,
    Closed,
}

impl Invariant for Grammar {
    fn name(&self) -> &'static str {
        "grammar"
    }

    fn see(&mut self, _: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Subscribed(told) => {
                let beginning = (told.plan.form, Position::BetweenRounds);
                self.positions.insert(told.subscription, beginning);
            }
            Fact::Saw(subscription, seen) => {
                let Some((form, position)) = self.positions.get_mut(subscription) else {
                    return Err(format!("{subscription} has an event, and does not exist"));
                };
                let next = position.after(seen, *form);
                *position =
                    next.ok_or_else(|| format!("{subscription} {seen}, when {position:?}"))?;
            }
            Fact::Closed(subscription) => {
                if let Some((_, position)) = self.positions.get_mut(subscription) {
                    *position = Position::Closed;
                }
            }
            Fact::Ended(subscription) => {
                if let Some((_, position)) = self.positions.get(subscription)
                    && !matches!(position, Position::Closed)
                {
                    return Err(format!("{subscription} ended by itself, when {position:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Position {
    fn after(self, seen: &Seen, form: Form) -> Option<Self> {
        if form == Form::Followed {
            // It gives no events, but states.
            let open = !matches!(self, Self::Closed);
            return (open && matches!(seen, Seen::Current { .. })).then_some(self);
        }
        Some(match (self, seen) {
            (Self::BetweenRounds, Seen::Attempting) => Self::Attempting,
            (Self::Attempting, Seen::Failed(_) | Seen::RpcError(_))
            | (Self::Streaming, Seen::Lost) => Self::BetweenRounds,
            (Self::Attempting, Seen::Success(_)) if !form.has_states() => Self::Streaming,
            (Self::Attempting, Seen::Success(_)) => Self::Succeeded,
            (Self::Succeeded, Seen::State { .. }) | (Self::Streaming, Seen::Update { .. }) => {
                Self::Streaming
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SUBSCRIPTION, check, failed, saw, state, subscribed, update};
    use super::*;

    fn rounds(form: Form, events: &[Fact], last_is_right: bool) {
        let facts: Vec<_> = [&[subscribed(form)], events].concat();
        check(Grammar::default(), &facts, last_is_right);
    }

    #[test]
    fn whole_rounds_are_right() {
        let (attempting, success) = (saw(Seen::Attempting), saw(Seen::Success(1)));
        let lost = saw(Seen::Lost);
        rounds(
            Form::State,
            &[
                attempting.clone(),
                failed(),
                attempting.clone(),
                success.clone(),
                state(1, 5),
                update(1, 0, 6),
                lost.clone(),
                attempting.clone(),
            ],
            true,
        );
        rounds(
            Form::Pipe,
            &[attempting, success, update(1, 0, 6), lost],
            true,
        );
    }

    #[test]
    fn what_is_out_of_place_is_noticed() {
        let (attempting, success) = (saw(Seen::Attempting), saw(Seen::Success(1)));
        rounds(Form::State, std::slice::from_ref(&success), false);
        rounds(Form::State, &[attempting.clone(), saw(Seen::Lost)], false);
        rounds(
            Form::State,
            &[attempting.clone(), attempting.clone()],
            false,
        );
        let update = update(1, 0, 6);
        rounds(
            Form::State,
            &[attempting.clone(), success.clone(), update],
            false,
        );
        let twice = [
            attempting.clone(),
            success.clone(),
            state(1, 5),
            state(1, 5),
        ];
        rounds(Form::State, &twice, false);
        rounds(
            Form::Pipe,
            &[attempting.clone(), success, state(1, 5)],
            false,
        );
        rounds(Form::State, &[attempting, Fact::Ended(SUBSCRIPTION)], false);
        rounds(
            Form::State,
            &[Fact::Closed(SUBSCRIPTION), Fact::Ended(SUBSCRIPTION)],
            true,
        );
    }
}
