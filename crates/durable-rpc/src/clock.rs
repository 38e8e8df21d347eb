//! The clock by which delays and limits are measured.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// What tells the time and waits for it (rule D-SU-2). Only the given clock counts
/// (rule D-RA-9).
///
/// [`TokioClock`] is the default. Another one is for tests and simulations that do not use
/// tokio's paused clock:
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use durable_rpc::Clock;
/// use tokio::sync::watch;
/// use tokio::time::Instant;
///
/// /// Stands still until it is set.
/// #[derive(Clone)]
/// struct SetByHand(watch::Sender<Instant>);
///
/// impl Clock for SetByHand {
///     fn now(&self) -> Instant {
///         *self.0.borrow()
///     }
///
///     fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
///         let mut time = self.0.subscribe();
///         async move {
///             if time.wait_for(|now| *now >= deadline).await.is_err() {
///                 // The clock is gone, and with it the time.
///                 std::future::pending().await
///             }
///         }
///     }
/// }
/// # let clock = SetByHand(watch::Sender::new(Instant::now()));
/// # let _config = durable_rpc::Config::new(std::time::Duration::from_secs(1)).clock(clock);
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The time now. Must not go backwards.
    fn now(&self) -> Instant;

    /// Waits until [`now`](Self::now) is `deadline` or later.
    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + 'static;
}

/// Tokio's clock, which tests can pause. Its timers have a resolution of a millisecond.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
        tokio::time::sleep_until(deadline)
    }
}

/// Longer than anybody waits, and short enough to be added to any time.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

pub(crate) type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A clock of any type.
#[derive(Clone)]
pub(crate) struct AnyClock(Arc<dyn Erased>);

trait Erased: Send + Sync {
    fn now(&self) -> Instant;
    fn timer(&self, deadline: Instant) -> Timer;
}

impl<C: Clock> Erased for C {
    fn now(&self) -> Instant {
        Clock::now(self)
    }

    fn timer(&self, deadline: Instant) -> Timer {
        Box::pin(self.sleep_until(deadline))
    }
}

impl AnyClock {
    pub(crate) fn new(clock: impl Clock) -> Self {
        Self(Arc::new(clock))
    }

    pub(crate) fn now(&self) -> Instant {
        self.0.now()
    }

    pub(crate) fn timer(&self, deadline: Instant) -> Timer {
        self.0.timer(deadline)
    }

    /// The end of a span of time that begins now.
    pub(crate) fn after(&self, span: Duration) -> Instant {
        let now = self.now();
        now.checked_add(span).unwrap_or_else(|| now + FOREVER)
    }
}

impl fmt::Debug for AnyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
