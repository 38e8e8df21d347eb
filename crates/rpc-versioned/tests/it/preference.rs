//! What comes from Babel: preference, other names, mapped callers, and the check of a caller against
//! a table.

use bin_prot::BinProt;
use rpc_core::{Implementations, OneWay, PipeRpc, Rpc, StateRpc};
use rpc_versioned::convert::{Unconvertible, into};
use rpc_versioned::{
    CallError, Conversion, Converts, Incompatible, SelectionError, caller_converts, menu_of,
};
use rpc_wire::{Description, Menu, ProtocolVersion, RpcDigests};

use crate::pair::{assert_call, assert_conversion, pair, serving, updates};

static QUOTE_1: Rpc<i64, i64> = Rpc::new("quote", 1);
static QUOTE_2: Rpc<i64, i64> = Rpc::new("quote", 2);
static PRICE_7: Rpc<i64, i64> = Rpc::new("price", 7);

/// A table that tells by the sign and size of its answers who has answered.
fn table(rpcs: &[&Rpc<i64, i64>]) -> Implementations<()> {
    let mut builder = Implementations::builder();
    for rpc in rpcs {
        let number = rpc.version();
        builder = builder.implement_blocking(rpc, move |(), query| Ok(100 * number + query));
    }
    builder.build().unwrap()
}

/// V-BA-2: the first entry that is on the menu, whatever its name and version.
#[tokio::test(start_paused = true)]
async fn first_entry_on_the_menu_is_preferred() {
    let caller = caller_converts::Rpc::<i64, i64>::by_preference()
        .version_from(&QUOTE_1)
        .version_from(&PRICE_7)
        .version_from(&QUOTE_2)
        .build()
        .unwrap();
    assert_eq!(caller.name(), None);
    assert_eq!(caller.versions(), [1, 2, 7]);
    for (implemented, expected) in [
        (vec![&QUOTE_1, &QUOTE_2, &PRICE_7], 101),
        (vec![&QUOTE_2, &PRICE_7], 701),
        (vec![&QUOTE_2], 201),
    ] {
        let (connection, _callee) = serving(table(&implemented).iter().cloned(), ()).await;
        assert_eq!(caller.dispatch(&connection, 1).await.unwrap(), expected);
    }
    let other = Rpc::<i64, i64>::new("other", 1);
    let (connection, _callee) = serving(table(&[&other]).iter().cloned(), ()).await;
    let error = caller.dispatch(&connection, 1).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not find any supported RPC in callee; \
         caller knows quote version 1, price version 7, quote version 2"
    );
    let CallError::Selection(SelectionError::NoSupportedRpc { callee_menu, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(&*callee_menu, connection.menu());
    // Duplicates are no preference.
    let error = caller_converts::Rpc::<i64, i64>::by_preference()
        .include(&caller)
        .version_from(&PRICE_7)
        .build()
        .unwrap_err();
    assert_eq!(error.duplicates, [PRICE_7.description()]);
}

/// V-BA-1, decision 24: query and response of a finished caller are mapped; failures are told as
/// conversions of the version that was used.
#[tokio::test(start_paused = true)]
async fn plain_callers_are_mapped() {
    let older = caller_converts::Rpc::<i64, i64>::builder("quote").version_from(&QUOTE_1);
    let older = older.build().unwrap();
    let mapped = older
        .map_query(|text: String| Ok(text.parse::<i64>()?))
        .map_response(|number| match number {
            113 => panic!("thirteen"),
            _ => Ok(number.to_string()),
        });
    let (connection, _callee) = serving(table(&[&QUOTE_1]).iter().cloned(), ()).await;
    let answer = mapped.dispatch(&connection, "7".to_owned()).await.unwrap();
    assert_eq!(answer, "107");
    let error = mapped
        .dispatch(&connection, "seven".to_owned())
        .await
        .unwrap_err();
    assert_call(
        error,
        Conversion::Query,
        &QUOTE_1.description(),
        "invalid digit",
    );
    let error = mapped
        .dispatch(&connection, "13".to_owned())
        .await
        .unwrap_err();
    assert_call(
        error,
        Conversion::Response,
        &QUOTE_1.description(),
        "thirteen",
    );
    // A newer release knows one version more.
    let newer = caller_converts::Rpc::<String, String>::builder("quote")
        .version(
            &QUOTE_2,
            |text| Ok(text.parse()?),
            |number| Ok(number.to_string()),
        )
        .include(&mapped)
        .build()
        .unwrap();
    assert_eq!(newer.versions(), [1, 2]);
    assert_eq!(
        newer.dispatch(&connection, "7".to_owned()).await.unwrap(),
        "107"
    );
}

/// V-BA-1: the same of messages.
#[tokio::test(start_paused = true)]
async fn one_way_callers_are_mapped() {
    use std::sync::{Arc, Mutex};
    static LOG: OneWay<i64> = OneWay::new("log", 1);
    let log = caller_converts::OneWay::<i64>::builder("log")
        .version_from(&LOG)
        .build()
        .unwrap();
    let log = log.map_query(|text: &str| Ok(text.parse()?));
    type Logged = Arc<Mutex<Vec<i64>>>;
    let implementation = rpc_core::Implementation::one_way(&LOG, |logged: &Logged, number| {
        logged.lock().unwrap().push(number);
        async { Ok(()) }
    });
    let logged = Logged::default();
    let (connection, _callee) = serving([implementation], logged.clone()).await;
    log.dispatch(&connection, "5").unwrap();
    let error = log.dispatch(&connection, "five").unwrap_err();
    assert_call(error, Conversion::Msg, &LOG.description(), "invalid digit");
    crate::pair::settle().await;
    assert_eq!(*logged.lock().unwrap(), [5]);
}

static COUNT: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1);
static COUNTER: StateRpc<i64, i64, i64, String> = StateRpc::new("counter", 1);

