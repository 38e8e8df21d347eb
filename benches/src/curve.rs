//! What something costs as there is more of something else.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Spread,
    load::{Sample, results::Conditions},
};

/// The count that a curve's others are compared with.
const MEASURE: usize = 100;

/// All of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Curves {
    /// Where and how long it was measured.
    pub conditions: Conditions,
    /// In the order in which they were asked for.
    pub curves: Vec<Curve>,
}

/// One or more systems, as there is more of one thing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Curve {
    /// Of what there is more.
    pub of: String,
    /// The systems.
    pub lines: Vec<Line>,
}

/// One system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Its name.
    pub system: String,
    /// By growing counts.
    pub points: Vec<Point>,
}

/// What calls or updates cost beside so many.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    /// How much there is.
    pub count: usize,
    /// Calls or updates.
    pub per_second: Spread,
    /// Processor time for each, both sides together.
    pub cpu_micros: Spread,
    /// How many of the samples others disturbed.
    pub disturbed: usize,
}

impl Line {
    /// The line of these counts, each with its samples.
    pub fn new(system: &str, counts: &[usize], samples: &[Vec<Sample>]) -> Self {
        let points = counts.iter().zip(samples).map(|(&count, samples)| Point {
            count,
            per_second: Spread::of(samples.iter().map(Sample::per_second)),
            cpu_micros: Spread::of(samples.iter().map(Sample::cpu_micros)),
            disturbed: samples.iter().filter(|each| each.is_disturbed()).count(),
        });
        Self {
            system: system.to_owned(),
            points: points.collect(),
        }
    }

    /// Each point's processor time compared with that of the point at a hundred, or of the first one
    /// if there is none.
    pub fn relative_cpu(&self) -> impl Iterator<Item = (usize, f64)> {
        self.relative(|point| point.cpu_micros.median)
    }

    /// Each point's rate, compared in the same way.
    pub fn relative_rate(&self) -> impl Iterator<Item = (usize, f64)> {
        self.relative(|point| point.per_second.median)
    }

    fn relative(&self, figure: fn(&Point) -> f64) -> impl Iterator<Item = (usize, f64)> {
        let measure = self.points.iter().find(|point| point.count == MEASURE);
        let measure = measure.or(self.points.first()).map_or(f64::NAN, figure);
        let points = self.points.iter();
        points.map(move |point| (point.count, figure(point) / measure))
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<34} {:>29} {:>28} {:>9} {:>9}",
            self.of, "per second (min to max)", "cpu µs each (min to max)", "rate", "cpu",
        )?;
        for line in &self.lines {
            let relative = line.relative_rate().zip(line.relative_cpu());
            for (point, ((_, rate), (_, cpu))) in line.points.iter().zip(relative) {
                let (per_second, cpu_micros) = (&point.per_second, &point.cpu_micros);
                writeln!(
                    f,
                    "  {:<20} {:>11} {:>29} {:>28} {rate:>8.2}x {cpu:>8.2}x",
                    line.system,
                    point.count,
                    per_second.to_text(0),
                    cpu_micros.to_text(3)
                )?;
            }
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cpu_micros: &[(usize, f64)]) -> Line {
        let points = cpu_micros.iter().map(|&(count, micros)| Point {
            count,
            per_second: Spread::of([1e6 / micros]),
            cpu_micros: Spread::of([micros]),
            disturbed: 0,
        });
        Line {
            system: "ours".to_owned(),
            points: points.collect(),
        }
    }

    #[test]
    fn a_hundred_is_the_measure() {
        let line = line(&[(1, 8.0), (100, 2.0), (1000, 1.0)]);
        let cpu: Vec<_> = line.relative_cpu().collect();
        assert_eq!(cpu, [(1, 4.0), (100, 1.0), (1000, 0.5)]);
        let rate: Vec<_> = line.relative_rate().collect();
        assert_eq!(rate, [(1, 0.25), (100, 1.0), (1000, 2.0)]);
    }

    #[test]
    fn without_a_hundred_the_first_is() {
        let cpu: Vec<_> = line(&[(0, 2.0), (10, 3.0)]).relative_cpu().collect();
        assert_eq!(cpu, [(0, 1.0), (10, 1.5)]);
    }
}
