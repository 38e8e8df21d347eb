//! What each query and response does when it arrives.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bin_prot::{Info, Sexp};
use rpc_wire::{Description, Query, Response, RpcError, stream};
use tokio::task::JoinSet;

use super::end::End;
use super::shared::Shared;
use super::waiting::{After, Arrived};
use crate::implementation::{Call, CalledRpc, Started};
use crate::implementations::{Find, OnUnknownRpc, Serve};
use crate::tracing_event::{Event, Kind};

/// Hands a response, in a frame of `body` bytes, to whoever waits for it (rules C-DI-9,
/// C-DI-10).
pub(super) fn response(shared: &Shared, response: Response<'_>, body: usize) -> Option<End> {
    let id = response.header.id;
    let receiver = shared.waiting().receiver(id);
    let Some(receiver) = receiver else {
        let error = Sexp::list([Sexp::atom("Unknown_query_id"), Sexp::atom(id.to_string())]);
        return Some(End::Stopped(Some(Info::Sexp(error))));
    };
    let arrived = Arrived {
        id,
        result: response.result,
        body,
        events: &shared.events,
    };
    match receiver.response(arrived) {
        After::Keep => {}
        After::Remove => {
            shared.waiting().remove(id);
        }
    }
    None
}

/// Starts answering a query that came in a frame of `body` bytes.
pub(super) fn query(
    shared: &Arc<Shared>,
    callee: &dyn Serve,
    tasks: &mut JoinSet<()>,
    query: Query<'_>,
    body: usize,
) -> Option<End> {
    if shared.output.has_ended() {
        // Nobody can be answered any more (rule C-RD-5).
        return Some(End::Stopped(None));
    }
    if shared.output.is_closing() {
        // Once closing has started, queries of every form are dropped (decision 1).
        return None;
    }
    let specifier = query.header.specifier();
    match callee.find(specifier) {
        Find::Implementation(index) => {
            let rpc = index.called_rpc();
            let call = Call::new(
                shared.clone(),
                rpc,
                query.header.id,
                callee.menu_index(index),
            );
            shared.events.tell(call.rpc(), call.id(), body, || {
                let abort =
                    callee.is_streaming(index) && query.data.bytes().is_ok_and(stream::is_abort);
                Event::Received(match abort {
                    true => Kind::AbortStreamingRpcQuery,
                    false => Kind::Query,
                })
            });
            let handled =
                catch_unwind(AssertUnwindSafe(|| callee.handle(index, query.data, &call)));
            let started = handled.unwrap_or_else(|panic| {
                call.raised(callee.location(index), &*panic);
                Started::Done
            });
            match started {
                Started::Done => None,
                Started::Task { future, stream } => {
                    let task = tasks.spawn(future);
                    if let Some(stream) = stream {
                        stream.set_task(task);
                    }
                    None
                }
                Started::Stop(error) => Some(End::Stopped(Some(Info::Sexp(error)))),
            }
        }
        Find::Unknown(rpc) => {
            let rpc = Arc::new(rpc.to_description());
            let called = CalledRpc::Unknown(rpc.clone());
            let call = Call::new(shared.clone(), called, query.header.id, None);
            shared
                .events
                .tell(call.rpc(), call.id(), body, || Event::Received(Kind::Query));
            unknown_rpc(&call, callee.on_unknown_rpc(), &rpc)
        }
        Find::BadRank(rank) => Some(End::Fatal(Info::from(format!(
            "query {} names rank {rank}, which our menu does not have",
            query.header.id
        )))),
    }
}

/// The answer first, then the policy (rule R-UN-1).
fn unknown_rpc(call: &Call, policy: OnUnknownRpc, rpc: &Description) -> Option<End> {
    let text = format!("unimplemented RPC {rpc}");
    call.error(RpcError::unimplemented(rpc.clone()));
    match policy {
        OnUnknownRpc::Continue => None,
        OnUnknownRpc::CloseConnection => Some(End::Stopped(None)),
        OnUnknownRpc::Raise => Some(End::Fatal(Info::from(text))),
    }
}
