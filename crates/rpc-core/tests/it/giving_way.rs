//! Whoever waits for answers lets the connection's task write before it looks for them, if there is
//! much to write.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rpc_core::connection::Config;
use rpc_core::{Connection, DispatchError};

use crate::counting::Counting;
use crate::pair::settle;
use crate::peer::Peer;
use crate::rpcs::{ECHO, Notes, table};

/// Calls that are open at a time.
const IN_FLIGHT: usize = 100;

/// Bytes in the text of each: so many that half of the calls are worth a write, and so few that one read
/// takes them all.
const TEXT: usize = 500;

/// A task that takes one answer after the other, and makes another call for each, would have all of
/// its calls waiting at this end, and then all at the other.
#[tokio::test(start_paused = true)]
async fn half_of_the_calls_are_written_while_the_other_half_is_made() {
    const TIMES: usize = 100;
    let table = table();
    let (near, far) = tokio::io::duplex(1 << 20);
    let (near, writes) = Counting::new(near);
    let (near, _far) = tokio::join!(
        async { Connection::create(near, Config::default()).await.unwrap() },
        Connection::serve(far, Config::default(), &table, |_| Notes::default()),
    );
    let text = "x".repeat(TEXT);
    let call = || ECHO.dispatch(&near, &text);
    let mut calls: VecDeque<_> = (0..IN_FLIGHT).map(|_| call()).collect();
    let before = writes.load(Ordering::Relaxed);
    for _ in 0..TIMES * IN_FLIGHT {
        calls.pop_front().unwrap().await.unwrap();
        calls.push_back(call());
    }
    let writes = writes.load(Ordering::Relaxed) - before;
    // How many there are at a time is a guess, which now and then is renewed.
    assert!(
        (2 * TIMES - TIMES / 5..3 * TIMES).contains(&writes),
        "{writes}"
    );
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How often the future asks to be polled again, and is, with nobody else doing anything.
fn own_wakes<F: Future<Output = Result<String, DispatchError>> + Unpin>(call: &mut F) -> usize {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    let mut polls = 0;
    loop {
        assert!(matches!(Pin::new(&mut *call).poll(&mut cx), Poll::Pending));
        if wakes.0.load(Ordering::Relaxed) == polls {
            return polls;
        }
        polls += 1;
        assert!(polls < 10);
    }
}

/// A connection that has had so many calls at a time, which have all been answered.
async fn busy(in_flight: usize) -> (Connection, Peer) {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let mut calls = Vec::new();
    for _ in 0..in_flight {
        calls.push(ECHO.dispatch(&connection, &String::new()));
    }
    for _ in 0..in_flight {
        let id = peer.expect_query().await.id;
        peer.answer(id, &"").await;
    }
    for call in calls {
        call.await.unwrap();
    }
    (connection, peer)
}

/// Each call gives way once, however long the connection's task writes nothing.
#[tokio::test(start_paused = true)]
async fn each_call_gives_way_once() {
    let (connection, _peer) = busy(IN_FLIGHT).await;
    let text = "x".repeat(TEXT);
    let call = || ECHO.dispatch(&connection, &text);
    let mut calls: Vec<_> = (1..IN_FLIGHT / 2).map(|_| call()).collect();
    assert_eq!(own_wakes(&mut calls[0]), 0);
    let mut mapped = ECHO.dispatch_map(&connection, &text, |result| result);
    for call in &mut calls {
        assert_eq!(own_wakes(call), 1);
        assert_eq!(own_wakes(call), 0);
    }
    assert_eq!(own_wakes(&mut mapped), 1);
    assert_eq!(own_wakes(&mut mapped), 0);
    settle().await;
    assert_eq!(own_wakes(&mut call()), 0);
}

/// A write of few bytes costs more than it is good for.
#[tokio::test(start_paused = true)]
async fn nobody_gives_way_to_a_small_write() {
    let (connection, _peer) = busy(IN_FLIGHT).await;
    let call = || ECHO.dispatch(&connection, &"x".repeat(100));
    let mut calls: Vec<_> = (0..IN_FLIGHT).map(|_| call()).collect();
    for call in &mut calls {
        assert_eq!(own_wakes(call), 0);
    }
}

/// One call alone, and those that the peer has nothing to do beside, leave anyway.
#[tokio::test(start_paused = true)]
async fn nobody_gives_way_if_no_more_calls_are_to_be_expected() {
    for in_flight in [1, IN_FLIGHT] {
        let (connection, mut peer) = busy(in_flight).await;
        let text = "x".repeat(20 * TEXT);
        let mut calls: Vec<_> = (0..in_flight)
            .map(|_| ECHO.dispatch(&connection, &text))
            .collect();
        settle().await;
        for _ in 0..in_flight / 8 {
            let id = peer.expect_query().await.id;
            peer.answer(id, &"").await;
        }
        settle().await;
        let mut more: Vec<_> = (0..in_flight / 8)
            .map(|_| ECHO.dispatch(&connection, &text))
            .collect();
        for call in calls.iter_mut().skip(in_flight / 8).chain(&mut more) {
            assert_eq!(own_wakes(call), 0);
        }
    }
}
