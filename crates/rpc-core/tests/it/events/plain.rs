//! Events of plain and one-way RPCs, against a scripted peer (catalogue K and L).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bin_prot::to_vec;
use rpc_core::connection::Config;
use rpc_core::{
    Connection, Event, HandlerError, Implementations, Kind, MENU_RPC, OnUnknownRpc, OneWay, Rpc,
    SentResponse,
};
use rpc_wire::{Description, QueryId, RpcError};
use tokio::sync::oneshot;

use crate::pair::{CAPACITY, settle};
use crate::peer::Peer;
use crate::trace::Trace;

type Answer = Result<String, String>;

static RPC: Rpc<String, Answer> = Rpc::new("rpc", 1).user_error_if(Result::is_err);
static ONE_WAY: OneWay<String> = OneWay::new("one-way", 1);

/// Answers queries of [`RPC`] when the test says so.
#[derive(Clone, Debug, Default)]
struct Pending(Arc<Mutex<HashMap<String, oneshot::Sender<Result<Answer, HandlerError>>>>>);

impl Pending {
    fn finish(&self, query: &str, result: Result<Answer, HandlerError>) {
        let sender = self.0.lock().unwrap().remove(query).expect("not pending");
        // The handler is gone with its connection in some cases.
        let _gone = sender.send(result);
    }
}

struct Scene {
    connection: Connection,
    trace: Trace,
    peer: Peer,
    pending: Pending,
}

fn implementations() -> Implementations<Pending> {
    Implementations::<Pending>::builder()
        .implement(&RPC, |pending, query: String| {
            let (sender, receiver) = oneshot::channel();
            pending.0.lock().unwrap().insert(query, sender);
            async move { receiver.await? }
        })
        .implement_one_way(&ONE_WAY, |_, text: String| async move {
            match text.as_str() {
                "fail" => Err(HandlerError::new("on purpose")),
                "panic" => panic!("on purpose"),
                "wait" => std::future::pending().await,
                _ => Ok(()),
            }
        })
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap()
}

/// Version 10, where queries name their RPC and responses carry a menu index.
async fn scene(config: Config) -> Scene {
    let pending = Pending::default();
    let (connection, peer) = Peer::open(config, &implementations(), pending.clone(), 10).await;
    let trace = Trace::of(&connection);
    Scene {
        connection,
        trace,
        peer,
        pending,
    }
}

impl Scene {
    /// Sends the query of the catalogue, 34 bytes, and notes its arrival.
    async fn ask(&mut self) -> &'static str {
        let query = "example query (id = 123)";
        self.peer.query(123, &RPC.description(), &query).await;
        settle().await;
        self.trace.expect(&["R Query 34"]);
        query
    }

    async fn error_sent(&mut self) -> (String, RpcError) {
        let mut events = self.trace.take();
        let event = events.pop().expect("no event");
        assert_eq!(events, []);
        let line = event.to_string();
        match event.event {
            Event::Sent(Kind::Response(SentResponse::SingleOrStreamingRpcErrorOrExn(error))) => {
                (line, error)
            }
            other => panic!("{other:?}"),
        }
    }
}

/// T-S1, catalogue K1.
#[tokio::test(start_paused = true)]
async fn value_is_a_success() {
    let mut scene = scene(Config::default()).await;
    let query = scene.ask().await;
    scene.pending.finish(query, Ok(Ok("fine".into())));
    scene
        .peer
        .expect_answer(123, &Answer::Ok("fine".into()))
        .await;
    // Tag, id, index (2), ok, length, and six bytes of payload.
    scene.trace.expect(&["S Single_succeeded 12"]);
}

/// T-S2, catalogue K2.
#[tokio::test(start_paused = true)]
async fn value_that_says_no_is_a_user_error() {
    let mut scene = scene(Config::default()).await;
    let query = scene.ask().await;
    scene.pending.finish(query, Ok(Err("no".into())));
    scene
        .peer
        .expect_answer(123, &Answer::Err("no".into()))
        .await;
    scene.trace.expect(&["S User_defined_error 10"]);
}

