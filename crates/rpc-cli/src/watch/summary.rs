//! What is told at the end of the watching: every event, every loss, and whether the check held.

use std::fmt;
use std::time::Duration;

use super::event::Log;
use super::units::{counted, seconds, span};

/// What happened to one watched host. Displayed, it is a page of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How the server is called; safe to show.
    pub(crate) server: String,
    /// How long it was watched.
    pub(crate) watched: Duration,
    /// Every event.
    pub(crate) log: Log,
    /// Every lost connection, oldest first.
    pub(crate) losses: Vec<Loss>,
    /// How many losses there were before the first one in `losses`.
    pub(crate) losses_forgotten: usize,
    /// How many updates were applied.
    pub(crate) applied: u64,
    /// How many updates were refused.
    pub(crate) refused: u64,
    /// Whether, at least once, a lost connection was followed by a fresh snapshot and an update
    /// that was applied to it.
    pub(crate) recovered: bool,
}

/// One lost connection, and what came after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    /// When it was lost.
    pub(crate) at: Duration,
    /// How many updates the lost connection had brought.
    pub(crate) applied_before: u64,
    /// When there was a connection with a fresh snapshot again.
    pub(crate) back_at: Option<Duration>,
    /// How many attempts that took.
    pub(crate) attempts: u32,
    /// How many updates the new connection brought.
    pub(crate) applied_after: u64,
}

impl Summary {
    /// Whether every update belonged to the state that was there when it came.
    pub(crate) fn check_held(&self) -> bool {
        self.refused == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} watched for {}", self.server, span(self.watched))?;
        if self.log.forgotten() > 0 {
            writeln!(f, "  ({} earlier events)", self.log.forgotten())?;
        }
        for event in self.log.iter() {
            writeln!(f, "  {event}")?;
        }
        if self.losses_forgotten > 0 {
            writeln!(f, "({} earlier losses)", self.losses_forgotten)?;
        }
        for (number, loss) in (self.losses_forgotten + 1..).zip(&self.losses) {
            writeln!(f, "loss {number}: {loss}")?;
        }
        let recovered = match (self.losses.is_empty(), self.recovered) {
            (true, _) => "nothing was lost",
            (false, true) => "yes, with a fresh snapshot and updates that build on it",
            (false, false) => "NO",
        };
        writeln!(f, "recovered: {recovered}")?;
        if self.check_held() {
            write!(
                f,
                "check: held, {} applied to the state that it builds on",
                match self.applied {
                    0 => "no update came to be".to_owned(),
                    1 => "the one update was".to_owned(),
                    more => format!("each of {more} updates was"),
                }
            )
        } else {
            write!(
                f,
                "check: BROKEN, {} did not belong to the state that was there ({} did)",
                counted(self.refused, "update"),
                self.applied
            )
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "at {}, {} before; ",
            seconds(self.at),
            counted(self.applied_before, "update")
        )?;
        match self.back_at {
            Some(back_at) => write!(
                f,
                "back at {} ({} later, {}), {} after",
                seconds(back_at),
                span(back_at.saturating_sub(self.at)),
                counted(self.attempts.into(), "attempt"),
                counted(self.applied_after, "update")
            ),
            None => f.write_str("not back"),
        }
    }
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

    #[test]
    fn summary_tells_every_event_and_the_outcome() {
        let mut monitor = Monitor::new("127.0.0.1:8080");
        monitor.attempting(at(1));
        monitor.connected(at(4), snapshot(7));
        monitor.update(at(204), &change(7)).unwrap();
        monitor.update(at(404), &change(8)).unwrap();
        monitor.lost(at(500));
        monitor.attempting(at(501));
        monitor.failed(at(502), "connection refused");
        monitor.attempting(at(1_502));
        monitor.connected(at(1_505), snapshot(1));
        monitor.update(at(1_705), &change(1)).unwrap();
        let expected = "\
127.0.0.1:8080 watched for 2.0 s
     0.001 s  connecting (attempt 1)
     0.004 s  CONNECTED (connection 1): full snapshot, sequence 7
     0.204 s  2 updates applied, sequence 9, until 0.404 s
     0.500 s  LOST connection 1 after 2 updates
     0.501 s  connecting (attempt 1)
     0.502 s  attempt 1 failed: connection refused
     1.502 s  connecting (attempt 2)
     1.505 s  CONNECTED (connection 2): full snapshot, sequence 1
     1.705 s  1 update applied, sequence 2, until 1.705 s
loss 1: at 0.500 s, 2 updates before; back at 1.505 s (1.0 s later, 2 attempts), 1 update after
recovered: yes, with a fresh snapshot and updates that build on it
check: held, each of 3 updates was applied to the state that it builds on";
        let summary = monitor.summary(at(2_000)).to_string();
        let lines = |text: &str| -> Vec<String> {
            text.lines().map(|line| line.trim().to_owned()).collect()
        };
        assert_eq!(lines(&summary), lines(expected));
    }

    #[test]
    fn broken_check_and_missing_recovery_stand_out() {
        let mut monitor = Monitor::new("test");
        monitor.connected(at(1), snapshot(7));
        monitor.update(at(2), &change(3)).unwrap_err();
        monitor.lost(at(3));
        let summary = monitor.summary(at(4));
        let text = summary.to_string();
        assert!(
            text.contains("1 REFUSED (change 4 builds on snapshot 3"),
            "{text}"
        );
        assert!(text.contains("recovered: NO"), "{text}");
        assert!(
            text.contains("check: BROKEN, 1 update did not belong"),
            "{text}"
        );
        assert!(!summary.check_held() && !summary.recovered);
    }

    #[test]
    fn quiet_end_is_told_as_one() {
        let text = Monitor::new("test").summary(at(0)).to_string();
        assert!(text.contains("recovered: nothing was lost"), "{text}");
        assert!(
            text.contains("check: held, no update came to be applied"),
            "{text}"
        );
    }
}
