//! Catalogue D, and what group Z adds to it: handshakes that fail, and on which side how.

use std::time::Duration;

use bin_prot::Info;
use rpc_core::Connection;
use rpc_core::connection::{Config, HandshakeError, HandshakeFailure, Step};
use rpc_wire::frame::AppendError;
use rpc_wire::handshake::{MetadataError, PeerMetadata};
use rpc_wire::{Description, MenuError, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, copy};
use tokio::time::{Instant, sleep};

use super::{SECOND, bytes, header, taps};
use crate::pair::{CAPACITY, alive_tasks, settle, version};
use crate::peer::{Peer, framed};

type Created = Result<Connection, HandshakeError>;

#[track_caller]
fn failure(created: Created) -> HandshakeFailure {
    created.unwrap_err().cause
}

/// C-CR-4: D1.
#[tokio::test(start_paused = true)]
async fn empty_ends_say_little() {
    let (near, far) = taps();
    let written = [near.written.clone(), far.written.clone()];
    let config = Config::default().handshake_timeout(60 * SECOND);
    let (near, far) = tokio::join!(
        Connection::create(near, config.clone()),
        Connection::create(far, config),
    );
    for written in written {
        let frames = written.take();
        assert_eq!(frames[0], header(11));
        assert_eq!(frames[0].len(), 17);
        assert_eq!(frames[1], bytes("07 00 01 00 00"));
    }
    for connection in [near.unwrap(), far.unwrap()] {
        assert_eq!(connection.peer_menu().unwrap().entries(), []);
    }
}

/// A duplex stream with something in the middle.
fn between(middle: impl FnOnce(DuplexStream, DuplexStream) -> Middle) -> [DuplexStream; 2] {
    let (near, near_middle) = tokio::io::duplex(CAPACITY);
    let (far_middle, far) = tokio::io::duplex(CAPACITY);
    tokio::spawn(middle(near_middle, far_middle));
    [near, far]
}

/// Copies until the end, or until nobody wants it any more.
async fn forward(mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>) {
    if copy(&mut from, &mut to).await.is_ok() {
        to.shutdown().await.unwrap();
    }
}

type Middle = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whether the other side was gone when this one waited for its metadata.
fn is_gone(failure: &HandshakeFailure) -> bool {
    let (HandshakeFailure::Eof { step } | HandshakeFailure::Transport { step, .. }) = failure
    else {
        return false;
    };
    *step == Step::ConnectionMetadata
}

fn is_timeout(failure: &HandshakeFailure) -> bool {
    matches!(
        failure,
        HandshakeFailure::Timeout {
            step: Step::Header,
            ..
        }
    )
}

/// D2, D3, D4: whoever has no time gives up first; a side with time reads the other's header, and
/// then that it is gone. For us an end of input is one, whoever closed.
#[tokio::test(start_paused = true)]
async fn side_without_time_gives_up() {
    for (near, far) in [(0, 60), (60, 0), (0, 0)] {
        let [near_io, far_io] = between(|near, far| {
            Box::pin(async move {
                sleep(Duration::from_millis(10)).await;
                let (near_read, near_write) = tokio::io::split(near);
                let (far_read, far_write) = tokio::io::split(far);
                tokio::join!(forward(near_read, far_write), forward(far_read, near_write));
            })
        });
        let create = |io, seconds: u32| {
            let config = Config::default().handshake_timeout(seconds * SECOND);
            Connection::create(io, config)
        };
        let created = tokio::join!(create(near_io, near), create(far_io, far));
        for (created, seconds) in [(created.0, near), (created.1, far)] {
            let failure = failure(created);
            match seconds {
                0 => assert!(is_timeout(&failure), "{failure:?}"),
                _ if near == far => unreachable!(),
                _ => assert!(is_gone(&failure), "{failure:?}"),
            }
        }
    }
}

/// D5, C-HF-20: the error says on which connection.
#[tokio::test(start_paused = true)]
async fn garbage_is_no_header() {
    let (mut peer, io) = Peer::new(CAPACITY);
    peer.send_bytes(b"failfail").await;
    let config = Config::default().description("to somebody");
    let error = Connection::create(io, config).await.unwrap_err();
    assert_eq!(error.connection, "to somebody");
    let HandshakeFailure::Frame { step, source } = error.cause else {
        panic!("{error:?}");
    };
    assert_eq!(step, Step::Header);
    assert_eq!(source.length, i64::from_le_bytes(*b"failfail"));
}

/// D6, C-HF-2, C-HF-21: nothing of it is sent. We close the transport in every case of failure.
#[tokio::test(start_paused = true)]
async fn header_above_our_own_limit_is_not_sent() {
    let (mut peer, io) = Peer::new(CAPACITY);
    let config = Config::default().max_message_size(1);
    let failure = failure(Connection::create(io, config).await);
    let HandshakeFailure::Unsendable { step, source } = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(step, Step::Header);
    assert!(matches!(source, AppendError::TooBig { size: 17, limit: 1 }));
    peer.expect_end_at_once().await;
}

