//! What has happened in the life of a subscription, counted.

use std::time::Duration;

use super::Interruption;

/// Counts since a subscription was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Attempts that were begun.
    pub attempts: u64,
    /// Attempts that led to a stream.
    pub successes: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Attempts that the callee answered with its own error.
    pub rpc_errors: u64,
    /// Streams that were lost, the silent ones and those that this side ended included.
    pub losses: u64,
    /// Streams that were lost because they were silent for too long.
    pub silences: u64,
    /// Updates that were handed out.
    pub updates: u64,
    /// Updates that had been taken from their stream for a consumer who was too slow, which did not
    /// get them, and was told so: [`Interruption::Overflowed`]. What the callee has sent beyond them
    /// is not known.
    pub dropped_updates: u64,
    /// Updates that [did not fit](crate::Applied::Refused) the state that they were for. Counted at
    /// once, and never forgotten, whatever happens next.
    pub refused: u64,
    /// For how long there was a stream, the present one included.
    pub connected: Duration,
}

impl Stats {
    pub(super) fn count(&mut self, why: &Interruption) {
        match why {
            Interruption::FailedToConnect(_) => self.failures += 1,
            Interruption::RpcError => self.rpc_errors += 1,
            Interruption::Silent => {
                self.losses += 1;
                self.silences += 1;
            }
            Interruption::Overflowed { dropped_updates } => {
                self.losses += 1;
                self.dropped_updates += *dropped_updates as u64;
            }
            Interruption::Lost | Interruption::Resubscribed | Interruption::Refused(_) => {
                self.losses += 1;
            }
        }
    }
}
