//! The waiting end of a plain call.

mod mapped;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bin_prot::WriteError;
use rpc_wire::{Data, DescriptionRef};

use crate::Connection;
use crate::connection::output::Output;
use crate::connection::waiting::{After, Answers, Arrived, Note, Receiver};
use crate::error::{DispatchError, HandlerError};
use crate::payload::{self, Codec, Undecodable};
use crate::rpc::UserErrors;
use crate::tracing_event::ReceivedResponse;

pub use mapped::MappedDispatch;

pub(crate) const LOCATION: &str = "client-side rpc response un-bin-io'ing";

/// The pending response to one query; a future.
///
/// Holds a handle to the connection. Dropping it forgets the response.
///
/// With many calls in flight, it may be polled once more although the response is there: if about half
/// of the calls that there have been at a time wait to be written, the connection's task may write them
/// first, so that the peer has something to do meanwhile. So a timeout that is over by then may win, and
/// `now_or_never` may find nothing.
#[must_use = "the response is forgotten unless this is awaited"]
pub struct Dispatch<R> {
    call: Arc<PlainCall<R>>,
    /// The response has been handed out.
    over: bool,
    /// The connection's task has been let write first.
    has_yielded: bool,
    connection: Connection,
}

impl<R> Dispatch<R> {
    pub(crate) fn new(
        connection: &Connection,
        call: Arc<PlainCall<R>>,
        sent: Result<(), DispatchError>,
    ) -> Self {
        if let Err(error) = sent {
            call.fail_to_send(error);
        }
        Self {
            call,
            over: false,
            has_yielded: false,
            connection: connection.clone(),
        }
    }
}

impl<R> Future for Dispatch<R> {
    type Output = Result<R, DispatchError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.over {
            // As with any future, polling it again after the end is a mistake; it never resolves.
            return Poll::Pending;
        }
        let output = &this.connection.shared().output;
        let polled = this.call.poll(cx, output, &mut this.has_yielded);
        this.over = polled.is_ready();
        polled
    }
}

impl<R> Drop for Dispatch<R> {
    fn drop(&mut self) {
        if !self.over {
            self.call.give_up();
        }
    }
}

impl<R> fmt::Debug for Dispatch<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch").finish_non_exhaustive()
    }
}

/// One allocation for each call: where the reading task leaves the decoded response.
pub(crate) struct PlainCall<R> {
    rpc: DescriptionRef<'static>,
    user_errors: UserErrors<R>,
    receive: Receive<R>,
    state: Mutex<State<R>>,
}

