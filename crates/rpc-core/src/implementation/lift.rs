//! From the connection's state to the state of one handler, for one query (*rpcs* §13).
//!
//! A handler asks its [`Source`] for the state once it knows that it will run: an abort and an
//! undecodable query lift nothing. Lifts nest: each asks the next outer one first, so that the
//! outermost is the first to run, and the first failure decides (rule R-AU-3).

use std::ops::Deref;
use std::sync::Arc;

use super::Implementation;
use super::handler::{BoxFuture, Handler, HandlerKind, Received, Started};
use crate::connection::query_run::QueryRun;
use crate::error::{Failure, HandlerError};
use crate::query_context::QueryContext;
use crate::shapes::Types;

/// The state of each query is made from a wider one, in the end from the connection's, by a
/// function that runs for every query that is answered: not once for a connection, and not for
/// aborts or undecodable queries (rule R-AU-1).
///
/// The last lift added is the first to run; the first that fails decides, and neither those
/// inside it nor the handler run (rule R-AU-3). Deferred lifts lose the order of [what answers at
/// once](crate#ordering): a later query may overtake (rule R-AU-4). A lifting function that
/// panics counts as a handler that does (rule R-AU-6).
///
/// `Result` and `Option` combine what is needed to authorize: `?` and `and_then` to demand several
/// things, `or_else` for alternatives.
impl<S: Send + 'static> Implementation<S> {
    /// For connections whose state is `W`: the state is lifted by a function that cannot fail.
    #[must_use]
    pub fn lift<W: Send + 'static>(
        self,
        lift: impl Fn(&W, &QueryContext<'_>) -> S + Send + Sync + 'static,
    ) -> Implementation<W> {
        self.try_lift(move |state, context| Ok(lift(state, context)))
    }

    /// The same by a function that can fail: the caller is answered *Lift_error* (below version
    /// 5 a substitute for it, rule C-OP-6).
    #[must_use]
    pub fn try_lift<W: Send + 'static>(
        self,
        lift: impl Fn(&W, &QueryContext<'_>) -> Result<S, HandlerError> + Send + Sync + 'static,
    ) -> Implementation<W> {
        self.lifted_by(at_once(lift, Failure::NotLifted))
    }

    /// The same by a function that can refuse: the caller is answered *Authorization_failure*
    /// (below version 3 *Uncaught_exn*, rule C-OP-6). A one-way message is ignored then
    /// (rule R-OW-3).
    #[must_use]
    pub fn authorize<W: Send + 'static>(
        self,
        lift: impl Fn(&W, &QueryContext<'_>) -> Result<S, HandlerError> + Send + Sync + 'static,
    ) -> Implementation<W> {
        self.lifted_by(at_once(lift, Failure::NotAuthorized))
    }

    /// [`lift`](Self::lift) by a function that may suspend.
    #[must_use]
    pub fn lift_async<W, Fut>(
        self,
        lift: impl Fn(&W, &QueryContext<'_>) -> Fut + Send + Sync + 'static,
    ) -> Implementation<W>
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
        self,
        lift: impl Fn(&W, &QueryContext<'_>) -> Fut + Send + Sync + 'static,
    ) -> Implementation<W>
    where
        W: Send + 'static,
        Fut: Future<Output = Result<S, HandlerError>> + Send + 'static,
    {
        self.lifted_by(deferred(lift, Failure::NotLifted))
    }

    /// [`authorize`](Self::authorize) by a function that may suspend.
    #[must_use]
    pub fn authorize_async<W, Fut>(
        self,
        lift: impl Fn(&W, &QueryContext<'_>) -> Fut + Send + Sync + 'static,
    ) -> Implementation<W>
    where
        W: Send + 'static,
        Fut: Future<Output = Result<S, HandlerError>> + Send + 'static,
    {
        self.lifted_by(deferred(lift, Failure::NotAuthorized))
    }
}

/// Where a handler gets the state for one query.
pub(crate) trait Source<S> {
    /// Runs the lifting functions. Their panics come out of here (rule R-AU-6).
    fn give(&self, query: &Received<'_>) -> Given<'_, S>;

    /// The state, if it is there for every query, whichever it is.
    fn own(&self) -> Option<&S> {
        None
    }
}

/// The state for one query.
pub(crate) enum Given<'a, S> {
    Now(Now<'a, S>),
    Refused(HandlerError),
    /// A deferred lift: to be awaited.
    Later(BoxFuture<Result<S, HandlerError>>),
}

/// A state that is there.
pub(crate) enum Now<'a, S> {
    /// The connection's own.
    Borrowed(&'a S),
    /// Made for this query.
    Lifted(S),
}

impl<S> Deref for Now<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        match self {
            Self::Borrowed(state) => state,
            Self::Lifted(state) => state,
        }
    }
}

