//! The server's end of a connection in memory: it can be held or cut, and it remembers what it
//! heard.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use rpc_wire::frame::{self, Frames};
use rpc_wire::{Message, stream};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// Cheap to clone; one clone is the transport, another one the test's.
#[derive(Clone)]
pub(crate) struct Link {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    /// `None` once cut.
    stream: Option<DuplexStream>,
    held: bool,
    heard: Vec<u8>,
    waker: Option<Waker>,
}

impl Link {
    pub(crate) fn new(stream: DuplexStream) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                stream: Some(stream),
                held: false,
                heard: Vec::new(),
                waker: None,
            })),
        }
    }

    /// Both ends see the end of their input, after what had been written before.
    pub(crate) fn cut(&self) {
        self.change(|inner| inner.stream = None);
    }

    /// Reads nothing any more, until [`release`](Self::release).
    pub(crate) fn hold(&self) {
        self.change(|inner| inner.held = true);
    }

    pub(crate) fn release(&self) {
        self.change(|inner| inner.held = false);
    }

    /// Number of aborts of streams that arrived.
    pub(crate) fn aborts(&self) -> usize {
        let inner = self.lock();
        let bodies = Frames::new(&inner.heard, frame::DEFAULT_LIMIT).map(Result::unwrap);
        // The first body is the handshake's header, which is no message.
        let queries = bodies
            .skip(1)
            .filter_map(|body| match Message::decode(body) {
                Ok(Message::Query(query)) => Some(query),
                _ => None,
            });
        queries
            .filter(|query| query.data.bytes().is_ok_and(stream::is_abort))
            .count()
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.lock();
        change(&mut inner);
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn write<T>(
        &self,
        write: impl FnOnce(Pin<&mut DuplexStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.lock().stream {
            Some(stream) => write(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let inner = &mut *self.lock();
        inner.waker = Some(cx.waker().clone());
        let Some(stream) = &mut inner.stream else {
            return Poll::Ready(Ok(()));
        };
        if inner.held {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(stream).poll_read(cx, buffer);
        inner.heard.extend_from_slice(&buffer.filled()[before..]);
        read
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(|stream| stream.poll_shutdown(cx))
    }
}
