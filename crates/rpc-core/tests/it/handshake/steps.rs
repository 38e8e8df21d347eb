//! The two steps: what is sent when, how long they may take, and their errors in words.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bin_prot::{Info, Sexp};
use rpc_core::Connection;
use rpc_core::connection::{Config, HandshakeError, HandshakeFailure, Step};
use rpc_wire::handshake::{HeaderError, MetadataError, NegotiationError, PeerMetadata};
use rpc_wire::{CloseReason, Description, Header, Menu, Message};
use tokio::time::{sleep, timeout};

use super::{check_failure, creating, identified};
use crate::counting::Counting;
use crate::pair::{CAPACITY, connect, now, offering, settle, version};
use crate::peer::{Peer, framed, header};
use crate::rpcs::{ECHO, Notes, table};

const SECOND: Duration = Duration::from_secs(1);

/// D1, C-HS-1, C-HS-5: byte by byte; the heartbeat comes after the metadata (C-OP-2).
#[tokio::test(start_paused = true)]
async fn both_sides_send_header_and_metadata_unprompted() {
    let (mut peer, creating) = creating(Config::default());
    let header = [
        12, 0xfd, b'R', b'P', b'C', 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    ];
    assert_eq!(peer.expect_frame().await, header);
    peer.expect_silence(SECOND).await;
    peer.send_frame(&header).await;
    assert_eq!(peer.expect_frame().await, [7, 0, 1, 0, 0]);
    peer.expect_silence(SECOND).await;
    peer.send_frame(&[7, 0, 1, 0, 0]).await;
    let connection = creating.await.unwrap().unwrap();
    peer.expect_heartbeat().await;
    let menu = connection.peer_menu().unwrap();
    assert!(menu.entries().is_empty());
    assert!(connection.local_menu().unwrap().entries().is_empty());
}

/// F1, F2, C-HS-4: identifications as the versions tell them, byte by byte.
#[tokio::test(start_paused = true)]
async fn identification_travels_in_either_form() {
    for (number, metadata) in [
        (3, Some(b"\x04\x01\x07clin-id\x01\x00".as_slice())),
        (5, Some(b"\x04\x01\x07clin-id\x01\x00")),
        (6, Some(b"\x07\x01\x07clin-id\x01\x00\x00")),
        (11, Some(b"\x07\x01\x07clin-id\x01\x00\x00")),
        (1, None),
        (2, None),
    ] {
        let (mut peer, creating) = creating(Config::default().identification("clin-id"));
        peer.exchange_headers(number).await;
        if let Some(metadata) = metadata {
            assert_eq!(peer.expect_frame().await, metadata);
            let theirs = identified("serv-id").to_message(version(number)).unwrap();
            peer.send(&theirs).await;
        }
        let connection = creating.await.unwrap().unwrap();
        let told = connection.peer_identification().map(|bytes| &**bytes);
        assert_eq!(told, metadata.map(|_| b"serv-id".as_slice()));
    }
}

/// ZC6, C-HS-7: whatever the version.
#[tokio::test(start_paused = true)]
async fn either_form_of_metadata_is_accepted_at_any_version() {
    for (negotiated, sent_as) in [(11, 3), (3, 11), (6, 5), (5, 6)] {
        let (mut peer, creating) = creating(Config::default());
        peer.exchange_headers(negotiated).await;
        peer.expect_metadata().await;
        let metadata = PeerMetadata {
            identification: Some("me".into()),
            menu: Some(Menu::new([Description::new("a", 1)]).unwrap()),
        };
        peer.send(&metadata.to_message(version(sent_as)).unwrap())
            .await;
        let connection = creating.await.unwrap().unwrap();
        assert_eq!(connection.peer_identification().unwrap(), "me");
        let menu = connection.peer_menu().unwrap();
        assert!(menu.descriptions().eq(&[Description::new("a", 1)]));
    }
}

