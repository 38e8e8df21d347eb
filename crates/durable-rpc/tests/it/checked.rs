//! A subscription whose every event is checked against the grammar (*durable* §2.2), as is the
//! delay before each attempt but the first (rule D-MA-2).

use std::fmt::{Debug, Display};
use std::time::Duration;

use durable_rpc::{Durable, Event, Subscription, state};
use rpc_core::{Connection, PipeMetadata};
use tokio::time::{Instant, timeout};

use crate::server::{COUNT, some_time};

pub(crate) const DELAY: Duration = Duration::from_secs(10);
/// Many delays.
pub(crate) const LONG: Duration = Duration::from_secs(1000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// Before the first round.
    Beginning,
    Attempting,
    Succeeded,
    Streaming,
    /// Between two rounds, since then.
    Ended(Instant),
}

pub(crate) struct Checked<S, U, E, M> {
    pub(crate) subscription: Subscription<S, U, E, M>,
    delay: Duration,
    position: Position,
}

pub(crate) type Counts = Checked<i64, i64, String, PipeMetadata>;

/// A checked subscription to `count`, with query 42 and [`DELAY`].
pub(crate) fn counts(connection: &Durable<Connection>) -> Counts {
    Checked::new(state::create(&COUNT, connection, 42, DELAY), DELAY)
}

impl<S, U, E, M> Checked<S, U, E, M> {
    pub(crate) fn new(subscription: Subscription<S, U, E, M>, delay: Duration) -> Self {
        Self {
            subscription,
            delay,
            position: Position::Beginning,
        }
    }

    /// Like the subscription's, cancel safety included.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = Option<Event<S, U, E, M>>> {
        let caller = std::panic::Location::caller();
        async move {
            let event = some_time(self.subscription.next()).await?;
            self.position = self.position.after(&event, self.delay).unwrap_or_else(|| {
                let label = kind(&event);
                panic!("{label} after {:?}, at {caller}", self.position)
            });
            Some(event)
        }
    }

    /// No event comes for this long.
    #[track_caller]
    pub(crate) fn expect_silence(&mut self, duration: Duration) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let next = timeout(duration, self.next());
        async move {
            if let Ok(event) = next.await {
                let label = event.as_ref().map(kind);
                panic!("{label:?} came, at {caller}");
            }
        }
    }
}

impl<S: Display, U: Display, E: Display, M> Checked<S, U, E, M> {
    /// These events come.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &[&str]) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            for expected in expected {
                let event = self.next().await;
                let label = event.as_ref().map(label);
                assert_eq!(label.as_deref(), Some(*expected), "at {caller}");
            }
        }
    }
}

impl Position {
    /// `None` if the event may not come here.
    fn after<S, U, E, M>(self, event: &Event<S, U, E, M>, delay: Duration) -> Option<Self> {
        let now = Instant::now();
        let next = match (self, event) {
            (Self::Beginning, Event::AttemptingNewConnection) => Self::Attempting,
            (Self::Ended(at), Event::AttemptingNewConnection) if now >= at + delay => {
                Self::Attempting
            }
            (Self::Attempting, Event::ConnectionSuccess(_)) => Self::Succeeded,
            (Self::Attempting, Event::FailedToConnect(_) | Event::RpcError(_))
            | (Self::Streaming, Event::LostConnection) => Self::Ended(now),
            (Self::Succeeded, Event::State(_)) | (Self::Streaming, Event::Update(_)) => {
                Self::Streaming
            }
            _ => return None,
        };
        Some(next)
    }
}

fn kind<S, U, E, M>(event: &Event<S, U, E, M>) -> &'static str {
    match event {
        Event::AttemptingNewConnection => "attempting",
        Event::ConnectionSuccess(_) => "success",
        Event::State(_) => "state",
        Event::Update(_) => "update",
        Event::LostConnection => "lost",
        Event::FailedToConnect(_) => "failed",
        Event::RpcError(_) => "error",
    }
}

/// `success`, `state 7`, `failed: connection refused` …
pub(crate) fn label<S: Display, U: Display, E: Display, M>(event: &Event<S, U, E, M>) -> String {
    let kind = kind(event);
    match event {
        Event::State(state) => format!("{kind} {state}"),
        Event::Update(update) => format!("{kind} {update}"),
        Event::RpcError(error) => format!("{kind} {error}"),
        Event::FailedToConnect(error) => format!("{kind}: {error}"),
        Event::AttemptingNewConnection | Event::ConnectionSuccess(_) | Event::LostConnection => {
            kind.to_owned()
        }
    }
}

impl<S, U, E, M> Debug for Checked<S, U, E, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Debug::fmt(&self.subscription, f)
    }
}
