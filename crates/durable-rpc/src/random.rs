//! Random numbers that spread attempts: they need not be good, only different everywhere.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// SplitMix64, by Steele, Lea and Flood.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The same numbers for the same seed; without a seed, others every time.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        // The standard library asks the system for the keys of its hashers.
        let state = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        Self { state }
    }

    /// From 0 to 1, without 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.state;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = (z ^ (z >> 31)) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }

    /// Up to `limit`.
    pub(crate) fn duration(&mut self, limit: Duration) -> Duration {
        let seconds = limit.as_secs_f64() * self.fraction();
        // Rounding can make the longest of all durations too long.
        Duration::try_from_secs_f64(seconds).unwrap_or(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_evenly_and_differ_by_seed() {
        for seed in 0..20 {
            let mut random = Random::new(Some(seed));
            let mut tenths = [0; 10];
            for _ in 0..10_000 {
                tenths[(random.fraction() * 10.0) as usize] += 1;
            }
            // Ten standard deviations.
            assert!(
                tenths.iter().all(|n| (700..1300).contains(n)),
                "{seed}: {tenths:?}"
            );
        }
        let first = |seed| Random::new(seed).fraction().to_bits();
        assert_eq!(first(Some(7)), first(Some(7)));
        assert_ne!(first(Some(7)), first(Some(8)));
        assert_ne!(first(None), first(None));
    }
}
