//! One stream that its handler writes to, its types erased: what happens to a write, when.
//!
//! ```text
//!  QUEUEING (writes are kept) ── handler returned ok ──► STARTED (writes go out at once)
//!    │ close, abort      │ handler failed,                 │ close, abort: the end is sent
//!    ▼                   │ connection stopped              │ connection stopped: nothing is sent
//!  CLOSING               ▼                                 ▼
//!    │ handler failed ► ABANDONED (what was kept is gone)  ENDED
//!    └─ handler returned ok: initial response, what was kept, end ──► ENDED
//! ```
//!
//! Where a close gave an error, that is sent in place of the end.
//!
//! The queue's lock is taken inside the output's lock, if both are.

use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bin_prot::WriteError;
use rpc_wire::RpcError;
use rpc_wire::frame::{AppendError, Frames};
use rpc_wire::stream::EOF_PAYLOAD;
use tokio::sync::Notify;

use super::StreamWriteError;
use crate::connection::output::{Appending, Class};
use crate::error::{HandlerError, SendError};
use crate::implementation::call::too_big;
use crate::implementation::streaming::sender::Sender;
use crate::tracing_event::{SentResponse, Turn};

/// The stages of the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Queueing,
    Closing,
    Started,
    Ended,
    Abandoned,
}

impl Stage {
    const ALL: [Self; 5] = [
        Self::Queueing,
        Self::Closing,
        Self::Started,
        Self::Ended,
        Self::Abandoned,
    ];

    /// Whether writes are refused.
    fn is_closed(self) -> bool {
        matches!(self, Self::Closing | Self::Ended | Self::Abandoned)
    }

    /// Whether what was kept has been written.
    fn has_started(self) -> bool {
        matches!(self, Self::Started | Self::Ended)
    }
}

#[derive(Debug)]
pub(crate) struct Direct {
    sender: Sender,
    /// A copy of what is under the lock, for each write.
    stage: AtomicU8,
    queue: Mutex<Queue>,
    /// The stage has changed.
    changed: Notify,
}

#[derive(Debug)]
struct Queue {
    stage: Stage,
    /// Whole frames.
    frames: Vec<u8>,
    /// What the frames are, in order, for the listeners.
    kept: Vec<Kept>,
    /// What is to be sent in place of the end.
    error: Option<HandlerError>,
}

/// One write before the start.
#[derive(Clone, Copy, Debug)]
enum Kept {
    /// The size of the message's body.
    Update(usize),
    /// *Write_error* is sent in its place (rule R-SV-10).
    TooLarge { size: usize, limit: usize },
}

/// What left when the stream started.
struct Started {
    kept: Vec<Kept>,
    last: Last,
}

/// What followed it under the same lock.
enum Last {
    /// Nothing: the stream goes on.
    None,
    End,
    Error(HandlerError),
}

/// What became of an update that was to be appended with others.
#[derive(Debug)]
pub(crate) enum Appended {
    Sent,
    /// Until the start, when it will be told of.
    Kept,
    /// The writer is closed.
    Closed,
    Refused(Box<SendError>),
}

impl Direct {
    /// A stream that has not started; aborts reach it.
    pub(crate) fn new(sender: Sender) -> Arc<Self> {
        let direct = Arc::new(Self {
            sender,
            stage: AtomicU8::new(Stage::Queueing as u8),
            queue: Mutex::new(Queue {
                stage: Stage::Queueing,
                frames: Vec::new(),
                kept: Vec::new(),
                error: None,
            }),
            changed: Notify::new(),
        });
        direct.sender.served.set_direct(Arc::downgrade(&direct));
        direct
    }

    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stage(&self) -> Stage {
        let stage = usize::from(self.stage.load(Ordering::Acquire));
        // Nothing but stages is stored.
        Stage::ALL.get(stage).copied().unwrap_or(Stage::Abandoned)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.stage().is_closed()
    }

