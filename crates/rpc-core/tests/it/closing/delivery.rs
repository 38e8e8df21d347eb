//! What is still delivered when a connection closes, and how long that may take.

use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rpc_core::connection::{Close, ClosedBy, Config};
use rpc_core::{Connection, HandlerError, Implementations, PipeCloseReason, Rpc};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{CloseReason, Message};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{SECOND, check_closed};
use crate::pair::{CAPACITY, alive_tasks, connect, offering, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO, HOLD, NOTE, Notes, table};
use crate::source::{Channel, Dropped, Never, Quiet};

/// What a handler results in that never does.
type Pending = Result<Result<Never, String>, HandlerError>;

/// C-CL-13, Decision 2: the reason comes behind the data of a stream.
#[tokio::test(start_paused = true)]
async fn reason_costs_no_data_of_a_served_stream() {
    for version in [3, 9, 11] {
        let (table, notes) = (table(), Notes::default());
        let near = (offering(version), &table, notes.clone());
        let far = (offering(version), &table, notes);
        let (near, far) = connect(100, near, far).await;
        let opening = COUNT.dispatch(&near, &500);
        let mut pipe = opening.await.unwrap().unwrap();
        far.close_with_reason("bye");
        for expected in 0..500 {
            assert_eq!(pipe.next().await, Some(expected));
        }
        assert_eq!(pipe.next().await, None);
        let closed = near.closed().await;
        let by = if version >= 4 {
            ClosedBy::Peer
        } else {
            ClosedBy::Unknown
        };
        assert_eq!(closed.by, by);
        // C-CL-12, step 4: no end of the stream.
        match pipe.close_reason().await {
            PipeCloseReason::Error(error) => check_closed(Err::<(), _>(error), &closed),
            other => panic!("{other:?}"),
        }
    }
}

/// C-CL-12, step 3: what a source has ready is taken and sent before closing goes on.
#[tokio::test(start_paused = true)]
async fn reason_waits_until_the_sources_of_streams_are_flushed() {
    let (table, notes) = (table(), Notes::default());
    let near = (Config::default(), &table, notes.clone());
    let far = (Config::default(), &table, notes);
    let (near, far) = connect(1000, near, far).await;
    let mut pipe = COUNT.dispatch(&near, &5000).await.unwrap().unwrap();
    far.close_with_reason("bye");
    let mut updates = 0;
    while pipe.next().await.is_some() {
        updates += 1;
    }
    assert_eq!(updates, 5000);
}

/// C-CL-12, step 3: every source is asked once more, though none has said that it has something,
/// and its end is not sent.
#[tokio::test(start_paused = true)]
async fn source_that_woke_nobody_is_asked_before_the_end() {
    let sources = [Quiet::default(), Quiet::default(), Quiet::default()];
    let left = Mutex::new(sources.to_vec());
    let table = Implementations::<()>::builder()
        .implement_pipe(&HOLD, move |(), ()| {
            let source = left.lock().unwrap().pop().unwrap();
            async { Ok(Ok(source)) }
        })
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    for id in 1..=3 {
        peer.open_stream(id, &HOLD.description(), &()).await;
        peer.expect_start(id, &()).await;
    }
    // One stream is over before, and one has nothing.
    peer.abort(2, &HOLD.description()).await;
    peer.expect_end_of_stream(2).await;
    let start = Instant::now();
    for update in 0..3 {
        sources[2].send(update);
    }
    settle().await;
    connection.close_with_reason("bye");
    for update in 0..3 {
        peer.expect_update(1, &update).await;
    }
    assert_eq!(peer.expect_close_reason().await, CloseReason::user("bye"));
    peer.expect_end().await;
    drop(peer);
    connection.closed().await;
    assert!(start.elapsed() < Duration::from_millis(10));
}

