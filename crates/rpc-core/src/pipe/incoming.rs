//! One dispatched stream, between the reading task and the user (*rpcs* §10.1).
//!
//! ```text
//!  OPENING ──ok──► OPEN ──end──► OVER
//!     │ user error ──► OVER  │ Write_error, undecodable update, or closed by the user
//!     │ error ──► OVER       ▼
//!     └ Write_error, ──► ENDING (abort sent, updates swallowed) ──end or error──► OVER
//!       undecodable          ▲
//!  UNWANTED ──ok─────────────┘   (the dispatch was dropped while OPENING: abort sent, and sent
//!                                 again now, since the callee may have ignored the first)
//! ```
//!
//! While ENDING the query keeps its place in the table, because the callee may still send.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use bin_prot::{BinRead, Reader};
use rpc_wire::stream::{EOF_PAYLOAD, Initial, StreamResponse};
use rpc_wire::{Data, QueryId, RpcError};

use super::{Definition, PipeCloseReason};
use crate::connection::Shared;
use crate::connection::waiting::{After, Arrived, Note, Receiver};
use crate::dispatch::{decode, undecodable};
use crate::error::DispatchError;
use crate::tracing_event::ReceivedResponse;

const INITIAL: &str = "client-side streaming_rpc initial_response un-bin-io'ing";
const HEADER: &str = "client-side streaming_rpc response un-bin-io'ing";
const UPDATE: &str = "client-side streaming_rpc response un-bin-io'ing to [bin_reader_update]";

/// The end of a stream of whatever type.
pub(super) trait End: Send + Sync {
    fn poll_close_reason(&self, cx: &Context<'_>) -> Poll<PipeCloseReason>;
}

/// What a pipe needs of its stream; the types of state and error do not matter any more.
pub(super) trait Updates<U>: End {
    /// Moves everything that has arrived to `into`, which is empty. Ready with nothing at the
    /// end.
    fn poll_take(&self, into: &mut VecDeque<U>, cx: &Context<'_>) -> Poll<()>;

    /// Ends the stream on behalf of the user.
    fn close(&self);
}

pub(super) struct Incoming<T, U, E> {
    definition: Definition<T, U, E>,
    connection: Weak<Shared>,
    id: OnceLock<QueryId>,
    state: Mutex<State<T, U, E>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Opening,
    Unwanted,
    Open,
    Ending,
    Over,
}

/// The callee's answer to the query: a state, the user's error, or the failure of the call.
type Answer<T, E> = Result<Result<T, E>, DispatchError>;

struct State<T, U, E> {
    stage: Stage,
    answer: Option<Answer<T, E>>,
    answer_taken: bool,
    updates: VecDeque<U>,
    close_reason: Option<PipeCloseReason>,
    /// Why this side ended the stream, if not because the user wanted that.
    induced: Option<DispatchError>,
    /// The user's task, waiting for the answer or for updates.
    waker: Option<Waker>,
    close_wakers: Vec<Waker>,
}

/// What one response amounts to, its payload decoded.
enum Item<T, U, E> {
    Answer(Answer<T, E>),
    Update(U),
    End,
    /// The user's error, which nobody wants to know.
    Refused,
    Failed(DispatchError),
    Swallowed,
}

impl<T, U, E> Incoming<T, U, E> {
    pub(super) fn new(connection: &Arc<Shared>, definition: Definition<T, U, E>) -> Self {
        Self {
            definition,
            connection: Arc::downgrade(connection),
            id: OnceLock::new(),
            state: Mutex::new(State {
                stage: Stage::Opening,
                answer: None,
                answer_taken: false,
                updates: VecDeque::new(),
                close_reason: None,
                induced: None,
                waker: None,
                close_wakers: Vec::new(),
            }),
        }
    }

    /// The id under which the query was sent; set before the user has any handle.
    pub(super) fn set_id(&self, id: QueryId) {
        self.id.get_or_init(|| id);
    }

    pub(super) fn poll_answer(&self, cx: &Context<'_>) -> Poll<Answer<T, E>> {
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
        drop(state);
        self.abort();
    }