    /// Whoever waits for it is to be woken when the locks are free.
    fn set_stage(&self, queue: &mut Queue, stage: Stage) {
        queue.stage = stage;
        self.stage.store(stage as u8, Ordering::Release);
    }

    /// Sends an update whose stream payload of `payload` bytes `write` writes, or keeps it until
    /// the start.
    pub(super) fn write(
        &self,
        payload: usize,
        write: impl Fn(&mut Vec<u8>) -> Result<(), WriteError>,
    ) -> Result<(), StreamWriteError> {
        loop {
            match self.stage() {
                Stage::Started => return self.send(payload, write),
                Stage::Queueing if self.keep(payload, &write)? => return Ok(()),
                // The stage has just changed.
                Stage::Queueing => {}
                Stage::Closing | Stage::Ended | Stage::Abandoned => {
                    return Err(StreamWriteError::Closed);
                }
            }
        }
    }

    /// Sends an update by its stream payload, or keeps it until the start.
    pub(crate) fn write_payload(&self, payload: &[u8]) -> Result<(), StreamWriteError> {
        self.write(payload.len(), |buffer| {
            buffer.extend_from_slice(payload);
            Ok(())
        })
    }

    fn send(
        &self,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
    ) -> Result<(), StreamWriteError> {
        let sent = self.sender.call.send_if(
            || SentResponse::StreamingUpdate,
            || !self.sender.served.is_ended(),
            // Unlike a pipe, nobody waits for the transport: the bound of answers holds
            // (rules R-DW-9, C-BP-7).
            Class::Response,
            payload,
            write,
        );
        match sent {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(StreamWriteError::Closed),
            Err(error) => Err(self.refused(*error)),
        }
    }

    /// An update was refused. One that is too large is an error in its place, and the stream goes
    /// on (rule R-SV-10).
    fn refused(&self, error: SendError) -> StreamWriteError {
        match error {
            SendError::Closed(_) | SendError::Overfull { .. } => StreamWriteError::Closed,
            SendError::Frame(error) => {
                if let AppendError::TooBig { size, limit } = error {
                    self.sender.report(too_big(size, limit));
                }
                error.into()
            }
        }
    }

    /// Keeps an update until the start. `false` if the stage is another by now.
    fn keep(
        &self,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
    ) -> Result<bool, StreamWriteError> {
        // Encoded before the lock is taken: encoders are the user's.
        let mut frame = Vec::new();
        let framed = self.sender.call.frame(&mut frame, payload, write);
        let (kept, result) = match framed {
            Ok(body) => (Kept::Update(body), Ok(true)),
            Err(error @ AppendError::TooBig { size, limit }) => {
                let instead = too_big(size, limit);
                self.sender.call.frame_error(&mut frame, instead);
                (Kept::TooLarge { size, limit }, Err(error.into()))
            }
            Err(error) => return Err(error.into()),
        };
        let mut queue = self.lock();
        if queue.stage != Stage::Queueing {
            return Ok(false);
        }
        queue.frames.extend_from_slice(&frame);
        queue.kept.push(kept);
        result
    }

    /// Appends an update's stream payload under the output's lock, which the caller holds, or keeps
    /// it until the start.
    pub(crate) fn append(&self, output: &mut Appending<'_>, payload: &[u8]) -> Appended {
        let write = |buffer: &mut Vec<u8>| {
            buffer.extend_from_slice(payload);
            Ok(())
        };
        match self.stage() {
            Stage::Started => {
                let sent = self.sender.call.append_if(
                    output,
                    || !self.sender.served.is_ended(),
                    Class::Response,
                    payload.len(),
                    write,
                );
                match sent {
                    Ok(Some(_)) => Appended::Sent,
                    Ok(None) => Appended::Closed,
                    Err(error) => Appended::Refused(error),
                }
            }
            Stage::Queueing => match self.keep(payload.len(), write) {
                // It cannot start as long as the output's lock is held.
                Ok(false) => Appended::Closed,
                // What is too large is among what is kept, as an error.
                Ok(true) | Err(_) => Appended::Kept,
            },
            Stage::Closing | Stage::Ended | Stage::Abandoned => Appended::Closed,
        }
    }

