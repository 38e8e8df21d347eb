//! What happens beside the answer when a handler raises (*rpcs* §12).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bin_prot::Sexp;
use rpc_core::connection::{ClosedBy, Config, heartbeat};
use rpc_core::{
    Connection, Exception, HandlerError, Implementation, Implementations, OnException, OneWay,
    PipeRpc, Raised, Reply, Rpc, StateRpc,
};
use rpc_wire::{Description, RpcError};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::logs::Logs;
use crate::pair::{CAPACITY, settle};
use crate::peer::Peer;
use crate::rpcs::ECHO;
use crate::source::{self, Channel, Dropped};

static PLAIN: Rpc<String, ()> = Rpc::new("plain", 1);
static BLOCKING: Rpc<String, ()> = Rpc::new("blocking", 1);
static EXPERT: Rpc<String, ()> = Rpc::new("expert", 1);
static ONE_WAY: OneWay<String> = OneWay::new("one-way", 1);
static PIPE: PipeRpc<String, i64, String> = PipeRpc::new("pipe", 1);
static STATE: StateRpc<String, i64, i64, String> = StateRpc::new("state", 1);
static PIPE_DIRECT: PipeRpc<String, i64, String> = PipeRpc::new("pipe-direct", 1);
static STATE_DIRECT: StateRpc<String, i64, i64, String> = StateRpc::new("state-direct", 1);

/// Raises in the way that the query says.
async fn raise(query: String) -> HandlerError {
    match query.as_str() {
        "error" => HandlerError::new("on purpose"),
        "panic" => panic!("on purpose"),
        "error later" => {
            sleep(Duration::from_millis(1)).await;
            HandlerError::new("on purpose")
        }
        _ => {
            sleep(Duration::from_millis(1)).await;
            panic!("on purpose")
        }
    }
}

const AT_ONCE: [&str; 2] = ["error", "panic"];
const LATER: [&str; 2] = ["error later", "panic later"];

/// A stream that gives 1, and then panics when it is asked again.
#[derive(Debug)]
struct Broken(i64);

impl futures_core::Stream for Broken {
    type Item = i64;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<i64>> {
        assert!(self.0 > 0, "in the background");
        self.0 -= 1;
        std::task::Poll::Ready(Some(1))
    }
}

fn handlers() -> Vec<Implementation<()>> {
    vec![
        Implementation::plain(&PLAIN, |(): &(), query| async { Err(raise(query).await) }),
        Implementation::blocking(&BLOCKING, |(): &(), query: String| {
            assert!(query == "error", "on purpose");
            Err(HandlerError::new("on purpose"))
        }),
        Implementation::expert(&EXPERT, |(): &(), query, _| {
            let query = bin_prot::from_slice(query.bytes());
            async move { Err(raise(query?).await) }
        }),
        Implementation::one_way(&ONE_WAY, |(): &(), query| async { Err(raise(query).await) }),
        Implementation::pipe(&PIPE, |(): &(), query: String| async {
            match query.as_str() {
                "background" => Ok(Ok(Broken(2))),
                _ => Err(raise(query).await),
            }
        }),
        Implementation::state(&STATE, |(): &(), query: String| async {
            match query.as_str() {
                "background" => Ok(Ok((0, Broken(2)))),
                _ => Err(raise(query).await),
            }
        }),
        Implementation::pipe_direct(&PIPE_DIRECT, |(): &(), query, _| async {
            Err(raise(query).await)
        }),
        Implementation::state_direct(&STATE_DIRECT, |(): &(), query, _| async {
            Err(raise(query).await)
        }),
        Implementation::blocking(&ECHO, |(): &(), text| Ok(text)),
    ]
}

/// A table with this policy.
fn table(policy: OnException) -> Implementations<()> {
    Implementations::builder()
        .implementations(handlers())
        .on_exception(policy)
        .build()
        .unwrap()
}

async fn open(table: &Implementations<()>) -> (Connection, Peer) {
    Peer::open(Config::default(), table, (), 11).await
}

/// Sends a query that opens a stream if the RPC is of that kind.
async fn ask(peer: &mut Peer, id: i64, rpc: &Description, query: &str) {
    let streams = [
        PIPE.description(),
        STATE.description(),
        PIPE_DIRECT.description(),
        STATE_DIRECT.description(),
    ];
    if streams.contains(rpc) {
        peer.open_stream(id, rpc, &query).await;
    } else {
        peer.query(id, rpc, &query).await;
    }
}

/// Whether the connection still works: [`ECHO`] is answered.
async fn expect_alive(connection: &Connection, peer: &mut Peer) {
    peer.query(1000, &ECHO.description(), &"fine").await;
    peer.expect_answer(1000, &"fine").await;
    assert!(!connection.is_closed());
}

