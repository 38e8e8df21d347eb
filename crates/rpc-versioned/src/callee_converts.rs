//! Callees that answer several versions of an RPC by one function, in terms of one model.
//!
//! ```text
//!        Q1 ─.              ,─► R1
//!        Q2 ─┼─► Q ─► R ────┼─► R2
//!        Q3 ─'              `─► R3
//! ```
//!
//! Each version becomes an [`Implementation`]; the function is told which one it serves
//! (rule V-CE-1). A conversion that fails raises in the handler: the caller gets *Uncaught_exn* with
//! the [`ConversionError`](crate::ConversionError) (rule V-CE-3), and the connection and its other
//! queries go on. Policies for exceptions are the table's, unless an implementation is given [its
//! own](Implementation::on_exception).

mod direct_stream_writer;
mod first_query;
pub(crate) mod one_way;
pub(crate) mod pipe_rpc;
pub(crate) mod rpc;
pub(crate) mod state_rpc;
mod streaming;
mod updates;

use std::pin::Pin;
use std::sync::Arc;

use rpc_core::{HandlerError, Implementation};
use thiserror::Error;

use crate::family::Family;
use crate::selection::list;
use first_query::{FirstQuery, OnNewVersion};

pub use direct_stream_writer::{DirectStreamWriter, WriteError};
pub use one_way::OneWay;
pub use pipe_rpc::PipeRpc;
pub use rpc::Rpc;
pub use state_rpc::StateRpc;
pub use updates::Updates;

/// A handler's future.
type Running<T> = Pin<Box<dyn Future<Output = Result<T, HandlerError>> + Send>>;

/// Some version is registered in raw form, and what converts whole pipes cannot convert what a
/// handler writes (rule V-CE-8).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot use the direct interface with versions in raw form: {}", list(.0))]
pub struct RawVersions(
    /// These.
    pub Vec<rpc_wire::Description>,
);

/// What makes an implementation of one version out of a handler of the model.
type Implement<S, H> = Arc<dyn Fn(H, FirstQuery) -> Implementation<S> + Send + Sync>;

fn implement_each<S, O, H: Clone>(
    family: &Family<O>,
    on_new_version: Option<&OnNewVersion>,
    handler: &H,
    implement: impl Fn(&O) -> &Implement<S, H>,
) -> Vec<Implementation<S>> {
    let entries = family.entries().iter();
    entries
        .map(|(rpc, operation)| {
            let first = FirstQuery::new(*rpc, on_new_version.cloned());
            implement(operation)(handler.clone(), first)
        })
        .collect()
}