    /// What [`append`](Self::append) left to do, now that the lock is free. `payload` is the
    /// size of what was to be appended.
    pub(crate) fn after_append(&self, appended: Appended, payload: usize, turn: Option<&Turn<'_>>) {
        let call = &self.sender.call;
        let sent = match appended {
            Appended::Sent => Ok(Some(payload)),
            Appended::Refused(error) => Err(error),
            Appended::Kept | Appended::Closed => return,
        };
        if let Some(turn) = turn {
            let size = call.response_size(payload);
            call.tell_of_response(turn, size, &sent, || SentResponse::StreamingUpdate);
        }
        if let Err(error) = sent {
            call.give_up_slow_reader(&error);
            self.refused(*error);
        }
    }

    /// The handler has returned: sends the initial response with a payload of `payload` bytes,
    /// and what was kept, in one go.
    pub(crate) fn start(
        &self,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
    ) -> Result<(), Box<SendError>> {
        let Sender { call, served } = &self.sender;
        let turn = call.shared().events.turn();
        let (sent, kept) = call.shared().output.appending(|output| {
            let wanted = || !served.is_ended();
            let sent = call.append_if(output, wanted, Class::Response, payload, write);
            let kept = matches!(sent, Ok(Some(_))).then(|| self.append_kept(output));
            (sent, kept)
        });
        self.changed.notify_waiters();
        if let Some(turn) = turn {
            let size = call.response_size(payload);
            call.tell_of_response(&turn, size, &sent, || SentResponse::StreamingInitial);
            kept.iter().for_each(|kept| self.tell_of_kept(&turn, kept));
        }
        match kept.map(|kept| kept.last) {
            None | Some(Last::None) => {}
            Some(Last::End) => self.sender.finished(),
            Some(Last::Error(error)) => self.act_on(error),
        }
        sent.map(drop)
            .inspect_err(|error| call.give_up_slow_reader(error))
    }

    /// What was kept leaves, right behind the initial response; and the end, if it was closed.
    fn append_kept(&self, output: &mut Appending<'_>) -> Started {
        let Sender { call, served } = &self.sender;
        let mut queue = self.lock();
        let mut frames = std::mem::take(&mut queue.frames);
        let last = match (queue.stage, queue.error.take()) {
            (Stage::Closing, Some(error)) => {
                let error_response = RpcError::UncaughtExn(error.clone().into_sexp());
                call.frame_error(&mut frames, error_response);
                Last::Error(error)
            }
            (Stage::Closing, None) => {
                let end = |buffer: &mut Vec<u8>| {
                    buffer.extend_from_slice(EOF_PAYLOAD);
                    Ok(())
                };
                // No smaller message than the initial response before it.
                let _body = call.frame(&mut frames, EOF_PAYLOAD.len(), end);
                Last::End
            }
            _ => Last::None,
        };
        let count = Frames::new(&frames, usize::MAX).count();
        output.append_frames(Class::Response, &frames, count);
        let stage = match last {
            Last::None => Stage::Started,
            Last::End | Last::Error(_) => {
                served.end();
                Stage::Ended
            }
        };
        self.set_stage(&mut queue, stage);
        Started {
            kept: std::mem::take(&mut queue.kept),
            last,
        }
    }

