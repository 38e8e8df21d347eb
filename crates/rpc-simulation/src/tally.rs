//! What happened, in numbers: so that one can see that something did.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use crate::fact::{Fact, Seen};
use crate::world::Entry;

/// Counts of facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The time that passed in the simulation.
    pub simulated: Duration,
    /// All facts.
    pub facts: u64,
    /// What the adversary did.
    pub actions: u64,
    /// Subscriptions.
    pub subscriptions: u64,
    /// Connections of the network.
    pub links: u64,
    /// Attempts.
    pub attempts: u64,
    /// Streams, as their consumers saw them begin.
    pub successes: u64,
    /// Updates that consumers got.
    pub updates: u64,
    /// States that were followed.
    pub followed: u64,
    /// Losses.
    pub losses: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Attempts that were answered with a user error.
    pub user_errors: u64,
}

impl Tally {
    /// Counts the facts of a trace.
    pub fn of(trace: &[Entry]) -> Self {
        let mut tally = Self {
            simulated: trace.last().map_or(Duration::ZERO, |entry| entry.at),
            facts: trace.len() as u64,
            ..Self::default()
        };
        for entry in trace {
            let count = match &entry.fact {
                Fact::Acted(_) => &mut tally.actions,
                Fact::Subscribed(_) => &mut tally.subscriptions,
                Fact::LinkOpened(..) => &mut tally.links,
                Fact::Saw(_, Seen::Attempting) => &mut tally.attempts,
                Fact::Saw(_, Seen::Success(_)) => &mut tally.successes,
                Fact::Saw(_, Seen::Update { .. }) => &mut tally.updates,
                Fact::Saw(_, Seen::Current { .. }) => &mut tally.followed,
                Fact::Saw(_, Seen::Lost) => &mut tally.losses,
                Fact::Saw(_, Seen::Failed(_)) | Fact::NotSubscribed(..) => &mut tally.failures,
                Fact::Saw(_, Seen::RpcError(_)) => &mut tally.user_errors,
                _ => continue,
            };
            *count += 1;
        }
        tally
    }

    fn rows(&self) -> [(&'static str, u64); 11] {
        [
            ("facts", self.facts),
            ("actions of the adversary", self.actions),
            ("subscriptions", self.subscriptions),
            ("connections", self.links),
            ("attempts", self.attempts),
            ("streams", self.successes),
            ("updates", self.updates),
            ("followed states", self.followed),
            ("losses", self.losses),
            ("failed attempts", self.failures),
            ("user errors", self.user_errors),
        ]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.simulated += other.simulated;
        self.facts += other.facts;
        self.actions += other.actions;
        self.subscriptions += other.subscriptions;
        self.links += other.links;
        self.attempts += other.attempts;
        self.successes += other.successes;
        self.updates += other.updates;
        self.followed += other.followed;
        self.losses += other.losses;
        self.failures += other.failures;
        self.user_errors += other.user_errors;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.simulated.as_secs_f64() / 3600.0;
        write!(f, "{hours:>14.1} hours simulated")?;
        for (what, count) in self.rows() {
            write!(f, "\n{count:>14} {what}")?;
        }
        Ok(())
    }
}
