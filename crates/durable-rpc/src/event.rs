//! What a durable subscription tells its consumer.

use std::sync::Arc;

use rpc_core::DispatchError;
use thiserror::Error;

use crate::durable::BuildError;

/// One event of a subscription to a state `S` with updates `U`, whose callee's own errors are
/// `E`; `M` describes one stream.
///
/// The grammar (*durable* §2.2), which the stream follows by construction:
///
/// ```text
/// round   = AttemptingNewConnection ( FailedToConnect | RpcError )
///         | AttemptingNewConnection ConnectionSuccess State Update* LostConnection
/// stream  = round (delay round)*       endless, or cut anywhere by the consumer
/// ```
#[derive(Clone, Debug)]
pub enum Event<S, U, E, M> {
    /// An attempt begins.
    AttemptingNewConnection,
    /// The attempt succeeded. A [`State`](Self::State) follows immediately (rule D-EV-1).
    ConnectionSuccess(M),
    /// The state at the beginning of this stream. Everything known before is void.
    State(S),
    /// What changed; applies to the state and the updates since.
    Update(U),
    /// The stream ended, for whatever reason, the callee's ordinary end included (rule D-EV-3).
    /// All updates received before have been delivered (rule D-EV-2).
    LostConnection,
    /// The attempt failed.
    FailedToConnect(AttemptError),
    /// The callee answered the attempt with its own error. It is retried like any other failure
    /// (rule D-MA-4).
    RpcError(E),
}

/// Why an attempt failed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// There is no connection.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// There was one, but the call failed.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    /// The dispatch function panicked, with this text (rule D-RA-8).
    #[error("dispatch panicked: {0}")]
    Panicked(Arc<str>),
}
