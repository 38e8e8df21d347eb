//! Signs of life: when they are sent, and when a silent peer is given up.

use std::time::Duration;

use rpc_core::connection::heartbeat::{self, TimeoutStyle};
use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{Connection, DispatchError, Implementations};
use rpc_wire::Message;
use rpc_wire::handshake::PeerMetadata;
use tokio::time::{Instant, sleep};

use crate::pair::{pair, settle, version};
use crate::peer::Peer;
use crate::rpcs::{ECHO, Notes, table};

const SECOND: Duration = Duration::from_secs(1);

/// Longer than any silence that is tolerated.
const LONG: Duration = Duration::from_secs(1000);

/// C-OP-2, C-HB-1.
#[tokio::test(start_paused = true)]
async fn heartbeats_are_sent_at_once_and_then_every_ten_seconds() {
    for number in [1, 11] {
        let (_connection, mut peer) = Peer::called_by_us(number).await;
        let start = Instant::now();
        for seconds in [0, 10, 20, 30, 40, 50] {
            peer.expect_heartbeat().await;
            assert_eq!(start.elapsed().as_secs(), seconds);
            peer.send(&Message::Heartbeat).await;
        }
    }
}

/// C-HB-1: counted from the start, regardless of other traffic.
#[tokio::test(start_paused = true)]
async fn other_traffic_does_not_move_heartbeats() {
    let (_connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    let start = Instant::now();
    peer.expect_heartbeat().await;
    for second in 1..=9 {
        sleep(SECOND).await;
        peer.query(second, &ECHO.description(), &"x").await;
        peer.expect_answer(second, &"x").await;
    }
    peer.expect_heartbeat().await;
    assert_eq!(start.elapsed().as_secs(), 10);
}

/// C-HB-2, C-HB-3, C-HB-10: the checks at 10, 20 and 30 s pass; the one at 40 s closes, and
/// tells.
#[tokio::test(start_paused = true)]
async fn silent_peer_is_given_up_at_forty_seconds_and_told() {
    for number in [1, 3, 4, 9, 10, 11] {
        let (connection, mut peer) = Peer::called_by_us(number).await;
        let start = Instant::now();
        let call = ECHO.dispatch(&connection, &"waiting".to_owned());
        sleep(Duration::from_millis(39_999)).await;
        assert!(!connection.is_closed());
        sleep(Duration::from_millis(2)).await;
        assert!(connection.is_closed());

        peer.expect_query().await;
        if number >= 4 {
            let reason = peer.expect_close_reason().await.to_string();
            let text = "No heartbeats received for 30s. Last seen 40s ago.";
            assert!(reason.contains(text), "{reason}");
        }
        peer.expect_end().await;
        drop(peer);
        let closed = connection.closed().await;
        assert_eq!(closed.by, ClosedBy::Local);
        assert!(closed.to_string().contains("No heartbeats"), "{closed}");
        let error = call.await.unwrap_err();
        assert!(matches!(error, DispatchError::ConnectionClosed(_)));
        assert_eq!(start.elapsed().as_secs(), 40);
    }
}

/// C-HB-10: both ends of a link that has gone quiet learn of it.
#[tokio::test(start_paused = true)]
async fn peer_sees_why_it_was_given_up() {
    // The far end sends nothing, so it is given up; it never gives up anybody itself.
    let silent = Config::default().heartbeat(heartbeat::Config::default().never());
    let (near, far, _) = pair(Config::default(), silent).await;
    let start = Instant::now();
    let closed = far.closed().await;
    assert_eq!(start.elapsed().as_secs(), 40);
    assert_eq!(closed.by, ClosedBy::Peer);
    assert!(closed.to_string().contains("No heartbeats"), "{closed}");
    assert_eq!(near.closed().await.by, ClosedBy::Local);
}

/// C-HB-5: a query, a response, a heartbeat, and what ends no connection.
#[tokio::test(start_paused = true)]
async fn any_message_is_a_sign_of_life() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    let start = Instant::now();
    sleep(29 * SECOND).await;
    peer.send(&Message::Heartbeat).await;
    sleep(29 * SECOND).await;
    peer.query(1, &ECHO.description(), &"x").await;
    peer.expect_answer(1, &"x").await;
    let call = ECHO.dispatch(&connection, &"y".to_owned());
    sleep(29 * SECOND).await;
    let id = peer.expect_query().await.id;
    peer.answer(id, &"y").await;
    assert_eq!(call.await.unwrap(), "y");
    sleep(29 * SECOND).await;
    peer.send(&Message::CloseStarted).await;
    // Seen last at 116 s: dead at the first check later than 146 s.
    sleep(33 * SECOND).await;
    assert!(connection.close_reason().is_none());
    sleep(2 * SECOND).await;
    assert_eq!(start.elapsed().as_secs(), 151);
    let closed = connection.close_reason().unwrap();
    assert!(closed.to_string().contains("No heartbeats"), "{closed}");
}

