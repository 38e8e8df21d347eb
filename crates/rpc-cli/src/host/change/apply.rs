//! Bringing a snapshot up to date with a change: check everything first, then change everything.
//!
//! A change comes from a peer: nothing in it can make this panic, or hold more than
//! [`Snapshot::MAX_ENTRIES`] per table and [`Snapshot::MAX_NAME_BYTES`] per name.

use std::collections::BTreeMap;

use super::{Change, MemoryChange, ProcessChange};
use crate::host::snapshot::{Memory, Snapshot};

/// Why a change was refused. The server is at fault, or an update was lost on the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The change belongs to another state.
    #[error("change {sequence} builds on snapshot {builds_on}, but the state is snapshot {state}")]
    OutOfSequence {
        /// What the state would have become.
        sequence: u64,
        /// Which snapshot the change belongs to.
        builds_on: u64,
        /// Which snapshot it was offered to.
        state: u64,
    },
    /// The change has a share for a CPU that is not there.
    #[error("share of CPU {index}, but there are only {cpus}")]
    CpuOutOfRange {
        /// Index of the CPU.
        index: u32,
        /// How many CPUs there are after the change.
        cpus: u32,
    },
    /// The change adds CPUs, and does not tell the share of this one.
    #[error("CPU {index} was added without its share")]
    CpuMissing {
        /// Index of the CPU.
        index: u32,
    },
    /// The change is about a process that is not in the list.
    #[error("change of process {pid}, which is not in the list")]
    UnknownProcess {
        /// Process id.
        pid: u32,
    },
    /// The change removes a network interface that is not there.
    #[error("removal of an unknown network interface {name:?}")]
    UnknownNetwork {
        /// The beginning of its name.
        name: String,
    },
    /// The change removes a disk that is not there.
    #[error("removal of an unknown disk {name:?}")]
    UnknownDisk {
        /// The beginning of its name.
        name: String,
    },
    /// A name is too long.
    #[error("name of {bytes} bytes exceeds the limit of {limit}", limit = Snapshot::MAX_NAME_BYTES)]
    NameTooLong {
        /// How long it is.
        bytes: usize,
    },
    /// The state would have too many entries.
    #[error("{entries} entries of one kind exceed the limit of {limit}", limit = Snapshot::MAX_ENTRIES)]
    TooManyEntries {
        /// How many there would be after the change.
        entries: usize,
    },
}

