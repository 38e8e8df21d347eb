//! What queries for one RPC have in common.

use std::ops::Range;

use rpc_wire::{Query, QueryId, frame};

const PIECE: usize = 16;

/// What precedes the payload of a query in its frame, the frame's length included, but for the id:
/// the queries that follow may differ from it in nothing else.
///
/// Compared as two pieces of a fixed length, which may overlap: between them they have the 18 to 32
/// bytes that precede a small payload.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    bytes: usize,
    /// Of those bytes, the ones that are the id's, without its code.
    id: Range<usize>,
    first: Piece,
    last: Piece,
}

/// Bytes, and which of them count.
#[derive(Clone, Copy, Debug)]
struct Piece {
    bytes: u128,
    mask: u128,
}

impl Piece {
    /// A piece that begins at `start`, of which those bytes do not count.
    fn new(bytes: [u8; PIECE], start: usize, without: &Range<usize>) -> Self {
        let mut mask = [u8::MAX; PIECE];
        for (at, byte) in mask.iter_mut().enumerate() {
            if without.contains(&(start + at)) {
                *byte = 0;
            }
        }
        let mask = u128::from_ne_bytes(mask);
        Self {
            bytes: u128::from_ne_bytes(bytes) & mask,
            mask,
        }
    }

    #[inline]
    fn matches(self, bytes: [u8; PIECE]) -> bool {
        u128::from_ne_bytes(bytes) & self.mask == self.bytes
    }
}

impl Pattern {
    /// What follows the frame of a query with a payload of `payload` bytes, if it can be compared
    /// like this: not if its name or its metadata is long, nor with one of a connection's first
    /// queries, whose ids have another length.
    pub(crate) fn new(query: &[u8], payload: usize) -> Option<Self> {
        let head = query.get(..query.len().checked_sub(payload)?)?;
        if head.len() > 2 * PIECE {
            return None;
        }
        let id = Query::id_in(head.get(frame::LENGTH_BYTES..)?)?;
        let id = frame::LENGTH_BYTES + id.start + 1..frame::LENGTH_BYTES + id.end;
        if !matches!(id.len(), 2 | 4) {
            return None;
        }
        let last = head.len().checked_sub(PIECE)?;
        Some(Self {
            bytes: head.len(),
            first: Piece::new(*head.first_chunk()?, 0, &id),
            last: Piece::new(*head.last_chunk()?, last, &id),
            id,
        })
    }

    /// How much precedes the payload.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The id of a query of which this is what precedes its payload, if it is like the first.
    #[inline]
    pub(crate) fn id(&self, head: &[u8]) -> Option<QueryId> {
        if !self.first.matches(*head.first_chunk()?) || !self.last.matches(*head.last_chunk()?) {
            return None;
        }
        let id = head.get(self.id.clone())?;
        Some(QueryId::new(match *id {
            [a, b] => i16::from_le_bytes([a, b]).into(),
            [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
            _ => return None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use bin_prot::to_vec;
    use rpc_wire::{Data, DescriptionRef, Message, ProtocolVersion, QueryHeader, QueryMetadata};

    use super::*;

    fn framed(version: i64, name: &str, rank: Option<usize>, id: i64, payload: &[u8]) -> Vec<u8> {
        let rpc = DescriptionRef {
            name: name.as_bytes(),
            version: 1,
        };
        let version = ProtocolVersion::new(version).unwrap();
        let metadata = QueryMetadata::new();
        let header = QueryHeader::new(version, rpc, rank, QueryId::new(id), &metadata);
        let data = Data::new(payload);
        let body = to_vec(&Message::Query(Query { header, data })).unwrap();
        let mut frame = (body.len() as u64).to_le_bytes().to_vec();
        frame.extend_from_slice(&body);
        frame
    }

    fn id(pattern: &Pattern, frame: &[u8]) -> Option<i64> {
        Some(pattern.id(frame.get(..pattern.bytes())?)?.get())
    }

    #[test]
    fn queries_that_differ_in_their_ids_are_alike() {
        for version in 1..=11 {
            for (ids, others) in [([128, 32_767], 32_768), ([32_768, i32::MAX.into()], 128)] {
                let query = |id| framed(version, "echo", Some(3), id, b"xyz");
                let pattern = Pattern::new(&query(ids[0]), 3).unwrap();
                for known in ids {
                    assert_eq!(id(&pattern, &query(known)), Some(known));
                }
                // Of another length.
                assert_eq!(id(&pattern, &query(others)), None);
                assert_eq!(id(&pattern, &query(1)), None);
            }
        }
    }

    #[test]
    fn every_byte_but_the_ids_counts() {
        for version in 1..=11 {
            for name in ["e", "echo", "fifteen-letters"] {
                let query = framed(version, name, None, 70_000, b"xyz");
                let head = query.len() - 3;
                let Some(pattern) = Pattern::new(&query, 3) else {
                    assert!(!(PIECE..=2 * PIECE).contains(&head));
                    continue;
                };
                for at in 0..head {
                    let mut other = query.clone();
                    other[at] ^= 0x10;
                    let found = id(&pattern, &other);
                    assert_eq!(found.is_some(), pattern.id.contains(&at), "{at}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_compared_is_no_pattern() {
        // Ids of one byte, and of more than an `i32`.
        for id in [1, 127, 1 << 40] {
            assert!(Pattern::new(&framed(11, "echo", Some(3), id, b"xyz"), 3).is_none());
        }
        let long = framed(
            8,
            "a name of more than there is room for",
            None,
            200,
            b"xyz",
        );
        assert!(Pattern::new(&long, 3).is_none());
        assert!(Pattern::new(b"\x01\0\0\0\0\0\0\0\0", 0).is_none());
        assert!(Pattern::new(b"xy", 3).is_none());
    }
}
