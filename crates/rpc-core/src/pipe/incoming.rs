//! One dispatched stream, between the reading task and the user (*rpcs* §10.1).
//!
//! ```text
//!  OPENING ──ok──► OPEN ──end──► OVER
//!     │ user error ──► OVER  │ Write_error, undecodable update, callback that panicked, or closed
//!     │ error ──► OVER       ▼ by the user
//!     └ Write_error, ──► ENDING (abort sent, updates swallowed) ──end or error──► OVER
//!       undecodable          ▲
//!  UNWANTED ──ok─────────────┘   (the dispatch was dropped while OPENING: abort sent, and sent
//!                                 again now, since the callee may have ignored the first)
//! ```
//!
//! While ENDING the query keeps its place in the table, because the callee may still send. What
//! becomes of the values, a queue, a callback or a fold, is up to the [`Sink`].

mod lent;
mod state;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};

use rpc_wire::{QueryId, RpcError};

use super::item::Item;
use super::sink::{Next, Sink};
use super::{Definition, PipeCloseReason};
use crate::connection::Shared;
use crate::connection::gate::Hold;
use crate::connection::waiting::{After, Arrived, Intake, Note, Receiver};
use crate::error::{DispatchError, HandlerError};
use crate::tracing_event::ReceivedResponse;

use lent::Lent;
use state::{Locked, Sleepers, State};

pub(super) use state::{Answer, Stage};

/// The end of a stream of whatever type.
pub(crate) trait End: Send + Sync {
    fn poll_close_reason(&self, cx: &Context<'_>) -> Poll<PipeCloseReason>;

    /// Asks the callee to end the stream.
    fn abort(&self);
}

pub(crate) struct Incoming<S: Sink, E> {
    pub(super) definition: Definition<S, E>,
    connection: Weak<Shared>,
    id: OnceLock<QueryId>,
    state: Mutex<State<S, E>>,
    /// Whether the state is [`Stage::Open`], for who reads and cannot change it. Only the user can
    /// have changed it since.
    open: AtomicBool,
}

impl<S: Sink, E> Incoming<S, E> {
    pub(super) fn new(connection: &Arc<Shared>, definition: Definition<S, E>) -> Self {
        Self {
            definition,
            connection: Arc::downgrade(connection),
            id: OnceLock::new(),
            state: Mutex::new(State::new()),
            open: AtomicBool::new(false),
        }
    }

    /// The id under which the query was sent; set before the user has any handle, and before
    /// this side sends an abort in answer to a response, which may come before that.
    pub(super) fn set_id(&self, id: QueryId) {
        self.id.get_or_init(|| id);
    }

    pub(super) fn poll_answer(&self, cx: &Context<'_>) -> Poll<Answer<S::Initial, E>> {
        let mut state = self.lock();
        if let Some(answer) = state.answer.take() {
            state.answer_taken = true;
            return Poll::Ready(answer);
        }
        state.wait(cx);
        Poll::Pending
    }