impl<S: Send + 'static> Given<'_, S> {
    /// The future of a handler that takes the state and a query, unless it is not to run.
    pub(crate) fn run<F, Q, Fut, R>(
        self,
        handler: &Arc<F>,
        query: Q,
    ) -> Result<BoxFuture<Result<R, HandlerError>>, HandlerError>
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        Q: Send + 'static,
    {
        match self {
            Self::Now(state) => Ok(Box::pin(handler(&state, query))),
            Self::Refused(error) => Err(error),
            Self::Later(state) => {
                let handler = handler.clone();
                Ok(Box::pin(async move {
                    let state = state.await?;
                    let running = handler(&state, query);
                    drop(state);
                    running.await
                }))
            }
        }
    }
}

/// The connection's state, which is there for every query.
pub(crate) struct Own<'a, S>(pub(crate) &'a S);

impl<S> Source<S> for Own<'_, S> {
    #[inline]
    fn give(&self, _: &Received<'_>) -> Given<'_, S> {
        Given::Now(Now::Borrowed(self.0))
    }

    fn own(&self) -> Option<&S> {
        Some(self.0)
    }
}

/// What one lifting function made of the state.
pub(crate) enum Lifted<T> {
    Now(Result<T, HandlerError>),
    Later(BoxFuture<Result<T, HandlerError>>),
}

/// A lifting function from `W` to the narrower `S`.
pub(crate) type Lift<W, S> = dyn Fn(&W, &QueryContext<'_>) -> Lifted<S> + Send + Sync;

/// A handler that was made for the state `S`, for connections whose state is `W`.
pub(crate) struct LiftedHandler<W, S> {
    handler: Arc<dyn Handler<S>>,
    lift: Arc<Lift<W, S>>,
}

impl<W, S> LiftedHandler<W, S> {
    pub(crate) fn new(handler: Arc<dyn Handler<S>>, lift: Arc<Lift<W, S>>) -> Self {
        Self { handler, lift }
    }
}

impl<W: Send + 'static, S: Send + 'static> Handler<W> for LiftedHandler<W, S> {
    fn handle(&self, state: &dyn Source<W>, query: &Received<'_>) -> Started {
        let narrower = Narrower {
            outer: state,
            lift: &self.lift,
        };
        self.handler.handle(&narrower, query)
    }

    fn handle_run(&self, state: &dyn Source<W>, run: &mut QueryRun<'_>) -> Started {
        let narrower = Narrower {
            outer: state,
            lift: &self.lift,
        };
        self.handler.handle_run(&narrower, run)
    }

    fn kind(&self) -> HandlerKind {
        self.handler.kind()
    }

    fn types(&self) -> Types {
        self.handler.types()
    }
}

struct Narrower<'a, W, S> {
    outer: &'a dyn Source<W>,
    lift: &'a Arc<Lift<W, S>>,
}

impl<W: Send + 'static, S: Send + 'static> Source<S> for Narrower<'_, W, S> {
    fn give(&self, query: &Received<'_>) -> Given<'_, S> {
        let outer = match self.outer.give(query) {
            Given::Now(outer) => outer,
            Given::Refused(error) => return Given::Refused(error),
            Given::Later(outer) => {
                let (lift, context) = (self.lift.clone(), query.context.keep());
                return Given::Later(Box::pin(async move {
                    let outer = outer.await?;
                    let lifted = lift(&outer, &context.borrow());
                    drop(outer);
                    match lifted {
                        Lifted::Now(state) => state,
                        Lifted::Later(state) => state.await,
                    }
                }));
            }
        };
        match (self.lift)(&outer, &query.context) {
            Lifted::Now(Ok(state)) => Given::Now(Now::Lifted(state)),
            Lifted::Now(Err(error)) => Given::Refused(error),
            Lifted::Later(state) => Given::Later(state),
        }
    }
}

/// A lift that is there at once. What it fails with is a `failure`.
pub(crate) fn at_once<W, S>(
    lift: impl Fn(&W, &QueryContext<'_>) -> Result<S, HandlerError> + Send + Sync + 'static,
    failure: Failure,
) -> Arc<Lift<W, S>> {
    Arc::new(move |outer, context| {
        let state = lift(outer, context);
        Lifted::Now(state.map_err(|error| error.into_failure(failure)))
    })
}

/// The same of a deferred lift.
pub(crate) fn deferred<W, S, Fut>(
    lift: impl Fn(&W, &QueryContext<'_>) -> Fut + Send + Sync + 'static,
    failure: Failure,
) -> Arc<Lift<W, S>>
where
    Fut: Future<Output = Result<S, HandlerError>> + Send + 'static,
{
    Arc::new(move |outer, context| {
        let state = lift(outer, context);
        Lifted::Later(Box::pin(async move {
            state.await.map_err(|error| error.into_failure(failure))
        }))
    })
}
