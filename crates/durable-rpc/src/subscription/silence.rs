//! The limit on the silence within a stream.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{AnyClock, Timer};

/// Notices that somebody has waited in vain for too long.
///
/// Only waiting counts. While the consumer is busy, a stream whose client
/// [pushes back](rpc_core::PipeRpc::client_pushes_back) is not read, however much its callee says;
/// once somebody waits, whatever arrives is taken.
pub(super) struct Silence {
    limit: Duration,
    /// When somebody began to wait for the next update.
    waiting_since: Option<Instant>,
    /// Armed while somebody waits. It may have been set for an update that came meanwhile, and is
    /// then set again when it expires: an update does not touch it.
    timer: Option<Timer>,
}

impl Silence {
    pub(super) const fn new(limit: Duration) -> Self {
        Self {
            limit,
            waiting_since: None,
            timer: None,
        }
    }

    /// The stream has brought something.
    pub(super) const fn heard(&mut self) {
        self.waiting_since = None;
    }

    /// To be asked when the stream has nothing. From the first time on, nothing arrives unnoticed,
    /// also if whoever waits gives up for a while.
    pub(super) fn poll_too_long(&mut self, clock: &AnyClock, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = clock.now();
            let since = *self.waiting_since.get_or_insert(now);
            let left = self.limit.saturating_sub(now - since);
            if left.is_zero() {
                return Poll::Ready(());
            }
            let timer = self
                .timer
                .get_or_insert_with(|| clock.timer(clock.after(left)));
            ready!(timer.as_mut().poll(cx));
            self.timer = None;
        }
    }
}
