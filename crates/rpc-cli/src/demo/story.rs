//! What happens when: by the clock, or by the user's keys.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::fault::{Fault, Record};
use super::stage::Stage;

/// How long a fault lasts that the user has chosen.
const CHOSEN_FAULT: Duration = Duration::from_secs(5);

/// The times of a demo of some length: a while in which all is well, and then one part of the time
/// for each fault.
///
/// ```text
/// 0       lead                                                                       length
/// ├─ well ─┼─ fault ───── repair ──── well ─┼─ fault ───── repair ──── well ─┼─ …      │
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    lead: Duration,
    part: Duration,
}

impl Times {
    pub(crate) fn of(length: Duration) -> Self {
        let lead = (length / 10).min(Duration::from_secs(4));
        let faults = u32::try_from(Fault::ALL.len()).unwrap_or(1);
        Self {
            lead,
            part: (length - lead) / faults,
        }
    }

    fn fault(self, number: u32) -> Duration {
        self.lead + self.part * number
    }

    /// The server needs some time to start, and the view to see something of what follows.
    fn repair(self, number: u32) -> Duration {
        self.fault(number) + self.part / 2
    }

    /// The silence after which a peer is given up: long before the fault that made it silent is
    /// repaired.
    pub(crate) fn silence(self) -> Duration {
        (self.part / 4).min(Duration::from_secs(2))
    }
}

/// What has happened so far. Cheap to clone; the clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records(Arc<Mutex<Vec<Record>>>);

impl Records {
    /// All of them, in order.
    pub(crate) fn all(&self) -> Vec<Record> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Record>)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Who makes things happen.
pub(crate) struct Story {
    pub(crate) stage: Stage,
    /// Times are told since then.
    pub(crate) start: Instant,
    pub(crate) records: Records,
    /// What the user is told.
    pub(crate) notes: mpsc::UnboundedSender<String>,
}

impl Story {
    /// One fault after the other, at these times; then nothing, for ever.
    ///
    /// # Errors
    /// Something cannot be made to happen.
    pub(crate) async fn by_the_clock(mut self, times: Times) -> anyhow::Result<Infallible> {
        self.begin();
        for (number, fault) in (0..).zip(Fault::ALL) {
            sleep_until(self.start + times.fault(number)).await;
            self.fault(fault).await?;
            sleep_until(self.start + times.repair(number)).await;
            self.repair(fault).await?;
        }
        // Until the view has ended, and this with it.
        std::future::pending().await
    }

    /// Faults as they are chosen, for ever.
    ///
    /// # Errors
    /// Something cannot be made to happen.
    pub(crate) async fn by_key(
        mut self,
        mut keys: mpsc::UnboundedReceiver<char>,
    ) -> anyhow::Result<Infallible> {
        self.begin();
        let choices = Fault::ALL.map(|fault| format!("{}: {}", fault.key(), fault.name()));
        self.note(format!("press a key - {}; q: leave", choices.join("; ")));
        while let Some(key) = keys.recv().await {
            let Some(fault) = Fault::of_key(key) else {
                continue;
            };
            self.fault(fault).await?;
            sleep(CHOSEN_FAULT).await;
            self.repair(fault).await?;
            // One at a time.
            while keys.try_recv().is_ok() {}
        }
        // The view has ended.
        std::future::pending().await
    }

    fn begin(&self) {
        self.note(format!("server process {} is up", self.stage.server_id()));
    }

    async fn fault(&mut self, fault: Fault) -> anyhow::Result<()> {
        self.note(self.stage.announcement(fault));
        let record = Record {
            fault,
            at: self.start.elapsed(),
            repaired: None,
        };
        self.records.change(|records| records.push(record));
        self.stage.begin(fault).await
    }

    async fn repair(&mut self, fault: Fault) -> anyhow::Result<()> {
        let repaired = self.stage.repair(fault).await?;
        let now = self.start.elapsed();
        self.records.change(|records| {
            if let Some(last) = records.last_mut() {
                last.repaired = Some(now);
            }
        });
        self.note(repaired);
        Ok(())
    }

    fn note(&self, text: String) {
        // Nobody listens any more when the user has left.
        let _unheard = self.notes.send(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_noticed_and_repaired_in_time() {
        for seconds in [12, 20, 40, 300] {
            let length = Duration::from_secs(seconds);
            let times = Times::of(length);
            let mut before = Duration::ZERO;
            for number in 0..4 {
                let (fault, repair) = (times.fault(number), times.repair(number));
                assert!(before < fault && fault < repair, "{times:?}");
                // Found at the heartbeat after the timeout, a quarter of it later at most.
                assert!(fault + times.silence().mul_f64(1.25) < repair, "{times:?}");
                before = repair;
            }
            // An attempt that was under way, the delay, and the next one.
            let recovery = times.silence() + Duration::from_millis(300);
            assert!(before + recovery < length, "{times:?}");
        }
    }
}
