//! Streams of updates on their way through a conversion.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::conversion::{Conversion, ConversionError, Unconvertible, Version};

/// A stream with a function applied to each of its items.
pub(crate) struct Map<St, F> {
    updates: St,
    convert: F,
}

impl<St, F> Map<St, F> {
    pub(crate) const fn new(updates: St, convert: F) -> Self {
        Self { updates, convert }
    }
}

impl<St, F> Unpin for Map<St, F> {}

impl<St: Stream + Unpin, F: FnMut(St::Item) -> V, V> Stream for Map<St, F> {
    type Item = V;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<V>> {
        let this = self.get_mut();
        let update = ready!(Pin::new(&mut this.updates).poll_next(cx));
        Poll::Ready(update.map(&mut this.convert))
    }
}

/// What a raw form made of a pipe. If it panics, that is its last element.
pub(crate) struct Guarded<St> {
    updates: Option<Pin<Box<St>>>,
    version: Version,
    conversion: Conversion,
}

impl<St> Guarded<St> {
    pub(crate) fn new(updates: St, version: Version, conversion: Conversion) -> Self {
        Self {
            updates: Some(Box::pin(updates)),
            version,
            conversion,
        }
    }
}

impl<U, St: Stream<Item = Result<U, Unconvertible>>> Stream for Guarded<St> {
    type Item = Result<U, ConversionError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(updates) = &mut this.updates else {
            return Poll::Ready(None);
        };
        let polled = catch_unwind(AssertUnwindSafe(|| updates.as_mut().poll_next(cx)));
        let failed = |cause| ConversionError::new(this.conversion, this.version, cause);
        match polled {
            Ok(polled) => polled.map(|update| update.map(|update| update.map_err(failed))),
            Err(panic) => {
                this.updates = None;
                let cause = Unconvertible::from_panic(&*panic);
                let error = ConversionError::new(this.conversion, this.version, cause);
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}
