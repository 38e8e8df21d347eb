//! Recorded conversations of the reference, played at our ends: our callee answers what the
//! recorded callee answered, and our caller asks what the recorded caller asked, byte by byte.
//!
//! What may differ: times, heartbeats, the handshake (what a side tells of itself), the order of
//! the answers to different queries, and the words of errors.
//!
//! The interoperability suite's recordings are played at the suite itself, in `rpc-cli`; here are
//! the handshakes, and what was recorded beyond the suite.

mod closing;
mod errors;
mod handshakes;
mod menus;

use std::collections::BTreeMap;

use rpc_core::{Connection, Implementations, Rpc};
use rpc_testkit::recording::{BEYOND_THE_SUITE, Recording, Side};
use rpc_testkit::wording::is_same_error;
use rpc_wire::frame::Frames;
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{Header, Message};

use crate::pair::{offering, settle, version};
use crate::peer::Peer;

static ECHO_STRING: Rpc<String, String> = Rpc::new("echo-string", 1);

/// One side of a recording.
struct Half {
    handshake: Vec<Vec<u8>>,
    /// Bodies of queries or responses by the query's id, each in the order sent.
    by_id: BTreeMap<i64, Vec<Vec<u8>>>,
    /// What was neither, nor a heartbeat: the reason for closing.
    reason: Option<Vec<u8>>,
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
    let mut half = Half {
        handshake: bodies,
        by_id: BTreeMap::new(),
        reason: None,
    };
    for body in rest {
        match id(&body) {
            Some(id) => half.by_id.entry(id).or_default().push(body),
            None if body == [0] => {}
            None => half.reason = Some(body),
        }
    }
    half
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

/// Plays the caller at our callee, up to the answers to its last query.
async fn play_caller(
    recording: &Recording,
    table: &Implementations<Connection>,
) -> (Connection, Peer) {
    let name = &recording.name;
    let (caller, callee) = (half(recording, Side::Caller), half(recording, Side::Callee));
    let (mut peer, io) = Peer::new(1 << 20);
    let config = offering(recording.wire_version.into());
    let (connection, ()) = tokio::join!(
        Connection::serve(io, config, table, Connection::clone),
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
    assert!(answers.keys().eq(callee.by_id.keys()), "{name}");
    for (sent, recorded) in answers
        .values()
        .flatten()
        .zip(callee.by_id.values().flatten())
    {
        let [Ok(Message::Response(ours)), Ok(Message::Response(theirs))] =
            [sent, recorded].map(|body| Message::decode(body))
        else {
            unreachable!("they have been decoded before");
        };
        match (ours.result, theirs.result) {
            (Err(ours), Err(theirs)) => {
                let [ours, theirs] = [ours, theirs].map(|error| error.to_string());
                assert!(
                    is_same_error(&ours, &theirs),
                    "{name}: {ours}, not {theirs}"
                );
            }
            _ => assert_eq!(sent, recorded, "{name}"),
        }
    }
    (connection, peer)
}

/// Plays the callee at our caller, while `calls` makes the calls of the recorded caller.
async fn play_callee(
    recording: &Recording,
    calls: impl AsyncFnOnce(&Connection),
) -> (Connection, Peer) {
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
    assert_eq!(connection.open_queries(), 0, "{}", recording.name);
    (connection, peer)
}

/// With the tests of `rpc-cli`, which play all others at the suite, no recording is left out.
#[test]
fn what_was_recorded_beyond_the_suite_is_played_here() {
    let mut played = [
        closing::SERVER_CLOSES,
        closing::CLIENT_CLOSES,
        errors::LIFTS,
        errors::CLOSES,
        handshakes::CASES,
        menus::CASES,
    ]
    .concat();
    played.sort_unstable();
    assert_eq!(played, BEYOND_THE_SUITE);
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
