//! The times of round trips, and their percentiles.

use std::fmt;
use std::time::Duration;

/// How long answers took.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoundTrips {
    sorted: Vec<Duration>,
}

impl RoundTrips {
    pub(crate) fn add(&mut self, time: Duration) {
        let place = self.sorted.partition_point(|other| *other <= time);
        self.sorted.insert(place, time);
    }

    /// How many answers there were.
    pub(crate) fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The least time that was not exceeded by so many percent of the answers, 0 to 100.
    pub(crate) fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.sorted.len() * percent).div_ceil(100).max(1);
        self.sorted.get(rank - 1).copied()
    }
}

impl fmt::Display for RoundTrips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (0, "minimum"),
            (50, "median"),
            (90, "p90"),
            (99, "p99"),
            (100, "maximum"),
        ];
        f.write_str("round trip")?;
        for (index, (percent, name)) in names.into_iter().enumerate() {
            let Some(time) = self.percentile(percent) else {
                return f.write_str(" unknown");
            };
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} {name} {}", Micros(time))?;
        }
        Ok(())
    }
}

/// A time in microseconds, as it is shown.
pub(crate) struct Micros(pub(crate) Duration);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} µs", self.0.as_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[u64]) -> RoundTrips {
        let mut trips = RoundTrips::default();
        times
            .iter()
            .for_each(|micros| trips.add(Duration::from_micros(*micros)));
        trips
    }

    #[track_caller]
    fn check(times: &[u64], percent: usize, expected: u64) {
        let time = of(times).percentile(percent);
        assert_eq!(time, Some(Duration::from_micros(expected)));
    }

    #[test]
    fn percentiles_are_times_that_occurred() {
        check(&[7], 0, 7);
        check(&[7], 100, 7);
        let tens = [30, 10, 50, 20, 40, 60, 100, 80, 90, 70];
        for (percent, expected) in [
            (0, 10),
            (1, 10),
            (10, 10),
            (11, 20),
            (50, 50),
            (90, 90),
            (91, 100),
            (99, 100),
            (100, 100),
        ] {
            check(&tens, percent, expected);
        }
        assert_eq!(of(&[]).percentile(50), None);
    }

    #[test]
    fn summary_names_the_percentiles() {
        let expected = "round trip minimum 1 µs, median 2 µs, p90 3 µs, p99 3 µs, maximum 3 µs";
        assert_eq!(of(&[3, 1, 2]).to_string(), expected);
        assert_eq!(of(&[]).to_string(), "round trip unknown");
    }
}
