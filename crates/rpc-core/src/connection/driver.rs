//! The task that owns a connection's transport: reads, hands over, writes, and closes.
//!
//! ```text
//!  OPEN ── end of input, bad bytes, close reason, silence, failed transport, `close` ──► CLOSING
//!            CLOSING: what is in the output buffer is written, answers are still read and sent
//!            STOPPED: implementations' answers are dropped; the close reason is sent
//!            ENDED:   nothing is sent; the transport is closed; waiting calls get their error
//! ```

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bin_prot::{BinWrite, Info};
use rpc_wire::Message;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::end::{End, Ending, shut_down};
use super::heartbeat::{Heartbeat, Next};
use super::output::{Class, Stage};
use super::reader::{self, Reader};
use super::shared::Shared;
use super::writer::Writer;
use super::{Config, Transport, after, messages};
use crate::implementation::Stop;
use crate::implementations::Serve;

/// Bytes to read before other tasks are let run.
const READ_BUDGET: usize = reader::BUSY_CAPACITY;

/// What became of one read.
enum Read {
    /// This many bytes came, and what was whole has been handled.
    Bytes(usize),
    /// The connection is over.
    End(End),
}

pub(super) struct Driver {
    shared: Arc<Shared>,
    io: Box<dyn Transport>,
    reader: Reader,
    writer: Writer,
    callee: Box<dyn Serve>,
    tasks: JoinSet<Option<Stop>>,
    heartbeat: Heartbeat,
    timer: Pin<Box<Sleep>>,
    phase: Phase,
    flush_timeout: Duration,
    drain_timeout: Duration,
    /// Dropped last: the end is announced when everything else is gone.
    ending: Ending,
}