/// C-HS-8, ZC7: a menu in the first form is sorted by us, and must not have duplicates.
#[tokio::test(start_paused = true)]
async fn menu_of_the_first_form_is_sorted_and_has_no_duplicates() {
    let [b, a2, a1] = [b"\x01b\x01\x03", b"\x01a\x02\x03", b"\x01a\x01\x03"].map(|e| &e[..]);
    let menu = |entries: &[&[u8]]| {
        let count = u8::try_from(entries.len()).unwrap();
        [&[4, 0, 1, count], &entries.concat()[..]].concat()
    };
    let (mut peer, accepted) = creating(Config::default());
    peer.exchange_headers(3).await;
    peer.expect_metadata().await;
    peer.send_frame(&menu(&[b, a2, a1])).await;
    let connection = accepted.await.unwrap().unwrap();
    let sorted = [("a", 1), ("a", 2), ("b", 1)].map(|(name, v)| Description::new(name, v));
    assert!(connection.peer_menu().unwrap().descriptions().eq(&sorted));

    let (mut peer, refused) = creating(Config::default());
    peer.exchange_headers(4).await;
    peer.expect_metadata().await;
    peer.send_frame(&menu(&[a1, b, a1])).await;
    let reason = peer.expect_close_reason().await.to_string();
    assert!(reason.contains("a version 1 is listed twice"), "{reason}");
    let error = refused.await.unwrap().unwrap_err();
    check_failure(&error, |cause| {
        matches!(cause, HandshakeFailure::Metadata(MetadataError::Menu(_)))
    });
}

/// ZC1, C-HS-13: the peer's header, its metadata and its first query in one chunk.
#[tokio::test(start_paused = true)]
async fn query_right_behind_the_handshake_is_answered() {
    for number in [1, 3, 11] {
        let (mut peer, io) = Peer::new(CAPACITY);
        let mut chunk = framed(&header(version(number)));
        if let Some(metadata) = PeerMetadata::default().to_message(version(number)) {
            chunk.extend(framed(&metadata));
        }
        let (speaking, _) = Peer::at(number);
        chunk.extend(speaking.query_message(1, &ECHO.description(), b"\x01x"));
        peer.send_bytes(&chunk).await;
        let table = table();
        let (connection, ()) = tokio::join!(
            Connection::serve(io, Config::default(), &table, |_| Notes::default()),
            async {
                peer.expect_header().await;
                if number >= 3 {
                    peer.expect_metadata().await;
                }
                peer.expect_answer(1, &"x").await;
            },
        );
        connection.unwrap();
    }
}

/// ZC8, C-HS-20: each step has the whole time.
#[tokio::test(start_paused = true)]
async fn each_step_may_take_the_whole_timeout() {
    for (delay, succeeds) in [(29, true), (31, false)] {
        let (mut peer, creating) = creating(Config::default());
        sleep(29 * SECOND).await;
        peer.exchange_headers(11).await;
        peer.expect_metadata().await;
        sleep(Duration::from_secs(delay)).await;
        if succeeds {
            peer.send_frame(&[7, 0, 0]).await;
            creating.await.unwrap().unwrap();
        } else {
            let reason = peer.expect_close_reason().await.to_string();
            let text = "no connection metadata from the peer within 30s";
            assert!(reason.contains(text), "{reason}");
            peer.expect_end().await;
            let error = creating.await.unwrap().unwrap_err();
            let step = Step::ConnectionMetadata;
            check_failure(
                &error,
                |cause| matches!(cause, HandshakeFailure::Timeout { step: s, .. } if *s == step),
            );
        }
    }
}

/// D2, D3, D4: sides without patience; a patient one sees the other's end.
#[tokio::test(start_paused = true)]
async fn side_without_patience_gives_up_and_the_other_sees_its_end() {
    let minute = 60 * SECOND;
    for (near, far) in [(Duration::ZERO, minute), (Duration::ZERO, Duration::ZERO)] {
        let (near_io, far_io) = tokio::io::duplex(CAPACITY);
        let config = |timeout| Config::default().handshake_timeout(timeout);
        let near_creating = tokio::spawn(Connection::create(near_io, config(near)));
        // The near side has sent its header and given up before the far one does anything.
        settle().await;
        let far_creating = Connection::create(far_io, config(far)).await;
        let outcomes = [
            (near, near_creating.await.unwrap().unwrap_err()),
            (far, far_creating.unwrap_err()),
        ];
        for (timeout, error) in outcomes {
            check_failure(&error, |cause| match cause {
                HandshakeFailure::Timeout { .. } => timeout.is_zero(),
                HandshakeFailure::Eof { .. } | HandshakeFailure::Transport { .. } => true,
                _ => false,
            });
        }
    }
}

