//! The task that owns a connection's transport: reads, hands over, writes, and closes.
//!
//! ```text
//!  OPEN ──┬── `close`, with a wait ──► WAITING ── nothing is open, or the time is over ──┐
//!         ├── `close`, bad bytes, silence ──────────────────────────────────────► FLUSHING
//!         ├── the transport takes nothing ──► DRAINING ── the same for the input ──┐     │
//!         └── end of input, close reason of the peer ───────────────────────► STOPPED ◄──┘
//!
//!  WAITING   nothing new begins on either side; what is open goes on
//!  FLUSHING  what is in the output buffer and what streams have ready is written
//!  DRAINING  the peer may still say why
//!  STOPPED   implementations' answers are dropped; the close reason is sent
//!  ENDED     nothing is sent; the transport is closed; waiting calls get their error
//! ```

mod input;
mod timing;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bin_prot::BinWrite;
use rpc_wire::{Message, QueryId};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::admission::Admission;
use super::end::{End, Ending, Rest, shut_down};
use super::heartbeat::Heartbeat;
use super::output::{Class, Stage};
use super::reader::{self, Reader};
use super::shared::Shared;
use super::writer::Writer;
use super::{Config, Transport, after};
use crate::error::SendError;
use crate::implementation::{Call, CalledRpc, Stop};
use crate::implementations::Serve;
use input::{Batch, Read};
use timing::{Phase, Traffic};

/// Bytes to read before other tasks are let run. The last read may take more, if frames are large.
const READ_BUDGET: usize = reader::BUSY_CAPACITY;

/// What to do after one round.
enum Step {
    Again,
    Sleep,
    End(End),
}

