//! Measures this host at an interval and publishes each snapshot to any number of subscribers.
//!
//! A subscriber that falls behind is not sent every sample: its next change leads from the last
//! snapshot that it was sent to the newest one.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_core::Stream;
use tokio::sync::watch;

use super::change::Change;
use super::sampler::{SampleError, Sampler};
use super::snapshot::Snapshot;

/// The newest snapshot, and how to follow it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    newest: watch::Receiver<Arc<Snapshot>>,
}

impl Publisher {
    /// Takes the first sample, and from then on one in each `interval`, in a thread of its own,
    /// since measuring blocks. The thread ends when nobody can subscribe any more.
    ///
    /// # Errors
    /// This host cannot be measured.
    pub(crate) async fn start(interval: Duration) -> Result<Self, SampleError> {
        let mut sampler = Sampler::try_new(first_sequence())?;
        tokio::time::sleep(Sampler::SHORTEST_INTERVAL).await;
        let (publish, newest) = watch::channel(Arc::new(sampler.sample()));
        std::thread::spawn(move || {
            let mut next = Instant::now() + interval;
            while !publish.is_closed() {
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
                publish.send_replace(Arc::new(sampler.sample()));
                // A host that was suspended goes on from now.
                next = (next + interval).max(Instant::now());
            }
        });
        Ok(Self { newest })
    }

    /// The newest snapshot, and the changes from it on.
    pub(crate) fn subscribe(&self) -> (Snapshot, Changes) {
        let mut newest = self.newest.clone();
        let sent = newest.borrow_and_update().clone();
        let snapshot = Snapshot::clone(&sent);
        let changes = Changes {
            next: Box::pin(changed(newest)),
            sent,
        };
        (snapshot, changes)
    }
}

/// The number of a server's first snapshot. Milliseconds since 1970, so that the numbers of a
/// server that was restarted do not meet those of its predecessor: a change of the one can never
/// seem to build on a state of the other.
fn first_sequence() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(0))
}

type Receiver = watch::Receiver<Arc<Snapshot>>;

/// Waits for a snapshot that has not been seen; `None` once there will be none.
async fn changed(mut newest: Receiver) -> Option<Receiver> {
    newest.changed().await.ok()?;
    Some(newest)
}

/// The changes that one subscriber gets.
pub(crate) struct Changes {
    next: Pin<Box<dyn Future<Output = Option<Receiver>> + Send>>,
    sent: Arc<Snapshot>,
}

impl Stream for Changes {
    type Item = Change;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        let Some(mut newest) = ready!(self.next.as_mut().poll(cx)) else {
            return Poll::Ready(None);
        };
        let snapshot = newest.borrow_and_update().clone();
        let change = Change::between(&self.sent, &snapshot);
        self.sent = snapshot;
        self.next = Box::pin(changed(newest));
        Poll::Ready(Some(change))
    }
}
