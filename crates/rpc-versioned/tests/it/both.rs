//! Both halves in one value.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use rpc_core::connection::Config;
use rpc_core::{Connection, Implementations, OneWay, PipeRpc, Rpc, StateRpc};
use rpc_versioned::convert::Unconvertible;
use rpc_versioned::{CallError, ConnectionWithMenu, Converts, both_convert};

use crate::pair::{assert_uncaught, serving, settle, updates};

/// V-BO, ZV13: two releases with both halves each; both call each other.
#[tokio::test(start_paused = true)]
async fn releases_with_both_halves_talk_over_what_both_know() {
    type Price = both_convert::Rpc<(), i64, i64, i64, i64>;
    static V1: Rpc<i64, i64> = Rpc::new("rpc", 1);
    static V2: Rpc<String, String> = Rpc::new("rpc", 2);
    static V3: Rpc<i64, i64> = Rpc::new("rpc", 3);
    fn number(text: &str) -> Result<i64, Unconvertible> {
        Ok(text.parse()?)
    }
    let builder = || {
        Price::builder("rpc").version(
            &V2,
            |number| Ok(number.to_string()),
            |text| number(&text),
            |number| Ok(number.to_string()),
            |text| number(&text),
        )
    };
    let older = builder().version_from(&V1).build().unwrap();
    let newer = builder().version_from(&V3).build().unwrap();
    // V-BO-3, V-BO-2.
    for (release, versions) in [(&older, [1, 2]), (&newer, [2, 3])] {
        assert_eq!(release.versions(), versions);
        assert_eq!(release.caller().versions(), versions);
        assert_eq!(release.callee().versions(), versions);
        assert_eq!(release.caller().name(), Some("rpc"));
        assert_eq!(release.callee().name(), Some("rpc"));
    }
    let table = |release: &Price, sign: i64| {
        let implementations = release
            .callee()
            .implement_blocking(move |(), version, number| Ok(sign * (100 * version + number)));
        Implementations::builder()
            .implementations(implementations)
            .build()
            .unwrap()
    };
    let (near, far) = tokio::io::duplex(4096);
    let config = Config::default;
    let (old_table, new_table) = (table(&older, 1), table(&newer, -1));
    let (near, far) = tokio::join!(
        Connection::serve(near, config(), &old_table, |_| ()),
        Connection::serve(far, config(), &new_table, |_| ()),
    );
    let near = ConnectionWithMenu::request(near.unwrap()).await.unwrap();
    let far = ConnectionWithMenu::request(far.unwrap()).await.unwrap();
    assert_eq!(older.caller().dispatch(&near, 7).await.unwrap(), -207);
    assert_eq!(newer.caller().dispatch(&far, 7).await.unwrap(), 207);
}

/// V-BO-2, V-CE-10: the second form of the caller, and the callee's form that tells its failures, in one
/// family; a clone of it is the same family.
#[tokio::test(start_paused = true)]
async fn plain_rpcs_have_all_forms_of_their_halves() {
    type Price = both_convert::Rpc<(), (i64, &'static str), String, i64, i64>;
    static V1: Rpc<i64, i64> = Rpc::new("rpc", 1);
    static V2: Rpc<i64, Result<i64, String>> = Rpc::new("rpc", 2);
    let even = |number: i64| match number % 2 {
        0 => Ok(number),
        _ => Err(Unconvertible::new("odd")),
    };
    let with_query = Price::builder("rpc").version_with_query(
        &V1,
        |(number, _)| Ok(*number),
        even,
        Ok,
        |(number, unit), doubled| Ok(format!("twice {number} {unit} is {doubled}")),
    );
    let with_failure = Price::builder("rpc").version_with_failure(
        &V2,
        |(number, _)| Ok(number),
        even,
        Ok,
        |told| Ok(format!("{told:?}")),
    );
    for (family, of_four, of_five) in [
        (with_query, "twice 4 m is 8", None),
        (with_failure, "Ok(8)", Some("Err(\"odd\")")),
    ] {
        let family = family.build().unwrap().clone();
        let double = family
            .callee()
            .implement_blocking(|(), _, number| Ok(2 * number));
        let (caller, _callee) = serving(double, ()).await;
        let dispatch = |number| family.caller().dispatch(&caller, (number, "m"));
        assert_eq!(dispatch(4).await.unwrap(), of_four);
        match of_five {
            Some(told) => assert_eq!(dispatch(5).await.unwrap(), told),
            None => {
                let error = dispatch(5).await.unwrap_err();
                assert_uncaught(error.dispatch_error().unwrap(), "Query", &V1.description());
            }
        }
    }
}

/// A stream whose items go through a conversion: what raw forms make of whole pipes here.
struct Each<St>(St, fn(i64) -> Result<i64, Unconvertible>);

impl<St: Stream<Item = i64> + Unpin> Stream for Each<St> {
    type Item = Result<i64, Unconvertible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.0).poll_next(cx);
        polled.map(|update| update.map(this.1))
    }
}

