//! Clients that push back: a full pipe stops its connection (rules R-SC-25 to R-SC-27).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{Connection, Dispatch, Implementations, Pipe, PipeRpc, StateRpc};
use rpc_wire::QueryId;

use crate::pair::{CAPACITY, alive_tasks, connect, now, settle};
use crate::peer::Peer;
use crate::rpcs::ECHO;
use crate::source::{Dropped, Endless};
use crate::streams::{SECOND, assert_over, closed_locally, closed_remotely, drain};

static PUSHING: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1).client_pushes_back();

/// A stream that has started.
async fn started() -> (Connection, Peer, Pipe<i64>, QueryId) {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = PUSHING.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let pipe = opening.await.unwrap().unwrap();
    (connection, peer, pipe, id)
}

async fn send_updates(peer: &mut Peer, id: QueryId, updates: std::ops::Range<i64>) {
    for update in updates {
        peer.update(id, &update).await;
    }
    settle().await;
}

/// Another call's answer arrives behind what the peer has sent so far. Ready when it was read.
async fn marker(connection: &Connection, peer: &mut Peer) -> Dispatch<String> {
    let call = ECHO.dispatch(connection, &"marker".to_owned());
    let asked = peer.expect_query().await;
    peer.answer(asked.id, &"read").await;
    settle().await;
    call
}

/// R-SC-25, R-SC-26, catalogue ZR29: at 99 unread updates reading goes on; at 100 it stops, until
/// all of them were taken and the next one is asked for.
#[tokio::test(start_paused = true)]
async fn reading_stops_at_a_hundred_unread_updates_and_goes_on_when_all_were_taken() {
    let (connection, mut peer, mut pipe, id) = started().await;
    send_updates(&mut peer, id, 0..99).await;
    assert_eq!(marker(&connection, &mut peer).await.await.unwrap(), "read");
    send_updates(&mut peer, id, 99..100).await;
    let mut read = marker(&connection, &mut peer).await;
    assert!(now(&mut read).is_pending());
    for update in 0..100 {
        assert_eq!(pipe.next().await, Some(update));
        settle().await;
        // The last one has been taken, and who took it may still be busy with it.
        assert!(now(&mut read).is_pending());
    }
    assert!(now(&mut Box::pin(pipe.next())).is_pending());
    assert_eq!(read.await.unwrap(), "read");
    peer.end_stream(id).await;
    assert_eq!(pipe.next().await, None);
    closed_remotely(&pipe.close_reason().await);
    assert_over(&connection, &mut peer).await;
}

/// R-SC-25: those that were taken do not count.
#[tokio::test(start_paused = true)]
async fn only_unread_updates_count() {
    let (connection, mut peer, mut pipe, id) = started().await;
    for round in 0..10 {
        send_updates(&mut peer, id, round * 50..round * 50 + 50).await;
        for update in round * 50..round * 50 + 50 {
            assert_eq!(pipe.next().await, Some(update));
        }
    }
    // 90 are unread, of which none is from before.
    send_updates(&mut peer, id, 500..590).await;
    assert_eq!(pipe.next().await, Some(500));
    send_updates(&mut peer, id, 590..600).await;
    assert_eq!(marker(&connection, &mut peer).await.await.unwrap(), "read");
    send_updates(&mut peer, id, 600..601).await;
    let mut read = marker(&connection, &mut peer).await;
    assert!(now(&mut read).is_pending());
    drop(pipe);
    read.await.unwrap();
}

/// R-SC-22: a pipe that is closed, dropped, or was never taken waits for nothing.
#[tokio::test(start_paused = true)]
async fn unwanted_pipe_holds_up_nothing() {
    for way in 0..3 {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        let opening = PUSHING.dispatch(&connection, &3);
        let id = peer.expect_query().await.id;
        peer.start(id, &()).await;
        send_updates(&mut peer, id, 0..150).await;
        let mut read = marker(&connection, &mut peer).await;
        assert!(now(&mut read).is_pending());
        match way {
            0 => drop(opening),
            1 => drop(opening.await.unwrap().unwrap()),
            _ => {
                let mut pipe = opening.await.unwrap().unwrap();
                assert_eq!(pipe.next().await, Some(0));
                pipe.close();
                closed_locally(&pipe.close_reason().await);
                assert_eq!(pipe.next().await, None);
            }
        }
        peer.expect_abort(id).await;
        assert_eq!(read.await.unwrap(), "read");
        peer.end_stream(id).await;
        settle().await;
        assert_over(&connection, &mut peer).await;
    }
}

