//! The task that owns a connection's transport: reads, hands over, writes, and closes.
//!
//! ```text
//!  OPEN ── end of input, bad bytes, close reason, silence, failed transport, `close` ──► CLOSING
//!            CLOSING: what is in the output buffer is written, answers are still read and sent
//!            STOPPED: implementations' answers are dropped; the close reason is sent
//!            ENDED:   nothing is sent; the transport is closed; waiting calls get their error
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bin_prot::{BinWrite, Info, Sexp};
use rpc_wire::{CloseReason, Description, Message, Query, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};

use super::closed::ClosedBy;
use super::heartbeat::{Heartbeat, Next};
use super::output::{Class, Stage};
use super::reader::Reader;
use super::shared::Shared;
use super::waiting::After;
use super::writer::Writer;
use super::{Config, Transport};
use crate::error::{ConnectionClosed, DispatchError};
use crate::implementation::{Call, Started};
use crate::implementations::{Find, OnUnknownRpc, Serve};

/// Reading and discarding after the last byte was written: without it, the reset that TCP sends
/// for unread input can cost the peer our close reason (decision 21).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1024 * 1024;

/// Bytes to read before other tasks are let run.
const READ_BUDGET: usize = 64 * 1024;

/// What became of one read.
enum Read {
    /// This many bytes came, and what was whole has been handled.
    Bytes(usize),
    /// The connection is over.
    End(End),
}

/// Why the connection's task stops serving.
enum End {
    /// The other side of the transport ended (C-RE-1).
    Eof,
    /// The peer closed and said why (C-RE-3).
    ByPeer(Box<CloseReason>),
    /// A handler asked to stop (C-RE-2), for this reason (C-RE-4).
    Stopped(Option<Info>),
    /// The peer sent something that makes no sense (C-RE-5, C-RD-12).
    Fatal(Info),
    /// The peer has been silent for too long (C-HB-10).
    Dead(String),
    /// The transport takes no bytes any more (C-CL-30).
    TransportStopped,
    /// Somebody on this side asked for it; the output has been flushed, or the time for that is
    /// over.
    Requested,
}

