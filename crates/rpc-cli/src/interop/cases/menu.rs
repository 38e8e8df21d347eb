//! What the server says it implements.

use std::collections::BTreeSet;

use rpc_core::MENU_RPC;
use rpc_versioned::ConnectionWithMenu;
use rpc_wire::{Description, RpcDigests};

use crate::interop::check::{Failure, Outcome, call, equal};
use crate::interop::run::Run;
use crate::interop::server;

/// The menu RPC and the handshake's menu list the same, all of the suite, and with the digests
/// that our types have, if the server tells any.
pub(super) async fn menu(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let listed = call(&connection, &MENU_RPC, &()).await?;
    let count = listed.len();
    let listed: BTreeSet<_> = listed
        .into_iter()
        .map(|(name, version)| Description::new(name, version))
        .collect();
    equal("entries without duplicates", listed.len(), count)?;
    // Below version 3 this asks again.
    let connection = ConnectionWithMenu::request(connection).await?;
    let menu = connection.menu();
    equal("menu", menu.descriptions().cloned().collect(), listed)?;
    let ours = server::table(&run.target.price);
    let ours = ours.map_err(|error| Failure::unexpected("our own table", error, "a table"))?;
    for (rpc, digests) in ours.digests() {
        let Some(rank) = menu.rank(rpc.as_ref()) else {
            return Err(Failure::unexpected(rpc, "nothing", "an entry of the menu"));
        };
        let offered = menu.entries().get(rank).map(|entry| entry.digests);
        if offered != Some(RpcDigests::Unknown) {
            equal(rpc, offered, Some(digests))?;
        }
    }
    Ok(())
}
