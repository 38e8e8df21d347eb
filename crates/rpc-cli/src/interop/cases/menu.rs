//! What the server says it implements, and choosing a version by it.

use std::collections::BTreeSet;

use bin_prot::ByteString;
use rpc_core::MENU_RPC;
use rpc_versioned::{ConnectionWithMenu, NoCommonVersion};
use rpc_wire::{Description, RpcDigests};

use crate::interop::check::{Failure, Outcome, call, call_for, equal};
use crate::interop::rpcs::{PRICE_1, PRICE_2, Price, PriceQuery};
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
    let ours = server::table();
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

/// `price`, as seen by callers that know both of its versions, the older one, and another one.
pub(super) async fn versioned(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let connection = ConnectionWithMenu::request(connection).await?;
    let name = PRICE_1.name();
    let check = |versions: &[i64], expected| {
        let what = format_args!("version among {versions:?}");
        equal(what, connection.highest_common(name, versions), expected)
    };
    check(&[1, 2], Ok(2))?;
    check(&[1], Ok(1))?;
    check(&[3, 4], Err(NoCommonVersion::NoSuchVersion))?;
    equal(
        "no such RPC",
        connection.highest_common("no-such-rpc", &[1]),
        Err(NoCommonVersion::NoSuchRpc),
    )?;
    let connection = connection.connection();
    for (currency, expected) in [(Some("EUR"), "EUR"), (None, "USD")] {
        let query = PriceQuery {
            symbol: "ABC".into(),
            currency: currency.map(ByteString::from),
        };
        let price = Price {
            px: 300,
            ccy: expected.into(),
        };
        call_for(connection, &PRICE_2, &query, price).await?;
    }
    call_for(connection, &PRICE_1, &"ABCD".into(), 400).await
}
