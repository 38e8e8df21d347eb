//! What is known of the peer's signs of life, and who wants to know.
//!
//! Written by the connection's task, read by everybody. The writes are plain stores, once for a
//! batch of messages.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::heartbeat::{self, Silence};
use crate::error::HandlerError;

type Callback = Arc<dyn Fn() + Send + Sync>;

pub(crate) struct Liveness {
    created: Instant,
    /// Nanoseconds after the creation.
    last_seen: AtomicU64,
    /// Nanoseconds. Can be changed.
    timeout: AtomicU64,
    min_timeout: Duration,
    /// Run for each heartbeat that is received. Few connections have any.
    callbacks: OnceLock<Mutex<Vec<Callback>>>,
}

fn nanos(duration: Duration) -> u64 {
    // Six hundred years are as good as for ever.
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Liveness {
    pub(super) fn new(config: heartbeat::Config) -> Self {
        let (timeout, min_timeout) = config.timeouts();
        Self {
            created: Instant::now(),
            last_seen: AtomicU64::new(0),
            timeout: AtomicU64::new(nanos(timeout)),
            min_timeout,
            callbacks: OnceLock::new(),
        }
    }

    /// A sign of life has come.
    pub(super) fn seen(&self, now: Instant) {
        let age = now.saturating_duration_since(self.created);
        self.last_seen.store(nanos(age), Ordering::Relaxed);
    }

    pub(super) fn last_seen(&self) -> Instant {
        self.created + Duration::from_nanos(self.last_seen.load(Ordering::Relaxed))
    }

    /// The timeout in effect (rule C-HB-8).
    pub(super) fn timeout(&self) -> Duration {
        let timeout = Duration::from_nanos(self.timeout.load(Ordering::Relaxed));
        timeout.max(self.min_timeout)
    }

    /// Changes it; that counts as a sign of life (rule C-HB-7).
    pub(super) fn set_timeout(&self, timeout: Duration) {
        self.timeout.store(nanos(timeout), Ordering::Relaxed);
        self.seen(Instant::now());
    }

    pub(super) fn silence(&self) -> Silence {
        Silence {
            last_seen: self.last_seen(),
            timeout: self.timeout(),
        }
    }

    pub(super) fn add_callback(&self, callback: impl Fn() + Send + Sync + 'static) {
        let callbacks = self.callbacks.get_or_init(Mutex::default);
        lock(callbacks).push(Arc::new(callback));
    }

    /// A heartbeat has been received. The callback registered last runs first (rule C-HB-9). One
    /// that panics is logged, and concerns nobody else (decision 5).
    pub(super) fn heartbeat_received(&self, connection: &str) {
        let Some(callbacks) = self.callbacks.get() else {
            return;
        };
        // They are the user's, and run without the lock.
        let callbacks = lock(callbacks).clone();
        for callback in callbacks.iter().rev() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| callback())) {
                let error = HandlerError::from_panic(&*panic);
                tracing::error!(connection, %error, "callback for heartbeats panicked");
            }
        }
    }
}

fn lock(callbacks: &Mutex<Vec<Callback>>) -> MutexGuard<'_, Vec<Callback>> {
    callbacks.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Liveness")
            .field("last_seen", &self.last_seen())
            .field("timeout", &self.timeout())
            .finish_non_exhaustive()
    }
}
