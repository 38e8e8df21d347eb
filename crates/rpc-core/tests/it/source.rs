//! Streams of updates for handlers to return.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::mpsc;

/// Set when whoever owns the other half is dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dropped(Arc<AtomicBool>);

/// Tells its [`Dropped`] when it is.
#[derive(Debug)]
pub(crate) struct Guard(Dropped);

impl Dropped {
    pub(crate) fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Updates that are all there at once.
pub(crate) fn iter<I: IntoIterator>(items: I) -> Iter<I::IntoIter> {
    Iter(items.into_iter())
}

#[derive(Debug)]
pub(crate) struct Iter<I>(I);

impl<I: Iterator + Unpin> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.get_mut().0.next())
    }
}

/// 0, 1, 2 … for ever, always ready; counts what was taken from it.
#[derive(Debug)]
pub(crate) struct Endless {
    taken: Arc<AtomicUsize>,
    _guard: Guard,
}

impl Endless {
    pub(crate) fn new(taken: Arc<AtomicUsize>, dropped: &Dropped) -> Self {
        Self {
            taken,
            _guard: dropped.guard(),
        }
    }
}

impl Stream for Endless {
    type Item = i64;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<i64>> {
        let next = self.taken.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(i64::try_from(next).unwrap()))
    }
}

/// Updates that the test sends; ends when its sender is dropped.
#[derive(Debug)]
pub(crate) struct Channel<U> {
    receiver: mpsc::UnboundedReceiver<U>,
    _guard: Guard,
}

impl<U> Channel<U> {
    pub(crate) fn new(dropped: &Dropped) -> (mpsc::UnboundedSender<U>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let channel = Self {
            receiver,
            _guard: dropped.guard(),
        };
        (sender, channel)
    }
}

impl<U> Stream for Channel<U> {
    type Item = U;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<U>> {
        self.get_mut().receiver.poll_recv(cx)
    }
}

/// Updates that the test sends, of which nobody is woken: they are there for whoever asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quiet(Arc<Mutex<VecDeque<i64>>>);

impl Quiet {
    pub(crate) fn send(&self, update: i64) {
        self.0.lock().unwrap().push_back(update);
    }
}

impl Stream for Quiet {
    type Item = i64;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<i64>> {
        match self.0.lock().unwrap().pop_front() {
            Some(update) => Poll::Ready(Some(update)),
            None => Poll::Pending,
        }
    }
}

/// No updates, and no end.
#[derive(Debug)]
pub(crate) struct Never;

impl Stream for Never {
    type Item = i64;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<i64>> {
        Poll::Pending
    }
}
