//! A one-way RPC: nothing is ever sent in answer (rule R-OW-1).

use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rpc_wire::RpcError;

use super::Call;
use super::handler::{
    Handler, HandlerKind, Polled, Received, Running, Started, Stop, caught, or_panic, poll_at_once,
    poll_running,
};
use super::lift::{Given, Source};
use super::slot::{Ran, Slot};
use crate::connection::query_run::QueryRun;
use crate::error::{Failure, HandlerError, failure, located};
use crate::on_exception::Raised;
use crate::payload::{self, Codec, Undecodable};
use crate::shapes::Types;
use crate::tracing_event::SentResponse;

const QUERY_LOCATION: &str = "server-side one-way rpc message un-bin-io'ing";

pub(crate) struct OneWayHandler<F, Q, C> {
    handler: Arc<F>,
    types: PhantomData<fn(Q, C)>,
}

impl<F, Q, C> OneWayHandler<F, Q, C> {
    pub(crate) fn new(handler: F) -> Self {
        Self {
            handler: Arc::new(handler),
            types: PhantomData,
        }
    }
}

impl<S, F, Fut, Q, C> Handler<S> for OneWayHandler<F, Q, C>
where
    S: Send + 'static,
    F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
    Q: Send + 'static,
    C: Codec<Q>,
{
    fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started {
        let (mut slot, mut decoding) = (Slot::default(), false);
        let handled = catch_unwind(AssertUnwindSafe(|| {
            self.take(None, state, query, &mut slot, &mut decoding)
        }));
        match handled.unwrap_or_else(|panic| Err(Unfinished::panicked(&*panic, decoding))) {
            Ok(()) => Started::Done,
            Err(unfinished) => unfinished.go_on(query),
        }
    }

    fn handle_run(&self, state: &dyn Source<S>, run: &mut QueryRun<'_>) -> Started {
        let (own, mut slot) = (state.own(), Slot::default());
        loop {
            let mut decoding = false;
            // One look for panics for all of them that are as they should be.
            let handled = catch_unwind(AssertUnwindSafe(|| {
                while let Some(query) = run.next() {
                    self.take(own, state, &query, &mut slot, &mut decoding)?;
                }
                Ok(())
            }));
            let handled =
                handled.unwrap_or_else(|panic| Err(Unfinished::panicked(&*panic, decoding)));
            let Err(unfinished) = handled else {
                return Started::Done;
            };
            let started = unfinished.go_on(&run.last());
            if !matches!(started, Started::Done) {
                return started;
            }
        }
    }

    fn kind(&self) -> HandlerKind {
        HandlerKind::OneWay
    }

    fn types(&self) -> Types {
        Types::one_way::<Q, C>()
    }
}

impl<F, Q, C> OneWayHandler<F, Q, C> {
    /// Takes one message; its handler runs in `slot`. The caller looks for panics, and finds in
    /// `decoding` whose one is.
    ///
    /// Inlined always: a part of the loop over a run, it is handed nothing through memory.
    #[inline(always)]
    fn take<S, Fut>(
        &self,
        own: Option<&S>,
        state: &dyn Source<S>,
        query: &Received<'_>,
        slot: &mut Slot<Fut>,
        decoding: &mut bool,
    ) -> Result<(), Unfinished>
    where
        S: Send + 'static,
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
        Q: Send + 'static,
        C: Codec<Q>,
    {
        *decoding = true;
        let message = payload::read_unguarded(query.data, C::read);
        *decoding = false;
        let message = message.map_err(Unfinished::Undecodable)?;
        let running = match own {
            Some(state) => (self.handler)(state, message),
            None => match state.give(query) {
                Given::Now(state) => {
                    let running = (self.handler)(&state, message);
                    // As for a plain RPC.
                    drop(state);
                    running
                }
                given => {
                    let polled = given.run(&self.handler, message).and_then(poll_running);
                    return Err(Unfinished::Ran(polled));
                }
            },
        };
        match slot.run(running) {
            Ran::Over(Ok(())) => {
                query.call().tell(SentResponse::OneWaySoNoResponse);
                Ok(())
            }
            Ran::Over(Err(error)) => Err(Unfinished::Ran(Err(error))),
            Ran::Suspended(running) => {
                let running = Polled::Suspended(Box::pin(running));
                Err(Unfinished::Ran(Ok(running)))
            }
        }
    }
}

