//! Bad input, named: what a peer that is broken, confused or malicious gets, and that nobody else
//! notices.

use std::time::Duration;

use bin_prot::{Info, Sexp, to_vec};
use rpc_core::connection::{Closed, ClosedBy, Config, HandshakeError, HandshakeFailure, Step};
use rpc_core::{Connection, DispatchError, Implementations, PipeCloseReason, Rpc};
use rpc_wire::handshake::{HeaderError, MetadataError, PeerMetadata};
use rpc_wire::{
    CloseReason, Data, Envelope, Message, MessageKind, Query, QueryHeader, QueryId, RpcError,
    Specifier, frame,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::pair::{CAPACITY, alive_tasks, pair, settle, version};
use crate::peer::{Peer, framed, header};
use crate::rpcs::{COUNT, ECHO, HOLD, NOTE, Notes, table};

/// A table under attack, and a good connection that is served with it meanwhile.
struct Scene {
    table: Implementations<Notes>,
    bystander: (Connection, Connection, Notes),
}

impl Scene {
    async fn new() -> Self {
        Self {
            table: table(),
            bystander: pair(Config::default(), Config::default()).await,
        }
    }

    /// Somebody connects.
    fn attack(&self, config: Config) -> (Peer, JoinHandle<Result<Connection, HandshakeError>>) {
        let (peer, io) = Peer::new(CAPACITY);
        let table = self.table.clone();
        let serving =
            async move { Connection::serve(io, config, &table, |_| Notes::default()).await };
        (peer, tokio::spawn(serving))
    }

    /// Somebody connects and completes the handshake.
    async fn open(&self, version: i64) -> (Connection, Peer) {
        let config = Config::default();
        Peer::open(config, &self.table, Notes::default(), version).await
    }

    /// Nothing of the attack is left, and the good connection works.
    async fn assert_unharmed(self) {
        settle().await;
        // The good connection's two.
        assert_eq!(alive_tasks(), 2);
        let (near, far, _) = &self.bystander;
        for connection in [near, far] {
            let answer = ECHO.dispatch(connection, &"still here".to_owned()).await;
            assert_eq!(answer.unwrap(), "still here");
        }
    }
}

/// Why the handshake failed.
async fn failure(creating: JoinHandle<Result<Connection, HandshakeError>>) -> HandshakeFailure {
    creating.await.unwrap().unwrap_err().cause
}

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

/// How a call that was waiting ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Waiting {
    /// The connection was lost.
    Closed,
    /// The connection made no sense (rule C-RE-5).
    Failed,
}

/// Sends `bytes` over an open connection with calls in both directions. It ends, the reason
/// contains `reason`, and the peer is told it where the version can.
async fn check_ends(bytes: &[u8], waiting: Waiting, reason: &str) {
    for version in [1, 2, 4, 9, 10, 11] {
        let scene = Scene::new().await;
        let (connection, mut peer) = scene.open(version).await;
        let call = ECHO.dispatch(&connection, &"waiting".to_owned());
        let opening = HOLD.dispatch(&connection, &());
        let pipe = COUNT.dispatch(&connection, &3);
        for _ in 0..2 {
            peer.expect_query().await;
        }
        let streaming = peer.expect_query().await.id;
        peer.start(streaming, &()).await;
        let pipe = pipe.await.unwrap().unwrap();
        peer.open_stream(1, &HOLD.description(), &()).await;
        peer.expect_start(1, &()).await;
        assert_eq!(connection.open_queries(), 3);
        assert_eq!(connection.served_streams(), 1);

        peer.send_bytes(bytes).await;
        if version >= 4 {
            let told = peer.expect_close_reason().await.to_string();
            assert!(told.contains(reason), "told {told}");
        }
        peer.expect_end().await;
        drop(peer);

        let closed = connection.closed().await;
        assert_eq!(closed.by, ClosedBy::Unknown);
        assert!(closed.to_string().contains(reason), "{closed}");
        check_waiting(&call.await.unwrap_err(), waiting, &closed);
        check_waiting(&opening.await.unwrap_err(), waiting, &closed);
        match pipe.close_reason().await {
            PipeCloseReason::Error(error) => check_waiting(&error, waiting, &closed),
            other => panic!("{other:?}"),
        }
        assert_eq!(connection.open_queries(), 0);
        drop((connection, pipe));
        scene.assert_unharmed().await;
    }
}

#[track_caller]
fn check_waiting(error: &DispatchError, waiting: Waiting, closed: &Closed) {
    let told = match (error, waiting) {
        (DispatchError::ConnectionClosed(error), Waiting::Closed) => error.reason.as_deref(),
        (DispatchError::ConnectionFailed(error), Waiting::Failed) => Some(&**error),
        _ => panic!("{error:?} is not {waiting:?}"),
    };
    assert_eq!(told, Some(closed));
}

/// What is said of frames and messages that make no sense.
const FATAL: &str = "exn raised in RPC connection loop";

// The header step.

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

// The metadata step.

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

// Open connections: what ends them.

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

/// C-OP-3, C-RD-10, ZC14, C-RD-12.
#[tokio::test(start_paused = true)]
async fn message_of_unknown_tag_ends_the_connection() {
    let frame = [1, 0, 0, 0, 0, 0, 0, 0, 0x0d];
    check_ends(&frame, Waiting::Failed, FATAL).await;
    check_ends(&frame, Waiting::Failed, "tag 13").await;
}

/// ZC14, C-RD-12: the frame is whole, the message in it is not.
#[tokio::test(start_paused = true)]
async fn message_cut_short_inside_its_frame_ends_the_connection() {
    let frame = [3, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x01, 0x00];
    check_ends(&frame, Waiting::Failed, "cannot be decoded").await;
}

