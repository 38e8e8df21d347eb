//! How far a stream has come, and who waits for it.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use crate::connection::gate::Hold;
use crate::error::DispatchError;
use crate::pipe::PipeCloseReason;
use crate::pipe::sink::Sink;

/// The state, while its lock is held.
pub(in crate::pipe) struct Locked<'a, S: Sink, E> {
    pub(super) state: MutexGuard<'a, State<S, E>>,
    pub(super) open: &'a AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipe) enum Stage {
    Opening,
    Unwanted,
    Open,
    Ending,
    Over,
}

/// The callee's answer to the query: an initial value, the user's error, or the failure of the
/// call.
pub(in crate::pipe) type Answer<T, E> = Result<Result<T, E>, DispatchError>;

pub(in crate::pipe) struct State<S: Sink, E> {
    pub(super) stage: Stage,
    pub(super) answer: Option<Answer<S::Initial, E>>,
    pub(super) answer_taken: bool,
    pub(in crate::pipe) kept: S::Kept,
    /// While the connection waits for what is kept to be taken.
    pub(in crate::pipe) hold: Option<Hold>,
    pub(in crate::pipe) close_reason: Option<PipeCloseReason>,
    /// Why this side ended the stream, if not because the user wanted that.
    pub(super) induced: Option<DispatchError>,
    /// The callee has been asked to end the stream since it started.
    pub(super) aborted: bool,
    /// The user's task, waiting for the answer or for updates.
    waker: Option<Waker>,
    close_wakers: Vec<Waker>,
}

impl<S: Sink, E> Deref for Locked<'_, S, E> {
    type Target = State<S, E>;

    fn deref(&self) -> &State<S, E> {
        &self.state
    }
}

impl<S: Sink, E> DerefMut for Locked<'_, S, E> {
    fn deref_mut(&mut self) -> &mut State<S, E> {
        &mut self.state
    }
}

impl<S: Sink, E> Drop for Locked<'_, S, E> {
    fn drop(&mut self) {
        self.open
            .store(self.state.stage == Stage::Open, Ordering::Relaxed);
    }
}

/// Who is to be woken, once the lock is free.
pub(in crate::pipe) struct Sleepers {
    user: Option<Waker>,
    closing: Vec<Waker>,
}

impl Sleepers {
    pub(in crate::pipe) fn wake(self) {
        self.user.into_iter().for_each(Waker::wake);
        self.closing.into_iter().for_each(Waker::wake);
    }
}

impl<S: Sink, E> State<S, E> {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Opening,
            answer: None,
            answer_taken: false,
            kept: S::Kept::default(),
            hold: None,
            close_reason: None,
            induced: None,
            aborted: false,
            waker: None,
            close_wakers: Vec::new(),
        }
    }

    pub(in crate::pipe) fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    pub(super) fn wait_for_the_end(&mut self, cx: &Context<'_>) {
        let wakers = &mut self.close_wakers;
        if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            wakers.push(cx.waker().clone());
        }
    }

    /// Everybody who waits. They have to ask again before they are woken again, so a batch of
    /// updates costs one wake-up.
    pub(in crate::pipe) fn sleepers(&mut self) -> Sleepers {
        Sleepers {
            user: self.waker.take(),
            closing: match self.close_reason {
                Some(_) => std::mem::take(&mut self.close_wakers),
                None => Vec::new(),
            },
        }
    }

    /// The first cause counts (rule R-SC-21).
    pub(in crate::pipe) fn end(&mut self, reason: PipeCloseReason) {
        self.close_reason.get_or_insert(reason);
    }

    /// The user has enough of an open stream. Whether the callee is to be told.
    pub(in crate::pipe) fn close(&mut self) -> bool {
        if self.stage != Stage::Open {
            return false;
        }
        self.stage = Stage::Ending;
        !std::mem::replace(&mut self.aborted, true)
    }

    /// Ends an open stream because of an error of this side's. Whether the callee is to be told.
    pub(super) fn break_off(&mut self, error: &DispatchError) -> bool {
        self.induced = Some(error.clone());
        self.end(PipeCloseReason::Error(error.clone()));
        self.close()
    }

    /// What is of no use without a user: to be dropped when the lock is free, since destructors
    /// are the user's, and letting go of a connection takes a lock.
    pub(in crate::pipe) fn take_unwanted(&mut self) -> (S::Kept, Option<Hold>) {
        (std::mem::take(&mut self.kept), self.hold.take())
    }
}
