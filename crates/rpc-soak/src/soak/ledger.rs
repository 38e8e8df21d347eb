//! What was done, which faults there were, and which invariant was violated.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Done {
    Connections,
    Dispatches,
    Answers,
    Failures,
    Forgotten,
    OneWay,
    Updates,
    WholeStreams,
    AbortedStreams,
    BrokenStreams,
    Restarts,
    OldVersions,
    Bytes,
    Metadata,
    Members,
    Events,
}

/// What went wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Fault {
    Reset,
    EndOfStream,
    Stall,
    BlackHole,
    Chopped,
    SlowReader,
    SuddenEnd,
    Shutdown,
}

const DONE: [&str; 16] = [
    "connections",
    "dispatches",
    "answers",
    "failures",
    "forgotten by their callers",
    "one-way messages",
    "updates",
    "whole streams",
    "aborted streams",
    "broken streams",
    "server restarts",
    "connections of older versions",
    "answers as bytes",
    "answers about metadata",
    "members of groups",
    "events",
];

const FAULTS: [&str; 8] = [
    "resets",
    "early ends",
    "stalls",
    "black holes",
    "chopped transports",
    "slow readers",
    "sudden ends",
    "shutdowns under load",
];

/// Violations to print; what follows is only counted.
const SHOWN: u64 = 20;

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    done: [AtomicU64; DONE.len()],
    faults: [AtomicU64; FAULTS.len()],
    violations: AtomicU64,
    shown: Mutex<Vec<String>>,
    /// Whether workers begin new connections.
    pub(crate) over: AtomicBool,
}

impl Ledger {
    pub(crate) fn did(&self, what: Done) {
        self.did_times(what, 1);
    }

    pub(crate) fn did_times(&self, what: Done, times: u64) {
        self.done[what as usize].fetch_add(times, Ordering::Relaxed);
    }

    pub(crate) fn times(&self, what: Done) -> u64 {
        self.done[what as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.faults[fault as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn violated(&self, what: fmt::Arguments<'_>) {
        if self.violations.fetch_add(1, Ordering::Relaxed) < SHOWN {
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            shown.push(what.to_string());
        }
    }

    /// Holds the caller to this.
    pub(crate) fn check(&self, holds: bool, otherwise: fmt::Arguments<'_>) {
        if !holds {
            self.violated(otherwise);
        }
    }

    pub(crate) fn violations(&self) -> u64 {
        self.violations.load(Ordering::Relaxed)
    }

    pub(crate) fn print(&self) {
        let rows = |title: &str, names: &[&str], counts: &[AtomicU64]| {
            println!("{title}:");
            for (name, count) in names.iter().zip(counts) {
                println!("  {:12} {name}", count.load(Ordering::Relaxed));
            }
        };
        rows("operations", &DONE, &self.done);
        rows("faults", &FAULTS, &self.faults);
        for violation in self
            .shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            println!("VIOLATION {violation}");
        }
    }
}
