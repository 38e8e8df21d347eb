//! The full state of a host at one moment, as plain data that crosses the wire.
//!
//! Shares are whole per-mille and rates whole bytes per second: equal values compare equal, so what
//! did not change is absent from a [`Change`](super::change::Change). Knows nothing of how the
//! values were measured or are shown.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bin_prot::BinProt;

/// The state of one host at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, BinProt)]
pub(crate) struct Snapshot {
    /// Which sample this is. Grows by one with every sample; a server begins at the milliseconds
    /// since 1970, so that its numbers do not meet those of its predecessor.
    pub(crate) sequence: u64,
    /// The host's name. Chosen by the server: clean it before it is shown.
    pub(crate) host_name: String,
    /// Seconds since the host booted.
    pub(crate) uptime_seconds: u64,
    /// The busy share of each CPU since the sample before, 0 to 1000.
    pub(crate) cpu_busy_per_mille: Vec<u32>,
    /// Main memory and swap.
    pub(crate) memory: Memory,
    /// Load averages.
    pub(crate) load: Load,
    /// How many processes run on the host, listed in `processes` or not.
    pub(crate) process_count: u32,
    /// The busiest processes by process id; see [`busiest`](Self::busiest) for them in order.
    pub(crate) processes: BTreeMap<u32, Process>,
    /// Traffic by network interface.
    pub(crate) networks: BTreeMap<String, NetworkRates>,
    /// Traffic by disk device.
    pub(crate) disks: BTreeMap<String, DiskRates>,
}

/// Main memory and swap, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BinProt)]
pub(crate) struct Memory {
    /// Main memory that the host has.
    pub(crate) total_bytes: u64,
    /// Main memory in use.
    pub(crate) used_bytes: u64,
    /// Main memory that a new process could have; more than what is free, because caches give way.
    pub(crate) available_bytes: u64,
    /// Swap that the host has; 0 without swap.
    pub(crate) swap_total_bytes: u64,
    /// Swap in use.
    pub(crate) swap_used_bytes: u64,
}

/// Load averages: runnable processes, in hundredths (`150` is a load of 1.50).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BinProt)]
pub(crate) struct Load {
    /// Over one minute.
    pub(crate) one_minute_hundredths: u32,
    /// Over five minutes.
    pub(crate) five_minutes_hundredths: u32,
    /// Over fifteen minutes.
    pub(crate) fifteen_minutes_hundredths: u32,
}

/// One process.
#[derive(Clone, Debug, Default, PartialEq, Eq, BinProt)]
pub(crate) struct Process {
    /// The program's name. Chosen by the server: clean it before it is shown.
    pub(crate) name: String,
    /// Its share of one CPU since the sample before: above 1000 with several busy threads.
    pub(crate) cpu_per_mille: u32,
    /// Main memory that it holds.
    pub(crate) resident_bytes: u64,
}

/// Traffic of one network interface since the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BinProt)]
pub(crate) struct NetworkRates {
    /// What came in.
    pub(crate) received_bytes_per_second: u64,
    /// What went out.
    pub(crate) sent_bytes_per_second: u64,
}

/// Traffic of one disk device since the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BinProt)]
pub(crate) struct DiskRates {
    /// What was read.
    pub(crate) read_bytes_per_second: u64,
    /// What was written.
    pub(crate) written_bytes_per_second: u64,
}

impl Snapshot {
    /// How many CPUs, processes, interfaces and disks a state may have, each: 4096. It bounds what
    /// a stream of changes can make a watcher hold.
    pub(crate) const MAX_ENTRIES: usize = 4096;

    /// How long a name may be that a change brings: 4096 bytes, as a path on Linux.
    pub(crate) const MAX_NAME_BYTES: usize = 4096;

    /// The busy share of all CPUs together, 0 to 1000.
    pub(crate) fn busy_per_mille(&self) -> u32 {
        let busy: u64 = self
            .cpu_busy_per_mille
            .iter()
            .map(|&share| u64::from(share.min(1000)))
            .sum();
        let cpus = u64::try_from(self.cpu_busy_per_mille.len()).unwrap_or(u64::MAX);
        u32::try_from(busy.checked_div(cpus).unwrap_or(0)).unwrap_or(1000)
    }