/// What raises before its result is there: the RPC, its query, its location.
fn before_return() -> Vec<(Description, &'static str, &'static str)> {
    let every_way = AT_ONCE.into_iter().chain(LATER);
    let mut rows = Vec::new();
    for query in every_way {
        rows.push((PLAIN.description(), query, "rpc"));
        rows.push((EXPERT.description(), query, "rpc expert"));
        rows.push((PIPE.description(), query, "pipe_rpc"));
        rows.push((STATE.description(), query, "pipe_rpc"));
        rows.push((PIPE_DIRECT.description(), query, "pipe_rpc"));
        rows.push((STATE_DIRECT.description(), query, "pipe_rpc"));
        if AT_ONCE.contains(&query) {
            rows.push((BLOCKING.description(), query, "blocking rpc"));
        }
    }
    rows
}

/// `((location …)(exn(Failure TEXT)))`.
fn located(location: &str) -> Sexp {
    let failure = Sexp::list([Sexp::atom("Failure"), Sexp::atom("on purpose")]);
    Sexp::record([
        (
            "location",
            Sexp::atom(format!("server-side {location} computation")),
        ),
        ("exn", failure),
    ])
}

/// A policy that sends what it gets, in the form `kind` makes of it.
type Kind = fn(mpsc::UnboundedSender<Exception>) -> OnException;

const CALL: Kind = |heard| {
    OnException::call(move |exception| {
        // The test may be over.
        let _over = heard.send(exception.clone());
    })
};

const MONITOR: Kind = |heard| {
    OnException::raise_to_monitor(move |exception| {
        let _over = heard.send(exception);
    })
};

/// R-XN-1, R-XN-4, R-PL-1, R-PL-4, R-SV-3, R-EX-7, catalogue Q6, Q7, Q8, Q12, Q13, ZR34: the answer
/// first, then the function, once, with what the caller got.
#[tokio::test(start_paused = true)]
async fn function_of_a_policy_gets_the_located_error_after_the_answer() {
    for kind in [CALL, MONITOR] {
        let (heard, mut exceptions) = mpsc::unbounded_channel();
        let (connection, mut peer) = open(&table(kind(heard))).await;
        for (id, (rpc, query, location)) in (1..).zip(before_return()) {
            ask(&mut peer, id, &rpc, query).await;
            let expected = RpcError::UncaughtExn(located(location));
            assert_eq!(peer.expect_error(id).await, expected, "{rpc}, {query}");
            let exception = exceptions.recv().await.unwrap();
            assert_eq!(exception.rpc, rpc);
            assert_eq!(exception.id.get(), id);
            assert_eq!(exception.raised, Raised::BeforeReturn, "{rpc}, {query}");
            assert_eq!(exception.error, located(location));
        }
        expect_alive(&connection, &mut peer).await;
        assert!(exceptions.try_recv().is_err());
    }
}

/// R-XN-1: the response is in the output before the function runs.
#[tokio::test(start_paused = true)]
async fn answer_is_enqueued_before_the_policy_acts() {
    let (sent, seen) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (now, noted) = (sent.clone(), seen.clone());
    let policy = OnException::call(move |_| {
        noted.store(now.load(Ordering::Relaxed), Ordering::Relaxed);
    });
    let (connection, mut peer) = open(&table(policy)).await;
    let _listening = connection.subscribe(move |event| {
        if matches!(event.event, rpc_core::Event::Sent(_)) {
            sent.fetch_add(1, Ordering::Relaxed);
        }
    });
    for (answers, (rpc, query, _)) in (1..).zip(before_return()) {
        ask(&mut peer, 1, &rpc, query).await;
        peer.expect_error(1).await;
        settle().await;
        assert_eq!(seen.load(Ordering::Relaxed), answers, "{rpc}, {query}");
    }
}

