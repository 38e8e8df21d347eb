//! Durable subscriptions against a seeded adversary, on virtual time and a virtual network.
//!
//! ```text
//! seed ──► plan ──► world: consumers, durable values │ network │ servers   ◄── adversary
//!          (data)            every fact ──► trace, and invariants that judge it
//! ```
//!
//! A [plan](plan::Plan) follows from a seed: servers, durable connections, consumers with
//! subscriptions of every form, and a script of what goes wrong when. [`run`](run::run) runs it on
//! a runtime of one thread whose clock moves when everybody waits, so a minute takes some
//! milliseconds, and the same seed does the same again. Whatever happens is a
//! [fact](fact::Fact); the [`invariants`] judge them as they happen.
//!
//! The code under test is the real one, from `durable-rpc` down to the frames: only the transport
//! is of this crate. `docs/simulation.md` says how to use it and what it has shown.
#![warn(clippy::unwrap_used)]

pub mod adversary;
pub mod client;
pub mod fact;
pub mod fleet;
pub mod invariants;
pub mod judge;
pub mod memory;
pub mod names;
pub mod network;
pub mod panics;
pub mod plan;
pub mod random;
pub mod run;
pub mod server;
pub mod settings;
pub mod shrink;
pub mod tally;
pub mod wire_types;
pub mod world;
