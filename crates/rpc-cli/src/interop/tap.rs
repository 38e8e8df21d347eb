//! A transport that remembers what passes, to see what the connection itself does not show.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use rpc_wire::Message;
use rpc_wire::frame::{self, Frames};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Passes everything on.
#[derive(Debug)]
pub(super) struct Tap<T> {
    transport: T,
    seen: Seen,
}

/// What passed in each direction so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<Directions>>);

#[derive(Debug, Default)]
struct Directions {
    read: Vec<u8>,
    written: Vec<u8>,
}

impl<T> Tap<T> {
    /// The transport with the tap in it, and what it sees.
    pub(super) fn new(transport: T) -> (Self, Seen) {
        let seen = Seen::default();
        let tap = Self {
            transport,
            seen: seen.clone(),
        };
        (tap, seen)
    }
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Directions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `look` with each message that was sent after the header.
    pub(super) fn sent(&self, look: impl FnMut(Message<'_>)) {
        messages(&self.lock().written, look);
    }

    /// How many of them are queries, of whatever kind.
    pub(super) fn queries_sent(&self) -> usize {
        let mut count = 0;
        self.sent(|message| count += usize::from(matches!(message, Message::Query(_))));
        count
    }

    /// Calls `look` with each message that was received after the header.
    pub(super) fn received(&self, look: impl FnMut(Message<'_>)) {
        messages(&self.lock().read, look);
    }
}

/// The connection has accepted, or made, all of them.
fn messages(bytes: &[u8], look: impl FnMut(Message<'_>)) {
    let bodies = Frames::new(bytes, frame::DEFAULT_LIMIT).map_while(Result::ok);
    let after_header = bodies.skip(1);
    after_header
        .map_while(|body| Message::decode(body).ok())
        .for_each(look);
}

impl<T: AsyncRead + Unpin> AsyncRead for Tap<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.transport).poll_read(cx, buffer))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        self.seen.lock().read.extend_from_slice(new);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Tap<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.transport).poll_write(cx, bytes))?;
        let new = bytes.get(..written).unwrap_or(bytes);
        self.seen.lock().written.extend_from_slice(new);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
