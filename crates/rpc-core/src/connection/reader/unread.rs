//! Frames that are there already, taken one after the other.

use rpc_wire::{QueryId, frame};

use super::Pattern;

/// What a reader has and has not handed over yet. What is taken of it is handed over when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Unread<'a> {
    all: &'a [u8],
    left: &'a [u8],
    /// Bodies in it that have been taken.
    bodies: usize,
    limit: usize,
    start: &'a mut usize,
    bytes_read: &'a mut u64,
}

impl<'a> Unread<'a> {
    pub(super) fn new(
        all: &'a [u8],
        limit: usize,
        start: &'a mut usize,
        bytes_read: &'a mut u64,
    ) -> Self {
        Self {
            all,
            left: all,
            bodies: 0,
            limit,
            start,
            bytes_read,
        }
    }

    /// The last `bytes` that were taken.
    pub(crate) fn taken(&self, bytes: usize) -> Option<&'a [u8]> {
        let end = self.all.len() - self.left.len();
        self.all.get(end.checked_sub(bytes)?..end)
    }

    /// Takes a frame that is the same as one before it up to its last `size` bytes. Those bytes;
    /// `head` is what precedes them, the frame's length included, and none if it is empty.
    #[inline]
    pub(crate) fn take_like(&mut self, head: &[u8], size: usize) -> Option<&'a [u8]> {
        let tail = strip(self.left, head)?;
        let (tail, left) = tail.split_at_checked(size)?;
        self.left = left;
        self.bodies += 1;
        Some(tail)
    }

    /// Takes a query that is like the one of this pattern, with a payload of `size` bytes. Its id
    /// and its payload.
    #[inline]
    pub(crate) fn take_query(
        &mut self,
        pattern: &Pattern,
        size: usize,
    ) -> Option<(QueryId, &'a [u8])> {
        let (head, tail) = self.left.split_at_checked(pattern.bytes())?;
        let (payload, left) = tail.split_at_checked(size)?;
        let id = pattern.id(head)?;
        self.left = left;
        self.bodies += 1;
        Some((id, payload))
    }

    /// Takes the next frame, of whose body `accept` makes its last part. What precedes that, the
    /// frame's length included, and the part itself. If `accept` makes nothing of it, the frame
    /// stays where it is.
    pub(crate) fn take(
        &mut self,
        accept: impl FnOnce(&'a [u8]) -> Option<&'a [u8]>,
    ) -> Option<(&'a [u8], &'a [u8])> {
        let (body, left) = frame::split(self.left, self.limit).ok()??;
        let tail = accept(body)?.len();
        let whole = self.left.len() - left.len();
        let parts = self.left.get(..whole)?.split_at_checked(whole - tail);
        self.left = left;
        self.bodies += 1;
        parts
    }
}

impl Drop for Unread<'_> {
    fn drop(&mut self) {
        let taken = self.all.len() - self.left.len();
        *self.start += taken;
        *self.bytes_read += (taken - self.bodies * frame::LENGTH_BYTES) as u64;
    }
}

/// What follows `head`, if `bytes` begin with it. Nothing begins with an empty one.
#[inline]
pub(super) fn strip<'a>(bytes: &'a [u8], head: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = bytes.split_at_checked(head.len())?;
    (!head.is_empty() && are_same(found, head)).then_some(rest)
}

/// Whether the two, which are equally long, are the same.
///
/// What precedes a small update, which is what there are many of, has up to 32 bytes: compared as
/// two pieces of a fixed length, which may overlap, it costs no call.
#[inline]
fn are_same(a: &[u8], b: &[u8]) -> bool {
    match b.len() {
        2..=3 => are_same_in_pieces::<2>(a, b),
        4..=7 => are_same_in_pieces::<4>(a, b),
        8..=16 => are_same_in_pieces::<8>(a, b),
        17..=32 => are_same_in_pieces::<16>(a, b),
        _ => a == b,
    }
}

#[inline]
fn are_same_in_pieces<const PIECE: usize>(a: &[u8], b: &[u8]) -> bool {
    a.first_chunk::<PIECE>() == b.first_chunk() && a.last_chunk::<PIECE>() == b.last_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_of_any_length_is_found_and_every_other_byte_is_not() {
        let bytes: Vec<u8> = (0..50).collect();
        assert_eq!(strip(&bytes, &[]), None);
        for length in 1..=40 {
            let mut head = bytes[..length].to_vec();
            assert_eq!(strip(&bytes, &head), Some(&bytes[length..]), "{length}");
            assert_eq!(strip(&bytes[..length - 1], &head), None, "{length}");
            for i in 0..length {
                head[i] ^= 1;
                assert_eq!(strip(&bytes, &head), None, "{length}, {i}");
                head[i] ^= 1;
            }
        }
    }

    #[test]
    fn what_was_taken_is_handed_over() {
        let frames = b"\x02\0\0\0\0\0\0\0ab\x02\0\0\0\0\0\0\0ac\x01\0\0\0\0\0\0\0d\x07\0\0";
        let (mut start, mut bytes_read) = (5, 100);
        let mut unread = Unread::new(frames, 10, &mut start, &mut bytes_read);
        assert_eq!(unread.take(|_| None), None);
        let (head, tail) = unread.take(|body| body.get(1..)).unwrap();
        assert_eq!((head, tail), (&frames[..9], &b"b"[..]));
        assert_eq!(unread.take_like(head, 1), Some(&b"c"[..]));
        assert_eq!(unread.taken(2), Some(&b"ac"[..]));
        assert_eq!(unread.take_like(head, 1), None);
        let (_, tail) = unread.take(Some).unwrap();
        assert_eq!(tail, b"d");
        assert_eq!(unread.take(Some), None);
        drop(unread);
        assert_eq!((start, bytes_read), (5 + 29, 100 + 5));
    }
}
