//! Lines of text for where there is no terminal: a file, a pipe, a log.
//!
//! Pure: a monitor and the time go in, lines come out.

use std::time::Duration;

use super::event::EventKind;
use super::monitor::{Monitor, Status};
use super::text;
use super::units::{bytes, hundredths, percent, rate, seconds, span};
use crate::host::snapshot::Snapshot;

/// Remembers what was written already.
///
/// Every change of status becomes a line, and the state becomes a line when it changed, but not
/// more often than asked for.
#[derive(Clone, Debug)]
pub(crate) struct Plain {
    /// The shortest time between two lines about the state.
    state_every: Duration,
    /// How many events were written, of all that ever were.
    events_written: usize,
    state_written: Option<StateWritten>,
}

/// The last line about the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StateWritten {
    at: Duration,
    connection: u32,
    sequence: u64,
}

impl Plain {
    /// Nothing was written yet. `state_every` is the shortest time between two lines about the
    /// state; zero means a line per update.
    pub(crate) fn new(state_every: Duration) -> Self {
        Self {
            state_every,
            events_written: 0,
            state_written: None,
        }
    }

    /// What is to be written now: nothing, if nothing of interest happened since the last call.
    /// Call it after every event.
    pub(crate) fn lines(&mut self, now: Duration, monitor: &Monitor) -> Vec<String> {
        let mut lines = self.event_lines(monitor);
        lines.extend(self.state_line(now, monitor));
        lines
    }

    fn event_lines(&mut self, monitor: &Monitor) -> Vec<String> {
        let log = monitor.log();
        let seen = self.events_written.saturating_sub(log.forgotten());
        self.events_written = log.forgotten() + log.iter().len();
        log.iter()
            .skip(seen)
            // Updates are shown as the state that they lead to, and counted at the loss.
            .filter(|event| !matches!(event.kind, EventKind::Updates(_)))
            .map(ToString::to_string)
            .collect()
    }

    fn state_line(&mut self, now: Duration, monitor: &Monitor) -> Option<String> {
        let (Status::Connected { .. }, Some(state)) = (monitor.status(), monitor.state()) else {
            return None;
        };
        let current = StateWritten {
            at: now,
            connection: monitor.connections(),
            sequence: state.sequence,
        };
        if let Some(last) = self.state_written
            && last.connection == current.connection
            && (last.sequence == current.sequence || now < last.at + self.state_every)
        {
            return None;
        }
        self.state_written = Some(current);
        Some(format!("{:>10}  {}", seconds(now), compact(state)))
    }
}

/// The state on one line.
pub(crate) fn compact(state: &Snapshot) -> String {
    let (network, disk) = (state.network_total(), state.disk_total());
    let top = match state.busiest().first() {
        Some((pid, process)) => format!(
            "  top {} ({pid}) {}",
            text::clean(&process.name, 20),
            percent(process.cpu_per_mille)
        ),
        None => String::new(),
    };
    format!(
        "#{} {}  up {}  cpu {}  mem {}/{}  load {}  net rx {} tx {}  disk r {} w {}{top}",
        state.sequence,
        text::clean(&state.host_name, 40),
        span(Duration::from_secs(state.uptime_seconds)),
        percent(state.busy_per_mille()),
        bytes(state.memory.used_bytes),
        bytes(state.memory.total_bytes),
        hundredths(state.load.one_minute_hundredths),
        rate(network.received_bytes_per_second),
        rate(network.sent_bytes_per_second),
        rate(disk.read_bytes_per_second),
        rate(disk.written_bytes_per_second),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::host::change::Change;
    use crate::host::snapshot::{DiskRates, Load, Memory, NetworkRates, Process};

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn snapshot(sequence: u64) -> Snapshot {
        let process = Process {
            name: "evil\x1b[2J".to_owned(),
            cpu_per_mille: 998,
            resident_bytes: 1 << 20,
        };
        let network = NetworkRates {
            received_bytes_per_second: 2048,
            sent_bytes_per_second: 10,
        };
        let disk = DiskRates {
            read_bytes_per_second: 0,
            written_bytes_per_second: 5 << 20,
        };
        Snapshot {
            sequence,
            host_name: "box".to_owned(),
            uptime_seconds: 61,
            cpu_busy_per_mille: vec![500, 101],
            memory: Memory {
                total_bytes: 4 << 30,
                used_bytes: 1 << 30,
                ..Memory::default()
            },
            load: Load {
                one_minute_hundredths: 150,
                ..Load::default()
            },
            process_count: 100,
            processes: BTreeMap::from([(7, process)]),
            networks: BTreeMap::from([("lo".to_owned(), network)]),
            disks: BTreeMap::from([("sda".to_owned(), disk)]),
        }
    }

    fn change(sequence: u64) -> Change {
        Change::between(&snapshot(sequence), &snapshot(sequence + 1))
    }

    #[test]
    fn state_fits_on_a_line_and_is_safe() {
        assert_eq!(
            compact(&snapshot(3)),
            "#3 box  up 1 min 01 s  cpu 30.0%  mem 1.0 GiB/4.0 GiB  load 1.50  \
             net rx 2.0 KiB/s tx 10 B/s  disk r 0 B/s w 5.0 MiB/s  top evil?[2J (7) 99.8%"
        );
    }

    #[test]
    fn every_status_is_a_line_at_once_and_the_state_now_and_then() {
        let mut monitor = Monitor::new("test");
        let mut plain = Plain::new(at(1000));
        assert!(plain.lines(at(0), &monitor).is_empty());

        monitor.attempting(at(1));
        monitor.connected(at(2), snapshot(5));
        let lines = plain.lines(at(2), &monitor);
        assert!(lines[0].ends_with("connecting (attempt 1)"), "{lines:?}");
        assert!(lines[1].contains("CONNECTED (connection 1)"), "{lines:?}");
        assert!(lines[2].contains("#5 box"), "{lines:?}");
        assert_eq!(lines.len(), 3);

        monitor.update(at(500), &change(5)).unwrap();
        assert!(plain.lines(at(500), &monitor).is_empty());
        monitor.update(at(1002), &change(6)).unwrap();
        let lines = plain.lines(at(1002), &monitor);
        assert!(lines.len() == 1 && lines[0].contains("#7 box"), "{lines:?}");
        assert!(plain.lines(at(9000), &monitor).is_empty());

        monitor.lost(at(9001));
        let lines = plain.lines(at(9001), &monitor);
        assert!(
            lines.len() == 1 && lines[0].ends_with("LOST connection 1 after 2 updates"),
            "{lines:?}"
        );
        assert!(plain.lines(at(9002), &monitor).is_empty());

        // The first state of a connection is shown at once, even with a number seen before.
        monitor.connected(at(9003), snapshot(7));
        assert_eq!(plain.lines(at(9003), &monitor).len(), 2);
    }

    #[test]
    fn line_per_update_if_asked_for() {
        let mut monitor = Monitor::new("test");
        let mut plain = Plain::new(Duration::ZERO);
        monitor.connected(at(1), snapshot(1));
        plain.lines(at(1), &monitor);
        for sequence in 1..5 {
            monitor.update(at(1), &change(sequence)).unwrap();
            assert_eq!(plain.lines(at(1), &monitor).len(), 1);
        }
    }
}