/// D6, C-HF-2, C-HF-9: nothing above our own limit is sent.
#[tokio::test(start_paused = true)]
async fn own_frame_above_the_own_limit_is_not_sent() {
    let (mut peer, refused) = creating(Config::default().max_message_size(1));
    let error = refused.await.unwrap().unwrap_err();
    let sexp = "(Handshake_error((Message_too_big_during_step Header\
                ((size 17)(max_message_size 1)))<created-directly>))";
    assert_eq!(error.to_sexp().to_string(), sexp);
    peer.expect_end().await;

    let config = Config::default()
        .max_message_size(17)
        .identification("x".repeat(30));
    let (mut peer, refused) = creating(config);
    peer.exchange_headers(11).await;
    peer.expect_end().await;
    let error = refused.await.unwrap().unwrap_err();
    let text = error.to_sexp().to_string();
    let expected = "(Message_too_big_during_step Connection_metadata((size 3";
    assert!(text.contains(expected), "{text}");
}

/// C-HS-21: the time is for the peer's frame; sending ours may take longer, and goes on when the
/// step is over.
#[tokio::test(start_paused = true)]
async fn sending_is_not_limited_by_the_step() {
    let (mut peer, io) = Peer::new(50);
    let config = Config::default()
        .handshake_timeout(3 * SECOND)
        .identification("x".repeat(10_000));
    let creating = tokio::spawn(Connection::create(io, config));
    peer.send_handshake(11).await;
    // The peer has said everything, and does not read.
    let created = timeout(SECOND, creating).await.expect("creation waits");
    let connection = created.unwrap().unwrap();
    assert!(connection.bytes_to_write() > 9_000);
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    sleep(20 * SECOND).await;
    peer.expect_header().await;
    let told = peer.expect_metadata().await;
    assert_eq!(told.identification.unwrap().len(), 10_000);
    let id = peer.expect_query().await.id;
    peer.answer(id, &"y").await;
    assert_eq!(call.await.unwrap(), "y");
    assert_eq!(connection.bytes_to_write(), 0);
}

/// C-HS-1, C-HS-5: both frames of a handshake leave in one write if the peer's are there, and the first
/// call with the first heartbeat in another.
#[tokio::test(start_paused = true)]
async fn peer_that_has_introduced_itself_is_written_to_once() {
    let (mut peer, io) = Peer::new(CAPACITY);
    peer.send_handshake(11).await;
    let (transport, writes) = Counting::new(io);
    let created = Connection::create(transport, Config::default()).await;
    let connection = created.unwrap();
    assert_eq!(writes.load(Ordering::Relaxed), 1);
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    peer.expect_header().await;
    peer.expect_metadata().await;
    let id = peer.expect_query().await.id;
    assert_eq!(writes.load(Ordering::Relaxed), 2);
    peer.answer(id, &"y").await;
    assert_eq!(call.await.unwrap(), "y");
}

/// C-HF-10: a refusal does not cut a frame that is on its way.
#[tokio::test(start_paused = true)]
async fn reason_of_a_refusal_comes_behind_whole_frames() {
    let (mut peer, io) = Peer::new(50);
    let config = Config::default()
        .handshake_timeout(3 * SECOND)
        .identification("x".repeat(1000));
    let creating = tokio::spawn(Connection::create(io, config));
    peer.exchange_headers(11).await;
    sleep(3 * SECOND + SECOND / 2).await;
    let told = peer.expect_metadata().await;
    assert_eq!(told.identification.unwrap().len(), 1000);
    let reason = peer.expect_close_reason().await.to_string();
    assert!(reason.contains("within 3s"), "{reason}");
    peer.expect_end().await;
    creating.await.unwrap().unwrap_err();
}

