//! The second release: prices have a currency, and servers ask each other.

use std::sync::LazyLock;

use bin_prot::BinProt;
use rpc_core::{Implementations, Rpc};
use rpc_versioned::convert::Unconvertible;
use rpc_versioned::{
    CallError, ConnectionWithMenu, Registered, RegistrationError, both_convert, callee_converts,
    caller_converts,
};

use crate::release_1::PRICE_1;

/// What is asked for a price.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct Query {
    /// What of.
    pub symbol: String,
    /// In which currency.
    pub currency: String,
}

/// A price.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct Price {
    /// A hundredth of the currency's unit.
    pub cents: i64,
    /// The currency.
    pub currency: String,
}

/// A price in a currency.
pub static PRICE_2: Rpc<Query, Price> = Rpc::new("price", 2);

/// How the server answers both versions.
///
/// # Errors
/// None: the versions differ.
pub fn price_callee() -> Result<callee_converts::Rpc<(), Query, Price>, RegistrationError> {
    callee_converts::Rpc::builder("price")
        .version(&PRICE_1, in_dollars, |price: Price| Ok(price.cents))
        .version_from(&PRICE_2)
        .build()
}

/// Whoever asks by version 1 means dollars.
fn in_dollars(symbol: String) -> Result<Query, Unconvertible> {
    let currency = "USD".to_owned();
    Ok(Query { symbol, currency })
}

/// How the client asks by either version.
pub static PRICE_CALLER: LazyLock<caller_converts::Rpc<Query, Price>> = LazyLock::new(|| {
    caller_converts::Rpc::builder("price")
        .version(&PRICE_1, of_dollars, |cents| {
            let currency = "USD".to_owned();
            Ok(Price { cents, currency })
        })
        .version_from(&PRICE_2)
        .build()
        .expect("two versions of one name")
});

/// A server of release 1 has no other currency; pretending would be worse than failing.
fn of_dollars(query: Query) -> Result<String, Unconvertible> {
    if query.currency != "USD" {
        let text = format!("prices in {} need version 2", query.currency);
        return Err(Unconvertible::new(text));
    }
    Ok(query.symbol)
}

/// Pieces in stock, of a symbol: what servers ask each other.
pub static STOCK_1: Rpc<String, i64> = Rpc::new("stock", 1);

/// Both sides of it.
pub type StockRpc = both_convert::Rpc<(), String, i64, String, i64>;

/// The versions of it.
pub static STOCK: LazyLock<StockRpc> = LazyLock::new(|| {
    let stock = StockRpc::builder("stock").version_from(&STOCK_1);
    stock.build().expect("one version")
});

/// What the server answers. `on_version` hears of each version when it is first asked for.
///
/// # Errors
/// None: names and versions differ.
pub fn table(
    on_version: impl Fn(&Registered) + Clone + Send + Sync + 'static,
) -> anyhow::Result<Implementations<()>> {
    let price = price_callee()?.on_new_version(on_version.clone());
    let stock = STOCK.callee().clone().on_new_version(on_version);
    let table = Implementations::builder()
        .implementations(
            price.implement(|(), _version, query: Query| async move { Ok(price_of(query)) }),
        )
        .implementations(stock.implement(|(), _version, symbol| async move { Ok(pieces(&symbol)) }))
        .build()?;
    Ok(table)
}

/// What the client asks.
///
/// # Errors
/// Those of the dispatch; of any currency but the dollar, if the server is of release 1.
pub async fn ask(connection: &ConnectionWithMenu, query: Query) -> Result<Price, CallError> {
    PRICE_CALLER.dispatch(connection, query).await
}

/// What a server asks another one.
///
/// # Errors
/// Those of the dispatch.
pub async fn ask_stock(connection: &ConnectionWithMenu, symbol: String) -> Result<i64, CallError> {
    STOCK.caller().dispatch(connection, symbol).await
}

fn price_of(query: Query) -> Price {
    let dollars: i64 = query.symbol.bytes().map(i64::from).sum();
    let cents = match &query.currency[..] {
        "EUR" => dollars * 9 / 10,
        _ => dollars,
    };
    Price {
        cents,
        currency: query.currency,
    }
}

fn pieces(symbol: &str) -> i64 {
    7 * i64::try_from(symbol.len()).unwrap_or(0)
}
