//! What the server says it implements, and choosing a version by it.

use std::collections::BTreeSet;

use rpc_core::{MENU_RPC, Rpc};
use rpc_versioned::{
    Builder, CallError, ConnectionWithMenu, Converts, SelectionError, caller_converts,
    highest_common,
};
use rpc_wire::{Description, RpcDigests};

use crate::interop::check::{Failure, Outcome, call, equal, within};
use crate::interop::prices;
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

/// `price`, as callers see it that know both of its versions, the older one, the newer one, and
/// others: through converters, of which the last sends nothing.
pub(super) async fn versioned(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let connection = ConnectionWithMenu::request(connection).await?;
    let both = || prices::caller().version_from(&PRICE_2);
    let both = built(both().version(&PRICE_1, prices::symbol, prices::in_dollars))?;
    for (currency, expected) in [(Some("EUR"), "EUR"), (None, "USD")] {
        check_price(&connection, &both, ("ABC", currency), (300, expected)).await?;
    }
    let older = prices::caller().version(&PRICE_1, prices::symbol, prices::in_dollars);
    check_price(
        &connection,
        &built(older)?,
        ("ABCD", Some("EUR")),
        (400, "USD"),
    )
    .await?;
    let newer = built(prices::caller().version_from(&PRICE_2))?;
    equal("version 2 alone", newer.versions(), vec![2])?;
    let versions = newer.check(connection.menu());
    let versions = versions.map_err(|error| Failure::unexpected("price", error, "version 2"))?;
    equal("version 2 alone", versions, PRICE_2.description())?;

    let menu = connection.menu();
    equal(
        "common version",
        highest_common(menu, PRICE_1.name(), &[1, 2]),
        Ok(2),
    )?;
    let other = |number| Rpc::<PriceQuery, Price>::new("price", number);
    let others = prices::caller()
        .version_from(&other(3))
        .version_from(&other(4));
    let query = prices::query("ABC", None);
    match built(others)?.dispatch(&connection, query.clone()).await {
        Err(CallError::Selection(SelectionError::NoCommonVersion {
            caller_versions,
            callee_versions,
            ..
        })) => {
            equal("versions of the caller", caller_versions, vec![3, 4])?;
            equal("versions of the callee", callee_versions, vec![1, 2])?;
        }
        other => {
            return Err(Failure::unexpected(
                "price 3 and 4",
                other,
                "no common version",
            ));
        }
    }
    let unknown = caller_converts::Rpc::builder("no-such-rpc");
    match built(unknown)?.dispatch(&connection, query).await {
        Err(CallError::Selection(SelectionError::UnknownRpc { .. })) => Ok(()),
        other => Err(Failure::unexpected("no-such-rpc", other, "no such RPC")),
    }
}

type PriceCaller = caller_converts::Rpc<PriceQuery, Price>;

fn built(caller: Builder<PriceCaller>) -> Outcome<PriceCaller> {
    caller
        .build()
        .map_err(|error| Failure::unexpected("a caller of our own", error, "a caller"))
}

async fn check_price(
    connection: &ConnectionWithMenu,
    caller: &PriceCaller,
    (symbol, currency): (&str, Option<&str>),
    (px, ccy): (i64, &str),
) -> Outcome {
    let what = format!("{caller:?} of {symbol}");
    let query = prices::query(symbol, currency);
    let answer = within(&what, caller.dispatch(connection, query)).await?;
    let answer = answer.map_err(|source| Failure::Converted {
        what: what.clone(),
        source: Box::new(source),
    })?;
    let ccy = ccy.into();
    equal(what, answer, Price { px, ccy })
}
