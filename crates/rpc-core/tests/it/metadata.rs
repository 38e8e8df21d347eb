//! Metadata of queries: what goes with ours, and what comes with the peer's.

mod receiving;
mod sending;

use rpc_core::connection::MetadataHook;
use rpc_wire::QueryMetadata;

/// A hook that always says this.
fn saying(payload: &str) -> MetadataHook {
    let payload = payload.to_owned();
    MetadataHook::new().when_sending(move |_, _| Some(payload.clone()))
}

fn metadata<const N: usize>(entries: [(i64, &str); N]) -> QueryMetadata {
    let add = |all: QueryMetadata, (key, payload)| all.with(key, payload);
    entries.into_iter().fold(QueryMetadata::new(), add)
}