static COUNT_1: PipeRpc<i64, i64, i64> = PipeRpc::new("count", 1);
static COUNT_2: PipeRpc<i64, i64, i64> = PipeRpc::new("count", 2);
static COUNTER_1: StateRpc<i64, i64, i64, i64> = StateRpc::new("counter", 1);
static COUNTER_2: StateRpc<i64, i64, i64, i64> = StateRpc::new("counter", 2);
static LOG: OneWay<i64> = OneWay::new("log", 1);

type Count = both_convert::PipeRpc<(), i64, i64, i64, i64, i64, i64>;
type Counter = both_convert::StateRpc<(), i64, i64, i64, i64, i64, i64, i64, i64>;

fn plus<const N: i64>(number: i64) -> Result<i64, Unconvertible> {
    Ok(number + N)
}

/// V-BO-1, V-BO-2, V-BO-4: of pipes, in the ordinary form and in the raw one: every value goes through
/// both of its conversions, in the order of the call; updates are results for the caller; the direct
/// form is there unless a version is raw.
#[tokio::test(start_paused = true)]
async fn pipes_go_through_both_conversions() {
    let builder = || {
        Count::builder("count").version(
            &COUNT_1,
            (plus::<1>, plus::<10>),
            (plus::<100>, plus::<1000>),
            (plus::<7>, plus::<70>),
        )
    };
    let raw = builder().version_raw(
        &COUNT_2,
        (plus::<1>, plus::<10>),
        (
            |updates| Ok(Each(updates, plus::<100>)),
            |pipe| Ok(Each(pipe, plus::<1000>)),
        ),
        (plus::<7>, plus::<70>),
    );
    let (ordinary, raw) = (builder().build().unwrap(), raw.build().unwrap());
    raw.callee()
        .implement_direct(|(), _, _, _| async { Ok(Ok(())) })
        .unwrap_err();
    let direct = ordinary
        .callee()
        .implement_direct(|(), _, query, writer| async move {
            if query < 0 {
                return Ok(Err(query));
            }
            writer.write(query)?;
            Ok(Ok(()))
        });
    for (count, implementations) in [
        (&ordinary, ordinary.callee().implement(answer)),
        (&ordinary, direct.unwrap()),
        (&raw, raw.callee().implement(answer)),
    ] {
        let (connection, _callee) = serving(implementations, ()).await;
        let mut pipe = count
            .caller()
            .dispatch(&connection, 5)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(pipe.next().await.unwrap().unwrap(), 1116);
        assert!(pipe.next().await.is_none());
        let refusal = count
            .caller()
            .dispatch(&connection, -20)
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(refusal, -9 + 77);
    }
}

