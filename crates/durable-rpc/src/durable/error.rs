//! Why there is no value.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a durable value could not be used.
///
/// Cheap to clone: all who wait for one build get its error.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// Creating or rebuilding the value failed.
    Failed(Arc<dyn Error + Send + Sync>),
    /// Creating or rebuilding the value panicked, with this text.
    Panicked(Arc<str>),
    /// The runtime that was building the value went away.
    Aborted,
    /// The value was broken right after it had been built (rule D-DU-3).
    BrokenAtOnce,
    /// The first value of [`Durable::create_or_fail`](crate::Durable::create_or_fail) was broken
    /// (rule D-DU-2).
    InitiallyBroken,
    /// Nobody can use the value any more: see [`Durable::close`](crate::Durable::close).
    Closed,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed(error) => return error.fmt(f),
            Self::Panicked(text) => {
                return write!(f, "building the durable value panicked: {text}");
            }
            Self::Aborted => "building the durable value was cut short",
            Self::BrokenAtOnce => {
                "Durable value was broken immediately after being created or rebuilt."
            }
            Self::InitiallyBroken => "Initial durable value is broken.",
            Self::Closed => "the durable value has been closed",
        })
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its own text is shown above.
            Self::Failed(error) => error.source(),
            Self::Panicked(_)
            | Self::Aborted
            | Self::BrokenAtOnce
            | Self::InitiallyBroken
            | Self::Closed => None,
        }
    }
}
