//! What the peer may cause on this side: the settings.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use super::Config;
use crate::connection::admission::QueryRate;
use crate::connection::limit::LimitsMet;

/// The settings of this file.
#[derive(Clone, Debug)]
pub(crate) struct Allowed {
    pub(crate) open_queries: usize,
    pub(crate) served_streams: usize,
    pub(crate) query_rate: Option<QueryRate>,
    pub(crate) peer_metadata: usize,
    pub(crate) handshake: Option<Duration>,
    pub(crate) met: Arc<LimitsMet>,
}

impl Default for Allowed {
    fn default() -> Self {
        Self {
            open_queries: 65_536,
            served_streams: 65_536,
            query_rate: None,
            peer_metadata: 4 * 1024 * 1024,
            handshake: None,
            met: Arc::default(),
        }
    }
}

impl Config {
    /// How many of the peer's queries may be in the hands of handlers that have not finished, on
    /// one connection; streams count as long as a task produces them. Default 65,536; ours.
    ///
    /// A query beyond it is *refused*: its handler does not run, and it is answered with
    /// `Uncaught_exn`, which names the limit. A one-way message is dropped. The connection goes
    /// on, and so do aborts. A handler that is ready at once takes no place, but needs one to be
    /// free. One that is done keeps its place until its task was cleared away, a moment after its
    /// answer. Each open query costs the memory of its handler's future, and some hundred bytes.
    #[must_use]
    pub fn max_open_queries(mut self, most: NonZeroUsize) -> Self {
        self.allowed.open_queries = most.get();
        self
    }

    /// How many streams may be served to the peer at once on one connection, of every kind and
    /// however they are produced. Default 65,536; ours. A query for one more is refused, as
    /// [above](Self::max_open_queries).
    #[must_use]
    pub fn max_served_streams(mut self, most: NonZeroUsize) -> Self {
        self.allowed.served_streams = most.get();
        self
    }

    /// How many queries the peer may begin per second on one connection: `burst` at once, and
    /// `per_second` in the long run. Default: any number; ours. A query beyond it is refused, as
    /// [above](Self::max_open_queries); reading does not slow down, since responses and
    /// heartbeats come the same way.
    ///
    /// With a rate the clock is asked for every query.
    #[must_use]
    pub fn max_query_rate(mut self, per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        self.allowed.query_rate = Some(QueryRate::new(per_second, burst));
        self
    }

    /// The most bytes in which the peer may introduce itself: its identification and its menu
    /// together. Default 4 MiB, enough for a menu of 40,000 RPCs with their digests; ours. Beyond
    /// it there is no connection, and the peer is told. No memory is taken before the bytes have
    /// arrived.
    #[must_use]
    pub fn max_peer_metadata(mut self, bytes: usize) -> Self {
        self.allowed.peer_metadata = bytes;
        self
    }

    /// How long the peer may take for both [steps](Self::handshake_timeout) of the handshake
    /// together. Default: twice the limit of a step, which is what the two may take anyway
    /// (rule C-HS-20): 60 s if that is the default, too; ours.
    /// [Validation](Self::validation_timeout) comes afterwards, and has a limit of its own.
    #[must_use]
    pub fn handshake_deadline(mut self, time: Duration) -> Self {
        self.allowed.handshake = Some(time);
        self
    }

    /// The limit in effect.
    pub(in crate::connection) fn whole_handshake(&self) -> Duration {
        let (step, whole) = (self.handshake_timeout, self.allowed.handshake);
        whole.unwrap_or_else(|| step.saturating_mul(2))
    }

    /// How often each limit was met, on all connections with a copy of this configuration.
    pub fn limits_met(&self) -> &Arc<LimitsMet> {
        &self.allowed.met
    }

    /// The same configuration with counts of its own, from nothing.
    #[must_use]
    pub fn with_own_counts(mut self) -> Self {
        self.allowed.met = Arc::default();
        self
    }
}
