//! What a durable subscription tells its consumer.

use std::error::Error;
use std::sync::Arc;

use rpc_core::DispatchError;
use rpc_versioned::CallError;
use thiserror::Error as ThisError;

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
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum AttemptError {
    /// There is no connection.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// There was one, but the call failed.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    /// There was one, but the call through a converter failed: no common version, something that
    /// could not be converted, or the call itself.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The dispatch function panicked, with this text (rule D-RA-8).
    #[error("dispatch panicked: {0}")]
    Panicked(Arc<str>),
    /// What a dispatch function of one's own says.
    #[error(transparent)]
    Failed(Arc<dyn Error + Send + Sync>),
}

impl AttemptError {
    /// What a dispatch function of one's own has to say.
    ///
    /// ```
    /// # use durable_rpc::AttemptError;
    /// let refused = AttemptError::failed(std::io::Error::other("refused"));
    /// assert_eq!(refused.to_string(), "refused");
    /// ```
    pub fn failed(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Failed(Arc::new(error))
    }
}

impl<S, U, E, M> Event<S, U, E, M> {
    /// The same event with another update, if it has one.
    pub fn map_update<V>(self, map: impl FnOnce(U) -> V) -> Event<S, V, E, M> {
        self.map(|state| state, map)
    }

    /// The same event with another state, if it has one.
    pub fn map_state<T>(self, map: impl FnOnce(S) -> T) -> Event<T, U, E, M> {
        self.map(map, |update| update)
    }

    fn map<T, V>(
        self,
        map_state: impl FnOnce(S) -> T,
        map_update: impl FnOnce(U) -> V,
    ) -> Event<T, V, E, M> {
        match self {
            Self::AttemptingNewConnection => Event::AttemptingNewConnection,
            Self::ConnectionSuccess(metadata) => Event::ConnectionSuccess(metadata),
            Self::State(state) => Event::State(map_state(state)),
            Self::Update(update) => Event::Update(map_update(update)),
            Self::LostConnection => Event::LostConnection,
            Self::FailedToConnect(error) => Event::FailedToConnect(error),
            Self::RpcError(error) => Event::RpcError(error),
        }
    }
}
