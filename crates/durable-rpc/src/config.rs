//! What a subscription is told beside what to subscribe to.

use std::sync::Arc;
use std::time::Duration;

use rpc_versioned::Converts;

use crate::clock::{AnyClock, Clock, TokioClock};
use crate::retry::Retry;

/// How a subscription behaves. Everything but the delay before the next attempt has a default,
/// which is what the reference does.
///
/// A [`Duration`] or a [`Retry`] stands for a configuration with nothing else in it:
///
/// ```
/// use std::time::Duration;
/// use durable_rpc::{Config, Retry};
///
/// const SECOND: Duration = Duration::from_secs(1);
/// # fn create(_: impl Into<Config>) {}
/// create(SECOND);
/// create(Retry::exponential(SECOND, 60 * SECOND));
/// create(Config::new(SECOND).name("prices of today").silence_limit(30 * SECOND));
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) retry: Retry,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) silence_limit: Option<Duration>,
    pub(crate) clock: AnyClock,
}

impl Config {
    /// With this delay before each attempt but the first, or with another policy.
    pub fn new(retry: impl Into<Retry>) -> Self {
        Self {
            retry: retry.into(),
            name: None,
            silence_limit: None,
            clock: AnyClock::new(TokioClock),
        }
    }

    /// What the subscription is called in logs, spans and on status pages. Default: name and
    /// version of the RPC, if it is one.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A stream that brings no update for so long counts as lost: the callee is told to stop, and
    /// the subscription is made again after the delay. For callees that answer heartbeats, but are
    /// stuck otherwise. Default: never, as in the reference.
    ///
    /// It must be longer than the callee may have nothing to say. What counts is the time since a
    /// consumer began to wait for the update that does not come: one that is slow does not make its
    /// callee silent. One that [pushes back](rpc_core::PipeRpc::client_pushes_back), and is slow,
    /// does so to the other streams of its connection, which is not read meanwhile.
    ///
    /// # Attempts
    ///
    /// It is about streams. An attempt has no time limit of its own: while its callee answers
    /// heartbeats, and never the query, the attempt goes on. A limit belongs to the dispatch, which
    /// [`subscribe`](crate::subscribe) lets one write; dropping it tells the callee to stop:
    ///
    /// ```
    /// use std::time::Duration;
    /// use durable_rpc::{AttemptError, Durable, Subscribed, Subscription, subscribe};
    /// use rpc_core::{Connection, PipeMetadata, StateRpc};
    /// use tokio::time::timeout;
    ///
    /// static COUNT: StateRpc<(), i64, i64, String> = StateRpc::new("count", 1);
    ///
    /// fn counts(connection: &Durable<Connection>) -> Subscription<i64, i64, String, PipeMetadata> {
    ///     subscribe(connection, Duration::from_secs(1), |connection: Connection| async move {
    ///         let answer = timeout(Duration::from_secs(5), COUNT.dispatch(&connection, &())).await;
    ///         let answer = answer.map_err(AttemptError::failed)??;
    ///         Ok(answer.map(|(state, updates)| Subscribed {
    ///             state,
    ///             metadata: updates.metadata(),
    ///             updates,
    ///         }))
    ///     })
    /// }
    /// ```
    #[must_use]
    pub fn silence_limit(mut self, limit: Duration) -> Self {
        self.silence_limit = Some(limit);
        self
    }

    /// The clock for delays and limits (rule D-SU-2). Default: [`TokioClock`].
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = AnyClock::new(clock);
        self
    }

    pub(crate) fn named_unless(mut self, name: impl FnOnce() -> String) -> Self {
        self.name.get_or_insert_with(|| name().into());
        self
    }

    /// The versions that an RPC may have are many, so its name alone is used; a caller by preference
    /// has none.
    pub(crate) fn named_after(self, rpc: &impl Converts) -> Self {
        match rpc.name() {
            Some(name) => self.named_unless(|| name.to_owned()),
            None => self,
        }
    }
}

impl From<Duration> for Config {
    fn from(delay: Duration) -> Self {
        Self::new(delay)
    }
}

impl From<Retry> for Config {
    fn from(retry: Retry) -> Self {
        Self::new(retry)
    }
}
