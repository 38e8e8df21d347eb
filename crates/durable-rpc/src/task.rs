//! Tasks that end with whoever owns them.

use tokio::task::AbortHandle;

/// A task, which is dropped with this: at its next await at the latest, when the runtime gets to
/// it.
#[derive(Debug)]
pub(crate) struct Task(AbortHandle);

impl Task {
    /// Must be called within a tokio runtime.
    pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(future).abort_handle())
    }

    pub(crate) fn abort(&self) {
        self.0.abort();
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort();
    }
}
