//! What precedes a payload, as one number: most queries and responses have so little before their
//! payload that it fits into two registers, and is written by storing those.

const CODE_INT16: u64 = 0xfe;
const CODE_INT32: u64 = 0xfd;

/// Room for the longest: tag, specifier by rank, id, no metadata, length.
const ROOM: usize = 16;

/// Bytes, the first of them lowest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    bytes: u128,
    bits: u32,
}

impl Head {
    /// These first `count` bytes of `bytes`, the first of them lowest.
    #[inline]
    pub(super) const fn new(bytes: u64, count: u32) -> Self {
        Self {
            bytes: bytes as u128,
            bits: 8 * count,
        }
    }

    #[inline]
    pub(super) const fn then(self, bytes: u64, count: u32) -> Self {
        Self {
            bytes: self.bytes | ((bytes as u128) << self.bits),
            bits: self.bits + 8 * count,
        }
    }

    /// And an `int`, if it is one of those that ids are.
    #[inline]
    pub(super) fn then_id(self, id: i64) -> Option<Self> {
        Some(match u32::try_from(id).ok()? {
            id @ 0..=0x7f => self.then(id.into(), 1),
            id @ 0x80..=0x7fff => self.then(CODE_INT16 | u64::from(id) << 8, 3),
            id @ 0x8000..=0x7fff_ffff => self.then(CODE_INT32 | u64::from(id) << 8, 5),
            _ => return None,
        })
    }

    /// And a length.
    #[inline]
    pub(super) fn then_length(self, length: usize) -> Option<Self> {
        Some(match u32::try_from(length).ok()? {
            length @ 0..=0x7f => self.then(length.into(), 1),
            length @ 0x80..=0xffff => self.then(CODE_INT16 | u64::from(length) << 8, 3),
            length => self.then(CODE_INT32 | u64::from(length) << 8, 5),
        })
    }

    #[inline]
    pub(super) const fn len(self) -> usize {
        (self.bits / 8) as usize
    }

    /// Appends it.
    #[inline]
    pub(super) fn write(self, buffer: &mut Vec<u8>) {
        if buffer.capacity() - buffer.len() < ROOM {
            return self.write_last(buffer);
        }
        let end = buffer.len() + self.len();
        buffer.extend_from_slice(&self.bytes.to_le_bytes());
        buffer.truncate(end);
    }

    /// The same where not all of the room is left: a buffer of exactly the right size must not
    /// grow.
    #[cold]
    fn write_last(self, buffer: &mut Vec<u8>) {
        buffer.extend(self.bytes.to_le_bytes().iter().take(self.len()));
    }
}

/// Numbers around those at which their form changes.
#[cfg(test)]
pub(super) const EDGES: [i64; 14] = [
    -1,
    0,
    1,
    0x7f,
    0x80,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    (1 << 62) - 1,
];
