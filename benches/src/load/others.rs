//! How much of the processors is somebody else's, which spoils a measurement whatever it says.

use std::{fs, thread, time::Duration};

use anyhow::{Context as _, Result};
use rustix::param::clock_ticks_per_second;

/// Time that all processors together have spent on anything, taken by the hypervisor included,
/// since the system was started.
///
/// # Errors
/// The system does not tell.
pub(super) fn busy() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let ticks = busy_ticks(&stat).context("/proc/stat has no line for all processors")?;
    Ok(Duration::from_secs_f64(
        ticks as f64 / clock_ticks_per_second() as f64,
    ))
}

/// `cpu  user nice system idle iowait irq softirq steal guest guest_nice`, where guests' time is
/// within the user's.
fn busy_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else {
        return None;
    };
    Some(user + nice + system + irq + softirq + steal)
}

/// What part of all processors' time that was: `busy` of them, of which `own` was this process's.
pub(super) fn share(busy: Duration, own: Duration, wall: Duration) -> f64 {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    // Ticks are coarse: a little less than nothing is nothing.
    busy.saturating_sub(own).as_secs_f64() / (wall.as_secs_f64() * processors as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_waiting_are_not_busy() {
        let stat = "cpu  100 10 50 5000 700 3 4 20 60 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(busy_ticks(stat), Some(100 + 10 + 50 + 3 + 4 + 20));
        assert_eq!(busy_ticks("cpu  100 10\n"), None);
        assert_eq!(busy_ticks("intr 5\n"), None);
    }

    #[test]
    fn own_time_is_nobody_elses() {
        let second = Duration::from_secs(1);
        assert_eq!(share(second, second, second), 0.0);
        assert_eq!(share(second, 2 * second, second), 0.0);
        assert!(share(2 * second, second, second) > 0.0);
    }

    #[test]
    fn the_system_tells() {
        assert!(busy().unwrap() > Duration::ZERO);
    }
}
