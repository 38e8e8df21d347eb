//! What happened to a subscription, and when.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::units;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// When, since the watching began.
    pub(crate) at: Duration,
    /// What.
    pub(crate) kind: EventKind,
}

/// What can happen. Connections and attempts count from 1; attempts start again after a loss.
///
/// ```text
/// (Attempting (Failed | Connected Updates? Lost))*      with Notes anywhere
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// An attempt to connect began.
    Attempting {
        /// Which one.
        attempt: u32,
    },
    /// The attempt came to nothing.
    Failed {
        /// Which one.
        attempt: u32,
        /// Why; safe to show.
        reason: String,
    },
    /// A connection was made, and it brought a full snapshot.
    Connected {
        /// Which connection.
        connection: u32,
        /// The number of the snapshot.
        sequence: u64,
    },
    /// Updates came: all of one connection, the event's time is that of the first one.
    Updates(Updates),
    /// The connection was lost.
    Lost {
        /// Which connection.
        connection: u32,
        /// How many updates it had brought that were applied.
        applied: u64,
    },
    /// Something happened outside that explains the rest; safe to show.
    Note(String),
}

/// The updates that one connection brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Updates {
    /// How many were applied to the state.
    pub(crate) applied: u64,
    /// How many were refused, because they do not belong to the state.
    pub(crate) refused: u64,
    /// The number of the state after the last one that was applied.
    pub(crate) sequence: u64,
    /// When the last one came.
    pub(crate) until: Duration,
    /// Why the first refused one was; safe to show.
    pub(crate) first_refusal: Option<String>,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10}  {}", units::seconds(self.at), self.kind)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempting { attempt } => write!(f, "connecting (attempt {attempt})"),
            Self::Failed { attempt, reason } => write!(f, "attempt {attempt} failed: {reason}"),
            Self::Connected {
                connection,
                sequence,
            } => write!(
                f,
                "CONNECTED (connection {connection}): full snapshot, sequence {sequence}"
            ),
            Self::Updates(updates) => updates.fmt(f),
            Self::Lost {
                connection,
                applied,
            } => write!(
                f,
                "LOST connection {connection} after {}",
                units::counted(*applied, "update")
            ),
            Self::Note(text) => write!(f, "-- {text}"),
        }
    }
}

impl fmt::Display for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} applied", units::counted(self.applied, "update"))?;
        if self.applied > 0 {
            write!(f, ", sequence {}", self.sequence)?;
        }
        if self.refused > 0 {
            write!(f, ", {} REFUSED", self.refused)?;
        }
        if let Some(reason) = &self.first_refusal {
            write!(f, " ({reason})")?;
        }
        write!(f, ", until {}", units::seconds(self.until))
    }
}

/// The last [`CAPACITY`](Self::CAPACITY) events, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    events: VecDeque<Event>,
    forgotten: usize,
}

impl Log {
    /// How many events are kept. A server that stays away makes two per attempt.
    pub(crate) const CAPACITY: usize = 4096;

    /// Adds an event; the oldest one is forgotten if there is no room.
    pub(crate) fn push(&mut self, event: Event) {
        if self.events.len() == Self::CAPACITY {
            self.events.pop_front();
            self.forgotten += 1;
        }
        self.events.push_back(event);
    }

    /// The updates that are arriving: adds the event if they just begin.
    pub(crate) fn updates_at(&mut self, now: Duration) -> &mut Updates {
        if !matches!(
            self.events.back(),
            Some(Event {
                kind: EventKind::Updates(_),
                ..
            })
        ) {
            self.push(Event {
                at: now,
                kind: EventKind::Updates(Updates::default()),
            });
        }
        match self.events.back_mut() {
            Some(Event {
                kind: EventKind::Updates(updates),
                ..
            }) => updates,
            _ => unreachable!("the last event is about updates, or was just added"),
        }
    }

    /// The events that are kept, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator {
        self.events.iter()
    }

    /// How many events there were before the oldest one that is kept.
    pub(crate) fn forgotten(&self) -> usize {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn log_forgets_the_oldest_and_counts_them() {
        let mut log = Log::default();
        for attempt in 0..u32::try_from(Log::CAPACITY).unwrap() + 2 {
            log.push(Event {
                at: at(0),
                kind: EventKind::Attempting { attempt },
            });
        }
        assert_eq!(log.forgotten(), 2);
        assert_eq!(log.iter().len(), Log::CAPACITY);
        let oldest = log.iter().next().unwrap();
        assert_eq!(oldest.kind, EventKind::Attempting { attempt: 2 });
    }

    #[test]
    fn updates_of_one_connection_are_one_event() {
        let mut log = Log::default();
        log.updates_at(at(1)).applied += 1;
        log.updates_at(at(2)).applied += 1;
        log.push(Event {
            at: at(3),
            kind: EventKind::Attempting { attempt: 1 },
        });
        log.updates_at(at(4)).applied += 1;
        let times: Vec<_> = log.iter().map(|event| event.at).collect();
        assert_eq!(times, [at(1), at(3), at(4)]);
    }

    #[test]
    fn events_read_as_sentences() {
        #[track_caller]
        fn check(kind: EventKind, expected: &str) {
            let event = Event {
                at: at(1_500),
                kind,
            };
            assert_eq!(event.to_string(), expected);
        }
        check(
            EventKind::Failed {
                attempt: 3,
                reason: "connection refused".to_owned(),
            },
            "   1.500 s  attempt 3 failed: connection refused",
        );
        check(
            EventKind::Lost {
                connection: 1,
                applied: 1,
            },
            "   1.500 s  LOST connection 1 after 1 update",
        );
        check(
            EventKind::Updates(Updates {
                applied: 2,
                refused: 1,
                sequence: 9,
                until: at(2_000),
                first_refusal: Some("why".to_owned()),
            }),
            "   1.500 s  2 updates applied, sequence 9, 1 REFUSED (why), until 2.000 s",
        );
    }
}
