//! Handlers whose state is lifted from the connection's, for every query (*rpcs* §13).

use std::sync::Arc;
use std::time::Duration;

use rpc_core::connection::{Close, Config};
use rpc_core::{
    Connection, DispatchError, HandlerError, Implementation, Implementations, MENU_RPC,
    OnUnknownRpc, OneWay, PipeRpc, QueryContext, Reply, Rpc, StateRpc,
};
use rpc_wire::{Description, QueryMetadata, RpcError};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::sleep;

use crate::pair::{CAPACITY, connect, offering, settle};
use crate::peer::Peer;
use crate::rpcs::Notes;
use crate::source;

static PLAIN: Rpc<String, String> = Rpc::new("plain", 1);
static BLOCKING: Rpc<String, String> = Rpc::new("blocking", 1);
static EXPERT: Rpc<String, String> = Rpc::new("expert", 1);
static ONE_WAY: OneWay<String> = OneWay::new("one-way", 1);
static ONE_WAY_EXPERT: OneWay<String> = OneWay::new("one-way-expert", 1);
static PIPE: PipeRpc<String, String, String> = PipeRpc::new("pipe", 1);
static STATE: StateRpc<String, String, String, String> = StateRpc::new("state", 1);
static PIPE_DIRECT: PipeRpc<String, String, String> = PipeRpc::new("pipe-direct", 1);
static STATE_DIRECT: StateRpc<String, String, String, String> = StateRpc::new("state-direct", 1);

/// What the handlers are made for.
#[derive(Clone, Debug)]
struct Narrow {
    lifted: String,
    notes: Notes,
}

/// One handler of each kind; each notes that it ran.
fn handlers() -> Implementations<Narrow> {
    let ran = |narrow: &Narrow, text: &str| {
        narrow.notes.push(format!("ran {text}"));
        narrow.lifted.clone()
    };
    Implementations::builder()
        .implement(&PLAIN, move |narrow, text: String| {
            let lifted = ran(narrow, &text);
            async { Ok(lifted) }
        })
        .implement_blocking(&BLOCKING, move |narrow, text: String| {
            Ok(ran(narrow, &text))
        })
        .implementation(Implementation::expert(
            &EXPERT,
            move |narrow: &Narrow, query, responder| {
                let text: Result<String, _> = bin_prot::from_slice(query.bytes());
                let lifted = text.map(|text| ran(narrow, &text));
                async move {
                    responder.value(&EXPERT, &lifted?)?;
                    Ok(Reply::Replied)
                }
            },
        ))
        .implement_one_way(&ONE_WAY, move |narrow, text: String| {
            ran(narrow, &text);
            async { Ok(()) }
        })
        .implementation(Implementation::one_way_expert(
            &ONE_WAY_EXPERT,
            move |narrow: &Narrow, query| {
                ran(narrow, &format!("{} bytes", query.bytes().len()));
                async { Ok(()) }
            },
        ))
        .implement_pipe(&PIPE, move |narrow, text: String| {
            let updates = vec![ran(narrow, &text)];
            async { Ok(Ok(source::iter(updates))) }
        })
        .implement_state(&STATE, move |narrow, text: String| {
            let lifted = ran(narrow, &text);
            async { Ok(Ok((lifted.clone(), source::iter(vec![lifted])))) }
        })
        .implement_pipe_direct(&PIPE_DIRECT, move |narrow, text: String, writer| {
            writer.write(&ran(narrow, &text)).unwrap();
            writer.close();
            async { Ok(Ok(())) }
        })
        .implement_state_direct(&STATE_DIRECT, move |narrow, text: String, writer| {
            let lifted = ran(narrow, &text);
            writer.write(&lifted).unwrap();
            writer.close();
            async { Ok(Ok(lifted)) }
        })
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap()
}

/// The streaming RPCs.
fn streams() -> [Description; 4] {
    [
        PIPE.description(),
        STATE.description(),
        PIPE_DIRECT.description(),
        STATE_DIRECT.description(),
    ]
}

