//! What a subscription is doing, for logs and status pages.

mod display;
mod stats;

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tracing::Span;

use crate::clock::AnyClock;
use crate::event::AttemptError;

pub use stats::Stats;

/// What a subscription is doing. It advances as the subscription's events are handed out.
///
/// ```text
/// NotStarted ─► Attempting ─► Subscribed ─► Waiting ─► Attempting …    Closed, from anywhere
///                    └──────────────────────► Waiting, or GaveUp
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Status {
    /// Nobody has asked for an event yet.
    NotStarted,
    /// An attempt is being made.
    Attempting {
        /// When it began.
        since: Instant,
    },
    /// A stream is open.
    Subscribed {
        /// When the callee had agreed to it.
        since: Instant,
    },
    /// The delay before the next attempt passes, or has passed and nobody has asked for an event.
    Waiting {
        /// When the stream was lost or the attempt failed.
        since: Instant,
        /// When the next attempt may begin.
        until: Instant,
        /// What happened.
        after: Interruption,
    },
    /// The subscription is over, since its policy allows no more attempts.
    GaveUp {
        /// Since when.
        since: Instant,
        /// What happened last.
        after: Interruption,
    },
    /// The subscription was closed by its consumer.
    Closed,
}

/// Why a subscription has no stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Interruption {
    /// The stream ended, for whatever reason. Its metadata may know more.
    Lost,
    /// The stream was silent for longer than [`Config::silence_limit`](crate::Config::silence_limit).
    Silent,
    /// This side ended the stream: [`Subscription::resubscribe`](crate::Subscription::resubscribe).
    Resubscribed,
    /// The consumer was too slow for the [bound](crate::Subscription::conflated) on the updates
    /// that wait for it.
    Overflowed {
        /// How many updates it did not get, of those that had been taken from the stream.
        dropped_updates: usize,
    },
    /// An update [did not fit](crate::Applied::Refused) the state.
    Refused(Arc<dyn Error + Send + Sync>),
    /// The attempt failed.
    FailedToConnect(AttemptError),
    /// The callee answered with its own error.
    RpcError,
}

/// Tells what a subscription is doing, wherever that is being consumed. Cheap to clone, and
/// does not keep the subscription going.
///
/// `Display` shows it as one line:
///
/// ```text
/// prices version 2: subscribed for 3.2 s; attempts 2, losses 1, updates 1204, connected 93 s
/// prices version 2: next attempt in 0.8 s after: connection refused; attempts 7, losses 1, …
/// ```
#[derive(Clone)]
pub struct Monitor {
    shared: Arc<Shared>,
}

struct Shared {
    name: Arc<str>,
    clock: AnyClock,
    span: Span,
    /// Written by the subscription alone, for each update.
    updates: AtomicU64,
    told: Mutex<Told>,
}

struct Told {
    status: Status,
    /// Without the updates, and without the time of the present stream.
    stats: Stats,
}

impl Interruption {
    /// Whether a stream has ended, rather than an attempt to get one.
    pub(crate) const fn is_loss(&self) -> bool {
        match self {
            Self::Lost
            | Self::Silent
            | Self::Resubscribed
            | Self::Overflowed { .. }
            | Self::Refused(_) => true,
            Self::FailedToConnect(_) | Self::RpcError => false,
        }
    }
}

impl Monitor {
    pub(crate) fn new(name: Arc<str>, clock: AnyClock) -> Self {
        let told = Told {
            status: Status::NotStarted,
            stats: Stats::default(),
        };
        let shared = Shared {
            span: tracing::info_span!("durable_subscription", name = &*name),
            name,
            clock,
            updates: AtomicU64::new(0),
            told: Mutex::new(told),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// What the subscription is called.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What it is doing.
    pub fn status(&self) -> Status {
        self.told().status.clone()
    }

    /// What has happened so far.
    pub fn stats(&self) -> Stats {
        let told = self.told();
        let mut stats = told.stats;
        stats.updates = self.shared.updates.load(Ordering::Relaxed);
        if let Status::Subscribed { since } = told.status {
            stats.connected += self.shared.clock.now() - since;
        }
        stats
    }

    pub(crate) fn clock(&self) -> &AnyClock {
        &self.shared.clock
    }

    /// That of the subscription's life.
    pub(crate) fn span(&self) -> &Span {
        &self.shared.span
    }

    #[inline]
    pub(crate) fn updates(&self, count: u64) {
        // Only one thread at a time has the subscription.
        let updates = self.shared.updates.load(Ordering::Relaxed);
        self.shared
            .updates
            .store(updates + count, Ordering::Relaxed);
    }

    /// An update did not fit. The loss of its stream is told of by itself.
    pub(crate) fn refused(&self) {
        self.told().stats.refused += 1;
    }

    pub(crate) fn attempting(&self, since: Instant) {
        let mut told = self.told();
        told.stats.attempts += 1;
        told.status = Status::Attempting { since };
        let attempt = told.stats.attempts;
        drop(told);
        tracing::debug!(parent: self.span(), attempt, "attempting new connection");
    }

    pub(crate) fn subscribed(&self, since: Instant) {
        let mut told = self.told();
        told.stats.successes += 1;
        told.status = Status::Subscribed { since };
        drop(told);
        tracing::info!(parent: self.span(), "subscribed");
    }

    /// The stream is lost, or the attempt failed; `until` is when the next one may be made, if
    /// any may.
    pub(crate) fn interrupted(&self, since: Instant, until: Option<Instant>, why: Interruption) {
        let mut told = self.told();
        if let Status::Subscribed { since: began } = told.status {
            told.stats.connected += since - began;
        }
        told.stats.count(&why);
        let after = why.clone();
        told.status = match until {
            Some(until) => Status::Waiting {
                since,
                until,
                after,
            },
            None => Status::GaveUp { since, after },
        };
        drop(told);
        let has_given_up = until.is_none();
        tracing::info!(parent: self.span(), %why, has_given_up, "no subscription");
    }

    pub(crate) fn closed(&self) {
        let mut told = self.told();
        if matches!(told.status, Status::Closed | Status::GaveUp { .. }) {
            return;
        }
        if let Status::Subscribed { since } = told.status {
            told.stats.connected += self.shared.clock.now() - since;
        }
        told.status = Status::Closed;
        drop(told);
        tracing::info!(parent: self.span(), "closed");
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        let told = self.shared.told.lock();
        told.unwrap_or_else(PoisonError::into_inner)
    }
}
