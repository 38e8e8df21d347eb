//! A transport that goes wrong after so many bytes, in a way that a seed chooses.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::ledger::{Fault, Ledger};
use crate::chance::Chance;

/// The most bytes that a chopped transport takes or gives at once.
const CHOPPED: usize = 61;

/// What happens when the bytes are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It fails.
    Reset,
    /// It ends.
    End,
    /// It takes everything and gives nothing.
    BlackHole,
    /// It waits for so long, and goes on for ever.
    Stall(Duration),
}

/// A transport with a fate.
#[derive(Debug)]
pub(crate) struct Faulty<T> {
    inner: T,
    ledger: Arc<Ledger>,
    chopped: bool,
    fate: Option<(u64, Then)>,
    struck: Option<Then>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<T> Faulty<T> {
    /// Most have no fault.
    pub(crate) fn new(inner: T, ledger: &Arc<Ledger>, chance: &mut Chance) -> Self {
        let then = match chance.below(20) {
            0 | 1 => Some(Then::Reset),
            2 | 3 => Some(Then::End),
            4 => Some(Then::BlackHole),
            5 | 6 => Some(Then::Stall(Duration::from_millis(chance.below(200)))),
            _ => None,
        };
        let chopped = chance.one_in(10);
        if chopped {
            ledger.fault(Fault::Chopped);
        }
        // Small ones strike within the handshake.
        let after = chance.size(300_000);
        Self {
            inner,
            ledger: ledger.clone(),
            chopped,
            fate: then.map(|then| (after, then)),
            struck: None,
            pause: None,
        }
    }

    fn used(&mut self, bytes: usize) {
        let Some((left, then)) = &mut self.fate else {
            return;
        };
        *left = left.saturating_sub(bytes as u64);
        if *left > 0 {
            return;
        }
        let then = *then;
        self.fate = None;
        self.ledger.fault(match then {
            Then::Reset => Fault::Reset,
            Then::End => Fault::EndOfStream,
            Then::BlackHole => Fault::BlackHole,
            Then::Stall(_) => Fault::Stall,
        });
        match then {
            Then::Stall(time) => self.pause = Some(Box::pin(sleep(time))),
            then => self.struck = Some(then),
        }
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl<T: AsyncRead + Unpin> AsyncRead for Faulty<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.struck {
            Some(Then::Reset) => return Poll::Ready(Err(reset())),
            Some(Then::End) => return Poll::Ready(Ok(())),
            // Nothing wakes whoever reads: only its own clock can help it.
            Some(Then::BlackHole) => return Poll::Pending,
            Some(Then::Stall(_)) | None => {}
        }
        ready!(self.poll_pause(cx));
        let before = buffer.filled().len();
        if self.chopped {
            let most = CHOPPED.min(buffer.remaining());
            let mut part = [0; CHOPPED];
            let mut part = ReadBuf::new(&mut part[..most]);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut part))?;
            buffer.put_slice(part.filled());
        } else {
            ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        }
        let read = buffer.filled().len() - before;
        self.used(read);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Faulty<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.struck {
            Some(Then::Reset | Then::End) => return Poll::Ready(Err(reset())),
            Some(Then::BlackHole) => return Poll::Ready(Ok(bytes.len())),
            Some(Then::Stall(_)) | None => {}
        }
        ready!(self.poll_pause(cx));
        let most = if self.chopped { CHOPPED } else { bytes.len() };
        let part = bytes.get(..most).unwrap_or(bytes);
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, part))?;
        self.used(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.struck {
            Some(_) => Poll::Ready(Ok(())),
            None => Pin::new(&mut self.inner).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.struck {
            Some(_) => Poll::Ready(Ok(())),
            None => Pin::new(&mut self.inner).poll_shutdown(cx),
        }
    }
}