/// T-S4, catalogue K3, K4.
#[tokio::test(start_paused = true)]
async fn failure_is_an_error_with_its_size() {
    let mut scene = scene(Config::default()).await;
    let query = scene.ask().await;
    scene
        .pending
        .finish(query, Err(HandlerError::new("on purpose")));
    let error = scene.peer.expect_error(123).await;
    let size = 5 + to_vec(&error).unwrap().len();
    let (line, told) = scene.error_sent().await;
    assert_eq!(told, error);
    assert!(
        line.ends_with(&format!("rpc version 1 (id 123, {size} bytes)")),
        "{line}"
    );
}

/// T-S4: a query that cannot be decoded.
#[tokio::test(start_paused = true)]
async fn undecodable_query_is_an_error() {
    let mut scene = scene(Config::default()).await;
    scene.peer.query(7, &RPC.description(), &-1_i64).await;
    let error = scene.peer.expect_error(7).await;
    assert!(matches!(error, RpcError::BinIoExn(_)), "{error}");
    let lines = scene.trace.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("R Query") && lines[1].starts_with("S Error_or_exn"));
}

/// T-S5, catalogue K5, K9: the error that takes the place of the response is not told of.
#[tokio::test(start_paused = true)]
async fn response_too_large_is_a_failure_of_its_own_kind() {
    for (answer, kind) in [
        (Ok("x".repeat(300)), "Single_succeeded"),
        (Err("x".repeat(300)), "User_defined_error"),
    ] {
        let mut scene = scene(Config::default().max_message_size(250)).await;
        let query = scene.ask().await;
        scene.pending.finish(query, Ok(answer));
        let error = scene.peer.expect_error(123).await;
        assert!(matches!(error, RpcError::WriteError(_)), "{error}");
        // Tag, id, index (2), ok, length (3), then tag and text of the result.
        scene.trace.expect(&[&format!("F {kind} Too_large 312")]);
    }
}

/// T-S6, catalogue K7: the transport takes nothing any more, though nobody has closed.
#[tokio::test(start_paused = true)]
async fn response_to_a_peer_that_takes_nothing_is_a_failure() {
    let (mut peer, input) = Peer::new(CAPACITY);
    let (output, sink) = tokio::io::duplex(CAPACITY);
    peer.send_handshake(10).await;
    let pending = Pending::default();
    let io = tokio::io::join(input, output);
    let table = implementations();
    let connection = Connection::serve(io, Config::default(), &table, |_| pending.clone());
    let connection = connection.await.unwrap();
    let trace = Trace::of(&connection);
    peer.query(1, &RPC.description(), &"first").await;
    peer.query(2, &RPC.description(), &"second").await;
    settle().await;
    drop(sink);
    // The transport fails with what it is given next; the input goes on for a while.
    pending.finish("first", Ok(Ok(String::new())));
    settle().await;
    assert_eq!(connection.close_reason(), None);
    trace.lines();
    pending.finish("second", Ok(Ok(String::new())));
    settle().await;
    trace.expect(&["F Single_succeeded Closed 0"]);
}

/// T-S7, catalogue K8, ZC27, R-PL-7.
#[tokio::test(start_paused = true)]
async fn handler_that_outlives_the_connection_is_not_told_of() {
    let mut scene = scene(Config::default()).await;
    let query = scene.ask().await;
    scene.peer.end().await;
    scene.connection.closed().await;
    scene.pending.finish(query, Ok(Ok("fine".into())));
    settle().await;
    scene.trace.expect(&[]);
}

/// T-3, R-OR-4, catalogue K11: the second of two is finished first.
#[tokio::test(start_paused = true)]
async fn events_follow_the_order_of_completion() {
    let mut scene = scene(Config::default()).await;
    let rpc = RPC.description();
    let (first, second) = ("example query (id = 25)", "example query (id = 75)");
    let batch = [
        scene.peer.query_message(25, &rpc, &to_vec(&first).unwrap()),
        scene
            .peer
            .query_message(75, &rpc, &to_vec(&second).unwrap()),
    ];
    scene.peer.send_bytes(&batch.concat()).await;
    settle().await;
    scene.trace.expect(&["R Query 33", "R Query 33"]);
    scene.pending.finish(second, Ok(Ok(String::new())));
    scene
        .peer
        .expect_answer(75, &Answer::Ok(String::new()))
        .await;
    assert_eq!(scene.trace.take()[0].id, QueryId::new(75));
    scene.pending.finish(first, Ok(Ok(String::new())));
    scene
        .peer
        .expect_answer(25, &Answer::Ok(String::new()))
        .await;
    assert_eq!(scene.trace.take()[0].id, QueryId::new(25));
}

