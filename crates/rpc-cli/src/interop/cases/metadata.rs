//! What queries carry beside their payload.

use bin_prot::ByteString;
use rpc_wire::{DEFAULT_KEY, QueryMetadata};

use crate::interop::check::{Outcome, call_for};
use crate::interop::rpcs::ECHO_METADATA;
use crate::interop::run::Run;

/// What a connection sends of a payload, unless it is configured otherwise.
const LIMIT: usize = 1024;

/// None, one, and one that is too long; from version 8 several keys, of which the callee sees the
/// one that it looks for.
pub(super) async fn metadata(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let version = connection.version();
    call_for(&connection, &ECHO_METADATA, &(), None).await?;
    let single = |text: &str| QueryMetadata::new().with(DEFAULT_KEY, text);
    let mut sent = vec![
        (single("trace-id=42"), "trace-id=42".to_owned()),
        (single(&"m".repeat(2 * LIMIT)), "m".repeat(LIMIT)),
    ];
    if version.has_keyed_query_metadata() {
        let several = QueryMetadata::new()
            .with(7, "seven")
            .with(DEFAULT_KEY, "zero");
        sent.push((several.with(-1, "less"), "zero".to_owned()));
    }
    for (metadata, seen) in sent {
        let connection = connection.with_metadata(metadata);
        let seen = version.has_query_metadata().then(|| ByteString::from(seen));
        call_for(&connection, &ECHO_METADATA, &(), seen).await?;
    }
    if version.has_keyed_query_metadata() {
        let other_key = connection.with_metadata(QueryMetadata::new().with(7, "seven"));
        call_for(&other_key, &ECHO_METADATA, &(), None).await?;
    }
    Ok(())
}
