//! Bytes on their way to the transport: most of them copied into one buffer, or several when there
//! are many, and between them large payloads, by reference.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;

/// Capacity beyond which an emptied buffer is not kept.
const KEEP_CAPACITY: usize = 1024 * 1024;

/// Capacity that an idle connection keeps: enough for heartbeats.
const IDLE_CAPACITY: usize = 64;

/// Copied bytes behind which another buffer is begun. One that went on growing would be copied now
/// and then, and the peer that makes it grow would cost half as much again while that lasts.
const FULL: usize = 1024 * 1024;

/// Pieces that are handed to the transport at once.
const PIECES: usize = 16;

/// A payload of fewer bytes is copied: one write of one buffer is then cheaper than of several.
pub(super) const SHARED_FROM: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    copied: Vec<u8>,
    /// In order; usually none.
    shared: Vec<Shared>,
}

/// A payload that lies between the copied bytes, or was copied into a buffer that is full.
#[derive(Debug)]
struct Shared {
    /// All bytes before it, and of those, the copied ones.
    start: usize,
    copied: usize,
    bytes: Bytes,
}

impl Shared {
    /// One with no copied bytes before it.
    fn sealed(start: usize, bytes: Bytes) -> Self {
        Self {
            start,
            copied: 0,
            bytes,
        }
    }

    fn end(&self) -> usize {
        self.start + self.bytes.len()
    }
}

impl From<Vec<u8>> for Outgoing {
    fn from(copied: Vec<u8>) -> Self {
        Self {
            copied,
            shared: Vec::new(),
        }
    }
}

impl Outgoing {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self.shared.last() {
            None => self.copied.len(),
            Some(last) => last.end() + (self.copied.len() - last.copied),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.copied.is_empty() && self.shared.is_empty()
    }

    /// Where further bytes are copied to, behind everything else.
    #[inline]
    pub(crate) fn copied(&mut self) -> &mut Vec<u8> {
        if self.copied.len() >= FULL {
            self.seal();
        }
        &mut self.copied
    }

    /// Leaves the copied bytes where they are, as payloads between the others, and begins another
    /// buffer.
    #[cold]
    fn seal(&mut self) {
        let end = self.len();
        let copied = Bytes::from(std::mem::take(&mut self.copied));
        let mut pieces = Vec::with_capacity(self.shared.len() + 1);
        let mut from = 0;
        for shared in std::mem::take(&mut self.shared) {
            // Those that were sealed before have nothing of this buffer before them.
            if from < shared.copied {
                let piece = copied.slice(from..shared.copied);
                pieces.push(Shared::sealed(shared.start - piece.len(), piece));
                from = shared.copied;
            }
            pieces.push(Shared::sealed(shared.start, shared.bytes));
        }
        if from < copied.len() {
            let piece = copied.slice(from..);
            pieces.push(Shared::sealed(end - piece.len(), piece));
        }
        self.shared = pieces;
    }

    /// Puts bytes behind everything else without copying them.
    pub(crate) fn share(&mut self, bytes: &Bytes) {
        self.shared.push(Shared {
            start: self.len(),
            copied: self.copied.len(),
            bytes: bytes.clone(),
        });
    }

    /// Makes it empty. A destructor of shared bytes may be the user's.
    pub(crate) fn clear(&mut self) {
        self.copied.clear();
        if self.copied.capacity() > KEEP_CAPACITY {
            self.copied = Vec::new();
        }
        if !self.shared.is_empty() {
            self.shared = Vec::new();
        }
    }

    /// Gives back the room that only a busy connection needs, if nothing lies there.
    pub(super) fn give_back_room(&mut self) {
        if self.copied.is_empty() && self.copied.capacity() > IDLE_CAPACITY {
            self.copied = Vec::new();
        }
    }

