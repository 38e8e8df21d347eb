//! One seed, from its plan to a verdict: what the invariants found, whether it does the same
//! again, and what memory it took.

use std::io;
use std::time::Duration;

use crate::memory::{Taken, measured};
use crate::plan::Plan;
use crate::run::{Outcome, run};
use crate::tally::Tally;
use crate::world::Violation;

/// Bytes that a simulation may have at any one time, beside what is kept of its facts.
const MOST_MEMORY: usize = 8 * 1024 * 1024;
/// The same for each fact, which is in the trace, and in the memory of some invariants.
const MOST_MEMORY_PER_FACT: usize = 1024;
/// Bytes that a simulation may leave behind: the runtime's caches may grow a little.
const MOST_LEFT: usize = 1024;

/// What became of a seed.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// What did not hold, if anything.
    pub violation: Option<Violation>,
    /// What happened, in numbers.
    pub tally: Tally,
    /// The memory it took.
    pub taken: Taken,
}

/// Runs a plan, twice if wanted, and says what did not hold.
///
/// # Errors
/// A runtime cannot be made.
pub fn judge(plan: &Plan, twice: bool) -> io::Result<Verdict> {
    let (looked, mut taken) = measured(|| look(plan, twice));
    let (tally, violation) = looked?;
    if violation.is_none() && taken.left > MOST_LEFT {
        // What is made once for the whole process is not left behind a second time.
        let (again, taken_again) = measured(|| look(plan, false).map(drop));
        again?;
        taken.left = taken_again.left;
    }
    Ok(Verdict {
        seed: plan.seed,
        // What is said of a violation would count as left behind.
        violation: violation.or_else(|| memory(&tally, taken)),
        tally,
        taken,
    })
}

fn look(plan: &Plan, twice: bool) -> io::Result<(Tally, Option<Violation>)> {
    let outcome = run(plan)?;
    let tally = Tally::of(&outcome.trace);
    let violation = match &outcome.violation {
        None if twice => compare(&outcome, &run(plan)?),
        violation => violation.clone(),
    };
    Ok((tally, violation))
}

/// The same seed has the same trace.
fn compare(one: &Outcome, other: &Outcome) -> Option<Violation> {
    if one == other {
        return None;
    }
    let mut pairs = one.trace.iter().zip(&other.trace);
    let (at, text) = match pairs.find(|(one, other)| one != other) {
        Some((one, other)) => (one.at, format!("{one} the first time, {other} the second")),
        None => {
            let last = one.trace.last().map_or(Duration::ZERO, |entry| entry.at);
            (last, "one run went on for longer".to_owned())
        }
    };
    Some(Violation {
        invariant: "determinism",
        at,
        text,
    })
}

fn memory(tally: &Tally, taken: Taken) -> Option<Violation> {
    let facts = usize::try_from(tally.facts).unwrap_or(usize::MAX);
    let text = if taken.left > MOST_LEFT {
        format!("{} bytes left behind", taken.left)
    } else if taken.most > MOST_MEMORY + facts * MOST_MEMORY_PER_FACT {
        format!("{} bytes for {facts} facts", taken.most)
    } else {
        return None;
    };
    Some(Violation {
        invariant: "memory",
        at: tally.simulated,
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_or_too_much_is_noticed() {
        let tally = Tally {
            facts: 10,
            ..Tally::default()
        };
        let found = |left, most| memory(&tally, Taken { most, left }).map(|v| v.text);
        assert_eq!(found(MOST_LEFT, MOST_MEMORY), None);
        assert!(found(MOST_LEFT + 1, 0).is_some());
        let most = MOST_MEMORY + 10 * MOST_MEMORY_PER_FACT;
        assert_eq!(found(0, most), None);
        assert!(found(0, most + 1).is_some());
    }

    #[test]
    fn another_trace_is_noticed() {
        let plan = Plan::from_seed(3);
        let outcome = run(&plan).unwrap();
        assert_eq!(compare(&outcome, &outcome), None);
        let mut shorter = outcome.clone();
        shorter.trace.pop();
        assert!(compare(&outcome, &shorter).is_some());
        let mut other = outcome.clone();
        other.trace[5].at += Duration::from_millis(1);
        let found = compare(&outcome, &other).unwrap();
        assert_eq!(found.invariant, "determinism");
    }
}
