//! Seeds, one after the other and side by side.

use std::time::Duration;

use rpc_simulation::fact::{Fact, Seen};
use rpc_simulation::fleet;
use rpc_simulation::plan::{Form, Plan};
use rpc_simulation::run::run;

/// ZD24, D-EV-1 to D-EV-5, D-MA-2 to D-MA-6, D-CL-1 to D-CL-3, D-DU-7, P-CY-2 and others, as the
/// invariants say.
#[test]
fn invariants_hold_for_some_seeds() {
    let summary = fleet::run(0..60, 2, false).unwrap();
    assert_eq!(summary.violations, [].into());
    assert_eq!(summary.seeds, 60);
    let tally = summary.tally;
    // Something happened: every kind of event was seen.
    let counts = [
        tally.actions,
        tally.links,
        tally.updates,
        tally.followed,
        tally.losses,
        tally.failures,
        tally.user_errors,
    ];
    assert!(counts.iter().all(|count| *count > 0), "{tally}");
    assert!(tally.simulated > Duration::from_secs(60 * 10));
}

/// With one consumer nothing is left to tokio's choices.
#[test]
fn same_seed_has_the_same_trace() {
    for seed in 0..20 {
        let mut plan = Plan::from_seed(seed);
        plan.consumers.truncate(1);
        plan.script.retain(|timed| {
            use rpc_simulation::plan::action::Action;
            !matches!(timed.action, Action::Consumer(name, _) if name.0 > 0)
        });
        let (one, other) = (run(&plan).unwrap(), run(&plan).unwrap());
        assert!(!one.trace.is_empty());
        assert_eq!(one, other, "{plan}");
    }
}

/// D-CL-1: without any fault there is one connection and one stream, and nothing is lost.
#[test]
fn without_faults_nothing_is_lost() {
    let mut plan = Plan::from_seed(5);
    plan.script.clear();
    plan.consumers.truncate(1);
    plan.consumers[0].form = Form::State;
    plan.consumers[0].silence_limit = None;
    let outcome = run(&plan).unwrap();
    assert_eq!(outcome.violation, None);
    let saw = |wanted: fn(&Seen) -> bool| {
        let facts = outcome.trace.iter();
        let seen = facts.filter(|entry| matches!(&entry.fact, Fact::Saw(_, seen) if wanted(seen)));
        seen.count()
    };
    assert_eq!(saw(|seen| matches!(seen, Seen::Success(_))), 1);
    assert_eq!(saw(|seen| matches!(seen, Seen::Lost)), 0);
    assert!(saw(|seen| matches!(seen, Seen::Update { .. })) > 5);
}
