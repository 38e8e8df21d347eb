//! What goes with queries beside their payload: the callee sees what the version can carry, and
//! nothing else.

use std::sync::Arc;

use bin_prot::ByteString;
use rpc_core::connection::MetadataHook;
use rpc_core::{Connection, ExpertRpc, Implementation, Reply, Rpc};
use rpc_wire::{DEFAULT_KEY, ProtocolVersion, QueryMetadata};

use super::ledger::{Done, Ledger};
use super::rpcs::State;
use super::worker::Caller;

/// Under one of these.
type Keys = Vec<(i64, ByteString)>;

/// The query's id, and what came with it.
static SHOW: Rpc<(), (i64, Keys)> = Rpc::new("show-metadata", 1);

/// Carries each query's id, where a hook is set.
const ID_KEY: i64 = 7;

/// To how many bytes each payload is cut, unless a configuration says otherwise.
const MOST_BYTES: usize = 1024;

/// Answers what it sees.
pub(super) fn implementation() -> Implementation<State> {
    Implementation::expert_blocking(&SHOW, |_: &State, query, responder| {
        let context = query.context();
        let seen = context.all_metadata();
        let seen: Keys = seen.map(|(key, bytes)| (key, bytes.into())).collect();
        responder.value(&SHOW, &(context.id().get(), seen))?;
        Ok(Reply::Replied)
    })
}

/// Makes each query of a connection carry its own id.
pub(super) fn send_ids(connection: &Connection) -> bool {
    let hook = MetadataHook::new().when_sending(|_, id| Some(id.to_string()));
    connection.set_metadata_hook(ID_KEY, hook).is_ok()
}

/// Checks of each query that the id that it carries, if it does, is its own.
pub(super) fn check_ids(connection: &Connection, ledger: &Arc<Ledger>) {
    let (watching, version) = (ledger.clone(), connection.version());
    let hook = MetadataHook::new().on_receive(move |rpc, id, payload| {
        let Some(payload) = payload else { return };
        let right = version.has_keyed_query_metadata() && payload == id.to_string().as_bytes();
        let what = format_args!("version {version}: query {id} of {rpc} came with {payload:?}");
        watching.check(right, what);
    });
    let set = connection.set_metadata_hook(ID_KEY, hook).is_ok();
    ledger.check(set, format_args!("a new connection has a hook"));
}

/// Sends some, and asks what came.
pub(super) async fn ask(caller: &mut Caller) {
    let chance = &mut caller.chance;
    let mut sent = QueryMetadata::new();
    for key in [DEFAULT_KEY, 5, -1] {
        if chance.one_in(2) {
            let size = usize::try_from(chance.size(2000)).unwrap_or(0);
            let byte = chance.next().to_le_bytes()[0];
            sent = sent.with(key, ByteString(vec![byte; size]));
        }
    }
    // Exactly this, whatever hooks say.
    let exactly = chance.one_in(3);
    let connection = caller.connection.clone();
    let answer = if exactly {
        let rpc = ExpertRpc::from(SHOW.description()).with_exact_metadata(sent.clone());
        let answer = caller.outcome(rpc.dispatch(&connection, &[0])).await;
        answer.and_then(|bytes| bin_prot::from_slice(&bytes).ok())
    } else {
        let connection = connection.with_metadata(sent.clone());
        caller.outcome(SHOW.dispatch(&connection, &())).await
    };
    let Some((id, seen)) = answer else { return };
    caller.ledger().did(Done::Metadata);
    if !exactly {
        sent = sent.truncated(MOST_BYTES);
        if caller.sends_ids {
            sent = sent.with(ID_KEY, id.to_string());
        }
    }
    let expected = carried(connection.version(), &sent);
    let version = connection.version();
    caller.check(
        seen == expected,
        format_args!("version {version}: metadata {seen:?} instead of {expected:?}"),
    );
}

/// What of it a version carries.
fn carried(version: ProtocolVersion, metadata: &QueryMetadata) -> Keys {
    let carries = |key: i64| match version.number() {
        1 => false,
        2..=7 => key == DEFAULT_KEY,
        _ => true,
    };
    let entries = metadata.entries().iter();
    entries.filter(|(key, _)| carries(*key)).cloned().collect()
}
