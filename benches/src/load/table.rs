//! From samples to a table: medians with their extremes, and their ratio to the first system's.

use std::fmt;

use hdrhistogram::Histogram;

use super::{
    Sample, Workload, duel,
    results::{Latency, SampleResults, SystemResults, WorkloadResults},
};
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
    pub fn results(&self) -> WorkloadResults {
        let first = &self.rows[0].samples;
        let systems = self.rows.iter().map(|Row { name, samples }| SystemResults {
            system: (*name).to_owned(),
            per_second: spread(samples, Sample::per_second),
            cpu_micros: spread(samples, Sample::cpu_micros),
            rate_ratio: ratio(samples, first, Sample::per_second),
            cpu_ratio: ratio(samples, first, Sample::cpu_micros),
            latency_micros: latency(samples),
            disturbed: disturbed(samples),
            samples: samples.iter().map(sample_results).collect(),
        });
        WorkloadResults {
            workload: self.workload.name.to_owned(),
            payload_bytes: self.workload.bytes,
            systems: systems.collect(),
        }
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
            "{workload:<18} {:>29} {:>28} {:>23} {:>9} {:>9}",
            "per second (min to max)",
            "cpu µs each (min to max)",
            "p50 / p99 / p99.9 µs",
            "rate",
            "cpu",
        )?;
        for row in &self.rows {
            write!(f, "  {:<14}", row.name)?;
            write!(
                f,
                " {:>31}",
                spread(&row.samples, Sample::per_second).to_text(0)
            )?;
            write!(
                f,
                " {:>28}",
                spread(&row.samples, Sample::cpu_micros).to_text(3)
            )?;
            write!(f, " {:>23}", percentiles(&row.samples))?;
            for figure in [Sample::per_second, Sample::cpu_micros] {
                write!(
                    f,
                    " {:>8.2}x",
                    ratio(&row.samples, &self.rows[0].samples, figure)
                )?;
            }
            match disturbed(&row.samples) {
                0 => writeln!(f)?,
                count => writeln!(f, "  disturbed: {count}")?,
            }
        }
        writeln!(f)
    }
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

/// Percentiles of the calls of all rounds; nothing if they were not timed.
fn latency(samples: &[Sample]) -> Option<Latency> {
    let mut all: Histogram<u64> = duel::latencies();
    for sample in samples {
        all += &sample.latencies;
    }
    let percentile = |percent| all.value_at_percentile(percent) as f64 / 1e3;
    (!all.is_empty()).then(|| Latency {
        p50: percentile(50.0),
        p90: percentile(90.0),
        p99: percentile(99.0),
        p999: percentile(99.9),
        max: percentile(100.0),
    })
}

fn percentiles(samples: &[Sample]) -> String {
    let Some(Latency { p50, p99, p999, .. }) = latency(samples) else {
        return String::new();
    };
    format!("{p50:.1} / {p99:.1} / {p999:.0}")
}

fn disturbed(samples: &[Sample]) -> usize {
    samples
        .iter()
        .filter(|sample| sample.is_disturbed())
        .count()
}

fn sample_results(sample: &Sample) -> SampleResults {
    SampleResults {
        per_second: sample.per_second(),
        cpu_micros: sample.cpu_micros(),
        others: sample.others,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Kind;
    use super::*;

    const PING: Workload = Workload {
        name: "ping",
        kind: Kind::Calls { in_flight: 1 },
        bytes: 32,
    };

    fn sample(count: u64, cpu_millis: u64, micros: &[u64]) -> Sample {
        let mut latencies = duel::latencies();
        for micros in micros {
            latencies.record(micros * 1000).unwrap();
        }
        Sample {
            count,
            wall: Duration::from_secs(2),
            cpu: Duration::from_millis(cpu_millis),
            others: 0.0,
            latencies,
        }
    }

    #[test]
    fn figures_of_one_sample() {
        let sample = sample(1000, 50, &[]);
        assert_eq!(sample.per_second(), 500.0);
        assert_eq!(sample.cpu_micros(), 50.0);
    }

    #[test]
    fn spread_is_of_the_rounds() {
        let samples = [sample(10, 1, &[]), sample(2, 1, &[]), sample(4, 1, &[])];
        assert_eq!(
            spread(&samples, Sample::per_second),
            Spread {
                min: 1.0,
                median: 2.0,
                max: 5.0
            }
        );
        assert_eq!(spread(&samples[..2], Sample::per_second).median, 3.0);
        assert!(spread(&[], Sample::per_second).median.is_nan());
    }

    #[test]
    fn ratios_pair_the_rounds() {
        // Both were disturbed in the second round, and alike.
        let first = [sample(100, 1, &[]), sample(10, 1, &[]), sample(100, 1, &[])];
        let second = [sample(50, 1, &[]), sample(5, 1, &[]), sample(80, 1, &[])];
        assert_eq!(ratio(&second, &first, Sample::per_second), 0.5);
    }

    #[test]
    fn percentiles_are_of_all_rounds() {
        assert_eq!(latency(&[sample(1, 1, &[])]), None);
        let thousand: Vec<u64> = (1..=1000).collect();
        let (low, high) = thousand.split_at(300);
        let samples = [sample(1, 1, high), sample(1, 1, low)];
        let Latency {
            p50,
            p90,
            p99,
            p999,
            max,
        } = latency(&samples).unwrap();
        for (percentile, exact) in [
            (p50, 500.0),
            (p90, 900.0),
            (p99, 990.0),
            (p999, 999.0),
            (max, 1000.0),
        ] {
            // Three digits are kept.
            assert!((percentile / exact - 1.0).abs() < 0.002, "{percentile}");
        }
    }

    #[test]
    fn the_results_are_those_of_the_table() {
        let mut table = Table::new(PING, vec!["raw", "other"]);
        table.add(0, sample(400, 10, &[20]));
        let mut disturbed = sample(200, 20, &[40]);
        disturbed.others = 0.5;
        table.add(1, disturbed);
        let results = table.results();
        let other = &results.systems[1];
        assert_eq!((other.rate_ratio, other.cpu_ratio), (0.5, 4.0));
        assert_eq!(other.per_second.median, 100.0);
        assert_eq!((other.disturbed, other.samples.len()), (1, 1));
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
