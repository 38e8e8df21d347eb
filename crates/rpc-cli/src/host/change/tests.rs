//! A change leads from one snapshot to the other, says nothing of what stayed, and is applied
//! entirely or not at all.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

/// What the encoding can hold: OCaml's `int` has 63 bits.
const MOST: u64 = (1 << 62) - 1;

fn number() -> impl Strategy<Value = u64> {
    // Small numbers often, so that two snapshots have some in common.
    prop_oneof![3 => 0..4_u64, 1 => 0..=MOST]
}

fn process() -> impl Strategy<Value = Process> {
    ("[a-c]", 0..3_u32, number()).prop_map(|(name, cpu_per_mille, resident_bytes)| Process {
        name,
        cpu_per_mille,
        resident_bytes,
    })
}

fn memory() -> impl Strategy<Value = Memory> {
    (number(), number(), number(), number(), number()).prop_map(|numbers| Memory {
        total_bytes: numbers.0,
        used_bytes: numbers.1,
        available_bytes: numbers.2,
        swap_total_bytes: numbers.3,
        swap_used_bytes: numbers.4,
    })
}

fn load() -> impl Strategy<Value = Load> {
    (0..3_u32, 0..3_u32, any::<u32>()).prop_map(|(one, five, fifteen)| Load {
        one_minute_hundredths: one,
        five_minutes_hundredths: five,
        fifteen_minutes_hundredths: fifteen,
    })
}

fn network() -> impl Strategy<Value = NetworkRates> {
    (number(), number()).prop_map(|(received, sent)| NetworkRates {
        received_bytes_per_second: received,
        sent_bytes_per_second: sent,
    })
}

fn disk() -> impl Strategy<Value = DiskRates> {
    (number(), number()).prop_map(|(read, written)| DiskRates {
        read_bytes_per_second: read,
        written_bytes_per_second: written,
    })
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let scalars = (number(), "[a-b]", number(), 0..3_u32, memory(), load());
    let tables = (
        vec(0..3_u32, 0..6),
        btree_map(0..8_u32, process(), 0..6),
        btree_map("[a-d]", network(), 0..4),
        btree_map("[a-d]", disk(), 0..4),
    );
    (scalars, tables).prop_map(|(scalars, tables)| Snapshot {
        sequence: scalars.0,
        host_name: scalars.1,
        uptime_seconds: scalars.2,
        process_count: scalars.3,
        memory: scalars.4,
        load: scalars.5,
        cpu_busy_per_mille: tables.0,
        processes: tables.1,
        networks: tables.2,
        disks: tables.3,
    })
}

/// A change that may make no sense at all.
fn any_change() -> impl Strategy<Value = Change> {
    let process_change = prop_oneof![
        process().prop_map(ProcessChange::Entered),
        (any::<Option<u32>>(), any::<Option<u64>>()).prop_map(|(cpu_per_mille, resident_bytes)| {
            ProcessChange::Changed(ProcessUsage {
                cpu_per_mille,
                resident_bytes,
            })
        }),
        Just(ProcessChange::Left),
    ];
    (
        number(),
        prop_oneof![Just(None), (0..6_u32).prop_map(Some), any::<Option<u32>>()],
        btree_map(
            prop_oneof![3 => 0..6_u32, 1 => any::<u32>()],
            any::<u32>(),
            0..4,
        ),
        btree_map(0..8_u32, process_change, 0..4),
        btree_map("[a-d]", proptest::option::of(network()), 0..3),
        btree_map("[a-d]", proptest::option::of(disk()), 0..3),
    )
        .prop_map(|parts| Change {
            builds_on: parts.0,
            sequence: parts.0.wrapping_add(1),
            cpu_count: parts.1,
            cpu_busy_per_mille: parts.2,
            processes: parts.3,
            networks: parts.4,
            disks: parts.5,
            ..Change::default()
        })
}

proptest! {
    #[test]
    fn change_leads_from_old_to_new(old in snapshot(), new in snapshot()) {
        let change = Change::between(&old, &new);
        let mut state = old;
        prop_assert_eq!(state.apply(&change), Ok(()));
        prop_assert_eq!(state, new);
    }

    #[test]
    fn change_of_another_state_is_refused_and_changes_nothing(
        old in snapshot(), new in snapshot(), other in snapshot(),
    ) {
        prop_assume!(old.sequence != other.sequence);
        let change = Change::between(&old, &new);
        let mut state = other.clone();
        prop_assert_eq!(state.apply(&change), Err(ApplyError::OutOfSequence {
            sequence: new.sequence,
            builds_on: old.sequence,
            state: other.sequence,
        }));
        prop_assert_eq!(state, other);
    }

    #[test]
    fn what_did_not_change_is_absent(snapshot in snapshot()) {
        let change = Change::between(&snapshot, &snapshot);
        prop_assert_eq!(change, Change {
            builds_on: snapshot.sequence,
            sequence: snapshot.sequence,
            ..Change::default()
        });
    }

    #[test]
    fn snapshot_and_change_survive_the_wire(old in snapshot(), new in snapshot()) {
        let change = Change::between(&old, &new);
        let bytes = bin_prot::to_vec(&change).unwrap();
        prop_assert_eq!(bin_prot::from_slice::<Change>(&bytes).unwrap(), change);
        let bytes = bin_prot::to_vec(&new).unwrap();
        prop_assert_eq!(bin_prot::from_slice::<Snapshot>(&bytes).unwrap(), new);
    }

    #[test]
    fn any_change_is_applied_entirely_or_not_at_all(
        old in snapshot(), mut change in any_change(),
    ) {
        change.builds_on = old.sequence;
        let mut state = old.clone();
        match state.apply(&change) {
            Ok(()) => prop_assert_eq!(state.sequence, change.sequence),
            Err(_) => prop_assert_eq!(state, old),
        }
    }
}

