//! A state and its updates, folded where they are read (rule R-SC-35).

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use rpc_wire::Data;
use tokio::sync::oneshot;

use super::PipeResponse;
use super::callback::{caught, log_failure};
use super::item::{INITIAL, UPDATE};
use super::sink::{Next, Sink};
use crate::connection::run::OpenRun;
use crate::dispatch::decode;
use crate::error::{ConnectionClosed, DispatchError};
use crate::payload::Undecodable;

/// The result of a fold, when the stream is over; a future.
///
/// Dropping it changes nothing: the fold goes on until the stream's end.
#[derive(Debug)]
#[must_use = "the result is lost unless this is awaited"]
pub struct Fold<R>(oneshot::Receiver<Result<R, DispatchError>>);

impl<R> Future for Fold<R> {
    /// The error is [`CallbackFailed`](DispatchError::CallbackFailed): one of the functions
    /// panicked, and took the accumulator with it.
    type Output = Result<R, DispatchError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|result| {
            // Only a dispatch that was dropped sends no result, and then there is no `Fold`.
            let closed = ConnectionClosed { reason: None };
            result.unwrap_or(Err(DispatchError::ConnectionClosed(closed)))
        })
    }
}

/// The three functions, and how far they have come.
pub(crate) struct Folding<T, U, A, R, I, S, F> {
    state: fn(&[u8]) -> Result<T, Undecodable>,
    update: fn(&[u8]) -> Result<U, Undecodable>,
    /// Used by the connection's task alone, to which it may be lent. Gone once the stream is over.
    progress: Mutex<Option<Progress<A, R, I, S, F>>>,
}

pub(crate) struct Progress<A, R, I, S, F> {
    init: Option<I>,
    step: S,
    finish: F,
    /// There between `init` and a function that panics.
    accumulator: Option<A>,
    result: oneshot::Sender<Result<R, DispatchError>>,
}

impl<A, R, I, S, F> Progress<A, R, I, S, F> {
    /// Folds one update.
    fn step<U, P>(&mut self, update: U) -> Result<Next, DispatchError>
    where
        P: Into<PipeResponse>,
        S: FnMut(A, U) -> (A, P),
    {
        let Some(accumulator) = self.accumulator.take() else {
            return Ok(Next::Continue);
        };
        let (accumulator, response) = caught(|| {
            let (accumulator, response) = (self.step)(accumulator, update);
            (accumulator, response.into())
        })?;
        self.accumulator = Some(accumulator);
        response.into_next()
    }
}

impl<T, U, A, R, I, S, F> Folding<T, U, A, R, I, S, F> {
    pub(crate) fn new(
        state: fn(&[u8]) -> Result<T, Undecodable>,
        update: fn(&[u8]) -> Result<U, Undecodable>,
        (init, step, finish): (I, S, F),
    ) -> (Self, Fold<R>) {
        let (sender, receiver) = oneshot::channel();
        let folding = Self {
            state,
            update,
            progress: Mutex::new(Some(Progress {
                init: Some(init),
                step,
                finish,
                accumulator: None,
                result: sender,
            })),
        };
        (folding, Fold(receiver))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Progress<A, R, I, S, F>>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, U, A, R, P, I, S, F> Sink for Folding<T, U, A, R, I, S, F>
where
    T: 'static,
    U: 'static,
    A: Send + 'static,
    R: Send + 'static,
    P: Into<PipeResponse>,
    I: FnOnce(T) -> A + Send + 'static,
    S: FnMut(A, U) -> (A, P) + Send + 'static,
    F: FnOnce(A, Result<(), DispatchError>) -> R + Send + 'static,
{
    type Initial = ();
    type Update = Next;
    type Kept = ();
    type Own = Option<Progress<A, R, I, S, F>>;

    const KEEPS: bool = false;

    fn initial(&self, value: &[u8]) -> Result<(), DispatchError> {
        let state = decode(Data::new(value), self.state, INITIAL)?;
        if let Some(progress) = &mut *self.lock()
            && let Some(init) = progress.init.take()
        {
            progress.accumulator = Some(caught(|| init(state))?);
        }
        Ok(())
    }

    fn lend(&self) -> Self::Own {
        self.lock().take()
    }

    fn give_back(&self, progress: Self::Own) {
        *self.lock() = progress;
    }

    fn update(
        &self,
        progress: &mut Self::Own,
        update: Data<'_>,
    ) -> Result<Next, Box<DispatchError>> {
        let update = decode(update, self.update, UPDATE)?;
        match progress {
            Some(progress) => progress.step(update).map_err(Box::new),
            None => Ok(Next::Continue),
        }
    }

    fn keep(&self, (): &mut (), next: Next) -> Next {
        next
    }

    fn take_run(
        &self,
        progress: &mut Self::Own,
        run: &mut OpenRun<'_, '_>,
    ) -> Result<Next, DispatchError> {
        let Some(progress) = progress else {
            return Ok(Next::Continue);
        };
        while let Some(update) = run.next() {
            let update = decode(Data::new(update), self.update, UPDATE)?;
            match progress.step(update)? {
                Next::Continue => {}
                next => return Ok(next),
            }
        }
        Ok(Next::Continue)
    }

    fn takes_runs(&self) -> bool {
        true
    }

    fn keep_run((): &mut (), _: &mut Self::Own) {}

    fn take_unwanted(_: &mut Self::Own) {}

    fn closed(&self, result: Result<(), &DispatchError>) {
        let Some(progress) = self.lock().take() else {
            return;
        };
        let result = result.map_err(Clone::clone);
        let finished = match (progress.accumulator, result) {
            (Some(accumulator), result) => caught(|| (progress.finish)(accumulator, result)),
            (None, result) => match result {
                Err(error) => Err(error),
                // It went with a function that panicked, which broke the stream.
                Ok(()) => return,
            },
        };
        // Nobody may be there any more who wants it.
        if let Err(unwanted) = progress.result.send(finished) {
            log_failure(unwanted);
        }
    }
}
