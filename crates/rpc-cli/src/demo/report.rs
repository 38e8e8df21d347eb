//! What each fault looked like to the consumer: a table of times, made of what happened and what
//! was seen.

use std::fmt;
use std::time::Duration;

use super::fault::{Fault, Record};
use crate::watch::event::{Event, EventKind};
use crate::watch::summary::{Loss, Summary};

/// The table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    fault: Fault,
    at: Duration,
    /// From the fault to the event *lost*.
    noticed: Option<Duration>,
    /// What the consumer was told then.
    looked_like: String,
    /// From the repair to a fresh state.
    fresh: Option<Duration>,
    /// Updates that were applied to that state.
    updates_after: u64,
}

impl Report {
    /// What was seen of each fault until the next one.
    pub(crate) fn new(records: &[Record], summary: &Summary) -> Self {
        let ends = records.iter().skip(1).map(|next| next.at);
        let ends = ends.chain([Duration::MAX]);
        let rows = records.iter().zip(ends);
        Self {
            rows: rows
                .map(|(record, end)| Row::new(record, end, summary))
                .collect(),
        }
    }

    /// Whether, after each fault, a fresh state came with updates that build on it.
    pub(crate) fn all_recovered(&self) -> bool {
        self.rows.iter().all(Row::recovered)
    }
}

impl Row {
    fn new(record: &Record, end: Duration, summary: &Summary) -> Self {
        let during = record.at..end;
        let mut losses = summary.losses.iter();
        let loss = losses.find(|loss| during.contains(&loss.at));
        let back_at = loss.and_then(|loss| loss.back_at);
        let fresh = back_at.zip(record.repaired);
        Self {
            fault: record.fault,
            at: record.at,
            noticed: loss.map(|loss| loss.at - record.at),
            looked_like: looked_like(loss, summary),
            fresh: fresh.map(|(back, repaired)| back.saturating_sub(repaired)),
            updates_after: loss.map_or(0, |loss| loss.applied_after),
        }
    }

    fn recovered(&self) -> bool {
        self.fresh.is_some() && self.updates_after > 0
    }
}

/// The loss and why the attempts after it failed, the reasons once each.
fn looked_like(loss: Option<&Loss>, summary: &Summary) -> String {
    let Some(loss) = loss else {
        return "nothing".to_owned();
    };
    let during = loss.at..loss.back_at.unwrap_or(Duration::MAX);
    let mut text = "lost".to_owned();
    let mut before: Option<(&str, u32)> = None;
    let reasons = summary.log.iter().filter_map(|event| match event {
        Event {
            at,
            kind: EventKind::Failed { reason, .. },
        } if during.contains(at) => Some(reason.as_str()),
        _ => None,
    });
    for reason in reasons {
        before = match before {
            Some((same, count)) if same == reason => Some((same, count + 1)),
            other => {
                add(&mut text, other);
                Some((reason, 1))
            }
        };
    }
    add(&mut text, before);
    if loss.back_at.is_none() {
        text.push_str(", NOT BACK");
    }
    text
}

fn add(text: &mut String, reason: Option<(&str, u32)>) {
    let Some((reason, count)) = reason else {
        return;
    };
    // The innermost cause says most.
    let cause = reason.rsplit(": ").next().unwrap_or(reason);
    text.push_str(&format!(", {count} x \"{cause}\""));
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>8}  {:<28} {:>12} {:>14}  seen by the consumer",
            "at", "fault", "until noticed", "repair to fresh"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:>6.1} s  {:<28} {:>13} {:>15}  {}",
                row.at.as_secs_f64(),
                row.fault.name(),
                span(row.noticed),
                span(row.fresh),
                row.looked_like
            )?;
        }
        let (all, back) = (
            self.rows.len(),
            self.rows.iter().filter(|row| row.recovered()).count(),
        );
        write!(f, "{back} of {all} faults recovered from")
    }
}

fn span(span: Option<Duration>) -> String {
    span.map_or_else(
        || "never".to_owned(),
        |span| format!("{:.3} s", span.as_secs_f64()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::change::Change;
    use crate::host::snapshot::Snapshot;
    use crate::watch::monitor::Monitor;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn snapshot(sequence: u64) -> Snapshot {
        Snapshot {
            sequence,
            ..Snapshot::default()
        }
    }

    fn change(sequence: u64) -> Change {
        Change::between(&snapshot(sequence), &snapshot(sequence + 1))
    }

    /// Connected; killed at 1 s, noticed 20 ms later, back at 2.5 s.
    fn one_outage() -> Monitor {
        let mut monitor = Monitor::new("test");
        monitor.connected(at(0), snapshot(7));
        monitor.lost(at(1_020));
        for attempt in [1_100, 1_400] {
            monitor.attempting(at(attempt));
            monitor.failed(at(attempt), "cannot connect: connection refused");
        }
        monitor.attempting(at(2_400));
        monitor.connected(at(2_500), snapshot(1));
        monitor.update(at(2_600), &change(1)).unwrap();
        monitor
    }

    fn killed(millis: u64, repaired: u64) -> Record {
        Record {
            fault: Fault::Kill,
            at: at(millis),
            repaired: Some(at(repaired)),
        }
    }

    #[test]
    fn times_are_those_between_what_happened_and_what_was_seen() {
        let summary = one_outage().summary(at(3_000));
        let report = Report::new(&[killed(1_000, 2_200)], &summary);
        let row = &report.rows[0];
        assert_eq!(row.noticed, Some(at(20)));
        assert_eq!(row.fresh, Some(at(300)));
        assert_eq!(row.looked_like, "lost, 2 x \"connection refused\"");
        assert!(report.all_recovered());
        let text = report.to_string();
        assert!(text.contains("0.020 s         0.300 s  lost"), "{text}");
        assert!(text.ends_with("1 of 1 faults recovered from"), "{text}");
    }

    #[test]
    fn fault_without_recovery_is_told() {
        let mut monitor = one_outage();
        monitor.lost(at(5_000));
        let summary = monitor.summary(at(6_000));
        let records = [killed(1_000, 2_200), killed(4_900, 5_500)];
        let report = Report::new(&records, &summary);
        assert!(!report.all_recovered());
        let text = report.to_string();
        assert!(text.contains("never  lost, NOT BACK"), "{text}");
        assert!(text.ends_with("1 of 2 faults recovered from"), "{text}");
        // A loss belongs to the fault before it.
        let early = Report::new(&[killed(1_100, 2_200)], &one_outage().summary(at(9)));
        assert_eq!(early.rows[0].looked_like, "nothing");
        assert!(!early.all_recovered());
    }

    #[test]
    fn state_without_updates_is_no_recovery() {
        let mut monitor = one_outage();
        monitor.lost(at(5_000));
        monitor.connected(at(5_100), snapshot(1));
        let summary = monitor.summary(at(6_000));
        assert!(!Report::new(&[killed(4_900, 5_050)], &summary).all_recovered());
    }
}
