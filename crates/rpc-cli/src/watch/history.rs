//! The last values of one quantity, for a small graph.

use std::collections::VecDeque;

use crate::host::snapshot::Snapshot;

/// The last [`CAPACITY`](Self::CAPACITY) values. A lost connection leaves a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    values: VecDeque<Option<u64>>,
}

impl History {
    /// How many values are kept: more than a terminal has columns.
    pub(crate) const CAPACITY: usize = 512;

    /// The values, newest first; `None` is a gap.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = Option<u64>> + '_ {
        self.values.iter().rev().copied()
    }

    fn push(&mut self, value: Option<u64>) {
        if self.values.len() == Self::CAPACITY {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }
}

/// The histories of everything that a view draws as a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histories {
    /// Busy share of all CPUs together, per-mille.
    pub(crate) cpu: History,
    /// Main memory in use, per-mille.
    pub(crate) memory: History,
    /// One-minute load, hundredths.
    pub(crate) load: History,
    /// All network interfaces together, bytes per second.
    pub(crate) received: History,
    /// All network interfaces together, bytes per second.
    pub(crate) sent: History,
    /// All disks together, bytes per second.
    pub(crate) read: History,
    /// All disks together, bytes per second.
    pub(crate) written: History,
}

impl Histories {
    /// Adds the values of one state.
    pub(crate) fn push(&mut self, state: &Snapshot) {
        let (network, disk) = (state.network_total(), state.disk_total());
        self.cpu.push(Some(state.busy_per_mille().into()));
        self.memory.push(Some(state.memory.used_per_mille().into()));
        self.load
            .push(Some(state.load.one_minute_hundredths.into()));
        self.received.push(Some(network.received_bytes_per_second));
        self.sent.push(Some(network.sent_bytes_per_second));
        self.read.push(Some(disk.read_bytes_per_second));
        self.written.push(Some(disk.written_bytes_per_second));
    }

    /// Leaves a gap in every graph.
    pub(crate) fn push_gap(&mut self) {
        for history in [
            &mut self.cpu,
            &mut self.memory,
            &mut self.load,
            &mut self.received,
            &mut self.sent,
            &mut self.read,
            &mut self.written,
        ] {
            history.push(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_values_are_kept() {
        let mut history = History::default();
        for value in 0..=u64::try_from(History::CAPACITY).unwrap() {
            history.push(Some(value));
        }
        assert_eq!(history.newest_first().next(), Some(Some(512)));
        assert_eq!(history.newest_first().last(), Some(Some(1)));
        assert_eq!(history.newest_first().count(), History::CAPACITY);
    }

    #[test]
    fn every_graph_has_the_gap() {
        let mut histories = Histories::default();
        histories.push(&Snapshot::default());
        histories.push_gap();
        let shown: Vec<_> = histories.load.newest_first().collect();
        assert_eq!(shown, [None, Some(0)]);
        assert_eq!(histories.cpu, histories.written);
    }
}
