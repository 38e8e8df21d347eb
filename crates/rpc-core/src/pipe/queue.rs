//! Updates that wait in a queue for their pipe.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use rpc_wire::Data;

use super::PipeCloseReason;
use super::incoming::{End, Incoming};
use super::item::{INITIAL, UPDATE};
use super::sink::{Next, Sink};
use crate::connection::run::OpenRun;
use crate::dispatch::{decode, undecodable};
use crate::error::DispatchError;
use crate::payload::{self, Decode, Undecodable};

/// Updates in a pipe at which a client that pushes back stops reading (rule R-SC-25).
const FULL: usize = 100;

/// Room of an empty queue that is kept for what comes next, in bytes. Every pipe has three of them,
/// and may be idle from now on.
const KEPT_ROOM: usize = 16 * 1024;

/// Gives back the room of an empty queue that has been long.
fn shrink<U>(empty: &mut VecDeque<U>) {
    if empty.capacity() * size_of::<U>() > KEPT_ROOM {
        *empty = VecDeque::new();
    }
}

/// The initial value is the dispatch's result, and the updates are kept.
///
/// The decoder of updates is part of the type, and so of the loop that takes a run of them.
pub(crate) struct Queue<T, U, D> {
    state: fn(&[u8]) -> Result<T, Undecodable>,
    update: D,
    pushes_back: bool,
    updates: PhantomData<fn() -> U>,
}

impl<T, U, D: Decode<U>> Queue<T, U, D> {
    pub(crate) fn new(
        state: fn(&[u8]) -> Result<T, Undecodable>,
        update: D,
        pushes_back: bool,
    ) -> Self {
        Self {
            state,
            update,
            pushes_back,
            updates: PhantomData,
        }
    }
}

impl<T: Send + 'static, U: Send + 'static, D: Decode<U>> Sink for Queue<T, U, D> {
    type Initial = T;
    type Update = U;
    type Kept = VecDeque<U>;
    type Own = VecDeque<U>;

    const KEEPS: bool = true;

    fn initial(&self, value: &[u8]) -> Result<T, DispatchError> {
        decode(Data::new(value), self.state, INITIAL)
    }

    fn lend(&self) -> VecDeque<U> {
        VecDeque::new()
    }

    fn give_back(&self, _: VecDeque<U>) {}

    fn update(&self, _: &mut VecDeque<U>, update: Data<'_>) -> Result<U, Box<DispatchError>> {
        decode(update, &self.update, UPDATE).map_err(Box::new)
    }

    fn take_run(
        &self,
        collected: &mut VecDeque<U>,
        run: &mut OpenRun<'_, '_>,
    ) -> Result<Next, DispatchError> {
        let decoded = payload::caught(|| {
            while let Some(update) = run.next() {
                collected.push_back((self.update)(update)?);
            }
            Ok(Next::Continue)
        });
        decoded.map_err(|error| undecodable(UPDATE, error))
    }

    #[inline]
    fn keep(&self, kept: &mut VecDeque<U>, update: U) -> Next {
        kept.push_back(update);
        if self.pushes_back && kept.len() >= FULL {
            Next::Hold
        } else {
            Next::Continue
        }
    }

    /// How many are unread decides when a client that pushes back stops reading.
    fn takes_runs(&self) -> bool {
        !self.pushes_back
    }

    fn keep_run(kept: &mut VecDeque<U>, collected: &mut VecDeque<U>) {
        if kept.is_empty() {
            std::mem::swap(kept, collected);
        } else {
            kept.append(collected);
            shrink(collected);
        }
    }

    fn take_unwanted(collected: &mut VecDeque<U>) -> VecDeque<U> {
        std::mem::take(collected)
    }

    /// The pipe finds out when it has taken everything.
    fn closed(&self, _: Result<(), &DispatchError>) {}
}

/// What a pipe needs of its stream; the types of state and error do not matter any more.
pub(crate) trait Updates<U>: End {
    /// Moves what has arrived to `into`, which is empty. Ready with nothing at the end.
    fn poll_take(&self, into: &mut VecDeque<U>, cx: &Context<'_>) -> Poll<()>;

    /// Ends the stream on behalf of the user.
    fn close(&self);
}

impl<T, U, D, E> Updates<U> for Incoming<Queue<T, U, D>, E>
where
    D: Decode<U>,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    fn poll_take(&self, into: &mut VecDeque<U>, cx: &Context<'_>) -> Poll<()> {
        shrink(into);
        let mut state = self.lock();
        if state.kept.is_empty() {
            // Whoever asks for more has finished with everything before.
            let hold = state.hold.take();
            let ended = state.close_reason.is_some();
            if !ended {
                state.wait(cx);
            }
            drop(state);
            drop(hold);
            return if ended {
                Poll::Ready(())
            } else {
                Poll::Pending
            };
        }
        if self.definition.sink.pushes_back {
            // One by one: how many are unread decides when to stop reading.
            into.extend(state.kept.pop_front());
        } else {
            std::mem::swap(&mut state.kept, into);
        }
        Poll::Ready(())
    }

    fn close(&self) {
        let mut state = self.lock();
        let unwanted = state.take_unwanted();
        state.end(PipeCloseReason::ClosedLocally);
        let sleepers = state.sleepers();
        let abort = state.close();
        drop(state);
        sleepers.wake();
        if abort {
            self.send_abort();
        }
        drop(unwanted);
    }
}
