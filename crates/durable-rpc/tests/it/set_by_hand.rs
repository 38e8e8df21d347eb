//! A clock of a test's own.

use std::time::Duration;

use durable_rpc::Clock;
use tokio::sync::watch;
use tokio::time::Instant;

/// A clock that stands still until it is set.
#[derive(Clone)]
pub(crate) struct SetByHand(watch::Sender<Instant>);

impl SetByHand {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Instant::now()))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

impl Clock for SetByHand {
    fn now(&self) -> Instant {
        *self.0.borrow()
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
        let mut time = self.0.subscribe();
        async move {
            time.wait_for(|now| *now >= deadline).await.unwrap();
        }
    }
}
