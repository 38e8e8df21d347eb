//! The calls whose queries are, or have been, in the buffer.

use std::sync::Arc;

use rpc_wire::QueryId;

use crate::connection::waiting::{NewCalls, Receiver};

/// Bytes for which a write of their own is worth it.
const WORTH_A_WRITE: usize = 16 * 1024;

/// Queries that have one answer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Ever.
    made: u64,
    /// Who waits for the answers, until the connection's task takes them into its table.
    new: NewCalls,
    /// Those in the buffer.
    unsent: u64,
    /// How many seem to be open at a time: the most when the connection's task took the buffer, of late.
    window: u64,
}

impl Calls {
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    #[inline]
    pub(super) fn add(&mut self, id: QueryId, receiver: Arc<dyn Receiver>) {
        self.made += 1;
        self.unsent += 1;
        self.new.push(id, receiver);
    }

    /// Whether those in the buffer, which has so many bytes, are to be sent before more are made: they
    /// are half of those that are open at a time, and many of the others have been answered. So many
    /// have been by now.
    #[inline]
    pub(super) fn are_worth_a_write(&self, buffered: usize, answered: u64) -> bool {
        let open = self.made.saturating_sub(answered);
        buffered >= WORTH_A_WRITE
            && self.unsent >= self.window / 2
            && open + self.window / 4 < self.window
    }

    /// The buffer has been taken; so many calls have been answered by now.
    pub(super) fn are_sent(&mut self, answered: u64) {
        if self.unsent == 0 {
            return;
        }
        self.unsent = 0;
        let open = self.made.saturating_sub(answered);
        self.window = open.max(self.window - self.window.div_ceil(64));
    }

    /// Exchanges those that are new for `empty`.
    pub(super) fn take_new(&mut self, empty: &mut NewCalls) {
        std::mem::swap(&mut self.new, empty);
    }

    /// Gives back the room that only a busy connection needs, and forgets how busy it was.
    pub(super) fn give_back_room(&mut self) {
        // The connection's task has just fetched them.
        self.new.shrink_to_fit();
        self.window = 0;
    }
}
