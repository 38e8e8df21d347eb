//! Measures this host: reads the operating system and turns counters into rates.
//!
//! Keeps what it needs from one sample to the next. Knows nothing of changes or RPCs. Reading takes
//! some milliseconds and blocks: call it where that does not matter.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use sysinfo::{DiskRefreshKind, Disks, Networks, ProcessRefreshKind, ProcessesToUpdate, System};

use super::snapshot::{DiskRates, Load, Memory, NetworkRates, Process, Snapshot};

/// Takes samples of this host.
pub(crate) struct Sampler {
    system: System,
    networks: Networks,
    disks: Disks,
    /// When the counters were last read: the start of the interval that rates are about.
    read_at: Instant,
    /// The number of the next sample.
    next_sequence: u64,
}

/// This host cannot be measured.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the {part} of this host")]
pub(crate) struct SampleError {
    part: &'static str,
    source: sysinfo::Error,
}

impl Sampler {
    /// How many processes a sample lists.
    pub(crate) const BUSIEST_PROCESSES: usize = 10;

    /// The shortest useful time between two samples; the CPU shares of a sample that follows sooner
    /// are those of the one before.
    pub(crate) const SHORTEST_INTERVAL: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

    /// Reads all counters once, so that the first sample has something to compare with. Take it
    /// [`SHORTEST_INTERVAL`](Self::SHORTEST_INTERVAL) later or after that. Samples are numbered
    /// from `first_sequence` on.
    ///
    /// # Errors
    /// If the operating system is not supported or does not answer.
    pub(crate) fn try_new(first_sequence: u64) -> Result<Self, SampleError> {
        let failed = |part| move |source| SampleError { part, source };
        let mut sampler = Self {
            system: System::new().map_err(failed("processes"))?,
            networks: Networks::new().map_err(failed("networks"))?,
            disks: Disks::new().map_err(failed("disks"))?,
            read_at: Instant::now(),
            next_sequence: first_sequence,
        };
        sampler.read_counters();
        Ok(sampler)
    }

    /// Measures the host now. Shares and rates are about the time since the sample before.
    pub(crate) fn sample(&mut self) -> Snapshot {
        let elapsed = self.read_counters();
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        Snapshot {
            sequence,
            host_name: System::host_name().unwrap_or_else(|_| "unknown".to_owned()),
            uptime_seconds: System::uptime().unwrap_or(0),
            cpu_busy_per_mille: self
                .system
                .cpus()
                .iter()
                .take(Snapshot::MAX_ENTRIES)
                .map(|cpu| to_integer(cpu.usage() * 10.0).min(1000))
                .collect(),
            memory: self.memory(),
            load: load(),
            process_count: u32::try_from(self.system.processes().len()).unwrap_or(u32::MAX),
            processes: self.busiest_processes(),
            networks: self.network_rates(elapsed),
            disks: self.disk_rates(elapsed),
        }
    }

    /// Reads everything that counts up, and tells how long after the time before.
    fn read_counters(&mut self) -> Duration {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.system.refresh_processes_specifics(
            ProcessesToUpdate::All,
            true,
            ProcessRefreshKind::nothing()
                .with_cpu()
                .with_memory()
                .without_tasks(),
        );
        self.networks.refresh(true);
        self.disks
            .refresh_specifics(true, DiskRefreshKind::nothing().with_io_usage());
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.read_at, now))
    }

    fn memory(&self) -> Memory {
        Memory {
            total_bytes: self.system.total_memory(),
            used_bytes: whole_grains(self.system.used_memory()),
            available_bytes: whole_grains(self.system.available_memory()),
            swap_total_bytes: self.system.total_swap(),
            swap_used_bytes: whole_grains(self.system.used_swap()),
        }
    }

    fn busiest_processes(&self) -> BTreeMap<u32, Process> {
        let mut processes: Vec<_> = self
            .system
            .processes()
            .values()
            .map(|process| {
                let cpu_per_mille = to_integer(process.cpu_usage() * 10.0);
                (cpu_per_mille, whole_grains(process.memory()), process)
            })
            .collect();
        processes.sort_by_key(|&(cpu, resident, process)| {
            (std::cmp::Reverse((cpu, resident)), process.pid())
        });
        processes
            .into_iter()
            .take(Self::BUSIEST_PROCESSES)
            .map(|(cpu_per_mille, resident_bytes, process)| {
                let listed = Process {
                    name: process.name().to_string_lossy().into_owned(),
                    cpu_per_mille,
                    resident_bytes,
                };
                (process.pid().as_u32(), listed)
            })
            .collect()
    }

    fn network_rates(&self, elapsed: Duration) -> BTreeMap<String, NetworkRates> {
        self.networks
            .iter()
            .take(Snapshot::MAX_ENTRIES)
            .map(|(name, counted)| {
                let rates = NetworkRates {
                    received_bytes_per_second: per_second(counted.received(), elapsed),
                    sent_bytes_per_second: per_second(counted.transmitted(), elapsed),
                };
                (name.to_string_lossy().into_owned(), rates)
            })
            .collect()
    }

    /// A device that is mounted at several places is listed once, not summed: each place shows the
    /// counters of the whole device.
    fn disk_rates(&self, elapsed: Duration) -> BTreeMap<String, DiskRates> {
        self.disks
            .iter()
            .take(Snapshot::MAX_ENTRIES)
            .map(|disk| {
                let counted = disk.usage();
                let rates = DiskRates {
                    read_bytes_per_second: per_second(counted.read_bytes, elapsed),
                    written_bytes_per_second: per_second(counted.written_bytes, elapsed),
                };
                (disk.name().to_string_lossy().into_owned(), rates)
            })
            .collect()
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler")
            .field("next_sequence", &self.next_sequence)
            .finish_non_exhaustive()
    }
}

