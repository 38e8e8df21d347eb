//! Who listens to a connection's events, and in which order they hear them.
//!
//! Sending a message and telling of it is one step for the listeners: while there are any, it
//! happens under a lock, so that nobody hears of an answer before the query. The lock is taken
//! before any other lock of the connection. A listener may itself send on the connection; what
//! that causes is told after the event that it is just hearing.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rpc_wire::{DescriptionRef, QueryId};

use super::{Event, TracingEvent, TracingEventRef};
use crate::error::HandlerError;

/// What is called for each event.
type Listener = dyn Fn(&TracingEventRef<'_>) + Send + Sync;

/// The listeners of one connection.
#[derive(Default)]
pub(crate) struct Events {
    /// Whether anybody listens: all that an event costs otherwise.
    heard: AtomicBool,
    /// In the order of subscription (rule T-4).
    listeners: Mutex<Listeners>,
    turn: Mutex<()>,
    /// The thread that has the turn, as [`this_thread`] names it; 0 for none.
    teller: AtomicUsize,
    /// What the listeners caused while they were listening.
    pending: Mutex<VecDeque<TracingEvent>>,
}

#[derive(Default)]
struct Listeners {
    all: Arc<[(u64, Arc<Listener>)]>,
    next: u64,
    /// The connection is over: nobody is told anything any more.
    ended: bool,
}

/// Keeps a listener subscribed until it is dropped.
///
/// An event that is being told at that moment on another thread may still be heard.
#[must_use = "dropping the subscription ends it"]
pub struct TracingSubscription {
    events: Weak<Events>,
    key: u64,
}

impl TracingSubscription {
    /// Lets the listener hear until the connection is over.
    pub fn until_the_end(mut self) {
        // So that the drop finds nothing to end.
        self.events = Weak::new();
    }
}

impl Events {
    /// Whether anybody listens.
    #[inline]
    pub(crate) fn are_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Calls `listener` for each event from now until the subscription is dropped or the
    /// connection is over.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        listener: impl Fn(&TracingEventRef<'_>) + Send + Sync + 'static,
    ) -> TracingSubscription {
        let mut listeners = self.listeners();
        let key = listeners.next;
        listeners.next += 1;
        if !listeners.ended {
            let all = listeners.all.iter().cloned();
            let listener: Arc<Listener> = Arc::new(listener);
            listeners.all = all.chain([(key, listener)]).collect();
            self.heard.store(true, Ordering::Relaxed);
        }
        TracingSubscription {
            events: Arc::downgrade(self),
            key,
        }
    }

    /// Takes the turn to send and to tell of it; `None` if nobody listens.
    #[inline]
    pub(crate) fn turn(&self) -> Option<Turn<'_>> {
        self.are_heard().then(|| self.take_turn())
    }

    /// Tells of something that has happened; `event` is asked only if somebody listens.
    #[inline]
    pub(crate) fn tell(
        &self,
        rpc: DescriptionRef<'_>,
        id: QueryId,
        payload_bytes: usize,
        event: impl FnOnce() -> Event,
    ) {
        if let Some(turn) = self.turn() {
            turn.tell(rpc, id, payload_bytes, &event());
        }
    }

    /// The connection is over: the subscriptions end.
    pub(crate) fn end(&self) {
        let mut listeners = self.listeners();
        listeners.ended = true;
        let all = std::mem::take(&mut listeners.all);
        self.heard.store(false, Ordering::Relaxed);
        drop(listeners);
        // What the listeners own is the user's, and so are its destructors.
        drop(all);
    }

    #[cold]
    fn take_turn(&self) -> Turn<'_> {
        let me = this_thread();
        if self.teller.load(Ordering::Relaxed) == me {
            // A listener of ours sends.
            return Turn {
                events: self,
                guard: None,
            };
        }
        let guard = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.teller.store(me, Ordering::Relaxed);
        Turn {
            events: self,
            guard: Some(guard),
        }
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self) -> MutexGuard<'_, VecDeque<TracingEvent>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call_listeners(&self, event: &TracingEventRef<'_>) {
        let all = self.listeners().all.clone();
        for (_, listener) in all.iter() {
            // A failing listener harms nobody else (rule T-5, decision 5).
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| listener(event))) {
                let error = HandlerError::from_panic(&*panic);
                tracing::error!(%event, %error, "tracing listener panicked");
            }
        }
    }
}

/// The right to send and to tell of it, before anybody else does.
pub(crate) struct Turn<'a> {
    events: &'a Events,
    /// `None` within a listener: the turn is taken already.
    guard: Option<MutexGuard<'a, ()>>,
}

