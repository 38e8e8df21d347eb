//! Who is told of something, and in which order.
//!
//! What happens is noted under the lock of whatever it happens to ([`Listeners::note`], which
//! runs nobody's code), and told when that lock is free ([`Listeners::tell`]). So listeners hear
//! things in the order in which they happened, whoever tells them, and may use what they listen to.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::durable::panic_text;

type Listener<E> = Arc<dyn Fn(&E) + Send + Sync>;

/// The listeners to events `E`.
pub(crate) struct Listeners<E> {
    inner: Mutex<Inner<E>>,
}

struct Inner<E> {
    all: Vec<(u64, Listener<E>)>,
    next: u64,
    last: Option<E>,
    /// What has been noted and not told. As many as happen while one listener runs.
    pending: VecDeque<(Audience, E)>,
    /// Somebody is telling what is pending.
    is_telling: bool,
}

/// Whose keys an event is for.
#[derive(Clone, Copy)]
enum Audience {
    /// Those who had subscribed before it happened.
    Below(u64),
    /// Who has just joined.
    Only(u64),
}

/// Keeps a listener subscribed until it is dropped. An event that is being told at that moment on
/// another thread may still be heard.
#[must_use = "dropping it ends the subscription"]
pub struct Listening {
    unsubscribe: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl<E: Clone + Send + Sync + 'static> Listeners<E> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                all: Vec::new(),
                next: 0,
                last: None,
                pending: VecDeque::new(),
                is_telling: false,
            }),
        })
    }

    /// Something has happened. To be [told](Self::tell).
    pub(crate) fn note(&self, event: E) {
        let mut inner = self.lock();
        let audience = Audience::Below(inner.next);
        inner.last = Some(event.clone());
        inner.pending.push_back((audience, event));
    }

    /// Tells what has been noted, unless somebody else is doing so.
    pub(crate) fn tell(&self) {
        let mut inner = self.lock();
        if std::mem::replace(&mut inner.is_telling, true) {
            return;
        }
        while let Some((audience, event)) = inner.pending.pop_front() {
            let heard = inner.all.iter().filter(|(key, _)| audience.includes(*key));
            let heard: Vec<_> = heard.map(|(_, listener)| listener.clone()).collect();
            drop(inner);
            for listener in heard {
                // A failing listener harms nobody else (rules D-IN-4, P-CY-8).
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| listener(&event))) {
                    tracing::error!(error = panic_text(&*panic), "listener panicked");
                }
            }
            inner = self.lock();
        }
        inner.is_telling = false;
    }

    /// Who joins late is told the last event first.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        listener: impl Fn(&E) + Send + Sync + 'static,
    ) -> Listening {
        let mut inner = self.lock();
        let key = inner.next;
        inner.next += 1;
        inner.all.push((key, Arc::new(listener)));
        if let Some(last) = inner.last.clone() {
            inner.pending.push_back((Audience::Only(key), last));
        }
        drop(inner);
        self.tell();
        let weak = Arc::downgrade(self);
        Listening {
            unsubscribe: Some(Box::new(move || {
                if let Some(listeners) = weak.upgrade() {
                    listeners.unsubscribe(key);
                }
            })),
        }
    }

    fn unsubscribe(&self, key: u64) {
        let mut inner = self.lock();
        let place = inner.all.iter().position(|(each, _)| *each == key);
        let listener = place.map(|place| inner.all.remove(place));
        drop(inner);
        // What the listener owns is the user's, and so are its destructors.
        drop(listener);
    }

    fn lock(&self) -> MutexGuard<'_, Inner<E>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audience {
    const fn includes(self, key: u64) -> bool {
        match self {
            Self::Below(next) => key < next,
            Self::Only(only) => key == only,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(unsubscribe) = self.unsubscribe.take() {
            unsubscribe();
        }
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").finish_non_exhaustive()
    }
}
