//! Writing: everything queued since the last write, in one write.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::output::Output;

/// The bytes that the transport is taking right now.
#[derive(Debug)]
pub(crate) struct Writer {
    current: Vec<u8>,
    written: usize,
    unflushed: bool,
}

impl Writer {
    /// The handshake's last frame may not have been flushed.
    pub(crate) fn new() -> Self {
        Self {
            current: Vec::new(),
            written: 0,
            unflushed: true,
        }
    }

    /// Writes until the output is empty (ready) or the transport takes no more (pending).
    ///
    /// # Errors
    /// The transport failed.
    pub(crate) fn poll_write(
        &mut self,
        output: &Output,
        mut io: Pin<&mut (impl AsyncWrite + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            while let Some(rest @ [_, ..]) = self.current.get(self.written..) {
                let taken = ready!(io.as_mut().poll_write(cx, rest))?;
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
        }
    }
}
