//! Events as a stream, for those who would rather wait than be called.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::{Events, TracingEvent, TracingEventRef, TracingSubscription};

/// One item of [`TracingEvents`].
#[derive(Clone, Debug, PartialEq)]
pub enum Traced {
    /// What happened.
    Event(TracingEvent),
    /// So many events happened here that were not kept, because the stream was not read.
    Lost(u64),
}

/// A connection's events, in order: a [`Stream`] that ends with the connection.
///
/// It keeps a fixed number of events that nobody has read yet. Those beyond are lost, and the
/// stream says how many were lost and where.
pub struct TracingEvents {
    queue: Arc<Mutex<Queue>>,
    _subscription: TracingSubscription,
}

struct Queue {
    items: VecDeque<Traced>,
    capacity: usize,
    waker: Option<Waker>,
    ended: bool,
}

/// The listener's end. Its drop, when the connection is over, ends the stream.
struct Source(Arc<Mutex<Queue>>);

impl TracingEvents {
    pub(crate) fn new(events: &Arc<Events>, capacity: NonZeroUsize) -> Self {
        let queue = Arc::new(Mutex::new(Queue {
            items: VecDeque::new(),
            capacity: capacity.get(),
            waker: None,
            ended: false,
        }));
        let source = Source(queue.clone());
        Self {
            queue,
            _subscription: events.subscribe(move |event| source.push(*event)),
        }
    }

    /// The next event; `None` once the connection is over and everything was read.
    ///
    /// # Cancel safety
    /// No event is lost by dropping the future.
    pub async fn next(&mut self) -> Option<Traced> {
        std::future::poll_fn(|cx| self.poll_traced(cx)).await
    }

    fn poll_traced(&self, cx: &Context<'_>) -> Poll<Option<Traced>> {
        let mut queue = lock(&self.queue);
        match queue.items.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None if queue.ended => Poll::Ready(None),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Source {
    fn push(&self, event: TracingEventRef<'_>) {
        let mut queue = lock(&self.0);
        let full = queue.items.len() >= queue.capacity;
        match queue.items.back_mut() {
            Some(Traced::Lost(lost)) if full => *lost += 1,
            _ if full => queue.items.push_back(Traced::Lost(1)),
            _ => queue.items.push_back(Traced::Event(event.to_event())),
        }
        let waker = queue.waker.take();
        drop(queue);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let mut queue = lock(&self.0);
        queue.ended = true;
        let waker = queue.waker.take();
        drop(queue);
        waker.into_iter().for_each(Waker::wake);
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream for TracingEvents {
    type Item = Traced;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Traced>> {
        self.poll_traced(cx)
    }
}

impl fmt::Debug for TracingEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracingEvents").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rpc_wire::{DescriptionRef, QueryId};

    use super::super::{Event, Kind};
    use super::*;

    const RPC: DescriptionRef<'_> = DescriptionRef {
        name: b"echo",
        version: 1,
    };

    fn tell(events: &Events, bytes: usize) {
        events.tell(RPC, QueryId::new(1), bytes, || Event::Sent(Kind::Query));
    }

    fn bytes(traced: Option<Traced>) -> Result<usize, Option<u64>> {
        match traced {
            Some(Traced::Event(event)) => Ok(event.payload_bytes),
            Some(Traced::Lost(lost)) => Err(Some(lost)),
            None => Err(None),
        }
    }

    #[tokio::test]
    async fn says_what_it_lost_and_where() {
        let events = Arc::<Events>::default();
        let mut stream = TracingEvents::new(&events, NonZeroUsize::new(3).unwrap());
        (0..10).for_each(|n| tell(&events, n));
        assert_eq!(bytes(stream.next().await), Ok(0));
        assert_eq!(bytes(stream.next().await), Ok(1));
        tell(&events, 10);
        assert_eq!(bytes(stream.next().await), Ok(2));
        assert_eq!(bytes(stream.next().await), Err(Some(7)));
        assert_eq!(bytes(stream.next().await), Ok(10));
        events.end();
        assert_eq!(bytes(stream.next().await), Err(None));
    }

    #[tokio::test]
    async fn wakes_for_an_event_and_for_the_end() {
        let events = Arc::<Events>::default();
        let mut stream = TracingEvents::new(&events, NonZeroUsize::MIN);
        let reader = tokio::spawn(async move {
            let first = bytes(stream.next().await);
            (first, bytes(stream.next().await))
        });
        tokio::task::yield_now().await;
        tell(&events, 5);
        tokio::task::yield_now().await;
        events.end();
        assert_eq!(reader.await.unwrap(), (Ok(5), Err(None)));
    }
}