/// What the loop is waiting for, apart from messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Closing was requested: until the output is flushed, or this time.
    Flushing(Instant),
    /// The transport takes no bytes: until the input ends, or this time.
    Draining(Instant),
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
        Self {
            ending,
            shared,
            io,
            reader,
            writer: Writer::new(),
            callee,
            tasks: JoinSet::new(),
            heartbeat: Heartbeat::new(config.heartbeat, now),
            timer: Box::pin(sleep_until(now)),
            phase: Phase::Open,
            flush_timeout: config.flush_timeout,
            drain_timeout: config.reader_drain_timeout,
        }
    }

    /// Serves the connection until it is over.
    pub(super) async fn run(mut self) {
        let end = std::future::poll_fn(|cx| self.poll_serve(cx)).await;
        self.close(end).await;
    }

    fn poll_serve(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut budget = READ_BUDGET;
        loop {
            if self.phase == Phase::Open && self.shared.output.is_closing() {
                self.phase = Phase::Flushing(after(self.flush_timeout));
            }
            if let Some(end) = self.poll_timers(cx) {
                return Poll::Ready(end);
            }
            if let Some(stop) = self.poll_tasks(cx) {
                return Poll::Ready(stop.into());
            }
            let phase = self.phase;
            let written = self.poll_write(cx);
            if phase != self.phase {
                continue;
            }
            match phase {
                Phase::Flushing(_) if self.is_flushed(written) => {
                    return Poll::Ready(End::Requested);
                }
                Phase::Draining(_) if self.shared.output.is_closing() => {
                    return Poll::Ready(End::TransportStopped);
                }
                Phase::Open | Phase::Flushing(_) | Phase::Draining(_) => {}
            }
            if budget == 0 {
                // Whoever waits for what was read has to run, or it piles up.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.poll_read(cx) {
                Poll::Ready(Read::End(end)) => return Poll::Ready(end),
                Poll::Ready(Read::Bytes(bytes)) => {
                    budget = budget.saturating_sub(bytes);
                    continue;
                }
                Poll::Pending => {}
            }
            let held = self.shared.gate.is_held();
            let flushing = matches!(phase, Phase::Flushing(_));
            // Asked again after parking: what another thread did just before wakes nobody.
            if self.shared.output.park(cx, written, flushing)
                && !(flushing && self.is_flushed(written))
                && (!held || self.shared.gate.is_held())
            {
                return Poll::Pending;
            }
        }
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

    /// Whether closing has nothing more to wait for: all is written, and no source of a stream
    /// is being drained.
    fn is_flushed(&self, written: Poll<()>) -> bool {
        written.is_ready() && !self.shared.serving.is_busy()
    }

    /// Heartbeats, and the ends of phases.
    fn poll_timers(&mut self, cx: &mut Context<'_>) -> Option<End> {
        loop {
            let deadline = match self.phase {
                Phase::Open => match self.poll_heartbeat() {
                    Ok(next) => next?,
                    Err(end) => return Some(end),
                },
                Phase::Flushing(deadline) | Phase::Draining(deadline) => deadline,
            };
            if self.timer.deadline() != deadline {
                self.timer.as_mut().reset(deadline);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return None;
            }
            match self.phase {
                Phase::Open => {}
                Phase::Flushing(_) => return Some(End::Requested),
                Phase::Draining(_) => return Some(End::TransportStopped),
            }
        }
    }

    fn poll_heartbeat(&mut self) -> Result<Option<Instant>, End> {
        loop {
            // The common case asks no clock.
            match self.heartbeat.next_check() {
                Some(next) if next == self.timer.deadline() && !self.timer.is_elapsed() => {
                    return Ok(Some(next));
                }
                None => return Ok(None),
                Some(_) => {}
            }
            match self.heartbeat.poll(Instant::now()) {
                Next::Send => self.send_control(&Message::Heartbeat),
                Next::SleepUntil(next) => return Ok(Some(next)),
                Next::Sleep => return Ok(None),
                Next::GiveUp(why) => return Err(End::Dead(why)),
            }
        }
    }

    fn send_control(&self, message: &Message<'_>) {
        let size = message.bin_size();
        let send = |buffer: &mut Vec<u8>| message.bin_write(buffer);
        if let Err(error) = self.shared.output.send(Class::Control, size, send) {
            let connection = &self.shared.description;
            tracing::debug!(connection, ?error, kind = %message.kind(), "not sent");
        }
    }

    /// Ready when everything was written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.phase, Phase::Draining(_)) {
            return Poll::Pending;
        }
        let io = Pin::new(&mut *self.io);
        match self.writer.poll_write(&self.shared.output, io, cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => {
                let connection = &self.shared.description;
                tracing::debug!(connection, %error, "transport stopped");
                self.shared.output.advance(Stage::Ended);
                // Producers notice at once (rule R-SV-14).
                self.shared.serving.clear();
                self.phase = Phase::Draining(after(self.drain_timeout));
                Poll::Pending
            }
        }
    }

    /// Reads once and handles every whole message that is there.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        // Bytes that came right behind the handshake are handled before the first read, and so is
        // what a hold has left.
        if let Some(end) = self.handle_batch() {
            return Poll::Ready(Read::End(end));
        }
        if self.shared.gate.is_held() {
            return Poll::Pending;
        }
        let read = self.reader.poll_fill(Pin::new(&mut *self.io), cx);
        match ready!(read) {
            Ok(0) => Poll::Ready(Read::End(End::Eof)),
            Ok(bytes) => Poll::Ready(match self.handle_batch() {
                Some(end) => Read::End(end),
                None => Read::Bytes(bytes),
            }),
            Err(error) => {
                let connection = &self.shared.description;
                tracing::debug!(connection, %error, "reading failed");
                Poll::Ready(Read::End(End::Eof))
            }
        }
    }

    fn handle_batch(&mut self) -> Option<End> {
        let mut any = false;
        while !self.shared.gate.is_held() {
            let body = match self.reader.next_frame() {
                Ok(Some(body)) => body,
                Ok(None) => break,
                Err(error) => return Some(End::Fatal(Info::from(error.to_string()))),
            };
            any = true;
            let bytes = body.len();
            let message = match Message::decode(body) {
                Ok(message) => message,
                Err(error) => {
                    let text = format!("message cannot be decoded: {error}");
                    return Some(End::Fatal(Info::from(text)));
                }
            };
            let end = match message {
                Message::Heartbeat => None,
                Message::Query(query) => {
                    messages::query(&self.shared, &*self.callee, &mut self.tasks, query, bytes)
                }
                Message::Response(response) => {
                    messages::response(&self.shared, &mut self.tasks, response, bytes)
                }
                Message::CloseStarted => {
                    self.shared.output.advance(Stage::PeerClosing);
                    None
                }
                Message::CloseReason(info) | Message::CloseReasonDuplicated(info) => {
                    Some(End::ByPeer(Box::new(info.into())))
                }
                Message::CloseReasonV2(reason) => Some(End::ByPeer(Box::new((*reason).into()))),
                Message::Metadata(_) | Message::MetadataV2(_) => Some(End::Fatal(Info::from(
                    "connection metadata after the handshake",
                ))),
            };
            if end.is_some() {
                return end;
            }
        }
        if any {
            self.heartbeat.seen(Instant::now());
        }
        None
    }

    async fn close(mut self, end: End) {
        let told_by_peer = matches!(end, End::ByPeer(_));
        let input_ended = matches!(end, End::Eof | End::TransportStopped) || told_by_peer;
        self.ending.failed = matches!(end, End::Fatal(_));
        let tell = end.note(&self.shared);
        let closed = self.shared.output.closed();
        let deadline = match self.phase {
            Phase::Flushing(deadline) => deadline,
            Phase::Open | Phase::Draining(_) => after(self.flush_timeout),
        };
        // Data first, then the reason: it must not cost data (decision 2).
        self.write_out(deadline).await;
        self.shared.output.advance(Stage::Stopped);
        self.shared.serving.clear();
        if let Some(closed) = closed.as_ref().filter(|_| tell && !told_by_peer)
            && let Some(message) = closed.reason.to_message(self.shared.version)
        {
            self.send_control(&message);
        }
        self.write_out(deadline).await;
        self.shared.output.advance(Stage::Ended);
        self.ending.fail_waiting();
        shut_down(&mut *self.io, input_ended, deadline).await;
        // Handlers that still run are cancelled, their streams dropped (decision 13).
        self.tasks.shutdown().await;
    }

    async fn write_out(&mut self, deadline: Instant) {
        if self.shared.output.stage() == Stage::Ended {
            return;
        }
        let (writer, io, output) = (&mut self.writer, &mut self.io, &self.shared.output);
        let write = std::future::poll_fn(|cx| writer.poll_write(output, Pin::new(&mut **io), cx));
        // On a failure or timeout there is nobody left to tell.
        let _written = timeout_at(deadline, write).await;
    }
}
