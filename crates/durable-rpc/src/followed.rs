//! The present state, and whether it is: for whoever wants no events.

mod current;
mod folding;

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use thiserror::Error as ThisError;
use tokio::sync::watch;

use crate::monitor::Monitor;
use crate::subscription::Subscription;
use crate::task::Task;
use folding::Folding;

pub use current::{Current, CurrentRef, Freshness};

/// The state that a subscription's updates are folded into: see [`Subscription::follow`]. Cheap to
/// clone; when the last clone is dropped, the subscription is closed.
pub struct Followed<S> {
    current: watch::Receiver<Current<S>>,
    _task: Arc<Task>,
    monitor: Monitor,
}

/// What became of an update.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Applied {
    /// It is part of the state now.
    Fits,
    /// It does not belong to this state, and nor does anything after it: the state is stale from
    /// now on, the stream is given up, and the subscription is made again. Whatever the function
    /// has made of the state stays until the next one.
    Refused(Arc<dyn Error + Send + Sync>),
}

/// Nothing more is to come: the subscription has
/// [given up](crate::Retry::give_up_after), or its runtime is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[error("the subscription has ended")]
pub struct SubscriptionEnded;

impl<S, U, E, M> Subscription<S, U, E, M>
where
    S: Send + Sync + 'static,
    U: Send + 'static,
    E: Send + 'static,
    M: Send + 'static,
{
    /// Folds each stream's updates into its state by `apply`, and hands out the state as it is
    /// now. The reference has no such thing; most users need nothing else.
    ///
    /// `apply` changes the state in place, while nobody looks at it; it should be quick, and must
    /// not look at the result of this function. Its own result is `()`, or one that says that the
    /// update [does not fit](Applied::Refused); so does a panic. A state that it has begun is
    /// always continued by exactly the updates that follow it.
    ///
    /// Must be called within a tokio runtime: there is a task, which makes attempts and takes
    /// updates as they come.
    ///
    /// ```
    /// # use durable_rpc::{Followed, SubscriptionEnded, state::Subscription};
    /// async fn show(counts: Subscription<i64, i64, String>) -> Result<(), SubscriptionEnded> {
    ///     let mut count = counts.follow(|count, increment| *count += increment);
    ///     loop {
    ///         count.changed().await?;
    ///         let now = count.borrow();
    ///         match now.state() {
    ///             Some(n) if now.is_fresh() => println!("{n}"),
    ///             Some(n) => println!("it was {n}"),
    ///             None => println!("not known yet"),
    ///         }
    ///     }
    /// }
    /// # let _ = show;
    /// ```
    pub fn follow<A: Into<Applied>>(
        self,
        mut apply: impl FnMut(&mut S, U) -> A + Send + 'static,
    ) -> Followed<S> {
        let monitor = self.monitor();
        let current = Current::unknown(monitor.clock().now());
        let (sender, current) = watch::channel(current);
        let apply_all = move |state: &mut S, updates: &mut VecDeque<U>, fitting: &mut u64| {
            for update in updates.drain(..) {
                match apply(state, update).into() {
                    Applied::Fits => *fitting += 1,
                    refused @ Applied::Refused(_) => return refused,
                }
            }
            Applied::Fits
        };
        let task = Task::spawn(Folding::new(self, sender, Box::new(apply_all)).run());
        Followed {
            current,
            _task: Arc::new(task),
            monitor,
        }
    }
}

impl<S> Followed<S> {
    /// The state as it is now. Nothing is folded in while this is held: let go of it before any
    /// await, and do not look twice at once.
    pub fn borrow(&self) -> CurrentRef<'_, S> {
        CurrentRef::new(self.current.borrow())
    }

    /// Waits until the state or its freshness has changed since this was last waited for; possibly
    /// more than once. Only the latest is kept: who is slow sees fewer states, and never an old one.
    ///
    /// # Cancel safety
    /// No change is lost by dropping the future.
    ///
    /// # Errors
    /// Nothing will change any more.
    pub async fn changed(&mut self) -> Result<(), SubscriptionEnded> {
        self.current.changed().await.map_err(|_| SubscriptionEnded)
    }

    /// Waits until the state is fresh, unless it is.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    ///
    /// # Errors
    /// It never will be.
    pub async fn fresh(&mut self) -> Result<CurrentRef<'_, S>, SubscriptionEnded> {
        let fresh = self.current.wait_for(Current::is_fresh).await;
        fresh.map(CurrentRef::new).map_err(|_| SubscriptionEnded)
    }

    /// What tells what the subscription is doing.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }
}

impl From<()> for Applied {
    fn from((): ()) -> Self {
        Self::Fits
    }
}

impl<E: Error + Send + Sync + 'static> From<Result<(), E>> for Applied {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::Fits,
            Err(error) => Self::Refused(Arc::new(error)),
        }
    }
}

impl<S> Clone for Followed<S> {
    fn clone(&self) -> Self {
        Self {
            current: self.current.clone(),
            _task: self._task.clone(),
            monitor: self.monitor.clone(),
        }
    }
}

impl<S> fmt::Debug for Followed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Followed")
            .field("freshness", self.current.borrow().freshness())
            .field("monitor", &self.monitor)
            .finish_non_exhaustive()
    }
}
