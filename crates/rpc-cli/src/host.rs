//! The live state of a host: what is published, how it changes, and how it is measured.
//!
//! Knows nothing of terminals or subscriptions.

pub(crate) mod change;
pub(crate) mod publisher;
pub(crate) mod sampler;
pub(crate) mod snapshot;

use rpc_core::StateRpc;

use change::Change;
use snapshot::Snapshot;

/// The live state of the host that the server runs on: a full snapshot, then what changed since.
/// Each change names the snapshot that it builds on.
pub(crate) static HOST: StateRpc<(), Snapshot, Change, String> = StateRpc::new("host", 1);