    /// The user gave up before taking the answer.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        if state.answer_taken {
            return;
        }
        state.stage = match state.stage {
            Stage::Opening => Stage::Unwanted,
            Stage::Open => Stage::Ending,
            Stage::Unwanted | Stage::Ending | Stage::Over => return,
        };
        let unwanted = (state.answer.take(), state.take_unwanted());
        drop(state);
        drop(unwanted);
        self.send_abort();
    }

    pub(super) fn lock(&self) -> Locked<'_, S, E> {
        Locked {
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
            open: &self.open,
        }
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    pub(super) fn send_abort(&self) {
        if let (Some(id), Some(connection)) = (self.id.get(), self.connection.upgrade()) {
            connection.send_abort(self.definition.name.get(), *id);
        }
    }

    /// Takes in one item. What follows from it, in this order: the abort, the callback's end,
    /// telling of it, waking.
    fn accept(&self, item: Item<S, E>, note: &Note<'_>) -> After {
        let mut state = self.lock();
        let kind = note.is_wanted().then(|| item.kind(state.induced.as_ref()));
        let mut abort = false;
        let mut next = Next::Continue;
        let mut closed = None;
        // What nobody wants is dropped when the lock is free: destructors are the user's.
        let mut unwanted = None;
        match (state.stage, item) {
            (Stage::Opening, Item::Answer(answer)) => {
                let goes_on = matches!(answer, Ok(Ok(_)));
                state.stage = if goes_on { Stage::Open } else { Stage::Over };
                state.answer = Some(answer);
            }
            (Stage::Opening, Item::Failed(error)) => {
                state.stage = Stage::Ending;
                state.induced = Some(error.clone());
                state.answer = Some(Err(error));
                abort = true;
            }
            (Stage::Open, Item::Update(update)) => {
                next = self.definition.sink.keep(&mut state.kept, update);
            }
            (Stage::Open, Item::Failed(error)) => {
                abort = state.break_off(&error);
                closed = Some(Err(error));
            }
            (Stage::Open | Stage::Opening, Item::End) => {
                state.stage = Stage::Over;
                state.end(PipeCloseReason::ClosedRemotely);
                closed = Some(Ok(()));
            }
            // An answer other than an initial value, undecodable or not, is the last message.
            (
                Stage::Unwanted,
                item @ (Item::Refused | Item::End | Item::Answer(Ok(Err(_)) | Err(_))),
            ) => {
                state.stage = Stage::Over;
                unwanted = Some(item);
            }
            // The callee may have ignored the first abort (rule R-SC-7).
            (Stage::Unwanted, item) => {
                state.stage = Stage::Ending;
                abort = true;
                unwanted = Some(item);
            }
            (Stage::Ending, Item::End) => state.stage = Stage::Over,
            // Decoding depends on the stage, which only the user can have changed since.
            (Stage::Open | Stage::Opening | Stage::Ending | Stage::Over, item) => {
                unwanted = Some(item);
            }
        }
        if matches!(next, Next::Hold) && state.hold.is_none() {
            state.hold = self.connection.upgrade().as_ref().map(Hold::new);
        }
        let stage = state.stage;
        let sleepers = state.sleepers();
        drop(state);
        drop(unwanted);
        if abort {
            self.set_id(note.id());
            self.send_abort();
        }
        if let Some(result) = closed {
            self.definition.sink.closed(result.as_ref().copied());
        }
        if let Some(kind) = kind {
            note.tell(self.definition.name.get(), kind);
        }
        sleepers.wake();
        if stage == Stage::Over {
            After::Remove
        } else {
            self.after(next, note)
        }
    }

    /// What is to be done after what came last.
    fn after(&self, next: Next, note: &Note<'_>) -> After {
        match next {
            Next::Continue if self.is_open() && self.definition.sink.takes_runs() => After::Stream,
            Next::Continue | Next::Hold => After::Keep,
            // Whoever would let it end may be gone with the user.
            Next::Wait(_) if !self.is_open() => After::Keep,
            Next::Wait(wait) => {
                self.set_id(note.id());
                After::Wait(wait)
            }
        }
    }

    /// Takes in a run of updates, unless they are not wanted any more. Who is to be woken and what
    /// is to be dropped, once no lock is held.
    fn take_in(&self, own: &mut S::Own) -> (Sleepers, Option<S::Kept>) {
        let mut state = self.lock();
        let unwanted = if state.stage == Stage::Open {
            S::keep_run(&mut state.kept, own);
            None
        } else {
            Some(S::take_unwanted(own))
        };
        (state.sleepers(), unwanted)
    }

    /// Ends the stream with an error; told of, if it came as a response.
    fn reject(&self, error: DispatchError, note: Option<&Note<'_>>) {
        let kind = note.filter(|note| note.is_wanted()).map(|note| {
            let error = ReceivedResponse::ResponseFinishedRpcErrorOrExn(error.to_rpc_error());
            (note, error)
        });
        let mut state = self.lock();
        let mut closed = None;
        match state.stage {
            Stage::Opening => state.answer = Some(Err(error)),
            Stage::Unwanted | Stage::Ending | Stage::Over => {}
            Stage::Open => {
                state.end(PipeCloseReason::Error(error.clone()));
                closed = Some(error);
            }
        }
        state.stage = Stage::Over;
        // What is kept can still be taken, but nothing waits for that any more.
        let hold = state.hold.take();
        let sleepers = state.sleepers();
        drop(state);
        drop(hold);
        if let Some(error) = closed {
            self.definition.sink.closed(Err(&error));
        }
        if let Some((note, kind)) = kind {
            note.tell(self.definition.name.get(), kind);
        }
        sleepers.wake();
    }
}

impl<S: Sink, E: Send + 'static> Receiver for Incoming<S, E> {
    fn response(&self, arrived: Arrived<'_>) -> After {
        let Arrived { result, note } = arrived;
        match result {
            Ok(data) => {
                let stage = if self.is_open() {
                    Stage::Open
                } else {
                    self.lock().stage
                };
                let item = self.item(stage, data);
                if let Some(error) = item.error() {
                    note.keep_undecodable(error, data);
                }
                self.accept(item, &note)
            }
            // It stands for one message that was too large; the callee goes on (rule R-SC-2).
            Err(error @ RpcError::WriteError(_)) => {
                self.accept(Item::Failed(DispatchError::Rpc(error)), &note)
            }
            Err(error) => {
                self.reject(DispatchError::Rpc(error), Some(&note));
                After::Remove
            }
        }
    }

    fn intake(self: Arc<Self>) -> Option<Box<dyn Intake>> {
        self.is_open().then(|| Lent::intake(self))
    }

    fn fail(&self, error: DispatchError) {
        // Nobody is told of calls that a lost connection ends (rule T-C24).
        self.reject(error, None);
    }

    fn wait_failed(&self, error: HandlerError) {
        let error = DispatchError::CallbackFailed(error);
        let mut state = self.lock();
        if state.stage != Stage::Open {
            return;
        }
        let abort = state.break_off(&error);
        let sleepers = state.sleepers();
        drop(state);
        if abort {
            self.send_abort();
        }
        self.definition.sink.closed(Err(&error));
        sleepers.wake();
    }

    fn abort(&self) {
        let mut state = self.lock();
        let first = state.stage == Stage::Open && !std::mem::replace(&mut state.aborted, true);
        drop(state);
        if first {
            self.send_abort();
        }
    }
}

impl<S: Sink, E: Send + 'static> End for Incoming<S, E> {
    fn poll_close_reason(&self, cx: &Context<'_>) -> Poll<PipeCloseReason> {
        let mut state = self.lock();
        if let Some(reason) = &state.close_reason {
            return Poll::Ready(reason.clone());
        }
        state.wait_for_the_end(cx);
        Poll::Pending
    }

    fn abort(&self) {
        Receiver::abort(self);
    }
}
