//! Dispatches that are scripted: the generic core over something that is no connection
//! (rule D-SU-1).

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use durable_rpc::{AttemptError, Durable, Subscribed};
use futures_core::Stream;
use rpc_core::{ConnectionClosed, DispatchError};
use tokio::time::{Sleep, sleep};

/// What one attempt comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Stream(u64),
    UserError,
    Failure,
    Panic,
    PanicAtOnce,
}

/// One attempt: what it comes to, and how long everything in it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    pub(crate) outcome: Outcome,
    /// Of the dispatch, and before each update and the end.
    pub(crate) pause: Duration,
}

impl Script {
    pub(crate) fn stream(updates: u64) -> Self {
        Self::of(Outcome::Stream(updates))
    }

    pub(crate) fn user_error() -> Self {
        Self::of(Outcome::UserError)
    }

    pub(crate) fn failure() -> Self {
        Self::of(Outcome::Failure)
    }

    fn of(outcome: Outcome) -> Self {
        let pause = Duration::from_millis(5);
        Self { outcome, pause }
    }

    /// The events of the attempt with this number.
    pub(crate) fn events(self, attempt: usize) -> Vec<String> {
        let mut events = vec!["attempting".to_owned()];
        match self.outcome {
            Outcome::Stream(updates) => {
                events.push("success".to_owned());
                events.push(format!("state {attempt}"));
                events.extend((0..updates).map(|n| format!("update {n}")));
                events.push("lost".to_owned());
            }
            Outcome::UserError => events.push(format!("error no {attempt}")),
            Outcome::Failure => events.push("failed: no more queries can be sent".to_owned()),
            Outcome::Panic | Outcome::PanicAtOnce => {
                events.push("failed: dispatch panicked: as scripted".to_owned());
            }
        }
        events
    }
}

/// Plays the scripts one after the other; the state is the number of the attempt, from 0.
#[derive(Clone)]
pub(crate) struct Dispatched {
    scripts: Arc<Mutex<VecDeque<Script>>>,
    dispatches: Arc<AtomicUsize>,
}

pub(crate) type Answer = Result<Result<Subscribed<usize, Counting, usize>, String>, AttemptError>;

impl Dispatched {
    pub(crate) fn new(scripts: impl IntoIterator<Item = Script>) -> Self {
        Self {
            scripts: Arc::new(Mutex::new(scripts.into_iter().collect())),
            dispatches: Arc::default(),
        }
    }

    pub(crate) fn dispatches(&self) -> usize {
        self.dispatches.load(Ordering::Relaxed)
    }

    /// The dispatch function.
    pub(crate) fn dispatch(
        &self,
    ) -> impl Fn(()) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Clone + Send + 'static + use<>
    {
        let this = self.clone();
        move |()| {
            let attempt = this.dispatches.fetch_add(1, Ordering::Relaxed);
            let script = this.scripts.lock().unwrap().pop_front();
            let script = script.expect("an attempt that the test did not foresee");
            assert!(
                !matches!(script.outcome, Outcome::PanicAtOnce),
                "as scripted"
            );
            Box::pin(play(script, attempt))
        }
    }
}

async fn play(script: Script, attempt: usize) -> Answer {
    if !script.pause.is_zero() {
        sleep(script.pause).await;
    }
    match script.outcome {
        Outcome::Stream(updates) => Ok(Ok(Subscribed {
            state: attempt,
            updates: Counting::new(updates).every(script.pause),
            metadata: attempt,
        })),
        Outcome::UserError => Ok(Err(format!("no {attempt}"))),
        Outcome::Failure => Err(DispatchError::from(ConnectionClosed { reason: None }).into()),
        Outcome::Panic | Outcome::PanicAtOnce => panic!("as scripted"),
    }
}

/// A value that needs no rebuilding.
pub(crate) fn intact() -> Durable<()> {
    Durable::new(async || Ok::<_, std::fmt::Error>(()), |()| false)
}

/// A stream of the numbers below a limit. Never to be polled after its end.
pub(crate) struct Counting {
    next: u64,
    limit: u64,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl Counting {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            next: 0,
            limit,
            pause: Duration::ZERO,
            sleep: None,
            ended: false,
        }
    }

    fn every(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }
}

impl Stream for Counting {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        assert!(!self.ended, "polled after its end");
        let pause = self.pause;
        if !pause.is_zero() {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(pause)));
            std::task::ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        if self.next == self.limit {
            self.ended = true;
            return Poll::Ready(None);
        }
        self.next += 1;
        Poll::Ready(Some(self.next - 1))
    }
}
