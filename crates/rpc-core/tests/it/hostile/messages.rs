//! Whole frames whose messages end an open connection.

use rpc_core::connection::ClosedBy;
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{Data, Envelope, Message, Query, QueryHeader, QueryId, Specifier};

use super::{FATAL, Scene, Waiting, check_ends};
use crate::pair::version;
use crate::peer::{Peer, framed};
use crate::rpcs::{ECHO, NOTE, table};

/// C-OP-3, C-RD-10, ZC14, C-RD-12.
#[tokio::test(start_paused = true)]
async fn message_of_unknown_tag_ends_the_connection() {
    let frame = [1, 0, 0, 0, 0, 0, 0, 0, 0x0d];
    check_ends(&frame, Waiting::Failed, FATAL).await;
    check_ends(&frame, Waiting::Failed, "tag 13").await;
}

/// ZC15, C-RM-7, in either form and at versions that know none.
#[tokio::test(start_paused = true)]
async fn metadata_after_the_handshake_ends_the_connection() {
    for number in [3, 6] {
        let message = PeerMetadata::default().to_message(version(number));
        let frame = framed(&message.unwrap());
        check_ends(&frame, Waiting::Failed, "metadata after the handshake").await;
    }
}

/// ZC13, C-RM-5: beyond the menu, and below it.
#[tokio::test(start_paused = true)]
async fn rank_out_of_range_ends_the_connection() {
    let ranks = [i64::try_from(table().descriptions().len()).unwrap(), -1];
    for rank in ranks {
        let query = framed(&Message::Query(query_by_rank(rank)));
        let text = format!("query 4 names rank {rank}");
        check_ends(&query, Waiting::Failed, &text).await;
    }
}

fn query_by_rank(rank: i64) -> Query<'static> {
    let envelope = Envelope::V4 {
        specifier: Specifier::Rank(rank),
        metadata: None,
    };
    let id = QueryId::new(4);
    Query {
        header: QueryHeader { envelope, id },
        data: Data::new(b"\x01x"),
    }
}

/// ZC16, C-DI-10, decision 16: calls get *Connection closed*, not a failure.
#[tokio::test(start_paused = true)]
async fn response_to_an_id_never_issued_ends_the_connection() {
    for id in [0x4d, 0x00] {
        let frame = [5, 0, 0, 0, 0, 0, 0, 0, 0x02, id, 0x00, 0x01, 0x00];
        let text = "Rpc message handling loop stopped";
        check_ends(&frame, Waiting::Closed, text).await;
        let text = format!("(Unknown_query_id {id})");
        check_ends(&frame, Waiting::Closed, &text).await;
    }
}

/// C-DI-10: one response for each query.
#[tokio::test(start_paused = true)]
async fn response_to_an_id_answered_already_ends_the_connection() {
    let scene = Scene::new().await;
    let (connection, mut peer) = scene.open(11).await;
    let call = ECHO.dispatch(&connection, &"once".to_owned());
    let id = peer.expect_query().await.id;
    peer.answer(id, &"once".to_owned()).await;
    assert_eq!(call.await.unwrap(), "once");
    peer.answer(id, &"twice".to_owned()).await;
    let reason = peer.expect_close_reason().await.to_string();
    assert!(reason.contains("(Unknown_query_id 1)"), "{reason}");
    peer.expect_end().await;
    drop(peer);
    assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
    scene.assert_unharmed().await;
}

/// C-DI-7, C-DI-10: nobody waits for the answer to a one-way message.
#[tokio::test(start_paused = true)]
async fn response_to_a_one_way_message_ends_the_connection() {
    let scene = Scene::new().await;
    let (connection, mut peer) = scene.open(11).await;
    NOTE.dispatch(&connection, &"no answer please".to_owned())
        .unwrap();
    let id = peer.expect_query().await.id;
    peer.answer(id, &()).await;
    let reason = peer.expect_close_reason().await.to_string();
    assert!(reason.contains("(Unknown_query_id 1)"), "{reason}");
    drop(peer);
    connection.closed().await;
    scene.assert_unharmed().await;
}

/// C-RD-13, R-OW-2: there is nobody to answer.
#[tokio::test(start_paused = true)]
async fn undecodable_one_way_message_ends_the_connection() {
    let (peer, _) = Peer::new(1);
    // Announces five characters, and has two.
    let message = peer.query_message(4, &NOTE.description(), b"\x05he");
    let text = "server-side one-way rpc message un-bin-io'ing";
    check_ends(&message, Waiting::Closed, text).await;
    let text = "Rpc message handling loop stopped";
    check_ends(&message, Waiting::Closed, text).await;
}

/// An error response is part of its message, so nesting that would exhaust the stack is refused
/// there (*protocol* §15).
#[tokio::test(start_paused = true)]
async fn error_nested_a_hundred_thousand_deep_ends_the_connection() {
    // A response with error 3, whose S-expression is ((((…
    let mut body = vec![0x02, 0x01, 0x01, 0x03];
    body.extend([1, 1].repeat(100_000));
    body.extend([1, 0]);
    let length = (body.len() as u64).to_le_bytes();
    let frame = [&length, body.as_slice()].concat();
    check_ends(&frame, Waiting::Failed, "nested deeper than").await;
}
