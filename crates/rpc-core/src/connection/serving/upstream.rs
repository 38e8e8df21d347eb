//! Where the values of a served stream come from, and how closing asks for what is ready there.
//!
//! A source says by waking its task that it has more. Between that and the task's next turn the
//! value is ready and nobody has it, and a source need not even have noticed. So a connection that
//! is about to end asks every source once more, and waits until each has been asked (rule
//! C-CL-12, step 3).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// What a stream's pump and its connection know of each other.
#[derive(Debug, Default)]
pub(crate) struct Upstream {
    /// Whether the source is to be asked. Set under the lock, while a pump runs.
    asked: AtomicBool,
    pump: Mutex<Pump>,
}

#[derive(Debug, Default)]
enum Pump {
    /// The handler has not returned a source yet, or its end has come.
    #[default]
    None,
    /// The task that it runs in, once it has slept.
    Running(Option<Waker>),
}

impl Upstream {
    fn lock(&self) -> MutexGuard<'_, Pump> {
        self.pump.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is a source, and a pump that asks it now.
    pub(crate) fn start(&self) {
        *self.lock() = Pump::Running(None);
    }

    /// Makes the pump ask its source once more. Until it has, `busy` is one higher.
    pub(super) fn ask(&self, busy: &AtomicUsize) {
        let pump = self.lock();
        let Pump::Running(waker) = &*pump else { return };
        if self.asked.load(Ordering::Relaxed) {
            return;
        }
        busy.fetch_add(1, Ordering::SeqCst);
        self.asked.store(true, Ordering::Release);
        let waker = waker.clone();
        drop(pump);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether the source is to be asked; the one who is told does it.
    #[inline]
    pub(crate) fn take_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed) && self.asked.swap(false, Ordering::AcqRel)
    }

    /// The pump sleeps in the task of this waker, from now on and until it says otherwise. Whether
    /// it has been asked before that was known.
    pub(crate) fn sleep_in(&self, waker: &Waker) -> bool {
        *self.lock() = Pump::Running(Some(waker.clone()));
        self.asked.load(Ordering::Acquire)
    }

    /// There is no source any more. Whether it was still to be asked.
    pub(crate) fn finish(&self) -> bool {
        *self.lock() = Pump::None;
        self.take_asked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever is told that a source was asked gives `busy` back, and nobody is told twice.
    #[test]
    fn each_question_is_taken_once() {
        let busy = AtomicUsize::new(0);
        let upstream = Upstream::default();
        upstream.ask(&busy);
        assert!(!upstream.take_asked(), "there is no source yet");
        upstream.start();
        upstream.ask(&busy);
        upstream.ask(&busy);
        assert_eq!(busy.load(Ordering::Relaxed), 1);
        assert!(upstream.take_asked());
        assert!(!upstream.take_asked());
        upstream.ask(&busy);
        assert!(upstream.sleep_in(Waker::noop()));
        assert!(upstream.finish());
        assert_eq!(busy.load(Ordering::Relaxed), 2);
        upstream.ask(&busy);
        assert!(!upstream.finish());
        assert_eq!(busy.load(Ordering::Relaxed), 2);
    }
}
