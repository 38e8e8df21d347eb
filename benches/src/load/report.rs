//! From samples to a table: medians with their extremes, and their ratio to the first system's.

use std::{fmt, time::Duration};

use serde_json::{Value, json};

use super::{Sample, Workload};
use crate::{Spread, median};

/// The samples of one workload, by system and round.
#[derive(Debug)]
pub struct Table {
    workload: Workload,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    samples: Vec<Sample>,
}

impl Table {
    /// An empty table, one row per system; the first is the one that the others are compared to.
    pub fn new(workload: Workload, names: Vec<&'static str>) -> Self {
        let rows = names
            .into_iter()
            .map(|name| Row {
                name,
                samples: Vec::new(),
            })
            .collect();
        Self { workload, rows }
    }

    /// Everything for a program to read: every sample, and the ratios of the table.
    pub fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let first = &self.rows[0].samples;
            let samples = row.samples.iter().map(
                |sample| json!({ "per_second": rate(sample), "cpu_micros": cpu_micros(sample) }),
            );
            json!({
                "system": row.name,
                "samples": samples.collect::<Vec<_>>(),
                "rate_ratio": ratio(&row.samples, first, rate),
                "cpu_ratio": ratio(&row.samples, first, cpu_micros),
                "percentiles_micros": percentiles(&row.samples),
            })
        });
        json!({
            "workload": self.workload.name,
            "payload_bytes": self.workload.bytes,
            "systems": rows.collect::<Vec<_>>(),
        })
    }

    /// Adds what the system of this row did in its next round.
    pub fn add(&mut self, row: usize, sample: Sample) {
        self.rows[row].samples.push(sample);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workload = self.workload.to_string();
        writeln!(
            f,
            "{workload:<14} {:>29} {:>28} {:>19} {:>9} {:>9}",
            "per second (min to max)", "cpu µs each (min to max)", "p50 / p99 µs", "rate", "cpu",
        )?;
        for row in &self.rows {
            write!(f, "  {:<10}", row.name)?;
            write!(f, " {:>31}", spread(&row.samples, rate).to_text(0))?;
            write!(f, " {:>28}", spread(&row.samples, cpu_micros).to_text(3))?;
            write!(f, " {:>19}", round_trips(&row.samples))?;
            for figure in [rate, cpu_micros] {
                write!(
                    f,
                    " {:>8.2}x",
                    ratio(&row.samples, &self.rows[0].samples, figure)
                )?;
            }
            writeln!(f)?;
        }
        writeln!(f)
    }
}

/// Calls or updates per second.
fn rate(sample: &Sample) -> f64 {
    sample.count as f64 / sample.wall.as_secs_f64()
}

/// Microseconds of processor time for each call or update.
fn cpu_micros(sample: &Sample) -> f64 {
    sample.cpu.as_secs_f64() * 1e6 / sample.count as f64
}

fn spread(samples: &[Sample], figure: fn(&Sample) -> f64) -> Spread {
    Spread::of(samples.iter().map(figure))
}

/// The median over the rounds of one system's figure divided by another's of the same round, which
/// leaves out what disturbed both.
fn ratio(samples: &[Sample], others: &[Sample], figure: fn(&Sample) -> f64) -> f64 {
    let rounds = samples.iter().zip(others);
    median(rounds.map(|(sample, other)| figure(sample) / figure(other)))
}

/// The 50th and 99th percentile, in microseconds, of the calls of all rounds; nothing if they were
/// not timed.
fn percentiles(samples: &[Sample]) -> Option<(f64, f64)> {
    let mut all: Vec<Duration> = samples
        .iter()
        .flat_map(|sample| &sample.round_trips)
        .copied()
        .collect();
    all.sort_unstable();
    let percentile = |percent: usize| {
        let duration = all.get(all.len() * percent / 100)?;
        Some(duration.as_secs_f64() * 1e6)
    };
    Some((percentile(50)?, percentile(99)?))
}

fn round_trips(samples: &[Sample]) -> String {
    percentiles(samples).map_or_else(String::new, |(p50, p99)| format!("{p50:.1} / {p99:.1}"))
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    const PING: Workload = Workload {
        name: "ping",
        kind: Kind::Calls { in_flight: 1 },
        bytes: 32,
    };

    fn sample(count: u64, cpu_millis: u64, round_trips: &[u64]) -> Sample {
        Sample {
            count,
            wall: Duration::from_secs(2),
            cpu: Duration::from_millis(cpu_millis),
            round_trips: round_trips
                .iter()
                .copied()
                .map(Duration::from_micros)
                .collect(),
        }
    }

    #[test]
    fn figures_of_one_sample() {
        let sample = sample(1000, 50, &[]);
        assert_eq!(rate(&sample), 500.0);
        assert_eq!(cpu_micros(&sample), 50.0);
    }

    #[test]
    fn spread_is_of_the_rounds() {
        let samples = [sample(10, 1, &[]), sample(2, 1, &[]), sample(4, 1, &[])];
        assert_eq!(
            spread(&samples, rate),
            Spread {
                min: 1.0,
                median: 2.0,
                max: 5.0
            }
        );
        assert_eq!(spread(&samples[..2], rate).median, 3.0);
        assert!(spread(&[], rate).median.is_nan());
    }

    #[test]
    fn ratios_pair_the_rounds() {
        // Both were disturbed in the second round, and alike.
        let first = [sample(100, 1, &[]), sample(10, 1, &[]), sample(100, 1, &[])];
        let second = [sample(50, 1, &[]), sample(5, 1, &[]), sample(80, 1, &[])];
        assert_eq!(ratio(&second, &first, rate), 0.5);
    }

    #[test]
    fn percentiles_are_of_all_rounds() {
        assert_eq!(round_trips(&[sample(1, 1, &[])]), "");
        assert_eq!(round_trips(&[sample(1, 1, &[7])]), "7.0 / 7.0");
        let hundred: Vec<u64> = (1..=100).collect();
        let (low, high) = hundred.split_at(30);
        assert_eq!(
            round_trips(&[sample(1, 1, high), sample(1, 1, low)]),
            "51.0 / 100.0"
        );
    }

    #[test]
    fn the_first_row_is_the_measure() {
        let mut table = Table::new(PING, vec!["raw", "other"]);
        table.add(0, sample(400, 10, &[20]));
        table.add(1, sample(200, 20, &[40]));
        let text = table.to_string();
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[0].starts_with("ping "), "{text}");
        assert!(
            rows[1].starts_with("  raw ") && rows[1].ends_with("1.00x     1.00x"),
            "{text}"
        );
        assert!(
            rows[2].starts_with("  other ") && rows[2].ends_with("0.50x     4.00x"),
            "{text}"
        );
    }
}
