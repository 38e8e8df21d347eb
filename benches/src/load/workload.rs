//! What is measured: which messages go where, how many at a time and how large.

use std::fmt;

use anyhow::{Result, ensure};
use clap::{ValueEnum, builder::PossibleValue};

/// The payload of this number: both sides count, so that nothing lost or reordered is missed.
///
/// # Panics
/// There is no room for the number, which takes 8 bytes.
pub fn payload(number: u64, bytes: usize) -> Vec<u8> {
    let mut payload = vec![0; bytes];
    renumber(&mut payload, number);
    payload
}

/// Makes another payload the one of this number.
///
/// # Panics
/// There is no room for the number.
pub fn renumber(payload: &mut [u8], number: u64) {
    payload[..8].copy_from_slice(&number.to_le_bytes());
}

/// Whether this is the payload of this number.
///
/// # Errors
/// What it is instead.
#[inline]
pub fn check(payload: &[u8], number: u64, bytes: usize) -> Result<()> {
    ensure!(payload.len() == bytes, "payload of {} bytes", payload.len());
    ensure!(
        payload.starts_with(&number.to_le_bytes()),
        "not payload number {number}"
    );
    Ok(())
}

/// What the caller and the callee do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its name in the table and on the command line.
    pub name: &'static str,
    /// What is done.
    pub kind: Kind,
    /// With payloads of this size.
    pub bytes: usize,
}

/// What is done, in whatever size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Calls over one connection, so many of them at any time. One alone is timed.
    Calls {
        /// How many.
        in_flight: u64,
    },
    /// Calls over one connection, begun at fixed times whether or not earlier ones have ended. Each
    /// is timed from when it was due, so that a stall counts for all that it delays.
    Paced {
        /// How many are begun in a second.
        per_second: u32,
    },
    /// Updates from the callee to the caller, as fast as both can, taken out of a stream.
    Stream,
    /// The same, handed to a function.
    Callback,
    /// Updates to a state, taken out of a stream.
    State,
    /// Messages without an answer, as fast as they are taken.
    OneWay,
    /// The same update to 1000 subscribers on 10 connections, over and over.
    Group,
    /// One connection after the other, each with one call.
    Connect,
}

impl Kind {
    /// Whether each call is timed.
    pub fn is_timed(self) -> bool {
        matches!(self, Self::Calls { in_flight: 1 } | Self::Paced { .. })
    }
}

/// Subscribers of [`Kind::Group`].
pub const MEMBERS: usize = 1000;

/// Their connections.
pub const CONNECTIONS: usize = 10;

/// RPCs on the menu of a callee, in [`Kind::Connect`], that has menus.
pub const MENU: usize = 20;

const KIB: usize = 1024;

const fn calls(name: &'static str, in_flight: u64, bytes: usize) -> Workload {
    let kind = Kind::Calls { in_flight };
    Workload { name, kind, bytes }
}

const fn of(name: &'static str, kind: Kind, bytes: usize) -> Workload {
    Workload { name, kind, bytes }
}

/// All of them, in the order of the report.
pub(super) const ALL: [Workload; 17] = [
    calls("ping", 1, 32),
    calls("ping-1k", 1, KIB),
    calls("ping-64k", 1, 64 * KIB),
    calls("calls-64", 64, 32),
    calls("calls-64-1k", 64, KIB),
    calls("calls-64-64k", 64, 64 * KIB),
    calls("calls-1024", 1024, 32),
    calls("calls-1024-1k", 1024, KIB),
    calls("calls-1024-64k", 1024, 64 * KIB),
    of("paced-5k", Kind::Paced { per_second: 5_000 }, 32),
    of("paced-25k", Kind::Paced { per_second: 25_000 }, 32),
    of("stream", Kind::Stream, 8),
    of("callback", Kind::Callback, 8),
    of("state", Kind::State, 8),
    of("one-way", Kind::OneWay, 32),
    of("group", Kind::Group, 64),
    of("connect", Kind::Connect, 32),
];

impl ValueEnum for Workload {
    fn value_variants<'a>() -> &'a [Self] {
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name))
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
