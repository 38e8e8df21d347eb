//! The least time between the beginnings of two attempts.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::random::Random;

/// Unless another one is asked for (rule P-CY-7).
pub(super) const DEFAULT_DELAY: Duration = Duration::from_secs(10);

/// By how much the delay may be missed, in either direction.
const SPREAD: f64 = 0.3;

/// Default: [`DEFAULT_DELAY`], randomised (rule P-CY-7).
pub(super) struct RetryDelay {
    pub(super) delay: Box<dyn Fn() -> Duration + Send + Sync>,
    /// `None` for delays as they are.
    pub(super) random: Option<Random>,
}

impl RetryDelay {
    /// # Errors
    /// What the user's function panicked with.
    pub(super) fn next(&mut self) -> Result<Duration, Box<dyn Any + Send>> {
        let delay = catch_unwind(AssertUnwindSafe(&self.delay))?;
        let Some(random) = &mut self.random else {
            return Ok(delay);
        };
        let distance = random.duration(delay).mul_f64(SPREAD);
        Ok(if random.fraction() < 0.5 {
            delay.saturating_sub(distance)
        } else {
            delay.saturating_add(distance)
        })
    }
}

impl Default for RetryDelay {
    fn default() -> Self {
        Self {
            delay: Box::new(|| DEFAULT_DELAY),
            random: Some(Random::new(None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P-CY-7 (ZP4).
    #[test]
    fn delays_are_spread_evenly_over_three_tenths_in_both_directions() {
        let mut delay = RetryDelay::default();
        let mut tenths = [0; 6];
        for _ in 0..6000 {
            let seconds = delay.next().unwrap().as_secs_f64();
            assert!((7.0..13.0).contains(&seconds), "{seconds}");
            tenths[(seconds - 7.0) as usize] += 1;
        }
        // Ten standard deviations.
        assert!(tenths.iter().all(|n| (700..1300).contains(n)), "{tenths:?}");
    }

    /// P-CY-7 (ZP4).
    #[test]
    fn delays_are_reproduced_by_a_seed() {
        let delays = |seed| {
            let mut delay = RetryDelay {
                random: Some(Random::new(Some(seed))),
                ..RetryDelay::default()
            };
            (0..10).map(|_| delay.next().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(delays(7), delays(7));
        assert_ne!(delays(7), delays(8));
        let mut differing = delays(7);
        differing.sort();
        differing.dedup();
        assert_eq!(differing.len(), 10);
    }
}
