//! Callers that know several versions of an RPC, and convert between them and one model.
//!
//! ```text
//!        ,─► Q1 ~~wire~~ R1 ─.
//!    Q ──┼─► Q2 ~~wire~~ R2 ─┼─► R
//!        `─► Q3 ~~wire~~ R3 ─'
//! ```
//!
//! A dispatch takes the highest version that the callee has too. It converts the query before it
//! returns, and what comes back as it is awaited.

mod callback;
pub(crate) mod one_way;
mod pipe;
pub(crate) mod pipe_rpc;
pub(crate) mod rpc;
pub(crate) mod state_rpc;
mod streaming;

use std::pin::Pin;

use crate::error::CallError;

pub use callback::PipeMessage;
pub use one_way::OneWay;
pub use pipe::Pipe;
pub use pipe_rpc::PipeRpc;
pub use rpc::Rpc;
pub use state_rpc::StateRpc;

/// A call that is under way.
pub(crate) type Running<R> = Pin<Box<dyn Future<Output = Result<R, CallError>> + Send>>;

/// A call that failed before anything was sent.
fn failed<R: Send + 'static>(error: impl Into<CallError>) -> Running<R> {
    Box::pin(std::future::ready(Err(error.into())))
}