fn narrow(notes: &Notes, context: &QueryContext<'_>) -> Narrow {
    let rpc = context.rpc();
    notes.push(format!("lift {rpc}"));
    Narrow {
        lifted: format!("for {rpc}"),
        notes: notes.clone(),
    }
}

/// A way to make a table for connections whose state is some notes.
type MakeLifted = fn(Implementations<Narrow>) -> Implementations<Notes>;

/// The lifts that succeed, by name.
const SUCCEEDING: &[(&str, MakeLifted)] = &[
    ("infallible", |table| table.lift(narrow)),
    ("fallible", |table| {
        table.try_lift(|notes, context| Ok(narrow(notes, context)))
    }),
    ("authorizing", |table| {
        table.authorize(|notes, context| Ok(narrow(notes, context)))
    }),
    ("deferred", |table| {
        table.lift_async(|notes, context| {
            let narrow = narrow(notes, context);
            async {
                sleep(Duration::from_millis(1)).await;
                narrow
            }
        })
    }),
    ("deferred, at once", |table| {
        table.lift_async(|notes, context| std::future::ready(narrow(notes, context)))
    }),
    ("deferred fallible", |table| {
        table.try_lift_async(|notes, context| {
            let narrow = narrow(notes, context);
            async {
                sleep(Duration::from_millis(1)).await;
                Ok(narrow)
            }
        })
    }),
    ("deferred authorizing", |table| {
        table.authorize_async(|notes, context| {
            let narrow = narrow(notes, context);
            async {
                sleep(Duration::from_millis(1)).await;
                Ok(narrow)
            }
        })
    }),
    ("one by one", |table| {
        let lifted = table.iter().map(|handler| handler.clone().lift(narrow));
        Implementations::builder()
            .implementations(lifted)
            .build()
            .unwrap()
    }),
];

async fn caller_of(table: &Implementations<Notes>, number: i64) -> (Connection, Connection, Notes) {
    let notes = Notes::default();
    let nothing = Implementations::empty();
    let (near, far) = connect(
        CAPACITY,
        (offering(number), &nothing, ()),
        (offering(number), table, notes.clone()),
    )
    .await;
    (near, far, notes)
}

/// R-AU-1, R-AU-2, catalogue J1, J2, J6, J7: once for each query, whatever kind the handler is of.
#[tokio::test(start_paused = true)]
async fn lift_runs_once_for_each_query_before_its_handler() {
    for (name, lift) in SUCCEEDING {
        for number in [1, 2, 7, 8, 11] {
            let (near, _far, notes) = caller_of(&lift(handlers()), number).await;
            let noted = |rpc: &str, text: &str| {
                let expected = [format!("lift {rpc} version 1"), format!("ran {text}")];
                assert_eq!(notes.take(), expected, "{name}, {rpc} at {number}");
            };
            for text in ["first", "second"] {
                for (rpc, called) in [
                    (&PLAIN, "plain"),
                    (&BLOCKING, "blocking"),
                    (&EXPERT, "expert"),
                ] {
                    let answer = rpc.dispatch(&near, &text.to_owned()).await.unwrap();
                    assert_eq!(answer, format!("for {called} version 1"), "{name}");
                    noted(called, text);
                }
                ONE_WAY.dispatch(&near, &text.to_owned()).unwrap();
                sleep(Duration::from_millis(5)).await;
                noted("one-way", text);
                ONE_WAY_EXPERT.dispatch(&near, &text.to_owned()).unwrap();
                sleep(Duration::from_millis(5)).await;
                noted("one-way-expert", &format!("{} bytes", text.len() + 1));

                for (rpc, called) in [(&PIPE, "pipe"), (&PIPE_DIRECT, "pipe-direct")] {
                    let pipe = rpc.dispatch(&near, &text.to_owned()).await;
                    let mut pipe = pipe.unwrap().unwrap();
                    let expected = format!("for {called} version 1");
                    assert_eq!(pipe.next().await, Some(expected));
                    assert_eq!(pipe.next().await, None);
                    noted(called, text);
                }
                for (rpc, called) in [(&STATE, "state"), (&STATE_DIRECT, "state-direct")] {
                    let state = rpc.dispatch(&near, &text.to_owned()).await;
                    let (state, mut pipe) = state.unwrap().unwrap();
                    assert_eq!(state, format!("for {called} version 1"));
                    assert_eq!(pipe.next().await, Some(state));
                    assert_eq!(pipe.next().await, None);
                    noted(called, text);
                }
            }
            assert!(!near.is_closed());
        }
    }
}

