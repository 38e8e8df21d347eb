//! From a plan that fails to a smaller one that fails in the same way: fewer actions of the
//! adversary, fewer consumers.

use crate::names::ConsumerName;
use crate::plan::Plan;
use crate::plan::action::Action;

/// Runs that are spent at most.
const RUNS: usize = 2_000;

/// A plan from which nothing can be left out without it failing no more; or the smallest one that
/// was found in the time. The one that is given has to fail.
///
/// # Errors
/// That of `fails`.
pub fn shrink<E>(plan: &Plan, mut fails: impl FnMut(&Plan) -> Result<bool, E>) -> Result<Plan, E> {
    let mut smallest = plan.clone();
    let mut runs = 0;
    let mut fails = |plan: &Plan| {
        runs += 1;
        if runs > RUNS { Ok(false) } else { fails(plan) }
    };
    // Many actions at once, then fewer, then one by one.
    let mut size = smallest.script.len();
    while size > 0 {
        let mut from = 0;
        while from < smallest.script.len() {
            let mut smaller = smallest.clone();
            let to = (from + size).min(smaller.script.len());
            smaller.script.drain(from..to);
            if fails(&smaller)? {
                smallest = smaller;
            } else {
                from = to;
            }
        }
        size /= 2;
    }
    // Names are places, so consumers leave from the end.
    while smallest.consumers.len() > 1 {
        let mut smaller = smallest.clone();
        smaller.consumers.pop();
        let left = smaller.consumers.len();
        let concerns_who_left = |action: &Action| match action {
            Action::Consumer(ConsumerName(name), _) => usize::from(*name) >= left,
            _ => false,
        };
        smaller
            .script
            .retain(|timed| !concerns_who_left(&timed.action));
        if !fails(&smaller)? {
            break;
        }
        smallest = smaller;
    }
    Ok(smallest)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::plan::action::Trouble;

    /// Many actions, of which two matter.
    #[test]
    fn what_does_not_matter_is_left_out() {
        let is_cut = |action: &Action| matches!(action, Action::Cut(_));
        let is_frozen = |action: &Action| matches!(action, Action::Trouble(_, Trouble::Frozen, _));
        let fails = |plan: &Plan| {
            let mut actions = plan.script.iter().map(|timed| timed.action);
            let frozen = actions.any(|action| is_frozen(&action));
            // In this order.
            frozen && actions.any(|action| is_cut(&action))
        };
        let mut plans = (0..).map(Plan::from_seed);
        let plan =
            plans.find(|plan| fails(plan) && plan.script.len() > 10 && plan.consumers.len() > 2);
        let plan = plan.unwrap();
        let smallest = shrink(&plan, |plan| Ok::<_, Infallible>(fails(plan))).unwrap();
        let actions: Vec<_> = smallest.script.iter().map(|timed| timed.action).collect();
        assert_eq!(actions.len(), 2, "{actions:?}");
        assert!(is_frozen(&actions[0]) && is_cut(&actions[1]));
        assert_eq!(smallest.consumers.len(), 1);
    }
}