fn load() -> Load {
    let average = System::load_average().unwrap_or_default();
    let hundredths = |load: f64| to_integer((load * 100.0) as f32);
    Load {
        one_minute_hundredths: hundredths(average.one),
        five_minutes_hundredths: hundredths(average.five),
        fifteen_minutes_hundredths: hundredths(average.fifteen),
    }
}

/// The nearest integer; a conversion from a float saturates and turns NaN into 0.
fn to_integer(value: f32) -> u32 {
    value.round() as u32
}

/// Bytes per second; 0 for no time at all.
fn per_second(bytes: u64, elapsed: Duration) -> u64 {
    let rate = (u128::from(bytes) * 1_000_000_000)
        .checked_div(elapsed.as_nanos())
        .unwrap_or(0);
    u64::try_from(rate).unwrap_or(u64::MAX).min(GREATEST)
}

/// Rounds an amount of memory down. A page more or less is no news, and would make nearly every
/// process part of nearly every change.
fn whole_grains(bytes: u64) -> u64 {
    bytes - bytes % GRAIN_BYTES
}

const GRAIN_BYTES: u64 = 64 * 1024;

/// The greatest integer that the encoding holds: an OCaml `int` has 63 bits.
const GREATEST: u64 = (1 << 62) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_samples_of_this_host_are_plausible() {
        let mut sampler = Sampler::try_new(1).unwrap();
        let first = sampler.sample();
        let second = sampler.sample();
        assert_eq!((first.sequence, second.sequence), (1, 2));
        for sample in [first, second] {
            assert!(!sample.host_name.is_empty());
            assert!(!sample.cpu_busy_per_mille.is_empty());
            assert!(sample.cpu_busy_per_mille.iter().all(|&busy| busy <= 1000));
            assert!(sample.memory.total_bytes > 0);
            assert!(sample.memory.used_bytes <= sample.memory.total_bytes);
            assert!(!sample.processes.is_empty());
            assert!(sample.processes.len() <= Sampler::BUSIEST_PROCESSES);
            assert!(sample.processes.values().any(|p| p.resident_bytes > 0));
            assert!(sample.process_count as usize >= sample.processes.len());
        }
    }

    #[test]
    fn rates_are_per_second_whatever_the_interval() {
        assert_eq!(per_second(1000, Duration::from_millis(250)), 4000);
        assert_eq!(per_second(1000, Duration::from_secs(10)), 100);
        assert_eq!(per_second(1000, Duration::ZERO), 0);
        assert_eq!(per_second(u64::MAX, Duration::from_nanos(1)), GREATEST);
    }

    #[test]
    fn floats_of_any_kind_become_integers() {
        assert_eq!(to_integer(12.5), 13);
        assert_eq!(to_integer(-1.0), 0);
        assert_eq!(to_integer(f32::NAN), 0);
        assert_eq!(to_integer(f32::INFINITY), u32::MAX);
    }
}
