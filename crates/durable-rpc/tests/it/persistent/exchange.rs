//! Lines that are connected as scripted: a connection that knows nothing of RPCs, with an error
//! of its own (rule P-US-8).

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable_rpc::persistent::{AttemptPanicked, Builder, Closable, Event, PersistentConnection};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// The delay in these tests.
pub(crate) const DELAY: Duration = Duration::from_secs(10);
/// Many delays.
pub(crate) const LONG: Duration = Duration::from_secs(1000);

pub(crate) type Kept = PersistentConnection<Line, Failure>;

/// A connection. Its clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) number: usize,
    closed: watch::Sender<bool>,
}

impl Line {
    /// By whoever is at the other end.
    pub(crate) fn cut(&self) {
        self.closed.send_replace(true);
    }
}

impl Closable for Line {
    fn close(&self) {
        self.cut();
    }

    fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    async fn closed(&self) {
        let closed = self
            .closed
            .subscribe()
            .wait_for(|closed| *closed)
            .await
            .is_ok();
        assert!(closed);
    }
}

/// The user's own error.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub(crate) String);

impl From<AttemptPanicked> for Failure {
    fn from(panic: AttemptPanicked) -> Self {
        Self(panic.to_string())
    }
}

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    NoAddress(&'static str),
    LookupPanics,
    Fails(&'static str, &'static str),
    ConnectPanics(&'static str),
    Connects(&'static str),
}

/// Where lines are connected.
#[derive(Clone)]
pub(crate) struct Exchange {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    /// The next attempts. When there are none left, attempts fail.
    steps: VecDeque<(Step, Duration)>,
    /// When each attempt began.
    attempts: Vec<Instant>,
    lines: Vec<Line>,
    events: Vec<String>,
}

impl Exchange {
    /// Attempts that take no time.
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::slow(steps.into_iter().map(|step| (step, Duration::ZERO)))
    }

    /// Attempts that take so long.
    pub(crate) fn slow(steps: impl IntoIterator<Item = (Step, Duration)>) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                steps: steps.into_iter().collect(),
                attempts: Vec::new(),
                lines: Vec::new(),
                events: Vec::new(),
            })),
        }
    }

    /// With the delay as it is, and events that are recorded.
    pub(crate) fn builder(&self) -> Builder<&'static str, Line, Failure> {
        let recording = self.clone();
        self.unheard().on_event(move |event| {
            recording.record(&event);
            std::future::ready(())
        })
    }

    pub(crate) fn unheard(&self) -> Builder<&'static str, Line, Failure> {
        self.randomised().retry_delay(DELAY).without_randomness()
    }

    /// With the default delay.
    pub(crate) fn randomised(&self) -> Builder<&'static str, Line, Failure> {
        let (looking, connecting) = (self.clone(), self.clone());
        Builder::new(
            "the exchange",
            move || looking.clone().look_up(),
            move |address| connecting.clone().connect(address),
        )
    }

    pub(crate) fn keep(&self) -> Kept {
        self.builder().start()
    }

    pub(crate) fn record(&self, event: &Event<&'static str, Failure>) {
        let text = match event {
            Event::AttemptingToConnect => "attempting".to_owned(),
            Event::ObtainedAddress(address) => format!("obtained {address}"),
            Event::FailedToConnect(error) => format!("failed {error}"),
            Event::Connected => "connected".to_owned(),
            Event::Disconnected => "disconnected".to_owned(),
        };
        self.lock().events.push(text);
    }

    /// The events since this was last asked.
    pub(crate) fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().events)
    }

    /// When each attempt began, after `start`.
    pub(crate) fn attempts(&self, start: Instant) -> Vec<Duration> {
        let inner = self.lock();
        inner.attempts.iter().map(|at| *at - start).collect()
    }

    /// The last line that was connected.
    pub(crate) fn line(&self) -> Line {
        self.lock().lines.last().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> usize {
        self.lock().lines.len()
    }

    async fn look_up(self) -> Result<&'static str, Failure> {
        let (step, pause) = {
            let mut inner = self.lock();
            inner.attempts.push(Instant::now());
            let end = (Step::NoAddress("the end"), Duration::ZERO);
            *inner.steps.front().unwrap_or(&end)
        };
        match step {
            Step::NoAddress(error) => {
                self.lock().steps.pop_front();
                sleep(pause).await;
                Err(Failure(error.to_owned()))
            }
            Step::LookupPanics => {
                self.lock().steps.pop_front();
                panic!("as scripted");
            }
            Step::Fails(address, _) | Step::ConnectPanics(address) | Step::Connects(address) => {
                Ok(address)
            }
        }
    }

    pub(crate) async fn connect(self, expected: &'static str) -> Result<Line, Failure> {
        let step = self.lock().steps.pop_front();
        let (step, pause) = step.expect("looked up");
        if !pause.is_zero() {
            sleep(pause).await;
        }
        match step {
            Step::Fails(address, error) => {
                assert_eq!(address, expected);
                Err(Failure(error.to_owned()))
            }
            Step::ConnectPanics(_) => panic!("as scripted"),
            Step::Connects(address) => {
                assert_eq!(address, expected);
                let mut inner = self.lock();
                let line = Line {
                    number: inner.lines.len(),
                    closed: watch::Sender::new(false),
                };
                inner.lines.push(line.clone());
                Ok(line)
            }
            Step::NoAddress(_) | Step::LookupPanics => unreachable!("there was no address"),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}
