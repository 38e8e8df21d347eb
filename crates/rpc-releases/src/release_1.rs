//! The first release: one version, and no thought of others.

use rpc_core::{Connection, DispatchError, DuplicateImplementations, Implementations, Rpc};

/// A price in cents, of a symbol.
pub static PRICE_1: Rpc<String, i64> = Rpc::new("price", 1);

/// What the server answers.
///
/// # Errors
/// None: there is but one.
pub fn table() -> Result<Implementations<()>, DuplicateImplementations> {
    Implementations::builder()
        .implement(&PRICE_1, |(), symbol| async move { Ok(cents(&symbol)) })
        .build()
}

/// What the client asks.
///
/// # Errors
/// Those of the dispatch.
pub async fn ask(connection: &Connection, symbol: String) -> Result<i64, DispatchError> {
    PRICE_1.dispatch(connection, &symbol).await
}

/// Prices are made up.
fn cents(symbol: &str) -> i64 {
    symbol.bytes().map(i64::from).sum()
}
