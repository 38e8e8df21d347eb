//! Four families, one of each kind, with three versions each: any subset of these can be known to
//! a caller or to a callee.

use std::sync::{Arc, Mutex};

use bin_prot::BinProt;
use rpc_core::{Implementation, OneWay, PipeRpc, Rpc, StateRpc};
use rpc_versioned::convert::{into, try_into};
use rpc_versioned::{callee_converts, caller_converts};

use crate::pair::updates;

/// The model of a query, and that of version 3.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub(crate) struct Query {
    pub(crate) symbol: String,
    pub(crate) currency: String,
}

/// The model of a response.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub(crate) struct Price {
    pub(crate) px: i64,
    pub(crate) ccy: String,
}

/// The model of what a stream is asked.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub(crate) struct Range {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// The model of a message.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub(crate) struct Note {
    pub(crate) text: String,
    pub(crate) level: i64,
}

pub(crate) static PRICE_1: Rpc<String, i64> = Rpc::new("price", 1);
pub(crate) static PRICE_2: Rpc<(String, Option<String>), i64> = Rpc::new("price", 2);
pub(crate) static PRICE_3: Rpc<Query, Price> = Rpc::new("price", 3);

pub(crate) static NOTE_1: OneWay<String> = OneWay::new("note", 1);
pub(crate) static NOTE_2: OneWay<(String, i64)> = OneWay::new("note", 2);
pub(crate) static NOTE_3: OneWay<Note> = OneWay::new("note", 3);

pub(crate) static COUNT_1: PipeRpc<i64, i32, ()> = PipeRpc::new("count", 1);
pub(crate) static COUNT_2: PipeRpc<(i64, i64), i64, String> = PipeRpc::new("count", 2);
pub(crate) static COUNT_3: PipeRpc<Range, i64, String> =
    PipeRpc::new("count", 3).client_pushes_back();

pub(crate) static COUNTER_1: StateRpc<i64, i32, i32, ()> = StateRpc::new("counter", 1);
pub(crate) static COUNTER_2: StateRpc<(i64, i64), i64, i32, String> = StateRpc::new("counter", 2);
pub(crate) static COUNTER_3: StateRpc<Range, i64, i64, String> = StateRpc::new("counter", 3);

/// What the callee knows of its messages: version and model of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(pub(crate) Arc<Mutex<Vec<(i64, Note)>>>);

pub(crate) fn price_caller(versions: &[i64]) -> caller_converts::Rpc<Query, Price> {
    let in_dollars = |px| Price {
        px,
        ccy: "USD".to_owned(),
    };
    let mut builder = caller_converts::Rpc::<Query, Price>::builder("price");
    for version in versions {
        builder = match version {
            1 => builder.version(
                &PRICE_1,
                |query| Ok(query.symbol),
                move |px| Ok(in_dollars(px)),
            ),
            2 => builder.version_with_query(
                &PRICE_2,
                |query| Ok((query.symbol.clone(), Some(query.currency.clone()))),
                |query, px| {
                    let ccy = query.currency.clone();
                    Ok(Price { px, ccy })
                },
            ),
            _ => builder.version_from(&PRICE_3),
        };
    }
    builder.build().unwrap()
}

pub(crate) fn price_callee(versions: &[i64]) -> callee_converts::Rpc<Notes, Query, Price> {
    let in_dollars = |symbol| Query {
        symbol,
        currency: "USD".to_owned(),
    };
    let mut builder = callee_converts::Rpc::builder("price");
    for version in versions {
        builder = match version {
            1 => builder.version(
                &PRICE_1,
                move |symbol| Ok(in_dollars(symbol)),
                |price: Price| Ok(price.px),
            ),
            2 => builder.version(
                &PRICE_2,
                |(symbol, currency)| {
                    let currency = currency.unwrap_or_else(|| "USD".to_owned());
                    Ok(Query { symbol, currency })
                },
                |price| Ok(price.px),
            ),
            _ => builder.version_from(&PRICE_3),
        };
    }
    builder.build().unwrap()
}

/// The price tells which version was served.
pub(crate) fn price(version: i64, query: Query) -> Price {
    let letters = i64::try_from(query.symbol.len()).unwrap();
    Price {
        px: 100 * letters + version,
        ccy: query.currency,
    }
}