impl Turn<'_> {
    #[cold]
    pub(crate) fn tell(
        &self,
        rpc: DescriptionRef<'_>,
        id: QueryId,
        payload_bytes: usize,
        event: &Event,
    ) {
        let event = TracingEventRef {
            event,
            rpc,
            id,
            payload_bytes,
        };
        if self.guard.is_none() {
            self.events.pending().push_back(event.to_event());
            return;
        }
        self.events.call_listeners(&event);
        loop {
            // Not in the loop's condition, where the lock would last through its body.
            let Some(event) = self.events.pending().pop_front() else {
                break;
            };
            self.events.call_listeners(&event.as_ref());
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.guard.is_some() {
            self.events.teller.store(0, Ordering::Relaxed);
        }
    }
}

/// A number that no other living thread has, and that is not 0.
fn this_thread() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

impl Drop for TracingSubscription {
    fn drop(&mut self) {
        let Some(events) = self.events.upgrade() else {
            return;
        };
        let mut listeners = events.listeners();
        let others = listeners.all.iter().filter(|(key, _)| *key != self.key);
        let others: Arc<[_]> = others.cloned().collect();
        let all = std::mem::replace(&mut listeners.all, others);
        events
            .heard
            .store(!listeners.all.is_empty(), Ordering::Relaxed);
        drop(listeners);
        // The listener's destructor is the user's.
        drop(all);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("heard", &self.are_heard())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TracingSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracingSubscription")
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    const RPC: DescriptionRef<'_> = DescriptionRef {
        name: b"echo",
        version: 1,
    };

    type Heard = Arc<Mutex<Vec<(char, usize)>>>;

    fn tell(events: &Events, bytes: usize) {
        events.tell(RPC, QueryId::new(1), bytes, || Event::Sent(Kind::Query));
    }

    fn listen(events: &Arc<Events>, heard: &Heard, name: char) -> TracingSubscription {
        let heard = heard.clone();
        events.subscribe(move |event| heard.lock().unwrap().push((name, event.payload_bytes)))
    }

    /// T-4.
    #[test]
    fn listeners_hear_in_the_order_of_subscription_until_they_are_dropped() {
        let (events, heard) = (Arc::<Events>::default(), Heard::default());
        tell(&events, 0);
        let a = listen(&events, &heard, 'a');
        let b = listen(&events, &heard, 'b');
        tell(&events, 1);
        drop(a);
        tell(&events, 2);
        drop(b);
        assert!(!events.are_heard());
        tell(&events, 3);
        assert_eq!(*heard.lock().unwrap(), [('a', 1), ('b', 1), ('b', 2)]);
    }

    #[test]
    fn nothing_is_heard_after_the_end() {
        let (events, heard) = (Arc::<Events>::default(), Heard::default());
        let before = listen(&events, &heard, 'a');
        events.end();
        let after = listen(&events, &heard, 'b');
        tell(&events, 1);
        assert_eq!(*heard.lock().unwrap(), []);
        drop((before, after));
    }

    /// T-5, decision 5.
    #[test]
    fn panicking_listener_harms_nobody() {
        let (events, heard) = (Arc::<Events>::default(), Heard::default());
        let _bad = events.subscribe(|_| panic!("on purpose"));
        let _good = listen(&events, &heard, 'a');
        tell(&events, 1);
        tell(&events, 2);
        assert_eq!(*heard.lock().unwrap(), [('a', 1), ('a', 2)]);
    }

    #[test]
    fn listener_can_be_left_until_the_end() {
        let (events, heard) = (Arc::<Events>::default(), Heard::default());
        listen(&events, &heard, 'a').until_the_end();
        tell(&events, 1);
        events.end();
        tell(&events, 2);
        assert_eq!(*heard.lock().unwrap(), [('a', 1)]);
        // What the listener owned is gone, and nobody is left who knows the events.
        assert_eq!(Arc::strong_count(&heard), 1);
        assert_eq!(Arc::weak_count(&events), 0);
    }

    #[test]
    fn what_a_listener_causes_is_told_after_what_it_hears() {
        let (events, heard) = (Arc::<Events>::default(), Heard::default());
        let inner = Arc::downgrade(&events);
        let _echo = events.subscribe(move |event| {
            if event.payload_bytes < 3 {
                tell(&inner.upgrade().unwrap(), event.payload_bytes + 1);
            }
        });
        let _listener = listen(&events, &heard, 'a');
        tell(&events, 1);
        assert_eq!(*heard.lock().unwrap(), [('a', 1), ('a', 2), ('a', 3)]);
    }

    #[test]
    fn threads_take_turns() {
        let (events, heard) = (Arc::<Events>::default(), Heard::default());
        let _listener = listen(&events, &heard, 'a');
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|n| tell(&events, n)));
            }
        });
        assert_eq!(heard.lock().unwrap().len(), 400);
    }
}
