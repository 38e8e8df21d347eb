//! Instead of a header.

use std::time::Duration;

use bin_prot::to_vec;
use rpc_core::connection::{Config, HandshakeFailure, Step};
use rpc_wire::frame;
use rpc_wire::handshake::{HeaderError, PeerMetadata};
use tokio::time::Instant;

use super::{Scene, failure};
use crate::pair::version;
use crate::peer::{framed, header};

/// Sends `bytes` instead of a header. The peer gets ours, and nothing more.
async fn not_a_header(bytes: &[u8]) -> HandshakeFailure {
    let scene = Scene::new().await;
    let (mut peer, creating) = scene.attack(Config::default());
    peer.send_bytes(bytes).await;
    let failure = failure(creating).await;
    peer.expect_header().await;
    peer.expect_end().await;
    scene.assert_unharmed().await;
    failure
}

/// W7, C-HF-4: text is a frame of absurd length.
#[tokio::test(start_paused = true)]
async fn http_request_is_no_header() {
    let failure = not_a_header(b"GET / HTTP/1.1\r\n").await;
    assert!(matches!(
        failure,
        HandshakeFailure::Frame {
            step: Step::Header,
            ..
        }
    ));
}

/// C-HF-4: the first frame is a message, and no header.
#[tokio::test(start_paused = true)]
async fn header_frame_with_other_content_is_no_header() {
    let metadata = PeerMetadata::default().to_message(version(11));
    // Seven entries are announced, and two bytes are there.
    let failure = not_a_header(&framed(&metadata.unwrap())).await;
    assert!(
        matches!(
            failure,
            HandshakeFailure::Header(HeaderError::Unreadable(_))
        ),
        "{failure:?}"
    );
}

/// ZC2, C-HS-12.
#[tokio::test(start_paused = true)]
async fn header_with_a_trailing_byte_is_no_header() {
    let mut body = to_vec(&header(version(11))).unwrap();
    body.push(0);
    let length = (body.len() as u64).to_le_bytes();
    let failure = not_a_header(&[&length, body.as_slice()].concat()).await;
    assert!(
        matches!(
            failure,
            HandshakeFailure::Header(HeaderError::Unreadable(_))
        ),
        "{failure:?}"
    );
}

/// C-HF-4: the count alone refuses, whatever memory it would take.
#[tokio::test(start_paused = true)]
async fn header_of_a_billion_entries_is_no_header() {
    let failure = not_a_header(&[5, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0xca, 0x9a, 0x3b]).await;
    assert!(
        matches!(
            failure,
            HandshakeFailure::Header(HeaderError::TooLong(1_000_000_000))
        ),
        "{failure:?}"
    );
}

/// C-RD-2, C-HF-4: without waiting for the body.
#[tokio::test(start_paused = true)]
async fn header_frame_above_the_limit_is_refused_by_its_length() {
    let length = frame::DEFAULT_LIMIT as i64 + 1;
    let failure = not_a_header(&length.to_le_bytes()).await;
    let HandshakeFailure::Frame { source, .. } = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(source.length, length);
}

/// C-HF-7: nothing is sent to a peer that shares no version.
#[tokio::test(start_paused = true)]
async fn header_of_unknown_versions_is_refused() {
    // The protocol's magic number, and version 12.
    let failure = not_a_header(&[7, 0, 0, 0, 0, 0, 0, 0, 2, 0xfd, 0x52, 0x50, 0x43, 0, 12]).await;
    assert!(
        matches!(failure, HandshakeFailure::Negotiation(_)),
        "{failure:?}"
    );
}

/// C-HF-5, C-HF-24.
#[tokio::test(start_paused = true)]
async fn end_of_input_within_the_header_is_an_end() {
    let scene = Scene::new().await;
    let (mut peer, creating) = scene.attack(Config::default());
    peer.send_bytes(&[12, 0, 0, 0, 0]).await;
    peer.end().await;
    let failure = failure(creating).await;
    assert!(
        matches!(failure, HandshakeFailure::Eof { step: Step::Header }),
        "{failure:?}"
    );
    peer.expect_header().await;
    peer.expect_end().await;
    scene.assert_unharmed().await;
}

/// W8, C-HF-3: one that connects and says nothing.
#[tokio::test(start_paused = true)]
async fn silent_peer_is_given_up_after_the_handshake_timeout() {
    let scene = Scene::new().await;
    let start = Instant::now();
    let timeout = Duration::from_secs(3);
    let (mut peer, creating) = scene.attack(Config::default().handshake_timeout(timeout));
    let failure = failure(creating).await;
    assert!(
        matches!(failure, HandshakeFailure::Timeout { step: Step::Header, after } if after == timeout),
        "{failure:?}"
    );
    assert_eq!(start.elapsed(), timeout);
    peer.expect_header().await;
    peer.expect_end().await;
    scene.assert_unharmed().await;
}
