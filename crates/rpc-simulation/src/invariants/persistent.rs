//! A persistent connection tells what happens in its order, attempts no more often than its delay,
//! and no less.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::fact::{Fact, Kept, Moment};
use crate::names::DurableName;
use crate::plan::{Kind, Plan};

/// Timers have whole milliseconds, and are rounded up.
const ROUNDING: Duration = Duration::from_millis(2);

/// Rules P-CY-1 to P-CY-3, P-CY-6 and P-CY-7.
#[derive(Debug)]
pub(super) struct Persistent {
    connections: BTreeMap<DurableName, Connection>,
    closing: bool,
}

#[derive(Debug)]
struct Connection {
    /// The least and the longest delay.
    delays: (Duration, Duration),
    stage: Stage,
    /// What was told in this cycle last.
    error: Option<String>,
    address: Option<u32>,
    /// When the last attempt began.
    attempted: Option<Duration>,
    /// When the next attempt has to begin, unless the one before goes on.
    due: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Disconnected,
    Attempting,
    /// An attempt has succeeded.
    Made,
    Connected,
}

impl Persistent {
    pub(super) fn new(plan: &Plan) -> Self {
        let names = (0..).map(DurableName);
        let connections = names.zip(&plan.durables).filter_map(|(name, plan)| {
            let Kind::Persists { retry_delay, exact } = plan.kind else {
                return None;
            };
            let spread = if exact { 0.0 } else { 0.3 };
            let delays = (
                retry_delay.mul_f64(1.0 - spread),
                retry_delay.mul_f64(1.0 + spread),
            );
            Some((name, Connection::new(delays)))
        });
        Self {
            connections: connections.collect(),
            closing: false,
        }
    }
}

impl Connection {
    fn new(delays: (Duration, Duration)) -> Self {
        Self {
            delays,
            stage: Stage::Disconnected,
            error: None,
            address: None,
            attempted: None,
            // Rule P-CY-1.
            due: Some(ROUNDING),
        }
    }

    fn start(&mut self, at: Duration) -> Result<(), String> {
        let since = self.attempted.replace(at).map(|before| at - before);
        if since.is_some_and(|since| since < self.delays.0) {
            return Err(format!("attempts {since:?} after the attempt before"));
        }
        self.due = None;
        Ok(())
    }

    /// The next attempt begins when the timer is over, which began with the last attempt.
    fn wait(&mut self, at: Duration) {
        let timer = self.attempted.unwrap_or_default() + self.delays.1;
        self.due = Some(timer.max(at) + ROUNDING);
    }

    fn tell(&mut self, at: Duration, kept: &Kept) -> Result<(), String> {
        let next = match (self.stage, kept) {
            (Stage::Disconnected, Kept::Attempting) => {
                (self.error, self.address) = (None, None);
                Stage::Attempting
            }
            (Stage::Attempting, Kept::Address(address)) if self.address != Some(*address) => {
                self.address = Some(*address);
                Stage::Attempting
            }
            (Stage::Attempting | Stage::Made, Kept::Failed(error))
                if self.error.as_ref() != Some(error) =>
            {
                self.error = Some(error.clone());
                self.wait(at);
                Stage::Attempting
            }
            (Stage::Made, Kept::Connected) => Stage::Connected,
            (Stage::Connected, Kept::Disconnected) => {
                self.wait(at);
                Stage::Disconnected
            }
            (stage, kept) => return Err(format!("tells {kept:?} when {stage:?}")),
        };
        self.stage = next;
        Ok(())
    }
}

