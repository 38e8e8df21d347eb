//! How fast a server's links are just now.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Shared by the links of a server.
#[derive(Debug)]
pub(super) struct Weather {
    latency: Duration,
    faults: Mutex<Faults>,
}

/// Faults that may overlap; the worst counts.
#[derive(Debug, Default)]
struct Faults {
    far: Vec<Duration>,
    slow: Vec<u32>,
}

impl Weather {
    pub(super) fn new(latency: Duration) -> Self {
        Self {
            latency,
            faults: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a byte takes, now.
    pub(super) fn latency(&self) -> Duration {
        self.latency + self.lock().far.iter().max().copied().unwrap_or_default()
    }

    /// How long it takes until so many bytes have been sent.
    pub(super) fn sending(&self, bytes: usize) -> Duration {
        match self.lock().slow.iter().min() {
            Some(rate) => Duration::from_secs_f64(bytes as f64 / f64::from(*rate)),
            None => Duration::ZERO,
        }
    }

    pub(super) fn far(&self, latency: Duration, begins: bool) {
        change(&mut self.lock().far, latency, begins);
    }

    pub(super) fn slow(&self, rate: u32, begins: bool) {
        change(&mut self.lock().slow, rate, begins);
    }
}

fn change<T: PartialEq>(faults: &mut Vec<T>, fault: T, begins: bool) {
    if begins {
        faults.push(fault);
    } else if let Some(index) = faults.iter().position(|other| *other == fault) {
        faults.swap_remove(index);
    }
}
