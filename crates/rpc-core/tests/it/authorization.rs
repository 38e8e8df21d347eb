//! Who may ask, decided by what lifts the state or by the handler itself (*rpcs* §13).

use std::time::Duration;

use rpc_core::connection::Config;
use rpc_core::{
    HandlerError, Implementation, Implementations, OnException, OnUnknownRpc, OneWay, PipeRpc,
    QueryContext, Reply, Rpc, StateRpc,
};
use rpc_wire::RpcError;
use tokio::time::sleep;

use crate::pair::settle;
use crate::peer::Peer;
use crate::rpcs::{ECHO, MISSING, Notes};
use crate::source;

static PLAIN: Rpc<i64, i64> = Rpc::new("plain", 1);
static BLOCKING: Rpc<i64, i64> = Rpc::new("blocking", 1);
static EXPERT: Rpc<i64, i64> = Rpc::new("expert", 1);
static ONE_WAY: OneWay<i64> = OneWay::new("one-way", 1);
static ONE_WAY_EXPERT: OneWay<i64> = OneWay::new("one-way-expert", 1);
static PIPE: PipeRpc<i64, i64, String> = PipeRpc::new("pipe", 1);
static STATE: StateRpc<i64, i64, i64, String> = StateRpc::new("state", 1);
static PIPE_DIRECT: PipeRpc<i64, i64, String> = PipeRpc::new("pipe-direct", 1);
static STATE_DIRECT: StateRpc<i64, i64, i64, String> = StateRpc::new("state-direct", 1);

/// A policy that notes what it is asked about.
fn noting(notes: &Notes) -> OnException {
    let notes = notes.clone();
    OnException::call(move |exception| notes.push(exception.to_string()))
}

/// `((location LOCATION)(exn TEXT))`, inside the error that the version knows.
#[track_caller]
fn check_refused(error: RpcError, number: i64, location: &str, text: &str) {
    let expected = format!("((location\"server-side {location} authorization\")(exn{text}))");
    match error {
        RpcError::AuthorizationFailure(error) if number >= 3 => {
            assert_eq!(error.to_string(), expected);
        }
        RpcError::UncaughtExn(error) if number < 3 => {
            let expected = format!("(Authorization_failure{expected})");
            assert_eq!(error.to_string(), expected);
        }
        other => panic!("{other:?} at {number}"),
    }
}

/// Handlers that refuse negative queries themselves: at once, or after they have suspended.
fn refusing(later: bool) -> Implementations<Notes> {
    let check = |n: i64| match n {
        ..0 => Err(HandlerError::not_authorized("query negative")),
        _ => Ok(n),
    };
    let pause = move || {
        let pause = if later { 1 } else { 0 };
        sleep(Duration::from_millis(pause))
    };
    Implementations::builder()
        .implement(&PLAIN, move |_, n| async move {
            pause().await;
            check(n)
        })
        .implement_blocking(&BLOCKING, move |_, n| check(n))
        .implementation(Implementation::expert(
            &EXPERT,
            move |_: &Notes, query, responder| {
                let n = bin_prot::from_slice(query.bytes());
                async move {
                    pause().await;
                    responder.value(&EXPERT, &check(n?)?)?;
                    Ok(Reply::Replied)
                }
            },
        ))
        .implement_one_way(&ONE_WAY, move |notes: &Notes, n| {
            let notes = notes.clone();
            async move {
                pause().await;
                notes.push(check(n)?.to_string());
                Ok(())
            }
        })
        .implementation(Implementation::one_way_expert(
            &ONE_WAY_EXPERT,
            move |notes: &Notes, query| {
                let (notes, n) = (notes.clone(), bin_prot::from_slice(query.bytes()));
                async move {
                    pause().await;
                    notes.push(check(n?)?.to_string());
                    Ok(())
                }
            },
        ))
        .implement_pipe(&PIPE, move |_, n| async move {
            pause().await;
            Ok(Ok(source::iter([check(n)?])))
        })
        .implement_state(&STATE, move |_, n| async move {
            pause().await;
            Ok(Ok((check(n)?, source::iter([n]))))
        })
        .implement_pipe_direct(&PIPE_DIRECT, move |_, n, writer| async move {
            pause().await;
            writer.write(&check(n)?)?;
            writer.close();
            Ok(Ok(()))
        })
        .implement_state_direct(&STATE_DIRECT, move |_, n, writer| async move {
            pause().await;
            writer.write(&check(n)?)?;
            writer.close();
            Ok(Ok(n))
        })
        .build()
        .unwrap()
}

