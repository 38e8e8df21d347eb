//! Reading: one buffer, filled by one read, out of which every whole frame is handled in place.

mod pattern;
mod unread;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rpc_wire::frame;
use tokio::io::{AsyncRead, ReadBuf};

pub(crate) use pattern::Pattern;
pub(crate) use unread::Unread;
use unread::strip;

/// What the buffer has at first, and in the end if nothing but heartbeats comes.
const FIRST_CAPACITY: usize = 1024;
/// What it grows to when reads fill it: more bytes for one system call. Also what one read takes
/// at most, unless it completes a larger frame, so that no batch holds up others for long.
pub(crate) const BUSY_CAPACITY: usize = 64 * 1024;
/// The same behind a large frame, or if one has begun to arrive: a read takes several of them, and
/// there are few to be handled.
const LARGE_CAPACITY: usize = 256 * 1024;
/// The body of a large frame has at least so many bytes.
const LARGE: usize = 16 * 1024;
/// What is kept after a large message.
const KEEP_CAPACITY: usize = 1024 * 1024;

/// The bytes that were read and not yet handled.
#[derive(Debug)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    limit: usize,
    bytes_read: u64,
    /// The length of the body that was handed over last.
    last: usize,
}

impl Reader {
    /// A reader of frames with bodies of up to `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            end: 0,
            limit,
            bytes_read: 0,
            last: 0,
        }
    }

    /// Bytes in the bodies of all frames that were handed over.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The body of the next whole frame, if it is there.
    ///
    /// # Errors
    /// The frame's length is out of range.
    #[inline]
    pub(crate) fn next_frame(&mut self) -> Result<Option<&[u8]>, frame::Error> {
        self.next_frame_within(self.limit)
    }

    /// The same with another limit.
    #[inline]
    pub(crate) fn next_frame_within(
        &mut self,
        limit: usize,
    ) -> Result<Option<&[u8]>, frame::Error> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some((body, _)) = frame::split(unread, limit)? else {
            return Ok(None);
        };
        self.start += frame::LENGTH_BYTES + body.len();
        self.bytes_read += body.len() as u64;
        self.last = body.len();
        Ok(Some(body))
    }

    /// Whether the next frame's body begins with the same `prefix` bytes as the one of `body` bytes
    /// that was handed over last.
    #[inline]
    pub(crate) fn goes_on_like(&self, body: usize, prefix: usize) -> bool {
        let next = self.start + frame::LENGTH_BYTES;
        let last = self.start - body;
        match (
            self.buffer.get(last..last + prefix),
            self.buffer.get(next..self.end),
        ) {
            (Some(prefix), Some(next)) => strip(next, prefix).is_some(),
            _ => false,
        }
    }

    /// The frames that are there, to take several of them.
    pub(crate) fn unread(&mut self) -> Unread<'_> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        Unread::new(unread, self.limit, &mut self.start, &mut self.bytes_read)
    }

    /// The frame, with a body of `body` bytes, that was handed over last, and the frames behind it.
    pub(crate) fn last_and_unread(&mut self, body: usize) -> Option<(&[u8], Unread<'_>)> {
        let begin = self.start.checked_sub(frame::LENGTH_BYTES + body)?;
        let last = self.buffer.get(begin..self.start)?;
        let unread = self.buffer.get(self.start..self.end)?;
        let unread = Unread::new(unread, self.limit, &mut self.start, &mut self.bytes_read);
        Some((last, unread))
    }

    /// Reads once. `Ok(0)` is the end of the input.
    pub(crate) fn poll_fill(
        &mut self,
        io: Pin<&mut (impl AsyncRead + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        let begun = self.begun();
        let missing = begun.map_or(0, |body| self.missing(body));
        // What comes next is likely to be as large.
        let busy = match begun.unwrap_or(self.last) {
            LARGE.. => LARGE_CAPACITY,
            _ => BUSY_CAPACITY,
        };
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let most = room.len().min(missing.max(busy));
        let room = room.get_mut(..most).unwrap_or_default();
        let mut buf = ReadBuf::new(room);
        ready!(io.poll_read(cx, &mut buf))?;
        let filled = buf.filled().len();
        self.end += filled;
        if self.end == self.buffer.len() && self.buffer.len() < busy {
            // There was more than fitted: read more at once from now on.
            self.buffer.resize((self.buffer.len() * 4).min(busy), 0);
        }
        Poll::Ready(Ok(filled))
    }

    /// Gives back the room that only a busy connection needs, if nothing lies there.
    pub(crate) fn give_back_room(&mut self) {
        if self.start == self.end && self.buffer.len() > FIRST_CAPACITY {
            self.buffer = Vec::new();
            (self.start, self.end) = (0, 0);
        }
    }

    /// The length of the body that has begun to arrive, if that is known.
    fn begun(&self) -> Option<usize> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        frame::body_length(unread, self.limit).ok().flatten()
    }

    /// How many bytes the frame with this body lacks, which has begun to arrive.
    fn missing(&self, body: usize) -> usize {
        (frame::LENGTH_BYTES + body).saturating_sub(self.end - self.start)
    }

    /// Leaves room behind the unread bytes. A frame larger than the buffer makes it grow, but
    /// only as its bytes arrive: to twice what is there, never to what was merely announced.
    fn make_room(&mut self) {
        let unread = self.end - self.start;
        if unread == 0 {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > KEEP_CAPACITY {
                self.buffer = Vec::new();
            }
        }
        if self.buffer.is_empty() {
            self.buffer.resize(FIRST_CAPACITY, 0);
        }
        let room = self.buffer.len() - self.end;
        if self.start > 0 && (room == 0 || unread < self.buffer.len() / 8) {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, unread);
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn fill(reader: &mut Reader, io: &mut (impl AsyncRead + Unpin)) -> usize {
        std::future::poll_fn(|cx| reader.poll_fill(Pin::new(io), cx))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn announced_length_alone_reserves_nothing() {
        let (mut far, mut near) = tokio::io::duplex(64);
        let mut reader = Reader::new(frame::DEFAULT_LIMIT);
        far.write_all(&(90_i64 << 20).to_le_bytes()).await.unwrap();
        assert_eq!(fill(&mut reader, &mut near).await, 8);
        assert_eq!(reader.next_frame(), Ok(None));
        reader.make_room();
        assert!(reader.buffer.len() <= 2 * FIRST_CAPACITY);
    }

    #[tokio::test]
    async fn large_frame_arrives_whole_and_its_memory_is_given_back() {
        let (mut far, mut near) = tokio::io::duplex(100_000);
        let body: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        let mut bytes = (body.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 7]);
        let writer = tokio::spawn(async move { far.write_all(&bytes).await.map(|()| far) });
        let mut reader = Reader::new(frame::DEFAULT_LIMIT);
        while reader.next_frame().unwrap().is_none_or(|found| {
            assert!(found == body);
            false
        }) {
            assert_ne!(fill(&mut reader, &mut near).await, 0);
        }
        let far = writer.await.unwrap().unwrap();
        while reader.next_frame().unwrap().is_none_or(|found| {
            assert_eq!(found, [7]);
            false
        }) {
            assert_ne!(fill(&mut reader, &mut near).await, 0);
        }
        drop(far);
        assert_eq!(fill(&mut reader, &mut near).await, 0);
        assert!(reader.buffer.len() <= KEEP_CAPACITY);
    }

    /// Frames with bodies of `size` bytes are there as far as anybody wants to read: the most that
    /// a read takes.
    async fn most_at_once(reader: &mut Reader, size: usize) -> usize {
        let mut frame = (size as u64).to_le_bytes().to_vec();
        frame.resize(frame::LENGTH_BYTES + size, 5);
        let (mut far, mut near) = tokio::io::duplex(4 << 20);
        far.write_all(&frame.repeat((4 << 20) / frame.len()))
            .await
            .unwrap();
        drop(far);
        let mut most = 0;
        loop {
            let read = fill(reader, &mut near).await;
            if read == 0 {
                return most;
            }
            most = most.max(read);
            while reader.next_frame().unwrap().is_some() {}
        }
    }

    #[tokio::test]
    async fn a_read_takes_more_as_long_as_frames_are_large() {
        let mut reader = Reader::new(frame::DEFAULT_LIMIT);
        let most = most_at_once(&mut reader, 100).await;
        assert!((BUSY_CAPACITY / 2..=BUSY_CAPACITY).contains(&most));
        let most = most_at_once(&mut reader, LARGE - 1).await;
        assert!((BUSY_CAPACITY / 2..=BUSY_CAPACITY).contains(&most));
        let most = most_at_once(&mut reader, LARGE).await;
        assert!((LARGE_CAPACITY / 2..=LARGE_CAPACITY).contains(&most));
        // The last frame was large, so the first read takes more.
        assert!(most_at_once(&mut reader, 100).await > BUSY_CAPACITY);
        let most = most_at_once(&mut reader, 100).await;
        assert!((BUSY_CAPACITY / 2..=BUSY_CAPACITY).contains(&most));
    }

    #[tokio::test]
    async fn one_byte_at_a_time_gives_the_same_frames() {
        let (mut far, mut near) = tokio::io::duplex(1);
        let bytes = [2, 0, 0, 0, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0];
        let writer = tokio::spawn(async move { far.write_all(&bytes).await });
        let mut reader = Reader::new(100);
        let mut frames = Vec::new();
        while frames.len() < 2 {
            assert_ne!(fill(&mut reader, &mut near).await, 0);
            while let Some(body) = reader.next_frame().unwrap() {
                frames.push(body.to_vec());
            }
        }
        assert_eq!(frames, [vec![5, 6], vec![]]);
        writer.await.unwrap().unwrap();
    }
}
