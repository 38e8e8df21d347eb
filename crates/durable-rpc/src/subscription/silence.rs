//! The limit on the silence within a stream.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{AnyClock, Timer};

/// Notices that a stream has brought nothing for too long.
pub(super) struct Silence {
    limit: Duration,
    /// When the stream brought something last.
    heard: Instant,
    /// Armed while somebody waits. It may have been set before the stream was last heard, and is
    /// then set again when it expires: an update does not touch it.
    timer: Option<Timer>,
}

impl Silence {
    pub(super) fn new(limit: Duration, clock: &AnyClock) -> Self {
        Self {
            limit,
            heard: clock.now(),
            timer: None,
        }
    }

    /// The stream has brought something.
    pub(super) fn heard(&mut self, clock: &AnyClock) {
        self.heard = clock.now();
    }

    /// To be asked when the stream has nothing: then nothing has arrived since it was last heard,
    /// since otherwise it would be waiting there.
    pub(super) fn poll_too_long(&mut self, clock: &AnyClock, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = clock.now();
            let left = self.limit.saturating_sub(now - self.heard);
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