/// R-AU-5, R-PL-5, R-SV-3, R-OW-3, R-EX-7, catalogue J11 to J13, Q9, Q11, Q16: each kind with its
/// location; the policy is not asked, and the connection goes on.
#[tokio::test(start_paused = true)]
async fn handler_may_refuse_by_itself() {
    for later in [false, true] {
        for number in [1, 2, 3, 7, 8, 11] {
            let (notes, raised) = (Notes::default(), Notes::default());
            let table = refusing(later);
            let table = table
                .map(|handler| handler.on_exception(noting(&raised)))
                .unwrap();
            let config = Config::default();
            let (connection, mut peer) = Peer::open(config, &table, notes.clone(), number).await;
            for (rpc, location) in [(&PLAIN, "rpc"), (&BLOCKING, "rpc"), (&EXPERT, "rpc expert")] {
                peer.query(1, &rpc.description(), &123_i64).await;
                peer.expect_answer(1, &123_i64).await;
                peer.query(2, &rpc.description(), &-1_i64).await;
                let error = peer.expect_error(2).await;
                check_refused(error, number, location, "\"query negative\"");
            }
            let pipes = [&PIPE, &PIPE_DIRECT].map(PipeRpc::description);
            let states = [&STATE, &STATE_DIRECT].map(StateRpc::description);
            for rpc in &pipes {
                peer.open_stream(3, rpc, &125_i64).await;
                peer.expect_start(3, &()).await;
                peer.expect_update(3, &125_i64).await;
                peer.expect_end_of_stream(3).await;
            }
            for rpc in &states {
                peer.open_stream(4, rpc, &125_i64).await;
                peer.expect_start(4, &125_i64).await;
                peer.expect_update(4, &125_i64).await;
                peer.expect_end_of_stream(4).await;
            }
            for rpc in pipes.into_iter().chain(states) {
                peer.open_stream(5, &rpc, &-1_i64).await;
                let error = peer.expect_error(5).await;
                check_refused(error, number, "pipe_rpc", "\"query negative\"");
            }
            for rpc in [&ONE_WAY, &ONE_WAY_EXPERT] {
                peer.query(6, &rpc.description(), &-1_i64).await;
                peer.query(7, &rpc.description(), &7_i64).await;
            }
            peer.expect_silence(Duration::from_secs(1)).await;
            assert_eq!(notes.take(), ["7", "7"]);
            assert_eq!(raised.take(), Vec::<String>::new());
            assert_eq!(connection.served_streams(), 0);
            assert!(!connection.is_closed());
        }
    }
}

/// Somebody who may ask, made of the notes of the connection.
struct Trusted(Notes);

fn trust(notes: &Notes, context: &QueryContext<'_>) -> Result<Trusted, HandlerError> {
    match context.metadata(0) {
        Some(b"let me in") => Ok(Trusted(notes.clone())),
        _ => Err(HandlerError::new("bad auth")),
    }
}

fn trusting() -> Implementations<Trusted> {
    Implementations::builder()
        .implement(&PLAIN, |trusted: &Trusted, n: i64| {
            trusted.0.push(n.to_string());
            async move { Ok(n) }
        })
        .implement_pipe(&PIPE, |trusted: &Trusted, n: i64| {
            trusted.0.push(n.to_string());
            async move { Ok(Ok(source::iter([n]))) }
        })
        .implement_one_way(&ONE_WAY, |trusted: &Trusted, n: i64| {
            trusted.0.push(n.to_string());
            async { Ok(()) }
        })
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap()
}

/// R-AU-1, R-AU-2, R-OW-3, catalogue J8, J9, ZC29: for every query anew.
#[tokio::test(start_paused = true)]
async fn each_query_is_authorized_on_its_own() {
    let at_once = trusting().authorize(trust);
    let later = trusting().authorize_async(|notes: &Notes, context| {
        let trusted = trust(notes, context);
        async {
            sleep(Duration::from_millis(1)).await;
            trusted
        }
    });
    for table in [at_once, later] {
        for number in [2, 3, 8, 11] {
            let notes = Notes::default();
            let config = Config::default();
            let (connection, mut peer) = Peer::open(config, &table, notes.clone(), number).await;
            let in_ = rpc_wire::QueryMetadata::new().with(0, "let me in");
            for round in 0..2 {
                peer.query(1, &PLAIN.description(), &1_i64).await;
                check_refused(peer.expect_error(1).await, number, "rpc", "\"bad auth\"");
                let bytes = bin_prot::to_vec(&2_i64).unwrap();
                let message = peer.query_with_metadata(2, &PLAIN.description(), &bytes, &in_);
                peer.send_bytes(&message).await;
                peer.expect_answer(2, &2_i64).await;
                peer.open_stream(3, &PIPE.description(), &3_i64).await;
                check_refused(
                    peer.expect_error(3).await,
                    number,
                    "pipe_rpc",
                    "\"bad auth\"",
                );
                peer.query(4, &ONE_WAY.description(), &4_i64).await;
                let bytes = bin_prot::to_vec(&5_i64).unwrap();
                let message = peer.query_with_metadata(5, &ONE_WAY.description(), &bytes, &in_);
                peer.send_bytes(&message).await;
                peer.expect_silence(Duration::from_millis(10)).await;
                assert_eq!(notes.take(), ["2", "5"], "round {round}");
            }
            assert_eq!(connection.served_streams(), 0);
            assert!(!connection.is_closed());
        }
    }
}

