//! Fixed times at which calls are due, on a timer of the kernel's: tokio's own have a granularity of
//! a millisecond, in which a fast system answers hundreds of calls.

#![expect(
    unsafe_code,
    reason = "tokio watches no descriptor that it does not know otherwise"
)]

use std::{
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::{Interest, unix::AsyncFd};

/// How much is due at once: often enough to be no burst, rarely enough that taking note of it is
/// not what is measured.
const PERIOD: Duration = Duration::from_micros(200);

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Says which calls are due.
pub(super) struct Pacer {
    timer: AsyncFd<OwnedFd>,
    start: Instant,
    per_second: u32,
    /// Calls begun so far.
    begun: u64,
}

impl Pacer {
    /// The first call is due now; it is told of at the end of the first period.
    ///
    /// # Errors
    /// The system has no timer left.
    pub(super) fn new(per_second: u32) -> io::Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        let period = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(PERIOD.subsec_nanos()),
        };
        let every = Itimerspec {
            it_interval: period,
            it_value: period,
        };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every)?;
        // SAFETY: an `OwnedFd` is a valid descriptor, always the same one, and open until it is
        // dropped; nothing takes it out of the `AsyncFd`, which is private and does not hand it out.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) };
        Ok(Self {
            timer: timer?,
            start: Instant::now(),
            per_second,
            begun: 0,
        })
    }

    /// Waits until some are due, and tells their numbers and times, each of them once.
    ///
    /// # Cancel safety
    /// Nothing has happened.
    ///
    /// # Errors
    /// That of the timer.
    pub(super) async fn due(&mut self) -> io::Result<Vec<(u64, Instant)>> {
        self.timer
            .async_io(Interest::READABLE, |timer| {
                let mut expirations = [0; 8];
                rustix::io::read(timer, &mut expirations).map_err(io::Error::from)
            })
            .await?;
        let now = Instant::now();
        let mut due = Vec::new();
        loop {
            let nanos = self.begun * NANOS_PER_SECOND / u64::from(self.per_second);
            let time = self.start + Duration::from_nanos(nanos);
            if time > now {
                return Ok(due);
            }
            due.push((self.begun, time));
            self.begun += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_due_once_at_its_time() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut pacer = Pacer::new(10_000).unwrap();
            let mut all = Vec::new();
            while all.len() < 50 {
                all.extend(pacer.due().await.unwrap());
            }
            let (_, start) = all[0];
            for (index, (number, time)) in all.into_iter().enumerate() {
                assert_eq!(number, index as u64);
                let after = Duration::from_micros(100) * u32::try_from(index).unwrap();
                assert_eq!(time, start + after);
            }
        });
    }
}
