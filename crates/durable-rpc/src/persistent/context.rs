//! What a connect function may know and do beside connecting.

use std::fmt;
use std::sync::Arc;

/// Given to the connect function of [`Builder::with_context`](super::Builder::with_context)
/// (rule P-US-7).
pub struct ConnectContext<E> {
    pub(super) abort: Arc<dyn Fn(E) + Send + Sync>,
    pub(super) failed_attempts: u64,
}

impl<E> ConnectContext<E> {
    /// Makes no connection any more, and gives this error to those who wait for one. A connection
    /// that the present attempt still makes is closed. If the persistent connection is being closed
    /// already, that wins.
    pub fn abort(&self, error: E) {
        (self.abort)(error);
    }

    /// The number of attempts that have failed since the last connection was made.
    pub const fn failed_attempts(&self) -> u64 {
        self.failed_attempts
    }
}

impl<E> Clone for ConnectContext<E> {
    fn clone(&self) -> Self {
        Self {
            abort: self.abort.clone(),
            failed_attempts: self.failed_attempts,
        }
    }
}

impl<E> fmt::Debug for ConnectContext<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectContext")
            .field("failed_attempts", &self.failed_attempts)
            .finish_non_exhaustive()
    }
}