fn streams() -> Vec<rpc_core::Implementation<()>> {
    vec![
        rpc_core::Implementation::pipe(&COUNT, |(), until| async move {
            if until < 0 {
                return Ok(Err("negative".to_owned()));
            }
            Ok(Ok(updates(0..until)))
        }),
        rpc_core::Implementation::state(&COUNTER, |(), until| async move {
            if until < 0 {
                return Ok(Err("negative".to_owned()));
            }
            Ok(Ok((until, updates(0..until))))
        }),
    ]
}

fn text(number: i64) -> Result<String, Unconvertible> {
    match number {
        2 => Err(Unconvertible::new("two")),
        _ => Ok(number.to_string()),
    }
}

/// V-BA-1, decision 24: query, update and error of a finished pipe caller, with pipe and callback.
#[tokio::test(start_paused = true)]
async fn pipe_callers_are_mapped() {
    use rpc_versioned::caller_converts::PipeMessage;
    let caller = caller_converts::PipeRpc::<i64, i64, String>::builder("count")
        .version_from(&COUNT)
        .build()
        .unwrap()
        .map_query(|text: &str| Ok(text.parse()?))
        .map_update(text)
        .map_error(|error| match &error[..] {
            "negative" => Ok(error.len()),
            _ => Err(Unconvertible::new("unknown")),
        });
    let (connection, _callee) = serving(streams(), ()).await;
    let mut pipe = caller.dispatch(&connection, "4").await.unwrap().unwrap();
    assert_eq!(pipe.next().await.unwrap().unwrap(), "0");
    assert_eq!(pipe.next().await.unwrap().unwrap(), "1");
    let error = pipe.next().await.unwrap().unwrap_err();
    assert_conversion(&error, Conversion::Response, &COUNT.description(), "two");
    assert_eq!(pipe.next().await.unwrap().unwrap(), "3");
    assert!(pipe.next().await.is_none());
    let refusal = caller
        .dispatch(&connection, "-1")
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(refusal, 8);
    let error = caller.dispatch(&connection, "one").await.unwrap_err();
    assert_call(
        error,
        Conversion::Query,
        &COUNT.description(),
        "invalid digit",
    );
    let error = caller
        .dispatch_with(&connection, "one", |_| ())
        .await
        .unwrap_err();
    assert_call(
        error,
        Conversion::Query,
        &COUNT.description(),
        "invalid digit",
    );
    let refusal = caller
        .dispatch_with(&connection, "-1", |_| ())
        .await
        .unwrap();
    assert_eq!(refusal.unwrap_err(), 8);

    let (hear, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let opening = caller.dispatch_with(&connection, "4", move |message| {
        hear.send(message).unwrap();
    });
    opening.await.unwrap().unwrap();
    for expected in ["0", "1"] {
        let message = heard.recv().await.unwrap();
        assert!(
            matches!(&message, PipeMessage::Update(text) if text == expected),
            "{message:?}"
        );
    }
    let PipeMessage::Closed(Err(error)) = heard.recv().await.unwrap() else {
        panic!("the stream should have been broken off");
    };
    assert_call(error, Conversion::Response, &COUNT.description(), "two");
    assert!(heard.recv().await.is_none());
}

/// V-BA-1, decision 24: query, state, update and error of a finished state caller.
#[tokio::test(start_paused = true)]
async fn state_callers_are_mapped() {
    let caller = caller_converts::StateRpc::<i64, i64, i64, String>::builder("counter")
        .version_from(&COUNTER)
        .build()
        .unwrap()
        .map_query(|text: &str| Ok(text.parse()?))
        .map_state(text)
        .map_update(text)
        .map_error(|error| {
            if error.is_empty() {
                Ok(())
            } else {
                panic!("{error}")
            }
        });
    let (connection, callee) = serving(streams(), ()).await;
    let (state, mut pipe) = caller.dispatch(&connection, "3").await.unwrap().unwrap();
    assert_eq!(state, "3");
    assert_eq!(pipe.next().await.unwrap().unwrap(), "0");
    assert_eq!(pipe.next().await.unwrap().unwrap(), "1");
    let error = pipe.next().await.unwrap().unwrap_err();
    assert_conversion(&error, Conversion::Update, &COUNTER.description(), "two");
    assert!(pipe.next().await.is_none());
    let error = caller.dispatch(&connection, "2").await.unwrap_err();
    assert_call(error, Conversion::State, &COUNTER.description(), "two");
    let error = caller.dispatch(&connection, "-1").await.unwrap_err();
    assert_call(error, Conversion::Error, &COUNTER.description(), "negative");
    let error = caller.dispatch(&connection, "two").await.unwrap_err();
    assert_call(
        error,
        Conversion::Query,
        &COUNTER.description(),
        "invalid digit",
    );
    crate::pair::settle().await;
    assert_eq!(callee.served_streams(), 0);
}

/// What the catalogue's family is asked, first.
#[derive(Clone, Debug, BinProt)]
struct Asked1 {
    symbol: String,
}

/// With a field more.
#[derive(Clone, Debug, BinProt)]
struct Asked2 {
    symbol: String,
    currency: String,
}

/// The same description, fields in another order.
#[derive(Clone, Debug, BinProt)]
struct Bad2 {
    currency: String,
    symbol: String,
}

impl From<Asked2> for Asked1 {
    fn from(asked: Asked2) -> Self {
        let Asked2 { symbol, currency } = asked;
        drop(currency);
        Self { symbol }
    }
}

static ASK_1: Rpc<Asked1, i64> = Rpc::new("ask", 1);
static ASK_2: Rpc<Asked2, i64> = Rpc::new("ask", 2);
static ASK_2_BAD: Rpc<Bad2, i64> = Rpc::new("ask", 2);

fn asking(versions: &[i64]) -> caller_converts::Rpc<Asked2, i64> {
    let mut builder = caller_converts::Rpc::<Asked2, i64>::by_preference();
    for version in versions {
        builder = match version {
            1 => builder.version(&ASK_1, into, Ok),
            _ => builder.version_from(&ASK_2),
        };
    }
    builder.build().unwrap()
}

fn answering(versions: &[i64]) -> Implementations<()> {
    let mut builder = Implementations::builder();
    for version in versions {
        builder = match version {
            1 => builder
                .implement_blocking(&ASK_1, |(), asked| Ok(i64::from(asked.symbol.is_empty()))),
            2 => builder.implement_blocking(&ASK_2, |(), asked| {
                Ok(i64::from(asked.symbol == asked.currency))
            }),
            _ => builder.implement_blocking(&ASK_2_BAD, |(), asked| {
                Ok(i64::from(asked.symbol == asked.currency))
            }),
        };
    }
    builder.build().unwrap()
}

/// V-BA-5, Y2: callee × caller: nothing in common, the same description and types, and the same
/// description with other types; before anything is connected.
#[test]
fn callers_are_checked_against_tables() {
    let bad = -2;
    for (caller, callee, expected) in [
        (&[2][..], &[][..], None),
        (&[2], &[1], None),
        (&[2], &[2], Some(2)),
        (&[2], &[1, 2], Some(2)),
        (&[1], &[2], None),
        (&[1], &[1, 2], Some(1)),
        (&[2, 1], &[], None),
        (&[2, 1], &[1], Some(1)),
        (&[2, 1], &[2, 1], Some(2)),
        (&[1], &[1, bad], Some(1)),
    ] {
        let checked = asking(caller).check(&menu_of(&answering(callee)));
        match expected {
            Some(version) => assert_eq!(checked, Ok(Description::new("ask", version))),
            None => {
                let caller = caller
                    .iter()
                    .map(|version| Description::new("ask", *version));
                let caller = caller.collect();
                assert_eq!(checked, Err(Incompatible::NoMatch { caller }));
            }
        }
    }
    let error = asking(&[2, 1])
        .check(&menu_of(&answering(&[1, bad])))
        .unwrap_err();
    assert_eq!(
        error,
        Incompatible::Types {
            rpc: ASK_2.description(),
            caller: Box::new(ASK_2.digests()),
            callee: Box::new(ASK_2_BAD.digests()),
        }
    );
    assert_eq!(
        error.to_string(),
        "corresponding RPCs have mismatching shapes: ask version 2"
    );
}

/// V-BA-5: what a menu does not tell is not compared.
#[test]
fn types_that_nobody_tells_are_not_compared() {
    let rpc = Description::new("ask", 2);
    let without = Menu::new([rpc.clone()]).unwrap();
    assert_eq!(asking(&[2]).check(&without), Ok(rpc.clone()));
    let unknown = Menu::with_digests([(rpc.clone(), RpcDigests::Unknown)]).unwrap();
    assert_eq!(asking(&[2]).check(&unknown), Ok(rpc));
}

/// Y3: the same combinations in life.
#[tokio::test(start_paused = true)]
async fn callers_and_callees_meet_where_the_check_says() {
    for caller in [&[2][..], &[1], &[2, 1]] {
        for callee in [&[][..], &[2], &[1], &[1, 2]] {
            let (caller, table) = (asking(caller), answering(callee));
            let checked = caller.check(&menu_of(&table));
            let (connection, _callee) = pair(ProtocolVersion::MAX, &table, ()).await;
            let connection = rpc_versioned::ConnectionWithMenu::request(connection)
                .await
                .unwrap();
            let asked = Asked2 {
                symbol: "A".to_owned(),
                currency: "A".to_owned(),
            };
            let answer = caller.dispatch(&connection, asked).await;
            match checked {
                // Version 2 compares what version 1 does not have.
                Ok(rpc) => assert_eq!(answer.unwrap(), rpc.version - 1),
                Err(_) => assert!(matches!(answer, Err(CallError::Selection(_)))),
            }
        }
    }
}
