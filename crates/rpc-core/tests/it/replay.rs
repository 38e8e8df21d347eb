//! Recorded conversations of the reference, played at our ends: our callee answers what the
//! recorded callee answered, and our caller asks what the recorded caller asked, byte by byte.
//!
//! What may differ: times, heartbeats, the handshake (what a side tells of itself), and the
//! order of the answers to different queries.

use std::collections::BTreeMap;

use bin_prot::BinProt;
use rpc_core::{
    Connection, HandlerError, Implementations, Pipe, PipeCloseReason, PipeRpc, Rpc, StateRpc,
};
use rpc_testkit::recording::{Recording, Side};
use rpc_wire::frame::Frames;
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{Header, Message};

use crate::pair::{offering, settle, version};
use crate::peer::Peer;
use crate::source;

/// `count_query` of the interoperability suite.
#[derive(Clone, Debug, PartialEq, BinProt)]
struct CountQuery {
    from_: i64,
    until: i64,
    fail_with: Option<String>,
}

static ECHO_STRING: Rpc<String, String> = Rpc::new("echo-string", 1);
static DIVIDE: Rpc<(i64, i64), Result<i64, String>> = Rpc::new("divide", 1);
static BIG: Rpc<i64, String> = Rpc::new("big", 1);
static COUNT: PipeRpc<CountQuery, i64, String> = PipeRpc::new("count", 1);
static COUNT_DIRECT: PipeRpc<CountQuery, i64, String> = PipeRpc::new("count-direct", 1);
static COUNTER: StateRpc<String, i64, i64, String> = StateRpc::new("counter", 1);

/// Those of the suite's implementations that the recordings below need.
fn table() -> Implementations<()> {
    let count = |_: &(), query: CountQuery| async move {
        Ok(match query.fail_with {
            Some(error) => Err(error),
            None => Ok(source::iter(query.from_..query.until)),
        })
    };
    Implementations::builder()
        .implement_blocking(&ECHO_STRING, |_, text| Ok(text))
        .implement_blocking(&DIVIDE, |_, (a, b): (i64, i64)| {
            Ok(a.checked_div(b)
                .ok_or_else(|| "division by zero".to_owned()))
        })
        .implement_blocking(&BIG, |_, n: i64| {
            let n = usize::try_from(n).map_err(HandlerError::from)?;
            Ok("x".repeat(n))
        })
        .implement_pipe(&COUNT, count)
        .implement_pipe(&COUNT_DIRECT, count)
        .implement_state(&COUNTER, |_, query: String| async move {
            Ok(match query.as_str() {
                "bad" => Err("bad counter".to_owned()),
                _ => Ok((100, source::iter(1..=10))),
            })
        })
        .build()
        .unwrap()
}

/// One side of a recording.
struct Half {
    handshake: Vec<Vec<u8>>,
    /// Bodies of queries or responses by the query's id, each in the order sent.
    by_id: BTreeMap<i64, Vec<Vec<u8>>>,
}

/// The id of a query or response.
fn id(body: &[u8]) -> Option<i64> {
    match Message::decode(body).unwrap() {
        Message::Query(query) => Some(query.header.id.get()),
        Message::Response(response) => Some(response.header.id.get()),
        _ => None,
    }
}

fn half(recording: &Recording, side: Side) -> Half {
    let stream = recording.stream(side);
    let frames = Frames::new(&stream, usize::MAX);
    let mut bodies: Vec<_> = frames.map(|body| body.unwrap().to_vec()).collect();
    let has_metadata = version(recording.wire_version.into()).has_connection_metadata();
    let rest = bodies.split_off(if has_metadata { 2 } else { 1 });
    let mut by_id = BTreeMap::<_, Vec<_>>::new();
    for body in rest {
        // The others are heartbeats, and reasons for closing.
        if let Some(id) = id(&body) {
            by_id.entry(id).or_default().push(body);
        }
    }
    Half {
        handshake: bodies,
        by_id,
    }
}