/// R-OR-3, catalogue K12: a handler that is ready at once answers before the next query is read.
#[tokio::test(start_paused = true)]
async fn immediate_answers_come_between_the_queries_of_a_batch() {
    static ECHO: Rpc<String, String> = Rpc::new("echo", 1);
    let implementations = Implementations::<()>::builder()
        .implement(&ECHO, |(), text| async move { Ok(text) })
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &implementations, (), 10).await;
    let trace = Trace::of(&connection);
    let query = to_vec("hello").unwrap();
    let batch = [25, 75].map(|id| peer.query_message(id, &ECHO.description(), &query));
    peer.send_bytes(&batch.concat()).await;
    settle().await;
    let events = trace.take();
    let ids: Vec<_> = events.iter().map(|event| event.id.get()).collect();
    assert_eq!(ids, [25, 25, 75, 75]);
    assert!(matches!(events[1].event, Event::Sent(_)));
}

/// T-S27.
#[tokio::test(start_paused = true)]
async fn menu_query_is_told_of_like_any_other() {
    let mut scene = scene(Config::default()).await;
    scene.peer.query(1, &MENU_RPC.description(), &()).await;
    scene.peer.expect_response().await;
    let events = scene.trace.take();
    assert_eq!(events.len(), 2);
    assert!(
        events
            .iter()
            .all(|event| event.rpc == MENU_RPC.description())
    );
}

/// T-S14.
#[tokio::test(start_paused = true)]
async fn query_for_an_unknown_rpc_is_told_of_by_its_name() {
    let mut scene = scene(Config::default()).await;
    let unknown = Description::new("nobody", 3);
    scene.peer.query(1, &unknown, &()).await;
    let error = scene.peer.expect_error(1).await;
    let events = scene.trace.take();
    assert!(events.iter().all(|event| event.rpc == unknown));
    assert_eq!(events[0].event, Event::Received(Kind::Query));
    let sent = SentResponse::SingleOrStreamingRpcErrorOrExn(error);
    assert_eq!(events[1].event, Event::Sent(Kind::Response(sent)));
}

/// T-S28: a query that is dropped because closing has begun.
#[tokio::test(start_paused = true)]
async fn dropped_query_is_not_told_of() {
    let mut scene = scene(Config::default()).await;
    scene.connection.close();
    scene.peer.query(1, &RPC.description(), &"late").await;
    settle().await;
    scene.trace.expect(&[]);
}

/// T-S8, catalogue L1: told of when its synchronous part is over, whatever becomes of it.
#[tokio::test(start_paused = true)]
async fn one_way_message_gets_no_response() {
    let mut scene = scene(Config::default()).await;
    let rpc = ONE_WAY.description();
    scene
        .peer
        .query(100, &rpc, &"example message (id = 100)")
        .await;
    settle().await;
    scene.trace.expect(&["R Query 40", "S One_way 0"]);
    for text in ["fail", "panic", "wait"] {
        scene.peer.query(100, &rpc, &text).await;
        settle().await;
        let lines = scene.trace.lines();
        assert_eq!(lines[1..], ["S One_way 0"], "{text}");
    }
}

/// T-S9, catalogue ZR9.
#[tokio::test(start_paused = true)]
async fn undecodable_one_way_message_is_only_received() {
    let mut scene = scene(Config::default()).await;
    scene.peer.query(1, &ONE_WAY.description(), &-1_i64).await;
    scene.connection.closed().await;
    let lines = scene.trace.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("R Query"));
}

