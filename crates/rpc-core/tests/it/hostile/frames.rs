//! Frames that are too long, too short or never whole: what they do to an open connection.

use std::time::Duration;

use rpc_core::connection::{ClosedBy, Config};
use rpc_wire::{CloseReason, frame};
use tokio::time::{Instant, sleep};

use super::{FATAL, Scene, Waiting, check_ends, check_waiting};
use crate::peer::Peer;
use crate::rpcs::{ECHO, Notes, table};

/// ZC14, C-RD-2, C-LM-5, C-LM-6, decision 26: the length alone ends the connection, also on a transport in
/// memory, to which the default limit applies as to any other.
#[tokio::test(start_paused = true)]
async fn frame_above_the_limit_ends_the_connection() {
    let length = frame::DEFAULT_LIMIT as u64 + 1;
    let text = "frame of 104857601 bytes, allowed are 0 to 104857600; \
                ASYNC_RPC_MAX_MESSAGE_SIZE raises the limit";
    check_ends(&length.to_le_bytes(), Waiting::Failed, text).await;
    check_ends(&length.to_le_bytes(), Waiting::Failed, FATAL).await;
}

/// C-LM-1, C-LM-3.
#[tokio::test(start_paused = true)]
async fn frame_of_exactly_the_limit_passes() {
    // Tag, name, version, id, no metadata, two lengths.
    let limit = 1 + 5 + 1 + 1 + 1 + 3 + 3 + 500;
    let config = Config::default().max_message_size(limit);
    let (connection, mut peer) = Peer::open(config, &table(), Notes::default(), 8).await;
    let query = "x".repeat(500);
    peer.query(1, &ECHO.description(), &query).await;
    peer.expect_answer(1, &query).await;
    peer.query(1, &ECHO.description(), &format!("{query}x"))
        .await;
    let reason = peer.expect_close_reason().await.to_string();
    let text = format!("frame of {} bytes, allowed are 0 to {limit}", limit + 1);
    assert!(reason.contains(&text), "{reason}");
    peer.expect_end().await;
    drop(peer);
    assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
}

/// ZC14, C-RD-2.
#[tokio::test(start_paused = true)]
async fn frame_length_with_its_top_bit_set_ends_the_connection() {
    check_ends(&i64::MIN.to_le_bytes(), Waiting::Failed, FATAL).await;
    check_ends(&[0xff; 8], Waiting::Failed, "frame of -1 bytes").await;
}

/// Decision 18.
#[tokio::test(start_paused = true)]
async fn empty_frame_ends_the_connection() {
    check_ends(&[0; 8], Waiting::Failed, FATAL).await;
}

/// ZC14, C-RD-12: the frame is whole, the message in it is not.
#[tokio::test(start_paused = true)]
async fn message_cut_short_inside_its_frame_ends_the_connection() {
    let frame = [3, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x01, 0x00];
    check_ends(&frame, Waiting::Failed, "cannot be decoded").await;
}

/// C-RE-1, C-HF-24.
#[tokio::test(start_paused = true)]
async fn end_of_input_in_the_middle_of_a_frame_is_an_end() {
    for cut in [1, 7, 8, 12] {
        let scene = Scene::new().await;
        let (connection, mut peer) = scene.open(11).await;
        let call = ECHO.dispatch(&connection, &"waiting".to_owned());
        let message = peer.query_message(1, &ECHO.description(), b"\x01x");
        peer.send_bytes(&message[..cut]).await;
        peer.end().await;
        let closed = connection.closed().await;
        assert_eq!(closed.by, ClosedBy::Unknown);
        let reason = CloseReason::debug("EOF or connection closed");
        assert_eq!(closed.reason, reason);
        check_waiting(&call.await.unwrap_err(), Waiting::Closed, &closed);
        peer.expect_query().await;
        peer.expect_end().await;
        scene.assert_unharmed().await;
    }
}

/// C-HB-3, C-HB-5: bytes that complete no message are no sign of life.
#[tokio::test(start_paused = true)]
async fn truncated_message_then_silence_is_ended_by_the_heartbeat_timeout() {
    let scene = Scene::new().await;
    let (connection, mut peer) = scene.open(11).await;
    let start = Instant::now();
    peer.send_bytes(&[100, 0, 0, 0, 0, 0, 0, 0, 0x0c, 0x00])
        .await;
    sleep(Duration::from_secs(35)).await;
    let reason = peer.expect_close_reason().await.to_string();
    assert!(reason.contains("No heartbeats received"), "{reason}");
    assert_eq!(start.elapsed().as_secs(), 40);
    drop(peer);
    assert_eq!(connection.closed().await.by, ClosedBy::Local);
    scene.assert_unharmed().await;
}
