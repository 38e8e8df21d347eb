//! What the server says it implements, and choosing a version by it.

use std::collections::BTreeSet;

use bin_prot::ByteString;
use rpc_core::MENU_RPC;
use rpc_versioned::{ConnectionWithMenu, NoCommonVersion};
use rpc_wire::Description;

use crate::interop::check::{Failure, Outcome, call, call_for, equal};
use crate::interop::rpcs::{PRICE_1, PRICE_2, Price, PriceQuery};
use crate::interop::server;
use crate::interop::session::Session;

/// The menu RPC, and the handshake's menu, list the same, and all of the suite.
pub(super) async fn menu(session: &mut Session) -> Outcome {
    let connection = session.connection().await?;
    let listed = call(&connection, &MENU_RPC, &()).await?;
    let count = listed.len();
    let listed: BTreeSet<_> = listed
        .into_iter()
        .map(|(name, version)| Description::new(name, version))
        .collect();
    equal("entries without duplicates", listed.len(), count)?;
    for rpc in suite()? {
        equal(format_args!("{rpc} is listed"), listed.contains(&rpc), true)?;
    }
    // Below version 3 this asks again.
    let connection = ConnectionWithMenu::request(connection).await?;
    let offered: BTreeSet<_> = connection.menu().descriptions().cloned().collect();
    equal("menu", offered, listed)
}

/// All RPCs of the suite.
fn suite() -> Outcome<Vec<Description>> {
    let table = server::table();
    let table = table.map_err(|error| Failure::unexpected("our own table", error, "a table"))?;
    Ok(table.descriptions().cloned().collect())
}

/// `price`, as seen by callers that know both of its versions, the older one, and another one.
pub(super) async fn versioned(session: &mut Session) -> Outcome {
    let connection = session.connection().await?;
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
