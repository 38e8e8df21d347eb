//! Streams of updates: from an iterator, at once or paced.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The items of an iterator as a stream.
pub(super) struct Updates<I> {
    items: I,
    pace: Option<Interval>,
    at_the_end: AtTheEnd,
    /// Dropped with the stream.
    _kept: Option<Box<dyn Send>>,
}

/// What follows the last item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtTheEnd {
    /// The end of the stream.
    End,
    /// Nothing.
    Hold,
}

impl<I> Updates<I> {
    /// All items at once, and then the end.
    pub(super) fn new(items: I) -> Self {
        Self {
            items,
            pace: None,
            at_the_end: AtTheEnd::End,
            _kept: None,
        }
    }

    /// The first item at once, the others so much later than the one before; at least 1 ms. Needs
    /// a tokio runtime.
    pub(super) fn every(mut self, duration: Duration) -> Self {
        let mut pace = interval(duration.max(Duration::from_millis(1)));
        // A caller that was slow does not get them all at once afterwards.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.pace = Some(pace);
        self
    }

    /// What follows the last item.
    pub(super) fn at_the_end(mut self, at_the_end: AtTheEnd) -> Self {
        self.at_the_end = at_the_end;
        self
    }

    /// Keeps a value as long as the stream exists.
    pub(super) fn keeping(mut self, value: impl Send + 'static) -> Self {
        self._kept = Some(Box::new(value));
        self
    }
}

impl<I: Iterator + Unpin> Stream for Updates<I> {
    type Item = I::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        let this = self.get_mut();
        if let Some(pace) = &mut this.pace {
            ready!(pace.poll_tick(cx));
        }
        match (this.items.next(), this.at_the_end) {
            (None, AtTheEnd::Hold) => Poll::Pending,
            (item, _) => Poll::Ready(item),
        }
    }
}

impl<I> fmt::Debug for Updates<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates")
            .field("pace", &self.pace)
            .field("at_the_end", &self.at_the_end)
            .finish_non_exhaustive()
    }
}
