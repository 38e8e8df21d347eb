//! Why a converted call has no answer.

use rpc_core::DispatchError;
use rpc_wire::Description;
use thiserror::Error;

use crate::conversion::{ConversionError, Version};
use crate::selection::SelectionError;

/// Why a dispatch through a converter failed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum CallError {
    /// The callee has no version that the caller knows; nothing was sent.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A value has no counterpart in the other version. If it is the query, nothing was sent; the
    /// connection is intact in any case, and a stream that this concerns was ended.
    #[error(transparent)]
    Conversion(#[from] ConversionError),
    /// The call itself failed, of the version that was selected.
    #[error("{rpc}")]
    Dispatch {
        /// The version that was used.
        rpc: Description,
        /// What went wrong.
        source: DispatchError,
    },
    /// This version is registered by what converts whole pipes, and a callback has no pipe; nothing
    /// was sent (rule V-CA-9).
    #[error("cannot dispatch {0} with a callback: its whole pipes are converted")]
    Raw(Description),
}

impl CallError {
    #[cold]
    pub(crate) fn dispatch(version: Version, source: DispatchError) -> Self {
        Self::Dispatch {
            rpc: version.description(),
            source,
        }
    }

    /// What went wrong with the call, if it is that.
    pub fn dispatch_error(&self) -> Option<&DispatchError> {
        match self {
            Self::Dispatch { source, .. } => Some(source),
            Self::Selection(_) | Self::Conversion(_) | Self::Raw(_) => None,
        }
    }
}