/// Decodes a response and leaves it in the call, in one function: a value does not move more often
/// than it must. Who is to be woken is left in the last argument.
type Receive<R> =
    fn(&PlainCall<R>, &[u8], &Note<'_>, &mut Option<Waker>) -> Result<(), Undecodable>;

enum State<R> {
    Waiting(Option<Waker>),
    Done(R),
    /// Boxed, since errors are rare and larger than most responses: the call's allocation stays
    /// one of the sizes that allocators keep at hand.
    Failed(Box<DispatchError>),
    /// The result was taken, or nobody wants it.
    Over,
}

impl<R: Send + 'static> PlainCall<R> {
    pub(crate) fn new<C: Codec<R>>(
        rpc: DescriptionRef<'static>,
        user_errors: UserErrors<R>,
    ) -> Self {
        Self {
            rpc,
            user_errors,
            receive: Self::receive::<C>,
            state: Mutex::new(State::Waiting(None)),
        }
    }

    pub(crate) fn send(
        self: &Arc<Self>,
        connection: &Connection,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
    ) -> Result<(), DispatchError> {
        connection.shared().call(
            connection.asking(&self.rpc),
            Answers::One,
            self.clone(),
            payload,
            write,
        )?;
        Ok(())
    }

    fn receive<C: Codec<R>>(
        &self,
        bytes: &[u8],
        note: &Note<'_>,
        waker: &mut Option<Waker>,
    ) -> Result<(), Undecodable> {
        let response = C::read(bytes)?;
        if note.is_wanted() {
            note.tell(self.rpc, self.user_errors.received(&response));
        }
        self.leave(State::Done(response), waker);
        Ok(())
    }

    /// Leaves a result, unless nobody wants it. Who is to be woken is left as well.
    #[inline(always)]
    fn leave(&self, result: State<R>, sleeper: &mut Option<Waker>) {
        let mut state = self.lock();
        if let State::Waiting(waker) = &mut *state {
            *sleeper = waker.take();
            *state = result;
        } else {
            drop(state);
            drop(result);
        }
    }

    #[cold]
    fn resolve_failed(&self, error: DispatchError) {
        let mut waker = None;
        self.leave(State::Failed(Box::new(error)), &mut waker);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<R> PlainCall<R> {
    // Into both of its callers, direct and mapped: results are large, and would be copied on the way.
    #[inline(always)]
    fn poll(
        &self,
        cx: &Context<'_>,
        output: &Output,
        has_yielded: &mut bool,
    ) -> Poll<Result<R, DispatchError>> {
        let mut state = self.lock();
        match &mut *state {
            State::Done(_) if output.writes_first(has_yielded) => {
                // What a waker does is the user's, and no lock is held meanwhile.
                drop(state);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            State::Waiting(waker) => {
                match waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
            State::Done(_) | State::Failed(_) | State::Over => {
                match std::mem::replace(&mut *state, State::Over) {
                    State::Done(response) => Poll::Ready(Ok(response)),
                    State::Failed(error) => Poll::Ready(Err(*error)),
                    State::Waiting(_) | State::Over => Poll::Pending,
                }
            }
        }
    }

    #[cold]
    fn fail_to_send(&self, error: DispatchError) {
        let failed = State::Failed(Box::new(error));
        let before = std::mem::replace(&mut *self.lock(), failed);
        // As below: a peer may have answered what it was never asked.
        drop(before);
    }

    /// Nobody wants the response any more.
    fn give_up(&self) {
        let unwanted = std::mem::replace(&mut *self.lock(), State::Over);
        // What is in it is the user's, and so is its destructor.
        drop(unwanted);
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Send + 'static> Receiver for PlainCall<R> {
    fn response(&self, arrived: Arrived<'_>) -> After {
        // Where it is: copied right after it was made, it would be waited for.
        let note = &arrived.note;
        let mut waker = None;
        let received = match arrived.result {
            Ok(data) => {
                let receive = |bytes: &[u8]| (self.receive)(self, bytes, note, &mut waker);
                decode(data, receive, LOCATION)
                    .inspect_err(|error| note.keep_undecodable(error, data))
            }
            Err(error) => Err(DispatchError::Rpc(error)),
        };
        if let Err(error) = received {
            if note.is_wanted() {
                let error = error.to_rpc_error();
                let kind = ReceivedResponse::ResponseFinishedRpcErrorOrExn(error);
                note.tell(self.rpc, kind);
            }
            self.resolve_failed(error);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        // The place of a call with one answer is free already.
        After::Keep
    }

    fn fail(&self, error: DispatchError) {
        self.resolve_failed(error);
    }

    /// Nothing is waited for.
    fn wait_failed(&self, _: HandlerError) {}

    /// It is no stream.
    fn abort(&self) {}
}

/// Decodes what a callee sent.
#[inline]
pub(crate) fn decode<T>(
    data: Data<'_>,
    decode: impl FnOnce(&[u8]) -> Result<T, Undecodable>,
    location: &'static str,
) -> Result<T, DispatchError> {
    payload::read(data, decode).map_err(|error| undecodable(location, error))
}

#[cold]
pub(crate) fn undecodable(location: &'static str, reason: Undecodable) -> DispatchError {
    DispatchError::Undecodable { location, reason }
}
