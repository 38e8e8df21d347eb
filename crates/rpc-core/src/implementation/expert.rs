//! Handlers that see the undecoded query: plain ones, which answer by a responder, and one-way
//! ones (*rpcs* §6, rule R-OW-7).

use std::sync::Arc;

use bin_prot::{Info, Sexp};
use rpc_wire::RpcError;

use super::handler::{
    Handler, HandlerKind, Polled, Received, Running, Started, Stop, caught, or_panic, poll_at_once,
};
use super::lift::{Given, Source};
use super::{Call, one_way};
use crate::connection::gate::Hold;
use crate::connection::serving::OpenQuery;
use crate::error::{HandlerError, failure, located};
use crate::on_exception::Raised;
use crate::responder::{Answered, ExpertQuery, Reply, Responder};
use crate::shapes::Types;
use crate::tracing_event::SentResponse;

const KIND: HandlerKind = HandlerKind::Expert;

pub(crate) struct Expert<F> {
    handler: Arc<F>,
    types: Types,
}

impl<F> Expert<F> {
    pub(crate) fn new(handler: F, types: Types) -> Self {
        Self {
            handler: Arc::new(handler),
            types,
        }
    }
}

impl<S, F, Fut> Handler<S> for Expert<F>
where
    S: Send + 'static,
    F: Fn(&S, ExpertQuery<'_>, Responder) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, HandlerError>> + Send + 'static,
{
    fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started {
        let raw = match undecoded(query) {
            Ok(raw) => raw,
            Err(stop) => return Started::Stop(stop),
        };
        let answering = Answering {
            call: query.call().clone(),
            answered: Arc::default(),
        };
        let responder = Responder::new(&answering.call, &answering.answered);
        let handler = self.handler.clone();
        let polled = poll_at_once(|| {
            run(state.give(query), raw, move |state, raw| {
                handler(state, raw, responder)
            })
        });
        match polled {
            Ok(Polled::Over(reply)) => answering.returned(reply),
            Ok(Polled::Suspended(running)) => {
                // The connection's other messages wait until the handler returns, and so does a
                // graceful close (rules R-EX-1, R-EX-8).
                let shared = query.call().shared();
                let until_returned = (Hold::new(shared), OpenQuery::new(shared));
                Started::Task {
                    future: Box::pin(answering.finish(running, until_returned)),
                    stream: None,
                }
            }
            Err(error) => answering.failed(error, Stop::Failed).into(),
        }
    }

    fn kind(&self) -> HandlerKind {
        KIND
    }

    fn types(&self) -> Types {
        self.types
    }
}

/// A query that an expert handler answers.
struct Answering {
    call: Call,
    answered: Arc<Answered>,
}

impl Answering {
    /// The handler has returned without suspending.
    fn returned(self, reply: Reply) -> Started {
        let reply = match reply {
            Reply::Replied => {
                self.check();
                return Started::Done;
            }
            Reply::Delayed(reply) => reply,
        };
        match poll_at_once(|| Ok(reply)) {
            Ok(Polled::Over(())) => {
                self.check();
                Started::Done
            }
            Ok(Polled::Suspended(reply)) => Started::Task {
                future: Box::pin(self.finish_reply(reply)),
                stream: None,
            },
            Err(error) => self.failed(error, Stop::Failed).into(),
        }
    }

    async fn finish(
        self,
        running: Running<Reply>,
        until_returned: (Hold, OpenQuery),
    ) -> Option<Stop> {
        let result = or_panic(caught(running).await);
        match result {
            Ok(Reply::Replied) => {
                self.check();
                None
            }
            Ok(Reply::Delayed(reply)) => {
                drop(until_returned);
                self.finish_reply(reply).await
            }
            Err(error) => self.failed(error, raised),
        }
    }

    async fn finish_reply(self, reply: Running<()>) -> Option<Stop> {
        match or_panic(caught(reply).await) {
            Ok(()) => {
                self.check();
                None
            }
            Err(error) => self.failed(error, raised),
        }
    }

    /// Nothing more will be answered by the handler: if it has not been, that is an error
    /// (rule R-EX-6).
    fn check(&self) {
        if self.answered.claim() {
            let error = failure("Expert implementation did not reply");
            let error = located(KIND.computation(), error);
            self.call.error(RpcError::UncaughtExn(error));
        } else {
            self.call.tell(SentResponse::ExpertSingleSucceededOrFailed);
        }
    }

    /// The handler failed: an answer if there has been none; otherwise the connection closes, by
    /// `stop` (rule R-EX-7).
    fn failed(&self, error: HandlerError, stop: fn(Sexp) -> Stop) -> Option<Stop> {
        if self.answered.claim() {
            return self.call.failed(KIND, error);
        }
        let error = located(KIND.computation(), error.into_sexp());
        let policy = self.call.on_exception();
        let first = policy.act(&self.call, Raised::BeforeReturn, error.clone());
        Some(first.unwrap_or_else(|| stop(error)))
    }
}

fn raised(error: Sexp) -> Stop {
    Stop::Raised(Info::Sexp(error))
}

/// A one-way handler that sees the undecoded message.
pub(crate) struct OneWayExpert<F> {
    handler: Arc<F>,
    types: Types,
}

impl<F> OneWayExpert<F> {
    pub(crate) fn new(handler: F, types: Types) -> Self {
        Self {
            handler: Arc::new(handler),
            types,
        }
    }
}

impl<S, F, Fut> Handler<S> for OneWayExpert<F>
where
    S: Send + 'static,
    F: Fn(&S, ExpertQuery<'_>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started {
        let raw = match undecoded(query) {
            Ok(raw) => raw,
            Err(stop) => return Started::Stop(stop),
        };
        let handler = self.handler.clone();
        one_way::start(query.call(), HandlerKind::OneWayExpert, || {
            run(state.give(query), raw, move |state, raw| {
                handler(state, raw)
            })
        })
    }

    fn kind(&self) -> HandlerKind {
        HandlerKind::OneWayExpert
    }

    fn types(&self) -> Types {
        self.types
    }
}

/// The query as it is. A length that passes the frame is fatal here: nobody else would notice
/// (rule C-RD-14, decision 12).
pub(crate) fn undecoded<'a>(query: &Received<'a>) -> Result<ExpertQuery<'a>, Stop> {
    match query.data.bytes() {
        Ok(bytes) => Ok(ExpertQuery {
            context: query.context,
            bytes,
        }),
        Err(error) => Err(Stop::Raised(Info::from(error.to_string()))),
    }
}

/// The future of a handler that takes the state and the undecoded query, which is copied only if
/// the state has to be waited for.
pub(crate) fn run<S, Fut, T>(
    state: Given<'_, S>,
    query: ExpertQuery<'_>,
    handler: impl FnOnce(&S, ExpertQuery<'_>) -> Fut + Send + 'static,
) -> Result<Running<T>, HandlerError>
where
    S: Send + 'static,
    Fut: Future<Output = Result<T, HandlerError>> + Send + 'static,
{
    match state {
        Given::Now(state) => Ok(Box::pin(handler(&state, query))),
        Given::Refused(error) => Err(error),
        Given::Later(state) => {
            let (context, bytes) = (query.context.keep(), query.to_bytes());
            Ok(Box::pin(async move {
                let state = state.await?;
                let running = handler(
                    &state,
                    ExpertQuery {
                        context: context.borrow(),
                        bytes: &bytes,
                    },
                );
                drop((state, context, bytes));
                running.await
            }))
        }
    }
}
