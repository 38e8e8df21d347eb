//! Updates that are handed to a callback where they are read (*rpcs* §10.3).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rpc_wire::Data;

use super::item::{INITIAL, UPDATE};
use super::sink::{Next, Sink};
use super::{PipeMessage, PipeResponse};
use crate::connection::run::OpenRun;
use crate::dispatch::{decode, undecodable};
use crate::error::{DispatchError, HandlerError};
use crate::payload::{Decode, Undecodable};

/// The initial value is the dispatch's result, and the updates go to `call`, which decodes them.
pub(crate) struct Callback<T, F> {
    initial: fn(&[u8]) -> Result<T, Undecodable>,
    /// Locked by the connection's task alone. Gone once the stream is over.
    call: Mutex<Option<F>>,
}

/// Hands decoded updates to `on_message`.
pub(crate) fn updates_to<T, U: 'static, R: Into<PipeResponse> + 'static>(
    initial: fn(&[u8]) -> Result<T, Undecodable>,
    update: impl Decode<U>,
    mut on_message: impl FnMut(PipeMessage<U>) -> R + Send + 'static,
) -> Callback<T, impl Call> {
    Callback::new(initial, move |message: PipeMessage<Data<'_>>| {
        let message = match message {
            PipeMessage::Update(data) => PipeMessage::Update(decode(data, &update, UPDATE)?),
            PipeMessage::Closed(result) => PipeMessage::Closed(result),
        };
        Ok(on_message(message).into())
    })
}

/// Hands the bytes of updates to `on_message`.
pub(crate) fn bytes_to<T, R: Into<PipeResponse> + 'static>(
    initial: fn(&[u8]) -> Result<T, Undecodable>,
    mut on_message: impl FnMut(PipeMessage<&[u8]>) -> R + Send + 'static,
) -> Callback<T, impl Call> {
    Callback::new(initial, move |message: PipeMessage<Data<'_>>| {
        let message = match message {
            PipeMessage::Update(data) => {
                let bytes = data.bytes();
                PipeMessage::Update(
                    bytes.map_err(|error| undecodable(UPDATE, Undecodable::wrong_length(error)))?,
                )
            }
            PipeMessage::Closed(result) => PipeMessage::Closed(result),
        };
        Ok(on_message(message).into())
    })
}

/// A callback together with what decodes for it.
pub(crate) trait Call:
    FnMut(PipeMessage<Data<'_>>) -> Result<PipeResponse, DispatchError> + Send + 'static
{
}

impl<F> Call for F where
    F: FnMut(PipeMessage<Data<'_>>) -> Result<PipeResponse, DispatchError> + Send + 'static
{
}

impl<T, F: Call> Callback<T, F> {
    fn new(initial: fn(&[u8]) -> Result<T, Undecodable>, call: F) -> Self {
        Self {
            initial,
            call: Mutex::new(Some(call)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<F>> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static, F: Call> Sink for Callback<T, F> {
    type Initial = T;
    type Update = Next;
    type Kept = ();

    const KEEPS: bool = false;

    fn initial(&self, value: &[u8]) -> Result<T, DispatchError> {
        decode(Data::new(value), self.initial, INITIAL)
    }

    fn update(&self, update: Data<'_>) -> Result<Next, DispatchError> {
        match &mut *self.lock() {
            Some(call) => caught(|| call(PipeMessage::Update(update)))??.into_next(),
            None => Ok(Next::Continue),
        }
    }

    fn keep(&self, (): &mut (), next: Next) -> Next {
        next
    }

    fn take_run(&self, run: &mut OpenRun<'_, '_>, (): &mut ()) -> Result<Next, DispatchError> {
        let mut call = self.lock();
        let Some(call) = &mut *call else {
            return Ok(Next::Continue);
        };
        caught(|| {
            while let Some(update) = run.next() {
                let response = call(PipeMessage::Update(Data::new(update)))?;
                match response.into_next()? {
                    Next::Continue => {}
                    next => return Ok(next),
                }
            }
            Ok(Next::Continue)
        })?
    }

    fn takes_runs(&self) -> bool {
        true
    }

    fn keep_run((): &mut (), (): &mut ()) {}

    fn closed(&self, result: Result<(), &DispatchError>) {
        let Some(mut call) = self.lock().take() else {
            return;
        };
        let result = result.map_err(Clone::clone);
        let called = caught(|| {
            let response = call(PipeMessage::Closed(result));
            drop(call);
            response
        });
        log_failure(called);
    }
}

/// Runs a callback. Its panic concerns its stream only (decision 4).
pub(super) fn caught<T>(callback: impl FnOnce() -> T) -> Result<T, DispatchError> {
    catch_unwind(AssertUnwindSafe(callback))
        .map_err(|panic| DispatchError::CallbackFailed(HandlerError::from_panic(&*panic)))
}

/// The failure of a callback with the end of its stream: there is nobody else who could be told.
pub(super) fn log_failure<T>(called: Result<T, DispatchError>) {
    if let Err(error) = called {
        tracing::error!(%error, "callback failed at the end of its stream");
    }
}