/// What there is more to be done about than about most messages.
enum Unfinished {
    Undecodable(Undecodable),
    /// How far its handler has come, which nobody has been told.
    Ran(Result<Polled<()>, HandlerError>),
}

impl Unfinished {
    /// The decoder of a message has panicked, or its handler.
    #[cold]
    fn panicked(panic: &(dyn Any + Send), decoding: bool) -> Self {
        let error = HandlerError::from_panic(panic);
        if decoding {
            Self::Undecodable(payload::panicked(&error))
        } else {
            Self::Ran(Err(error))
        }
    }

    #[cold]
    fn go_on(self, query: &Received<'_>) -> Started {
        match self {
            Self::Undecodable(error) => undecodable(query, &error),
            Self::Ran(polled) => go_on(query.call(), HandlerKind::OneWay, polled),
        }
    }
}

/// A message could not be decoded. Nobody waits who could be told: the connection ends
/// (rule R-OW-2).
fn undecodable(query: &Received<'_>, error: &Undecodable) -> Started {
    let shared = query.call().shared();
    shared.keep_undecodable(QUERY_LOCATION, error, query.data);
    let error = located(QUERY_LOCATION, failure(error));
    Started::Stop(Stop::Failed(RpcError::BinIoExn(error).to_sexp()))
}

/// Runs a handler whose failure must not become an answer.
pub(super) fn start(
    call: &Call,
    kind: HandlerKind,
    run: impl FnOnce() -> Result<Running<()>, HandlerError>,
) -> Started {
    go_on(call, kind, poll_at_once(run))
}

fn go_on(call: &Call, kind: HandlerKind, polled: Result<Polled<()>, HandlerError>) -> Started {
    // Told of even if it failed or goes on (rules T-S8, T-S10).
    call.tell(SentResponse::OneWaySoNoResponse);
    match polled {
        Ok(Polled::Over(())) => Started::Done,
        Ok(Polled::Suspended(running)) => Started::Task {
            future: Box::pin(finish(call.clone(), kind, running)),
            stream: None,
        },
        Err(error) => failed_at_once(call, kind, error).into(),
    }
}

/// A failure concerns nobody but this side, unless the policy says so (rule R-OW-4).
fn failed_at_once(call: &Call, kind: HandlerKind, error: HandlerError) -> Option<Stop> {
    if is_refusal(call, &error) {
        return None;
    }
    let error = located(kind.computation(), error.into_sexp());
    let policy = call.on_exception();
    if policy.closes_connection() {
        return Some(Stop::Failed(RpcError::UncaughtExn(error).to_sexp()));
    }
    policy.act(call, Raised::BeforeReturn, error)
}

/// Once the handler has suspended, its failure is one in the background (rule R-OW-5).
async fn finish(call: Call, kind: HandlerKind, running: Running<()>) -> Option<Stop> {
    let error = or_panic(caught(running).await).err()?;
    if is_refusal(&call, &error) {
        return None;
    }
    let error = located(kind.computation(), error.into_sexp());
    call.on_exception().act(&call, Raised::InBackground, error)
}

/// A message that was refused is ignored (rule R-OW-3).
fn is_refusal(call: &Call, error: &HandlerError) -> bool {
    let refused = error.failure() != Failure::Raised;
    if refused {
        let connection = &call.shared().description;
        tracing::debug!(connection, rpc = %call.rpc(), %error, "one-way message refused");
    }
    refused
}
