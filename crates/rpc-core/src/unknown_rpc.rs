//! Queries for what is not implemented (*rpcs* §11).

use std::fmt;
use std::sync::Arc;

use bin_prot::Info;
use rpc_wire::RpcError;

use crate::connection::gate::Hold;
use crate::error::{Failure, HandlerError};
use crate::implementation::expert;
use crate::implementation::handler::{Polled, caught, or_panic, poll_at_once};
use crate::implementation::lift::{Lift, LiftedHandler};
use crate::implementation::{Call, Handler, HandlerKind, Received, Source, Started, Stop};
use crate::query_context::QueryContext;
use crate::responder::{Answered, ExpertQuery, Responder};
use crate::shapes::Types;
use crate::tracing_event::SentResponse;

/// What happens with a query for an RPC that is not implemented, or not in this version
/// (rule R-UN-2). Except with [`expert`](Self::expert), the caller is first answered
/// *Unimplemented_rpc* (rule R-UN-1).
///
/// This side cannot know that an unknown RPC was one-way: it answers all the same, and the peer
/// then closes the connection (rule R-UN-4). An abort of an unknown stream is a query like others
/// (rule R-UN-5).
#[derive(Default)]
#[non_exhaustive]
pub enum OnUnknownRpc<S = ()> {
    /// Nothing more.
    Continue,
    /// The connection closes.
    CloseConnection,
    /// The connection closes, and the peer is told that its query was the reason. The
    /// reference's policy for tables that are not given another.
    #[default]
    Raise,
    /// A function decides: made by [`OnUnknownRpc::call`].
    Call(UnknownRpcHandler<S>),
    /// A function answers: made by [`OnUnknownRpc::expert`].
    Expert(UnknownRpcHandler<S>),
}

/// The function of an [`OnUnknownRpc`] policy.
pub struct UnknownRpcHandler<S>(Arc<dyn Handler<S>>);

/// What a function decides to do about an unknown RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AfterUnknownRpc {
    /// As [`OnUnknownRpc::Continue`].
    Continue,
    /// As [`OnUnknownRpc::CloseConnection`].
    CloseConnection,
}

impl<S: Send + 'static> OnUnknownRpc<S> {
    /// Calls `decide` after the answer. If it panics, the connection closes (C-RE-5).
    ///
    /// ```
    /// use rpc_core::{AfterUnknownRpc, Implementations, OnUnknownRpc};
    ///
    /// let implementations = Implementations::<()>::builder()
    ///     .on_unknown_rpc(OnUnknownRpc::call(|_state, context| {
    ///         eprintln!("asked for {}", context.rpc());
    ///         AfterUnknownRpc::Continue
    ///     }))
    ///     .build()?;
    /// # let _ = implementations;
    /// # Ok::<(), rpc_core::DuplicateImplementations>(())
    /// ```
    pub fn call<F>(decide: F) -> Self
    where
        F: Fn(&S, &QueryContext<'_>) -> AfterUnknownRpc + Send + Sync + 'static,
    {
        Self::Call(UnknownRpcHandler(Arc::new(Decide(Arc::new(decide)))))
    }

    /// Hands the undecoded query to `answer`, which answers by the [`Responder`], or does not:
    /// what a proxy is made of. The connection's other messages wait until the future is ready;
    /// the responder may live on. An error or a panic closes the connection (rule R-UN-3).
    ///
    /// ```
    /// use rpc_core::{HandlerError, Implementations, OnUnknownRpc};
    ///
    /// let implementations = Implementations::<()>::builder()
    ///     .on_unknown_rpc(OnUnknownRpc::expert(|_state, query, responder| {
    ///         let name = query.context().rpc().to_string();
    ///         async move {
    ///             responder.error(HandlerError::new(format_args!("no {name} here, ask next door")))?;
    ///             Ok(())
    ///         }
    ///     }))
    ///     .build()?;
    /// # let _ = implementations;
    /// # Ok::<(), rpc_core::DuplicateImplementations>(())
    /// ```
    pub fn expert<F, Fut>(answer: F) -> Self
    where
        F: Fn(&S, ExpertQuery<'_>, Responder) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        Self::Expert(UnknownRpcHandler(Arc::new(Answer(Arc::new(answer)))))
    }

    /// The same for connections whose state is `W` (rule R-UN-6).
    pub(crate) fn lifted_by<W: Send + 'static>(self, lift: Arc<Lift<W, S>>) -> OnUnknownRpc<W> {
        let lifted = |handler: UnknownRpcHandler<S>| {
            UnknownRpcHandler(Arc::new(LiftedHandler::new(handler.0, lift)))
        };
        match self {
            Self::Continue => OnUnknownRpc::Continue,
            Self::CloseConnection => OnUnknownRpc::CloseConnection,
            Self::Raise => OnUnknownRpc::Raise,
            Self::Call(handler) => OnUnknownRpc::Call(lifted(handler)),
            Self::Expert(handler) => OnUnknownRpc::Expert(lifted(handler)),
        }
    }
}

