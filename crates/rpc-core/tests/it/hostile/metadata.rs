//! Instead of metadata, after a header.

use std::time::Duration;

use bin_prot::Info;
use rpc_core::connection::{Config, HandshakeFailure, Step};
use rpc_wire::handshake::MetadataError;
use rpc_wire::{CloseReason, Message, MessageKind};
use tokio::time::{Instant, sleep};

use super::{Scene, failure};
use crate::pair::version;
use crate::peer::{Peer, framed};
use crate::rpcs::ECHO;

/// Sends `bytes` instead of metadata, at versions that can and that cannot tell why they refuse.
/// What is told contains `told`, if anything is.
async fn not_metadata(bytes: &[u8], told: Option<&str>) -> HandshakeFailure {
    let mut last = None;
    for version in [3, 4, 9, 10, 11] {
        let scene = Scene::new().await;
        let (mut peer, creating) = scene.attack(Config::default());
        peer.exchange_headers(version).await;
        peer.expect_metadata().await;
        peer.send_bytes(bytes).await;
        if let Some(told) = told.filter(|_| version >= 4) {
            let reason = peer.expect_close_reason().await.to_string();
            assert!(reason.contains(told), "{reason}");
        }
        peer.expect_end().await;
        last = Some(failure(creating).await);
        scene.assert_unharmed().await;
    }
    last.unwrap()
}

/// C-HF-10: the second step has its own time, and the peer is told.
#[tokio::test(start_paused = true)]
async fn peer_that_is_silent_after_its_header_is_told_of_the_timeout() {
    for version in [3, 4, 10] {
        let scene = Scene::new().await;
        let timeout = Duration::from_secs(3);
        let (mut peer, creating) = scene.attack(Config::default().handshake_timeout(timeout));
        sleep(Duration::from_secs(2)).await;
        peer.exchange_headers(version).await;
        let start = Instant::now();
        peer.expect_metadata().await;
        if version >= 4 {
            let reason = peer.expect_close_reason().await;
            assert!(reason.to_string().contains("within 3s"), "{reason}");
        }
        peer.expect_end().await;
        assert_eq!(start.elapsed(), timeout);
        let failure = failure(creating).await;
        assert!(
            matches!(
                failure,
                HandshakeFailure::Timeout {
                    step: Step::ConnectionMetadata,
                    ..
                }
            ),
            "{failure:?}"
        );
        scene.assert_unharmed().await;
    }
}

/// C-HF-11.
#[tokio::test(start_paused = true)]
async fn unreadable_metadata_is_refused_and_told() {
    // Identification neither absent nor present.
    let failure = not_metadata(&[3, 0, 0, 0, 0, 0, 0, 0, 7, 9, 0], Some("unreadable")).await;
    assert!(
        matches!(
            failure,
            HandshakeFailure::Metadata(MetadataError::Unreadable(_))
        ),
        "{failure:?}"
    );
}

/// ZC2, C-HF-11, C-HS-12.
#[tokio::test(start_paused = true)]
async fn metadata_with_a_trailing_byte_is_refused_and_told() {
    let failure = not_metadata(&[4, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0], Some("unreadable")).await;
    assert!(
        matches!(
            failure,
            HandshakeFailure::Metadata(MetadataError::Unreadable(_))
        ),
        "{failure:?}"
    );
}

/// Decision 20: ranks would go wrong.
#[tokio::test(start_paused = true)]
async fn unsorted_menu_of_the_second_form_is_refused_and_told() {
    let body = [7, 0, 1, 2, 1, b'b', 1, 1, b'a', 1, 0];
    let bytes = [&(body.len() as u64).to_le_bytes(), body.as_slice()].concat();
    let failure = not_metadata(&bytes, Some("a version 1 is out of order")).await;
    assert!(
        matches!(failure, HandshakeFailure::Metadata(MetadataError::Menu(_))),
        "{failure:?}"
    );
}

/// C-HF-11: its body is never waited for.
#[tokio::test(start_paused = true)]
async fn metadata_frame_of_negative_length_is_refused_and_told() {
    let failure = not_metadata(&(-1_i64).to_le_bytes(), Some("frame of -1 bytes")).await;
    assert!(
        matches!(
            failure,
            HandshakeFailure::Frame {
                step: Step::ConnectionMetadata,
                ..
            }
        ),
        "{failure:?}"
    );
}

/// ZC5, C-HF-14, decision 19: whoever is refused learns why, and answers nothing.
#[tokio::test(start_paused = true)]
async fn close_reason_instead_of_metadata_is_the_failure() {
    let reason = CloseReason::user("go away");
    for number in [4, 10] {
        let message = reason.to_message(version(number)).unwrap();
        let failure = not_metadata(&framed(&message), None).await;
        let HandshakeFailure::Metadata(MetadataError::Closed(told)) = failure else {
            panic!("{failure:?}");
        };
        assert_eq!(told.to_info(), Info::from("go away"));
    }
    let duplicated = Message::CloseReasonDuplicated(Info::from("go away"));
    let failure = not_metadata(&framed(&duplicated), None).await;
    assert!(
        matches!(
            failure,
            HandshakeFailure::Metadata(MetadataError::Closed(_))
        ),
        "{failure:?}"
    );
}

/// ZC3, ZC4, C-HF-15, C-HF-16.
#[tokio::test(start_paused = true)]
async fn other_message_instead_of_metadata_is_refused_and_told() {
    let (peer, _) = Peer::new(1);
    let query = peer.query_message(1, &ECHO.description(), b"\x05hello");
    let rows = [
        (framed(&Message::Heartbeat), MessageKind::Heartbeat),
        (framed(&Message::CloseStarted), MessageKind::CloseStarted),
        (query, MessageKind::Query),
    ];
    for (bytes, kind) in rows {
        let failure = not_metadata(&bytes, Some(&format!("found a {kind}"))).await;
        assert!(
            matches!(
                failure,
                HandshakeFailure::Metadata(MetadataError::Unexpected(found)) if found == kind
            ),
            "{failure:?}"
        );
    }
}

/// C-HF-12.
#[tokio::test(start_paused = true)]
async fn end_of_input_instead_of_metadata_is_an_end() {
    let scene = Scene::new().await;
    let (mut peer, creating) = scene.attack(Config::default());
    peer.exchange_headers(11).await;
    peer.end().await;
    let failure = failure(creating).await;
    assert!(
        matches!(
            failure,
            HandshakeFailure::Eof {
                step: Step::ConnectionMetadata
            }
        ),
        "{failure:?}"
    );
    peer.expect_metadata().await;
    peer.expect_end().await;
    scene.assert_unharmed().await;
}