    fn lock(&self) -> MutexGuard<'_, State<T, U, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn abort(&self) {
        if let Some(id) = self.id.get() {
            self.send_abort(*id);
        }
    }

    fn send_abort(&self, id: QueryId) {
        if let Some(connection) = self.connection.upgrade() {
            connection.send_abort(self.definition.rpc(), id);
        }
    }

    /// Decodes without holding the lock: decoders are the user's.
    fn item(&self, stage: Stage, data: Data<'_>) -> Item<T, U, E> {
        let payload = data.bytes();
        if stage != Stage::Opening && payload == Ok(EOF_PAYLOAD) {
            return Item::End;
        }
        let payload = match payload {
            Ok(payload) => payload,
            Err(overlong) => return Item::Failed(undecodable(HEADER, overlong)),
        };
        match stage {
            Stage::Opening => self.initial(payload),
            // Only whether the stream goes on matters.
            Stage::Unwanted => match Initial::split(payload) {
                Ok((Initial::Error, _)) => Item::Refused,
                Ok((Initial::Ok, _)) | Err(_) => Item::Swallowed,
            },
            Stage::Open => self.update(payload),
            Stage::Ending | Stage::Over => Item::Swallowed,
        }
    }

    fn initial(&self, payload: &[u8]) -> Item<T, U, E> {
        let (initial, value) = match Initial::split(payload) {
            Ok(split) => split,
            Err(error) => return Item::Failed(undecodable(INITIAL, error)),
        };
        let value = Data::new(value);
        match initial {
            Initial::Ok => match decode(value, self.definition.state, INITIAL) {
                Ok(state) => Item::Answer(Ok(Ok(state))),
                Err(error) => Item::Failed(error),
            },
            // Nothing follows the user's error, so even an undecodable one ends the stream.
            Initial::Error => Item::Answer(decode(value, self.definition.error, INITIAL).map(Err)),
        }
    }

    fn update(&self, payload: &[u8]) -> Item<T, U, E> {
        let mut reader = Reader::new(payload);
        let response = StreamResponse::bin_read(&mut reader);
        let response = response.and_then(|response| reader.finish().map(|()| response));
        match response {
            Ok(StreamResponse::Ok(data)) => match decode(data, self.definition.update, UPDATE) {
                Ok(update) => Item::Update(update),
                Err(error) => Item::Failed(error),
            },
            Ok(StreamResponse::Eof) => Item::End,
            Err(error) => Item::Failed(undecodable(HEADER, error)),
        }
    }

    /// Takes in one item. What follows from it, in this order: the abort, telling of it, waking.
    fn accept(&self, item: Item<T, U, E>, note: &Note<'_>) {
        let mut state = self.lock();
        let kind = note.is_wanted().then(|| item.kind(state.induced.as_ref()));
        let mut abort = false;
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
            (Stage::Open, Item::Update(update)) => state.updates.push_back(update),
            (Stage::Open, Item::Failed(error)) => {
                state.stage = Stage::Ending;
                state.induced = Some(error.clone());
                state.end(PipeCloseReason::Error(error));
                abort = true;
            }
            (Stage::Open | Stage::Opening, Item::End) => {
                state.stage = Stage::Over;
                state.end(PipeCloseReason::ClosedRemotely);
            }
            // An answer other than a state, undecodable or not, is the last message.
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
        let sleepers = state.sleepers();
        drop(state);
        drop(unwanted);
        if abort {
            self.send_abort(note.id());
        }
        if let Some(kind) = kind {
            note.tell(self.definition.rpc(), kind);
        }
        sleepers.wake();
    }

