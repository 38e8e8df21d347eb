//! A value that is built when it is needed, and built again when it is found broken.
//!
//! ```text
//!            use: start create                      build ok
//!   VOID ────────────────────► BUILDING ───────────────────────► BUILT
//!     ▲                           │  ▲                             │
//!     └────── build failed ───────┘  └── use finds it broken: ─────┘
//!             (old value forgotten)      start rebuild, or create if there is none
//! ```
//!
//! Builds run in tasks of their own: dropping a use does not cancel the build that others wait
//! for (rule D-DU-9).

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::sync::watch;

/// A value of type `T` that is rebuilt when somebody uses it and finds it broken.
///
/// Cheap to clone; the clones share the value and its builds. `T` is handed out by cloning, so it
/// is something like a [`Connection`](rpc_core::Connection).
pub struct Durable<T> {
    inner: Arc<Inner<T>>,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Build<T> = BoxFuture<Result<T, BuildError>>;

struct Inner<T> {
    create: Box<dyn Fn() -> Build<T> + Send + Sync>,
    rebuild: Option<Box<dyn Fn(T) -> Build<T> + Send + Sync>>,
    is_broken: Box<dyn Fn(&T) -> bool + Send + Sync>,
    state: Mutex<State<T>>,
}

enum State<T> {
    Void,
    Building(watch::Receiver<Option<Result<T, BuildError>>>),
    Built(T),
}

/// Why a durable value could not be used.
///
/// Cheap to clone: all who wait for one build get its error.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// Creating or rebuilding the value failed.
    Failed(Arc<dyn Error + Send + Sync>),
    /// Creating or rebuilding the value panicked, with this text.
    Panicked(Arc<str>),
    /// The runtime that was building the value went away.
    Aborted,
    /// The value was broken right after it had been built (rule D-DU-3).
    BrokenAtOnce,
    /// The first value of [`Durable::create_or_fail`] was broken (rule D-DU-2).
    InitiallyBroken,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed(error) => return error.fmt(f),
            Self::Panicked(text) => {
                return write!(f, "building the durable value panicked: {text}");
            }
            Self::Aborted => "building the durable value was cut short",
            Self::BrokenAtOnce => {
                "Durable value was broken immediately after being created or rebuilt."
            }
            Self::InitiallyBroken => "Initial durable value is broken.",
        })
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its own text is shown above.
            Self::Failed(error) => error.source(),
            Self::Panicked(_) | Self::Aborted | Self::BrokenAtOnce | Self::InitiallyBroken => None,
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Durable<T> {
    /// A value that `create` makes, and that is made again once `is_broken` says so. Nothing else
    /// happens before the first use (rule D-DU-1).
    ///
    /// `is_broken` is asked at every use, under a lock: it is a quick look at the value, and must
    /// not use the durable value itself.
    pub fn new<Fut, E>(
        create: impl Fn() -> Fut + Send + Sync + 'static,
        is_broken: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Error + Send + Sync + 'static,
    {
        Self::from_parts(boxed(create), None, Box::new(is_broken))
    }

    /// The same with a function that makes a new value from a broken one. It is not asked after a
    /// failed build, which forgets the old value (rule D-DU-5).
    pub fn with_rebuild<Fut, E, Again, E2>(
        create: impl Fn() -> Fut + Send + Sync + 'static,
        rebuild: impl Fn(T) -> Again + Send + Sync + 'static,
        is_broken: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Error + Send + Sync + 'static,
        Again: Future<Output = Result<T, E2>> + Send + 'static,
        E2: Error + Send + Sync + 'static,
    {
        let rebuild = Box::new(move |old| -> Build<T> { Box::pin(failed(rebuild(old))) });
        Self::from_parts(boxed(create), Some(rebuild), Box::new(is_broken))
    }

    /// Calls `create` at once, and succeeds with a durable value that has been built
    /// (rule D-DU-2).
    ///
    /// # Cancel safety
    /// Dropping the future drops that of `create`.
    ///
    /// # Errors
    /// That of `create`, a panic included (rule D-DU-11), or [`BuildError::InitiallyBroken`].
    pub async fn create_or_fail<Fut, E>(
        create: impl Fn() -> Fut + Send + Sync + 'static,
        is_broken: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Result<Self, BuildError>
    where
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Error + Send + Sync + 'static,
    {
        let durable = Self::new(create, is_broken);
        let built = caught(|| (durable.inner.create)());
        let value = built.await?;
        if (durable.inner.is_broken)(&value) {
            return Err(BuildError::InitiallyBroken);
        }
        *durable.inner.lock() = State::Built(value);
        Ok(durable)
    }

    fn from_parts(
        create: Box<dyn Fn() -> Build<T> + Send + Sync>,
        rebuild: Option<Box<dyn Fn(T) -> Build<T> + Send + Sync>>,
        is_broken: Box<dyn Fn(&T) -> bool + Send + Sync>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                create,
                rebuild,
                is_broken,
                state: Mutex::new(State::Void),
            }),
        }
    }

    /// Obtains an intact value, building it if need be, and runs `function` with it.
    ///
    /// One use makes at most one build; there is no retrying here (rule D-DU-6). Concurrent uses
    /// share one build, and then run concurrently (rule D-DU-7). Must be called within a tokio
    /// runtime, where the build gets a task.
    ///
    /// # Cancel safety
    /// Dropping the future does not cancel a build that was started; what became of `function` is
    /// up to its future.
    ///
    /// # Errors
    /// The build failed, or the value was broken again already. `function` did not run then.
    pub async fn with<Fut: Future>(
        &self,
        function: impl FnOnce(T) -> Fut,
    ) -> Result<Fut::Output, BuildError> {
        let value = self.obtain().await?;
        if (self.inner.is_broken)(&value) {
            return Err(BuildError::BrokenAtOnce);
        }
        Ok(function(value).await)
    }

    async fn obtain(&self) -> Result<T, BuildError> {
        let mut building = match self.value_or_build() {
            Ok(value) => return Ok(value),
            Err(building) => building,
        };
        let built = building.wait_for(Option::is_some).await;
        // The task that builds always leaves a result, unless its runtime went away.
        let built = built.map_err(|_| BuildError::Aborted)?;
        built.clone().unwrap_or(Err(BuildError::Aborted))
    }

    /// The intact value, or what to wait for. Starts a build if none is going on.
    fn value_or_build(&self) -> Result<T, watch::Receiver<Option<Result<T, BuildError>>>> {
        let mut state = self.inner.lock();
        let old = match &*state {
            State::Building(building) if building.has_changed().is_ok() => {
                return Err(building.clone());
            }
            State::Built(value) if !(self.inner.is_broken)(value) => return Ok(value.clone()),
            State::Built(value) => Some(value.clone()),
            // A build whose runtime went away is none.
            State::Void | State::Building(_) => None,
        };
        let (done, building) = watch::channel(None);
        let inner = self.inner.clone();
        tokio::spawn(async move {
            let guard = BuildGuard {
                inner: inner.clone(),
                done,
            };
            let result = match (&inner.rebuild, old) {
                (Some(rebuild), Some(old)) => caught(|| rebuild(old)).await,
                (_, old) => {
                    drop(old);
                    caught(|| (inner.create)()).await
                }
            };
            guard.finish(result);
        });
        let before = std::mem::replace(&mut *state, State::Building(building.clone()));
        drop(state);
        drop(before);
        Err(building)
    }
}

