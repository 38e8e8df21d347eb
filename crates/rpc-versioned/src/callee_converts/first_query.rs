//! Telling that a version is in use, when the first query of it comes.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::registered::Registered;

/// Whom to tell.
pub(crate) type OnNewVersion = Arc<dyn Fn(&Registered) + Send + Sync>;

/// Of one version, in one set of implementations (rule V-CE-2): so for all of their connections.
#[expect(
    unnameable_types,
    reason = "part of a sealed trait, so that it can change"
)]
pub struct FirstQuery {
    rpc: Registered,
    was_there: AtomicBool,
    on_new_version: Option<OnNewVersion>,
}

impl FirstQuery {
    pub(super) const fn new(rpc: Registered, on_new_version: Option<OnNewVersion>) -> Self {
        Self {
            rpc,
            was_there: AtomicBool::new(false),
            on_new_version,
        }
    }

    /// A query has come.
    #[inline]
    pub(super) fn note(&self) {
        if let Some(on_new_version) = &self.on_new_version {
            self.tell(on_new_version);
        }
    }

    /// Tells, the first time. A callback that panics is logged, and the query is answered all the same.
    // Apart from `note`, which is in the way of every query, and mostly has nobody to tell.
    #[inline(never)]
    fn tell(&self, on_new_version: &OnNewVersion) {
        // Read first: that costs nothing when several threads do it.
        if self.was_there.load(Ordering::Relaxed) || self.was_there.swap(true, Ordering::Relaxed) {
            return;
        }
        let told = catch_unwind(AssertUnwindSafe(|| on_new_version(&self.rpc)));
        if told.is_err() {
            tracing::error!(rpc = ?self.rpc, "callback for new versions panicked");
        }
    }
}

impl fmt::Debug for FirstQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FirstQuery").field(&self.rpc).finish()
    }
}