/// R-SC-26, C-BP-3: heartbeats are sent, but none are read.
#[tokio::test(start_paused = true)]
async fn pipe_that_is_not_read_for_too_long_ends_the_connection() {
    let (connection, mut peer, mut pipe, id) = started().await;
    send_updates(&mut peer, id, 0..100).await;
    for _ in 0..3 {
        peer.expect_heartbeat().await;
        peer.send(&rpc_wire::Message::Heartbeat).await;
    }
    let closed = connection.closed().await;
    assert_eq!(closed.by, ClosedBy::Local);
    assert!(
        closed.to_string().contains("No heartbeats received"),
        "{closed}"
    );
    // R-SC-21: what came remains readable.
    assert!(drain(&mut pipe).await.into_iter().eq(0..100));
    drop((pipe, connection));
    settle().await;
    assert_eq!(alive_tasks(), 0);
}

/// R-SC-26: without the property nothing waits.
#[tokio::test(start_paused = true)]
async fn other_pipes_grow() {
    static GROWING: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1);
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = GROWING.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    send_updates(&mut peer, id, 0..5000).await;
    assert_eq!(marker(&connection, &mut peer).await.await.unwrap(), "read");
    let mut pipe = opening.await.unwrap().unwrap();
    peer.end_stream(id).await;
    assert!(drain(&mut pipe).await.into_iter().eq(0..5000));
}

/// R-SC-25 with C-BP-6, of two ends of our own: a slow consumer stops the source.
#[tokio::test(start_paused = true)]
async fn slow_consumer_stops_the_callees_source() {
    static STATE: StateRpc<(), (), i64, String> = StateRpc::new("endless", 1).client_pushes_back();
    let (taken, dropped) = (Arc::new(AtomicUsize::new(0)), Dropped::default());
    let (counter, guard) = (taken.clone(), dropped.clone());
    let table = Implementations::builder()
        .implement_state(&STATE, move |(), ()| {
            let source = Endless::new(counter.clone(), &guard);
            async { Ok(Ok(((), source))) }
        })
        .build()
        .unwrap();
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, _far) = connect(CAPACITY, near, (Config::default(), &table, ())).await;
    let ((), mut pipe) = STATE.dispatch(&near, &()).await.unwrap().unwrap();
    settle().await;
    let first = taken.load(Ordering::Relaxed);
    assert!(first < 20_000, "{first} updates on the way");
    tokio::time::sleep(SECOND).await;
    assert_eq!(taken.load(Ordering::Relaxed), first);
    for update in 0..100_000 {
        assert_eq!(pipe.next().await, Some(update));
    }
    drop(pipe);
    settle().await;
    assert!(dropped.is_set());
    assert_eq!(near.open_queries(), 0);
}

/// Catalogue T2: a quarter of a million updates, the reader's task and the consumer's taking turns.
#[tokio::test(start_paused = true)]
async fn quarter_of_a_million_updates_pass_a_pipe_that_pushes_back() {
    const ALL: i64 = 250_000;
    let table = Implementations::builder()
        .implement_pipe(&PUSHING, |(), n: i64| async move {
            Ok(Ok(crate::source::iter(0..n)))
        })
        .build()
        .unwrap();
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, far) = connect(CAPACITY, near, (Config::default(), &table, ())).await;
    let mut pipe = PUSHING.dispatch(&near, &ALL).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    for update in 0..ALL {
        assert_eq!(pipe.next().await, Some(update));
    }
    assert_eq!(pipe.next().await, None);
    closed_remotely(&pipe.close_reason().await);
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}