/// Sends what a recorded side sent in its handshake, and takes what we send.
async fn shake_hands(peer: &mut Peer, handshake: &[Vec<u8>]) {
    for body in handshake {
        peer.send_frame(body).await;
        peer.expect_frame().await;
    }
}

/// The recordings of these cases: at least one for each.
fn recordings(cases: &[&str]) -> Vec<Recording> {
    let all = Recording::load_all().into_iter();
    let found: Vec<_> = all
        .filter(|recording| cases.contains(&recording.case.as_str()))
        .collect();
    for case in cases {
        assert!(found.iter().any(|recording| recording.case == *case));
    }
    found
}

/// Plays the caller at our callee.
async fn check_callee(recording: &Recording) {
    let (caller, callee) = (half(recording, Side::Caller), half(recording, Side::Callee));
    let (mut peer, io) = Peer::new(1 << 20);
    let config = offering(recording.wire_version.into());
    let table = table();
    let (connection, ()) = tokio::join!(
        Connection::serve(io, config, &table, |_| ()),
        shake_hands(&mut peer, &caller.handshake),
    );
    let connection = connection.unwrap();
    assert_eq!(connection.version().number(), recording.wire_version);
    for body in caller.by_id.values().flatten() {
        peer.send_frame(body).await;
    }
    let mut answers = BTreeMap::<_, Vec<_>>::new();
    for _ in callee.by_id.values().flatten() {
        let body = peer.expect_frame().await;
        answers.entry(id(&body).unwrap()).or_default().push(body);
    }
    assert_eq!(answers, callee.by_id, "{}", recording.name);
    peer.end().await;
    peer.expect_end().await;
    connection.closed().await;
}

/// Plays the callee at our caller: `calls` makes the calls of the recorded caller.
async fn check_caller(recording: &Recording, calls: impl AsyncFnOnce(&Connection)) {
    let (caller, callee) = (half(recording, Side::Caller), half(recording, Side::Callee));
    let (mut peer, io) = Peer::new(1 << 20);
    let config = offering(recording.wire_version.into());
    let (connection, ()) = tokio::join!(
        Connection::create(io, config),
        shake_hands(&mut peer, &callee.handshake),
    );
    let connection = connection.unwrap();
    assert_eq!(connection.version().number(), recording.wire_version);
    let answering = async {
        // Both callers count their queries from 1, so that even the ids agree.
        for (id, queries) in &caller.by_id {
            for query in queries {
                assert_eq!(peer.expect_frame().await, *query, "{}", recording.name);
            }
            for response in callee.by_id.get(id).into_iter().flatten() {
                peer.send_frame(response).await;
            }
        }
    };
    tokio::join!(calls(&connection), answering);
    settle().await;
    assert_eq!(connection.open_queries(), 0);
    connection.close();
    peer.expect_end().await;
}

/// Recorded callees of all kinds, at every version that was recorded.
#[tokio::test(start_paused = true)]
async fn our_callee_answers_recorded_callers_as_the_recorded_callee_did() {
    let cases = ["echo-small", "count", "state", "divide", "big-0", "big-100"];
    for recording in recordings(&cases) {
        check_callee(&recording).await;
    }
}

/// Two plain calls.
#[tokio::test(start_paused = true)]
async fn our_caller_asks_what_the_recorded_caller_of_echo_asked() {
    for recording in recordings(&["echo-small"]) {
        check_caller(&recording, async |connection| {
            for text in ["", "hello"] {
                let answer = ECHO_STRING.dispatch(connection, &text.to_owned()).await;
                assert_eq!(answer.unwrap(), text);
            }
        })
        .await;
    }
}

/// A user's error that is part of the response.
#[tokio::test(start_paused = true)]
async fn our_caller_asks_what_the_recorded_caller_of_divide_asked() {
    for recording in recordings(&["divide"]) {
        let queries = half(&recording, Side::Caller).by_id;
        let queries: Vec<(i64, i64)> = queries.values().flatten().map(|body| query(body)).collect();
        check_caller(&recording, async |connection| {
            for (a, b) in queries {
                let answer = DIVIDE.dispatch(connection, &(a, b)).await.unwrap();
                let expected = a
                    .checked_div(b)
                    .ok_or_else(|| "division by zero".to_owned());
                assert_eq!(answer, expected);
            }
        })
        .await;
    }
}

