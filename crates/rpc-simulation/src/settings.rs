//! From a plan's numbers to the configuration of a connection; the same on both sides.

use rpc_core::connection::{Config, heartbeat};
use rpc_wire::ProtocolVersion;

use crate::plan::{DurablePlan, FLUSH_TIMEOUT, WRITE_TIMEOUT};

/// How the connections of a durable value behave.
pub fn connection(plan: &DurablePlan) -> Config {
    let heartbeat = heartbeat::Config::default()
        .send_every(plan.send_every)
        .timeout(plan.timeout);
    let highest = ProtocolVersion::new(plan.version).unwrap_or(ProtocolVersion::MAX);
    Config::default()
        .versions(ProtocolVersion::MIN..=highest)
        .heartbeat(heartbeat)
        .handshake_timeout(plan.handshake_timeout)
        .write_timeout(WRITE_TIMEOUT)
        .flush_timeout(FLUSH_TIMEOUT)
        .reader_drain_timeout(FLUSH_TIMEOUT)
}
