//! The updates of a handler, on their way to what the caller's version calls an update.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use rpc_core::HandlerError;

use crate::conversion::{Conversion, ConversionError, Convert, Unconvertible, Version};
use crate::stream::{Guarded, Map};

/// A handler's stream of updates, apart from its type.
pub(crate) type Source<U> = Pin<Box<dyn Stream<Item = Result<U, HandlerError>> + Send>>;

/// The handler's updates, whole, as a raw form gets them: a [`Stream`].
pub struct Updates<U> {
    /// Gone once it has ended. Nobody ever locks it: it is there so that what is made of this can be
    /// shared.
    source: Mutex<Option<Source<U>>>,
    /// What ended the handler's stream before its end: told when the raw form's stream has ended.
    failure: Shared,
}

/// How a handler's stream fails. It is none of a conversion, so its panic passes by the raw form's guard.
enum Failure {
    Raised(HandlerError),
    Panicked(Box<dyn Any + Send>),
}

type Shared = Arc<Mutex<Option<Failure>>>;

impl<U> Updates<U> {
    /// The next update; `None` at the end.
    ///
    /// # Cancel safety
    /// No update is lost by dropping the future.
    pub async fn next(&mut self) -> Option<U> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<U> Stream for Updates<U> {
    type Item = U;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<U>> {
        let this = self.get_mut();
        let source = this.source.get_mut();
        let source = source.unwrap_or_else(PoisonError::into_inner);
        let Some(updates) = source else {
            return Poll::Ready(None);
        };
        let polled = catch_unwind(AssertUnwindSafe(|| updates.as_mut().poll_next(cx)));
        let failure = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Some(Ok(update)))) => return Poll::Ready(Some(update)),
            Ok(Poll::Ready(Some(Err(error)))) => Some(Failure::Raised(error)),
            Ok(Poll::Ready(None)) => None,
            Err(panic) => Some(Failure::Panicked(panic)),
        };
        *source = None;
        *lock(&this.failure) = failure;
        Poll::Ready(None)
    }
}

impl<U> fmt::Debug for Updates<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates").finish_non_exhaustive()
    }
}

/// A stream that does not fail.
pub(super) fn infallible<U: Send + 'static>(
    updates: impl Stream<Item = U> + Send + 'static,
) -> Source<U> {
    Box::pin(Map::new(Box::pin(updates), Ok))
}

/// Converts update by update. The first that fails ends the stream (rule V-CE-6, decision 8).
pub(super) fn converted<U: 'static, U1: 'static>(
    updates: Source<U>,
    version: Version,
    conversion: Conversion,
    convert: impl Convert<U, U1>,
) -> impl Stream<Item = Result<U1, HandlerError>> + Send {
    Map::new(updates, move |update: Result<U, _>| {
        let update = update?;
        let converted = version.run(conversion, || convert(update));
        converted.map_err(ConversionError::raise)
    })
}

/// Converts the stream as a whole.
pub(super) fn raw<U, U1, St>(
    updates: Source<U>,
    version: Version,
    conversion: Conversion,
    convert: impl FnOnce(Updates<U>) -> Result<St, Unconvertible>,
) -> Result<Whole<St>, HandlerError>
where
    St: Stream<Item = Result<U1, Unconvertible>> + Send + 'static,
{
    let failure = Shared::default();
    let updates = Updates {
        source: Mutex::new(Some(updates)),
        failure: failure.clone(),
    };
    let converted = version.run(conversion, || convert(updates));
    Ok(Whole {
        updates: Guarded::new(
            converted.map_err(ConversionError::raise)?,
            version,
            conversion,
        ),
        failure,
    })
}

/// What a raw form made of the updates, and then what ended those.
pub(super) struct Whole<St> {
    updates: Guarded<St>,
    failure: Shared,
}

impl<St> Unpin for Whole<St> {}

impl<U1, St: Stream<Item = Result<U1, Unconvertible>>> Stream for Whole<St> {
    type Item = Result<U1, HandlerError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        Poll::Ready(match ready!(Pin::new(&mut this.updates).poll_next(cx)) {
            Some(update) => Some(update.map_err(ConversionError::raise)),
            None => {
                let failure = lock(&this.failure).take();
                failure.map(|failure| match failure {
                    Failure::Raised(error) => Err(error),
                    Failure::Panicked(panic) => resume_unwind(panic),
                })
            }
        })
    }
}

fn lock(failure: &Shared) -> MutexGuard<'_, Option<Failure>> {
    failure.lock().unwrap_or_else(PoisonError::into_inner)
}
