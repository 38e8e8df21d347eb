//! What we want to reach, and whether we did.

use std::fmt;

use serde_json::{Value, json};

use crate::{
    names::{ALONE, BINCODE, BINPROT, COPY, OURS, POSTCARD, PROST},
    report::Report,
};

const FORMATS: &[&str] = &[BINCODE, POSTCARD, PROST];
const BINPROT_ONLY: &[&str] = &[BINPROT];
const FRAMING: &[&str] = &[ALONE];
const LIMIT: &[&str] = &[COPY];

/// At least one and a half times as fast.
const MUCH_FASTER: f64 = 1.0 / 1.5;

/// A bound of what ours takes, as a ratio to the fastest of some others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    case: &'static str,
    rivals: &'static [&'static str],
    at_most: f64,
}

/// A target, and what was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    target: Target,
    fastest: &'static str,
    ratio: f64,
}

impl Target {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        let target = |case, rivals, at_most| Self {
            case,
            rivals,
            at_most,
        };
        vec![
            target("query 32 B, encode", FRAMING, 1.5),
            target("query 32 B, decode", FRAMING, 1.0),
            target("query 1024 B, encode", FRAMING, 1.5),
            target("query 1024 B, decode", FRAMING, 1.0),
            target("response 32 B, encode", FRAMING, 1.5),
            target("response 32 B, decode", FRAMING, 1.0),
            target("response 1024 B, encode", FRAMING, 1.5),
            target("response 1024 B, decode", FRAMING, 1.0),
            target("1000 frames of 32 B, decode", FRAMING, 1.0),
            target("record, encode", FORMATS, 1.15),
            target("record, encode", BINPROT_ONLY, MUCH_FASTER),
            target("record, decode owned", FORMATS, 1.0),
            target("record, decode owned", BINPROT_ONLY, MUCH_FASTER),
            target("record, decode borrowed", FORMATS, 1.0),
            target("record, decode borrowed", BINPROT_ONLY, MUCH_FASTER),
            target("1 MiB of bytes, encode", LIMIT, 1.1),
            target("1 MiB of bytes, decode", LIMIT, 1.1),
        ]
    }

    /// Whether it was reached; nothing if the case was not measured.
    pub(crate) fn of(self, report: &Report) -> Option<Outcome> {
        let ours = report.median(self.case, OURS)?;
        let medians = self
            .rivals
            .iter()
            .filter_map(|rival| Some((*rival, report.median(self.case, rival)?)));
        let (fastest, theirs) = medians.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        Some(Outcome {
            target: self,
            fastest,
            ratio: ours / theirs,
        })
    }
}

impl Outcome {
    fn is_met(&self) -> bool {
        self.ratio <= self.target.at_most
    }

    /// Everything, for machines.
    pub(crate) fn to_json(self) -> Value {
        json!({
            "case": self.target.case,
            "against": self.fastest,
            "ratio": self.ratio,
            "at_most": self.target.at_most,
            "met": self.is_met(),
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target: Target { case, at_most, .. },
            fastest,
            ratio,
        } = self;
        let verdict = if self.is_met() { "met   " } else { "MISSED" };
        write!(
            f,
            "{verdict} {case:<28} {ratio:>5.2} of {fastest:<15} (at most {at_most:.2})"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    fn outcome(medians: &[(&'static str, f64)]) -> Outcome {
        let target = Target {
            case: "a case",
            rivals: FORMATS,
            at_most: 1.15,
        };
        target.of(&report("a case", medians)).unwrap()
    }

    #[test]
    fn the_fastest_rival_is_the_measure() {
        let outcome = outcome(&[(OURS, 11.0), (PROST, 20.0), (POSTCARD, 10.0), (COPY, 1.0)]);
        assert_eq!(outcome.fastest, POSTCARD);
        assert!(outcome.is_met());
        assert!(outcome.to_string().starts_with("met "), "{outcome}");
    }

    #[test]
    fn beyond_the_ratio_is_missed() {
        let outcome = outcome(&[(OURS, 12.0), (BINCODE, 10.0)]);
        assert!(outcome.to_string().starts_with("MISSED"), "{outcome}");
    }

    #[test]
    fn every_target_is_of_a_case_that_is_measured() {
        let cases = crate::cases(&[]);
        for target in Target::all() {
            assert!(
                cases.iter().any(|case| case.name == target.case),
                "{target:?}"
            );
        }
    }
}
