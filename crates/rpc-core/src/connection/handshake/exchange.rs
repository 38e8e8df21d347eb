//! Carries the frames of a handshake: ours out, the peer's in, neither waiting for the other.
//!
//! A step is over when the peer's frame is there (rule C-HS-21). What the transport has not taken
//! of ours by then goes on being sent, during the next step and after the handshake; if the peer's
//! header was there already, that is all of ours.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bin_prot::BinWrite;
use rpc_wire::{Message, frame};
use tokio::time::{Instant, timeout, timeout_at};

use super::{HandshakeFailure, Step};
use crate::connection::end::shut_down;
use crate::connection::reader::Reader;
use crate::connection::{Config, Transport, after};

/// A header has at most 100 numbers; nobody needs more room than this for them.
const MAX_HEADER_BYTES: usize = 1024;

/// How long a refused peer may take to accept the bytes that tell it so.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Exchange<'a> {
    io: &'a mut dyn Transport,
    reader: &'a mut Reader,
    step_timeout: Duration,
    /// Until when both steps have to be over.
    deadline: Instant,
    limit: usize,
    /// Of the peer's second frame.
    metadata_limit: usize,
    /// Our frames, and how much of them the transport has taken.
    ours: Vec<u8>,
    taken: usize,
    unflushed: bool,
    /// Bytes in the bodies of our frames.
    bytes_sent: u64,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(io: &'a mut dyn Transport, reader: &'a mut Reader, config: &Config) -> Self {
        Self {
            io,
            reader,
            step_timeout: config.handshake_timeout,
            deadline: after(config.whole_handshake()),
            limit: config.message_limit(),
            metadata_limit: config.message_limit().min(config.allowed.peer_metadata),
            ours: Vec::new(),
            taken: 0,
            unflushed: false,
            bytes_sent: 0,
        }
    }

    /// How much of the time for the whole handshake is left.
    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Bytes in the bodies of our frames, and what is left to be sent of them.
    pub(super) fn finish(self) -> (u64, Vec<u8>) {
        let unsent = self.ours.get(self.taken..).unwrap_or_default().to_vec();
        (self.bytes_sent, unsent)
    }

    /// Sends our frame, and waits for the peer's: both at once (rules C-HS-1, C-HS-5).
    pub(super) async fn run(
        &mut self,
        step: Step,
        ours: &impl BinWrite,
    ) -> Result<Vec<u8>, HandshakeFailure> {
        self.enqueue(step, ours)?;
        let after = self.step_timeout.min(self.time_left());
        let received = std::future::poll_fn(|cx| self.poll_exchange(step, cx));
        timeout(after, received)
            .await
            .unwrap_or(Err(HandshakeFailure::Timeout { step, after }))
    }

    fn enqueue(&mut self, step: Step, value: &impl BinWrite) -> Result<(), HandshakeFailure> {
        let write = |buffer: &mut Vec<u8>| value.bin_write(buffer);
        let body = frame::append(&mut self.ours, self.limit, value.bin_size(), write)
            .map_err(|source| HandshakeFailure::Unsendable { step, source })?;
        self.bytes_sent += body as u64;
        Ok(())
    }

    fn poll_exchange(
        &mut self,
        step: Step,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<u8>, HandshakeFailure>> {
        let received = self.poll_receive(step, cx);
        if let Poll::Ready(Ok(_)) = received {
            // Ours leaves with our next frame, if there is one: one write, and the peer wakes once for
            // both.
            return received;
        }
        match self.poll_send(cx) {
            Poll::Ready(Err(source)) => {
                Poll::Ready(Err(HandshakeFailure::Transport { step, source }))
            }
            Poll::Ready(Ok(())) | Poll::Pending => received,
        }
    }

    /// Ready when the transport has taken all of ours.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.ours.get(self.taken..) {
            let taken = ready!(Pin::new(&mut *self.io).poll_write(cx, rest))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.taken += taken;
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut *self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_receive(
        &mut self,
        step: Step,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<u8>, HandshakeFailure>> {
        let limit = match step {
            Step::Header => MAX_HEADER_BYTES.min(self.limit),
            Step::ConnectionMetadata => self.metadata_limit,
        };
        loop {
            match self.reader.next_frame_within(limit) {
                Ok(Some(body)) => return Poll::Ready(Ok(body.to_vec())),
                Ok(None) => {}
                Err(source) => {
                    return Poll::Ready(Err(HandshakeFailure::Frame { step, source }));
                }
            }
            let io = Pin::new(&mut *self.io);
            match ready!(self.reader.poll_fill(io, cx)) {
                Ok(0) => return Poll::Ready(Err(HandshakeFailure::Eof { step })),
                Ok(_) => {}
                Err(source) => {
                    return Poll::Ready(Err(HandshakeFailure::Transport { step, source }));
                }
            }
        }
    }

    /// Sends what is left of ours, as far as the transport takes it at once: the peer is to see the
    /// same agreement or failure, even if the program has no more time for this connection.
    pub(super) async fn send_now(&mut self) {
        std::future::poll_fn(|cx| {
            // What became of it makes no difference any more.
            let _sent = self.poll_send(cx);
            Poll::Ready(())
        })
        .await;
    }

    /// Tells the peer why, as far as it still listens.
    pub(super) async fn refuse(&mut self, reason: &Message<'_>) {
        if self.enqueue(Step::ConnectionMetadata, reason).is_err() {
            return;
        }
        let deadline = after(REFUSAL_TIMEOUT);
        let sent = std::future::poll_fn(|cx| self.poll_send(cx));
        // The peer is refused, told or not.
        if let Ok(Ok(())) = timeout_at(deadline, sent).await {
            shut_down(self.io, false, deadline).await;
        }
    }
}