impl Snapshot {
    /// Brings this snapshot up to date.
    ///
    /// # Errors
    /// If the change does not fit this snapshot. The snapshot is then as it was.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), ApplyError> {
        self.check(change)?;
        self.sequence = change.sequence;
        if let Some(name) = &change.host_name {
            self.host_name.clone_from(name);
        }
        set(&mut self.uptime_seconds, change.uptime_seconds);
        set(&mut self.load, change.load);
        set(&mut self.process_count, change.process_count);
        if let Some(memory) = &change.memory {
            self.memory.apply(memory);
        }
        self.apply_cpus(change);
        self.apply_processes(&change.processes);
        apply_devices(&mut self.networks, &change.networks);
        apply_devices(&mut self.disks, &change.disks);
        Ok(())
    }

    /// Whether the change can be applied entirely. What follows relies on it and cannot fail.
    fn check(&self, change: &Change) -> Result<(), ApplyError> {
        if change.builds_on != self.sequence {
            return Err(ApplyError::OutOfSequence {
                sequence: change.sequence,
                builds_on: change.builds_on,
                state: self.sequence,
            });
        }
        if let Some(name) = &change.host_name {
            check_name(name)?;
        }
        self.check_cpus(change)?;
        self.check_processes(&change.processes)?;
        check_devices(&self.networks, &change.networks, |name| {
            ApplyError::UnknownNetwork { name }
        })?;
        check_devices(&self.disks, &change.disks, |name| ApplyError::UnknownDisk {
            name,
        })
    }

    fn check_cpus(&self, change: &Change) -> Result<(), ApplyError> {
        let before = u32::try_from(self.cpu_busy_per_mille.len()).unwrap_or(u32::MAX);
        let cpus = change.cpu_count.unwrap_or(before);
        check_limit(usize::try_from(cpus).unwrap_or(usize::MAX))?;
        if let Some((&index, _)) = change.cpu_busy_per_mille.range(cpus..).next() {
            return Err(ApplyError::CpuOutOfRange { index, cpus });
        }
        match (before..cpus).find(|index| !change.cpu_busy_per_mille.contains_key(index)) {
            Some(index) => Err(ApplyError::CpuMissing { index }),
            None => Ok(()),
        }
    }

    fn check_processes(&self, changes: &BTreeMap<u32, ProcessChange>) -> Result<(), ApplyError> {
        let mut entries = self.processes.len();
        for (&pid, change) in changes {
            if let ProcessChange::Entered(process) = change {
                check_name(&process.name)?;
            }
            match (change, self.processes.contains_key(&pid)) {
                (ProcessChange::Entered(_), false) => entries += 1,
                (ProcessChange::Entered(_) | ProcessChange::Changed(_), true) => {}
                (ProcessChange::Left, true) => entries -= 1,
                (ProcessChange::Changed(_) | ProcessChange::Left, false) => {
                    return Err(ApplyError::UnknownProcess { pid });
                }
            }
        }
        check_limit(entries)
    }

    fn apply_cpus(&mut self, change: &Change) {
        if let Some(cpus) = change.cpu_count {
            let cpus = usize::try_from(cpus).unwrap_or(usize::MAX);
            self.cpu_busy_per_mille.resize(cpus, 0);
        }
        for (&index, &share) in &change.cpu_busy_per_mille {
            let at = usize::try_from(index).unwrap_or(usize::MAX);
            if let Some(cpu) = self.cpu_busy_per_mille.get_mut(at) {
                *cpu = share;
            }
        }
    }

    fn apply_processes(&mut self, changes: &BTreeMap<u32, ProcessChange>) {
        for (&pid, change) in changes {
            match change {
                ProcessChange::Entered(process) => {
                    self.processes.insert(pid, process.clone());
                }
                ProcessChange::Changed(usage) => {
                    if let Some(process) = self.processes.get_mut(&pid) {
                        set(&mut process.cpu_per_mille, usage.cpu_per_mille);
                        set(&mut process.resident_bytes, usage.resident_bytes);
                    }
                }
                ProcessChange::Left => {
                    self.processes.remove(&pid);
                }
            }
        }
    }
}

impl Memory {
    fn apply(&mut self, change: &MemoryChange) {
        set(&mut self.total_bytes, change.total_bytes);
        set(&mut self.used_bytes, change.used_bytes);
        set(&mut self.available_bytes, change.available_bytes);
        set(&mut self.swap_total_bytes, change.swap_total_bytes);
        set(&mut self.swap_used_bytes, change.swap_used_bytes);
    }
}

fn set<T: Copy>(value: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *value = new;
    }
}

fn check_devices<R>(
    devices: &BTreeMap<String, R>,
    changes: &BTreeMap<String, Option<R>>,
    unknown: impl Fn(String) -> ApplyError,
) -> Result<(), ApplyError> {
    let mut entries = devices.len();
    for (name, rates) in changes {
        match (rates, devices.contains_key(name)) {
            (Some(_), true) => {}
            (Some(_), false) => {
                check_name(name)?;
                entries += 1;
            }
            (None, true) => entries -= 1,
            (None, false) => return Err(unknown(name.chars().take(NAME_CHARS).collect())),
        }
    }
    check_limit(entries)
}

fn apply_devices<R: Copy>(
    devices: &mut BTreeMap<String, R>,
    changes: &BTreeMap<String, Option<R>>,
) {
    for (name, rates) in changes {
        match rates {
            Some(rates) => devices.insert(name.clone(), *rates),
            None => devices.remove(name),
        };
    }
}

fn check_name(name: &str) -> Result<(), ApplyError> {
    if name.len() > Snapshot::MAX_NAME_BYTES {
        return Err(ApplyError::NameTooLong { bytes: name.len() });
    }
    Ok(())
}

fn check_limit(entries: usize) -> Result<(), ApplyError> {
    if entries > Snapshot::MAX_ENTRIES {
        return Err(ApplyError::TooManyEntries { entries });
    }
    Ok(())
}

/// How much of a peer's name an error repeats.
const NAME_CHARS: usize = 40;
