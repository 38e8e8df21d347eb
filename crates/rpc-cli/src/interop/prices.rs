//! The two versions of `price`, and how each becomes the other: the model is that of version 2.

use bin_prot::ByteString;
use rpc_versioned::convert::Unconvertible;
use rpc_versioned::{Builder, RegistrationError, callee_converts, caller_converts};

use super::rpcs::{PRICE_1, PRICE_2, Price, PriceQuery};

pub(crate) fn caller() -> Builder<caller_converts::Rpc<PriceQuery, Price>> {
    caller_converts::Rpc::builder(PRICE_1.name())
}

pub(crate) fn callee<S: Send + 'static>()
-> Result<callee_converts::Rpc<S, PriceQuery, Price>, RegistrationError> {
    callee_converts::Rpc::builder(PRICE_1.name())
        .version(&PRICE_1, in_default_currency, |price: Price| Ok(price.px))
        .version_from(&PRICE_2)
        .build()
}

pub(crate) fn query(symbol: &str, currency: Option<&str>) -> PriceQuery {
    PriceQuery {
        symbol: symbol.into(),
        currency: currency.map(ByteString::from),
    }
}

/// Version 1 cannot ask for a currency.
pub(crate) fn symbol(query: PriceQuery) -> Result<ByteString, Unconvertible> {
    Ok(query.symbol)
}

fn in_default_currency(symbol: ByteString) -> Result<PriceQuery, Unconvertible> {
    Ok(PriceQuery {
        symbol,
        currency: None,
    })
}

/// What version 1 answers is in dollars.
pub(crate) fn in_dollars(px: i64) -> Result<Price, Unconvertible> {
    let ccy = "USD".into();
    Ok(Price { px, ccy })
}
