//! How far a persistent connection has come, as all its handles see it.

use super::closable::Closable;
use super::failure::NotConnected;

pub(super) struct Progress<C, E> {
    /// May be closed already.
    pub(super) current: Option<C>,
    /// Attempts that have failed, ever.
    pub(super) failures: u64,
    /// Those since the last one that succeeded.
    pub(super) consecutive_failures: u64,
    /// Why the last one of them failed.
    last_failure: Option<E>,
    pub(super) stop: Stop<E>,
    /// The task is gone, and what it had made is closed.
    pub(super) is_finished: bool,
}

/// What the user wants.
pub(super) enum Stop<E> {
    No,
    /// No connection after the present one.
    WhenDisconnected,
    /// The same, and this is the error of those who wait.
    Aborted(E),
    Close,
}

impl<C: Closable, E: Clone> Progress<C, E> {
    pub(super) const fn new() -> Self {
        Self {
            current: None,
            failures: 0,
            consecutive_failures: 0,
            last_failure: None,
            stop: Stop::No,
            is_finished: false,
        }
    }

    /// The present connection, if it is open.
    pub(super) fn open(&self) -> Option<&C> {
        self.current.as_ref().filter(|current| !current.is_closed())
    }

    /// What whoever waits for a connection gets; `None` as long as there may be one.
    pub(super) fn settled(&self) -> Option<Result<C, NotConnected<E>>> {
        if let Stop::Close = self.stop {
            return Some(Err(NotConnected::Closed));
        }
        if let Some(open) = self.open() {
            return Some(Ok(open.clone()));
        }
        match &self.stop {
            Stop::No => None,
            Stop::WhenDisconnected | Stop::Close => Some(Err(NotConnected::Closed)),
            Stop::Aborted(error) => Some(Err(NotConnected::Aborted(error.clone()))),
        }
    }

    /// Why the last attempt failed, if one has since there were so many failures.
    pub(super) fn failed_since(&self, failures: u64) -> Option<E> {
        let error = self.last_failure.as_ref();
        error.filter(|_| self.failures > failures).cloned()
    }

    pub(super) fn is_closed(&self) -> bool {
        match self.stop {
            Stop::No => false,
            Stop::WhenDisconnected | Stop::Aborted(_) => self.open().is_none(),
            Stop::Close => true,
        }
    }

    pub(super) const fn is_stopping(&self) -> bool {
        !matches!(self.stop, Stop::No)
    }

    /// An attempt has failed; the error before it is to be dropped elsewhere.
    pub(super) const fn fail(&mut self, error: E) -> Option<E> {
        self.failures += 1;
        self.consecutive_failures += 1;
        self.last_failure.replace(error)
    }
}