/// The query that a message carries.
fn query<Q: bin_prot::BinReadOwned>(body: &[u8]) -> Q {
    let Ok(Message::Query(query)) = Message::decode(body) else {
        panic!("{body:02x?} is no query");
    };
    bin_prot::from_slice(query.data.bytes().unwrap()).unwrap()
}

async fn check_pipe(mut pipe: Pipe<i64>, expected: impl IntoIterator<Item = i64>) {
    for update in expected {
        assert_eq!(pipe.next().await, Some(update));
    }
    assert_eq!(pipe.next().await, None);
    let reason = pipe.close_reason().await;
    assert!(
        matches!(reason, PipeCloseReason::ClosedRemotely),
        "{reason:?}"
    );
}

/// A pipe, a user's error, an empty pipe, and one from a direct writer.
#[tokio::test(start_paused = true)]
async fn our_caller_asks_what_the_recorded_caller_of_count_asked() {
    let query = |from_, until, fail_with: Option<&str>| CountQuery {
        from_,
        until,
        fail_with: fail_with.map(str::to_owned),
    };
    for recording in recordings(&["count"]) {
        check_caller(&recording, async |connection| {
            let pipe = COUNT.dispatch(connection, &query(5, 15, None)).await;
            check_pipe(pipe.unwrap().unwrap(), 5..15).await;
            let refused = COUNT
                .dispatch(connection, &query(0, 1, Some("denied")))
                .await;
            assert_eq!(refused.unwrap().unwrap_err(), "denied");
            let pipe = COUNT.dispatch(connection, &query(3, 3, None)).await;
            check_pipe(pipe.unwrap().unwrap(), []).await;
            let pipe = COUNT_DIRECT.dispatch(connection, &query(7, 12, None)).await;
            check_pipe(pipe.unwrap().unwrap(), 7..12).await;
        })
        .await;
    }
}

/// A state with its updates, and a user's error.
#[tokio::test(start_paused = true)]
async fn our_caller_asks_what_the_recorded_caller_of_state_asked() {
    for recording in recordings(&["state"]) {
        check_caller(&recording, async |connection| {
            let started = COUNTER.dispatch(connection, &"c".to_owned()).await;
            let (state, pipe) = started.unwrap().unwrap();
            assert_eq!(state, 100);
            check_pipe(pipe, 1..=10).await;
            let refused = COUNTER.dispatch(connection, &"bad".to_owned()).await;
            assert_eq!(refused.unwrap().unwrap_err(), "bad counter");
        })
        .await;
    }
}

/// Recorded handshakes of every pair of offers: we agree with the other side as the recorded
/// side did, whichever side we are.
#[tokio::test(start_paused = true)]
async fn recorded_handshakes_lead_to_the_recorded_version() {
    let mut checked = 0;
    for recording in Recording::load_all() {
        for side in [Side::Caller, Side::Callee] {
            let ours = match side {
                Side::Caller => Side::Callee,
                Side::Callee => Side::Caller,
            };
            let stream = recording.stream(ours);
            let first = Frames::new(&stream, usize::MAX).next().unwrap().unwrap();
            let offered = Header::decode(first).unwrap().versions().max().unwrap();
            let half = half(&recording, side);
            let (mut peer, io) = Peer::new(1 << 20);
            let (connection, ()) = tokio::join!(
                Connection::create(io, offering(offered)),
                shake_hands(&mut peer, &half.handshake),
            );
            let connection = connection.unwrap();
            assert_eq!(
                connection.version().number(),
                recording.wire_version,
                "{}",
                recording.name
            );
            if let Some(metadata) = half.handshake.get(1) {
                let told = PeerMetadata::decode(metadata).unwrap();
                assert_eq!(connection.peer_menu(), told.menu.as_ref());
                let identification = connection.peer_identification();
                assert_eq!(identification, told.identification.as_ref());
            }
            checked += 1;
        }
    }
    assert!(checked > 200, "{checked}");
}
