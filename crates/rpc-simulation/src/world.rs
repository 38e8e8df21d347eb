//! Where everything that happens is told: kept as the trace, and judged by the invariants.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::fact::Fact;
use crate::invariants::Invariant;

/// A fact and when it was told, since the beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Since the beginning.
    pub at: Duration,
    /// What.
    pub fact: Fact,
}

/// An invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: &'static str,
    /// When that was found, since the beginning.
    pub at: Duration,
    /// In what way.
    pub text: String,
}

/// The trace, and who judges it. Cheap to clone; the clones share it.
#[derive(Clone)]
pub struct World {
    start: Instant,
    inner: Arc<Mutex<Inner>>,
    violated: Arc<Notify>,
}

struct Inner {
    trace: Vec<Entry>,
    invariants: Vec<Box<dyn Invariant>>,
    violation: Option<Violation>,
}

impl World {
    /// An empty trace, beginning now.
    pub fn new(invariants: Vec<Box<dyn Invariant>>) -> Self {
        Self {
            start: Instant::now(),
            inner: Arc::new(Mutex::new(Inner {
                trace: Vec::new(),
                invariants,
                violation: None,
            })),
            violated: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened, now. Only the first violation counts, and nothing after it is told.
    pub fn tell(&self, fact: Fact) {
        let at = self.now();
        let inner = &mut *self.lock();
        if inner.violation.is_some() {
            return;
        }
        for invariant in &mut inner.invariants {
            if let Err(text) = invariant.see(at, &fact) {
                inner.violation = Some(Violation {
                    invariant: invariant.name(),
                    at,
                    text,
                });
                self.violated.notify_one();
                break;
            }
        }
        inner.trace.push(Entry { at, fact });
    }

    /// Time since the beginning.
    pub fn now(&self) -> Duration {
        Instant::now() - self.start
    }

    /// The moment so long after the beginning.
    pub fn instant(&self, at: Duration) -> Instant {
        self.start + at
    }

    /// Waits for the first violation.
    pub async fn violated(&self) {
        self.violated.notified().await;
    }

    /// The trace so far, and what was found.
    pub fn take(&self) -> (Vec<Entry>, Option<Violation>) {
        let mut inner = self.lock();
        (std::mem::take(&mut inner.trace), inner.violation.take())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} s  {}", self.at.as_secs_f64(), self.fact)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_secs_f64();
        write!(f, "{}, at {at:.3} s: {}", self.invariant, self.text)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}
