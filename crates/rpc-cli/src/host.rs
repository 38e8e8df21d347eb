//! The live state of a host: what is published, how it changes, and how it is measured.
//!
//! Knows nothing of RPCs, terminals or subscriptions.

pub(crate) mod change;
pub(crate) mod sampler;
pub(crate) mod snapshot;
