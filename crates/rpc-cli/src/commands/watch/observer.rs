//! What a followed host has come to since it was last looked at.

use std::time::Duration;

use durable_rpc::{
    CurrentRef, Followed, Freshness, Interruption, Stats, Subscription, SubscriptionEnded,
};

use crate::host::change::Change;
use crate::host::snapshot::Snapshot;
use crate::watch::monitor::Monitor;

/// Follows a host, and tells what is new to whoever keeps the view. What has happened twice between
/// two looks is told once; a look is taken at every change.
pub(super) struct Observer {
    followed: Followed<Snapshot>,
    told: Told,
}

/// What has been told.
#[derive(Default)]
struct Told {
    /// The stream whose beginning was told last.
    stream: u64,
    /// It goes on, as far as is told.
    is_connected: bool,
    /// Of that stream.
    updates: u64,
    attempts: u64,
    failures: u64,
    refused: u64,
    /// The beginning of an attempt was told, and not its end.
    is_attempting: bool,
}

impl Observer {
    /// An update that does not fit makes the subscription begin anew.
    pub(super) fn new<E, M>(host: Subscription<Snapshot, Change, E, M>) -> Self
    where
        E: Send + 'static,
        M: Send + 'static,
    {
        Self {
            followed: host.follow(|snapshot, change| snapshot.apply(&change)),
            told: Told::default(),
        }
    }

    /// Waits until there is something to tell. Attempts are no changes: they are told when the next
    /// look is taken.
    pub(super) async fn changed(&mut self) -> Result<(), SubscriptionEnded> {
        self.followed.changed().await
    }

    /// Tells what is new, in the order in which it has happened.
    pub(super) fn tell(&mut self, now: Duration, monitor: &mut Monitor) {
        // While this is held nothing goes on, so that the figures fit the state.
        let current = self.followed.borrow();
        let stats = self.followed.monitor().stats();
        self.told.end(now, &current, &stats, monitor);
        self.told.attempts(now, &current, &stats, monitor);
        self.told.beginning(now, &current, monitor);
        if self.told.is_connected {
            self.told.updates(now, &current, monitor);
        }
    }
}

impl Told {
    /// The stream that was told of last may be over.
    fn end(
        &mut self,
        now: Duration,
        current: &CurrentRef<'_, Snapshot>,
        stats: &Stats,
        monitor: &mut Monitor,
    ) {
        let is_same = current.streams() == self.stream;
        let is_over = self.is_connected && !(is_same && current.is_fresh());
        if is_over && is_same {
            self.updates(now, current, monitor);
        }
        self.refusals(now, current, stats, monitor);
        if is_over {
            self.is_connected = false;
            monitor.lost(now);
        }
    }

    /// Updates that did not fit, each of which has ended its stream. Of one that another event has
    /// followed since, only the number is known.
    fn refusals(
        &mut self,
        now: Duration,
        current: &CurrentRef<'_, Snapshot>,
        stats: &Stats,
        monitor: &mut Monitor,
    ) {
        let reason = match why(current) {
            Some(Interruption::Refused(error)) => error.to_string(),
            _ => "it did not fit the state".to_owned(),
        };
        for _ in self.refused..stats.refused {
            monitor.refused_update(now, &reason);
        }
        self.refused = stats.refused;
    }

    /// Attempts that were begun, and those that failed.
    fn attempts(
        &mut self,
        now: Duration,
        current: &CurrentRef<'_, Snapshot>,
        stats: &Stats,
        monitor: &mut Monitor,
    ) {
        let reason = match why(current) {
            // The error with its causes.
            Some(Interruption::FailedToConnect(error)) => {
                format!("{:#}", anyhow::Error::from(error.clone()))
            }
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let failures = stats.failures + stats.rpc_errors;
        let mut failed = failures.saturating_sub(self.failures);
        self.failures = failures;
        if self.is_attempting && failed > 0 {
            self.is_attempting = false;
            failed -= 1;
            monitor.failed(now, &reason);
        }
        for _ in self.attempts..stats.attempts {
            monitor.attempting(now);
            self.is_attempting = failed == 0;
            if failed > 0 {
                failed -= 1;
                monitor.failed(now, &reason);
            }
        }
        self.attempts = stats.attempts;
    }

    /// A stream may have begun.
    fn beginning(
        &mut self,
        now: Duration,
        current: &CurrentRef<'_, Snapshot>,
        monitor: &mut Monitor,
    ) {
        let Some(snapshot) = current.state().filter(|_| current.is_fresh()) else {
            return;
        };
        if !self.is_connected {
            self.is_connected = true;
            self.is_attempting = false;
            self.stream = current.streams();
            self.updates = 0;
            monitor.connected(now, snapshot.clone());
        }
    }

    fn updates(
        &mut self,
        now: Duration,
        current: &CurrentRef<'_, Snapshot>,
        monitor: &mut Monitor,
    ) {
        let updates = current.updates().saturating_sub(self.updates);
        if let Some(snapshot) = current.state().filter(|_| updates > 0) {
            self.updates = current.updates();
            monitor.advanced(now, snapshot, updates);
        }
    }
}

/// What happened last, if the state is stale.
fn why<'a>(current: &'a CurrentRef<'_, Snapshot>) -> Option<&'a Interruption> {
    match current.freshness() {
        Freshness::Stale { why, .. } => Some(why),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};

    use durable_rpc::{AttemptError, Durable, Subscribed, subscribe};
    use futures_core::Stream;
    use tokio::task::yield_now;

    use super::*;

    /// These changes, and then the end.
    struct Changes(std::vec::IntoIter<Change>);

    impl Stream for Changes {
        type Item = Change;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Change>> {
            Poll::Ready(self.0.next())
        }
    }

    fn snapshot(sequence: u64) -> Snapshot {
        Snapshot {
            sequence,
            ..Snapshot::default()
        }
    }

    fn change(sequence: u64) -> Change {
        Change::between(&snapshot(sequence), &snapshot(sequence + 1))
    }

    /// However much has happened between two looks.
    #[tokio::test]
    async fn refused_updates_are_told_whatever_has_followed_them() {
        // The second one builds on a state that was never there.
        let changes = [change(1), change(7)];
        let attempts = Arc::new(AtomicUsize::new(0));
        let attempt = attempts.clone();
        let nothing = Durable::new(async || Ok::<_, std::fmt::Error>(()), |()| false);
        let host = subscribe(&nothing, Duration::ZERO, move |()| {
            let attempt = attempt.fetch_add(1, Ordering::Relaxed);
            let changes = changes.to_vec();
            async move {
                Ok::<_, AttemptError>(if attempt < 2 {
                    Ok(Subscribed {
                        state: snapshot(1),
                        updates: Changes(changes.into_iter()),
                        metadata: (),
                    })
                } else {
                    Err("nothing to see")
                })
            }
        });
        let mut observer = Observer::new(host);
        while attempts.load(Ordering::Relaxed) < 4 {
            yield_now().await;
        }
        let mut monitor = Monitor::new("test");
        observer.tell(Duration::ZERO, &mut monitor);
        assert_eq!(monitor.refused(), 2);
        observer.tell(Duration::ZERO, &mut monitor);
        let summary = monitor.summary(Duration::ZERO);
        assert!(!summary.check_held());
        assert!(summary.to_string().contains("2 updates did not belong"));
    }
}