/// R-AU-1, C-MD-9: a lift sees the query's context, also after an outer one has suspended.
#[tokio::test(start_paused = true)]
async fn lift_sees_id_metadata_and_connection() {
    fn describe(_: &(), context: &QueryContext<'_>) -> String {
        let metadata: Vec<_> = context
            .all_metadata()
            .map(|(key, text)| format!("{key}={}", text.escape_ascii()))
            .collect();
        let first = context
            .metadata(0)
            .map(|text| text.escape_ascii().to_string());
        format!(
            "{} {} [{}] {first:?} {} v{} {:?}",
            context.rpc(),
            context.id(),
            metadata.join(" "),
            context.connection_description(),
            context.version().number(),
            context.peer_identification().map(<[u8]>::len),
        )
    }
    let handler = || Implementation::blocking(&PLAIN, |text: &String, _| Ok(text.clone()));
    let at_once = handler().lift(describe);
    let later = handler().lift(describe).lift_async(|(): &(), _| async {
        sleep(Duration::from_millis(1)).await;
    });
    for implementation in [at_once, later] {
        let table = Implementations::builder()
            .implementation(implementation)
            .build()
            .unwrap();
        for (number, metadata) in [
            (1, "[] None"),
            (2, "[0=zero] Some(\"zero\")"),
            (7, "[0=zero] Some(\"zero\")"),
            (8, "[7=seven 0=zero] Some(\"zero\")"),
            (11, "[7=seven 0=zero] Some(\"zero\")"),
        ] {
            let config = Config::default().description("far end");
            let (_connection, mut peer) = Peer::open(config, &table, (), number).await;
            let metadata_sent = QueryMetadata::new().with(7, "seven").with(0, "zero");
            let message = peer.query_with_metadata(5, &PLAIN.description(), b"\0", &metadata_sent);
            peer.send_bytes(&message).await;
            let expected = format!("plain version 1 5 {metadata} far end v{number} None");
            peer.expect_answer(5, &expected).await;
        }
    }
}

