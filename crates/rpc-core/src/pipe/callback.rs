//! Updates that are handed to a callback where they are read (*rpcs* §10.3).

use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rpc_wire::Data;

use super::item::{INITIAL, UPDATE};
use super::sink::{Next, Sink};
use super::{PipeMessage, PipeResponse};
use crate::connection::run::OpenRun;
use crate::dispatch::{decode, undecodable};
use crate::error::{DispatchError, HandlerError};
use crate::payload::{self, Decode, Undecodable};

/// The initial value is the dispatch's result, and the updates go to `call`, which decodes them.
pub(crate) struct Callback<T, F> {
    initial: fn(&[u8]) -> Result<T, Undecodable>,
    /// Used by the connection's task alone, to which it may be lent. Gone once the stream is over.
    call: Mutex<Option<F>>,
}

/// Hands decoded updates to `on_message`.
pub(crate) fn updates_to<T, U: 'static, R: Into<PipeResponse> + 'static>(
    initial: fn(&[u8]) -> Result<T, Undecodable>,
    update: impl Decode<U>,
    on_message: impl FnMut(PipeMessage<U>) -> R + Send + 'static,
) -> Callback<T, impl Call> {
    Callback::new(initial, Decoding::new(update, on_message))
}

/// Hands the bytes of updates to `on_message`.
pub(crate) fn bytes_to<T, R: Into<PipeResponse> + 'static>(
    initial: fn(&[u8]) -> Result<T, Undecodable>,
    on_message: impl FnMut(PipeMessage<&[u8]>) -> R + Send + 'static,
) -> Callback<T, impl Call> {
    Callback::new(initial, Undecoded(on_message))
}

/// A callback together with what decodes for it. Its results are small, so that nothing has to be
/// copied on the way of an update that is taken.
pub(crate) trait Call: Send + 'static {
    /// Says in `decoding` whether it is: a panic is the decoder's then.
    fn update(&mut self, update: Data<'_>, decoding: &mut bool)
    -> Result<Next, Box<DispatchError>>;

    /// The end of the stream, and of the callback.
    fn closed(self, result: Result<(), DispatchError>);
}

struct Decoding<U, D, F> {
    decode: D,
    on_message: F,
    updates: PhantomData<fn(U)>,
}

impl<U, D, F> Decoding<U, D, F> {
    fn new(decode: D, on_message: F) -> Self {
        Self {
            decode,
            on_message,
            updates: PhantomData,
        }
    }
}

impl<U, D, R, F> Call for Decoding<U, D, F>
where
    U: 'static,
    D: Decode<U>,
    R: Into<PipeResponse>,
    F: FnMut(PipeMessage<U>) -> R + Send + 'static,
{
    #[inline]
    fn update(
        &mut self,
        update: Data<'_>,
        decoding: &mut bool,
    ) -> Result<Next, Box<DispatchError>> {
        *decoding = true;
        let update = match payload::read_unguarded(update, &self.decode) {
            Ok(update) => update,
            Err(error) => return Err(Box::new(undecodable(UPDATE, error))),
        };
        *decoding = false;
        let response = (self.on_message)(PipeMessage::Update(update));
        response.into().into_next().map_err(Box::new)
    }

    fn closed(mut self, result: Result<(), DispatchError>) {
        (self.on_message)(PipeMessage::Closed(result));
    }
}

struct Undecoded<F>(F);

impl<R, F> Call for Undecoded<F>
where
    R: Into<PipeResponse>,
    F: FnMut(PipeMessage<&[u8]>) -> R + Send + 'static,
{
    fn update(&mut self, update: Data<'_>, _: &mut bool) -> Result<Next, Box<DispatchError>> {
        let bytes = update.bytes().map_err(Undecodable::wrong_length);
        let bytes = bytes.map_err(|error| undecodable(UPDATE, error));
        let response = (self.0)(PipeMessage::Update(bytes.map_err(Box::new)?));
        response.into().into_next().map_err(Box::new)
    }

    fn closed(mut self, result: Result<(), DispatchError>) {
        (self.0)(PipeMessage::Closed(result));
    }
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
    type Own = Option<F>;

    const KEEPS: bool = false;

    fn initial(&self, value: &[u8]) -> Result<T, DispatchError> {
        decode(Data::new(value), self.initial, INITIAL)
    }

    fn lend(&self) -> Option<F> {
        self.lock().take()
    }

    fn give_back(&self, call: Option<F>) {
        *self.lock() = call;
    }

    fn update(&self, call: &mut Option<F>, update: Data<'_>) -> Result<Next, Box<DispatchError>> {
        let Some(call) = call else {
            return Ok(Next::Continue);
        };
        // Whatever else it says is left aside: only a yes or no passes what looks for panics.
        let (mut said, mut decoding) = (Ok(Next::Continue), false);
        let goes_on = catch_unwind(AssertUnwindSafe(|| {
            match call.update(update, &mut decoding) {
                Ok(Next::Continue) => true,
                other => {
                    said = other;
                    false
                }
            }
        }));
        match goes_on {
            Ok(true) => Ok(Next::Continue),
            Ok(false) => said,
            Err(panic) => Err(Box::new(panicked(&*panic, decoding))),
        }
    }

    fn keep(&self, (): &mut (), next: Next) -> Next {
        next
    }

    fn take_run(
        &self,
        call: &mut Option<F>,
        run: &mut OpenRun<'_, '_>,
    ) -> Result<Next, DispatchError> {
        let Some(call) = call else {
            return Ok(Next::Continue);
        };
        let mut decoding = false;
        let taken = catch_unwind(AssertUnwindSafe(|| {
            while let Some(update) = run.next() {
                match call.update(Data::new(update), &mut decoding)? {
                    Next::Continue => {}
                    next => return Ok(next),
                }
            }
            Ok(Next::Continue)
        }));
        match taken {
            Ok(next) => next.map_err(|error: Box<_>| *error),
            Err(panic) => Err(panicked(&*panic, decoding)),
        }
    }

    fn takes_runs(&self) -> bool {
        true
    }

    fn keep_run((): &mut (), _: &mut Option<F>) {}

    fn take_unwanted(_: &mut Option<F>) {}

    fn closed(&self, result: Result<(), &DispatchError>) {
        let Some(call) = self.lock().take() else {
            return;
        };
        let result = result.map_err(Clone::clone);
        log_failure(caught(|| call.closed(result)));
    }
}

/// What a panic in an update means: the decoder's makes it undecodable.
#[cold]
fn panicked(panic: &(dyn Any + Send), decoding: bool) -> DispatchError {
    let error = HandlerError::from_panic(panic);
    if decoding {
        undecodable(UPDATE, payload::panicked(&error))
    } else {
        DispatchError::CallbackFailed(error)
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