    /// The listed processes, busiest first; among equals the larger one, then the older id.
    pub(crate) fn busiest(&self) -> Vec<(u32, &Process)> {
        let mut processes: Vec<_> = self.processes.iter().map(|(&pid, p)| (pid, p)).collect();
        processes.sort_by_key(|(pid, p)| (Reverse((p.cpu_per_mille, p.resident_bytes)), *pid));
        processes
    }

    /// The traffic of all network interfaces together.
    pub(crate) fn network_total(&self) -> NetworkRates {
        let mut total = NetworkRates::default();
        for rates in self.networks.values() {
            total.received_bytes_per_second = total
                .received_bytes_per_second
                .saturating_add(rates.received_bytes_per_second);
            total.sent_bytes_per_second = total
                .sent_bytes_per_second
                .saturating_add(rates.sent_bytes_per_second);
        }
        total
    }

    /// The traffic of all disks together.
    pub(crate) fn disk_total(&self) -> DiskRates {
        let mut total = DiskRates::default();
        for rates in self.disks.values() {
            total.read_bytes_per_second = total
                .read_bytes_per_second
                .saturating_add(rates.read_bytes_per_second);
            total.written_bytes_per_second = total
                .written_bytes_per_second
                .saturating_add(rates.written_bytes_per_second);
        }
        total
    }
}

impl Memory {
    /// The share of main memory in use, 0 to 1000.
    pub(crate) fn used_per_mille(&self) -> u32 {
        share_per_mille(self.used_bytes, self.total_bytes)
    }

    /// The share of swap in use, 0 to 1000; 0 without swap.
    pub(crate) fn swap_used_per_mille(&self) -> u32 {
        share_per_mille(self.swap_used_bytes, self.swap_total_bytes)
    }
}

/// `part` of `whole` in per-mille, at most 1000; nothing of nothing is 0.
fn share_per_mille(part: u64, whole: u64) -> u32 {
    let share = (u128::from(part) * 1000)
        .checked_div(u128::from(whole))
        .unwrap_or(0);
    u32::try_from(share.min(1000)).unwrap_or(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_share_is_the_mean_and_survives_no_cpu_and_absurd_values() {
        let mut snapshot = Snapshot::default();
        assert_eq!(snapshot.busy_per_mille(), 0);
        snapshot.cpu_busy_per_mille = vec![1000, 0, 500];
        assert_eq!(snapshot.busy_per_mille(), 500);
        snapshot.cpu_busy_per_mille = vec![u32::MAX; 3];
        assert_eq!(snapshot.busy_per_mille(), 1000);
    }

    #[test]
    fn busiest_sorts_by_cpu_then_memory_then_id() {
        let process = |cpu_per_mille, resident_bytes| Process {
            name: String::new(),
            cpu_per_mille,
            resident_bytes,
        };
        let snapshot = Snapshot {
            processes: BTreeMap::from([
                (1, process(0, 10)),
                (2, process(5, 1)),
                (3, process(0, 20)),
                (4, process(0, 10)),
            ]),
            ..Snapshot::default()
        };
        let order: Vec<u32> = snapshot.busiest().iter().map(|(pid, _)| *pid).collect();
        assert_eq!(order, [2, 3, 1, 4]);
    }

    #[test]
    fn totals_saturate() {
        let rates = NetworkRates {
            received_bytes_per_second: u64::MAX,
            sent_bytes_per_second: 1,
        };
        let snapshot = Snapshot {
            networks: BTreeMap::from([("a".to_owned(), rates), ("b".to_owned(), rates)]),
            ..Snapshot::default()
        };
        let total = snapshot.network_total();
        assert_eq!(total.received_bytes_per_second, u64::MAX);
        assert_eq!(total.sent_bytes_per_second, 2);
    }

    #[test]
    fn shares_stay_within_0_and_1000() {
        assert_eq!(share_per_mille(0, 0), 0);
        assert_eq!(share_per_mille(1, 2), 500);
        assert_eq!(share_per_mille(u64::MAX, 1), 1000);
        assert_eq!(share_per_mille(u64::MAX, u64::MAX), 1000);
    }
}
