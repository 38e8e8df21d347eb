//! The third release: prices depend on how much is bought, version 1 is gone, and stock is in a
//! place.

use std::sync::LazyLock;

use bin_prot::BinProt;
use rpc_core::{Implementations, Rpc};
use rpc_versioned::convert::{Unconvertible, into};
use rpc_versioned::{
    CallError, ConnectionWithMenu, Registered, RegistrationError, both_convert, callee_converts,
    caller_converts,
};

use crate::release_2::{self, PRICE_2, Price, STOCK_1};

/// What is asked for a price.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct Query {
    /// What of.
    pub symbol: String,
    /// In which currency.
    pub currency: String,
    /// How many pieces.
    pub pieces: i64,
}

/// A price in a currency, of a number of pieces.
pub static PRICE_3: Rpc<Query, Price> = Rpc::new("price", 3);

/// Whoever asks by version 2 means one piece.
impl From<release_2::Query> for Query {
    fn from(query: release_2::Query) -> Self {
        Self {
            symbol: query.symbol,
            currency: query.currency,
            pieces: 1,
        }
    }
}

/// How the server answers. Version 1 is not among them.
///
/// # Errors
/// None: the versions differ.
pub fn price_callee() -> Result<callee_converts::Rpc<(), Query, Price>, RegistrationError> {
    callee_converts::Rpc::builder("price")
        .version_from(&PRICE_2)
        .version_from(&PRICE_3)
        .build()
}

/// How the client asks: as release 2 did, where the server is not newer than that.
pub static PRICE_CALLER: LazyLock<caller_converts::Rpc<Query, Price>> = LazyLock::new(|| {
    let older = release_2::PRICE_CALLER.map_query(of_one_piece);
    caller_converts::Rpc::builder("price")
        .version_from(&PRICE_3)
        .include(&older)
        .build()
        .expect("three versions of one name")
});

/// Older servers know the price of one piece.
fn of_one_piece(query: Query) -> Result<release_2::Query, Unconvertible> {
    if query.pieces != 1 {
        return Err(Unconvertible::new(
            "prices of several pieces need version 3",
        ));
    }
    Ok(release_2::Query {
        symbol: query.symbol,
        currency: query.currency,
    })
}

/// Pieces in stock.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct Stock {
    /// How many.
    pub pieces: i64,
    /// Where.
    pub place: String,
}

/// Pieces in stock, of a symbol, and where they are.
pub static STOCK_2: Rpc<String, Stock> = Rpc::new("stock", 2);

/// Both sides of what servers ask each other.
pub type StockRpc = both_convert::Rpc<(), String, Stock, String, Stock>;

/// The versions of it, for both sides at once.
pub static STOCK: LazyLock<StockRpc> = LazyLock::new(|| {
    let somewhere = |pieces| Stock {
        pieces,
        place: "somewhere".to_owned(),
    };
    StockRpc::builder("stock")
        .version(
            &STOCK_1,
            into,
            into,
            |stock| Ok(stock.pieces),
            move |pieces| Ok(somewhere(pieces)),
        )
        .version_from(&STOCK_2)
        .build()
        .expect("two versions of one name")
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
        .implementations(price.implement(|(), _version, query| async move { Ok(price_of(query)) }))
        .implementations(stock.implement(|(), _version, symbol| async move {
            let place = "Leipzig".to_owned();
            let pieces = 7 * i64::try_from(symbol.len())?;
            Ok(Stock { pieces, place })
        }))
        .build()?;
    Ok(table)
}

/// What the client asks.
///
/// # Errors
/// Those of the dispatch.
pub async fn ask(connection: &ConnectionWithMenu, query: Query) -> Result<Price, CallError> {
    PRICE_CALLER.dispatch(connection, query).await
}

/// What a server asks another one.
///
/// # Errors
/// Those of the dispatch.
pub async fn ask_stock(
    connection: &ConnectionWithMenu,
    symbol: String,
) -> Result<Stock, CallError> {
    STOCK.caller().dispatch(connection, symbol).await
}

fn price_of(query: Query) -> Price {
    let one: i64 = query.symbol.bytes().map(i64::from).sum();
    let one = match &query.currency[..] {
        "EUR" => one * 9 / 10,
        _ => one,
    };
    Price {
        cents: one.saturating_mul(query.pieces),
        currency: query.currency,
    }
}