/// C-HF-1, C-HF-8, D7: a transport that takes nothing.
#[tokio::test(start_paused = true)]
async fn transport_that_takes_nothing_is_closed() {
    for step in [Step::Header, Step::ConnectionMetadata] {
        let (mut peer, io) = Peer::new(CAPACITY);
        let (read, _) = tokio::io::split(io);
        let room = match step {
            Step::Header => 1,
            Step::ConnectionMetadata => 25 + 1,
        };
        let (write, sink) = tokio::io::duplex(room);
        let transport = tokio::io::join(read, write);
        let creating = tokio::spawn(Connection::create(transport, Config::default()));
        if step == Step::ConnectionMetadata {
            peer.send_bytes(&framed(&header(version(11)))).await;
        }
        settle().await;
        drop(sink);
        let error = creating.await.unwrap().unwrap_err();
        check_failure(
            &error,
            |cause| matches!(cause, HandshakeFailure::Transport { step: s, .. } if *s == step),
        );
        let text = error.to_sexp().to_string();
        assert!(text.contains("Transport_closed_during_step"), "{text}");
    }
}

/// Decision 19 in its spirit: a peer that refuses and is gone has said why before.
#[tokio::test(start_paused = true)]
async fn reason_of_a_peer_that_is_gone_is_read_although_nothing_can_be_sent() {
    let (mut peer, io) = Peer::new(CAPACITY);
    let (read, _) = tokio::io::split(io);
    let (write, sink) = tokio::io::duplex(25 + 1);
    let transport = tokio::io::join(read, write);
    let reason = CloseReason::user("denied").to_v2();
    peer.send_bytes(&framed(&header(version(11)))).await;
    peer.send(&Message::CloseReasonV2(Box::new(reason))).await;
    drop(sink);
    let created = Connection::create(transport, Config::default()).await;
    let error = created.unwrap_err();
    check_failure(&error, |cause| {
        matches!(
            cause,
            HandshakeFailure::Metadata(MetadataError::Closed(_))
                | HandshakeFailure::Transport { .. }
        )
    });
}

/// C-HS-11: the handshake begins with the metadata, or is over.
#[tokio::test(start_paused = true)]
async fn pre_shared_headers_are_not_exchanged() {
    for (ours, peers, agreed) in [(11, 9, 9), (3, 11, 3), (11, 2, 2)] {
        let config =
            Config::default().pre_shared_headers(header(version(ours)), header(version(peers)));
        let (mut peer, io) = Peer::at(agreed);
        let creating = tokio::spawn(Connection::create(io, config));
        if agreed >= 3 {
            peer.expect_metadata().await;
            let theirs = identified("me").to_message(version(agreed)).unwrap();
            peer.send(&theirs).await;
        }
        let connection = creating.await.unwrap().unwrap();
        assert_eq!(i64::from(connection.version().number()), agreed);
        let call = ECHO.dispatch(&connection, &"x".to_owned());
        let id = peer.expect_query().await.id;
        peer.answer(id, &"y").await;
        assert_eq!(call.await.unwrap(), "y");
    }
}

/// C-HS-11: negotiated as usual.
#[tokio::test(start_paused = true)]
async fn pre_shared_headers_have_to_agree() {
    let none = Header::new([]);
    let config = Config::default().pre_shared_headers(Header::default(), none);
    let (mut peer, io) = Peer::at(11);
    let error = Connection::create(io, config).await.unwrap_err();
    check_failure(&error, |cause| {
        matches!(
            cause,
            HandshakeFailure::Negotiation(NegotiationError::NoCommonVersion { .. })
        )
    });
    peer.expect_end().await;
}