/// R-AU-3, catalogue ZR36: outermost first; the first failure decides, and nothing inside runs.
#[tokio::test(start_paused = true)]
async fn nested_lifts_run_from_the_connections_state_inwards() {
    /// What is lifted: the way so far, and where it is to fail.
    #[derive(Clone)]
    struct Way(Notes, Vec<&'static str>);
    fn step(way: &Way, name: &'static str) -> Result<Way, HandlerError> {
        way.0.push(name);
        let mut path = way.1.clone();
        if path.first() == Some(&name) {
            return Err(HandlerError::new(format_args!("stopped at {name}")));
        }
        path.push(name);
        Ok(Way(way.0.clone(), path))
    }
    let suspend = || sleep(Duration::from_millis(1));
    let implementation = Implementation::blocking(&PLAIN, |way: &Way, _| {
        way.0.push("handler");
        Ok(way.1[1..].join(" "))
    })
    .try_lift(|way: &Way, _| step(way, "innermost"))
    .authorize_async(move |way: &Way, _| {
        let stepped = step(way, "inner");
        async move {
            suspend().await;
            stepped
        }
    })
    .try_lift(|way: &Way, _| step(way, "middle"))
    .try_lift_async(move |way: &Way, _| {
        let stepped = step(way, "outer");
        async move {
            suspend().await;
            stepped
        }
    })
    .authorize(|way: &Way, _| step(way, "outermost"));
    let table = Implementations::builder()
        .implementation(implementation)
        .build()
        .unwrap();

    let path = ["outermost", "outer", "middle", "inner", "innermost"];
    for stop in [None].into_iter().chain(path.map(Some)) {
        let notes = Notes::default();
        let state = Way(notes.clone(), vec![stop.unwrap_or("nowhere")]);
        let (connection, mut peer) = Peer::open(Config::default(), &table, state, 11).await;
        peer.query(1, &PLAIN.description(), &"").await;
        let Some(stop) = stop else {
            peer.expect_answer(1, &path.join(" ")).await;
            assert_eq!(notes.take()[..5], path);
            continue;
        };
        let expected =
            |name| format!("((location\"server-side rpc {name}\")(exn\"stopped at {stop}\"))");
        match peer.expect_error(1).await {
            RpcError::AuthorizationFailure(error) => {
                assert!(["outermost", "inner"].contains(&stop));
                assert_eq!(error.to_string(), expected("authorization"));
            }
            RpcError::LiftError(error) => {
                assert!(["outer", "middle", "innermost"].contains(&stop));
                assert_eq!(error.to_string(), expected("lift"));
            }
            other => panic!("{other:?}"),
        }
        let reached = path.iter().position(|name| *name == stop).unwrap() + 1;
        assert_eq!(notes.take(), path[..reached]);
        assert!(!connection.is_closed());
    }
}

/// R-AU-1: an abort is no query, and neither is what cannot be decoded.
#[tokio::test(start_paused = true)]
async fn nothing_is_lifted_for_aborts_and_undecodable_queries() {
    let notes = Notes::default();
    let table = handlers().lift(narrow);
    let (connection, mut peer) = Peer::open(Config::default(), &table, notes.clone(), 11).await;
    for rpc in streams() {
        peer.abort(7, &rpc).await;
        let message = peer.query_message(8, &rpc, b"\xff");
        peer.send_bytes(&message).await;
        assert!(matches!(peer.expect_error(8).await, RpcError::BinIoExn(_)));
    }
    for rpc in [PLAIN.description(), BLOCKING.description()] {
        let message = peer.query_message(9, &rpc, b"\xff");
        peer.send_bytes(&message).await;
        assert!(matches!(peer.expect_error(9).await, RpcError::BinIoExn(_)));
    }
    assert_eq!(notes.take(), Vec::<String>::new());
    assert!(!connection.is_closed());
}

/// R-AU-4, R-OR-6, R-PL-8: it may be overtaken, and a graceful close waits for it.
#[tokio::test(start_paused = true)]
async fn deferred_lift_makes_a_blocking_handler_deferred() {
    let lifted = Implementation::blocking(&BLOCKING, |(): &(), text| Ok(text))
        .lift_async(|(): &(), _| async { sleep(Duration::from_millis(10)).await });
    let table = Implementations::builder()
        .implementation(lifted)
        .implement_blocking(&PLAIN, |(), text| Ok(text))
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.query(1, &BLOCKING.description(), &"first").await;
    peer.query(2, &PLAIN.description(), &"second").await;
    peer.expect_answer(2, &"second").await;
    peer.expect_answer(1, &"first").await;

    peer.query(3, &BLOCKING.description(), &"third").await;
    settle().await;
    connection.close_with(Close::new().wait_for_open_queries(Duration::from_secs(60)));
    peer.expect_close_started().await;
    peer.expect_answer(3, &"third").await;
    peer.expect_end().await;
}

/// Decision 3: an abort cancels a stream's lift too, and the end acknowledges it.
#[tokio::test(start_paused = true)]
async fn abort_while_the_state_is_lifted_ends_the_stream() {
    let notes = Notes::default();
    let table = handlers().lift_async(|notes: &Notes, context| {
        let narrow = narrow(notes, context);
        async {
            sleep(Duration::from_secs(1)).await;
            narrow
        }
    });
    let (connection, mut peer) = Peer::open(Config::default(), &table, notes.clone(), 11).await;
    for (id, rpc) in [(1, PIPE.description()), (2, STATE.description())] {
        peer.open_stream(id, &rpc, &"text").await;
        settle().await;
        assert_eq!(connection.served_streams(), 1);
        peer.abort(id, &rpc).await;
        peer.expect_end_of_stream(id).await;
        assert_eq!(connection.served_streams(), 0);
        peer.expect_silence(Duration::from_secs(2)).await;
        assert_eq!(notes.take(), [format!("lift {rpc}")]);
    }
}

/// How a lifting function raises.
const RAISING: &[(&str, MakeLifted)] = &[
    ("infallible", |table| {
        table.lift(|_, _| panic!("Exception!"))
    }),
    ("authorizing", |table| {
        table.authorize(|_, _| panic!("Exception!"))
    }),
    ("deferred, at once", |table| {
        table.lift_async(|_, _| -> std::future::Ready<Narrow> { panic!("Exception!") })
    }),
    ("deferred, in the future", |table| {
        table.lift_async(|_, _| async { panic!("Exception!") })
    }),
    ("deferred, after a step", |table| {
        table.lift_async(|_, _| async {
            sleep(Duration::from_millis(1)).await;
            panic!("Exception!")
        })
    }),
];

/// R-AU-6, catalogue J3 to J5.
#[tokio::test(start_paused = true)]
async fn raise_of_a_lift_is_one_of_the_handler() {
    for (name, lift) in RAISING {
        for number in [1, 11] {
            let (near, _far, notes) = caller_of(&lift(handlers()), number).await;
            let text = || "text".to_owned();
            let check = |error: DispatchError, location: &str| {
                let DispatchError::Rpc(RpcError::UncaughtExn(error)) = error else {
                    panic!("{name}: {error:?}");
                };
                let expected = format!(
                    "((location\"server-side {location} computation\")(exn(Failure Exception!)))"
                );
                assert_eq!(error.to_string(), expected, "{name} at {number}");
            };
            check(PLAIN.dispatch(&near, &text()).await.unwrap_err(), "rpc");
            check(
                BLOCKING.dispatch(&near, &text()).await.unwrap_err(),
                "blocking rpc",
            );
            check(
                EXPERT.dispatch(&near, &text()).await.unwrap_err(),
                "rpc expert",
            );
            for pipe in [&PIPE, &PIPE_DIRECT] {
                check(pipe.dispatch(&near, &text()).await.unwrap_err(), "pipe_rpc");
            }
            for state in [&STATE, &STATE_DIRECT] {
                check(
                    state.dispatch(&near, &text()).await.unwrap_err(),
                    "pipe_rpc",
                );
            }
            for one_way in [&ONE_WAY, &ONE_WAY_EXPERT] {
                one_way.dispatch(&near, &text()).unwrap();
            }
            sleep(Duration::from_millis(5)).await;
            assert_eq!(notes.take(), Vec::<String>::new());
            assert!(!near.is_closed());
        }
    }
}

/// R-AU-2, R-ER-1, C-OP-6, catalogue J10, ZC29: for each kind its own location, and for older peers a
/// substitute.
#[tokio::test(start_paused = true)]
async fn failed_lift_is_a_lift_error() {
    let at_once: MakeLifted =
        |table| table.try_lift(|_, _| Err(HandlerError::new("couldn't lift")));
    let later: MakeLifted = |table| {
        table.try_lift_async(|_, _| async {
            sleep(Duration::from_millis(1)).await;
            Err(HandlerError::new("couldn't lift"))
        })
    };
    for lift in [at_once, later] {
        let table = lift(handlers());
        for number in [1, 2, 3, 4, 5, 11] {
            let notes = Notes::default();
            let config = Config::default();
            let (connection, mut peer) = Peer::open(config, &table, notes.clone(), number).await;
            let expected = |location: &str| {
                format!("((location\"server-side {location} lift\")(exn\"couldn't lift\"))")
            };
            let check = |error: RpcError, location: &str| match error {
                RpcError::LiftError(error) if number >= 5 => {
                    assert_eq!(error.to_string(), expected(location));
                }
                RpcError::Unknown(error) if (3..5).contains(&number) => {
                    let expected = format!("(Lift_error{})", expected(location));
                    assert_eq!(error.to_string(), expected);
                }
                RpcError::UncaughtExn(error) if number < 3 => {
                    let expected = format!("(Lift_error{})", expected(location));
                    assert_eq!(error.to_string(), expected);
                }
                other => panic!("{other:?} at {number}"),
            };
            for (rpc, location) in [(&PLAIN, "rpc"), (&BLOCKING, "rpc"), (&EXPERT, "rpc expert")] {
                peer.query(1, &rpc.description(), &"text").await;
                check(peer.expect_error(1).await, location);
            }
            for rpc in streams() {
                peer.open_stream(2, &rpc, &"text").await;
                check(peer.expect_error(2).await, "pipe_rpc");
            }
            // Nobody is told (rule R-OW-3).
            for rpc in [&ONE_WAY, &ONE_WAY_EXPERT] {
                peer.query(3, &rpc.description(), &"text").await;
            }
            peer.expect_silence(Duration::from_secs(1)).await;
            assert_eq!(notes.take(), Vec::<String>::new());
            assert_eq!(connection.served_streams(), 0);
            assert!(!connection.is_closed());
        }
    }
}

/// R-AU-7, catalogue ZR37.
#[tokio::test(start_paused = true)]
async fn menu_rpc_needs_no_authorization() {
    let table = handlers().authorize(|_: &Notes, _| Err(HandlerError::new("nobody may")));
    let (near, _far, notes) = caller_of(&table, 2).await;
    let menu = MENU_RPC.dispatch(&near, &()).await.unwrap();
    assert_eq!(menu.len(), 9);
    assert_eq!(notes.take(), Vec::<String>::new());
}

/// What was lifted for a query is free again when its handler runs, whose future may want it: alone,
/// and in a run.
#[tokio::test(start_paused = true)]
async fn lifted_state_is_not_kept_from_the_handler() {
    type Guard = OwnedMutexGuard<Vec<String>>;
    let lock = |lock: &Arc<Mutex<Vec<String>>>, _: &QueryContext<'_>| {
        Ok::<Guard, _>(lock.clone().try_lock_owned()?)
    };
    let same = |guard: &Guard| OwnedMutexGuard::mutex(guard).clone();
    let plain = Implementation::plain(&PLAIN, move |guard: &Guard, text: String| {
        let lock = same(guard);
        async move {
            lock.try_lock()?.push(text.clone());
            Ok(text)
        }
    });
    let one_way = Implementation::one_way(&ONE_WAY, move |guard: &Guard, text: String| {
        let lock = same(guard);
        async move {
            lock.try_lock()?.push(text);
            Ok(())
        }
    });
    let table = Implementations::builder()
        .implementation(plain.try_lift(lock))
        .implementation(one_way.try_lift(lock))
        .build()
        .unwrap();
    let noted = Arc::new(Mutex::new(Vec::new()));
    let (_connection, mut peer) = Peer::open(Config::default(), &table, noted.clone(), 11).await;
    for rpc in [PLAIN.description(), ONE_WAY.description()] {
        let text = bin_prot::to_vec("text").unwrap();
        let queries = (200..210).map(|id| peer.query_message(id, &rpc, &text));
        let queries: Vec<_> = queries.collect();
        peer.send_bytes(&queries.concat()).await;
    }
    settle().await;
    for id in 200..210 {
        peer.expect_answer(id, &"text").await;
    }
    assert_eq!(*noted.lock().await, ["text"; 20]);
}