pub(crate) fn note_caller(versions: &[i64]) -> caller_converts::OneWay<Note> {
    let mut builder = caller_converts::OneWay::<Note>::builder("note");
    for version in versions {
        builder = match version {
            1 => builder.version(&NOTE_1, |note| Ok(note.text)),
            2 => builder.version(&NOTE_2, |note| Ok((note.text, note.level))),
            _ => builder.version_from(&NOTE_3),
        };
    }
    builder.build().unwrap()
}

pub(crate) fn note_callee(versions: &[i64]) -> callee_converts::OneWay<Notes, Note> {
    let mut builder = callee_converts::OneWay::builder("note");
    for version in versions {
        builder = match version {
            1 => builder.version(&NOTE_1, |text| Ok(Note { text, level: 0 })),
            2 => builder.version(&NOTE_2, |(text, level)| Ok(Note { text, level })),
            _ => builder.version_from(&NOTE_3),
        };
    }
    builder.build().unwrap()
}

pub(crate) fn count_caller(versions: &[i64]) -> caller_converts::PipeRpc<Range, i64, String> {
    let mut builder = caller_converts::PipeRpc::<Range, i64, String>::builder("count");
    for version in versions {
        builder = match version {
            1 => builder.version(
                &COUNT_1,
                |range| Ok(range.until),
                into,
                |()| Ok("refused".to_owned()),
            ),
            2 => builder.version(&COUNT_2, |range| Ok((range.from, range.until)), Ok, Ok),
            _ => builder.version_from(&COUNT_3),
        };
    }
    builder.build().unwrap()
}

pub(crate) fn count_callee(
    versions: &[i64],
) -> callee_converts::PipeRpc<Notes, Range, i64, String> {
    let mut builder = callee_converts::PipeRpc::builder("count");
    for version in versions {
        builder = match version {
            1 => builder.version(
                &COUNT_1,
                |until| Ok(Range { from: 0, until }),
                try_into,
                |_: String| Ok(()),
            ),
            2 => builder.version(&COUNT_2, |(from, until)| Ok(Range { from, until }), Ok, Ok),
            _ => builder.version_from(&COUNT_3),
        };
    }
    builder.build().unwrap()
}

type CounterCaller = caller_converts::StateRpc<Range, i64, i64, String>;

pub(crate) fn counter_caller(versions: &[i64]) -> CounterCaller {
    let mut builder = CounterCaller::builder("counter");
    for version in versions {
        builder = match version {
            1 => builder.version(
                &COUNTER_1,
                |range| Ok(range.until),
                into,
                into,
                |()| Ok("refused".to_owned()),
            ),
            2 => builder.version(
                &COUNTER_2,
                |range| Ok((range.from, range.until)),
                Ok,
                into,
                Ok,
            ),
            _ => builder.version_from(&COUNTER_3),
        };
    }
    builder.build().unwrap()
}

pub(crate) fn counter_callee(
    versions: &[i64],
) -> callee_converts::StateRpc<Notes, Range, i64, i64, String> {
    let mut builder = callee_converts::StateRpc::builder("counter");
    for version in versions {
        builder = match version {
            1 => builder.version(
                &COUNTER_1,
                |until| Ok(Range { from: 0, until }),
                try_into,
                try_into,
                |_: String| Ok(()),
            ),
            2 => builder.version(
                &COUNTER_2,
                |(from, until)| Ok(Range { from, until }),
                Ok,
                try_into,
                Ok,
            ),
            _ => builder.version_from(&COUNTER_3),
        };
    }
    builder.build().unwrap()
}

/// What answers all four families in these versions. Streams tell the version first.
pub(crate) fn answering(versions: &[i64]) -> Vec<Implementation<Notes>> {
    let mut all = price_callee(versions)
        .implement(|_, version, query| async move { Ok(price(version, query)) });
    all.extend(note_callee(versions).implement(|notes, version, note| {
        notes.0.lock().unwrap().push((version, note));
        async { Ok(()) }
    }));
    all.extend(
        count_callee(versions).implement(|_, version, range| async move {
            if range.until < range.from {
                return Ok(Err(format!("refused by {version}")));
            }
            Ok(Ok(updates(
                [version].into_iter().chain(range.from..range.until),
            )))
        }),
    );
    all.extend(
        counter_callee(versions).implement(|_, version, range| async move {
            if range.until < range.from {
                return Ok(Err(format!("refused by {version}")));
            }
            Ok(Ok((version, updates(range.from..range.until))))
        }),
    );
    all
}
