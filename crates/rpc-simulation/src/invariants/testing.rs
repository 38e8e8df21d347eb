//! Facts for tests of invariants, in few words.

use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Seen, Subscribed};
use crate::names::{ConsumerName, DurableName, StreamName, SubscriptionName};
use crate::plan::{ConsumerPlan, Form, Manner, Pace};

/// The subscription of most tests.
pub(super) const SUBSCRIPTION: SubscriptionName = SubscriptionName(7);

/// It subscribes promptly, with a delay of a second.
pub(super) fn subscribed(form: Form) -> Fact {
    Fact::Subscribed(Subscribed {
        subscription: SUBSCRIPTION,
        consumer: ConsumerName(0),
        plan: ConsumerPlan {
            durable: DurableName(0),
            form,
            pace: Pace::Fixed(Duration::from_secs(1)),
            silence_limit: None,
            manner: Manner::Prompt,
        },
    })
}

pub(super) fn saw(seen: Seen) -> Fact {
    Fact::Saw(SUBSCRIPTION, seen)
}

pub(super) fn state(stream: i64, number: i64) -> Fact {
    let stream = StreamName(stream);
    saw(Seen::State { stream, number })
}

pub(super) fn update(stream: i64, index: i64, number: i64) -> Fact {
    saw(Seen::Update {
        stream: StreamName(stream),
        indices: (index, index),
        number,
        intact: true,
    })
}

pub(super) fn failed() -> Fact {
    saw(Seen::Failed("no".to_owned()))
}

/// The facts hold, one each second; all but the last, if it is expected to be wrong.
#[track_caller]
pub(super) fn check(invariant: impl Invariant, facts: &[Fact], last_is_right: bool) {
    let timed = facts.iter().cloned().enumerate();
    let timed: Vec<_> = timed
        .map(|(second, fact)| (Duration::from_secs(second as u64), fact))
        .collect();
    check_timed(invariant, &timed, last_is_right);
}

/// The same with times.
#[track_caller]
pub(super) fn check_timed(
    mut invariant: impl Invariant,
    facts: &[(Duration, Fact)],
    last_is_right: bool,
) {
    for (index, (at, fact)) in facts.iter().enumerate() {
        let is_right = last_is_right || index + 1 < facts.len();
        let found = invariant.see(*at, fact);
        assert_eq!(found.is_ok(), is_right, "at {index}, {fact}: {found:?}");
    }
}
