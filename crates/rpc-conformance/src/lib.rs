//! Runs golden vectors and recordings against `bin-prot` and `rpc-wire`.
//!
//! Vectors say what the reference writes and reads; recordings are conversations between two of
//! its processes. `docs/conformance.md` describes both formats, so that other implementations can
//! use them, and `cargo xtask conformance` starts this.
//!
//! Nothing here knows a type by name: types come from the shapes that the files describe, through
//! [`bin_prot::dynamic`], and so do digests.
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]

mod compare;
mod recordings;
mod report;
mod run;
mod shape;
#[cfg(test)]
mod tests;
mod types;
mod vectors;

pub use report::Summary;
pub use run::{Places, run};
