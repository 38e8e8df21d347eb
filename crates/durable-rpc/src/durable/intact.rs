//! Whether the value was last found intact.

use std::sync::Arc;

use tokio::sync::watch;

use crate::listeners::{Listeners, Listening};

/// Whether a durable value is intact, as it was last found by a use of it: to be looked at, and
/// to be waited for. [`Durable::on_intactness`](crate::Durable::on_intactness) misses no change.
#[derive(Clone, Debug)]
pub struct Intactness {
    found: watch::Receiver<bool>,
}

impl Intactness {
    /// Whether the value was intact when it was last asked. Not so before the first use
    /// (rule D-IN-1), and not so any more once it breaks unnoticed (rule D-IN-2).
    pub fn is_intact(&self) -> bool {
        *self.found.borrow()
    }

    /// Waits until it has been found otherwise than when this was last waited for, possibly more
    /// than once, and says what it is now. `None` once nobody can use the value any more.
    ///
    /// # Cancel safety
    /// No change is lost by dropping the future.
    pub async fn changed(&mut self) -> Option<bool> {
        self.found.changed().await.ok()?;
        Some(*self.found.borrow_and_update())
    }
}

/// What has been found, and who is told.
pub(super) struct Findings {
    pub(super) listeners: Arc<Listeners<bool>>,
    watched: watch::Receiver<bool>,
    /// The one who tells the watchers.
    _watching: Listening,
}

impl Findings {
    pub(super) fn new() -> Self {
        let listeners = Listeners::new();
        let (watching, watched) = watch::channel(false);
        let tell = move |is_intact: &bool| {
            watching.send_replace(*is_intact);
        };
        Self {
            _watching: listeners.subscribe(tell),
            listeners,
            watched,
        }
    }

    pub(super) fn watch(&self) -> Intactness {
        Intactness {
            found: self.watched.clone(),
        }
    }
}