impl Invariant for Persistent {
    fn name(&self) -> &'static str {
        "persistent"
    }

    fn see(&mut self, at: Duration, fact: &Fact) -> Result<(), String> {
        for (name, connection) in &self.connections {
            if !self.closing && connection.due.is_some_and(|due| due < at) {
                return Err(format!(
                    "{name} does not attempt, due at {:?}",
                    connection.due
                ));
            }
        }
        let (name, result) = match fact {
            Fact::ConnectStarted(name) => {
                let Some(connection) = self.connections.get_mut(name) else {
                    return Err(format!("{name} is not persistent"));
                };
                (name, connection.start(at))
            }
            Fact::ConnectEnded(name, result) => {
                if let Some(connection) = self.connections.get_mut(name) {
                    match result {
                        Ok(_) => connection.stage = Stage::Made,
                        // The same error again is not told.
                        Err(_) => connection.wait(at),
                    }
                }
                (name, Ok(()))
            }
            Fact::Persistent(name, kept) => {
                let Some(connection) = self.connections.get_mut(name) else {
                    return Err(format!("{name} is not persistent"));
                };
                (name, connection.tell(at, kept))
            }
            // They are closed afterwards.
            Fact::Census(census) if census.moment == Moment::SubscriptionsClosed => {
                self.closing = true;
                return Ok(());
            }
            _ => return Ok(()),
        };
        result.map_err(|text| format!("{name} {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_timed;
    use super::*;
    use crate::names::LinkName;

    const NAME: DurableName = DurableName(0);

    /// With an exact delay of a second; times in milliseconds.
    fn events(facts: &[(u64, Fact)], last_is_right: bool) {
        let second = Duration::from_secs(1);
        let connection = Connection::new((second, second));
        let persistent = Persistent {
            connections: BTreeMap::from([(NAME, connection)]),
            closing: false,
        };
        let facts: Vec<_> = facts
            .iter()
            .map(|(millis, fact)| (Duration::from_millis(*millis), fact.clone()))
            .collect();
        check_timed(persistent, &facts, last_is_right);
    }

    fn tells(kept: Kept) -> Fact {
        Fact::Persistent(NAME, kept)
    }

    fn cycle_until_failure() -> Vec<(u64, Fact)> {
        vec![
            (0, tells(Kept::Attempting)),
            (0, Fact::ConnectStarted(NAME)),
            (0, tells(Kept::Address(1))),
            (400, Fact::ConnectEnded(NAME, Err("no".to_owned()))),
            (400, tells(Kept::Failed("no".to_owned()))),
        ]
    }

    #[test]
    fn attempts_keep_their_distance() {
        let started = Fact::ConnectStarted(NAME);
        for (at, is_right) in [(999, false), (1_000, true), (1_002, true), (1_003, false)] {
            let next = [(at, started.clone())];
            events(&[&cycle_until_failure()[..], &next].concat(), is_right);
        }
    }

    #[test]
    fn what_is_told_follows_the_cycle() {
        let begun = &cycle_until_failure()[..];
        let connected = [
            (1_000, Fact::ConnectStarted(NAME)),
            (1_100, Fact::ConnectEnded(NAME, Ok(LinkName(0)))),
            (1_100, tells(Kept::Connected)),
            (9_000, tells(Kept::Disconnected)),
            (9_000, tells(Kept::Attempting)),
            (9_000, Fact::ConnectStarted(NAME)),
        ];
        events(&[begun, &connected].concat(), true);
        events(&[begun, &[(500, tells(Kept::Connected))]].concat(), false);
        events(&[begun, &[(500, tells(Kept::Attempting))]].concat(), false);
        // Rule P-CY-3.
        let again = [(500, tells(Kept::Failed("no".to_owned())))];
        events(&[begun, &again].concat(), false);
        events(&[begun, &[(500, tells(Kept::Address(1)))]].concat(), false);
        events(&[begun, &[(500, tells(Kept::Address(2)))]].concat(), true);
    }

    #[test]
    fn a_lost_connection_is_made_again_at_once() {
        let connected = [
            (1_000, Fact::ConnectStarted(NAME)),
            (1_100, Fact::ConnectEnded(NAME, Ok(LinkName(0)))),
            (1_100, tells(Kept::Connected)),
            (9_000, tells(Kept::Disconnected)),
            (9_003, Fact::Calm),
        ];
        events(&[&cycle_until_failure()[..], &connected].concat(), false);
    }
}