/// R-SV-12, catalogue Q2, Q5, Q14, Q15: what the source gave, then the error without a location;
/// and the function is called.
#[tokio::test(start_paused = true)]
async fn raise_of_a_streams_source_is_one_in_the_background() {
    for kind in [CALL, MONITOR] {
        let (heard, mut exceptions) = mpsc::unbounded_channel();
        let (connection, mut peer) = open(&table(kind(heard))).await;
        for rpc in [PIPE.description(), STATE.description()] {
            ask(&mut peer, 1, &rpc, "background").await;
            if rpc == PIPE.description() {
                peer.expect_start(1, &()).await;
            } else {
                peer.expect_start(1, &0_i64).await;
            }
            peer.expect_update(1, &1_i64).await;
            peer.expect_update(1, &1_i64).await;
            let failure = ["Failure", "in the background"].map(Sexp::atom);
            let expected = RpcError::UncaughtExn(Sexp::list(failure.clone()));
            assert_eq!(peer.expect_error(1).await, expected);
            let exception = exceptions.recv().await.unwrap();
            assert_eq!(exception.rpc, rpc);
            assert_eq!(exception.raised, Raised::InBackground);
            assert_eq!(exception.error, Sexp::list(failure));
        }
        settle().await;
        assert_eq!(connection.served_streams(), 0);
        expect_alive(&connection, &mut peer).await;
        assert!(exceptions.try_recv().is_err());
    }
}

/// Catalogue Q1 to Q4, R-OW-4, R-OW-5, L4, L5: *Log* logs every raise, *Log on background
/// exception* only what nobody else learns of.
#[tokio::test(start_paused = true)]
async fn logging_policies_log_each_raise_once() {
    for (policy, all) in [
        (OnException::Log, true),
        (OnException::LogOnBackgroundException, false),
    ] {
        let logs = Logs::new();
        let (connection, mut peer) = open(&table(policy.clone())).await;
        let expect_one = |expected: bool, what: &str, rpc: &Description| {
            let lines = logs.take();
            assert_eq!(lines.len(), usize::from(expected), "{policy:?}: {lines:?}");
            for line in lines {
                let names_all = [&format!("rpc={rpc}"), what, "connection="];
                assert!(names_all.iter().all(|part| line.contains(*part)), "{line}");
            }
        };
        for (rpc, query, location) in before_return() {
            ask(&mut peer, 1, &rpc, query).await;
            peer.expect_error(1).await;
            settle().await;
            let location = format!("server-side {location} computation");
            expect_one(all, &location, &rpc);
        }
        for rpc in [PIPE.description(), STATE.description()] {
            ask(&mut peer, 2, &rpc, "background").await;
            for _ in 0..4 {
                peer.expect_response().await;
            }
            settle().await;
            expect_one(true, "in the background", &rpc);
        }
        let rpc = ONE_WAY.description();
        for query in AT_ONCE {
            ask(&mut peer, 3, &rpc, query).await;
            settle().await;
            expect_one(all, "server-side one-way rpc computation", &rpc);
        }
        for query in LATER {
            ask(&mut peer, 4, &rpc, query).await;
            sleep(Duration::from_millis(5)).await;
            expect_one(true, "server-side one-way rpc computation", &rpc);
        }
        expect_alive(&connection, &mut peer).await;
    }
}

/// R-XN-3, C-RE-7, catalogue ZR34: the answer, then the reason; ours is the closing side.
#[tokio::test(start_paused = true)]
async fn policy_close_answers_closes_and_tells() {
    for (rpc, query, location) in before_return() {
        for number in [3, 4, 9, 10, 11] {
            let config = Config::default();
            let table = table(OnException::CloseConnection);
            let (connection, mut peer) = Peer::open(config, &table, (), number).await;
            ask(&mut peer, 1, &rpc, query).await;
            let expected = RpcError::UncaughtExn(located(location));
            assert_eq!(peer.expect_error(1).await, expected, "{rpc}, {query}");
            let told = format!(
                "(\"Uncaught exception in implementation\"{})",
                located(location)
            );
            if number >= 4 {
                let reason = peer.expect_close_reason().await;
                assert_eq!(reason.to_string(), told);
                assert_eq!(reason.user_reason, None);
            }
            peer.expect_end().await;
            drop(peer);
            let closed = connection.closed().await;
            assert_eq!(closed.by, ClosedBy::Local);
            assert_eq!(closed.reason.to_string(), told);
        }
    }
}

/// R-XN-3, R-SV-12: the stream's end comes before the reason.
#[tokio::test(start_paused = true)]
async fn policy_close_applies_to_raises_in_the_background() {
    for rpc in [PIPE.description(), STATE.description()] {
        let (connection, mut peer) = open(&table(OnException::CloseConnection)).await;
        ask(&mut peer, 1, &rpc, "background").await;
        for _ in 0..3 {
            peer.expect_response().await.result.unwrap();
        }
        peer.expect_error(1).await;
        let reason = peer.expect_close_reason().await.to_string();
        let told = "(\"Uncaught exception in implementation\"(Failure\"in the background\"))";
        assert_eq!(reason, told);
        peer.expect_end().await;
        drop(peer);
        assert_eq!(connection.closed().await.by, ClosedBy::Local);
    }
}