    /// Ends the stream with an error; told of, if it came as a response.
    fn reject(&self, error: DispatchError, note: Option<&Note<'_>>) {
        let kind = note.filter(|note| note.is_wanted()).map(|note| {
            let error = ReceivedResponse::ResponseFinishedRpcErrorOrExn(error.to_rpc_error());
            (note, error)
        });
        let mut state = self.lock();
        match state.stage {
            Stage::Opening => state.answer = Some(Err(error)),
            Stage::Unwanted | Stage::Ending | Stage::Over => {}
            Stage::Open => state.end(PipeCloseReason::Error(error)),
        }
        state.stage = Stage::Over;
        let sleepers = state.sleepers();
        drop(state);
        if let Some((note, kind)) = kind {
            note.tell(self.definition.rpc(), kind);
        }
        sleepers.wake();
    }
}

impl<T, U, E> Item<T, U, E> {
    /// What the response was in the eyes of the listeners (rules T-C13 to T-C19).
    fn kind(&self, induced: Option<&DispatchError>) -> ReceivedResponse {
        match (self, induced) {
            (Self::Answer(Ok(Err(_))) | Self::Refused, _) => {
                ReceivedResponse::ResponseFinishedUserDefinedError
            }
            (Self::Answer(Err(error)), _) | (Self::End, Some(error)) => {
                ReceivedResponse::ResponseFinishedRpcErrorOrExn(error.to_rpc_error())
            }
            (Self::End, None) => ReceivedResponse::ResponseFinishedOk,
            (Self::Answer(Ok(Ok(_))) | Self::Update(_) | Self::Failed(_) | Self::Swallowed, _) => {
                ReceivedResponse::PartialResponse
            }
        }
    }
}

/// Who is to be woken, once the lock is free.
struct Sleepers {
    user: Option<Waker>,
    closing: Vec<Waker>,
}

impl Sleepers {
    fn wake(self) {
        self.user.into_iter().for_each(Waker::wake);
        self.closing.into_iter().for_each(Waker::wake);
    }
}

impl<T, U, E> State<T, U, E> {
    fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Everybody who waits. They have to ask again before they are woken again, so a batch of
    /// updates costs one wake-up.
    fn sleepers(&mut self) -> Sleepers {
        Sleepers {
            user: self.waker.take(),
            closing: match self.close_reason {
                Some(_) => std::mem::take(&mut self.close_wakers),
                None => Vec::new(),
            },
        }
    }

    /// The first cause counts (rule R-SC-21).
    fn end(&mut self, reason: PipeCloseReason) {
        self.close_reason.get_or_insert(reason);
    }
}

impl<T, U, E> Receiver for Incoming<T, U, E>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    fn response(&self, arrived: Arrived<'_>) -> After {
        let stage = self.lock().stage;
        let (result, note) = arrived.split();
        match result {
            Ok(data) => self.accept(self.item(stage, data), &note),
            // It stands for one message that was too large; the callee goes on (rule R-SC-2).
            Err(error @ RpcError::WriteError(_)) => {
                self.accept(Item::Failed(DispatchError::Rpc(error)), &note);
            }
            Err(error) => self.reject(DispatchError::Rpc(error), Some(&note)),
        }
        match self.lock().stage {
            Stage::Over => After::Remove,
            Stage::Opening | Stage::Unwanted | Stage::Open | Stage::Ending => After::Keep,
        }
    }

    fn fail(&self, error: DispatchError) {
        // Nobody is told of calls that a lost connection ends (rule T-C24).
        self.reject(error, None);
    }
}

impl<T, U, E> Updates<U> for Incoming<T, U, E>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    fn poll_take(&self, into: &mut VecDeque<U>, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.updates.is_empty() && state.close_reason.is_none() {
            state.wait(cx);
            return Poll::Pending;
        }
        std::mem::swap(&mut state.updates, into);
        Poll::Ready(())
    }

    fn close(&self) {
        let mut state = self.lock();
        let updates = std::mem::take(&mut state.updates);
        state.end(PipeCloseReason::ClosedLocally);
        let sleepers = state.sleepers();
        let open = state.stage == Stage::Open;
        if open {
            state.stage = Stage::Ending;
        }
        drop(state);
        sleepers.wake();
        // The updates' destructors are the user's.
        drop(updates);
        if open {
            self.abort();
        }
    }
}

impl<T, U, E> End for Incoming<T, U, E>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    fn poll_close_reason(&self, cx: &Context<'_>) -> Poll<PipeCloseReason> {
        let mut state = self.lock();
        if let Some(reason) = &state.close_reason {
            return Poll::Ready(reason.clone());
        }
        let wakers = &mut state.close_wakers;
        if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