/// Two CPUs, process 7 and interface `lo`.
fn small() -> Snapshot {
    Snapshot {
        sequence: 5,
        cpu_busy_per_mille: vec![100, 200],
        processes: BTreeMap::from([(7, Process::default())]),
        networks: BTreeMap::from([("lo".to_owned(), NetworkRates::default())]),
        ..Snapshot::default()
    }
}

#[track_caller]
fn check_refused(change: Change, expected: ApplyError) {
    let mut state = small();
    let change = Change {
        builds_on: 5,
        sequence: 6,
        uptime_seconds: Some(1),
        ..change
    };
    assert_eq!(state.apply(&change), Err(expected));
    assert_eq!(state, small());
}

#[test]
fn nonsense_is_refused() {
    check_refused(
        Change {
            cpu_busy_per_mille: BTreeMap::from([(1, 0), (2, 0)]),
            ..Change::default()
        },
        ApplyError::CpuOutOfRange { index: 2, cpus: 2 },
    );
    check_refused(
        Change {
            cpu_count: Some(1),
            cpu_busy_per_mille: BTreeMap::from([(1, 0)]),
            ..Change::default()
        },
        ApplyError::CpuOutOfRange { index: 1, cpus: 1 },
    );
    check_refused(
        Change {
            cpu_count: Some(4),
            cpu_busy_per_mille: BTreeMap::from([(3, 0)]),
            ..Change::default()
        },
        ApplyError::CpuMissing { index: 2 },
    );
    check_refused(
        Change {
            cpu_count: Some(u32::MAX),
            ..Change::default()
        },
        ApplyError::TooManyEntries {
            entries: u32::MAX as usize,
        },
    );
    check_refused(
        Change {
            processes: BTreeMap::from([(8, ProcessChange::Left)]),
            ..Change::default()
        },
        ApplyError::UnknownProcess { pid: 8 },
    );
    check_refused(
        Change {
            processes: BTreeMap::from([(8, ProcessChange::Changed(ProcessUsage::default()))]),
            ..Change::default()
        },
        ApplyError::UnknownProcess { pid: 8 },
    );
    check_refused(
        Change {
            networks: BTreeMap::from([("eth0".to_owned(), None)]),
            ..Change::default()
        },
        ApplyError::UnknownNetwork {
            name: "eth0".to_owned(),
        },
    );
    check_refused(
        Change {
            disks: BTreeMap::from([("x".repeat(99), None)]),
            ..Change::default()
        },
        ApplyError::UnknownDisk {
            name: "x".repeat(40),
        },
    );
}

#[test]
fn tables_grow_to_the_limit_and_not_beyond() {
    let processes = |count: usize| Change {
        builds_on: 5,
        processes: (100_u32..)
            .take(count)
            .map(|pid| (pid, ProcessChange::Entered(Process::default())))
            .collect(),
        ..Change::default()
    };
    let room = Snapshot::MAX_ENTRIES - small().processes.len();
    assert_eq!(small().apply(&processes(room - 1)), Ok(()));
    assert_eq!(small().apply(&processes(room)), Ok(()));
    let entries = Snapshot::MAX_ENTRIES + 1;
    assert_eq!(
        small().apply(&processes(room + 1)),
        Err(ApplyError::TooManyEntries { entries })
    );
}

#[test]
fn names_are_bounded() {
    let named = |bytes: usize| "x".repeat(bytes);
    let refused = ApplyError::NameTooLong {
        bytes: Snapshot::MAX_NAME_BYTES + 1,
    };
    for (bytes, expected) in [
        (Snapshot::MAX_NAME_BYTES - 1, Ok(())),
        (Snapshot::MAX_NAME_BYTES, Ok(())),
        (Snapshot::MAX_NAME_BYTES + 1, Err(refused)),
    ] {
        let process = Process {
            name: named(bytes),
            ..Process::default()
        };
        for change in [
            Change {
                host_name: Some(named(bytes)),
                ..Change::default()
            },
            Change {
                processes: BTreeMap::from([(1, ProcessChange::Entered(process))]),
                ..Change::default()
            },
            Change {
                disks: BTreeMap::from([(named(bytes), Some(DiskRates::default()))]),
                ..Change::default()
            },
        ] {
            let change = Change {
                builds_on: 5,
                ..change
            };
            assert_eq!(small().apply(&change), expected);
        }
    }
}

#[test]
fn busier_process_costs_neither_its_name_nor_its_memory() {
    let mut new = small();
    new.sequence = 6;
    new.processes.insert(
        7,
        Process {
            cpu_per_mille: 300,
            ..Process::default()
        },
    );
    let usage = ProcessUsage {
        cpu_per_mille: Some(300),
        resident_bytes: None,
    };
    assert_eq!(
        Change::between(&small(), &new),
        Change {
            builds_on: 5,
            sequence: 6,
            processes: BTreeMap::from([(7, ProcessChange::Changed(usage))]),
            ..Change::default()
        }
    );
}

#[test]
fn reused_process_id_is_another_process() {
    let mut new = small();
    let process = Process {
        name: "other".to_owned(),
        ..Process::default()
    };
    new.processes.insert(7, process.clone());
    assert_eq!(
        Change::between(&small(), &new).processes,
        BTreeMap::from([(7, ProcessChange::Entered(process))])
    );
}

#[test]
fn change_of_nothing_is_a_few_bytes() {
    // One byte for each of the two numbers, four absent scalars, two absent records, four tables.
    let change = Change::between(&small(), &small());
    assert_eq!(bin_prot::to_vec(&change).unwrap().len(), 12);
}
