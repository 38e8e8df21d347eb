//! A one-way RPC: nothing is ever sent in answer (rule R-OW-1).

use std::marker::PhantomData;
use std::sync::Arc;

use rpc_wire::RpcError;

use super::Call;
use super::handler::{
    Handler, HandlerKind, Polled, Received, Running, Started, Stop, at_once, caught, or_panic,
    poll_at_once, poll_running,
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
        self.take(state, query, &mut Slot::default())
    }

    fn handle_run(&self, state: &dyn Source<S>, run: &mut QueryRun<'_>) -> Started {
        let mut slot = Slot::default();
        run.each(|query| self.take(state, query, &mut slot))
    }

    fn kind(&self) -> HandlerKind {
        HandlerKind::OneWay
    }

    fn types(&self) -> Types {
        Types::one_way::<Q, C>()
    }
}

impl<F, Q, C> OneWayHandler<F, Q, C> {
    /// Takes one message; its handler runs in `slot`.
    #[inline]
    fn take<S, Fut>(
        &self,
        state: &dyn Source<S>,
        query: &Received<'_>,
        slot: &mut Slot<Fut>,
    ) -> Started
    where
        S: Send + 'static,
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
        Q: Send + 'static,
        C: Codec<Q>,
    {
        // Decoded under the same look for panics as the handler, so that the message does not move.
        let mut decoding = Some(Ok(()));
        let polled = at_once(|| {
            let message = match payload::read_unguarded(query.data, C::read) {
                Ok(message) => message,
                Err(error) => {
                    decoding = Some(Err(error));
                    return Ok(Polled::Over(()));
                }
            };
            decoding = None;
            match state.give(query) {
                Given::Now(state) => {
                    let running = (self.handler)(&state, message);
                    // As for a plain RPC.
                    drop(state);
                    match slot.run(running) {
                        Ran::Over(result) => result.map(Polled::Over),
                        Ran::Suspended(running) => Ok(Polled::Suspended(Box::pin(running))),
                    }
                }
                given => poll_running(given.run(&self.handler, message)?),
            }
        });
        match decoding {
            None => go_on(query.call(), HandlerKind::OneWay, polled),
            Some(decoded) => undecodable(query, decoded, polled),
        }
    }
}

/// A message could not be decoded, or its decoder panicked.
#[cold]
fn undecodable(
    query: &Received<'_>,
    decoded: Result<(), Undecodable>,
    polled: Result<Polled<()>, HandlerError>,
) -> Started {
    let panicked = polled.err().map(|panic| payload::panicked(&panic));
    let Some(error) = decoded.err().or(panicked) else {
        return Started::Done;
    };
    let shared = query.call().shared();
    shared.keep_undecodable(QUERY_LOCATION, &error, query.data);
    // Nobody waits who could be told: the connection ends (rule R-OW-2).
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