    #[cold]
    fn tell_of_kept(&self, turn: &Turn<'_>, started: &Started) {
        let call = &self.sender.call;
        let update = || SentResponse::StreamingUpdate;
        for kept in &started.kept {
            match *kept {
                Kept::Update(size) => call.tell_of_response(turn, size, &Ok(Some(0)), update),
                Kept::TooLarge { size, limit } => {
                    let refused = SendError::Frame(AppendError::TooBig { size, limit });
                    call.tell_of_response(turn, size, &Err(Box::new(refused)), update);
                }
            }
        }
        match &started.last {
            Last::None => {}
            Last::End => {
                let size = call.response_size(EOF_PAYLOAD.len());
                let end = || SentResponse::StreamingClosed;
                call.tell_of_response(turn, size, &Ok(Some(0)), end);
            }
            Last::Error(error) => {
                let error = RpcError::UncaughtExn(error.clone().into_sexp());
                let size = call.error_size(error.clone());
                let end = || SentResponse::SingleOrStreamingRpcErrorOrExn(error);
                call.tell_of_response(turn, size, &Ok(Some(0)), end);
            }
        }
    }

    /// The policy for what stood in place of the end.
    fn act_on(&self, error: HandlerError) {
        let call = &self.sender.call;
        let stop = call.raised_in_background(error);
        self.sender.finished();
        if let Some(stop) = stop {
            stop.act(call.shared());
        }
    }

    /// The handler failed, or the connection has stopped, before the start: what was kept is
    /// dropped (rule R-SV-4).
    pub(crate) fn abandon(&self) {
        let mut queue = self.lock();
        if queue.stage.has_started() {
            return;
        }
        let frames = std::mem::take(&mut queue.frames);
        queue.kept = Vec::new();
        self.set_stage(&mut queue, Stage::Abandoned);
        drop(queue);
        drop(frames);
        self.changed.notify_waiters();
    }

    /// The connection answers nothing any more: no end is sent (rule R-SV-14).
    pub(crate) fn stop(&self) {
        self.abandon();
        let mut queue = self.lock();
        if queue.stage == Stage::Started {
            self.set_stage(&mut queue, Stage::Ended);
        }
        drop(queue);
        self.changed.notify_waiters();
    }

    /// Ends the stream, for the writer or by an abort: at once if it has started, and otherwise
    /// when it starts.
    pub(crate) fn close(&self) {
        if self.begin_to_close(None) == Some(Stage::Ended) {
            self.sender.end();
            self.sender.finished();
        }
    }

    /// The same with an error in place of the end (rule R-SV-12).
    pub(super) fn fail(&self, error: HandlerError) {
        if self.begin_to_close(Some(&error)) == Some(Stage::Ended)
            && let Some(stop) = self.sender.failed_in_background(error)
        {
            stop.act(self.sender.call.shared());
        }
    }

    /// Moves on to what a close leads to; `None` if it was closed already.
    fn begin_to_close(&self, error: Option<&HandlerError>) -> Option<Stage> {
        let mut queue = self.lock();
        let next = match queue.stage {
            Stage::Queueing => Stage::Closing,
            Stage::Started => Stage::Ended,
            Stage::Closing | Stage::Ended | Stage::Abandoned => return None,
        };
        queue.error = error.cloned();
        self.set_stage(&mut queue, next);
        drop(queue);
        self.changed.notify_waiters();
        Some(next)
    }

    async fn reach(&self, wanted: fn(Stage) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on a change is not missed.
            changed.as_mut().enable();
            if wanted(self.stage()) {
                return;
            }
            changed.await;
        }
    }

    pub(crate) async fn started(&self) {
        self.reach(Stage::has_started).await;
    }

    pub(crate) async fn closed(&self) {
        self.reach(Stage::is_closed).await;
    }

    /// What [`flushed_or_closed`](Self::flushed_or_closed) waits for from here.
    pub(crate) fn mark(&self) -> u64 {
        self.sender.call.shared().output.mark()
    }

    /// Waits until the transport has taken what was sent up to `mark`, or the writer is closed.
    pub(crate) async fn flushed_or_closed(&self, mark: u64) {
        let mut flushed = pin!(self.sender.call.shared().output.flushed_to(mark));
        let mut closed = pin!(self.closed());
        std::future::poll_fn(|cx| match flushed.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => closed.as_mut().poll(cx),
        })
        .await;
    }
}