fn answer(
    (): &(),
    _version: i64,
    query: i64,
) -> impl Future<Output = Result<Result<crate::pair::Updates<i64>, i64>, rpc_core::HandlerError>> + use<>
{
    let answer = if query < 0 {
        Err(query)
    } else {
        Ok(updates([query]))
    };
    async move { Ok(answer) }
}

/// V-BO-1, V-BO-2: the same of states.
#[tokio::test(start_paused = true)]
async fn states_go_through_both_conversions() {
    let ordinary = Counter::builder("counter").version(
        &COUNTER_1,
        (plus::<1>, plus::<10>),
        (plus::<3>, plus::<30>),
        (plus::<100>, plus::<1000>),
        (plus::<7>, plus::<70>),
    );
    let raw = Counter::builder("counter").version_raw(
        &COUNTER_2,
        (plus::<1>, plus::<10>),
        (plus::<3>, plus::<30>),
        (
            |_: &_, updates| Ok(Each(updates, plus::<100>)),
            |pipe| Ok(Each(pipe, plus::<1000>)),
        ),
        (plus::<7>, plus::<70>),
    );
    for counter in [ordinary.build().unwrap(), raw.build().unwrap()] {
        let implementations = counter.callee().implement(|(), _, query| async move {
            Ok(if query < 0 {
                Err(query)
            } else {
                Ok((query, updates([query])))
            })
        });
        let (connection, _callee) = serving(implementations, ()).await;
        let opened = counter.caller().dispatch(&connection, 5).await;
        let (state, mut pipe) = opened.unwrap().unwrap();
        assert_eq!(state, 16 + 33);
        assert_eq!(pipe.next().await.unwrap().unwrap(), 1116);
        assert!(pipe.next().await.is_none());
        let refusal = counter
            .caller()
            .dispatch(&connection, -20)
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(refusal, -9 + 77);
    }
}

/// V-BO-2: the halves fail as callers and callees do.
#[tokio::test(start_paused = true)]
async fn halves_fail_as_callers_and_callees_do() {
    static RPC: Rpc<i64, i64> = Rpc::new("rpc", 1);
    fn no(_: i64) -> Result<i64, Unconvertible> {
        Err(Unconvertible::new("no"))
    }
    type Plain = both_convert::Rpc<(), i64, i64, i64, i64>;
    let conversions: [[fn(i64) -> Result<i64, Unconvertible>; 4]; 4] = [
        [no, Ok, Ok, Ok],
        [Ok, no, Ok, Ok],
        [Ok, Ok, no, Ok],
        [Ok, Ok, Ok, no],
    ];
    for (place, [query, callee_query, callee_response, response]) in
        conversions.into_iter().enumerate()
    {
        let both =
            Plain::builder("rpc").version(&RPC, query, callee_query, callee_response, response);
        let both = both.build().unwrap();
        let implementations = both.callee().implement_blocking(|(), _, number| Ok(number));
        let (connection, _callee) = serving(implementations, ()).await;
        let error = both.caller().dispatch(&connection, 1).await.unwrap_err();
        let conversion = if place < 2 { "Query" } else { "Response" };
        match error {
            CallError::Dispatch { source, .. } => {
                assert!(place == 1 || place == 2, "{source}");
                assert_uncaught(&source, conversion, &RPC.description());
            }
            CallError::Conversion(error) => {
                assert!(place == 0 || place == 3, "{error}");
                assert_eq!(error.conversion().to_string(), conversion);
            }
            other => panic!("{other:?}"),
        }
        assert!(!connection.connection().is_closed());
    }
    // A message that the callee cannot convert closes the connection (V-CE-5).
    let log = both_convert::OneWay::<(), i64, i64>::builder("log").version(&LOG, Ok, no);
    let log = log.build().unwrap();
    let implementations = log.callee().implement(|(), _, _| async { Ok(()) });
    let (connection, callee) = serving(implementations, ()).await;
    log.caller().dispatch(&connection, 1).unwrap();
    settle().await;
    assert!(callee.is_closed());
}