/// C-HS-11: both ends of ours, with different versions in their headers.
#[tokio::test(start_paused = true)]
async fn two_ends_with_pre_shared_headers_understand_each_other() {
    let [near, far] = [7, 11].map(|number| header(version(number)));
    let shared = |ours: &Header, peers: &Header| {
        Config::default().pre_shared_headers(ours.clone(), peers.clone())
    };
    let table = table();
    let (near, far) = connect(
        CAPACITY,
        (shared(&near, &far), &table, Notes::default()),
        (shared(&far, &near), &table, Notes::default()),
    )
    .await;
    assert_eq!((near.version(), far.version()), (version(7), version(7)));
    for connection in [&near, &far] {
        let answer = ECHO.dispatch(connection, &"x".to_owned()).await;
        assert_eq!(answer.unwrap(), "x");
    }
    // Two metadata frames, no headers.
    assert!(near.bytes_written() > 0);
    assert_eq!(near.bytes_written(), far.bytes_read());
}

/// C-OP-1, C-HS-10: the state function runs once, and before the creation resolves.
#[tokio::test(start_paused = true)]
async fn state_function_runs_once_before_the_creation_resolves() {
    let (mut peer, io) = Peer::new(CAPACITY);
    let table = table();
    let calls = std::cell::Cell::new(0);
    let mut creating = Box::pin(Connection::serve(io, Config::default(), &table, |_| {
        calls.set(calls.get() + 1);
        Notes::default()
    }));
    assert!(now(&mut creating).is_pending());
    peer.exchange_headers(11).await;
    assert!(now(&mut creating).is_pending());
    peer.expect_metadata().await;
    assert_eq!(calls.get(), 0);
    peer.send_frame(&[7, 0, 0]).await;
    creating.await.unwrap();
    assert_eq!(calls.get(), 1);
}

/// C-HF-20: the description stands beside the cause, in both texts.
#[test]
fn errors_name_the_connection_and_the_step() {
    let error = |cause| HandshakeError {
        connection: "prices".to_owned(),
        cause,
    };
    let step = Step::ConnectionMetadata;
    let after = 30 * SECOND;
    let rows = [
        (HandshakeFailure::Timeout { step, after }, "Timeout"),
        (
            HandshakeFailure::Eof { step: Step::Header },
            "(Eof_during_step Header)",
        ),
        (
            HandshakeFailure::Transport {
                step,
                source: io::ErrorKind::BrokenPipe.into(),
            },
            "(Transport_closed_during_step Connection_metadata)",
        ),
        (
            HandshakeFailure::Header(HeaderError::TooLong(101)),
            "(Reading_message_failed_during_step Header\
             (Failure\"header of 101 entries, at most 100 allowed\"))",
        ),
        (
            HandshakeFailure::Metadata(MetadataError::Closed(Box::new(CloseReason::user("no")))),
            "(Transport_closed_with_reason_from_remote_during_step Connection_metadata no)",
        ),
        (
            HandshakeFailure::Metadata(MetadataError::Unexpected(Message::Heartbeat.kind())),
            "(Unexpected_message_during_connection_metadata heartbeat)",
        ),
        (
            HandshakeFailure::Negotiation(NegotiationError::SeveralProtocols),
            "(Negotiation_failed(Failure\"a header names several protocols\"))",
        ),
        (
            HandshakeFailure::Refused(Info::from("Missing peer identity")),
            "(Connection_validation_failed\"Missing peer identity\")",
        ),
    ];
    for (cause, expected) in rows {
        let error = error(cause);
        let expected: Sexp = format!("(Handshake_error ({expected} prices))")
            .parse()
            .unwrap();
        assert_eq!(error.to_sexp(), expected);
        assert_eq!(error.to_string(), "handshake on prices failed");
    }
}

/// Two ends that offer different versions agree, whoever is older.
#[tokio::test(start_paused = true)]
async fn menus_are_told_where_both_sides_can() {
    for (near, far) in [(3, 2), (2, 3), (3, 11), (11, 3), (11, 11)] {
        let table = table();
        let (near_end, far_end) = connect(
            CAPACITY,
            (offering(near), &table, Notes::default()),
            (offering(far), &table, Notes::default()),
        )
        .await;
        let told = near.min(far) >= 3;
        for connection in [&near_end, &far_end] {
            assert_eq!(connection.peer_menu().is_some(), told, "{near} {far}");
        }
    }
}
