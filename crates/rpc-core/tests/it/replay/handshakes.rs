//! Ends that tell no identification, and then nothing more.

use rpc_core::Connection;
use rpc_core::connection::ClosedBy;
use rpc_testkit::recording::{Recording, Side};
use rpc_wire::handshake::PeerMetadata;

use super::{half, recordings};
use crate::pair::offering;
use crate::peer::Peer;

pub(super) const CASES: &[&str] = &["handshake-noident"];

/// Plays the other side at ours; also returns what ours told.
async fn play(recording: &Recording, other: Side) -> (Connection, Peer, Vec<Vec<u8>>) {
    let handshake = half(recording, other).handshake;
    let (mut peer, io) = Peer::new(1 << 20);
    let shaking = async {
        let mut told = Vec::new();
        for body in &handshake {
            peer.send_frame(body).await;
            told.push(peer.expect_frame().await);
        }
        told
    };
    let config = offering(recording.wire_version.into());
    let (connection, told) = tokio::join!(Connection::create(io, config), shaking);
    let connection = connection.unwrap();
    assert_eq!(connection.peer_identification(), None, "{}", recording.name);
    (connection, peer, told)
}

/// C-HS-5, C-CR-7: a caller that has nothing to tell.
#[tokio::test(start_paused = true)]
async fn our_caller_tells_as_little_as_the_recorded_caller() {
    for recording in recordings(CASES) {
        let (connection, mut peer, told) = play(&recording, Side::Callee).await;
        let recorded = half(&recording, Side::Caller).handshake;
        assert_eq!(told, recorded, "{}", recording.name);
        connection.close();
        peer.expect_end().await;
    }
}

/// C-CR-7: the callee of such a caller.
#[tokio::test(start_paused = true)]
async fn our_callee_learns_nothing_of_the_recorded_caller() {
    for recording in recordings(CASES) {
        let (connection, mut peer, told) = play(&recording, Side::Caller).await;
        assert_eq!(PeerMetadata::decode(&told[1]).unwrap().identification, None);
        assert_eq!(
            connection.peer_menu().map(|menu| menu.entries().len()),
            Some(0)
        );
        peer.end().await;
        peer.expect_end().await;
        assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
    }
}