impl<S> OnUnknownRpc<S> {
    /// The answer first, then the policy (rule R-UN-1).
    pub(crate) fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started {
        if let Self::Expert(handler) = self {
            return handler.0.handle(state, query);
        }
        let rpc = query.call().rpc();
        query
            .call()
            .error(RpcError::unimplemented(rpc.to_description()));
        match self {
            Self::Continue | Self::Expert(_) => Started::Done,
            Self::CloseConnection => Started::Stop(Stop::Asked),
            Self::Raise => {
                let text = format!("unimplemented RPC {rpc}");
                Started::Stop(Stop::Raised(Info::from(text)))
            }
            Self::Call(handler) => handler.0.handle(state, query),
        }
    }
}

impl<S> Clone for OnUnknownRpc<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Continue => Self::Continue,
            Self::CloseConnection => Self::CloseConnection,
            Self::Raise => Self::Raise,
            Self::Call(handler) => Self::Call(handler.clone()),
            Self::Expert(handler) => Self::Expert(handler.clone()),
        }
    }
}

impl<S> Clone for UnknownRpcHandler<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> fmt::Debug for OnUnknownRpc<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Continue => "Continue",
            Self::CloseConnection => "CloseConnection",
            Self::Raise => "Raise",
            Self::Call(_) => "Call",
            Self::Expert(_) => "Expert",
        })
    }
}

impl<S> fmt::Debug for UnknownRpcHandler<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnknownRpcHandler").finish_non_exhaustive()
    }
}

/// The function of *Call*: the query has been answered.
struct Decide<F>(Arc<F>);

impl<S, F> Handler<S> for Decide<F>
where
    S: Send + 'static,
    F: Fn(&S, &QueryContext<'_>) -> AfterUnknownRpc + Send + Sync + 'static,
{
    fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started {
        let raw = ExpertQuery {
            context: query.context,
            bytes: &[],
        };
        let decide = self.0.clone();
        let polled = poll_at_once(|| {
            expert::run(state.give(query), raw, move |state, raw| {
                std::future::ready(Ok(decide(state, raw.context())))
            })
        });
        match polled {
            Ok(Polled::Over(after)) => after.stop().into(),
            Ok(Polled::Suspended(running)) => {
                let hold = Hold::new(query.call().shared());
                held(hold, async move {
                    match or_panic(caught(running).await) {
                        Ok(after) => after.stop(),
                        Err(error) => raised(error),
                    }
                })
            }
            Err(error) => raised(error).into(),
        }
    }

    fn kind(&self) -> HandlerKind {
        HandlerKind::Expert
    }

    fn types(&self) -> Types {
        Types::UNKNOWN
    }
}

impl AfterUnknownRpc {
    fn stop(self) -> Option<Stop> {
        match self {
            Self::Continue => None,
            Self::CloseConnection => Some(Stop::Asked),
        }
    }
}

/// The function of *Expert*.
struct Answer<F>(Arc<F>);

impl<S, F, Fut> Handler<S> for Answer<F>
where
    S: Send + 'static,
    F: Fn(&S, ExpertQuery<'_>, Responder) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    fn handle(&self, state: &dyn Source<S>, query: &Received<'_>) -> Started {
        let raw = match expert::undecoded(query) {
            Ok(raw) => raw,
            Err(stop) => return Started::Stop(stop),
        };
        let (call, answered) = (query.call().clone(), Arc::<Answered>::default());
        let responder = Responder::new(&call, &answered);
        let answer = self.0.clone();
        let polled = poll_at_once(|| {
            expert::run(state.give(query), raw, move |state, raw| {
                answer(state, raw, responder)
            })
        });
        let running = match polled {
            Ok(Polled::Over(())) => None,
            Ok(Polled::Suspended(running)) => Some(running),
            Err(error) => return refused_or_raised(&call, &answered, error).into(),
        };
        // Told of whether it has answered or not (rule T-S15).
        call.tell(SentResponse::ExpertSingleSucceededOrFailed);
        let Some(running) = running else {
            return Started::Done;
        };
        held(Hold::new(call.shared()), async move {
            let error = or_panic(caught(running).await).err()?;
            refused_or_raised(&call, &answered, error)
        })
    }

    fn kind(&self) -> HandlerKind {
        HandlerKind::Expert
    }

    fn types(&self) -> Types {
        Types::UNKNOWN
    }
}

/// The rest of what a function has to do, during which no other message is handled.
fn held(hold: Hold, rest: impl Future<Output = Option<Stop>> + Send + 'static) -> Started {
    Started::Task {
        future: Box::pin(async move {
            let stop = rest.await;
            drop(hold);
            stop
        }),
        stream: None,
    }
}

/// A refused lift is answered, if nothing has been; a raise closes the connection
/// (rule R-UN-3).
fn refused_or_raised(call: &Call, answered: &Answered, error: HandlerError) -> Option<Stop> {
    if error.failure() != Failure::Raised && answered.claim() {
        return call.failed(HandlerKind::Expert, error);
    }
    raised(error)
}

/// A raise closes the connection (C-RE-5). A refused lift is nobody's concern any more: the
/// query has been answered.
fn raised(error: HandlerError) -> Option<Stop> {
    let raised = error.failure() == Failure::Raised;
    raised.then(|| Stop::Raised(Info::Sexp(error.into_sexp())))
}
