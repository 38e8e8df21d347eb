//! Why there is no connection.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use rpc_core::ConnectError;
use rpc_versioned::MenuRequestError;
use thiserror::Error as ThisError;

/// Why an attempt failed, when nobody needs to know more than the text. Two of them are equal if
/// their texts are, the causes included (rule P-CY-3).
#[derive(Clone, Debug)]
pub struct ConnectFailure(Arc<dyn Error + Send + Sync>);

impl ConnectFailure {
    /// Any error.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into().into())
    }

    /// The error and its causes, one after the other.
    fn texts(&self) -> Vec<String> {
        let mut texts = vec![self.0.to_string()];
        let mut cause = self.0.source();
        while let Some(error) = cause {
            texts.push(error.to_string());
            cause = error.source();
        }
        texts
    }
}

impl PartialEq for ConnectFailure {
    fn eq(&self, other: &Self) -> bool {
        self.texts() == other.texts()
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for ConnectFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // Its own text is shown above.
        self.0.source()
    }
}

impl From<ConnectError> for ConnectFailure {
    fn from(error: ConnectError) -> Self {
        Self::new(error)
    }
}

impl From<MenuRequestError> for ConnectFailure {
    fn from(error: MenuRequestError) -> Self {
        Self::new(error)
    }
}

impl From<io::Error> for ConnectFailure {
    fn from(error: io::Error) -> Self {
        Self::new(error)
    }
}

impl From<AttemptPanicked> for ConnectFailure {
    fn from(panic: AttemptPanicked) -> Self {
        Self::new(panic)
    }
}

/// The lookup or the connect function panicked, with this text (rule P-CY-5).
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("attempt to connect panicked: {0}")]
pub struct AttemptPanicked(pub Arc<str>);

/// Nobody will connect any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[error("Persistent connection closed")]
pub struct PersistentConnectionClosed;

/// Why there is no connection now.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum NotConnected<E> {
    /// Nobody will connect any more.
    #[error("Persistent connection closed")]
    Closed,
    /// Nobody will connect any more, since the connect function [said so](super::ConnectContext::abort).
    #[error(transparent)]
    Aborted(E),
    /// An attempt has failed.
    #[error(transparent)]
    Failed(E),
}
