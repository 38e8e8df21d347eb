//! One direction of a TCP connection, put together from its segments by sequence number.

use std::collections::BTreeMap;

/// How many bytes may wait for an earlier segment that was not captured. More than any window.
const AHEAD_LIMIT: usize = 64 * 1024 * 1024;

/// The bytes of one direction. Segments may come in any order, more than once, and overlap.
#[derive(Debug)]
pub(super) struct Stream {
    /// The sequence number of the next byte.
    next: u32,
    /// How many bytes came out so far.
    taken: u64,
    /// Segments by their place in the stream.
    ahead: BTreeMap<u64, Vec<u8>>,
    ahead_bytes: usize,
    /// Where the stream ends, once that is known.
    end: Option<u64>,
}

/// A hole in the stream that nothing filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// Bytes of the stream before it.
    pub(super) at: u64,
    /// Its length.
    pub(super) bytes: u64,
}

impl Stream {
    /// A stream whose first byte has this sequence number.
    pub(super) fn new(first: u32) -> Self {
        Self {
            next: first,
            taken: 0,
            ahead: BTreeMap::new(),
            ahead_bytes: 0,
            end: None,
        }
    }

    /// Takes a segment; with `is_last` the stream ends behind it.
    ///
    /// # Errors
    /// Too many bytes wait behind a hole.
    pub(super) fn segment(
        &mut self,
        sequence: u32,
        payload: &[u8],
        is_last: bool,
    ) -> Result<(), Missing> {
        // Sequence numbers wrap; a segment is within 2 GiB of what is expected.
        let distance = i64::from(sequence.wrapping_sub(self.next).cast_signed());
        let Some(start) = self.taken.checked_add_signed(distance) else {
            return Ok(());
        };
        let end = start + payload.len() as u64;
        if is_last {
            self.end.get_or_insert(end);
        }
        if end > self.taken && !payload.is_empty() {
            let known = self.ahead.get(&start).map_or(0, Vec::len);
            if payload.len() > known {
                self.ahead_bytes += payload.len() - known;
                self.ahead.insert(start, payload.to_vec());
            }
        }
        match self.missing() {
            Some(missing) if self.ahead_bytes > AHEAD_LIMIT => Err(missing),
            _ => Ok(()),
        }
    }

    /// The next bytes in order, if they are there.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        loop {
            let entry = self.ahead.first_entry()?;
            let start = *entry.key();
            if start > self.taken {
                return None;
            }
            let mut bytes = entry.remove();
            self.ahead_bytes -= bytes.len();
            let known = usize::try_from(self.taken - start).unwrap_or(usize::MAX);
            if known < bytes.len() {
                bytes.drain(..known);
                self.taken += bytes.len() as u64;
                // The number wraps as the protocol's does.
                self.next = self
                    .next
                    .wrapping_add(u32::try_from(bytes.len()).unwrap_or(0));
                return Some(bytes);
            }
        }
    }

    /// Whether all bytes came out.
    pub(super) fn is_complete(&self) -> bool {
        self.end.is_some_and(|end| self.taken >= end)
    }

    /// The hole that keeps later bytes from coming out.
    pub(super) fn missing(&self) -> Option<Missing> {
        let next = self.ahead.keys().next().copied().or(self.end)?;
        let bytes = next.checked_sub(self.taken).filter(|bytes| *bytes > 0)?;
        let at = self.taken;
        Some(Missing { at, bytes })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(stream: &mut Stream) -> Vec<u8> {
        std::iter::from_fn(|| stream.take()).flatten().collect()
    }

    proptest! {
        /// Any order, any overlap, any repetition, and numbers that wrap.
        #[test]
        fn segments_give_the_stream(
            length in 1_usize..200,
            first in any::<u32>(),
            pieces in proptest::collection::vec((any::<prop::sample::Index>(), 1_usize..50), 0..40),
        ) {
            let whole: Vec<u8> = (0..length).map(|n| u8::try_from(n).unwrap()).collect();
            let mut stream = Stream::new(first);
            let mut found = Vec::new();
            let mut send = |start: usize, end: usize| {
                let sequence = first.wrapping_add(u32::try_from(start).unwrap());
                stream.segment(sequence, &whole[start..end], end == length).unwrap();
                found.extend(taken(&mut stream));
            };
            for (at, size) in pieces {
                let start = at.index(length);
                send(start, (start + size).min(length));
            }
            for start in (0..length).rev().step_by(7) {
                send(start.saturating_sub(6), (start + 1).min(length));
            }
            prop_assert_eq!(found, whole);
            prop_assert!(stream.is_complete());
            prop_assert_eq!(stream.missing(), None);
        }
    }

    #[test]
    fn hole_is_told() {
        let mut stream = Stream::new(10);
        stream.segment(10, b"ab", false).unwrap();
        stream.segment(15, b"f", true).unwrap();
        assert_eq!(taken(&mut stream), b"ab");
        assert_eq!(stream.missing(), Some(Missing { at: 2, bytes: 3 }));
        assert!(!stream.is_complete());
        stream.segment(12, b"cde", false).unwrap();
        assert_eq!(taken(&mut stream), b"cdef");
        assert!(stream.is_complete());
    }

    #[test]
    fn keep_alive_is_no_data() {
        let mut stream = Stream::new(10);
        stream.segment(9, b"\0", false).unwrap();
        assert_eq!(taken(&mut stream), b"");
        stream.segment(10, b"a", false).unwrap();
        stream.segment(10, b"\0", false).unwrap();
        assert_eq!(taken(&mut stream), b"a");
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut stream = Stream::new(0);
        let megabyte = vec![0; 1024 * 1024];
        let mut send = |n: u32| stream.segment(1 + n * 1024 * 1024, &megabyte, false);
        assert!((0..64).all(|n| send(n).is_ok()));
        assert_eq!(send(64), Err(Missing { at: 0, bytes: 1 }));
    }
}
