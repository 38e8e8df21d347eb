//! Whoever could take an answer lets the connection's task write before that, if many calls wait to be
//! written.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rpc_core::connection::Config;
use rpc_core::{Connection, Dispatch, DispatchError, MappedDispatch};

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

/// How often the call asks to be polled again, and is, with nobody else doing anything; and whether
/// it has its answer then.
fn own_wakes<F: Future<Output = Result<String, DispatchError>> + Unpin>(
    call: &mut F,
) -> (usize, bool) {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    for polls in 0..10 {
        if let Poll::Ready(answer) = Pin::new(&mut *call).poll(&mut cx) {
            answer.unwrap();
            return (polls, true);
        }
        if wakes.0.load(Ordering::Relaxed) == polls {
            return (polls, false);
        }
    }
    panic!("asks to be polled for ever");
}

/// Calls that have been answered, as many as there are at a time on their connection, and of whose
/// answers none has been taken.
struct Answered {
    connection: Connection,
    calls: Vec<Dispatch<String>>,
    mapped: MappedDispatch<Result<String, DispatchError>>,
    peer: Peer,
}

impl Answered {
    async fn new(in_flight: usize) -> Self {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        let none = String::new();
        let calls: Vec<_> = (1..in_flight)
            .map(|_| ECHO.dispatch(&connection, &none))
            .collect();
        let mapped = ECHO.dispatch_map(&connection, &none, |answer| answer);
        let mapped = mapped.map(|answer| answer);
        for _ in 0..in_flight {
            let id = peer.expect_query().await.id;
            peer.answer(id, &"").await;
        }
        settle().await;
        Self {
            connection,
            calls,
            mapped,
            peer,
        }
    }

    /// Calls that nobody writes before something is waited for.
    fn make(&self, count: usize, bytes: usize) -> Vec<Dispatch<String>> {
        let text = "x".repeat(bytes);
        let calls = (0..count).map(|_| ECHO.dispatch(&self.connection, &text));
        calls.collect()
    }
}

/// Each call that has its answer gives way once, however long the connection's task writes nothing. One
/// that has none waits as ever.
#[tokio::test(start_paused = true)]
async fn each_call_with_an_answer_gives_way_once() {
    let mut answered = Answered::new(IN_FLIGHT).await;
    let mut more = answered.make(IN_FLIGHT / 2 - 1, TEXT);
    assert_eq!(own_wakes(&mut answered.calls[0]), (0, true));
    more.extend(answered.make(1, TEXT));
    for call in &mut answered.calls[1..IN_FLIGHT / 2] {
        assert_eq!(own_wakes(call), (1, true));
    }
    assert_eq!(own_wakes(&mut answered.mapped), (1, true));
    for call in &mut more {
        assert_eq!(own_wakes(call), (0, false));
    }
    settle().await;
    for call in &mut answered.calls[IN_FLIGHT / 2..] {
        assert_eq!(own_wakes(call), (0, true));
    }
}

/// A write of few bytes costs more than it is good for.
#[tokio::test(start_paused = true)]
async fn nobody_gives_way_to_a_small_write() {
    let mut answered = Answered::new(IN_FLIGHT).await;
    let _more = answered.make(IN_FLIGHT, 100);
    for call in &mut answered.calls {
        assert_eq!(own_wakes(call), (0, true));
    }
}

/// If most calls wait for the peer, there is no need to hurry.
#[tokio::test(start_paused = true)]
async fn nobody_gives_way_if_the_peer_has_enough_to_do() {
    let mut answered = Answered::new(IN_FLIGHT).await;
    let _with_the_peer = answered.make(IN_FLIGHT / 2, TEXT);
    settle().await;
    let _more = answered.make(IN_FLIGHT / 2, TEXT);
    for call in &mut answered.calls {
        assert_eq!(own_wakes(call), (0, true));
    }
}

/// One call at a time leaves anyway.
#[tokio::test(start_paused = true)]
async fn nobody_gives_way_to_one_call() {
    let mut answered = Answered::new(1).await;
    let _more = answered.make(1, 40 * TEXT);
    assert_eq!(own_wakes(&mut answered.mapped), (0, true));
}

/// Once the connection is over, there is nobody to give way to.
#[tokio::test(start_paused = true)]
async fn nobody_gives_way_to_a_connection_that_is_over() {
    let mut answered = Answered::new(IN_FLIGHT).await;
    let _more = answered.make(IN_FLIGHT / 2, TEXT);
    drop(answered.peer);
    answered.connection.close();
    answered.connection.closed().await;
    for call in &mut answered.calls {
        assert_eq!(own_wakes(call), (0, true));
    }
}
