//! The RPCs of the interoperability suite, which callers and callees share.
//!
//! Knows types and names, nothing of what is answered. OCaml's strings are bytes, so texts are
//! `ByteString`s: a value that is no UTF-8 has to pass too.

use bin_prot::{BinProt, ByteString};
use rpc_core::{OneWay, PipeRpc, Rpc, StateRpc};

use super::zoo::{Zoo, Zoo2};

/// What `count` is asked.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub(crate) struct CountQuery {
    pub(crate) from_: i64,
    /// Exclusive.
    pub(crate) until: i64,
    /// The user's error to refuse with.
    pub(crate) fail_with: Option<ByteString>,
}

/// What version 2 of `price` is asked.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub(crate) struct PriceQuery {
    pub(crate) symbol: ByteString,
    pub(crate) currency: Option<ByteString>,
}

/// What version 2 of `price` answers.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub(crate) struct Price {
    pub(crate) px: i64,
    pub(crate) ccy: ByteString,
}

pub(crate) static ECHO_STRING: Rpc<ByteString, ByteString> = Rpc::new("echo-string", 1);
pub(crate) static SUM: Rpc<Vec<i64>, i64> = Rpc::new("sum", 1);
pub(crate) static FAIL: Rpc<ByteString, ()> = Rpc::new("fail", 1);
pub(crate) static DIVIDE: Rpc<(i64, i64), Result<i64, ByteString>> = Rpc::new("divide", 1);
pub(crate) static LOG: OneWay<ByteString> = OneWay::new("log", 1);
pub(crate) static LOG_COUNT: Rpc<(), i64> = Rpc::new("log-count", 1);
pub(crate) static LOG_BOOM: OneWay<ByteString> = OneWay::new("log-boom", 1);
pub(crate) static COUNT: PipeRpc<CountQuery, i64, ByteString> = PipeRpc::new("count", 1);
pub(crate) static COUNT_DIRECT: PipeRpc<CountQuery, i64, ByteString> =
    PipeRpc::new("count-direct", 1);
pub(crate) static BOOM_PIPE: PipeRpc<ByteString, i64, ByteString> = PipeRpc::new("boom-pipe", 1);
/// The query is the number of milliseconds between two updates.
pub(crate) static TICKS: PipeRpc<i64, i64, ()> = PipeRpc::new("ticks", 1);
pub(crate) static LIVE_TICKS: Rpc<(), i64> = Rpc::new("live-ticks", 1);
pub(crate) static COUNTER: StateRpc<ByteString, i64, i64, ByteString> = StateRpc::new("counter", 1);
/// The query is the number of bytes wanted.
pub(crate) static BIG: Rpc<i64, ByteString> = Rpc::new("big", 1);
pub(crate) static FORBIDDEN: Rpc<ByteString, ByteString> = Rpc::new("forbidden", 1);
pub(crate) static FORBIDDEN_PIPE: PipeRpc<ByteString, i64, ByteString> =
    PipeRpc::new("forbidden-pipe", 1);
pub(crate) static ZOO: Rpc<Zoo, Zoo> = Rpc::new("zoo", 1);
pub(crate) static ZOO2: Rpc<Zoo2, Zoo2> = Rpc::new("zoo2", 1);
pub(crate) static ECHO_METADATA: Rpc<(), Option<ByteString>> = Rpc::new("echo-metadata", 1);
/// The query is the number of milliseconds after which it is answered.
pub(crate) static SLEEP: Rpc<i64, i64> = Rpc::new("sleep", 1);
pub(crate) static PRICE_1: Rpc<ByteString, i64> = Rpc::new("price", 1);
pub(crate) static PRICE_2: Rpc<PriceQuery, Price> = Rpc::new("price", 2);

/// Ours, beyond the suite's page. Symbols without letters are refused.
pub(crate) static PRICE_PIPE_1: PipeRpc<ByteString, i64, ()> = PipeRpc::new("price-pipe", 1);
pub(crate) static PRICE_PIPE_2: PipeRpc<PriceQuery, Price, ByteString> =
    PipeRpc::new("price-pipe", 2);
pub(crate) static PRICE_STATE_1: StateRpc<ByteString, i64, i64, ()> =
    StateRpc::new("price-state", 1);
pub(crate) static PRICE_STATE_2: StateRpc<PriceQuery, Price, Price, ByteString> =
    StateRpc::new("price-state", 2);
