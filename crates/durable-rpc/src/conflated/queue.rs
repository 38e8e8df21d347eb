//! The events between a subscription and its consumer: those of at most one round.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::event::Event;

pub(super) struct Queue<S, U, E, M> {
    bound: usize,
    inner: Mutex<Inner<S, U, E, M>>,
}

struct Inner<S, U, E, M> {
    /// At most `bound` updates, and the other events of one round.
    events: VecDeque<Event<S, U, E, M>>,
    updates: usize,
    /// The last event that was put in ended its round.
    is_round_over: bool,
    /// No event will be put in any more.
    is_ended: bool,
    consumer: Option<Waker>,
    /// Waits for room.
    producer: Option<Waker>,
}

/// An update for which there is no place.
pub(super) struct Full<U>(pub(super) U);

/// The consumer wants no more.
pub(super) struct Ended;

impl<S, U, E, M> Queue<S, U, E, M> {
    pub(super) fn new(bound: NonZeroUsize) -> Self {
        Self {
            bound: bound.get(),
            inner: Mutex::new(Inner {
                events: VecDeque::new(),
                updates: 0,
                is_round_over: false,
                is_ended: false,
                consumer: None,
                producer: None,
            }),
        }
    }

    pub(super) fn updates(&self) -> usize {
        self.lock().updates
    }

    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Event<S, U, E, M>>> {
        let mut inner = self.lock();
        let Some(event) = inner.events.pop_front() else {
            if inner.is_ended {
                return Poll::Ready(None);
            }
            inner.consumer = Some(cx.waker().clone());
            return Poll::Pending;
        };
        inner.updates -= usize::from(matches!(event, Event::Update(_)));
        let producer = if inner.has_room(self.bound) {
            inner.producer.take()
        } else {
            None
        };
        drop(inner);
        if let Some(producer) = producer {
            producer.wake();
        }
        Poll::Ready(Some(event))
    }

    /// Waits until the round is taken, if it is over; and until there is room for an update, if
    /// `for_update` says so.
    pub(super) fn poll_room(
        &self,
        for_update: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Ended>> {
        let mut inner = self.lock();
        if inner.is_ended {
            return Poll::Ready(Err(Ended));
        }
        let bound = if for_update { self.bound } else { usize::MAX };
        if inner.has_room(bound) {
            return Poll::Ready(Ok(()));
        }
        inner.producer = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn put(&self, event: Event<S, U, E, M>) -> Result<(), Full<U>> {
        let mut inner = self.lock();
        if inner.is_ended {
            drop(inner);
            return Ok(());
        }
        inner.is_round_over = match event {
            Event::Update(update) if inner.updates >= self.bound => return Err(Full(update)),
            Event::Update(_) => {
                inner.updates += 1;
                false
            }
            Event::AttemptingNewConnection | Event::ConnectionSuccess(_) | Event::State(_) => false,
            Event::LostConnection | Event::FailedToConnect(_) | Event::RpcError(_) => true,
        };
        inner.events.push_back(event);
        let consumer = inner.consumer.take();
        drop(inner);
        if let Some(consumer) = consumer {
            consumer.wake();
        }
        Ok(())
    }

    /// The update that was put in last, if it is still there; to be put back.
    pub(super) fn take_last(&self) -> Option<U> {
        let mut inner = self.lock();
        match inner.events.pop_back() {
            Some(Event::Update(update)) => {
                inner.updates -= 1;
                Some(update)
            }
            Some(other) => {
                inner.events.push_back(other);
                None
            }
            None => None,
        }
    }

    /// Drops the updates that nobody has taken; their number.
    pub(super) fn drop_updates(&self) -> usize {
        let mut inner = self.lock();
        // They are the last ones: what began their stream comes before, and its end after them.
        let first = inner.events.len() - inner.updates;
        let dropped = inner.events.split_off(first);
        inner.updates = 0;
        drop(inner);
        dropped.len()
    }

    /// The producer is gone.
    pub(super) fn end(&self) {
        let mut inner = self.lock();
        inner.is_ended = true;
        let consumer = inner.consumer.take();
        drop(inner);
        if let Some(consumer) = consumer {
            consumer.wake();
        }
    }

    /// The consumer wants no more.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.is_ended = true;
        inner.updates = 0;
        let dropped = std::mem::take(&mut inner.events);
        drop(inner);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Inner<S, U, E, M>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S, U, E, M> Inner<S, U, E, M> {
    fn has_room(&self, bound: usize) -> bool {
        self.events.is_empty() || (!self.is_round_over && self.updates < bound)
    }
}
