//! Choices that depend on the input alone, so that an input always meets the same ones.

/// A sequence of numbers (splitmix64) that begins with a hash of some bytes (FNV-1a).
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash)
    }

    /// A number below `bound`, or 0 if that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^= number >> 31;
        let bound = (bound as u64).max(1);
        usize::try_from(number % bound).unwrap_or(0)
    }

    /// Cuts bytes into pieces: sometimes many small ones, sometimes few large ones.
    pub(crate) fn split<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let longest = [1, 3, 16, 1000][self.below(4)];
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let length = 1 + self.below(longest.min(bytes.len()));
            let (piece, rest) = bytes.split_at(length.min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }

    /// Lengths of prefixes that are worth trying: all of them if there are few, else some.
    pub(crate) fn prefixes(&mut self, length: usize) -> Vec<usize> {
        const FEW: usize = 48;
        if length <= FEW {
            (0..length).collect()
        } else {
            (0..FEW).map(|_| self.below(length)).collect()
        }
    }
}
