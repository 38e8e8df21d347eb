//! What a server publishes, how it answers just now, and the streams that feed on it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use rpc_core::HandlerError;

use super::feed::Feed;
use crate::fact::Fact;
use crate::names::{LinkName, ServerName, StreamName, SubscriptionName};
use crate::panics::INJECTED;
use crate::wire_types::{Question, Snapshot};
use crate::world::World;

/// Numbers that nothing else in the simulation has.
#[derive(Debug, Default)]
pub struct Numbers {
    streams: AtomicI64,
    errors: AtomicU64,
}

/// What can be wrong with a server's answers for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// User errors.
    UserErrors,
    /// Errors and panics of handlers.
    Raises,
    /// None at all.
    Hangs,
    /// Streams end at once.
    EndsAtOnce,
    /// Nothing is published.
    Stuck,
    /// Those who connect get no handshake.
    Mute,
}

pub(super) struct Source {
    name: ServerName,
    pub(super) world: World,
    numbers: Arc<Numbers>,
    inner: Mutex<Inner>,
}

struct Inner {
    published: i64,
    /// Streams opened before are to end, or to be garbled.
    ends: u64,
    garbles: u64,
    /// Those that last, as often as they overlap.
    faults: Vec<Fault>,
    wakers: Vec<Waker>,
}

/// What a feed finds when it asks.
pub(super) enum Asked {
    Ended,
    Garbled,
    Number(i64),
}

impl Source {
    pub(super) fn new(name: ServerName, world: World, numbers: Arc<Numbers>) -> Self {
        Self {
            name,
            world,
            numbers,
            inner: Mutex::new(Inner {
                published: 1_000,
                ends: 0,
                garbles: 0,
                faults: Vec::new(),
                wakers: Vec::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let wakers = {
            let mut inner = self.lock();
            change(&mut inner);
            std::mem::take(&mut inner.wakers)
        };
        for waker in wakers {
            waker.wake();
        }
    }

    pub(super) fn published(&self) -> i64 {
        self.lock().published
    }

    pub(super) fn publish(&self, count: i64) {
        self.change(|inner| {
            if !inner.has(Fault::Stuck) {
                inner.published += count;
            }
        });
    }

    pub(super) fn end_streams(&self) {
        self.change(|inner| inner.ends += 1);
    }

    pub(super) fn garble(&self) {
        self.change(|inner| inner.garbles += 1);
    }

    pub(super) fn set_fault(&self, fault: Fault, begins: bool) {
        self.change(|inner| {
            if begins {
                inner.faults.push(fault);
            } else if let Some(index) = inner.faults.iter().position(|other| *other == fault) {
                inner.faults.swap_remove(index);
            }
        });
    }

    pub(super) fn has_fault(&self, fault: Fault) -> bool {
        self.lock().has(fault)
    }

    /// Answers a query for a stream.
    pub(super) async fn agree(
        self: Arc<Self>,
        link: LinkName,
        question: Question,
    ) -> Result<Result<(Snapshot, Feed), String>, HandlerError> {
        self.asked(question);
        self.answers().await;
        let raises = self.lock().has(Fault::Raises);
        if raises && question.subscription.is_multiple_of(2) {
            return Err(HandlerError::new(INJECTED));
        }
        assert!(!raises, "{INJECTED}");
        if self.lock().has(Fault::UserErrors) {
            return Ok(Err(self.refuse(question)));
        }
        let stream = self.next_stream();
        let subscription = SubscriptionName(question.subscription);
        self.world
            .tell(Fact::StreamOpened(stream, subscription, link));
        let number = self.published();
        let snapshot = Snapshot {
            stream: stream.0,
            number,
        };
        let (ends, garbles) = {
            let inner = self.lock();
            let at_once = u64::from(inner.has(Fault::EndsAtOnce));
            (inner.ends.wrapping_sub(at_once), inner.garbles)
        };
        Ok(Ok((
            snapshot,
            Feed::new(self, stream, number, ends, garbles),
        )))
    }

    fn asked(&self, question: Question) {
        let subscription = SubscriptionName(question.subscription);
        self.world
            .tell(Fact::Asked(self.name, subscription, question.is_intact()));
    }

    fn refuse(&self, question: Question) -> String {
        let number = self.numbers.errors.fetch_add(1, Ordering::Relaxed);
        let subscription = SubscriptionName(question.subscription);
        self.world.tell(Fact::Refused(subscription, number));
        number.to_string()
    }

    fn next_stream(&self) -> StreamName {
        StreamName(self.numbers.streams.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits until it answers at all.
    async fn answers(&self) {
        std::future::poll_fn(|cx| {
            let mut inner = self.lock();
            if inner.has(Fault::Hangs) {
                inner.wakers.push(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    /// What a feed that was born at these counts has to do; or it is woken when there is something.
    pub(super) fn poll(
        &self,
        cx: &Context<'_>,
        ends: u64,
        garbles: &mut u64,
        position: i64,
    ) -> Poll<Asked> {
        let mut inner = self.lock();
        if inner.ends != ends {
            return Poll::Ready(Asked::Ended);
        }
        if inner.garbles != *garbles {
            *garbles = inner.garbles;
            return Poll::Ready(Asked::Garbled);
        }
        if position < inner.published {
            return Poll::Ready(Asked::Number(position + 1));
        }
        inner.wakers.push(cx.waker().clone());
        Poll::Pending
    }
}

impl Inner {
    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}
