//! How long a task of this process waits for its turn: with hundreds of busy connections on a few
//! cores, which other programs may use too, everything takes several turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::sleep;

const EVERY: Duration = Duration::from_millis(10);

/// The longest waits, in microseconds.
#[derive(Debug, Default)]
struct Longest {
    ever: AtomicU64,
    lately: AtomicU64,
}

/// A task that looks, until this is dropped.
#[derive(Debug)]
pub(super) struct Turns {
    longest: Arc<Longest>,
    task: JoinHandle<()>,
}

impl Turns {
    pub(super) fn watch() -> Self {
        let longest = Arc::<Longest>::default();
        let looking = longest.clone();
        let task = tokio::spawn(async move {
            loop {
                let begin = Instant::now();
                sleep(EVERY).await;
                let waited = begin.elapsed().saturating_sub(EVERY);
                let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
                looking.ever.fetch_max(micros, Ordering::Relaxed);
                looking.lately.fetch_max(micros, Ordering::Relaxed);
            }
        });
        Self { longest, task }
    }

    /// The longest wait since this was asked last.
    pub(super) fn lately(&self) -> Duration {
        Duration::from_micros(self.longest.lately.swap(0, Ordering::Relaxed))
    }

    pub(super) fn longest(&self) -> Duration {
        Duration::from_micros(self.longest.ever.load(Ordering::Relaxed))
    }

    pub(super) async fn stop(self) {
        self.task.abort();
        // It was cancelled.
        let _cancelled = self.task.await;
    }
}
