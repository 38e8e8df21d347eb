//! What closes a connection apart from its users: what is noted, who is told, and what the calls
//! that wait get.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rpc_core::connection::{Closed, ClosedBy, Config, heartbeat};
use rpc_core::{Connection, DispatchError, Implementations};
use rpc_wire::Message;
use rpc_wire::handshake::PeerMetadata;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::SECOND;
use crate::pair::{CAPACITY, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO, HOLD, NOTE, Notes, table};
use crate::source::{Channel, Dropped};

/// The failure of a call that waited when something made no sense.
#[track_caller]
fn check_failed<T: std::fmt::Debug>(result: Result<T, DispatchError>, expected: &Closed) {
    match result.unwrap_err() {
        DispatchError::ConnectionFailed(closed) => assert_eq!(*closed, *expected),
        other => panic!("{other:?}"),
    }
}

/// A transport that fails to write, when it is told to.
struct Failing {
    io: DuplexStream,
    failing: Arc<AtomicBool>,
    kind: io::ErrorKind,
}

impl AsyncRead for Failing {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.failing.load(Ordering::Relaxed) {
            return Poll::Ready(Err(self.kind.into()));
        }
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// How the connection ends when writing fails in this way, and after how long.
async fn write_failure(kind: io::ErrorKind) -> (Arc<Closed>, Duration) {
    let (mut peer, io) = Peer::new(CAPACITY);
    let failing = Arc::new(AtomicBool::new(false));
    let transport = Failing {
        io,
        failing: failing.clone(),
        kind,
    };
    let (connection, ()) = tokio::join!(
        Connection::create(transport, Config::default()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    peer.expect_query().await;
    failing.store(true, Ordering::Relaxed);
    NOTE.dispatch(&connection, &"x".to_owned()).unwrap();
    let start = Instant::now();
    let closed = timeout(100 * SECOND, connection.close_started())
        .await
        .unwrap();
    let taken = start.elapsed();
    assert_eq!(closed.by, ClosedBy::Unknown);
    match call.await.unwrap_err() {
        DispatchError::ConnectionClosed(end) => assert_eq!(end.reason, Some(closed.clone())),
        DispatchError::ConnectionFailed(end) => {
            assert_eq!(end, closed);
            assert!(closed.to_string().contains("exn raised"), "{closed}");
        }
        other => panic!("{other:?}"),
    }
    (closed, taken)
}

/// W14, C-RE-6: a transport that does not work ends the connection at once.
#[tokio::test(start_paused = true)]
async fn transport_that_fails_ends_the_connection_at_once() {
    for kind in [io::ErrorKind::Other, io::ErrorKind::InvalidData] {
        let (closed, taken) = write_failure(kind).await;
        let text = closed.to_string();
        let tag = r#"(("exn raised in RPC connection Writer.t""#;
        assert!(text.starts_with(tag), "{text}");
        assert!(text.contains(&io::Error::from(kind).to_string()), "{text}");
        assert_eq!(taken, Duration::ZERO);
    }
}

/// W31, C-CL-30: a peer that takes nothing any more may have said why.
#[tokio::test(start_paused = true)]
async fn peer_that_has_left_is_listened_to_for_a_while() {
    use io::ErrorKind;
    for kind in [
        ErrorKind::BrokenPipe,
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionAborted,
        ErrorKind::NotConnected,
        ErrorKind::HostUnreachable,
        ErrorKind::NetworkUnreachable,
        ErrorKind::NetworkDown,
        ErrorKind::TimedOut,
    ] {
        let (closed, taken) = write_failure(kind).await;
        let text = closed.to_string();
        assert!(text.starts_with(r#"("RPC transport stopped""#), "{text}");
        assert_eq!(taken, 5 * SECOND);
    }
}

/// A peer that sends signs of life, and does not read; its connection has sent something that is
/// not taken.
async fn stuck(config: Config) -> (Connection, Peer) {
    let (mut peer, io) = Peer::new(100);
    let (connection, ()) = tokio::join!(
        Connection::create(io, config),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    settle().await;
    (connection, peer)
}

/// C-BP-7, C-RE-6: told like any failure, should the peer read after all.
#[tokio::test(start_paused = true)]
async fn peer_whose_oldest_byte_waits_for_two_minutes_is_given_up() {
    for (config, limit) in [
        (Config::default(), 120 * SECOND),
        (Config::default().write_timeout(30 * SECOND), 30 * SECOND),
    ] {
        let (connection, mut peer) = stuck(config).await;
        let start = Instant::now();
        let call = ECHO.dispatch(&connection, &"x".repeat(1000));
        while start.elapsed() < limit - SECOND {
            sleep(SECOND).await;
            peer.send(&Message::Heartbeat).await;
        }
        assert!(!connection.is_closed());
        let closed = connection.close_started().await;
        assert_eq!(start.elapsed(), limit);
        assert_eq!(closed.by, ClosedBy::Unknown);
        let text = closed.to_string();
        let tag = r#"(("exn raised in RPC connection Writer.t""peer does not read: "#;
        assert!(text.starts_with(tag), "{text}");
        peer.expect_query().await;
        let told = peer.expect_close_reason().await;
        assert_eq!(told, closed.reason);
        peer.expect_end().await;
        drop(peer);
        connection.closed().await;
        check_failed(call.await, &closed);
    }
}

/// C-BP-7: it is the age of the oldest byte that counts, and a byte has the age of its sending.
#[tokio::test(start_paused = true)]
async fn bytes_behind_others_are_not_older_than_they_are() {
    // Heartbeats would be such bytes, too.
    let config = Config::default().heartbeat(heartbeat::Config::default().never());
    let (connection, mut peer) = stuck(config).await;
    let start = Instant::now();
    let send = |text: &str| NOTE.dispatch(&connection, &text.repeat(1000)).unwrap();
    let at = |seconds| sleep_until(start + SECOND * seconds);
    send("a");
    at(60).await;
    // This one waits for the first, and so does the next.
    send("b");
    at(70).await;
    send("c");
    at(110).await;
    peer.expect_query().await;
    at(170).await;
    // By now the second one has been waiting for 110 s.
    assert!(!connection.is_closed());
    peer.expect_query().await;
    peer.expect_query().await;
    // Nothing waits.
    at(1000).await;
    assert!(!connection.is_closed());
    send("d");
    at(1060).await;
    send("e");
    at(1110).await;
    peer.expect_query().await;
    connection.close_started().await;
    assert_eq!(start.elapsed().as_secs(), 1180);
}

/// C-BP-7: a bound that is hit counts as the same kind of failure.
#[tokio::test(start_paused = true)]
async fn peer_that_makes_answers_pile_up_is_given_up_like_a_slow_one() {
    let (mut peer, io) = Peer::new(1000);
    let config = Config::default().max_buffered_output(2000);
    let table = table();
    let (connection, ()) = tokio::join!(
        Connection::serve(io, config, &table, |_| Notes::default()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    for id in 1..=8 {
        peer.query(id, &ECHO.description(), &"y".repeat(900)).await;
        settle().await;
    }
    let closed = connection.close_started().await;
    assert_eq!(closed.by, ClosedBy::Unknown);
    let text = closed.to_string();
    let tag = r#"(("exn raised in RPC connection Writer.t""#;
    assert!(text.starts_with(tag), "{text}");
    drop(peer);
    connection.closed().await;
    check_failed(call.await, &closed);
}

/// C-CL-12, step 3: a failure is an end like others: what streams have ready is sent before the
/// peer is told.
#[tokio::test(start_paused = true)]
async fn peer_that_makes_no_sense_gets_its_streams_and_then_the_reason() {
    let (mut peer, io) = Peer::new(200);
    let table = table();
    let (connection, ()) = tokio::join!(
        Connection::serve(io, Config::default(), &table, |_| Notes::default()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    peer.open_stream(1, &COUNT.description(), &3000).await;
    peer.expect_start(1, &()).await;
    peer.send_bytes(&[0xff; 8]).await;
    for expected in 0..3000 {
        peer.expect_update(1, &expected).await;
    }
    let told = peer.expect_close_reason().await;
    assert!(
        told.to_string()
            .contains("exn raised in RPC connection loop")
    );
    peer.expect_end().await;
    drop(peer);
    assert_eq!(connection.closed().await.reason, told);
}

/// H18, N3: what a source gets in the moment of the close is still sent, and no end of the
/// stream.
#[tokio::test(start_paused = true)]
async fn value_that_is_produced_in_the_moment_of_the_close_is_delivered() {
    for close_first in [true, false] {
        let (senders, mut receiver) = mpsc::unbounded_channel();
        let table = Implementations::<()>::builder()
            .implement_pipe(&HOLD, move |(), ()| {
                let (sender, source) = Channel::new(&Dropped::default());
                senders.send(sender).unwrap();
                async { Ok(Ok(source)) }
            })
            .build()
            .unwrap();
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
        peer.open_stream(1, &HOLD.description(), &()).await;
        peer.expect_start(1, &()).await;
        let source = receiver.recv().await.unwrap();
        source.send(1).unwrap();
        peer.expect_update(1, &1).await;
        if close_first {
            connection.close();
            source.send(2).unwrap();
        } else {
            source.send(2).unwrap();
            connection.close();
        }
        peer.expect_update(1, &2).await;
        peer.expect_end().await;
    }
}
