//! Writing: everything queued since the last write, in one write.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::outgoing::Outgoing;
use super::output::Output;

/// The bytes that the transport is taking right now.
#[derive(Debug)]
pub(crate) struct Writer {
    current: Outgoing,
    written: usize,
    unflushed: bool,
    /// How long a byte may wait.
    timeout: Duration,
    /// Since when the oldest of these bytes waits; `None` as long as the transport takes all.
    waiting_since: Option<Instant>,
    /// Since when the oldest byte behind them waits.
    next_waiting_since: Option<Instant>,
}

impl Writer {
    /// The last frame of the handshake may not have been flushed.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            current: Outgoing::default(),
            written: 0,
            unflushed: true,
            timeout,
            waiting_since: None,
            next_waiting_since: None,
        }
    }

    /// Writes until the output is empty (ready) or the transport takes no more (pending).
    ///
    /// # Errors
    /// The transport failed.
    pub(crate) fn poll_write(
        &mut self,
        output: &Output,
        io: Pin<&mut (impl AsyncWrite + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = self.poll_all(output, io, cx);
        match poll {
            Poll::Pending => self.wait(output),
            Poll::Ready(_) => (self.waiting_since, self.next_waiting_since) = (None, None),
        }
        poll
    }

    /// Gives back the room that only a busy connection needs.
    pub(crate) fn give_back_room(&mut self) {
        self.current.give_back_room();
    }

    /// When the oldest byte will have waited for too long (rule C-BP-7).
    pub(crate) fn gives_up_at(&self) -> Option<Instant> {
        self.waiting_since?.checked_add(self.timeout)
    }

    /// What is to be said then.
    pub(crate) fn complaint(&self) -> String {
        format!(
            "peer does not read: bytes have been waiting for it for {:?}",
            self.timeout
        )
    }

    fn poll_all(
        &mut self,
        output: &Output,
        mut io: Pin<&mut (impl AsyncWrite + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            while self.written < self.current.len() {
                let taken = ready!(self.current.poll_write(self.written, io.as_mut(), cx))?;
                if taken == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.written += taken;
                self.unflushed = true;
            }
            output.take(&mut self.current);
            self.written = 0;
            if self.current.is_empty() {
                if self.unflushed {
                    ready!(io.as_mut().poll_flush(cx))?;
                    self.unflushed = false;
                }
                return Poll::Ready(Ok(()));
            }
            self.waiting_since = self.next_waiting_since.take();
        }
    }

    /// Notes what waits. No clock is asked as long as the transport takes everything, and this
    /// is called soon after something has begun to wait: whoever appends wakes the connection's
    /// task.
    #[cold]
    fn wait(&mut self, output: &Output) {
        let more = output.note_taken(self.written);
        self.waiting_since.get_or_insert_with(Instant::now);
        if more {
            self.next_waiting_since.get_or_insert_with(Instant::now);
        }
    }
}
