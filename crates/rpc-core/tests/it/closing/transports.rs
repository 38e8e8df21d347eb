//! Transports that take nothing any more.

use std::time::Duration;

use bin_prot::Info;
use rpc_core::connection::heartbeat::{self, TimeoutStyle};
use rpc_core::connection::{ClosedBy, Config, HandshakeFailure, Step};
use rpc_core::{Connection, DispatchError};
use rpc_wire::{CloseReason, Message};
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep, timeout};

use super::{SECOND, check_closed};
use crate::pair::{CAPACITY, settle};
use crate::peer::Peer;
use crate::rpcs::{ECHO, NOTE};

/// Reads from the peer, and writes to somebody else, who can go away.
async fn half_open(config: Config) -> (Connection, Peer, DuplexStream) {
    let (mut peer, io) = Peer::new(CAPACITY);
    let (read, _) = tokio::io::split(io);
    let (write, sink) = tokio::io::duplex(CAPACITY);
    let transport = tokio::io::join(read, write);
    let (connection, ()) = tokio::join!(
        Connection::create(transport, config),
        peer.send_handshake(11),
    );
    (connection.unwrap(), peer, sink)
}

/// C-CL-30, C-CL-32, ZC26: the peer may still say why.
#[tokio::test(start_paused = true)]
async fn reason_that_arrives_after_writing_failed_is_the_reason() {
    let (connection, mut peer, sink) = half_open(Config::default()).await;
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    settle().await;
    drop(sink);
    NOTE.dispatch(&connection, &"not taken".to_owned()).unwrap();
    settle().await;
    let refused = ECHO.dispatch(&connection, &"y".to_owned()).await;
    assert!(matches!(refused, Err(DispatchError::ConnectionClosed(_))));
    sleep(4 * SECOND).await;
    peer.send(&Message::CloseReason(Info::from("bye"))).await;
    let closed = connection.closed().await;
    assert_eq!(closed.by, ClosedBy::Peer);
    assert_eq!(closed.reason, CloseReason::debug("bye"));
    check_closed(call.await, &closed);
}

/// C-HB-14: heartbeats that become due while the transport takes nothing are ignored, and do not
/// count as ones that nobody has answered.
#[tokio::test(start_paused = true)]
async fn heartbeats_are_ignored_while_the_transport_takes_nothing() {
    let heartbeats = heartbeat::Config::default().style(TimeoutStyle::NumberOfHeartbeats);
    let config = Config::default()
        .reader_drain_timeout(60 * SECOND)
        .heartbeat(heartbeats);
    let (connection, mut peer, sink) = half_open(config).await;
    settle().await;
    drop(sink);
    NOTE.dispatch(&connection, &"not taken".to_owned()).unwrap();
    // As many are due as end a connection to a silent peer.
    sleep(45 * SECOND).await;
    assert!(connection.close_reason().is_none());
    peer.send(&Message::CloseReason(Info::from("bye"))).await;
    let closed = connection.closed().await;
    assert_eq!(closed.reason, CloseReason::debug("bye"));
}

/// C-RD-5: nobody could be answered any more, so a query ends the loop, without an error.
#[tokio::test(start_paused = true)]
async fn query_to_a_side_that_cannot_answer_ends_the_loop() {
    let (connection, mut peer, sink) = half_open(Config::default()).await;
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    settle().await;
    drop(sink);
    NOTE.dispatch(&connection, &"not taken".to_owned()).unwrap();
    settle().await;
    let start = Instant::now();
    peer.query(1, &ECHO.description(), &"y").await;
    let closed = connection.close_started().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    connection.closed().await;
    assert_eq!(closed.by, ClosedBy::Unknown);
    let reason = CloseReason::debug("Rpc message handling loop stopped");
    assert_eq!(closed.reason, reason);
    check_closed(call.await, &closed);
}

/// C-CL-31, ZC26: before there is a connection nothing is waited for, though the peer could still
/// say something.
#[tokio::test(start_paused = true)]
async fn handshake_on_a_transport_that_takes_nothing_fails_at_once() {
    let (peer, io) = Peer::new(CAPACITY);
    let (read, _) = tokio::io::split(io);
    let (write, sink) = tokio::io::duplex(CAPACITY);
    drop(sink);
    let start = Instant::now();
    let created = Connection::create(tokio::io::join(read, write), Config::default()).await;
    let cause = created.unwrap_err().cause;
    let failed = matches!(
        cause,
        HandshakeFailure::Transport {
            step: Step::Header,
            ..
        }
    );
    assert!(failed, "{cause:?}");
    assert_eq!(start.elapsed(), Duration::ZERO);
    drop(peer);
}

/// C-CL-30, ZC26: not for ever, heartbeats or none.
#[tokio::test(start_paused = true)]
async fn transport_that_takes_nothing_is_given_up_after_the_drain_timeout() {
    let heartbeats = heartbeat::Config::default();
    for heartbeats in [heartbeats, heartbeats.never()] {
        let config = Config::default()
            .reader_drain_timeout(3 * SECOND)
            .heartbeat(heartbeats);
        let (connection, _peer, sink) = half_open(config).await;
        settle().await;
        drop(sink);
        let start = Instant::now();
        let call = ECHO.dispatch(&connection, &"x".to_owned());
        let closed = timeout(100 * SECOND, connection.closed()).await.unwrap();
        assert_eq!(start.elapsed(), 3 * SECOND);
        assert_eq!(closed.by, ClosedBy::Unknown);
        let reason = CloseReason::debug("RPC transport stopped");
        assert_eq!(closed.reason, reason);
        check_closed(call.await, &closed);
    }
}
