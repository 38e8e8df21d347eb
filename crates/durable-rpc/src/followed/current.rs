//! A state, and whether it is still so.

use std::fmt;
use std::ops::Deref;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::monitor::Interruption;

/// The state as it was last known, and whether it still is.
#[derive(Debug)]
pub struct Current<S> {
    state: Option<S>,
    freshness: Freshness,
    streams: u64,
    updates: u64,
}

/// Whether a state is the callee's present one, as far as can be known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Freshness {
    /// Nothing is known yet: the first attempt is being made.
    Awaited {
        /// When the following began.
        since: Instant,
    },
    /// There is a stream, and all that it has brought is in the state.
    Fresh {
        /// When the stream began.
        since: Instant,
    },
    /// There is none.
    Stale {
        /// When the last one was lost; if there has been none, when the following began.
        since: Instant,
        /// What happened last: the loss, or why the latest attempt failed. If an update
        /// [did not fit](crate::Applied::Refused), that stands for the loss of its stream.
        why: Interruption,
    },
}

/// A look at the present state.
///
/// ```text
/// current.state()       None before the first one
/// current.is_fresh()
/// ```
pub struct CurrentRef<'a, S> {
    current: watch::Ref<'a, Current<S>>,
}

impl<S> Current<S> {
    pub(super) const fn unknown(since: Instant) -> Self {
        Self {
            state: None,
            freshness: Freshness::Awaited { since },
            streams: 0,
            updates: 0,
        }
    }

    /// The state as it was last known; `None` before the first one.
    pub const fn state(&self) -> Option<&S> {
        self.state.as_ref()
    }

    /// Whether it still is so, or since when and why not.
    pub const fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// Whether it still is so. There is a state then.
    pub const fn is_fresh(&self) -> bool {
        matches!(self.freshness, Freshness::Fresh { .. })
    }

    /// How many streams have begun: which of them the state is of, from 1.
    pub const fn streams(&self) -> u64 {
        self.streams
    }

    /// How many updates of its stream are in the state.
    pub const fn updates(&self) -> u64 {
        self.updates
    }

    pub(super) const fn state_mut(&mut self) -> Option<&mut S> {
        self.state.as_mut()
    }

    /// So many more updates are in the state.
    pub(super) const fn count(&mut self, updates: u64) {
        self.updates += updates;
    }

    /// A stream has begun; the state before, which is to be dropped elsewhere.
    pub(super) fn begin(&mut self, state: S, since: Instant) -> Option<S> {
        self.freshness = Freshness::Fresh { since };
        self.streams += 1;
        self.updates = 0;
        self.state.replace(state)
    }

    /// The stream is lost, or none could be made.
    pub(super) fn stop(&mut self, now: Instant, why: Interruption) {
        let since = match self.freshness {
            // The loss of a stream that brought what does not fit says less than that.
            Freshness::Stale {
                why: Interruption::Refused(_),
                ..
            } if why.is_loss() => return,
            Freshness::Fresh { .. } => now,
            Freshness::Awaited { since } | Freshness::Stale { since, .. } => since,
        };
        self.freshness = Freshness::Stale { since, why };
    }
}

impl<'a, S> CurrentRef<'a, S> {
    pub(super) const fn new(current: watch::Ref<'a, Current<S>>) -> Self {
        Self { current }
    }
}

impl<S> Deref for CurrentRef<'_, S> {
    type Target = Current<S>;

    fn deref(&self) -> &Current<S> {
        &self.current
    }
}

impl<S: fmt::Debug> fmt::Debug for CurrentRef<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
