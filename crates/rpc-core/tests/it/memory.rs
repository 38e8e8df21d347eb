//! What calls and updates allocate, counted on the thread of a test: nothing is kept for a call that
//! is over, nor for a pipe that has been read or a flush that nobody waits for, writing to a group
//! allocates nothing for its members, and a peer that does not read costs what the limits say.

#![expect(unsafe_code, reason = "an allocator cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use rpc_core::connection::Config;
use rpc_core::{DirectStreamWriter, Group, Implementations, PipeRpc, Rpc, StateRpc};
use tokio::sync::mpsc;

use crate::pair::{CAPACITY, connect, now, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO};
use crate::streams::{assert_over, drain, started};

thread_local! {
    /// Allocations made, of whatever size.
    static MADE: Cell<usize> = const { Cell::new(0) };
    /// Bytes allocated and not freed.
    static HELD: Cell<isize> = const { Cell::new(0) };
    /// The most there ever were of them.
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn hold(bytes: usize) {
    HELD.set(HELD.get().wrapping_add_unsigned(bytes));
    PEAK.set(PEAK.get().max(HELD.get()));
}

fn free(bytes: usize) {
    HELD.set(HELD.get().wrapping_sub_unsigned(bytes));
}

// SAFETY: every call is passed on to the system's allocator as it is; counting touches only
// thread-local cells, which need no destructor and do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MADE.set(MADE.get() + 1);
        hold(layout.size());
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        free(layout.size());
        // SAFETY: as above; `place` came from `alloc` and so from the system's allocator.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Catalogue T1: a thousand calls, looking at the connection's end after each.
#[tokio::test(start_paused = true)]
async fn calls_leave_nothing_behind() {
    let (near, _far, _) = pair(Config::default(), Config::default()).await;
    let query = "echo".to_owned();
    let calls = async |n: usize| {
        for _ in 0..n {
            assert_eq!(ECHO.dispatch(&near, &query).await.unwrap(), "echo");
            assert!(now(&mut Box::pin(near.closed())).is_pending());
        }
        settle().await;
        HELD.get()
    };
    // Buffers and tables grow to what they need.
    let before = calls(1000).await;
    assert_eq!(calls(1000).await, before);
}

/// A connection that was busy and is idle: between two heartbeats it finds out, and keeps what one
/// keeps on which nothing was ever asked.
#[tokio::test(start_paused = true)]
async fn idle_connection_gives_its_buffers_back() {
    const LARGE: usize = 300_000;
    let (near, _far, _) = pair(Config::default(), Config::default()).await;
    settle().await;
    let before = HELD.get();
    for _ in 0..2 {
        let query = "x".repeat(LARGE);
        assert_eq!(ECHO.dispatch(&near, &query).await.unwrap(), query);
        drop(query);
        settle().await;
        assert!(HELD.get() - before > LARGE as isize);
        tokio::time::sleep(Duration::from_secs(25)).await;
        // The pipes between them have grown to what they take at once.
        let kept = HELD.get() - before - 2 * CAPACITY as isize;
        assert!(kept < 1024, "{kept} bytes");
    }
}

/// The same of streams.
#[tokio::test(start_paused = true)]
async fn streams_leave_nothing_behind() {
    let (near, _far, _) = pair(Config::default(), Config::default()).await;
    let streams = async |n: usize| {
        for _ in 0..n {
            let mut pipe = COUNT.dispatch(&near, &5).await.unwrap().unwrap();
            assert_eq!(drain(&mut pipe).await, [0, 1, 2, 3, 4]);
            let opening = COUNT.dispatch_with(&near, &5, |_| ());
            let metadata = opening.await.unwrap().unwrap();
            metadata.close_reason().await;
            drop(COUNT.dispatch(&near, &5));
        }
        settle().await;
        HELD.get()
    };
    let before = streams(200).await;
    assert_eq!(streams(200).await, before);
}

/// A pipe whose consumer came late keeps none of the room that it needed meanwhile.
#[tokio::test(start_paused = true)]
async fn pipe_that_was_read_late_gives_its_room_back() {
    let (connection, mut peer, mut pipe, id) = started(11).await;
    let before = HELD.get();
    for round in 0..2 {
        for update in 0..50_000_i64 {
            peer.update(id, &update).await;
        }
        settle().await;
        for update in 0..50_000 {
            assert_eq!(pipe.next().await, Some(update));
        }
        assert!(now(&mut Box::pin(pipe.next())).is_pending());
        // Buffers of bytes have grown to what is read and written at once.
        let kept = HELD.get() - before;
        assert!(kept < 256 * 1024, "{kept} bytes in round {round}");
    }
    drop(pipe);
    peer.expect_abort(id).await;
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;
}

/// The same of a consumer that takes many at once: the room of a large batch, its own included, is
/// given back by asking for more, also if there are none.
#[tokio::test(start_paused = true)]
async fn batch_that_was_large_gives_its_room_back() {
    let (connection, mut peer, mut pipe, id) = started(11).await;
    let before = HELD.get();
    let mut batch = VecDeque::new();
    for round in 0..2 {
        for update in 0..50_000_i64 {
            peer.update(id, &update).await;
        }
        settle().await;
        let mut taken = Vec::new();
        while taken.len() < 50_000 {
            let more = poll_fn(|cx| pipe.poll_next_many(&mut batch, cx)).await;
            assert!(more);
            taken.extend(batch.drain(..));
        }
        assert!(taken.drain(..).eq(0..50_000));
        drop(taken);
        let more = poll_fn(|cx| Poll::Ready(pipe.poll_next_many(&mut batch, cx))).await;
        assert!(more.is_pending());
        let kept = HELD.get() - before;
        assert!(kept < 256 * 1024, "{kept} bytes in round {round}");
    }
    drop(pipe);
    peer.expect_abort(id).await;
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;
}

/// R-SC-7: an initial value that came and was not taken goes with the dispatch, not with the stream,
/// whose end may take long.
#[tokio::test(start_paused = true)]
async fn initial_value_that_nobody_took_is_not_kept_until_the_end() {
    static LARGE: StateRpc<(), Vec<u8>, i64, String> = StateRpc::new("large", 1);
    const SIZE: usize = 1 << 20;
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = LARGE.dispatch(&connection, &());
    let id = peer.expect_query().await.id;
    peer.start(id, &vec![7_u8; SIZE]).await;
    settle().await;
    let held = HELD.get();
    drop(opening);
    // Apart from the room for the abort.
    assert!(held - HELD.get() > SIZE as isize - 1024);
    peer.expect_abort(id).await;
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;
}

/// C-BP-5: nothing is kept for who waited for a flush and does not any more.
#[tokio::test(start_paused = true)]
async fn those_who_gave_up_waiting_for_a_flush_are_forgotten() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let large = "x".repeat(2 * CAPACITY);
    let call = ECHO.dispatch(&connection, &large);
    settle().await;
    let give_up = async |n: usize| {
        for _ in 0..n {
            let connection = connection.clone();
            let waiting = tokio::spawn(async move { connection.flushed().await });
            settle().await;
            waiting.abort();
            assert!(waiting.await.unwrap_err().is_cancelled());
        }
        HELD.get()
    };
    let before = give_up(100).await;
    assert_eq!(give_up(100).await, before);
    let mut flushed = Box::pin(connection.flushed());
    assert!(now(&mut flushed).is_pending());
    let asked = peer.expect_query().await;
    flushed.await;
    peer.answer(asked.id, &"x").await;
    assert_eq!(call.await.unwrap(), "x");
}