pub(super) struct Driver {
    shared: Arc<Shared>,
    io: Box<dyn Transport>,
    reader: Reader,
    writer: Writer,
    callee: Box<dyn Serve>,
    /// The answering of the query that is being handled; made anew for each.
    call: Call,
    tasks: JoinSet<Option<Stop>>,
    admission: Admission,
    heartbeat: Heartbeat,
    timer: Pin<Box<Sleep>>,
    traffic: Traffic,
    phase: Phase,
    /// Whether messages are still read.
    reading: bool,
    flush_timeout: Duration,
    drain_timeout: Duration,
    /// Dropped last: the end is announced when everything else is gone.
    ending: Ending,
}

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        io: Box<dyn Transport>,
        reader: Reader,
        callee: Box<dyn Serve>,
        ending: Ending,
        config: &Config,
    ) -> Self {
        let now = Instant::now();
        shared.liveness.seen(now);
        let call = Call::new(shared.clone(), CalledRpc::Menu, QueryId::new(0), None);
        Self {
            ending,
            shared,
            io,
            reader,
            writer: Writer::new(config.write_timeout),
            callee,
            call,
            tasks: JoinSet::new(),
            admission: Admission::new(config, now),
            heartbeat: Heartbeat::new(config.heartbeats(), now),
            timer: Box::pin(sleep_until(now)),
            traffic: Traffic::default(),
            phase: Phase::Open,
            reading: true,
            flush_timeout: config.flush_timeout,
            drain_timeout: config.reader_drain_timeout,
        }
    }

    /// Serves the connection until it is over.
    #[expect(
        clippy::manual_async_fn,
        reason = "the future of an `async fn` has room for `self` twice"
    )]
    pub(super) fn run(mut self) -> impl Future<Output = ()> + Send {
        async move {
            let rest = match self.begin().and_then(|end| self.end(end)) {
                Some(rest) => rest,
                None => std::future::poll_fn(|cx| self.poll_serve(cx)).await,
            };
            // Apart, since a connection that is open needs no room for it.
            Box::pin(self.close(rest)).await;
        }
    }

    /// Makes the first heartbeat, and handles what came right behind the handshake: the answers leave
    /// with it.
    fn begin(&mut self) -> Option<End> {
        if self.shared.output.is_closing() {
            return None;
        }
        if let Some(end) = self.on_time(Instant::now()) {
            return Some(end);
        }
        match self.handle_batch() {
            Batch::End(end) => Some(end),
            Batch::Handled | Batch::Nothing | Batch::Held => None,
        }
    }

    fn poll_serve(&mut self, cx: &mut Context<'_>) -> Poll<Rest> {
        let mut budget = READ_BUDGET;
        loop {
            match self.step(cx, &mut budget) {
                Step::Again => {}
                Step::Sleep => return Poll::Pending,
                Step::End(end) => {
                    if let Some(rest) = self.end(end) {
                        return Poll::Ready(rest);
                    }
                }
            }
        }
    }

    fn step(&mut self, cx: &mut Context<'_>, budget: &mut usize) -> Step {
        if self.phase == Phase::Open && self.shared.output.is_closing() {
            self.begin_closing();
        }
        if let Some(stop) = self.poll_tasks(cx) {
            return Step::End(stop.into());
        }
        let written = match self.poll_write(cx) {
            Ok(written) => written,
            Err(end) => return Step::End(end),
        };
        if let Some(end) = self.poll_timers(cx) {
            return Step::End(end);
        }
        match &mut self.phase {
            Phase::Waiting(_) if self.shared.is_idle() => {
                self.begin_flushing();
                return Step::Again;
            }
            Phase::Flushing { settled, .. } if is_flushed(&self.shared, written) => {
                if *settled {
                    return Step::End(End::Requested);
                }
                *settled = true;
                self.shared.serving.ask_sources();
                cx.waker().wake_by_ref();
                return Step::Sleep;
            }
            Phase::Draining(_) if self.shared.output.is_closing() => {
                return Step::End(End::TransportStopped);
            }
            Phase::Open | Phase::Waiting(_) | Phase::Flushing { .. } | Phase::Draining(_) => {}
        }
        if *budget == 0 {
            // Whoever waits for what was read has to run, or it piles up.
            cx.waker().wake_by_ref();
            return Step::Sleep;
        }
        let mut held = false;
        if self.reading {
            match self.poll_read(cx) {
                Poll::Ready(Read::End(end)) => return Step::End(end),
                Poll::Ready(Read::Bytes(bytes)) => {
                    *budget = budget.saturating_sub(bytes);
                    return Step::Again;
                }
                Poll::Ready(Read::Held) => held = true,
                Poll::Pending => {}
            }
        }
        self.park(cx, written, held)
    }

    /// Clears away handlers that are over, and says whether one of them makes the connection stop.
    fn poll_tasks(&mut self, cx: &mut Context<'_>) -> Option<Stop> {
        while !self.tasks.is_empty() {
            match self.tasks.poll_join_next(cx) {
                Poll::Ready(Some(Ok(Some(stop)))) => return Some(stop),
                // The handlers' panics are caught within; others were aborted.
                Poll::Ready(_) => {}
                Poll::Pending => break,
            }
        }
        None
    }

    /// Asks once more after parking: what another thread did just before wakes nobody. The gate may
    /// have been found `held` for the last time.
    fn park(&self, cx: &Context<'_>, written: Poll<()>, held: bool) -> Step {
        let closing_is_known = matches!(self.phase, Phase::Waiting(_) | Phase::Flushing { .. });
        if !self.shared.output.park(cx, written, closing_is_known)
            || (held && !self.shared.gate.is_held())
        {
            return Step::Again;
        }
        let goes_on = match self.phase {
            Phase::Waiting(_) => self.shared.is_idle(),
            Phase::Flushing { .. } => is_flushed(&self.shared, written),
            Phase::Open | Phase::Draining(_) => false,
        };
        if goes_on { Step::Again } else { Step::Sleep }
    }

    /// Notes why the connection ends, unless that has been noted. What is left of the transport,
    /// if there is nothing to be sent before.
    fn end(&mut self, end: End) -> Option<Rest> {
        let rest = end.rest();
        if let Some(cause) = end.into_cause() {
            self.shared.start_closing(cause);
        }
        if rest.is_some() || self.shared.output.has_ended() {
            return rest.or(Some(Rest {
                told_by_peer: false,
                input_ended: false,
            }));
        }
        self.reading = false;
        self.begin_flushing();
        None
    }

    fn send_control(&self, message: &Message<'_>) -> Result<(), Box<SendError>> {
        let size = message.bin_size();
        let send = |buffer: &mut Vec<u8>| message.bin_write(buffer);
        self.shared.output.send(Class::Control, size, send)
    }

    /// Ready when everything was written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, End> {
        if matches!(self.phase, Phase::Draining(_)) {
            return Ok(Poll::Pending);
        }
        let io = Pin::new(&mut *self.io);
        match self.writer.poll_write(&self.shared.output, io, cx) {
            Poll::Ready(Ok(())) => Ok(Poll::Ready(())),
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(Err(error)) => {
                let connection = &self.shared.description;
                tracing::debug!(connection, %error, "transport stopped");
                self.shared.output.advance(Stage::Ended);
                // Producers notice at once (rule R-SV-14).
                self.shared.serving.clear();
                if !peer_has_left(&error) {
                    return Err(End::WriterFailed(error.to_string()));
                }
                self.phase = Phase::Draining(after(self.drain_timeout));
                Ok(Poll::Pending)
            }
        }
    }

    async fn close(&mut self, rest: Rest) {
        let output = &self.shared.output;
        let (plan, closed) = (output.plan(), output.closed());
        let deadline = self.flush_deadline();
        // Data first, then the reason: it must not cost data (decision 2).
        self.write_out(deadline).await;
        self.shared.output.advance(Stage::Stopped);
        self.shared.serving.clear();
        if plan.told
            && !rest.told_by_peer
            && let Some(closed) = closed
            && let Some(message) = closed.reason.to_message(self.shared.version)
        {
            // One that is too large is not sent (rule C-LM-4).
            if let Err(error) = self.send_control(&message) {
                let connection = &self.shared.description;
                tracing::debug!(connection, ?error, "close reason not sent");
            }
        }
        self.write_out(deadline).await;
        self.shared.output.advance(Stage::Ended);
        self.ending.fail_waiting();
        shut_down(&mut *self.io, rest.input_ended, deadline).await;
        // Handlers that still run are cancelled, their streams dropped (decision 13).
        self.tasks.shutdown().await;
    }

    async fn write_out(&mut self, deadline: Instant) {
        if self.shared.output.has_ended() {
            return;
        }
        let (writer, io, output) = (&mut self.writer, &mut self.io, &self.shared.output);
        let write = std::future::poll_fn(|cx| writer.poll_write(output, Pin::new(&mut **io), cx));
        // On a failure or timeout there is nobody left to tell.
        let _written = timeout_at(deadline, write).await;
    }
}

/// Whether closing has nothing more to wait for: all is written, and no source of a stream is
/// being drained.
fn is_flushed(shared: &Shared, written: Poll<()>) -> bool {
    written.is_ready() && !shared.serving.is_busy()
}

/// Whether the peer takes nothing any more, as opposed to a transport that does not work: then it
/// may have said why.
fn peer_has_left(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::TimedOut
            | io::ErrorKind::WriteZero
    )
}
