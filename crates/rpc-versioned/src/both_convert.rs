//! Both sides of an RPC in one value: for programs that call each other, and that are not released
//! together.
//!
//! ```text
//!    CQ ─► Q1 ~~wire~~ Q1 ─► Q        the caller's model, a version, the callee's model
//!    CR ◄─ R1 ~~wire~~ R1 ◄─ R
//! ```
//!
//! A version is added to both sides at once, so that no version can be known to one of them only
//! (rule V-BO-3). The conversions are given in the order in which a call goes through them: there,
//! and back. All of them are cheap to clone. The two halves are a [caller](crate::caller_converts) and a
//! [callee](crate::callee_converts) like any others (rule V-BO-2).

mod one_way;
mod pipe_rpc;
mod rpc;
mod state_rpc;

pub use one_way::OneWay;
pub use pipe_rpc::PipeRpc;
pub use rpc::Rpc;
pub use state_rpc::StateRpc;
