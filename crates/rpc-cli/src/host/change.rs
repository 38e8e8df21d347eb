//! What changed from one snapshot to the next, and nothing else.
//!
//! A change names the snapshot that it builds on. It is applied to that one only, and either
//! entirely or not at all, so a watcher never shows a mixture of two states.

mod apply;

use std::collections::BTreeMap;

use bin_prot::BinProt;

#[cfg(test)]
pub(crate) use self::apply::ApplyError;

use super::snapshot::{DiskRates, Load, Memory, NetworkRates, Process, Snapshot};

/// What changed since the snapshot with sequence number `builds_on`.
///
/// `None`, and the absence of a key, mean *as before*. In `networks` and `disks` a key without a
/// value means *gone*.
#[derive(Clone, Debug, Default, PartialEq, Eq, BinProt)]
pub(crate) struct Change {
    /// The sequence number of the snapshot that this change must be applied to.
    pub(crate) builds_on: u64,
    /// The sequence number that the snapshot has afterwards.
    pub(crate) sequence: u64,
    /// The host's new name.
    pub(crate) host_name: Option<String>,
    /// Seconds since the host booted.
    pub(crate) uptime_seconds: Option<u64>,
    /// How many CPUs there are now. Those that were added are all in `cpu_busy_per_mille`.
    pub(crate) cpu_count: Option<u32>,
    /// The new busy share by index of the CPU.
    pub(crate) cpu_busy_per_mille: BTreeMap<u32, u32>,
    /// What changed in memory.
    pub(crate) memory: Option<MemoryChange>,
    /// All three load averages, if one of them changed.
    pub(crate) load: Option<Load>,
    /// How many processes run now.
    pub(crate) process_count: Option<u32>,
    /// What changed in the list of the busiest processes, by process id.
    pub(crate) processes: BTreeMap<u32, ProcessChange>,
    /// New rates by network interface.
    pub(crate) networks: BTreeMap<String, Option<NetworkRates>>,
    /// New rates by disk device.
    pub(crate) disks: BTreeMap<String, Option<DiskRates>>,
}

/// The fields of [`Memory`] that changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BinProt)]
pub(crate) struct MemoryChange {
    /// Main memory that the host has.
    pub(crate) total_bytes: Option<u64>,
    /// Main memory in use.
    pub(crate) used_bytes: Option<u64>,
    /// Main memory that a new process could have.
    pub(crate) available_bytes: Option<u64>,
    /// Swap that the host has.
    pub(crate) swap_total_bytes: Option<u64>,
    /// Swap in use.
    pub(crate) swap_used_bytes: Option<u64>,
}

/// What happened to one process of the list.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub(crate) enum ProcessChange {
    /// It is in the list now; or another program has its id now, and replaces it.
    Entered(Process),
    /// It is still the same program, and these numbers of it changed.
    Changed(ProcessUsage),
    /// It is not in the list any more.
    Left,
}

/// The numbers of a [`Process`] that changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BinProt)]
pub(crate) struct ProcessUsage {
    /// Its share of one CPU.
    pub(crate) cpu_per_mille: Option<u32>,
    /// Main memory that it holds.
    pub(crate) resident_bytes: Option<u64>,
}

impl Change {
    /// What leads from `old` to `new`: applied to `old`, it gives `new`.
    pub(crate) fn between(old: &Snapshot, new: &Snapshot) -> Self {
        Self {
            builds_on: old.sequence,
            sequence: new.sequence,
            host_name: (old.host_name != new.host_name).then(|| new.host_name.clone()),
            uptime_seconds: changed(old.uptime_seconds, new.uptime_seconds),
            cpu_count: changed(cpu_count(old), cpu_count(new)),
            cpu_busy_per_mille: (0..)
                .zip(&new.cpu_busy_per_mille)
                .enumerate()
                .filter(|&(at, (_, share))| old.cpu_busy_per_mille.get(at) != Some(share))
                .map(|(_, (index, &share))| (index, share))
                .collect(),
            memory: MemoryChange::between(&old.memory, &new.memory),
            load: changed(old.load, new.load),
            process_count: changed(old.process_count, new.process_count),
            processes: between_processes(&old.processes, &new.processes),
            networks: between_devices(&old.networks, &new.networks),
            disks: between_devices(&old.disks, &new.disks),
        }
    }
}

impl MemoryChange {
    /// What leads from `old` to `new`, or `None` if they are equal.
    fn between(old: &Memory, new: &Memory) -> Option<Self> {
        (old != new).then(|| Self {
            total_bytes: changed(old.total_bytes, new.total_bytes),
            used_bytes: changed(old.used_bytes, new.used_bytes),
            available_bytes: changed(old.available_bytes, new.available_bytes),
            swap_total_bytes: changed(old.swap_total_bytes, new.swap_total_bytes),
            swap_used_bytes: changed(old.swap_used_bytes, new.swap_used_bytes),
        })
    }
}

/// The new value, if it is another one.
fn changed<T: PartialEq>(old: T, new: T) -> Option<T> {
    (old != new).then_some(new)
}

/// The number of CPUs, as it crosses the wire.
fn cpu_count(snapshot: &Snapshot) -> u32 {
    u32::try_from(snapshot.cpu_busy_per_mille.len()).unwrap_or(u32::MAX)
}

/// What happened to the processes of the list.
fn between_processes(
    old: &BTreeMap<u32, Process>,
    new: &BTreeMap<u32, Process>,
) -> BTreeMap<u32, ProcessChange> {
    let left = old
        .keys()
        .filter(|pid| !new.contains_key(pid))
        .map(|&pid| (pid, ProcessChange::Left));
    let here = new.iter().filter_map(|(&pid, process)| {
        let change = match old.get(&pid) {
            Some(before) if before == process => return None,
            Some(before) if before.name == process.name => ProcessChange::Changed(ProcessUsage {
                cpu_per_mille: changed(before.cpu_per_mille, process.cpu_per_mille),
                resident_bytes: changed(before.resident_bytes, process.resident_bytes),
            }),
            Some(_) | None => ProcessChange::Entered(process.clone()),
        };
        Some((pid, change))
    });
    left.chain(here).collect()
}

/// New rates by name, and `None` for the devices that are gone.
fn between_devices<R: Copy + PartialEq>(
    old: &BTreeMap<String, R>,
    new: &BTreeMap<String, R>,
) -> BTreeMap<String, Option<R>> {
    let gone = old
        .keys()
        .filter(|name| !new.contains_key(*name))
        .map(|name| (name.clone(), None));
    let here = new
        .iter()
        .filter(|(name, rates)| old.get(*name) != Some(rates))
        .map(|(name, &rates)| (name.clone(), Some(rates)));
    gone.chain(here).collect()
}

#[cfg(test)]
mod tests;