/// C-BP-7: of answers that a peer does not read, as many wait as pass the limit, and before them as
/// many again, since what the transport is taking does not count. At no moment is there more memory
/// than they take, since no buffer is copied into a larger one.
#[tokio::test(start_paused = true)]
async fn peer_that_does_not_read_costs_twice_the_limit() {
    const PAYLOAD: usize = 1024 * 1024;
    const ALLOWED: usize = 8;
    static BIG: Rpc<(), Vec<u8>> = Rpc::new("big", 1);
    let table = Implementations::<()>::builder()
        .implement_blocking(&BIG, |(), ()| Ok(vec![7; PAYLOAD]))
        .build()
        .unwrap();
    // More than a payload and less than two.
    let message = PAYLOAD + 100;
    let config = Config::default().max_buffered_output(ALLOWED * PAYLOAD);
    let (connection, mut peer) = Peer::open(config, &table, (), 11).await;
    let before = HELD.get();
    PEAK.set(before);
    for id in 0..2 * ALLOWED {
        let id = i64::try_from(id).unwrap();
        peer.query(id, &BIG.description(), &()).await;
        if id == 7 {
            // The transport begins to take these.
            settle().await;
        }
    }
    settle().await;
    let held = usize::try_from(HELD.get() - before).unwrap();
    assert!(held > (2 * ALLOWED) * PAYLOAD, "not all wait: {held}");
    assert!(!connection.is_closed());
    // The limit is passed, and so the next one is too many.
    peer.query(100, &BIG.description(), &()).await;
    settle().await;
    let closed = connection.closed().await;
    assert!(closed.to_string().contains("does not read"), "{closed}");
    // Beside what waits there is the payload that is being encoded, and what tasks take.
    let peak = usize::try_from(PEAK.get() - before).unwrap();
    let most = (2 * ALLOWED + 2) * message + 64 * 1024;
    assert!(peak <= most, "{peak} bytes, where {most} are explained");
}

/// R-GR-5: appending to a member's output, and writing to one stream, allocate nothing.
#[tokio::test(start_paused = true)]
async fn writing_to_members_allocates_nothing() {
    static FEED: PipeRpc<(), Vec<u8>, String> = PipeRpc::new("feed", 1);
    let (writers, mut receiver) = mpsc::unbounded_channel::<DirectStreamWriter<Vec<u8>>>();
    let table = Implementations::builder()
        .implement_pipe_direct(&FEED, move |(), (), writer| {
            let known = writers.send(writer);
            async move {
                known?;
                Ok(Ok(()))
            }
        })
        .build()
        .unwrap();
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, _far) = connect(CAPACITY, near, (Config::default(), &table, ())).await;
    let group = Group::new();
    let mut pipes = Vec::new();
    let mut members = Vec::new();
    for _ in 0..100 {
        pipes.push(FEED.dispatch(&near, &()).await.unwrap().unwrap());
        let writer = receiver.recv().await.unwrap();
        group.add(writer.clone()).unwrap();
        members.push(writer);
    }
    let update = vec![7; 64];
    let write = |group: &Group<_>| {
        let before = MADE.get();
        group.write(&update).unwrap();
        MADE.get() - before
    };
    // The connection's task exchanges two buffers, and both grow to what a round needs.
    for _ in 0..4 {
        write(&group);
        settle().await;
    }
    assert_eq!(write(&group), 0);
    settle().await;
    let before = MADE.get();
    for writer in &members {
        writer.write(&update).unwrap();
    }
    assert_eq!(MADE.get() - before, 0);
}
