//! How long to wait before the next attempt.

use std::time::Duration;

use tokio::time::Instant;

use crate::random::Random;

/// When a subscription that was lost, or could not be made, is attempted again.
///
/// The reference knows only [`fixed`](Self::fixed); a [`Duration`] stands for that one.
///
/// ```text
///   trouble begins           healthy again: the count is 0        trouble
///        │                                 │                         │
///  ──────┴─ delay 0 ─ delay 1 ─ delay 2 ───┴─────── stream ──────────┴─ delay 0 ─
///               fixed: all the same
///               exponential: delay n is anything up to first · 2ⁿ, and up to the cap
/// ```
#[derive(Clone, Debug)]
pub struct Retry {
    delays: Delays,
    reset_after: Duration,
    give_up_after: Option<Duration>,
    seed: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Delays {
    Fixed(Duration),
    Exponential { first: Duration, cap: Duration },
}

impl Retry {
    /// The same delay every time, for ever (rule D-MA-2). Zero is allowed.
    ///
    /// Subscriptions that lost one connection all come back at the same moment.
    pub const fn fixed(delay: Duration) -> Self {
        Self::new(Delays::Fixed(delay), Duration::ZERO)
    }

    /// Delay number *n* is anything between zero and `first` · 2ⁿ, but not more than `cap`: with
    /// *full jitter*, so that many subscriptions that lost one connection come back spread over
    /// the whole of it. Our choice; the reference has no such thing.
    ///
    /// The count begins again after a stream that was healthy, which takes `cap` by default: see
    /// [`reset_after`](Self::reset_after).
    pub const fn exponential(first: Duration, cap: Duration) -> Self {
        Self::new(Delays::Exponential { first, cap }, cap)
    }

    const fn new(delays: Delays, reset_after: Duration) -> Self {
        Self {
            delays,
            reset_after,
            give_up_after: None,
            seed: None,
        }
    }

    /// How long a stream has to live to count as healthy, so that what comes after it is trouble
    /// of its own. Zero: every success is. Default: zero for fixed delays, the cap for others;
    /// otherwise a callee that takes a subscription and drops it would be asked without end as
    /// if it were well.
    #[must_use]
    pub const fn reset_after(mut self, healthy: Duration) -> Self {
        self.reset_after = healthy;
        self
    }

    /// No attempt is made later than this after trouble began, that is, after the first attempt
    /// or after the end of the last healthy stream. The subscription then ends: after the event
    /// that tells of the last failure its stream is over, unlike anything in the reference
    /// (rule D-EV-4). Default: never.
    #[must_use]
    pub const fn give_up_after(mut self, limit: Duration) -> Self {
        self.give_up_after = Some(limit);
        self
    }

    /// The same delays every time, for tests. Default: others for each subscription.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

impl From<Duration> for Retry {
    fn from(delay: Duration) -> Self {
        Self::fixed(delay)
    }
}

/// A subscription's trouble, as it goes on. Knows no clock: the time is an argument.
#[derive(Debug)]
pub(crate) struct Trouble {
    retry: Retry,
    random: Random,
    failures: u32,
    /// `None` before the first attempt.
    since: Option<Instant>,
}

impl Trouble {
    pub(crate) fn new(retry: Retry) -> Self {
        Self {
            random: Random::new(retry.seed),
            retry,
            failures: 0,
            since: None,
        }
    }

