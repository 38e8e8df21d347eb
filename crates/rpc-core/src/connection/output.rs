//! The shared output buffer: where every message is encoded, and who may still send.
//!
//! Messages are written straight into the buffer under a short lock; the connection's task takes
//! the whole buffer and hands it to the transport. Encoding a payload runs the user's code while
//! the lock is held: it cannot re-enter (it gets no handle to the connection), and a failure or
//! panic half-way cuts the buffer to where it was.

mod appending;
mod calls;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bin_prot::{BinWrite, WriteError};
use rpc_wire::frame::{self, AppendError};
use rpc_wire::{Message, QueryId};

use super::closed::Closed;
use super::closing::Plan;
use super::flushing::{FlushedTo, Waiters};
use super::outgoing::Outgoing;
use super::waiting::NewCalls;
use crate::error::SendError;
pub(crate) use appending::Appending;
use calls::Calls;

/// What a message is for; it decides until when it may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A query: until either side began to close.
    Query,
    /// The end of a stream that we do not want: likewise, but however much is buffered, since
    /// nobody can try again.
    Abort,
    /// A response: until the implementations are stopped.
    Response,
    /// An item of a stream, or its end: likewise, but however much is buffered, since its sender
    /// paces itself by what [`Output::send_if`] returns.
    Item,
    /// Heartbeats and close reasons: as long as the transport takes bytes.
    Control,
}

/// How far closing has come, as far as sending is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Everything may be sent.
    Open,
    /// The peer takes no more queries.
    PeerClosing,
    /// We take no more queries either, and wait until those that are open have been answered.
    Waiting,
    /// Closing goes on when what has been produced was sent.
    Flushing,
    /// Only the close reason may follow.
    Stopped,
    /// The transport takes nothing any more.
    Ended,
}

impl Class {
    fn allowed_in(self, stage: Stage) -> bool {
        match self {
            Self::Query | Self::Abort => stage < Stage::PeerClosing,
            Self::Response | Self::Item => stage < Stage::Stopped,
            Self::Control => stage < Stage::Ended,
        }
    }

    /// Whether it counts towards, and is refused beyond, what may be buffered.
    fn is_bounded(self) -> bool {
        matches!(self, Self::Query | Self::Response)
    }
}

/// What a connection sends at most, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of one message.
    pub(crate) message: usize,
    /// Of the queries and answers that wait behind what the transport is taking.
    pub(crate) buffered: usize,
}

#[derive(Debug)]
pub(crate) struct Output {
    limits: Limits,
    /// Copies of what is under the lock, for what is asked often.
    stage: AtomicU8,
    closing: AtomicBool,
    /// Calls that have been answered. Only the connection's task adds to it.
    answered: AtomicU64,
    /// Whether those who take answers are to let the connection's task write first.
    write_first: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    closed: Option<Arc<Closed>>,
    plan: Plan,
    /// Of the query that is sent next (rule C-DI-1).
    next_id: i64,
    calls: Calls,
    buffer: Outgoing,
    /// Bytes of queries and answers in the buffer: what the limit is about. Streams pace
    /// themselves, and what they have buffered is not held against the answers.
    bounded: usize,
    /// Bytes ever put into the buffer, and of those, the ones the transport has taken.
    appended: u64,
    flushed: u64,
    /// Bytes in the bodies of all messages ever sent, those of the handshake included.
    bodies: u64,
    /// Of what was taken last, the bytes that the transport has accepted, if it did not accept
    /// them all.
    accepted: usize,
    /// The connection's task, while it sleeps.
    task: Option<Waker>,
    /// Who waits for `flushed` to reach a mark.
    flush_waiters: Waiters,
}

impl State {
    #[inline]
    fn issue_id(&mut self) -> QueryId {
        let id = self.next_id;
        self.next_id += 1;
        QueryId::new(id)
    }

    /// So many frames have been appended, of so many bytes together.
    fn count(&mut self, bytes: usize, count: usize) {
        self.appended += bytes as u64;
        self.bodies += (bytes - count * frame::LENGTH_BYTES) as u64;
    }
}

