//! Who keeps the connection's task from handling further messages.
//!
//! What waits inside message handling holds up everything behind it on the same connection
//! (rule C-BP-1): the next message is handled when the last hold is gone. Meanwhile heartbeats
//! are sent, and the output is written.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Shared;

/// Counts the holds on one connection's reading.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    holds: AtomicUsize,
}

impl Gate {
    /// Whether no further message is to be handled for now.
    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        self.holds.load(Ordering::Acquire) > 0
    }
}

/// While this exists, its connection handles no further message.
pub(crate) struct Hold {
    shared: Arc<Shared>,
}

impl Hold {
    /// Stops reading after the message that is being handled.
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        shared.gate.holds.fetch_add(1, Ordering::AcqRel);
        Self {
            shared: shared.clone(),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.shared.gate.holds.fetch_sub(1, Ordering::AcqRel) == 1 {
            // The task looks at the gate again after it has parked, so that this cannot be
            // missed.
            self.shared.output.wake_task();
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}