/// R-AU-8: what `Result` makes of several demands and of alternatives.
#[tokio::test(start_paused = true)]
async fn demands_combine_as_results_do() {
    fn named(name: &str) -> Result<&str, HandlerError> {
        Some(name)
            .filter(|name| !name.is_empty())
            .ok_or_else(|| HandlerError::new("no name"))
    }
    fn user(name: &str) -> Result<String, HandlerError> {
        let name = named(name)?;
        let known = ["ann", "bob"].contains(&name);
        known
            .then(|| name.to_owned())
            .ok_or_else(|| HandlerError::not_authorized("unknown user"))
    }
    fn guest(name: &str) -> Result<String, HandlerError> {
        let guest = name.strip_prefix("guest-");
        guest
            .map(|name| format!("guest {name}"))
            .ok_or_else(|| HandlerError::new("no guest"))
    }
    let echo = Implementation::blocking(&ECHO, |user: &String, text| Ok(format!("{user}: {text}")))
        .authorize(|name: &&'static str, _| user(name).or_else(|_| guest(name)));
    let table = Implementations::builder()
        .implementation(echo)
        .build()
        .unwrap();
    for (name, expected) in [
        ("ann", Ok("ann: hello")),
        ("guest-eve", Ok("guest eve: hello")),
        ("eve", Err("\"no guest\"")),
    ] {
        let (_connection, mut peer) = Peer::open(Config::default(), &table, name, 11).await;
        peer.query(1, &ECHO.description(), &"hello").await;
        match expected {
            Ok(answer) => peer.expect_answer(1, &answer).await,
            Err(text) => check_refused(peer.expect_error(1).await, 11, "rpc", text),
        }
    }
}

/// R-AU-8, decision 25: of several demands that are not met, the first one is told, and those after
/// it are not even asked.
#[tokio::test(start_paused = true)]
async fn first_of_several_unmet_demands_is_told() {
    let asked = Notes::default();
    let asking = asked.clone();
    let echo = Implementation::blocking(&ECHO, |(): &(), text| Ok(text)).authorize(
        move |met: &&'static [(&'static str, bool)], _| {
            let demands = met.iter().map(|(name, is_met)| {
                asking.push(*name);
                is_met
                    .then_some(())
                    .ok_or_else(|| HandlerError::not_authorized(format!("no {name}")))
            });
            demands.collect::<Result<(), _>>()
        },
    );
    let table = Implementations::builder()
        .implementation(echo)
        .build()
        .unwrap();
    let rows: [(&[(&str, bool)], Result<(), &str>); 3] = [
        (&[("user", true), ("group", true)], Ok(())),
        (
            &[("user", true), ("group", false), ("host", true)],
            Err("\"no group\""),
        ),
        (&[("user", false), ("group", false)], Err("\"no user\"")),
    ];
    for (demands, expected) in rows {
        let (_connection, mut peer) = Peer::open(Config::default(), &table, demands, 11).await;
        peer.query(1, &ECHO.description(), &"hello").await;
        match expected {
            Ok(()) => peer.expect_answer(1, &"hello").await,
            Err(text) => check_refused(peer.expect_error(1).await, 11, "rpc", text),
        }
    }
    assert_eq!(asked.take(), ["user", "group", "user", "group", "user"]);
}

/// A refusal is one also where a lift could only fail; its reason stays.
#[tokio::test(start_paused = true)]
async fn fallible_lift_may_refuse() {
    let echo = Implementation::blocking(&ECHO, |(): &(), text| Ok(text))
        .try_lift(|(): &(), _| Err::<(), _>(HandlerError::not_authorized("not today")));
    let table = Implementations::builder()
        .implementation(echo)
        .build()
        .unwrap();
    let (_connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.query(1, &ECHO.description(), &"hello").await;
    check_refused(peer.expect_error(1).await, 11, "rpc", "\"not today\"");
}

/// R-UN-1: an unknown RPC is unknown to all.
#[tokio::test(start_paused = true)]
async fn unknown_rpc_of_an_authorized_table_is_unknown() {
    let table = trusting().authorize(trust);
    let notes = Notes::default();
    let (connection, mut peer) = Peer::open(Config::default(), &table, notes, 11).await;
    peer.query(1, &MISSING.description(), &"x").await;
    let expected = RpcError::unimplemented(MISSING.description());
    assert_eq!(peer.expect_error(1).await, expected);
    settle().await;
    assert!(!connection.is_closed());
}