/// C-HB-3, C-HB-4: when a silent peer is given up, in seconds.
#[tokio::test(start_paused = true)]
async fn moment_of_giving_up_follows_from_timeout_and_interval() {
    let rows = [
        (10, 30, TimeoutStyle::TimeBetweenHeartbeats, 40),
        (10, 25, TimeoutStyle::TimeBetweenHeartbeats, 30),
        (1, 3, TimeoutStyle::TimeBetweenHeartbeats, 4),
        (10, 30, TimeoutStyle::NumberOfHeartbeats, 30),
        (10, 1, TimeoutStyle::NumberOfHeartbeats, 10),
        (10, 31, TimeoutStyle::NumberOfHeartbeats, 40),
    ];
    for (every, timeout, style, expected) in rows {
        let heartbeat = heartbeat::Config::default()
            .send_every(Duration::from_secs(every))
            .timeout(Duration::from_secs(timeout))
            .style(style);
        let config = Config::default().heartbeat(heartbeat);
        let (connection, peer) = Peer::open(config, &Implementations::empty(), (), 11).await;
        let start = Instant::now();
        sleep(Duration::from_secs(expected) - Duration::from_millis(1)).await;
        assert!(!connection.is_closed(), "{every} {timeout} {style:?}");
        sleep(Duration::from_millis(2)).await;
        assert!(connection.is_closed(), "{every} {timeout} {style:?}");
        drop(peer);
        connection.closed().await;
        assert_eq!(start.elapsed().as_secs(), expected);
    }
}

/// C-HB-11.
#[tokio::test(start_paused = true)]
async fn without_heartbeats_nothing_is_sent_and_nobody_given_up() {
    let config = Config::default().heartbeat(heartbeat::Config::default().never());
    let (connection, mut peer) = Peer::open(config, &Implementations::empty(), (), 11).await;
    sleep(LONG).await;
    assert!(!connection.is_closed());
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    let id = peer.expect_query().await.id;
    peer.answer(id, &"y").await;
    assert_eq!(call.await.unwrap(), "y");
}

/// Two ends that do nothing else keep each other.
#[tokio::test(start_paused = true)]
async fn idle_connection_lives_for_ever() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    sleep(10 * LONG).await;
    let answer = ECHO.dispatch(&near, &"still here".to_owned()).await;
    assert_eq!(answer.unwrap(), "still here");
    assert!(!far.is_closed());
}

/// C-OP-1, C-HS-20: the handshake has its own limit, and neither heartbeats nor their timeout
/// begin before it is over.
#[tokio::test(start_paused = true)]
async fn silence_during_the_handshake_does_not_count() {
    let config = Config::default().handshake_timeout(LONG);
    let (mut peer, io) = Peer::new(1000);
    let creating = tokio::spawn(Connection::create(io, config));
    sleep(100 * SECOND).await;
    peer.exchange_headers(11).await;
    peer.expect_metadata().await;
    peer.expect_silence(100 * SECOND).await;
    let message = PeerMetadata::default().to_message(version(11));
    peer.send(&message.unwrap()).await;
    let connection = creating.await.unwrap().unwrap();
    let start = Instant::now();
    peer.expect_heartbeat().await;
    settle().await;
    assert!(!connection.is_closed());
    sleep(Duration::from_secs(39)).await;
    assert!(!connection.is_closed());
    drop(peer);
    connection.closed().await;
    assert!(start.elapsed() < 40 * SECOND);
}
