//! What a run has found, for programs to read: what the tables and the report are made of.

use std::{fs, path::Path, thread};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Spread;

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// Where and how long it was measured.
    pub conditions: Conditions,
    /// A table for each workload.
    pub tables: Vec<WorkloadResults>,
}

/// Where Linux says how connections find out how fast they may send.
const CONGESTION_CONTROL: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

/// Where and how long something was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conditions {
    /// The processor's name.
    pub processor: String,
    /// How many of them.
    pub cores: usize,
    /// What paces the connections' bytes: the kernel's default congestion control.
    pub congestion_control: String,
    /// Rounds and their length, in words.
    pub rounds: String,
}

impl Conditions {
    /// Those of this machine.
    pub fn new(rounds: impl ToString) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = cpuinfo.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == "model name").then(|| value.trim().to_owned())
        });
        let unknown = || "unknown".to_owned();
        Self {
            processor: processor.unwrap_or_else(unknown),
            cores: thread::available_parallelism().map_or(1, usize::from),
            congestion_control: fs::read_to_string(CONGESTION_CONTROL)
                .map_or_else(|_| unknown(), |name| name.trim().to_owned()),
            rounds: rounds.to_string(),
        }
    }
}

/// What all systems did of one workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkloadResults {
    /// Its name.
    pub workload: String,
    /// With payloads of this size.
    pub payload_bytes: usize,
    /// The first is the one that the others are compared to.
    pub systems: Vec<SystemResults>,
}

/// What one system did in all rounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SystemResults {
    /// Its name.
    pub system: String,
    /// Calls, updates or connections.
    pub per_second: Spread,
    /// Processor time for each, both sides together.
    pub cpu_micros: Spread,
    /// The rate compared to the first system's.
    pub rate_ratio: f64,
    /// The processor time compared to the first system's.
    pub cpu_ratio: f64,
    /// Of all rounds' calls, where they are timed.
    pub latency_micros: Option<Latency>,
    /// How many of the samples others disturbed.
    pub disturbed: usize,
    /// One for each round.
    pub samples: Vec<SampleResults>,
}

/// One system's round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SampleResults {
    /// Calls, updates or connections.
    pub per_second: f64,
    /// Processor time for each, both sides together.
    pub cpu_micros: f64,
    /// What part of all processors others had.
    pub others: f64,
}

/// Percentiles of what calls took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of them took no longer.
    pub p50: f64,
    /// 90 of 100.
    pub p90: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1000.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

/// Writes what was found, as JSON.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, results: &impl Serialize) -> Result<()> {
    let text = format!("{}\n", serde_json::to_string_pretty(results)?);
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// Reads what was found.
///
/// # Errors
/// There is no such file, or nothing of this kind is in it.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}