impl<T> Inner<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state before is dropped when the lock is free: the value's destructor is the user's.
    fn replace(&self, state: State<T>) {
        let before = std::mem::replace(&mut *self.lock(), state);
        drop(before);
    }
}

/// Leaves a result behind, however the build ends.
struct BuildGuard<T> {
    inner: Arc<Inner<T>>,
    done: watch::Sender<Option<Result<T, BuildError>>>,
}

impl<T: Clone> BuildGuard<T> {
    /// A value stays even if nobody waits any more, or it is broken already (rule D-DU-4); an
    /// error is for those who wait (rule D-DU-5).
    fn finish(&self, result: Result<T, BuildError>) {
        let state = match &result {
            Ok(value) => State::Built(value.clone()),
            Err(_) => State::Void,
        };
        self.inner.replace(state);
        self.done.send_replace(Some(result));
    }
}

impl<T> Drop for BuildGuard<T> {
    fn drop(&mut self) {
        if self.done.borrow().is_none() {
            self.inner.replace(State::Void);
            self.done.send_replace(Some(Err(BuildError::Aborted)));
        }
    }
}

/// Calls a function of the user's and runs its build; a panic of either is a failed build
/// (rules D-DU-10, D-DU-11).
async fn caught<T>(build: impl FnOnce() -> Build<T>) -> Result<T, BuildError> {
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

fn boxed<T, Fut, E>(
    create: impl Fn() -> Fut + Send + Sync + 'static,
) -> Box<dyn Fn() -> Build<T> + Send + Sync>
where
    T: 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    E: Error + Send + Sync + 'static,
{
    Box::new(move || Box::pin(failed(create())))
}

async fn failed<T, E: Error + Send + Sync + 'static>(
    build: impl Future<Output = Result<T, E>>,
) -> Result<T, BuildError> {
    build
        .await
        .map_err(|error| BuildError::Failed(Arc::new(error)))
}

impl<T> Clone for Durable<T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<T> fmt::Debug for Durable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.inner.lock() {
            State::Void => "void",
            State::Building(_) => "building",
            State::Built(_) => "built",
        };
        f.debug_struct("Durable")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