/// C-CL-12, step 3: a handler that has not returned has no source yet, and is not waited for.
#[tokio::test(start_paused = true)]
async fn handler_that_has_no_stream_yet_does_not_delay_closing() {
    let table = Implementations::<()>::builder()
        .implement_pipe(&HOLD, |(), ()| std::future::pending::<Pending>())
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(1, &HOLD.description(), &()).await;
    settle().await;
    let start = Instant::now();
    connection.close();
    peer.expect_end().await;
    drop(peer);
    connection.closed().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// C-CL-12, step 3, N3, on several threads: what was produced before the close is delivered,
/// whether or not the stream's task has had its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn value_that_another_thread_produced_before_the_close_is_delivered() {
    let (senders, mut receiver) = mpsc::unbounded_channel();
    let table = Implementations::<Notes>::builder()
        .implement_pipe(&HOLD, move |_, ()| {
            let (sender, source) = Channel::new(&Dropped::default());
            senders.send(sender).unwrap();
            async { Ok(Ok(source)) }
        })
        .build()
        .unwrap();
    for _ in 0..200 {
        let near = (Config::default(), &Implementations::empty(), ());
        let far = (Config::default(), &table, Notes::default());
        let (near, far) = connect(CAPACITY, near, far).await;
        let mut pipe = HOLD.dispatch(&near, &()).await.unwrap().unwrap();
        let source = receiver.recv().await.unwrap();
        tokio::spawn(async move {
            source.send(1).unwrap();
            far.close();
        });
        assert_eq!(pipe.next().await, Some(1));
        assert_eq!(pipe.next().await, None);
    }
}

/// C-CL-12, step 5: whatever the transport takes at a time.
#[tokio::test(start_paused = true)]
async fn large_output_is_delivered_whole_before_the_end() {
    for capacity in [7, 1000] {
        let (table, notes) = (table(), Notes::default());
        let near = (Config::default(), &table, Notes::default());
        let far = (Config::default(), &table, notes.clone());
        let (near, far) = connect(capacity, near, far).await;
        let text = "x".repeat(100_000);
        NOTE.dispatch(&near, &text).unwrap();
        NOTE.dispatch(&near, &"the last one".to_owned()).unwrap();
        near.close_with_reason("bye");
        assert_eq!(far.closed().await.reason, CloseReason::user("bye"));
        assert_eq!(notes.get(), [text, "the last one".to_owned()]);
    }
}

/// The same of a large response.
#[tokio::test(start_paused = true)]
async fn answer_that_was_given_is_delivered_before_the_end() {
    static BIG: Rpc<(), String> = Rpc::new("big", 1);
    let table = Implementations::builder()
        .implement_blocking(&BIG, |connection: &OnceLock<Connection>, ()| {
            if let Some(connection) = connection.get() {
                connection.close_with_reason("that was all");
            }
            Ok("x".repeat(100_000))
        })
        .build()
        .unwrap();
    let (near_io, far_io) = tokio::io::duplex(100);
    let (near, far) = tokio::join!(
        Connection::create(near_io, Config::default()),
        Connection::serve(far_io, Config::default(), &table, |connection| {
            OnceLock::from(connection.clone())
        }),
    );
    let (near, _far) = (near.unwrap(), far.unwrap());
    let answer = BIG.dispatch(&near, &()).await.unwrap();
    assert_eq!(answer.len(), 100_000);
    assert_eq!(near.closed().await.by, ClosedBy::Peer);
}

/// C-CL-14, ZC24: the time is bounded, and what is unsent is lost.
#[tokio::test(start_paused = true)]
async fn peer_that_never_reads_delays_closing_by_the_flush_timeout() {
    // As configured, and as the close says.
    for (timeout, close) in [
        (2, Close::new()),
        (5, Close::new().flush_timeout(5 * SECOND)),
        (1, Close::new().flush_timeout(SECOND)),
    ] {
        let (mut peer, io) = Peer::new(100);
        let config = Config::default().flush_timeout(2 * SECOND);
        let (connection, ()) = tokio::join!(
            Connection::create(io, config),
            peer.shake_hands(11, PeerMetadata::default()),
        );
        let connection = connection.unwrap();
        let call = ECHO.dispatch(&connection, &"x".repeat(10_000));
        settle().await;
        let start = Instant::now();
        connection.close_with(close.reason("bye"));
        let closed = connection.closed().await;
        // Waiting for the peer to end its half takes up to a second more (decision 21).
        let taken = start.elapsed();
        let expected = Duration::from_secs(timeout)..=Duration::from_secs(timeout + 1);
        assert!(expected.contains(&taken), "{taken:?}");
        assert_eq!(closed.by, ClosedBy::Local);
        check_closed(call.await, &closed);
        settle().await;
        assert_eq!(alive_tasks(), 0);
    }
}

/// Decision 21: the peer has a moment to end its own half; what it sends meanwhile is discarded.
#[tokio::test(start_paused = true)]
async fn peer_that_reads_but_never_ends_delays_closing_by_a_second() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let start = Instant::now();
    connection.close_with_reason("bye");
    peer.expect_close_reason().await;
    peer.expect_end().await;
    peer.send(&Message::Heartbeat).await;
    connection.closed().await;
    assert_eq!(start.elapsed(), SECOND);
}