/// What a response of this type is told as, on the callee's and on the caller's side (rules
/// T-S1 to T-S3, T-C7 to T-C9, catalogue K15).
async fn check_kinds<R>(rpc: &'static Rpc<bool, R>, response: R, sent: &str, received: &str)
where
    R: Clone + Send + Sync + 'static,
    rpc_core::payload::BinProt: rpc_core::payload::Codec<R>,
{
    let value = response.clone();
    let implementations = Implementations::<()>::builder()
        .implement(rpc, move |(), fail: bool| {
            let value = value.clone();
            async move {
                if fail {
                    return Err(HandlerError::new("on purpose"));
                }
                Ok(value)
            }
        })
        .build()
        .unwrap();
    let (near, far) = crate::pair::connect(
        CAPACITY,
        (Config::default(), &Implementations::empty(), ()),
        (Config::default(), &implementations, ()),
    )
    .await;
    let (caller, callee) = (Trace::of(&near), Trace::of(&far));
    let check = |sent: &str, received: &str| {
        let kinds = |trace: &Trace| {
            let lines = trace.lines();
            let last = lines.last().expect("no event").clone();
            last.rsplit_once(' ').expect("no size").0.to_owned()
        };
        assert_eq!(kinds(&callee), format!("S {sent}"));
        assert_eq!(kinds(&caller), format!("R {received}"));
    };
    // The value arrives whatever the rule says of it.
    rpc.dispatch(&near, &false).await.unwrap();
    check(sent, received);
    rpc.dispatch(&near, &true).await.map(|_| ()).unwrap_err();
    check("Error_or_exn", "Finished_error");
}

const OK: [&str; 2] = ["Single_succeeded", "Finished_ok"];
const USER: [&str; 2] = ["User_defined_error", "Finished_user_error"];
const EXN: [&str; 2] = ["Error_or_exn", "Finished_error"];

/// R-RE-1, R-RE-3, T-S3, T-C9, catalogue K15.
#[tokio::test(start_paused = true)]
async fn definition_says_which_responses_are_user_errors() {
    type Nested = Result<Result<i64, String>, String>;
    static PLAIN: Rpc<bool, String> = Rpc::new("plain", 1);
    static EMPTY: Rpc<bool, String> = Rpc::new("empty", 1).user_error_if(String::is_empty);
    static PANICS: Rpc<bool, String> = Rpc::new("panics", 1).user_error_if(|_| panic!("no rule"));
    static NEVER: Rpc<bool, Answer> = Rpc::new("never", 1);
    static RESULT: Rpc<bool, Answer> = Rpc::new("result", 1).user_error_if(Result::is_err);
    static NONE: Rpc<bool, Option<i64>> = Rpc::new("none", 1).user_error_if(Option::is_none);
    static OUTER: Rpc<bool, Nested> = Rpc::new("outer", 1).user_error_if(Result::is_err);
    static BOTH: Rpc<bool, Nested> = Rpc::new("both", 1).user_error_if(|r| !matches!(r, Ok(Ok(_))));
    static GENERIC: Rpc<bool, Result<bool, String>> =
        Rpc::new("generic", 1).user_error_if(|r| r.as_ref().is_ok_and(|no| *no) || r.is_err());
    static EMBEDDED: Rpc<bool, (i64, Answer)> =
        Rpc::new("embedded", 1).user_error_if(|pair| pair.1.is_err());

    let no = || "no".to_owned();
    for (rpc, response, [sent, received]) in [
        (&PLAIN, "x", OK),
        (&PLAIN, "", OK),
        (&EMPTY, "x", OK),
        (&EMPTY, "", USER),
        (&PANICS, "x", EXN),
    ] {
        check_kinds(rpc, response.to_owned(), sent, received).await;
    }
    for (rpc, response, [sent, received]) in [
        (&NEVER, Err(no()), OK),
        (&RESULT, Ok(no()), OK),
        (&RESULT, Err(no()), USER),
    ] {
        check_kinds(rpc, response, sent, received).await;
    }
    for (response, [sent, received]) in [(Some(1), OK), (None, USER)] {
        check_kinds(&NONE, response, sent, received).await;
    }
    for (rpc, response, [sent, received]) in [
        (&OUTER, Ok(Err(no())), OK),
        (&BOTH, Ok(Ok(1)), OK),
        (&BOTH, Ok(Err(no())), USER),
        (&BOTH, Err(no()), USER),
    ] {
        check_kinds(rpc, response, sent, received).await;
    }
    for (response, [sent, received]) in [(Ok(false), OK), (Ok(true), USER), (Err(no()), USER)] {
        check_kinds(&GENERIC, response, sent, received).await;
    }
    for (response, [sent, received]) in [((1, Ok(no())), OK), ((1, Err(no())), USER)] {
        check_kinds(&EMBEDDED, response, sent, received).await;
    }
}
