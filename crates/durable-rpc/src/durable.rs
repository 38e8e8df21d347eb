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

mod build;
mod error;
mod intact;

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::listeners::Listening;
use build::{Build, BuildGuard, boxed, caught, failed};
use intact::Findings;

pub(crate) use build::panic_text;
pub use error::BuildError;
pub use intact::Intactness;

/// A value of type `T` that is rebuilt when somebody uses it and finds it broken.
///
/// Cheap to clone; the clones share the value and its builds. `T` is handed out by cloning, so it
/// is something like a [`Connection`](rpc_core::Connection). When the last clone is dropped, so is
/// the value; a build that is going on then is finished first.
pub struct Durable<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    create: Box<dyn Fn() -> Build<T> + Send + Sync>,
    rebuild: Option<Box<dyn Fn(T) -> Build<T> + Send + Sync>>,
    is_broken: Box<dyn Fn(&T) -> bool + Send + Sync>,
    slot: Mutex<Slot<T>>,
    findings: Findings,
}

struct Slot<T> {
    state: State<T>,
    /// What was found last (rule D-IN-1).
    was_intact: bool,
}

enum State<T> {
    Void,
    Building(watch::Receiver<Option<Result<T, BuildError>>>),
    Built(T),
    Closed,
}

impl<T: Clone + Send + Sync + 'static> Durable<T> {
    /// A value that `create` makes, and that is made again once `is_broken` says so. Nothing else
    /// happens before the first use (rule D-DU-1).
    ///
    /// `is_broken` is asked at every use, under a lock: it is a quick look at the value, and must
    /// not use the durable value itself.
    ///
    /// How long a build may take is up to `create`: while it goes on, every use waits for it.
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
        Self::new(create, is_broken).built_or_failed().await
    }

    /// The same with a function that makes a new value from a broken one, as in
    /// [`with_rebuild`](Self::with_rebuild).
    ///
    /// # Cancel safety
    /// Dropping the future drops that of `create`.
    ///
    /// # Errors
    /// As those of [`create_or_fail`](Self::create_or_fail).
    pub async fn create_or_fail_with_rebuild<Fut, E, Again, E2>(
        create: impl Fn() -> Fut + Send + Sync + 'static,
        rebuild: impl Fn(T) -> Again + Send + Sync + 'static,
        is_broken: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Result<Self, BuildError>
    where
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Error + Send + Sync + 'static,
        Again: Future<Output = Result<T, E2>> + Send + 'static,
        E2: Error + Send + Sync + 'static,
    {
        let durable = Self::with_rebuild(create, rebuild, is_broken);
        durable.built_or_failed().await
    }

    /// The first build, which nobody else can wait for.
    async fn built_or_failed(self) -> Result<Self, BuildError> {
        let built = caught(|| (self.inner.create)());
        let value = built.await?;
        self.inner.built(State::Built(value.clone()));
        match self.inner.check(&value) {
            Ok(()) => Ok(self),
            Err(_) => Err(BuildError::InitiallyBroken),
        }
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
                slot: Mutex::new(Slot {
                    state: State::Void,
                    was_intact: false,
                }),
                findings: Findings::new(),
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
        self.inner.check(&value)?;
        Ok(function(value).await)
    }

    /// Whether the value is intact, as the last use found it, for whoever wants to look or to wait
    /// for a change.
    pub fn intactness(&self) -> Intactness {
        self.inner.findings.watch()
    }

    /// Calls `listener` with *true* when a use finds the value intact and with *false* when one
    /// finds it broken, each time that changes, until the result is dropped. A use that finds it
    /// broken and rebuilds it tells both (rules D-IN-1 to D-IN-3). If something has been told
    /// before, the last of it is told at once (rule D-IN-4).
    ///
    /// The listener runs where the value is used, and should be quick. It may use the value; what
    /// that finds is told afterwards. If it panics, that is logged, and concerns nobody else.
    pub fn on_intactness(&self, listener: impl Fn(bool) + Send + Sync + 'static) -> Listening {
        let listener = move |is_intact: &bool| listener(*is_intact);
        self.inner.findings.listeners.subscribe(listener)
    }

    /// Ends the value: it is forgotten, and every use fails from now on, of all clones. A use that
    /// has got the value keeps it; a build that is going on is finished, and its value dropped.
    /// Subscriptions that use the value go on failing to connect. Twice has no further effect.
    ///
    /// The reference has no such thing: there a value lives as long as somebody knows it.
    pub fn close(&self) {
        let before = std::mem::replace(&mut self.inner.lock().state, State::Closed);
        drop(before);
    }

    async fn obtain(&self) -> Result<T, BuildError> {
        let mut building = match self.value_or_build() {
            Found::Intact(value) => return Ok(value),
            Found::Building(building) => building,
            Found::Closed => return Err(BuildError::Closed),
        };
        let built = building.wait_for(Option::is_some).await;
        // The task that builds always leaves a result, unless its runtime went away.
        let built = built.map_err(|_| BuildError::Aborted)?;
        built.clone().unwrap_or(Err(BuildError::Aborted))
    }

    /// The intact value, or what to wait for. Starts a build if none is going on.
    fn value_or_build(&self) -> Found<T> {
        let mut slot = self.inner.lock();
        let old = match &slot.state {
            State::Closed => return Found::Closed,
            State::Building(building) if building.has_changed().is_ok() => {
                return Found::Building(building.clone());
            }
            State::Built(value) => {
                let value = value.clone();
                let is_intact = !(self.inner.is_broken)(&value);
                self.inner.found(&mut slot, is_intact);
                if is_intact {
                    drop(slot);
                    self.inner.findings.listeners.tell();
                    return Found::Intact(value);
                }
                Some(value)
            }
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
        let before = std::mem::replace(&mut slot.state, State::Building(building.clone()));
        drop(slot);
        drop(before);
        self.inner.findings.listeners.tell();
        Found::Building(building)
    }
}

/// What a use begins with.
enum Found<T> {
    Intact(T),
    Building(watch::Receiver<Option<Result<T, BuildError>>>),
    Closed,
}

impl<T> Inner<T> {
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The test right before the use (rule D-DU-3).
    fn check(&self, value: &T) -> Result<(), BuildError> {
        let mut slot = self.lock();
        if let State::Closed = slot.state {
            return Err(BuildError::Closed);
        }
        let is_intact = !(self.is_broken)(value);
        self.found(&mut slot, is_intact);
        drop(slot);
        self.findings.listeners.tell();
        if is_intact {
            Ok(())
        } else {
            Err(BuildError::BrokenAtOnce)
        }
    }

    /// Told when the lock is free.
    fn found(&self, slot: &mut Slot<T>, is_intact: bool) {
        if std::mem::replace(&mut slot.was_intact, is_intact) != is_intact {
            self.findings.listeners.note(is_intact);
        }
    }

    /// A build has ended. The state before is dropped when the lock is free: the value's destructor
    /// is the user's.
    fn built(&self, state: State<T>) {
        let mut slot = self.lock();
        let before = match slot.state {
            State::Closed => state,
            State::Void | State::Building(_) | State::Built(_) => {
                std::mem::replace(&mut slot.state, state)
            }
        };
        drop(slot);
        drop(before);
    }
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
        let state = match &self.inner.lock().state {
            State::Void => "void",
            State::Building(_) => "building",
            State::Built(_) => "built",
            State::Closed => "closed",
        };
        f.debug_struct("Durable")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