impl Output {
    /// Of a connection whose handshake has made messages of `bodies` bytes, of which the transport
    /// has not taken the `unsent` ones yet.
    pub(crate) fn new(limits: Limits, bodies: u64, unsent: Vec<u8>) -> Self {
        Self {
            limits,
            stage: AtomicU8::new(Stage::Open as u8),
            closing: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            write_first: AtomicBool::new(false),
            state: Mutex::new(State {
                stage: Stage::Open,
                closed: None,
                plan: Plan::default(),
                next_id: 1,
                calls: Calls::default(),
                appended: unsent.len() as u64,
                buffer: Outgoing::from(unsent),
                bounded: 0,
                flushed: 0,
                bodies,
                accepted: 0,
                task: None,
                flush_waiters: Waiters::default(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in an encoder was undone by the frame's guard; the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends one message of `size` bytes, which `write` writes. It leaves in the order of
    /// these calls.
    #[inline]
    pub(crate) fn send(
        &self,
        class: Class,
        size: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
    ) -> Result<(), Box<SendError>> {
        self.send_if(|| true, class, size, write).map(|_| ())
    }

    /// Like [`send`](Self::send), if `wanted` says so once the lock is held: what was decided
    /// before could be outdated. Returns how many bytes are buffered then; `None` if the message
    /// was not wanted.
    #[inline]
    pub(crate) fn send_if(
        &self,
        wanted: impl FnOnce() -> bool,
        class: Class,
        size: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
    ) -> Result<Option<usize>, Box<SendError>> {
        self.appending(|buffer| buffer.append_if(wanted, class, size, write))
    }

    /// Holds the lock for as long as `append` runs, for several messages that leave one behind the
    /// other. The connection's task is woken once, afterwards.
    #[inline]
    pub(crate) fn appending<T>(&self, append: impl FnOnce(&mut Appending<'_>) -> T) -> T {
        let mut state = self.lock();
        let before = state.appended;
        let result = append(&mut Appending {
            output: self,
            state: &mut state,
        });
        let task = if state.appended == before {
            None
        } else {
            state.task.take()
        };
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
        result
    }

    /// An id that no other query has.
    pub(crate) fn issue_id(&self) -> QueryId {
        self.lock().issue_id()
    }

    /// Queries that wait for their one answer.
    pub(crate) fn open_calls(&self) -> u64 {
        // In this order, so that no answer is counted whose call is not.
        let answered = self.answered.load(Ordering::Acquire);
        self.lock().calls.made().saturating_sub(answered)
    }

    /// One more call has been answered, says the connection's task.
    #[inline]
    pub(super) fn count_answer(&self) {
        // Not `fetch_add`: nobody else writes.
        let answered = self.answered.load(Ordering::Relaxed) + 1;
        self.answered.store(answered, Ordering::Release);
    }

    /// No call will be answered any more, and none can be made.
    pub(super) fn count_all_answered(&self) {
        let made = self.lock().calls.made();
        self.answered.store(made, Ordering::Release);
    }

    /// Exchanges the calls that have been made since this was last done for `empty`.
    pub(super) fn take_calls(&self, empty: &mut NewCalls) {
        self.lock().calls.take_new(empty);
    }

    /// Whether whoever could take an answer now is to let the connection's task write before that. Once
    /// for each call, since the transport may not take more.
    ///
    /// Those who take their answers and make a call for each would make as many as there can be before
    /// the connection's task has its turn. The peer would have nothing to do meanwhile, and nor would
    /// this side while the peer answers them all.
    #[inline]
    pub(crate) fn writes_first(&self, has_yielded: &mut bool) -> bool {
        let first = !*has_yielded && self.write_first.load(Ordering::Relaxed);
        *has_yielded |= first;
        first
    }

    /// The largest body of a message.
    pub(crate) fn max_message_size(&self) -> usize {
        self.limits.message
    }

    /// Moves closing forward, never back.
    pub(crate) fn advance(&self, stage: Stage) {
        let mut state = self.lock();
        self.set_stage(&mut state, stage);
        if stage == Stage::Ended {
            let unsent = std::mem::take(&mut state.buffer);
            self.write_first.store(false, Ordering::Relaxed);
            let waiting = state.flush_waiters.reached(u64::MAX);
            drop(state);
            drop(unsent);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Starts closing for this reason, unless it has been started: the first cause wins
    /// (rule C-CL-2). Returns whether it was this one.
    ///
    /// A wait is `announced` to the peer by this message, before which every query of ours has
    /// been sent, and after which none can be. Without one, or if it cannot be sent, nothing is
    /// waited for (rule C-CL-7).
    pub(super) fn start_closing(
        &self,
        closed: &Arc<Closed>,
        mut plan: Plan,
        announcement: Option<Message<'_>>,
    ) -> bool {
        let mut state = self.lock();
        if state.closed.is_some() {
            return false;
        }
        let announced = announcement
            .filter(|_| Class::Control.allowed_in(state.stage))
            .and_then(|message| self.append(&mut state, &message).ok());
        if announced.is_none() {
            plan.wait = None;
        }
        state.closed = Some(closed.clone());
        state.plan = plan;
        // Pairs with `Busy` of streams and `OpenQuery`: see `Serving`.
        self.closing.store(true, Ordering::SeqCst);
        self.set_stage(
            &mut state,
            match plan.wait {
                Some(_) => Stage::Waiting,
                None => Stage::Flushing,
            },
        );
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
        true
    }

    fn append(&self, state: &mut State, message: &Message<'_>) -> Result<(), AppendError> {
        let size = message.bin_size();
        let write = |buffer: &mut Vec<u8>| message.bin_write(buffer);
        let body = frame::append(state.buffer.copied(), self.limits.message, size, write)?;
        state.count(frame::LENGTH_BYTES + body, 1);
        Ok(())
    }

    fn set_stage(&self, state: &mut State, stage: Stage) {
        state.stage = state.stage.max(stage);
        self.stage.store(state.stage as u8, Ordering::Relaxed);
    }

    /// Whether closing has been started on this side.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Whether closing waits for nothing but the transport.
    pub(crate) fn is_flushing(&self) -> bool {
        self.stage.load(Ordering::Relaxed) >= Stage::Flushing as u8
    }

    /// Whether the transport takes nothing any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == Stage::Ended as u8
    }

    /// Makes the connection's task look again.
    pub(crate) fn wake_task(&self) {
        let task = self.lock().task.take();
        if let Some(task) = task {
            task.wake();
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.lock().stage
    }

    /// Why closing was started, if it was.
    pub(crate) fn closed(&self) -> Option<Arc<Closed>> {
        self.lock().closed.clone()
    }

    /// How closing is to proceed, if it was started.
    pub(super) fn plan(&self) -> Plan {
        self.lock().plan
    }

    /// Tells that the transport has taken all of `taken`, and exchanges it for what was appended
    /// meanwhile. An empty result means that there is nothing to write.
    pub(crate) fn take(&self, taken: &mut Outgoing) {
        let flushed = taken.len();
        taken.clear();
        let mut state = self.lock();
        state.flushed += flushed as u64;
        state.accepted = 0;
        std::mem::swap(taken, &mut state.buffer);
        state.bounded = 0;
        let answered = self.answered.load(Ordering::Relaxed);
        state.calls.are_sent(answered);
        self.write_first.store(false, Ordering::Relaxed);
        let flushed = state.flushed;
        let waiting = state.flush_waiters.reached(flushed);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Tells how much of what was taken last the transport has accepted so far. Whether there is
    /// more behind it.
    pub(crate) fn note_taken(&self, accepted: usize) -> bool {
        let mut state = self.lock();
        state.accepted = accepted;
        !state.buffer.is_empty()
    }

    /// Bytes that the transport has not accepted, lengths included.
    pub(crate) fn bytes_to_write(&self) -> u64 {
        let state = self.lock();
        match state.stage {
            Stage::Ended => 0,
            _ => state.appended - state.flushed - state.accepted as u64,
        }
    }

    /// Gives back the room that only a busy connection needs.
    pub(super) fn give_back_room(&self) {
        let mut state = self.lock();
        state.buffer.give_back_room();
        state.calls.give_back_room();
    }

    /// Bytes in the bodies of all messages ever sent, those of the handshake included.
    pub(crate) fn bytes_written(&self) -> u64 {
        self.lock().bodies
    }

    /// Lets the connection's task sleep until something is appended or closing starts. `false`
    /// if it has to look again: something was appended although the transport takes more
    /// (`written` is ready), or closing was started and it does not know.
    pub(crate) fn park(&self, cx: &Context<'_>, written: Poll<()>, closing_known: bool) -> bool {
        let mut state = self.lock();
        let more = written.is_ready() && !state.buffer.is_empty();
        if more || (state.closed.is_some() && !closing_known) {
            return false;
        }
        match &mut state.task {
            Some(task) => task.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        true
    }

    /// The mark that [`flushed_to`](Self::flushed_to) reaches once everything appended so far has
    /// been taken by the transport.
    pub(crate) fn mark(&self) -> u64 {
        self.lock().appended
    }

    /// Waits until everything up to `mark` was taken by the transport, or nothing more will be.
    pub(crate) fn flushed_to(&self, mark: u64) -> FlushedTo<'_> {
        FlushedTo::new(self, mark)
    }

    pub(super) fn poll_flushed(
        &self,
        mark: u64,
        ticket: &mut Option<u64>,
        cx: &Context<'_>,
    ) -> Poll<()> {
        let mut state = self.lock();
        if state.flushed >= mark || state.stage == Stage::Ended {
            return Poll::Ready(());
        }
        state.flush_waiters.wait(ticket, mark, cx);
        Poll::Pending
    }

    pub(super) fn stop_waiting(&self, ticket: u64) {
        let waker = self.lock().flush_waiters.leave(ticket);
        drop(waker);
    }
}
