//! What each query and response does when it arrives.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bin_prot::{Info, Sexp};
use rpc_wire::{Description, Query, Response, RpcError};
use tokio::task::JoinSet;

use super::end::End;
use super::shared::Shared;
use super::waiting::After;
use crate::implementation::{Call, Started};
use crate::implementations::{Find, OnUnknownRpc, Serve};

/// Hands a response to whoever waits for it (rules C-DI-9, C-DI-10).
pub(super) fn response(shared: &Shared, response: Response<'_>) -> Option<End> {
    let id = response.header.id;
    let receiver = shared.waiting().receiver(id);
    let Some(receiver) = receiver else {
        let error = Sexp::list([Sexp::atom("Unknown_query_id"), Sexp::atom(id.to_string())]);
        return Some(End::Stopped(Some(Info::Sexp(error))));
    };
    match receiver.response(id, response.result) {
        After::Keep => {}
        After::Remove => {
            shared.waiting().remove(id);
        }
    }
    None
}

/// Starts answering a query.
pub(super) fn query(
    shared: &Arc<Shared>,
    callee: &dyn Serve,
    tasks: &mut JoinSet<()>,
    query: Query<'_>,
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
            let call = Call::new(shared.clone(), query.header.id, callee.menu_index(index));
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
            let call = Call::new(shared.clone(), query.header.id, None);
            unknown_rpc(&call, callee.on_unknown_rpc(), rpc.to_description())
        }
        Find::BadRank(rank) => Some(End::Fatal(Info::from(format!(
            "query {} names rank {rank}, which our menu does not have",
            query.header.id
        )))),
    }
}

/// The answer first, then the policy (rule R-UN-1).
fn unknown_rpc(call: &Call, policy: OnUnknownRpc, rpc: Description) -> Option<End> {
    let text = format!("unimplemented RPC {rpc}");
    call.error(RpcError::unimplemented(rpc));
    match policy {
        OnUnknownRpc::Continue => None,
        OnUnknownRpc::CloseConnection => Some(End::Stopped(None)),
        OnUnknownRpc::Raise => Some(End::Fatal(Info::from(text))),
    }
}
