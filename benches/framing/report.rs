//! All figures, as a table and as JSON.

use std::fmt;

use serde_json::{Value, json};

use benches::Spread;

use crate::{
    envelope,
    measure::{Case, Samples},
    names,
    target::Target,
};

/// What was measured, case by case.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    case: String,
    contestants: Vec<(&'static str, Samples)>,
}

impl Report {
    /// Adds the samples of a case's contestants to those that it has of them.
    pub(crate) fn add(&mut self, case: &Case, samples: Vec<Samples>) {
        let position = self.rows.iter().position(|row| row.case == case.name);
        let row = position.unwrap_or_else(|| {
            let names = case.contestants.iter().map(|contestant| contestant.name);
            self.rows.push(Row {
                case: case.name.clone(),
                contestants: names.map(|name| (name, Samples::default())).collect(),
            });
            self.rows.len() - 1
        });
        for ((_, sum), more) in self.rows[row].contestants.iter_mut().zip(samples) {
            sum.extend(more);
        }
    }

    /// Whether nothing was measured.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The median of what this contestant took in this case, if both took part.
    pub(crate) fn median(&self, case: &str, name: &str) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.case == case)?;
        Some(row.nanos(name)?.median)
    }

    /// The cases of frames in which ours allocated.
    pub(crate) fn allocating_frames(&self) -> Vec<&str> {
        let rows = self.rows.iter().filter(|row| envelope::has(&row.case));
        rows.filter(|row| row.allocations(names::OURS) > 0.0)
            .map(|row| row.case.as_str())
            .collect()
    }

    /// Everything, for machines.
    pub(crate) fn to_json(&self, cores: usize, targets: &[Target]) -> Value {
        let cases: Vec<Value> = self.rows.iter().map(Row::to_json).collect();
        let outcomes = targets.iter().filter_map(|target| target.of(self));
        let outcomes: Vec<Value> = outcomes.map(|outcome| outcome.to_json()).collect();
        json!({
            "unit": "nanoseconds",
            "cores": cores,
            "cases": cases,
            "targets": outcomes,
        })
    }
}

impl Row {
    fn samples(&self, name: &str) -> Option<&Samples> {
        let mut contestants = self.contestants.iter();
        contestants.find_map(|(other, samples)| (*other == name).then_some(samples))
    }

    fn nanos(&self, name: &str) -> Option<Spread> {
        let samples = self.samples(name)?;
        Some(Spread::of(samples.nanos.iter().copied()))
    }

    fn allocations(&self, name: &str) -> f64 {
        self.samples(name)
            .map_or(0.0, |samples| samples.allocations)
    }

    fn to_json(&self) -> Value {
        let contestants = self.contestants.iter().map(|(name, samples)| {
            let Spread { min, median, max } = Spread::of(samples.nanos.iter().copied());
            let value = json!({
                "samples": samples.nanos.len(),
                "min": min,
                "median": median,
                "max": max,
                "allocations": samples.allocations,
            });
            ((*name).to_owned(), value)
        });
        let contestants: serde_json::Map<String, Value> = contestants.collect();
        json!({ "case": self.case, "contestants": contestants })
    }

    fn cell(&self, name: &str) -> String {
        let Some(nanos) = self.nanos(name) else {
            return String::new();
        };
        let decimals = if nanos.median < 100.0 { 1 } else { 0 };
        let mut cell = nanos.to_text(decimals);
        if name != names::OURS
            && let Some(ours) = self.nanos(names::OURS)
        {
            cell += &format!(" {:.2}x", ours.median / nanos.median);
        }
        // One in a hundred items is the codec's buffer, not the items.
        let allocations = self.allocations(name);
        if allocations >= 0.01 {
            cell += &format!(" [{allocations:.0}]");
        }
        cell
    }
}

/// A table in Markdown, its columns aligned.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["case"].into_iter().chain(names::ALL).map(str::to_owned);
        let mut lines: Vec<Vec<String>> = vec![head.collect()];
        lines.extend(self.rows.iter().map(|row| {
            let cells = names::ALL.iter().map(|name| row.cell(name));
            [row.case.clone()].into_iter().chain(cells).collect()
        }));
        let widths: Vec<usize> = (0..=names::ALL.len())
            .map(|column| {
                let cells = lines.iter().filter_map(|line| line.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for (number, line) in lines.iter().enumerate() {
            for (cell, width) in line.iter().zip(&widths) {
                write!(f, "| {cell:<width$} ")?;
            }
            writeln!(f, "|")?;
            if number == 0 {
                for width in &widths {
                    write!(f, "|{:-<width$}", "", width = width + 2)?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::measure::Contestant;

    /// A report of one case, with these medians.
    pub(crate) fn report(case: &str, medians: &[(&'static str, f64)]) -> Report {
        let names = medians.iter().map(|(name, _)| *name);
        let contestants = names.map(|name| Contestant::new(name, || ())).collect();
        let case = Case::new(case, contestants);
        let mut report = Report::default();
        // In two parts, as if measured in two passes.
        for differences in [&[-1.0, 0.0][..], &[1.0]] {
            let samples = medians.iter().map(|(_, median)| Samples {
                nanos: differences.iter().map(|more| median + more).collect(),
                allocations: 0.0,
            });
            report.add(&case, samples.collect());
        }
        report
    }

    #[test]
    fn ratios_are_ours_to_theirs() {
        let table = report("copying", &[(names::OURS, 3.0), (names::PROST, 2.0)]).to_string();
        let line = table.lines().nth(2).unwrap();
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells[1], "copying");
        assert_eq!(cells[2], "3.0 (2.0 to 4.0)");
        assert!(cells.contains(&"2.0 (1.0 to 3.0) 1.50x"), "{line}");
    }

    #[test]
    fn frames_that_allocate_are_told() {
        let mut report = report("query 32 B, encode", &[(names::OURS, 3.0)]);
        assert!(report.allocating_frames().is_empty());
        report.rows[0].contestants[0].1.allocations = 0.001;
        assert_eq!(report.allocating_frames(), ["query 32 B, encode"]);
        report.rows[0].case = "record, encode".to_owned();
        assert!(report.allocating_frames().is_empty());
    }
}
