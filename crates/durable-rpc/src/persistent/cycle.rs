//! The task that connects, waits for the end of the connection, and connects again.

use std::any::Any;
use std::fmt::{Debug, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::Shared;
use super::builder::Builder;
use super::closable::Closable;
use super::context::ConnectContext;
use super::delay::DEFAULT_DELAY;
use super::event::Event;
use super::failure::AttemptPanicked;
use super::progress::Stop;
use crate::clock::Timer;
use crate::durable::panic_text;

pub(super) struct Cycle<A, C: Closable, E: Clone + Send + Sync + 'static> {
    parts: Builder<A, C, E>,
    shared: Arc<Shared<C, E>>,
}

/// What has been told in this cycle.
struct Told<A, E> {
    address: Option<A>,
    error: Option<E>,
}

impl<A, C, E> Cycle<A, C, E>
where
    A: Clone + Debug + PartialEq + Send + Sync + 'static,
    C: Closable,
    E: Clone + Display + PartialEq + From<AttemptPanicked> + Send + Sync + 'static,
{
    pub(super) const fn new(parts: Builder<A, C, E>, shared: Arc<Shared<C, E>>) -> Self {
        Self { parts, shared }
    }

    pub(super) async fn run(mut self) {
        while !self.is_stopping() {
            self.emit(Event::AttemptingToConnect).await;
            let Some((connection, retry)) = self.connect().await else {
                break;
            };
            self.keep(connection).await;
            self.wait(retry).await;
        }
    }

    /// One attempt after the other, until one succeeds; the timer is that of the last one. `None`
    /// if no connection is wanted any more.
    async fn connect(&mut self) -> Option<(C, Timer)> {
        let mut told = Told {
            address: None,
            error: None,
        };
        while !self.is_stopping() {
            let delay = self.delay();
            // Before the attempt, whose time is part of the delay (rule P-CY-6).
            let clock = &self.parts.clock;
            let retry = clock.timer(clock.after(delay));
            match self.attempt(&mut told).await {
                Ok(connection) => return Some((connection, retry)),
                Err(error) => self.fail(&mut told, error).await,
            }
            self.wait(retry).await;
        }
        None
    }

    /// How far the beginning of the next attempt is away, at least.
    fn delay(&mut self) -> Duration {
        self.parts.delay.next().unwrap_or_else(|panic| {
            let persistent_connection_to = &*self.parts.server_name;
            let error = panic_text(&*panic);
            tracing::error!(persistent_connection_to, error, "retry delay panicked");
            DEFAULT_DELAY
        })
    }

    async fn attempt(&self, told: &mut Told<A, E>) -> Result<C, E> {
        let failed_attempts = self.shared.progress.borrow().consecutive_failures;
        let address = caught(|| (self.parts.look_up)(failed_attempts)).await?;
        if told.address.as_ref() != Some(&address) {
            told.address = Some(address.clone());
            self.emit(Event::ObtainedAddress(address.clone())).await;
        }
        let shared = Arc::downgrade(&self.shared);
        let context = ConnectContext {
            abort: Arc::new(move |error| {
                if let Some(shared) = shared.upgrade() {
                    shared.stop(Stop::Aborted(error));
                }
            }),
            failed_attempts,
        };
        caught(|| (self.parts.connect)(address, context)).await
    }

    async fn fail(&self, told: &mut Told<A, E>, error: E) {
        let mut before = None;
        self.shared
            .progress
            .send_modify(|progress| before = progress.fail(error.clone()));
        drop(before);
        // Nobody wants to hear of an attempt that was not wanted any more (rule P-US-5).
        if told.error.as_ref() != Some(&error) && !self.is_stopping() {
            told.error = Some(error.clone());
            self.emit(Event::FailedToConnect(error)).await;
        }
    }

    /// Until it has finished closing.
    async fn keep(&self, connection: C) {
        let mut is_wanted = false;
        let mut is_aborted = false;
        self.shared.progress.send_modify(|progress| {
            progress.consecutive_failures = 0;
            is_wanted = !progress.is_stopping();
            is_aborted = matches!(progress.stop, Stop::Aborted(_));
            if is_wanted {
                progress.current = Some(connection.clone());
            }
        });
        if !is_wanted {
            connection.close();
        }
        // Of the connection of an attempt that was aborted nobody learns (rule P-US-7).
        if !is_aborted {
            self.emit(Event::Connected).await;
        }
        connection.closed().await;
        let mut current = None;
        self.shared
            .progress
            .send_modify(|progress| current = progress.current.take());
        drop(current);
        if !is_aborted {
            self.emit(Event::Disconnected).await;
        }
    }

    /// For the timer, or until nothing more is wanted.
    async fn wait(&self, retry: Timer) {
        let mut progress = self.shared.progress.subscribe();
        let stopping = progress.wait_for(|progress| progress.is_stopping());
        tokio::select! {
            // Either may be dropped: nothing is lost with it.
            () = retry => {}
            _ = stopping => {}
        }
    }

    fn is_stopping(&self) -> bool {
        self.shared.progress.borrow().is_stopping()
    }

    /// The log and the listeners first, which take no time (rules P-CY-8, P-CY-9).
    async fn emit(&self, event: Event<A, E>) {
        self.log(&event);
        self.shared.listeners.note(event.without_address());
        self.shared.listeners.tell();
        let handled = polled(|| (self.parts.on_event)(event)).await;
        if let Err(panic) = handled {
            let error = panic_text(&*panic);
            let persistent_connection_to = &*self.parts.server_name;
            tracing::error!(persistent_connection_to, error, "event callback panicked");
        }
    }

    /// In the reference's words (rule P-CY-9).
    fn log(&self, event: &Event<A, E>) {
        let persistent_connection_to = &*self.parts.server_name;
        let created_at = self.parts.created_at;
        let name = event.name();
        match event {
            Event::FailedToConnect(error) => {
                tracing::error!(event = name, persistent_connection_to, %created_at, %error);
            }
            Event::ObtainedAddress(address) => {
                tracing::info!(event = name, persistent_connection_to, %created_at, ?address);
            }
            Event::AttemptingToConnect | Event::Connected | Event::Disconnected => {
                tracing::info!(event = name, persistent_connection_to, %created_at);
            }
        }
    }
}

impl<A, C: Closable, E: Clone + Send + Sync + 'static> Drop for Cycle<A, C, E> {
    /// Whoever waits learns of the end, also if the runtime ends the task.
    fn drop(&mut self) {
        let mut current = None;
        self.shared.progress.send_modify(|progress| {
            progress.is_finished = true;
            current = progress.current.take();
            if let Stop::No = progress.stop {
                progress.stop = Stop::Close;
            }
        });
        drop(current);
    }
}

/// Calls a function of the user's and runs its future; a panic of either is a failed attempt
/// (rule P-CY-5).
async fn caught<T, E, F>(call: impl FnOnce() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>> + Unpin,
    E: From<AttemptPanicked>,
{
    let panicked = |panic: Box<dyn Any + Send>| AttemptPanicked(panic_text(&*panic).into());
    polled(call).await.map_err(panicked)?
}

/// The result of a future, or what it panicked with.
async fn polled<F: Future + Unpin>(
    call: impl FnOnce() -> F,
) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = catch_unwind(AssertUnwindSafe(call))?;
    std::future::poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            std::pin::Pin::new(&mut future).poll(cx)
        }));
        match polled {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}