/// Decision 18.
#[tokio::test(start_paused = true)]
async fn empty_frame_ends_the_connection() {
    check_ends(&[0; 8], Waiting::Failed, FATAL).await;
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

// Open connections: what concerns one query.

/// Decision 12, C-RD-14: the next query is answered.
#[tokio::test(start_paused = true)]
async fn payload_length_beyond_the_frame_is_an_error_of_its_query() {
    let scene = Scene::new().await;
    let (connection, mut peer) = scene.open(9).await;
    for (rpc, location) in [
        (ECHO.description(), "server-side rpc query un-bin-io'ing"),
        (
            COUNT.description(),
            "server-side pipe_rpc stream_query un-bin-io'ing",
        ),
    ] {
        let mut message = peer.query_message(3, &rpc, b"\x05hello");
        let payload_length = message.len() - 7;
        message[payload_length] = 100;
        peer.send_bytes(&message).await;
        check_bin_io(&peer.expect_error(3).await, location);
    }
    assert_serves(&connection, peer).await;
    scene.assert_unharmed().await;
}

/// C-RD-14 on the caller's side: the next call works.
#[tokio::test(start_paused = true)]
async fn response_length_beyond_the_frame_is_an_error_of_its_call() {
    let (connection, mut peer) = Peer::called_by_us(1).await;
    let call = ECHO.dispatch(&connection, &"a".to_owned());
    peer.expect_query().await;
    peer.send_frame(&[0x02, 0x01, 0x00, 100, 1, b'a']).await;
    let error = call.await.unwrap_err();
    let DispatchError::Undecodable { location, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(location, "client-side rpc response un-bin-io'ing");
    assert_eq!(connection.open_queries(), 0);
    let call = ECHO.dispatch(&connection, &"b".to_owned());
    let id = peer.expect_query().await.id;
    peer.answer(id, &"b".to_owned()).await;
    assert_eq!(call.await.unwrap(), "b");
}

/// R-PL-3: a count is compared with what is left before anything is reserved.
#[tokio::test(start_paused = true)]
async fn ten_million_elements_in_nine_bytes_are_an_error_of_their_query() {
    static SUM: Rpc<Vec<i64>, i64> = Rpc::new("sum", 1);
    let sum = |_: &(), items: Vec<i64>| Ok(items.iter().sum());
    let table = Implementations::builder()
        .implement_blocking(&SUM, sum)
        .build()
        .unwrap();
    let (_connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    let payload = [0xfd, 0x80, 0x96, 0x98, 0x00, 1, 2, 3, 4];
    let message = peer.query_message(1, &SUM.description(), &payload);
    peer.send_bytes(&message).await;
    let location = "server-side rpc query un-bin-io'ing";
    check_bin_io(&peer.expect_error(1).await, location);
    peer.query(2, &SUM.description(), &vec![1_i64, 2]).await;
    peer.expect_answer(2, &3_i64).await;
}

/// R-SV-15: neither a query nor an abort.
#[tokio::test(start_paused = true)]
async fn plain_query_to_a_pipe_is_an_error_of_its_query() {
    let scene = Scene::new().await;
    let (connection, mut peer) = scene.open(11).await;
    peer.query(3, &COUNT.description(), &"hello").await;
    let location = "server-side pipe_rpc stream_query un-bin-io'ing";
    check_bin_io(&peer.expect_error(3).await, location);
    assert_serves(&connection, peer).await;
    scene.assert_unharmed().await;
}

/// R-SV-9: an abort of nothing is nothing.
#[tokio::test(start_paused = true)]
async fn abort_of_an_unknown_stream_is_ignored() {
    let scene = Scene::new().await;
    let (connection, mut peer) = scene.open(11).await;
    peer.abort(3, &COUNT.description()).await;
    assert_serves(&connection, peer).await;
    scene.assert_unharmed().await;
}

/// C-RD-3, Decision 17: a later version may add fields.
#[tokio::test(start_paused = true)]
async fn bytes_beyond_the_message_are_tolerated() {
    let scene = Scene::new().await;
    let (connection, mut peer) = scene.open(11).await;
    peer.send_frame(&[0x00, 0xff, 0xff]).await;
    let message = peer.query_message(5, &ECHO.description(), b"\x01x");
    let body = [&message[8..], &[0xff; 3]].concat();
    peer.send_frame(&body).await;
    peer.expect_answer(5, &"x").await;
    assert_serves(&connection, peer).await;
    scene.assert_unharmed().await;
}

/// C-RD-4: what is restricted by version is what we send.
#[tokio::test(start_paused = true)]
async fn every_form_of_query_is_understood_at_every_version() {
    for number in 1..=11 {
        let scene = Scene::new().await;
        let (_connection, mut peer) = scene.open(number).await;
        for (id, form) in [(1, 1), (2, 2), (3, 8), (4, 11)] {
            let (writer, _) = Peer::at(form);
            let message = writer.query_message(id, &ECHO.description(), b"\x01x");
            peer.send_bytes(&message).await;
            peer.expect_answer(id, &"x").await;
        }
    }
}

#[track_caller]
fn check_bin_io(error: &RpcError, location: &str) {
    let RpcError::BinIoExn(Sexp::List(fields)) = error else {
        panic!("{error:?}");
    };
    let expected = Sexp::list([Sexp::atom("location"), Sexp::atom(location)]);
    assert_eq!(fields.first(), Some(&expected), "{error}");
}

/// The connection is as good as before.
async fn assert_serves(connection: &Connection, mut peer: Peer) {
    assert_eq!(connection.served_streams(), 0);
    peer.query(100, &ECHO.description(), &"fine").await;
    peer.expect_answer(100, &"fine").await;
    assert!(!connection.is_closed());
    drop(peer);
    connection.closed().await;
}
