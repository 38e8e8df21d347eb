//! From a plan that fails to a smaller one that fails in the same way: fewer actions of the
//! adversary, fewer consumers.

use std::io;

use crate::judge::judge;
use crate::names::ConsumerName;
use crate::plan::Plan;
use crate::plan::action::Action;

/// Runs that are spent at most.
const RUNS: usize = 2_000;

/// A plan from which nothing can be left out without its violation of this invariant going away;
/// or the smallest one that was found in the time.
///
/// # Errors
/// A runtime cannot be made.
pub fn shrink(plan: &Plan, invariant: &str) -> io::Result<Plan> {
    let mut smallest = plan.clone();
    let mut runs = 0;
    let mut fails = |plan: &Plan| {
        runs += 1;
        if runs > RUNS {
            return Ok(false);
        }
        let violation = judge(plan, invariant == "determinism")?.violation;
        Ok::<_, io::Error>(violation.is_some_and(|violation| violation.invariant == invariant))
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