/// R-XN-2, C-RE-5: after the answer.
#[tokio::test(start_paused = true)]
async fn function_that_panics_closes_the_connection() {
    let policy = || OnException::call(|exception| panic!("cannot cope with {exception}"));
    let one_ways = AT_ONCE.into_iter().chain(LATER);
    let one_ways = one_ways.map(|query| (ONE_WAY.description(), query, ""));
    for (rpc, query, location) in before_return().into_iter().chain(one_ways) {
        let (connection, mut peer) = open(&table(policy())).await;
        let waiting = ECHO.dispatch(&connection, &"pending".to_owned());
        peer.expect_query().await;
        ask(&mut peer, 1, &rpc, query).await;
        if !location.is_empty() {
            let expected = RpcError::UncaughtExn(located(location));
            assert_eq!(peer.expect_error(1).await, expected, "{rpc}, {query}");
        }
        let reason = peer.expect_close_reason().await.to_string();
        let prefix = "(\"exn raised in RPC connection loop\"(Failure\"cannot cope with";
        assert!(reason.starts_with(prefix), "{reason}");
        peer.expect_end().await;
        drop(peer);
        assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
        let error = waiting.await.unwrap_err().to_rpc_error();
        assert!(matches!(error, RpcError::UncaughtExn(_)), "{error}");
    }
}

/// The same for a message that came right behind the handshake, on a connection that nothing else
/// wakes.
#[tokio::test(start_paused = true)]
async fn function_that_panics_closes_the_connection_whose_first_message_came_early() {
    let policy = OnException::call(|_| panic!("cannot cope"));
    let (mut peer, io) = Peer::new(CAPACITY);
    peer.send_handshake(11).await;
    peer.query(1, &ONE_WAY.description(), &"error later").await;
    let (config, table) = (
        Config::default().heartbeat(heartbeat::Config::default().never()),
        table(policy),
    );
    let connection = Connection::serve(io, config, &table, |_| ()).await.unwrap();
    let closed = timeout(Duration::from_secs(1), connection.close_started()).await;
    assert_eq!(closed.unwrap().by, ClosedBy::Unknown);
}

/// Like a failing listener (decision 5): nobody else is harmed.
#[tokio::test(start_paused = true)]
async fn monitor_that_panics_is_logged() {
    let logs = Logs::new();
    let policy = OnException::raise_to_monitor(|_| panic!("cannot cope"));
    let (connection, mut peer) = open(&table(policy)).await;
    peer.query(1, &BLOCKING.description(), &"error").await;
    peer.expect_error(1).await;
    expect_alive(&connection, &mut peer).await;
    let lines = logs.take();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("cannot cope"), "{lines:?}");
}

/// R-IM-10, catalogue ZR35: also where the implementation's own policy does less than the
/// table's; and a policy can be rewritten.
#[tokio::test(start_paused = true)]
async fn policy_of_the_implementation_wins() {
    let (heard, mut exceptions) = mpsc::unbounded_channel();
    let own = |policy: OnException| {
        let handlers = handlers().into_iter();
        handlers.map(move |handler| handler.on_exception(policy.clone()))
    };
    let calls = CALL(heard);
    let calls_itself = Implementations::builder()
        .implementations(own(calls.clone()))
        .on_exception(OnException::CloseConnection)
        .build()
        .unwrap();
    let rewritten = Implementations::builder()
        .implementations(own(OnException::CloseConnection))
        .build()
        .unwrap()
        .map(|handler| handler.on_exception(calls.clone()))
        .unwrap();
    let lifted = calls_itself.lift(|(): &(), _| ());
    for table in [calls_itself, rewritten, lifted] {
        let (connection, mut peer) = open(&table).await;
        for (rpc, query, _) in before_return() {
            ask(&mut peer, 1, &rpc, query).await;
            peer.expect_error(1).await;
            assert_eq!(exceptions.recv().await.unwrap().rpc, rpc);
        }
        expect_alive(&connection, &mut peer).await;
    }
    // The default of the table is for those without.
    let table = Implementations::builder()
        .implementations(handlers().into_iter().take(2))
        .implementations(own(OnException::CloseConnection).skip(2))
        .on_exception(calls)
        .build()
        .unwrap();
    let (connection, mut peer) = open(&table).await;
    for rpc in [PLAIN.description(), BLOCKING.description()] {
        ask(&mut peer, 1, &rpc, "error").await;
        peer.expect_error(1).await;
        assert_eq!(exceptions.recv().await.unwrap().rpc, rpc);
    }
    ask(&mut peer, 2, &EXPERT.description(), "error").await;
    peer.expect_error(2).await;
    peer.expect_close_reason().await;
    peer.expect_end().await;
    drop(peer);
    connection.closed().await;
    assert!(exceptions.try_recv().is_err());
}

