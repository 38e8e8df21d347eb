//! What must hold, whatever the adversary does. Each invariant sees every fact, in order, and says
//! when one of them must not have happened.
//!
//! They know of the code under test only what a consumer, a server or the network can see.

mod answers;
mod arrivals;
mod backlog;
mod cause;
mod closing;
mod completeness;
mod continuity;
mod delay;
mod grammar;
mod notice;
mod panics;
mod persistent;
mod progress;
mod queries;
mod recovery;
mod sharing;
mod silence;

#[cfg(test)]
mod testing;

use std::time::Duration;

use crate::fact::Fact;
use crate::plan::Plan;

/// Judges the facts.
pub trait Invariant: Send {
    /// What it is called in reports.
    fn name(&self) -> &'static str;

    /// A fact was told, so long after the beginning.
    ///
    /// # Errors
    /// It must not have happened, or something else should have happened before; this is why.
    fn see(&mut self, at: Duration, fact: &Fact) -> Result<(), String>;
}

/// All of them, for a simulation of this plan.
pub fn all(plan: &Plan) -> Vec<Box<dyn Invariant>> {
    vec![
        Box::<grammar::Grammar>::default(),
        Box::<continuity::Continuity>::default(),
        Box::<completeness::Completeness>::default(),
        Box::<delay::Delay>::default(),
        Box::<answers::Answers>::default(),
        Box::<queries::Queries>::default(),
        Box::<sharing::Sharing>::default(),
        Box::<silence::Silence>::default(),
        Box::<backlog::Backlog>::default(),
        Box::<cause::Cause>::default(),
        Box::new(notice::Notice::new(plan)),
        Box::new(recovery::Recovery::new(plan)),
        Box::new(persistent::Persistent::new(plan)),
        Box::<closing::Closing>::default(),
        Box::<panics::Panics>::default(),
        Box::<progress::Progress>::default(),
    ]
}

/// The names of all of them.
pub fn names() -> Vec<&'static str> {
    all(&Plan::from_seed(0)).iter().map(|i| i.name()).collect()
}
