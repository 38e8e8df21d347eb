//! Folds what happens to a followed state into what a view shows and a summary tells.
//!
//! A pure fold: times come in as the span since the watching began. Whatever a server sends, it
//! holds a bounded amount.

use std::collections::VecDeque;
use std::time::Duration;

use super::event::{Event, EventKind, Log};
use super::history::Histories;
use super::summary::{Loss, Summary};
use super::text;
use crate::host::snapshot::Snapshot;

/// Everything that is known of one watched host.
///
/// Call the method for each thing that happens, in this order:
///
/// ```text
/// (attempting (failed | connected advanced* refused? lost))*
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Monitor {
    server: String,
    status: Status,
    state: Option<Snapshot>,
    histories: Histories,
    log: Log,
    connections: u32,
    /// Of the current or last connection.
    applied_here: u64,
    applied: u64,
    refused: u64,
    losses: VecDeque<Loss>,
    losses_forgotten: usize,
    recovered: bool,
}

/// Whether there is a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// There is one, and the state is up to date.
    Connected {
        /// Since when.
        since: Duration,
    },
    /// There is none, and the state, if any, is the last one that was seen.
    Disconnected(Outage),
}

/// A time without a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    /// When the connection was lost, or the watching began.
    pub(crate) since: Duration,
    /// Why there is no connection.
    pub(crate) cause: OutageCause,
    /// How many attempts were begun to make one.
    pub(crate) attempts: u32,
    /// What is being done about it.
    pub(crate) phase: OutagePhase,
    /// Why the last attempt that failed did; safe to show.
    pub(crate) last_failure: Option<String>,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutageCause {
    /// There was none yet.
    NeverConnected,
    /// The last one was lost.
    Lost,
}

/// What is being done about an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutagePhase {
    /// Nothing at the moment: the next attempt comes later.
    Waiting,
    /// An attempt is on its way.
    Attempting,
}

impl Monitor {
    /// How many losses a summary lists.
    pub(crate) const MAX_LOSSES: usize = 1024;

    /// Nothing has happened yet. `server` is how the watched server is called to the user.
    pub(crate) fn new(server: &str) -> Self {
        Self {
            server: text::clean(server, MAX_TEXT),
            status: Status::Disconnected(Outage {
                since: Duration::ZERO,
                cause: OutageCause::NeverConnected,
                attempts: 0,
                phase: OutagePhase::Waiting,
                last_failure: None,
            }),
            state: None,
            histories: Histories::default(),
            log: Log::default(),
            connections: 0,
            applied_here: 0,
            applied: 0,
            refused: 0,
            losses: VecDeque::new(),
            losses_forgotten: 0,
            recovered: false,
        }
    }

    /// Something happened outside that the user may want to know.
    pub(crate) fn note(&mut self, now: Duration, note: &str) {
        self.record(now, EventKind::Note(text::clean(note, MAX_TEXT)));
    }

    /// An attempt to connect begins.
    pub(crate) fn attempting(&mut self, now: Duration) {
        let outage = self.outage_at(now);
        outage.attempts = outage.attempts.saturating_add(1);
        outage.phase = OutagePhase::Attempting;
        let attempt = outage.attempts;
        self.record(now, EventKind::Attempting { attempt });
    }

    /// The attempt failed: the server cannot be reached, or refused the subscription.
    pub(crate) fn failed(&mut self, now: Duration, message: &str) {
        let reason = text::clean(message, MAX_TEXT);
        let outage = self.outage_at(now);
        outage.phase = OutagePhase::Waiting;
        outage.last_failure = Some(reason.clone());
        let attempt = outage.attempts;
        self.record(now, EventKind::Failed { attempt, reason });
    }