/// C-HF-9: the header has been sent.
#[tokio::test(start_paused = true)]
async fn metadata_above_our_own_limit_is_not_sent() {
    let (mut peer, io) = Peer::new(CAPACITY);
    let config = Config::default()
        .max_message_size(20)
        .identification("a long identification");
    let conversation = async {
        peer.exchange_headers(11).await;
        peer.expect_end_at_once().await;
    };
    let (created, ()) = tokio::join!(Connection::create(io, config), conversation);
    let failure = failure(created);
    let HandshakeFailure::Unsendable { step, source } = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(step, Step::ConnectionMetadata);
    let size = bytes(r#"07 01 15 "a long identification" 01 00 00"#).len();
    assert!(
        matches!(source, AppendError::TooBig { size: found, limit: 20 } if found == size),
        "{source:?}"
    );
}

/// C-HF-1, C-HF-5: nobody is there.
#[tokio::test(start_paused = true)]
async fn transport_that_is_closed_fails_the_first_step() {
    let (peer, io) = Peer::new(CAPACITY);
    drop(peer);
    let failure = failure(Connection::create(io, Config::default()).await);
    assert!(
        matches!(
            failure,
            HandshakeFailure::Transport {
                step: Step::Header,
                ..
            } | HandshakeFailure::Eof { step: Step::Header }
        ),
        "{failure:?}"
    );
}

/// D7, C-HF-8, C-HF-12: the link is cut when both headers have passed.
#[tokio::test(start_paused = true)]
async fn cut_between_header_and_metadata_is_noticed_by_both() {
    let ios = between(|near, far| {
        Box::pin(async move {
            let ((mut near_read, mut near), (mut far_read, mut far)) =
                (tokio::io::split(near), tokio::io::split(far));
            let mut header = [0; 8 + 17];
            near_read.read_exact(&mut header).await.unwrap();
            far.write_all(&header).await.unwrap();
            far_read.read_exact(&mut header).await.unwrap();
            near.write_all(&header).await.unwrap();
        })
    });
    let [near, far] = ios.map(|io| Connection::create(io, Config::default()));
    let (near, far) = tokio::join!(near, far);
    for created in [near, far] {
        let failure = failure(created);
        assert!(is_gone(&failure), "{failure:?}");
    }
    settle().await;
    assert_eq!(alive_tasks(), 0);
}

/// D8, C-HF-14.
#[tokio::test(start_paused = true)]
async fn peer_that_refuses_says_why() {
    let (mut peer, io) = Peer::new(CAPACITY);
    let conversation = async {
        peer.exchange_headers(4).await;
        let reason = Info::from("immediate close");
        peer.send(&Message::CloseReason(reason)).await;
        assert_eq!(peer.expect_frame().await, bytes("04 00 01 00"));
        peer.expect_end_at_once().await;
    };
    let (created, ()) = tokio::join!(Connection::create(io, Config::default()), conversation);
    let failure = failure(created);
    let HandshakeFailure::Metadata(MetadataError::Closed(reason)) = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(reason.to_info(), Info::from("immediate close"));
}

/// What `version` has as metadata.
fn metadata(number: i64) -> Vec<u8> {
    let metadata = PeerMetadata::default().to_message(version(number));
    framed(&metadata.unwrap())
}

/// ZC6, C-HS-7.
#[tokio::test(start_paused = true)]
async fn either_form_of_metadata_is_accepted_at_any_version() {
    for (number, form) in [(11, 3), (6, 5), (3, 11), (5, 6)] {
        let (mut peer, io) = Peer::new(CAPACITY);
        let conversation = async {
            peer.exchange_headers(number).await;
            peer.send_bytes(&metadata(form)).await;
        };
        let config = Config::default();
        let (created, ()) = tokio::join!(Connection::create(io, config), conversation);
        let connection = created.unwrap();
        assert_eq!(connection.version(), version(number));
        assert_eq!(connection.peer_menu(), None);
    }
}

/// ZC7, C-HS-8.
#[tokio::test(start_paused = true)]
async fn duplicate_in_a_menu_of_the_first_form_is_refused() {
    let (mut peer, io) = Peer::new(CAPACITY);
    let conversation = async {
        peer.exchange_headers(4).await;
        // Twice "a" 1, without digests.
        let body = bytes(r#"04 00 01 02 01 "a" 01 03 01 "a" 01 03"#);
        peer.send_frame(&body).await;
        peer.expect_metadata().await;
        peer.expect_close_reason().await;
        peer.expect_end().await;
    };
    let (created, ()) = tokio::join!(Connection::create(io, Config::default()), conversation);
    let failure = failure(created);
    let HandshakeFailure::Metadata(MetadataError::Menu(MenuError::Duplicate(rpc))) = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(rpc, Description::new("a", 1));
}

/// C-HS-23, ZC8, C-HS-20.
#[tokio::test(start_paused = true)]
async fn each_step_has_the_whole_time() {
    for (seconds, in_time) in [(29, true), (31, false)] {
        let start = Instant::now();
        let (mut peer, io) = Peer::new(CAPACITY);
        let conversation = async {
            sleep(29 * SECOND).await;
            peer.exchange_headers(11).await;
            sleep(seconds * SECOND).await;
            if in_time {
                peer.send_bytes(&metadata(11)).await;
            } else {
                peer.expect_metadata().await;
                let reason = peer.expect_close_reason().await.to_string();
                let text = "no connection metadata from the peer within 30s";
                assert!(reason.contains(text), "{reason}");
                peer.expect_end().await;
            }
        };
        let config = Config::default().handshake_timeout(30 * SECOND);
        let (created, ()) = tokio::join!(Connection::create(io, config), conversation);
        assert_eq!(start.elapsed(), (29 + seconds) * SECOND);
        match created {
            Ok(_) => assert!(in_time),
            Err(error) => {
                let late = matches!(
                    error.cause,
                    HandshakeFailure::Timeout {
                        step: Step::ConnectionMetadata,
                        ..
                    }
                );
                assert!(late && !in_time, "{error:?}");
            }
        }
    }
}
