//! Lifting a whole table: every implementation, and what unknown RPCs are answered with.

use std::sync::Arc;

use super::Implementations;
use crate::error::{Failure, HandlerError};
use crate::implementation::lift::{self, Lift};
use crate::query_context::QueryContext;

/// The state of each query is made from a wider one, for every implementation of the table as
/// [`Implementation`](crate::Implementation) does it for one, and for the functions of
/// [`OnUnknownRpc`](crate::OnUnknownRpc) (rule R-UN-6). The menu RPC stays available
/// (rule R-AU-7).
impl<S: Send + 'static> Implementations<S> {
    /// For connections whose state is `W`: the state is lifted by a function that cannot fail.
    #[must_use]
    pub fn lift<W: Send + 'static>(
        &self,
        lift: impl Fn(&W, &QueryContext<'_>) -> S + Send + Sync + 'static,
    ) -> Implementations<W> {
        self.try_lift(move |state, context| Ok(lift(state, context)))
    }

    /// The same by a function that can fail: the caller is answered *Lift_error*.
    #[must_use]
    pub fn try_lift<W: Send + 'static>(
        &self,
        lift: impl Fn(&W, &QueryContext<'_>) -> Result<S, HandlerError> + Send + Sync + 'static,
    ) -> Implementations<W> {
        self.lifted_by(lift::at_once(lift, Failure::NotLifted))
    }

    /// The same by a function that can refuse: the caller is answered *Authorization_failure*.
    #[must_use]
    pub fn authorize<W: Send + 'static>(
        &self,
        lift: impl Fn(&W, &QueryContext<'_>) -> Result<S, HandlerError> + Send + Sync + 'static,
    ) -> Implementations<W> {
        self.lifted_by(lift::at_once(lift, Failure::NotAuthorized))
    }

    /// [`lift`](Self::lift) by a function that may suspend.
    #[must_use]
    pub fn lift_async<W, Fut>(
        &self,
        lift: impl Fn(&W, &QueryContext<'_>) -> Fut + Send + Sync + 'static,
    ) -> Implementations<W>
    where
        W: Send + 'static,
        Fut: Future<Output = S> + Send + 'static,
    {
        self.try_lift_async(move |state, context| {
            let lifted = lift(state, context);
            async move { Ok(lifted.await) }
        })
    }

    /// [`try_lift`](Self::try_lift) by a function that may suspend.
    #[must_use]
    pub fn try_lift_async<W, Fut>(
        &self,
        lift: impl Fn(&W, &QueryContext<'_>) -> Fut + Send + Sync + 'static,
    ) -> Implementations<W>
    where
        W: Send + 'static,
        Fut: Future<Output = Result<S, HandlerError>> + Send + 'static,
    {
        self.lifted_by(lift::deferred(lift, Failure::NotLifted))
    }

    /// [`authorize`](Self::authorize) by a function that may suspend.
    #[must_use]
    pub fn authorize_async<W, Fut>(
        &self,
        lift: impl Fn(&W, &QueryContext<'_>) -> Fut + Send + Sync + 'static,
    ) -> Implementations<W>
    where
        W: Send + 'static,
        Fut: Future<Output = Result<S, HandlerError>> + Send + 'static,
    {
        self.lifted_by(lift::deferred(lift, Failure::NotAuthorized))
    }

    fn lifted_by<W: Send + 'static>(&self, lift: Arc<Lift<W, S>>) -> Implementations<W> {
        let (unknown, exception) = self.policies();
        let entries = self.iter().cloned();
        let entries = entries.map(|entry| entry.lifted_by(lift.clone())).collect();
        Implementations::from_sorted(entries, unknown.lifted_by(lift.clone()), exception)
    }
}
