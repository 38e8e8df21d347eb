//! What `price` and its streams answer, in terms of the model.

use bin_prot::ByteString;

use super::updates::Updates;
use super::wrapped;
use crate::interop::rpcs::{Price, PriceQuery};

/// A hundred for each letter, in the currency that was asked for.
pub(super) fn price(query: PriceQuery) -> Price {
    let letters = i64::try_from(query.symbol.as_bytes().len()).unwrap_or(i64::MAX);
    Price {
        px: wrapped(letters.wrapping_mul(100)),
        ccy: query.currency.unwrap_or_else(|| "USD".into()),
    }
}

/// Three prices, each one more than the one before, and the end.
pub(super) type Prices = Updates<std::vec::IntoIter<Price>>;

/// The price, and those that follow it. What has no letters has no price.
pub(super) fn state(query: PriceQuery) -> Result<(Price, Prices), ByteString> {
    if query.symbol.as_bytes().is_empty() {
        return Err("no symbol".into());
    }
    let first = price(query);
    let later = (1..=3).map(|more| Price {
        px: wrapped(first.px.wrapping_add(more)),
        ..first.clone()
    });
    let later = later.collect::<Vec<_>>();
    Ok((first, Updates::new(later.into_iter())))
}

/// The prices that follow, without the first.
pub(super) fn pipe(query: PriceQuery) -> Result<Prices, ByteString> {
    state(query).map(|(_, later)| later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn price_of_a_symbol() {
        let check = |symbol: &str, currency: Option<&str>, px, ccy: &str| {
            let query = PriceQuery {
                symbol: symbol.into(),
                currency: currency.map(ByteString::from),
            };
            let ccy = ccy.into();
            assert_eq!(price(query), Price { px, ccy });
        };
        check("ABC", None, 300, "USD");
        check("", Some("EUR"), 0, "EUR");
    }
}