    /// There is a connection, and `snapshot` is its state.
    pub(crate) fn connected(&mut self, now: Duration, snapshot: Snapshot) {
        if let (Status::Disconnected(outage), Some(loss)) = (&self.status, self.losses.back_mut()) {
            loss.back_at = Some(now);
            loss.attempts = outage.attempts;
        }
        self.status = Status::Connected { since: now };
        self.connections = self.connections.saturating_add(1);
        self.applied_here = 0;
        let (connection, sequence) = (self.connections, snapshot.sequence);
        self.record(
            now,
            EventKind::Connected {
                connection,
                sequence,
            },
        );
        self.histories.push(&snapshot);
        self.state = Some(snapshot);
    }

    /// So many updates of this connection came; `snapshot` is the state with them.
    pub(crate) fn advanced(&mut self, now: Duration, snapshot: &Snapshot, applied: u64) {
        let updates = self.log.updates_at(now);
        updates.until = now;
        updates.applied += applied;
        updates.sequence = snapshot.sequence;
        self.applied_here += applied;
        self.applied += applied;
        if let Some(loss) = self.losses.back_mut() {
            loss.applied_after += applied;
            self.recovered = true;
        }
        self.histories.push(snapshot);
        self.state = Some(snapshot.clone());
    }

    /// An update came that does not belong to the state. It is counted, and
    /// [`Summary::check_held`] will be false.
    pub(crate) fn refused_update(&mut self, now: Duration, reason: &str) {
        let updates = self.log.updates_at(now);
        updates.until = now;
        updates.refused += 1;
        updates
            .first_refusal
            .get_or_insert_with(|| text::clean(reason, MAX_TEXT));
        self.refused += 1;
    }

    /// The connection was lost.
    pub(crate) fn lost(&mut self, now: Duration) {
        self.status = Status::Disconnected(Outage {
            since: now,
            cause: OutageCause::Lost,
            attempts: 0,
            phase: OutagePhase::Waiting,
            last_failure: None,
        });
        self.histories.push_gap();
        let (connection, applied) = (self.connections, self.applied_here);
        self.record(
            now,
            EventKind::Lost {
                connection,
                applied,
            },
        );
        if self.losses.len() == Self::MAX_LOSSES {
            self.losses.pop_front();
            self.losses_forgotten += 1;
        }
        self.losses.push_back(Loss {
            at: now,
            applied_before: applied,
            back_at: None,
            attempts: 0,
            applied_after: 0,
        });
    }

    /// How the watched server is called; safe to show.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Whether there is a connection.
    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    /// The last state that was seen; up to date only while connected.
    pub(crate) fn state(&self) -> Option<&Snapshot> {
        self.state.as_ref()
    }

    /// The last values of what is drawn as a graph.
    pub(crate) fn histories(&self) -> &Histories {
        &self.histories
    }

    /// What happened.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// How many connections there were, with the current one.
    pub(crate) fn connections(&self) -> u32 {
        self.connections
    }

    /// How many updates were applied, over all connections.
    pub(crate) fn applied(&self) -> u64 {
        self.applied
    }

    /// How many updates were refused, over all connections.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// How many connections were lost.
    pub(crate) fn losses(&self) -> usize {
        self.losses.len() + self.losses_forgotten
    }

    /// What happened until now, to be printed at the end.
    pub(crate) fn summary(&self, now: Duration) -> Summary {
        Summary {
            server: self.server.clone(),
            watched: now,
            log: self.log.clone(),
            losses: self.losses.iter().cloned().collect(),
            losses_forgotten: self.losses_forgotten,
            applied: self.applied,
            refused: self.refused,
            recovered: self.recovered,
        }
    }

    /// The outage that is going on. An attempt tells that the connection was lost, should nobody
    /// have said so before.
    fn outage_at(&mut self, now: Duration) -> &mut Outage {
        if matches!(self.status, Status::Connected { .. }) {
            self.lost(now);
        }
        match &mut self.status {
            Status::Disconnected(outage) => outage,
            Status::Connected { .. } => unreachable!("`lost` ends the connection"),
        }
    }

    fn record(&mut self, at: Duration, kind: EventKind) {
        self.log.push(Event { at, kind });
    }
}

/// How much of a message or a name is kept, in characters.
const MAX_TEXT: usize = 200;

#[cfg(test)]
mod tests;
