//! One end of a connection: what a process reads from and writes to.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::link::{Link, Reading, Side};
use super::tap::Tap;
use crate::names::{DurableName, LinkName};
use crate::random::Random;

/// A transport. Dropping it ends its half of the connection, and breaks the other one for writing.
pub struct End {
    link: Arc<Link>,
    side: Side,
    /// Wakes the reader when something arrives.
    arrival: Pin<Box<Sleep>>,
    /// Cuts what is written into segments, wherever it may be.
    random: Random,
    /// Listens to what the client sends and gets.
    tap: Option<Box<Tap>>,
}

impl End {
    pub(super) fn client(link: Arc<Link>, random: Random) -> Self {
        let tap = Box::new(Tap::new(link.name));
        Self::new(link, Side::Client, random, Some(tap))
    }

    pub(super) fn server(link: Arc<Link>, random: Random) -> Self {
        Self::new(link, Side::Server, random, None)
    }

    fn new(link: Arc<Link>, side: Side, random: Random, tap: Option<Box<Tap>>) -> Self {
        Self {
            link,
            side,
            arrival: Box::pin(sleep_until(Instant::now())),
            random,
            tap,
        }
    }

    /// Which connection this is an end of.
    pub fn link(&self) -> LinkName {
        self.link.name
    }

    /// Whose connection it is.
    pub fn durable(&self) -> DurableName {
        self.link.durable
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = loop {
            match this.link.read(this.side, cx, buffer) {
                Reading::Done(read) => break read,
                Reading::At(at) => {
                    this.arrival.as_mut().reset(at);
                    if this.arrival.as_mut().poll(cx).is_pending() {
                        break Poll::Pending;
                    }
                }
            }
        };
        if let Some(tap) = &mut this.tap {
            let link = &this.link;
            tap.received(&buffer.filled()[before..], |fact| link.tell(fact));
        }
        read.map_ok(|_| ())
    }
}

impl AsyncWrite for End {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        // Messages are cut anywhere, and sometimes there are many in one segment.
        let longest = this.random.pick(&[24, 8_000, 8_000, 8_000]);
        let most = 1 + this.random.below(longest);
        let most = bytes.len().min(usize::try_from(most).unwrap_or(1));
        let written = this.link.write(this.side, cx, &bytes[..most]);
        if let (Some(tap), Poll::Ready(Ok(count))) = (&mut this.tap, &written) {
            let link = &this.link;
            tap.sent(&bytes[..*count], |fact| link.tell(fact));
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is read from here on is read to be discarded.
        self.tap = None;
        self.link.shut_down(self.side);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.link.leave(self.side);
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "End({:?} of {})", self.side, self.link.name)
    }
}
