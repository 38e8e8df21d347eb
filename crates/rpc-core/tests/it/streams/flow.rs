//! The pace of streams, and their order.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use rpc_core::connection::Config;
use rpc_core::{Connection, Implementations};
use tokio::task::unconstrained;
use tokio::time::Instant;

use super::{closed_remotely, drain, serving};
use crate::pair::{connect, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, ECHO, HOLD};
use crate::source::{Dropped, Endless};

/// C-BP-6, R-SV-5: a first small batch, which the transport takes, and a whole one; then nothing
/// before the transport took that.
#[tokio::test(start_paused = true)]
async fn slow_reader_stops_the_consumption_of_the_source() {
    let (taken, dropped) = (Arc::new(AtomicUsize::new(0)), Dropped::default());
    let counter = taken.clone();
    let observed = dropped.clone();
    let table = serving(&HOLD, move || Endless::new(counter.clone(), &dropped));
    let (mut peer, io) = Peer::new(1000);
    let (connection, ()) = tokio::join!(
        Connection::serve(io, Config::default(), &table, |_| ()),
        peer.shake_hands(11, Default::default()),
    );
    let connection = connection.unwrap();
    peer.open_stream(7, &HOLD.description(), &()).await;
    settle().await;
    assert_eq!(taken.load(Ordering::Relaxed), 1016);
    peer.expect_start(7, &()).await;
    for update in 0..1016_i64 {
        assert!(taken.load(Ordering::Relaxed) <= 2016);
        peer.expect_update(7, &update).await;
    }
    settle().await;
    assert_eq!(taken.load(Ordering::Relaxed), 2016);
    // An abort gets through nevertheless, and the end comes behind what was sent.
    peer.abort(7, &HOLD.description()).await;
    for update in 1016..2016_i64 {
        peer.expect_update(7, &update).await;
    }
    peer.expect_end_of_stream(7).await;
    settle().await;
    assert!(observed.is_set());
    assert_eq!(connection.served_streams(), 0);
    assert_eq!(taken.load(Ordering::Relaxed), 2016);
}

/// C-BP-6: one that is stuck holds up no plain call of the same connection for good.
#[tokio::test(start_paused = true)]
async fn endless_stream_leaves_room_for_other_answers() {
    let (taken, dropped) = (Arc::new(AtomicUsize::new(0)), Dropped::default());
    let table = serving(&HOLD, move || Endless::new(taken.clone(), &dropped));
    let far = (Config::default(), &table, ());
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, far) = connect(1000, near, far).await;
    let mut pipe = HOLD.dispatch(&near, &()).await.unwrap().unwrap();
    for expected in 0..10 {
        let answer = ECHO.dispatch(&near, &"between".to_owned()).await;
        assert_eq!(answer.unwrap(), "between");
        assert_eq!(pipe.next().await, Some(expected));
    }
    drop(pipe);
    settle().await;
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}

/// What has arrived is read by turns with whoever takes it. No time passes meanwhile.
#[tokio::test(start_paused = true)]
async fn consumer_has_its_turn_before_too_much_is_read() {
    const UPDATES: i64 = 100_000;
    // A turn ends with the read that makes it enough, which may be the second.
    const MOST: u64 = 3 * 64 * 1024;
    let (mut peer, io) = Peer::new(8 * 1024 * 1024);
    let (connection, ()) = tokio::join!(
        Connection::create(io, Config::default()),
        peer.shake_hands(11, Default::default()),
    );
    let connection = connection.unwrap();
    let opening = COUNT.dispatch(&connection, &UPDATES);
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let mut pipe = opening.await.unwrap().unwrap();
    // All of it before anything is read.
    unconstrained(async {
        for update in 0..UPDATES {
            peer.update(id, &update).await;
        }
    })
    .await;
    let (start, before) = (Instant::now(), connection.bytes_read());
    let reading = connection.clone();
    let consumer = tokio::spawn(async move {
        let (mut taken, mut read, mut most) = (VecDeque::new(), before, 0);
        while taken.len() < usize::try_from(UPDATES).unwrap() {
            wait_a_turn().await;
            let now = reading.bytes_read();
            most = most.max(now - std::mem::replace(&mut read, now));
            let more = poll_fn(|cx| Poll::Ready(pipe.poll_next_many(&mut taken, cx))).await;
            assert_ne!(more, Poll::Ready(false), "the stream has ended");
        }
        most
    });
    let most = consumer.await.unwrap();
    assert!(connection.bytes_read() - before > 4 * MOST);
    assert!(most <= MOST, "{most} bytes were read at once");
    assert_eq!(Instant::now(), start);
}

/// Lets the other tasks run that can, this one behind them.
async fn wait_a_turn() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// R-OR-7.
#[tokio::test(start_paused = true)]
async fn hundred_thousand_updates_arrive_in_order() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let mut pipe = COUNT.dispatch(&near, &100_000).await.unwrap().unwrap();
    for expected in 0..100_000 {
        assert_eq!(pipe.next().await, Some(expected));
    }
    assert_eq!(pipe.next().await, None);
    closed_remotely(&pipe.close_reason().await);
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}

/// Several streams, each with its own order and its own end.
#[tokio::test(start_paused = true)]
async fn streams_of_one_connection_do_not_mix() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let mut pipes = Vec::new();
    for n in 0..50 {
        pipes.push(COUNTER.dispatch(&near, &(n * 100)).await.unwrap().unwrap());
    }
    for (n, (state, pipe)) in pipes.iter_mut().enumerate() {
        let n = i64::try_from(n).unwrap() * 100;
        assert_eq!(*state, n.to_string());
        assert!(drain(pipe).await.into_iter().eq(0..n));
    }
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}
