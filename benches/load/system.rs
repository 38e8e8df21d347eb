//! What is measured: the workloads, and the trait of those that answer them.

use std::{fmt, time::Duration};

use anyhow::{Result, ensure};
use clap::ValueEnum;

/// Bytes of payload in every query, response and update.
pub(crate) const PAYLOAD_BYTES: usize = 32;

/// The payload of this number: both sides count, so that nothing lost or reordered is missed.
pub(crate) fn payload(number: u64) -> [u8; PAYLOAD_BYTES] {
    let mut payload = [0; PAYLOAD_BYTES];
    payload[..8].copy_from_slice(&number.to_le_bytes());
    payload
}

/// Whether this is the payload of this number.
///
/// # Errors
/// What it is instead.
pub(crate) fn check(payload: &[u8], number: u64) -> Result<()> {
    ensure!(
        payload.len() == PAYLOAD_BYTES,
        "payload of {} bytes",
        payload.len()
    );
    ensure!(
        payload.starts_with(&number.to_le_bytes()),
        "not payload number {number}"
    );
    Ok(())
}

/// A way to talk over TCP.
pub(crate) trait System {
    /// Its name in the table and on the command line.
    fn name(&self) -> &'static str;

    /// Whether this workload says anything that another system has not said already.
    fn takes(&self, _workload: Workload) -> bool {
        true
    }

    /// Connects over the loopback, keeps the workload up for a warm-up and then for `duration`, and
    /// closes.
    ///
    /// # Errors
    /// Whatever kept either side from finishing, a wrong answer included.
    fn round(&self, workload: Workload, duration: Duration) -> Result<Sample>;
}

/// What the caller and the callee do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// One call after the other: latency.
    Ping,
    /// 64 calls in flight over one connection.
    #[value(name = "calls-64")]
    Calls64,
    /// 1024 calls in flight over one connection: throughput.
    #[value(name = "calls-1024")]
    Calls1024,
    /// Updates from the callee to the caller, as fast as both can.
    Stream,
}

impl Workload {
    /// Those asked for, or all if none were.
    pub(crate) fn chosen(asked_for: &[Self]) -> Vec<Self> {
        let all = Self::value_variants().iter().copied();
        all.filter(|workload| asked_for.is_empty() || asked_for.contains(workload))
            .collect()
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ping => "ping",
            Self::Calls64 => "calls-64",
            Self::Calls1024 => "calls-1024",
            Self::Stream => "stream",
        })
    }
}

/// What one system did in one round.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Calls answered, or updates received.
    pub(crate) count: u64,
    /// How long that took.
    pub(crate) wall: Duration,
    /// What the process spent on it, both sides and the kernel's work for them together.
    pub(crate) cpu: Duration,
    /// Each call's time, in no order; empty where several are in flight.
    pub(crate) round_trips: Vec<Duration>,
}
