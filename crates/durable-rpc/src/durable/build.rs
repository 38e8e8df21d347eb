//! Building the value: the user's functions, what becomes of their panics, and what is left
//! behind however a build ends.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::watch;

use super::error::BuildError;
use super::{Inner, State};

/// A build that is going on.
pub(super) type Build<T> = Pin<Box<dyn Future<Output = Result<T, BuildError>> + Send>>;

/// Leaves a result behind, however the build ends.
pub(super) struct BuildGuard<T> {
    pub(super) inner: Arc<Inner<T>>,
    pub(super) done: watch::Sender<Option<Result<T, BuildError>>>,
}

impl<T: Clone> BuildGuard<T> {
    /// A value stays even if nobody waits any more, or it is broken already (rule D-DU-4); an
    /// error is for those who wait (rule D-DU-5).
    pub(super) fn finish(&self, result: Result<T, BuildError>) {
        let state = match &result {
            Ok(value) => State::Built(value.clone()),
            Err(_) => State::Void,
        };
        self.inner.built(state);
        self.done.send_replace(Some(result));
    }
}

impl<T> Drop for BuildGuard<T> {
    fn drop(&mut self) {
        if self.done.borrow().is_none() {
            self.inner.built(State::Void);
            self.done.send_replace(Some(Err(BuildError::Aborted)));
        }
    }
}

/// Calls a function of the user's and runs its build; a panic of either is a failed build
/// (rules D-DU-10, D-DU-11).
pub(super) async fn caught<T>(build: impl FnOnce() -> Build<T>) -> Result<T, BuildError> {
    let panicked = |panic: Box<dyn Any + Send>| BuildError::Panicked(panic_text(&*panic).into());
    let mut build = catch_unwind(AssertUnwindSafe(build)).map_err(panicked)?;
    std::future::poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| build.as_mut().poll(cx)))
            .unwrap_or_else(|panic| Poll::Ready(Err(panicked(panic))))
    })
    .await
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no text")
}

pub(super) fn boxed<T, Fut, E>(
    create: impl Fn() -> Fut + Send + Sync + 'static,
) -> Box<dyn Fn() -> Build<T> + Send + Sync>
where
    T: 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    E: Error + Send + Sync + 'static,
{
    Box::new(move || Box::pin(failed(create())))
}

pub(super) async fn failed<T, E: Error + Send + Sync + 'static>(
    build: impl Future<Output = Result<T, E>>,
) -> Result<T, BuildError> {
    build
        .await
        .map_err(|error| BuildError::Failed(Arc::new(error)))
}