pub(super) struct Driver {
    shared: Arc<Shared>,
    ending: Ending,
    io: Box<dyn Transport>,
    reader: Reader,
    writer: Writer,
    callee: Box<dyn Serve>,
    tasks: JoinSet<()>,
    heartbeat: Heartbeat,
    timer: Pin<Box<Sleep>>,
    phase: Phase,
    flush_timeout: Duration,
    drain_timeout: Duration,
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
        config: &Config,
    ) -> Self {
        let now = Instant::now();
        Self {
            ending: Ending {
                shared: shared.clone(),
                failed: false,
            },
            shared,
            io,
            reader,
            writer: Writer::default(),
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
            if let Some(end) = self.poll_timers(cx) {
                return Poll::Ready(end);
            }
            while !self.tasks.is_empty() && self.tasks.poll_join_next(cx).is_ready() {}
            let written = self.poll_write(cx);
            match self.phase {
                Phase::Open if self.shared.output.closed().is_some() => {
                    self.phase = Phase::Flushing(Instant::now() + self.flush_timeout);
                    continue;
                }
                Phase::Flushing(_) if written.is_ready() => return Poll::Ready(End::Requested),
                Phase::Draining(_) if self.shared.output.closed().is_some() => {
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
            let closing_known = matches!(self.phase, Phase::Flushing(_));
            if written.is_pending() && closing_known {
                return Poll::Pending;
            }
            if self.shared.output.park(cx, written, closing_known) {
                return Poll::Pending;
            }
        }
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
                self.phase = Phase::Draining(Instant::now() + self.drain_timeout);
                Poll::Pending
            }
        }
    }

    /// Reads once and handles every whole message that is there.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        // Bytes that came right behind the handshake are handled before the first read.
        if let Some(end) = self.handle_batch() {
            return Poll::Ready(Read::End(end));
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
        loop {
            let body = match self.reader.next_frame() {
                Ok(Some(body)) => body,
                Ok(None) => break,
                Err(error) => return Some(End::Fatal(Info::from(error.to_string()))),
            };
            any = true;
            let message = match Message::decode(body) {
                Ok(message) => message,
                Err(error) => {
                    let text = format!("message cannot be decoded: {error}");
                    return Some(End::Fatal(Info::from(text)));
                }
            };
            let end = match message {
                Message::Heartbeat => None,
                Message::Query(query) => handle_query(
                    &self.shared,
                    &*self.callee,
                    &mut self.tasks,
                    self.phase,
                    query,
                ),
                Message::Response(response) => handle_response(&self.shared, response),
                Message::CloseStarted => {
                    self.shared.output.advance(Stage::PeerClosing);
                    None
                }
                Message::CloseReason(info) | Message::CloseReasonDuplicated(info) => {
                    Some(End::ByPeer(Box::new(info.into())))
                }
                Message::CloseReasonV2(reason) => Some(End::ByPeer(Box::new(reason.into()))),
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
        // What the peer sent made no sense: for the calls that wait, that is more than an end.
        self.ending.failed = matches!(end, End::Fatal(_));
        let tell = self.start_closing(end);
        let closed = self.shared.output.closed();
        let deadline = Instant::now() + self.flush_timeout;
        // Data first, then the reason: it must not cost data (decision 2).
        self.write_out(deadline).await;
        self.shared.output.advance(Stage::Stopped);
        if let Some(closed) = closed.as_ref().filter(|_| tell && !told_by_peer)
            && let Some(message) = closed.reason.to_message(self.shared.version)
        {
            self.send_control(&message);
        }
        self.write_out(deadline).await;
        self.shared.output.advance(Stage::Ended);
        shut_down(&mut *self.io, input_ended, deadline).await;
        // Handlers that still run are cancelled, their streams dropped (decision 13).
        self.tasks.shutdown().await;
    }

    /// Notes why, if nothing has been noted yet, and says whether the peer is to be told.
    fn start_closing(&self, end: End) -> bool {
        let stopped = "Rpc message handling loop stopped";
        let (by, reason, tell) = match end {
            End::Eof => (
                ClosedBy::Unknown,
                CloseReason::debug("EOF or connection closed"),
                false,
            ),
            End::ByPeer(reason) => (ClosedBy::Peer, *reason, false),
            End::Stopped(None) => (ClosedBy::Unknown, CloseReason::debug(stopped), false),
            End::Stopped(Some(error)) => {
                let list = Info::OfList(None, vec![Info::from(stopped), error]);
                (ClosedBy::Unknown, CloseReason::debug(list), true)
            }
            End::Fatal(error) => {
                let error = error.tag("exn raised in RPC connection loop");
                (ClosedBy::Unknown, CloseReason::debug(error), true)
            }
            End::Dead(why) => (ClosedBy::Local, CloseReason::debug(why), true),
            End::TransportStopped => (
                ClosedBy::Unknown,
                CloseReason::debug("RPC transport stopped"),
                false,
            ),
            // The cause has been noted by whoever asked; a user's reason is for the peer.
            End::Requested => return self.tell_requested(),
        };
        if self.shared.start_closing(by, reason) {
            tell
        } else {
            self.tell_requested()
        }
    }

    /// Whether a reason given on this side is sent: one in the user's words, or an error
    /// (rule C-CL-5).
    fn tell_requested(&self) -> bool {
        let closed = self.shared.output.closed();
        closed.is_some_and(|closed| super::is_told(&closed.reason))
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

/// What has to be done however the connection's task ends, be it that its runtime shuts down:
/// everybody who waits is told.
struct Ending {
    shared: Arc<Shared>,
    failed: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let shared = &self.shared;
        shared.start_closing(
            ClosedBy::Local,
            CloseReason::debug("the connection's task was dropped"),
        );
        shared.output.advance(Stage::Ended);
        let reason = shared.output.closed();
        let error = match &reason {
            Some(closed) if self.failed => DispatchError::ConnectionFailed(closed.clone()),
            _ => DispatchError::ConnectionClosed(ConnectionClosed {
                reason: reason.clone(),
            }),
        };
        let receivers = shared.waiting().end();
        for receiver in receivers {
            receiver.fail(error.clone());
        }
        if let Some(closed) = reason {
            shared.finish(closed);
        }
    }
}

/// Ends our half of the transport and waits a little for the peer to end its own, so that
/// nothing of ours is lost to a reset.
async fn shut_down(io: &mut dyn Transport, input_ended: bool, deadline: Instant) {
    let ended = timeout_at(deadline, io.shutdown()).await;
    if !matches!(ended, Ok(Ok(()))) || input_ended {
        return;
    }
    let mut input = io.take(LINGER_BYTES);
    let mut nowhere = tokio::io::sink();
    // Whether the peer ends its half in time makes no difference to us.
    let _ended = timeout(LINGER, tokio::io::copy(&mut input, &mut nowhere)).await;
}

fn handle_response(shared: &Shared, response: Response<'_>) -> Option<End> {
    let id = response.header.id;
    let receiver = shared.waiting().receiver(id);
    let Some(receiver) = receiver else {
        let error = Sexp::list([Sexp::atom("Unknown_query_id"), Sexp::atom(id.to_string())]);
        return Some(End::Stopped(Some(Info::Sexp(error))));
    };
    match receiver.response(id, response.result) {
        After::Keep => {}
        After::Remove => {
            shared.waiting().remove(id);
        }
    }
    None
}

fn handle_query(
    shared: &Arc<Shared>,
    callee: &dyn Serve,
    tasks: &mut JoinSet<()>,
    phase: Phase,
    query: Query<'_>,
) -> Option<End> {
    if phase != Phase::Open {
        // Once closing has started, queries of every form are dropped (decision 1).
        return None;
    }
    let specifier = query.header.specifier();
    match callee.find(specifier) {
        Find::Implementation(index) => {
            let call = Call::new(shared.clone(), query.header.id, callee.menu_index(index));
            let handled =
                catch_unwind(AssertUnwindSafe(|| callee.handle(index, query.data, &call)));
            let started = handled.unwrap_or_else(|panic| {
                call.raised(callee.location(index), &*panic);
                Started::Done
            });
            match started {
                Started::Done => None,
                Started::Task { future, stream } => {
                    let task = tasks.spawn(future);
                    if let Some(stream) = stream {
                        stream.set_task(task);
                    }
                    None
                }
                Started::Stop(error) => Some(End::Stopped(Some(Info::Sexp(error)))),
            }
        }
        Find::Unknown(rpc) => {
            let call = Call::new(shared.clone(), query.header.id, None);
            unknown_rpc(&call, callee.on_unknown_rpc(), rpc.to_description())
        }
        Find::BadRank(rank) => Some(End::Fatal(Info::from(format!(
            "query {} names rank {rank}, which our menu does not have",
            query.header.id
        )))),
    }
}

/// The answer first, then the policy (rule R-UN-1).
fn unknown_rpc(call: &Call, policy: OnUnknownRpc, rpc: Description) -> Option<End> {
    let text = format!("unimplemented RPC {rpc}");
    call.error(rpc_wire::RpcError::unimplemented(rpc));
    match policy {
        OnUnknownRpc::Continue => None,
        OnUnknownRpc::CloseConnection => Some(End::Stopped(None)),
        OnUnknownRpc::Raise => Some(End::Fatal(Info::from(text))),
    }
}
