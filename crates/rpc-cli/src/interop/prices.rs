//! The versions of `price`, and of its two streams: which of them an end knows, and how each becomes
//! the other. The model is that of version 2.

mod callees;
mod callers;

use std::str::FromStr;

use bin_prot::ByteString;
use rpc_versioned::convert::Unconvertible;

use super::rpcs::{Price, PriceQuery};

pub(crate) use callees::{callee, pipe_callee, state_callee};
pub(crate) use callers::{caller, pipe_caller, state_caller};

/// The versions that an end of the suite can know.
const ALL: [i64; 2] = [1, 2];

/// Those that one does know: ascending, each once, and at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PriceVersions(Vec<i64>);

impl PriceVersions {
    pub(crate) fn numbers(&self) -> &[i64] {
        &self.0
    }
}

impl Default for PriceVersions {
    fn default() -> Self {
        Self(ALL.to_vec())
    }
}

/// `1`, `2`, or `1,2`.
impl FromStr for PriceVersions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = |text: &str| text.parse().ok().filter(|number| ALL.contains(number));
        let numbers = text.split(',').map(known).collect::<Option<Vec<_>>>();
        let mut numbers =
            numbers.ok_or_else(|| "versions of price are 1, 2, and 1,2".to_owned())?;
        numbers.sort_unstable();
        numbers.dedup();
        Ok(Self(numbers))
    }
}

pub(crate) fn query(symbol: &str, currency: Option<&str>) -> PriceQuery {
    PriceQuery {
        symbol: symbol.into(),
        currency: currency.map(ByteString::from),
    }
}

/// Version 1 cannot ask for a currency.
fn symbol(query: PriceQuery) -> Result<ByteString, Unconvertible> {
    Ok(query.symbol)
}

fn in_default_currency(symbol: ByteString) -> Result<PriceQuery, Unconvertible> {
    Ok(PriceQuery {
        symbol,
        currency: None,
    })
}

/// What version 1 answers is in dollars.
fn in_dollars(px: i64) -> Result<Price, Unconvertible> {
    let ccy = "USD".into();
    Ok(Price { px, ccy })
}

fn without_currency(price: Price) -> Result<i64, Unconvertible> {
    Ok(price.px)
}

/// Version 1 of the streams refuses without a reason.
fn no_reason(_: ByteString) -> Result<(), Unconvertible> {
    Ok(())
}

fn unknown_reason((): ()) -> Result<ByteString, Unconvertible> {
    Ok("no reason given".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_some_of_those_there_are() {
        let check = |text: &str, expected: Option<&[i64]>| {
            let versions = text.parse::<PriceVersions>().ok();
            assert_eq!(versions.as_ref().map(PriceVersions::numbers), expected);
        };
        check("1", Some(&[1]));
        check("2", Some(&[2]));
        check("2,1,2", Some(&[1, 2]));
        for text in ["", "3", "1,", "1;2", "1-2"] {
            check(text, None);
        }
    }
}