/// R-XN-5, R-PL-3, R-PL-6: they are nobody's raise.
#[tokio::test(start_paused = true)]
async fn undecodable_queries_and_too_large_responses_reach_no_policy() {
    static LARGE: Rpc<(), String> = Rpc::new("large", 1);
    static LARGE_STATE: StateRpc<(), String, String, String> = StateRpc::new("large-state", 1);
    let (heard, mut exceptions) = mpsc::unbounded_channel();
    let large = || "x".repeat(1000);
    let table = Implementations::builder()
        .implementations(handlers())
        .implement_blocking(&LARGE, move |(), ()| Ok(large()))
        .implement_state(&LARGE_STATE, move |(), ()| async move {
            Ok(Ok((large(), source::iter([large()]))))
        })
        .on_exception(CALL(heard))
        .build()
        .unwrap();
    let config = Config::default().max_message_size(500);
    let (connection, mut peer) = Peer::open(config, &table, (), 11).await;
    for rpc in [&PLAIN, &BLOCKING] {
        let message = peer.query_message(1, &rpc.description(), b"\xff");
        peer.send_bytes(&message).await;
        assert!(matches!(peer.expect_error(1).await, RpcError::BinIoExn(_)));
    }
    for rpc in [PIPE.description(), STATE.description()] {
        let message = peer.query_message(1, &rpc, b"\xff");
        peer.send_bytes(&message).await;
        assert!(matches!(peer.expect_error(1).await, RpcError::BinIoExn(_)));
    }
    peer.query(2, &LARGE.description(), &()).await;
    assert!(matches!(
        peer.expect_error(2).await,
        RpcError::WriteError(_)
    ));
    peer.open_stream(3, &LARGE_STATE.description(), &()).await;
    assert!(matches!(
        peer.expect_error(3).await,
        RpcError::WriteError(_)
    ));
    expect_alive(&connection, &mut peer).await;
    assert!(exceptions.try_recv().is_err());
}

/// R-XN-7, R-XN-4: the caller has its answer, and what goes wrong afterwards does not change it.
#[tokio::test(start_paused = true)]
async fn answer_that_was_sent_is_not_taken_back() {
    let (heard, mut exceptions) = mpsc::unbounded_channel();
    let replies_and_fails = Implementation::expert(&EXPERT, |(): &(), _, responder| {
        let sent = responder.value(&EXPERT, &());
        async move {
            sent?;
            Err::<Reply, _>(HandlerError::new("afterwards"))
        }
    });
    let table = Implementations::builder()
        .implementation(replies_and_fails)
        .on_exception(CALL(heard))
        .build()
        .unwrap();
    let (_connection, mut peer) = open(&table).await;
    peer.query(1, &EXPERT.description(), &"text").await;
    peer.expect_answer(1, &()).await;
    let exception = exceptions.recv().await.unwrap();
    assert!(exception.error.to_string().contains("afterwards"));
}

/// Dropping what a handler left running is no raise.
#[tokio::test(start_paused = true)]
async fn cancelled_streams_and_handlers_raise_nothing() {
    static HOLD: PipeRpc<(), i64, String> = PipeRpc::new("hold", 1);
    static WAIT: Rpc<(), ()> = Rpc::new("wait", 1);
    let logs = Logs::new();
    let (heard, mut exceptions) = mpsc::unbounded_channel();
    let (dropped, observed) = (Dropped::default(), Dropped::default());
    let source = observed.clone();
    let waiting = dropped.clone();
    let table = Implementations::builder()
        .implement_pipe(&HOLD, move |(), ()| {
            let (sender, channel) = Channel::new(&source);
            std::mem::forget(sender);
            async { Ok(Ok(channel)) }
        })
        .implement(&WAIT, move |(), ()| {
            let guard = waiting.guard();
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        })
        .on_exception(CALL(heard))
        .build()
        .unwrap();
    let (connection, mut peer) = open(&table).await;
    peer.open_stream(1, &HOLD.description(), &()).await;
    peer.expect_start(1, &()).await;
    peer.abort(1, &HOLD.description()).await;
    peer.expect_end_of_stream(1).await;
    settle().await;
    assert!(observed.is_set());
    peer.query(2, &WAIT.description(), &()).await;
    settle().await;
    assert!(!dropped.is_set());
    connection.close();
    peer.expect_end().await;
    drop(peer);
    connection.closed().await;
    assert!(dropped.is_set());
    assert!(exceptions.try_recv().is_err());
    assert_eq!(logs.take(), Vec::<String>::new());
}
