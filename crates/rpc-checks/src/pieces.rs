//! The notation of a conversation: pieces of its two directions, in any order.
//!
//! A piece is two bytes of length, little endian, of which the highest bit tells the direction,
//! and so many bytes; what is missing at the end does not count.

use rpc_wire::conversation::Direction;

const FROM_SERVER: u16 = 0x8000;

/// The pieces that some bytes stand for.
pub fn decode(mut bytes: &[u8]) -> Vec<(Direction, &[u8])> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = u16::from_le_bytes(*length);
        let direction = match length & FROM_SERVER {
            0 => Direction::FromClient,
            _ => Direction::FromServer,
        };
        let length = usize::from(length & !FROM_SERVER).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        pieces.push((direction, piece));
        bytes = rest;
    }
    pieces
}

/// Appends bytes of one direction, as one piece or as several if they are too many.
pub fn append(direction: Direction, bytes: &[u8], input: &mut Vec<u8>) {
    let flag = match direction {
        Direction::FromClient => 0,
        Direction::FromServer => FROM_SERVER,
    };
    for bytes in bytes.chunks((FROM_SERVER - 1).into()) {
        let length = u16::try_from(bytes.len()).expect("a chunk of less than 2^15 bytes");
        input.extend_from_slice(&(length | flag).to_le_bytes());
        input.extend_from_slice(bytes);
    }
}
