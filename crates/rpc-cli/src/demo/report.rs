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
    /// What the consumer was told from then on.
    looked_like: String,
    fresh: Fresh,
    /// Updates that were applied to that state.
    updates_after: u64,
}

/// When there was a fresh state that was not lost again before the next fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fresh {
    /// So long after the repair.
    After(Duration),
    /// The consumer did not need the repair, or there was none.
    BeforeRepair,
    /// Nothing was lost, or the last loss is not over; those before it are, by the order of events.
    Never,
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
        let losses = summary.losses.iter();
        let losses: Vec<_> = losses.filter(|loss| during.contains(&loss.at)).collect();
        let last = losses.last();
        Self {
            fault: record.fault,
            at: record.at,
            noticed: losses.first().map(|loss| loss.at - record.at),
            looked_like: looked_like(&losses, summary),
            fresh: Fresh::of(last.and_then(|loss| loss.back_at), record.repaired),
            updates_after: last.map_or(0, |loss| loss.applied_after),
        }
    }

    fn recovered(&self) -> bool {
        self.fresh != Fresh::Never && self.updates_after > 0
    }
}

impl Fresh {
    fn of(back_at: Option<Duration>, repaired: Option<Duration>) -> Self {
        let Some(back_at) = back_at else {
            return Self::Never;
        };
        let after = repaired.and_then(|repaired| back_at.checked_sub(repaired));
        after.map_or(Self::BeforeRepair, Self::After)
    }
}

/// Each loss and why the attempts after it failed, the same reasons in a row once.
fn looked_like(losses: &[&Loss], summary: &Summary) -> String {
    if losses.is_empty() {
        return "nothing".to_owned();
    }
    let losses = losses.iter().map(|loss| lost(loss, summary));
    losses.collect::<Vec<_>>().join("; ")
}

fn lost(loss: &Loss, summary: &Summary) -> String {
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
        let fresh: Vec<_> = self.rows.iter().map(|row| row.fresh.to_string()).collect();
        let heading = "repair to fresh";
        let widest = fresh.iter().map(String::len).max();
        let width = heading.len().max(widest.unwrap_or_default());
        writeln!(
            f,
            "{:>8}  {:<28} {:>13} {heading:>width$}  seen by the consumer",
            "at", "fault", "until noticed"
        )?;
        for (row, fresh) in self.rows.iter().zip(fresh) {
            let noticed = row.noticed.map_or_else(|| "never".to_owned(), span);
            writeln!(
                f,
                "{:>6.1} s  {:<28} {noticed:>13} {fresh:>width$}  {}",
                row.at.as_secs_f64(),
                row.fault.name(),
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

impl fmt::Display for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::After(after) => f.write_str(&span(after)),
            Self::BeforeRepair => f.write_str("before the repair"),
            Self::Never => f.write_str("never"),
        }
    }
}

fn span(span: Duration) -> String {
    format!("{:.3} s", span.as_secs_f64())
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
        assert_eq!(row.fresh, Fresh::After(at(300)));
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

    /// Of what was lost twice, the second loss counts.
    #[test]
    fn every_loss_has_to_be_over() {
        let mut monitor = one_outage();
        monitor.lost(at(2_700));
        monitor.attempting(at(2_800));
        monitor.failed(at(2_900), "connection reset");
        let lost_again = monitor.summary(at(3_000));
        let report = Report::new(&[killed(1_000, 2_200)], &lost_again);
        let row = &report.rows[0];
        assert_eq!((row.noticed, row.fresh), (Some(at(20)), Fresh::Never));
        let seen = "lost, 2 x \"connection refused\"; lost, 1 x \"connection reset\", NOT BACK";
        assert_eq!(row.looked_like, seen);
        assert!(!report.all_recovered());

        monitor.attempting(at(3_100));
        monitor.connected(at(3_200), snapshot(3));
        let without_updates = monitor.summary(at(3_300));
        let report = Report::new(&[killed(1_000, 2_200)], &without_updates);
        assert!(!report.all_recovered());

        monitor.update(at(3_400), &change(3)).unwrap();
        let back_again = monitor.summary(at(3_500));
        let report = Report::new(&[killed(1_000, 2_200)], &back_again);
        assert_eq!(report.rows[0].fresh, Fresh::After(at(1_000)));
        assert!(report.all_recovered());
    }

    #[test]
    fn recovery_that_did_not_need_the_repair_is_told() {
        let summary = one_outage().summary(at(6_000));
        let never_repaired = Record {
            repaired: None,
            ..killed(1_000, 0)
        };
        for (record, expected) in [
            (killed(1_000, 2_500), "0.000 s"),
            (killed(1_000, 2_501), "before the repair"),
            (never_repaired, "before the repair"),
        ] {
            let report = Report::new(&[record], &summary);
            assert_eq!(report.rows[0].fresh.to_string(), expected);
            assert!(report.all_recovered());
            let text = report.to_string();
            let columns = |line: &str| line.find("  lost").or_else(|| line.find("  seen by"));
            let ends: Vec<_> = text.lines().filter_map(columns).collect();
            assert_eq!(ends.len(), 2, "{text}");
            assert_eq!(ends[0], ends[1], "{text}");
        }
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
