//! Whether one more query of the peer's is handled: decided before its handler is asked.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use super::Config;
use super::limit::Limit;

/// So many queries per second in the long run, so many at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryRate {
    /// What one query uses up.
    interval: Duration,
    /// What may be used up in advance.
    ahead: Duration,
}

impl QueryRate {
    pub(crate) fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let interval = Duration::from_secs(1) / per_second.get();
        Self {
            interval,
            ahead: interval.saturating_mul(burst.get() - 1),
        }
    }
}

/// How far ahead of the rate a peer is.
#[derive(Debug)]
struct Pace {
    rate: QueryRate,
    /// The time up to which the queries so far have used the rate.
    used_until: Instant,
}

impl Pace {
    fn admits(&mut self, now: Instant) -> bool {
        let used_until = self.used_until.max(now);
        if used_until - now > self.rate.ahead {
            return false;
        }
        self.used_until = used_until + self.rate.interval;
        true
    }
}

/// The limits of new queries of one connection.
#[derive(Debug)]
pub(crate) struct Admission {
    most_open: usize,
    pace: Option<Pace>,
}

impl Admission {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let pace = config.allowed.query_rate.map(|rate| Pace {
            rate,
            used_until: now,
        });
        Self {
            most_open: config.allowed.open_queries,
            pace,
        }
    }

    /// Whether nothing but what is open decides, so that a query is admitted because the one before
    /// it was, and left nothing open.
    pub(super) fn admits_runs(&self) -> bool {
        self.pace.is_none()
    }

    /// The limit that one more query meets while so many are open.
    #[inline]
    pub(super) fn refuses(&mut self, open: usize) -> Option<Limit> {
        if open >= self.most_open {
            return Some(Limit::OpenQueries);
        }
        let pace = self.pace.as_mut()?;
        let admitted = pace.admits(Instant::now());
        (!admitted).then_some(Limit::QueryRate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_at_once_and_the_rate_afterwards() {
        let number = |n| NonZeroU32::new(n).unwrap();
        let start = Instant::now();
        let mut pace = Pace {
            rate: QueryRate::new(number(10), number(3)),
            used_until: start,
        };
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let rows = [
            (0, true),
            (0, true),
            (0, true),
            (0, false),
            (99, false),
            (100, true),
            (100, false),
            (1000, true),
            (1000, true),
            (1000, true),
            (1000, false),
        ];
        for (milliseconds, admitted) in rows {
            assert_eq!(pace.admits(at(milliseconds)), admitted, "{milliseconds}");
        }
    }
}
