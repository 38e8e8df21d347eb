//! The trait of those that answer the workloads, and what one of them did in one round.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

use super::{Workload, workload};

/// A way to talk over TCP.
pub trait System {
    /// Its name in the table and on the command line.
    fn name(&self) -> &'static str;

    /// Whether it can do this, and it says anything that another system has not said already.
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

/// What one system did in one round.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Calls answered, updates received, or connections made.
    pub count: u64,
    /// How long that took.
    pub wall: Duration,
    /// What the process spent on it, both sides and the kernel's work for them together.
    pub cpu: Duration,
    /// What part of all processors others had meanwhile, from 0 to 1.
    pub others: f64,
    /// Each call's time in nanoseconds, where calls are timed.
    pub latencies: Histogram<u64>,
}

impl Sample {
    /// Calls, updates or connections.
    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.wall.as_secs_f64()
    }

    /// Processor time for each of them.
    pub fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.count as f64
    }
}

/// Runs every workload that these systems take for a moment.
///
/// # Panics
/// One of them fails, does nothing, or does not time what is to be timed.
pub fn assert_moves(systems: &[&dyn System]) {
    for system in systems {
        for workload in workload::ALL.into_iter().filter(|each| system.takes(*each)) {
            let mut duration = Duration::from_millis(50);
            // Busy machines take longer to set a thousand subscriptions up.
            let sample = loop {
                let sample = system.round(workload, duration).expect("no failure");
                if sample.count > 0 || duration > Duration::from_secs(20) {
                    break sample;
                }
                duration *= 4;
            };
            assert!(sample.count > 0, "{} of {workload}", system.name());
            let timed = workload.kind.is_timed();
            assert_eq!(!sample.latencies.is_empty(), timed, "{workload}");
        }
    }
}
