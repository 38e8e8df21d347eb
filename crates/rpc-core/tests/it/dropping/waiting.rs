//! Whatever else can be waited for: a handshake, room in the output, the end.

use std::num::NonZeroUsize;

use rpc_core::connection::Config;
use rpc_core::{
    Connection, DirectStreamWriter, Event, Group, Implementations, Kind, ReceivedResponse, Traced,
};
use tokio::task::yield_now;

use super::{dropped_at, dropped_pending};
use crate::pair::{alive_tasks, connect, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{ECHO, HOLD, Notes, table};

/// `Connection::serve`: the transport is dropped with the future, and nothing else was begun.
#[tokio::test(start_paused = true)]
async fn handshake_can_be_dropped_at_any_poll() {
    let mut polls = 0;
    loop {
        // Few bytes at a time make many polls.
        let (mut peer, io) = Peer::new(5);
        let table = table();
        let creating = Connection::serve(io, Config::default(), &table, |_| Notes::default());
        let theirs = tokio::spawn(async move {
            peer.try_to_shake_hands(11).await;
            peer
        });
        let created = dropped_at(polls, creating).await;
        if let Some(connection) = created {
            assert!(polls > 5, "{polls} polls");
            drop(connection);
            theirs.await.unwrap();
            break;
        }
        theirs.await.unwrap();
        settle().await;
        assert_eq!(alive_tasks(), 0, "after {polls} polls");
        polls += 1;
    }
}

/// `DirectStreamWriter` and `Group`: waiting is all that is given up.
#[tokio::test(start_paused = true)]
async fn waiting_for_a_direct_writer_can_be_dropped_at_any_poll() {
    let (writers, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let table = Implementations::builder()
        .implement_pipe_direct(&HOLD, move |(), (), writer| {
            let known = writers.send(writer);
            async move {
                known?;
                yield_now().await;
                Ok(Ok(()))
            }
        })
        .build()
        .unwrap();
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, far) = connect(50, near, (Config::default(), &table, ())).await;
    let group = Group::new();
    let opening = HOLD.dispatch(&near, &());
    let writer: DirectStreamWriter<i64> = receiver.recv().await.unwrap();
    group.add(writer.clone()).unwrap();
    for polls in 0..3 {
        dropped_at(polls, writer.started()).await;
        dropped_pending(polls, writer.closed()).await;
        dropped_at(polls, writer.write_with_pushback(&1).unwrap()).await;
        dropped_at(polls, group.write_with_pushback(&2).unwrap()).await;
    }
    writer.started().await;
    let mut pipe = opening.await.unwrap().unwrap();
    for _ in 0..3 {
        assert_eq!(pipe.next().await, Some(1));
        assert_eq!(pipe.next().await, Some(2));
    }
    drop(pipe);
    writer.closed().await;
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}

/// `TracingEvents::next`: no event is lost.
#[tokio::test(start_paused = true)]
async fn dropping_next_loses_no_event() {
    let (near, _far, _) = pair(Config::default(), Config::default()).await;
    let mut events = near.tracing_events(NonZeroUsize::new(100).unwrap());
    for n in 0..50_i64 {
        dropped_pending(2, events.next()).await;
        let call = ECHO.dispatch(&near, &n.to_string());
        dropped_at(usize::from(n % 2 == 0), call).await;
        settle().await;
        let answer = ReceivedResponse::ResponseFinishedOk;
        for expected in [
            Event::Sent(Kind::Query),
            Event::Received(Kind::Response(answer)),
        ] {
            let Some(Some(Traced::Event(event))) = dropped_at(1, events.next()).await else {
                panic!("no event instead of {expected:?}");
            };
            assert_eq!(event.event, expected);
        }
    }
}

/// `Connection::close_started`, `Connection::closed` and `Connection::flushed`.
#[tokio::test(start_paused = true)]
async fn waiting_for_the_end_can_be_dropped_at_any_poll() {
    let (table, notes) = (table(), Notes::default());
    let near = (Config::default(), &table, notes.clone());
    let far = (Config::default(), &table, notes);
    let (near, far) = connect(10, near, far).await;
    let text = "x".repeat(1000);
    let call = ECHO.dispatch(&near, &text);
    for polls in 0..3 {
        dropped_pending(polls, near.close_started()).await;
        dropped_pending(polls, near.closed()).await;
        dropped_at(polls, near.flushed()).await;
        dropped_at(polls, far.flushed()).await;
    }
    assert_eq!(call.await.unwrap(), text);
    near.flushed().await;
    near.close();
    for polls in 0..3 {
        dropped_at(polls, far.close_started()).await;
        dropped_at(polls, far.closed()).await;
    }
    far.close_started().await;
    near.closed().await;
    far.closed().await;
}