    /// An attempt begins.
    pub(crate) fn attempt(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// The attempt failed, or the stream that began `subscribed` is lost: how long to wait, or
    /// `None` to give up.
    pub(crate) fn delay(&mut self, now: Instant, subscribed: Option<Instant>) -> Option<Duration> {
        let was_healthy = subscribed.is_some_and(|since| now - since >= self.retry.reset_after);
        if was_healthy {
            self.failures = 0;
            self.since = Some(now);
        }
        let delay = match self.retry.delays {
            Delays::Fixed(delay) => delay,
            Delays::Exponential { first, cap } => {
                let doubled = first.saturating_mul(2_u32.saturating_pow(self.failures));
                self.random.duration(doubled.min(cap))
            }
        };
        self.failures = self.failures.saturating_add(1);
        let since = self.since.unwrap_or(now);
        let is_too_late = |limit| (now - since).saturating_add(delay) > limit;
        (!self.retry.give_up_after.is_some_and(is_too_late)).then_some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The delays of that many failures, one after the other.
    fn delays(retry: Retry, failures: usize) -> Vec<Duration> {
        let now = Instant::now();
        let mut trouble = Trouble::new(retry);
        trouble.attempt(now);
        let delays = (0..failures).map(|_| trouble.delay(now, None));
        delays.collect::<Option<_>>().unwrap()
    }

    /// D-MA-2.
    #[test]
    fn fixed_delays_are_all_the_same() {
        assert_eq!(delays(Retry::fixed(SECOND), 1000), [SECOND; 1000]);
        assert_eq!(delays(Duration::ZERO.into(), 3), [Duration::ZERO; 3]);
    }

    /// Each lies below its bound; over many subscriptions they fill the whole of it.
    #[test]
    fn exponential_delays_fill_what_doubles_up_to_the_cap() {
        let bounds = [1, 2, 4, 8, 10, 10].map(Duration::from_secs);
        let retry = Retry::exponential(SECOND, 10 * SECOND);
        let mut sums = [Duration::ZERO; 6];
        let mut longest = [Duration::ZERO; 6];
        for seed in 0..1000 {
            for (n, delay) in delays(retry.clone().seed(seed), 6).into_iter().enumerate() {
                sums[n] += delay;
                longest[n] = longest[n].max(delay);
            }
        }
        for ((bound, sum), longest) in bounds.into_iter().zip(sums).zip(longest) {
            assert!(longest < bound && longest > bound.mul_f64(0.98));
            let mean = sum / 1000;
            assert!(mean > bound.mul_f64(0.45) && mean < bound.mul_f64(0.55));
        }
    }

    #[test]
    fn delays_are_bounded_after_any_number_of_failures() {
        let retry = Retry::exponential(SECOND, Duration::MAX);
        delays(retry, 5000);
        let retry = Retry::exponential(Duration::MAX, SECOND);
        assert!(delays(retry, 5000).into_iter().all(|delay| delay < SECOND));
    }

    #[test]
    fn delays_differ_unless_seeded() {
        let retry = Retry::exponential(SECOND, SECOND);
        assert_ne!(delays(retry.clone(), 5), delays(retry.clone(), 5));
        assert_eq!(delays(retry.clone().seed(1), 5), delays(retry.seed(1), 5));
    }

    #[test]
    fn count_begins_again_after_a_healthy_stream_only() {
        let now = Instant::now();
        let bound_after = |lived: Duration| {
            // The longest of many is close to its bound.
            let delays = (0..200).map(|seed| {
                let retry = Retry::exponential(SECOND, 64 * SECOND);
                let mut trouble = Trouble::new(retry.reset_after(5 * SECOND).seed(seed));
                trouble.attempt(now);
                for _ in 0..4 {
                    trouble.delay(now, None);
                }
                trouble.delay(now + lived, Some(now)).unwrap()
            });
            delays.max().unwrap()
        };
        assert!(bound_after(5 * SECOND) < SECOND);
        assert!(bound_after(5 * SECOND - Duration::from_nanos(1)) > 14 * SECOND);
        assert!(bound_after(Duration::ZERO) > 14 * SECOND);
    }

    #[test]
    fn nothing_is_attempted_beyond_the_limit() {
        let start = Instant::now();
        let mut trouble = Trouble::new(Retry::fixed(SECOND).give_up_after(3 * SECOND));
        trouble.attempt(start);
        // The attempts at 1, 2 and 3 seconds; there is none at 4.
        for n in 0..3 {
            assert_eq!(trouble.delay(start + n * SECOND, None), Some(SECOND));
        }
        assert_eq!(trouble.delay(start + 3 * SECOND, None), None);
    }

    #[test]
    fn limit_begins_anew_after_a_healthy_stream() {
        let start = Instant::now();
        let retry = Retry::fixed(SECOND).give_up_after(3 * SECOND);
        let mut trouble = Trouble::new(retry.reset_after(SECOND));
        trouble.attempt(start);
        let later = start + 100 * SECOND;
        assert_eq!(trouble.delay(later, Some(start)), Some(SECOND));
        let unhealthy = later + 3 * SECOND;
        assert_eq!(trouble.delay(unhealthy, Some(unhealthy)), None);
    }
}
