//! How many bytes went to and fro.

use rpc_core::Connection;
use rpc_core::connection::Config;
use rpc_wire::Message;
use rpc_wire::handshake::PeerMetadata;

use crate::pair::{offering, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{ECHO, Notes, table};

/// C-CT-2: bodies only, those of the handshake included.
#[tokio::test(start_paused = true)]
async fn counts_begin_with_the_handshake() {
    // Of headers: a byte for the count, five for the magic number, one for each version. Of our
    // metadata: none at all, or no identification and an empty menu, in either form.
    for (version, header, ours, peers) in [(1, 7, 0, 0), (3, 9, 4, 3), (11, 17, 5, 3)] {
        let (mut peer, io) = Peer::new(1000);
        let (connection, ()) = tokio::join!(
            Connection::create(io, offering(version)),
            peer.shake_hands(version, PeerMetadata::default()),
        );
        let connection = connection.unwrap();
        settle().await;
        // With the first heartbeat.
        let written = header + ours + 1;
        assert_eq!(connection.bytes_written(), written, "at {version}");
        assert_eq!(connection.bytes_read(), header + peers, "at {version}");
        peer.send(&Message::Heartbeat).await;
        peer.send(&Message::Heartbeat).await;
        settle().await;
        assert_eq!(connection.bytes_read(), header + peers + 2);
    }
}

/// C-CT-2: what one end has written, the other has read.
#[tokio::test(start_paused = true)]
async fn both_ends_count_the_same() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    for length in [0, 1, 200, 100_000] {
        let text = "x".repeat(length);
        let before = near.bytes_written();
        ECHO.dispatch(&near, &text).await.unwrap();
        settle().await;
        assert!(near.bytes_written() > before + length as u64);
        assert_eq!(near.bytes_written(), far.bytes_read());
        assert_eq!(far.bytes_written(), near.bytes_read());
    }
}

/// C-CT-2: a message counts when it is in the output buffer, or was handled whole; one that was
/// refused does not count.
#[tokio::test(start_paused = true)]
async fn only_whole_messages_count() {
    let config = Config::default().max_message_size(1000);
    let (connection, mut peer) = Peer::open(config, &table(), Notes::default(), 11).await;
    settle().await;
    let (written, read) = (connection.bytes_written(), connection.bytes_read());
    let too_big = ECHO.dispatch(&connection, &"x".repeat(2000)).await;
    too_big.unwrap_err();
    assert_eq!(connection.bytes_written(), written);
    // 0c 00 04 "echo" 01 01 00, the length of 12, the length of 11, "hello world"
    drop(ECHO.dispatch(&connection, &"hello world".to_owned()));
    assert_eq!(connection.bytes_written(), written + 10 + 1 + 1 + 11);
    let query = peer.query_message(1, &ECHO.description(), b"\x02ab");
    let (most, last) = query.split_at(query.len() - 1);
    peer.send_bytes(most).await;
    settle().await;
    assert_eq!(connection.bytes_read(), read);
    peer.send_bytes(last).await;
    settle().await;
    assert_eq!(connection.bytes_read(), read + query.len() as u64 - 8);
}

/// C-CT-1: what the transport has not accepted, to the byte; nothing once it is over.
#[tokio::test(start_paused = true)]
async fn bytes_to_write_are_those_that_the_transport_has_not_accepted() {
    let (mut peer, io) = Peer::new(100);
    let (connection, ()) = tokio::join!(
        Connection::create(io, Config::default()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    peer.expect_heartbeat().await;
    assert_eq!(connection.bytes_to_write(), 0);
    let call = ECHO.dispatch(&connection, &"x".repeat(1000));
    let sent = connection.bytes_to_write();
    // The length of the frame, and about ten bytes around the payload.
    assert!((1008..1040).contains(&sent), "{sent}");
    settle().await;
    assert_eq!(connection.bytes_to_write(), sent - 100);
    let second = ECHO.dispatch(&connection, &"x".repeat(1000));
    settle().await;
    assert_eq!(connection.bytes_to_write(), 2 * sent - 100);
    peer.expect_query().await;
    settle().await;
    assert!(connection.bytes_to_write() < sent);
    peer.expect_query().await;
    settle().await;
    assert_eq!(connection.bytes_to_write(), 0);
    drop((call, second));

    let _unread = ECHO.dispatch(&connection, &"x".repeat(1000));
    settle().await;
    assert_ne!(connection.bytes_to_write(), 0);
    connection.close();
    connection.closed().await;
    assert_eq!(connection.bytes_to_write(), 0);
}