    /// Hands the bytes from this one on to the transport, or as many as it takes.
    #[inline]
    pub(super) fn poll_write(
        &self,
        from: usize,
        io: Pin<&mut (impl AsyncWrite + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.shared.is_empty() {
            return io.poll_write(cx, self.copied.get(from..).unwrap_or_default());
        }
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let mut end = from;
        for piece in &mut pieces {
            let bytes = self.piece(end);
            end += bytes.len();
            *piece = IoSlice::new(bytes);
        }
        io.poll_write_vectored(cx, &pieces)
    }

    /// The bytes from this one on that lie together; none at the end.
    fn piece(&self, from: usize) -> &[u8] {
        let next = self.shared.partition_point(|shared| shared.start <= from);
        let copied_end = match self.shared.get(next) {
            Some(next) => next.copied,
            None => self.copied.len(),
        };
        let before = next.checked_sub(1).and_then(|i| self.shared.get(i));
        let copied_start = match before {
            None => from,
            Some(shared) => match shared.bytes.get(from - shared.start..) {
                Some(rest @ [_, ..]) => return rest,
                _ => shared.copied + (from - shared.end()),
            },
        };
        let piece = self.copied.get(copied_start..copied_end);
        piece.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes at most so many bytes at once, from as many pieces as it likes.
    struct Slow {
        taken: Vec<u8>,
        at_once: usize,
        vectored: bool,
    }

    impl AsyncWrite for Slow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.at_once);
            self.taken.extend_from_slice(&bytes[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            pieces: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            if !self.vectored {
                let first = pieces.iter().find(|piece| !piece.is_empty());
                return self.poll_write(cx, first.map_or(&[], |piece| piece));
            }
            let all = pieces.iter().flat_map(|piece| piece.iter());
            let at_once = self.at_once;
            let before = self.taken.len();
            self.taken.extend(all.take(at_once));
            Poll::Ready(Ok(self.taken.len() - before))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    proptest! {
        /// Whatever is copied and shared, and however the transport takes it: it gets the pieces
        /// one behind the other.
        #[test]
        fn pieces_leave_in_the_order_in_which_they_came(
            pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..9)), 0..40),
            at_once in 1_usize..50,
            vectored: bool,
        ) {
            let mut outgoing = Outgoing::default();
            let mut expected = Vec::new();
            for (share, piece) in pieces {
                expected.extend_from_slice(&piece);
                if share {
                    outgoing.share(&Bytes::from(piece));
                } else {
                    outgoing.copied().extend_from_slice(&piece);
                }
                prop_assert_eq!(outgoing.len(), expected.len());
            }
            let mut io = Slow { taken: Vec::new(), at_once, vectored };
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let mut written = 0;
            while written < outgoing.len() {
                match outgoing.poll_write(written, Pin::new(&mut io), &mut cx) {
                    Poll::Ready(Ok(taken)) if taken > 0 => written += taken,
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            prop_assert_eq!(&io.taken, &expected);
            outgoing.clear();
            prop_assert!(outgoing.is_empty());
            prop_assert_eq!(outgoing.len(), 0);
        }
    }

    /// Also when buffers are full in between, with and without shared pieces before that.
    #[test]
    fn full_buffers_leave_in_the_order_in_which_they_came() {
        let sizes = [
            FULL - 7,
            6,
            20_000,
            1,
            1,
            FULL,
            0,
            5,
            3 * FULL,
            FULL / 2,
            FULL / 2,
            9,
        ];
        // Bit by bit, which of the pieces are shared.
        for shared in [
            0b0000_0000_0000,
            0b0000_0001_0100,
            0b1010_0101_0001,
            0b1111_1111_1111,
        ] {
            let mut outgoing = Outgoing::default();
            let mut expected = Vec::new();
            for (number, size) in sizes.into_iter().enumerate() {
                let before = expected.len();
                expected.extend((before..before + size).map(|i| (i % 251) as u8));
                let piece = &expected[before..];
                match shared & (1 << number) {
                    0 => outgoing.copied().extend_from_slice(piece),
                    _ => outgoing.share(&Bytes::copy_from_slice(piece)),
                }
                assert_eq!(outgoing.len(), expected.len());
            }
            for vectored in [false, true] {
                let mut io = Slow {
                    taken: Vec::new(),
                    at_once: 300_000,
                    vectored,
                };
                let mut cx = Context::from_waker(std::task::Waker::noop());
                let mut written = 0;
                while written < outgoing.len() {
                    match outgoing.poll_write(written, Pin::new(&mut io), &mut cx) {
                        Poll::Ready(Ok(taken)) if taken > 0 => written += taken,
                        other => panic!("{other:?}"),
                    }
                }
                assert!(io.taken == expected, "{shared:b} {vectored}");
            }
        }
    }

    /// However much is copied, no buffer holds much more than when it is full, so none of those
    /// that wait is copied into a larger one.
    #[test]
    fn buffers_that_are_full_do_not_grow() {
        let mut outgoing = Outgoing::default();
        for _ in 0..50_000 {
            outgoing.copied().extend_from_slice(&[7; 1000]);
            assert!(outgoing.copied.capacity() <= 2 * FULL);
        }
        assert_eq!(outgoing.len(), 50_000_000);
    }
}
