//! Where the handlers of one RPC run, one after the other: their futures are of one type, and what
//! was allocated for the first serves them all.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A place for one future at a time.
pub(super) struct Slot<F>(Option<Pin<Box<Option<F>>>>);

/// How far a future has come without suspending.
pub(super) enum Ran<T, P: ?Sized> {
    Over(T),
    Suspended(Occupied<P>),
}

/// A place that a suspended future has taken along.
pub(super) struct Occupied<P: ?Sized>(Pin<Box<P>>);

/// What may be in a place.
pub(super) trait Place {
    type Output;

    fn poll_in_place(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output>;
}

impl<F> Default for Slot<F> {
    fn default() -> Self {
        Self(None)
    }
}

impl<F: Future> Slot<F> {
    /// Runs a future as far as it goes without suspending. One that is over is dropped before this
    /// returns.
    #[inline]
    pub(super) fn run(&mut self, future: F) -> Ran<F::Output, Option<F>> {
        let mut place = match self.0.take() {
            Some(mut place) => {
                place.set(Some(future));
                place
            }
            None => Box::pin(Some(future)),
        };
        let mut now = Context::from_waker(Waker::noop());
        match place.as_mut().poll_in_place(&mut now) {
            Poll::Ready(result) => {
                place.set(None);
                self.0 = Some(place);
                Ran::Over(result)
            }
            Poll::Pending => Ran::Suspended(Occupied(place)),
        }
    }
}

impl<F: Future> Place for Option<F> {
    type Output = F::Output;

    #[inline]
    fn poll_in_place(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.as_pin_mut() {
            Some(future) => future.poll(cx),
            // Only a slot empties a place, when it has it back.
            None => Poll::Pending,
        }
    }
}

impl<P: Place + ?Sized> Future for Occupied<P> {
    type Output = P::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<P::Output> {
        self.get_mut().0.as_mut().poll_in_place(cx)
    }
}

impl<F: Future + Send + 'static> Occupied<Option<F>> {
    /// The same, apart from the future's type.
    pub(super) fn erased(self) -> Occupied<dyn Place<Output = F::Output> + Send> {
        Occupied(self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn future_that_is_over_is_gone_and_one_that_is_not_takes_its_place_along() {
        // As many more as there are futures.
        let alive = Arc::new(());
        let mut slot = Slot::default();
        let future = |polls: u32| {
            // Held by the future itself, not by what it has left behind when it is over.
            let (held, mut left) = (alive.clone(), polls);
            poll_fn(move |_| {
                let _held = &held;
                left -= 1;
                if left == 0 {
                    Poll::Ready(polls)
                } else {
                    Poll::Pending
                }
            })
        };
        for _ in 0..3 {
            assert!(matches!(slot.run(future(1)), Ran::Over(1)));
            assert_eq!(Arc::strong_count(&alive), 1);
        }
        let Ran::Suspended(mut suspended) = slot.run(future(2)) else {
            unreachable!()
        };
        let Ran::Suspended(other) = slot.run(future(3)) else {
            unreachable!()
        };
        let mut other = other.erased();
        assert!(matches!(slot.run(future(1)), Ran::Over(1)));
        assert_eq!(Arc::strong_count(&alive), 3);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(Pin::new(&mut suspended).poll(&mut cx), Poll::Ready(2));
        drop(suspended);
        assert_eq!(Arc::strong_count(&alive), 2);
        assert_eq!(Pin::new(&mut other).poll(&mut cx), Poll::Pending);
        assert_eq!(Pin::new(&mut other).poll(&mut cx), Poll::Ready(3));
        drop(other);
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
