//! What a write to a group sends to its members.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bin_prot::{BinWrite, WriteError};
use rpc_core::connection::Config;
use rpc_core::payload::{Codec, Undecodable};
use rpc_core::{Connection, DirectStreamWriter, Group, GroupWriteError, Implementations, PipeRpc};
use rpc_wire::RpcError;
use tokio::sync::{Notify, mpsc};

use super::{FEED, feeding, group_of, serving};
use crate::pair::{CAPACITY, connect, now, settle};
use crate::peer::Peer;
use crate::streams::{SECOND, drain};
use crate::trace::Trace;

/// R-GR-5: each with the header of its own stream and version.
#[tokio::test(start_paused = true)]
async fn every_member_gets_the_update_in_its_own_stream() {
    let (_old, mut old, writers) = feeding(1, Config::default(), 2).await;
    let group = group_of(writers);
    let (_new, mut new, writers) = feeding(11, Config::default(), 3).await;
    for writer in writers {
        group.add(writer).unwrap();
    }
    assert_eq!(group.len(), 5);
    for update in [1_i64, 100_000, -5] {
        group.write(&update).unwrap();
    }
    for (peer, streams) in [(&mut old, 2), (&mut new, 3)] {
        for update in [1_i64, 100_000, -5] {
            // One connection's members are written to one after the other.
            for id in 1..=streams {
                peer.expect_update(id, &update).await;
            }
        }
        peer.expect_silence(SECOND).await;
    }
}

static ENCODED: AtomicUsize = AtomicUsize::new(0);

/// Ints, of which writing one is counted.
enum Counting {}

impl Codec<i64> for Counting {
    fn size(value: &i64) -> usize {
        value.bin_size()
    }

    fn write(value: &i64, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        ENCODED.fetch_add(1, Ordering::Relaxed);
        assert!(*value != 13, "on purpose");
        value.bin_write(buffer)?;
        if *value == 14 {
            buffer.push(0);
        }
        Ok(())
    }

    fn read(bytes: &[u8]) -> Result<i64, Undecodable> {
        bin_prot::from_slice(bytes).map_err(Undecodable::new)
    }
}

impl Codec<()> for Counting {
    fn size((): &()) -> usize {
        1
    }

    fn write((): &(), buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.push(0);
        Ok(())
    }

    fn read(_: &[u8]) -> Result<(), Undecodable> {
        Ok(())
    }
}

/// R-GR-5, R-GR-6, and what becomes of a group whose codec misbehaves.
#[tokio::test(start_paused = true)]
async fn update_is_encoded_once_whatever_the_number_of_members() {
    static COUNTED: PipeRpc<(), i64, (), Counting> = PipeRpc::new("counted", 1);
    let group = Arc::new(Group::<i64, Counting>::new());
    group.write(&1).unwrap();
    assert_eq!(ENCODED.load(Ordering::Relaxed), 0, "encoded for nobody");
    let table = Implementations::builder()
        .implement_pipe_direct(&COUNTED, |group: &Arc<Group<_, _>>, (), writer| {
            let added = group.add(writer);
            async move {
                added?;
                Ok(Ok(()))
            }
        })
        .build()
        .unwrap();
    let near = (Config::default(), &Implementations::empty(), ());
    let far = (Config::default(), &table, group.clone());
    let (near, _far) = connect(CAPACITY, near, far).await;
    let mut pipes = Vec::new();
    for _ in 0..50 {
        pipes.push(COUNTED.dispatch(&near, &()).await.unwrap().unwrap());
    }
    for update in 0..3 {
        group.write(&update).unwrap();
    }
    assert_eq!(ENCODED.load(Ordering::Relaxed), 3);

    let panicking = std::panic::AssertUnwindSafe(|| group.write(&13));
    assert!(std::panic::catch_unwind(panicking).is_err());
    let lying = group.write(&14);
    let expected = GroupWriteError::SizeMismatch {
        promised: 1,
        written: 2,
    };
    assert_eq!(lying, Err(expected));
    group.write(&3).unwrap();
    drop(group);
    for pipe in &mut pipes {
        for update in 0..=3 {
            assert_eq!(pipe.next().await, Some(update));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn update_without_an_encoding_is_written_to_nobody() {
    let (_connection, mut peer, writers) = feeding(11, Config::default(), 2).await;
    let group = group_of(writers);
    let refused = group.write(&i64::MAX);
    assert!(matches!(refused, Err(GroupWriteError::Unencodable(_))));
    group.write(&1).unwrap();
    peer.expect_update(1, &1_i64).await;
    peer.expect_update(2, &1_i64).await;
}

/// R-GR-5, catalogue ZR32: one that has not started gets everything after its start, in order.
#[tokio::test(start_paused = true)]
async fn member_that_has_not_started_keeps_a_copy() {
    let group = Arc::new(Group::new());
    let agree = Arc::new(Notify::new());
    let (joins, agrees) = (group.clone(), agree.clone());
    let table = Implementations::builder()
        .implement_pipe_direct(&FEED, move |(), (), writer| {
            let added = joins.add(writer);
            let agrees = agrees.clone();
            async move {
                added?;
                agrees.notified().await;
                Ok(Ok(()))
            }
        })
        .build()
        .unwrap();
    let (_slow, mut slow) = Peer::open(Config::default(), &table, (), 11).await;
    slow.open_stream(1, &FEED.description(), &()).await;
    settle().await;
    let (_connection, mut peer, writers) = feeding(11, Config::default(), 1).await;
    group.add(writers[0].clone()).unwrap();
    for update in 0..3 {
        group.write(&update).unwrap();
    }
    group.write_encoded(&[3]);
    for update in 0..=3_i64 {
        peer.expect_update(1, &update).await;
    }
    slow.expect_silence(SECOND).await;
    agree.notify_one();
    slow.expect_start(1, &()).await;
    for update in 0..=3_i64 {
        slow.expect_update(1, &update).await;
    }
    group.write(&4).unwrap();
    slow.expect_update(1, &4_i64).await;
}

/// R-GR-10: the bytes as they are.
#[tokio::test(start_paused = true)]
async fn encoded_updates_are_passed_on() {
    let (_connection, mut peer, writers) = feeding(11, Config::default(), 2).await;
    let group = group_of(writers);
    let mut update = vec![42];
    group.write_encoded(&update);
    update[0] = 0;
    group.write_encoded_with_pushback(&[43]).await;
    for update in [42_i64, 43] {
        for id in 1..=2 {
            peer.expect_update(id, &update).await;
        }
    }
}

/// R-GR-11, catalogue ZR33.
#[tokio::test(start_paused = true)]
async fn update_above_one_members_limit_concerns_that_member_only() {
    static TEXTS: PipeRpc<(), String, String> = PipeRpc::new("texts", 1);
    let group = Arc::new(Group::<String>::new());
    let table = Implementations::builder()
        .implement_pipe_direct(&TEXTS, |group: &Arc<Group<String>>, (), writer| {
            let added = group.add(writer);
            async move {
                added?;
                Ok(Ok(()))
            }
        })
        .build()
        .unwrap();
    let limited = Config::default().max_message_size(200);
    let (small, mut small_peer) = Peer::open(limited, &table, group.clone(), 11).await;
    let (_big, mut big_peer) = Peer::open(Config::default(), &table, group.clone(), 11).await;
    for peer in [&mut small_peer, &mut big_peer] {
        peer.open_stream(1, &TEXTS.description(), &()).await;
        peer.expect_start(1, &()).await;
    }
    let trace = Trace::of(&small);
    let long = "x".repeat(300);
    group.write(&"a".to_owned()).unwrap();
    group.write(&long).unwrap();
    group.write(&"b".to_owned()).unwrap();
    big_peer.expect_update(1, &"a").await;
    big_peer.expect_update(1, &long).await;
    big_peer.expect_update(1, &"b").await;
    small_peer.expect_update(1, &"a").await;
    let error = small_peer.expect_error(1).await;
    assert!(matches!(error, RpcError::WriteError(_)), "{error}");
    small_peer.expect_update(1, &"b").await;
    // R-SV-10: it is still a member.
    assert_eq!(group.len(), 2);
    // Tag, id, index (2), ok, length (3), variant (4), length (3), text (303).
    trace.expect(&["S Update 13", "F Update Too_large 318", "S Update 13"]);
}

/// C-BP-7: a member whose peer does not read takes its own connection down.
#[tokio::test(start_paused = true)]
async fn member_that_does_not_read_is_given_up_alone() {
    let (table, mut receiver) = serving();
    let (mut stuck, io) = Peer::new(1000);
    let config = Config::default().max_buffered_output(10_000);
    let (connection, ()) = tokio::join!(
        Connection::serve(io, config, &table, |_| ()),
        stuck.shake_hands(11, Default::default()),
    );
    let connection = connection.unwrap();
    stuck.open_stream(1, &FEED.description(), &()).await;
    let group = group_of([receiver.recv().await.unwrap()]);
    let (_connection, mut peer, writers) = feeding(11, Config::default(), 1).await;
    group.add(writers[0].clone()).unwrap();
    for update in 0..2000_i64 {
        group.write(&update).unwrap();
        peer.expect_update(1, &update).await;
    }
    let closed = connection.closed().await;
    assert!(
        closed.to_string().contains("peer does not read"),
        "{closed}"
    );
    assert_eq!(group.len(), 1);
}

/// R-GR-9: each member flushed, or closed.
#[tokio::test(start_paused = true)]
async fn pushback_waits_for_the_slowest_member_or_its_end() {
    let (table, mut receiver) = serving();
    let (mut slow, io) = Peer::new(1000);
    let (connection, ()) = tokio::join!(
        Connection::serve(io, Config::default(), &table, |_| ()),
        slow.shake_hands(11, Default::default()),
    );
    let _connection = connection.unwrap();
    slow.open_stream(1, &FEED.description(), &()).await;
    let slow_writer = receiver.recv().await.unwrap();
    slow.expect_start(1, &()).await;
    let (_fast, _fast_peer, writers) = feeding(11, Config::default(), 2).await;
    let group = group_of(writers);
    group.write_with_pushback(&1).unwrap().await;
    group.add(slow_writer.clone()).unwrap();
    for update in 0..100 {
        group.write(&update).unwrap();
    }
    let mut flushed = group.write_with_pushback(&1).unwrap();
    settle().await;
    assert!(now(&mut flushed).is_pending());
    for update in 0..100_i64 {
        slow.expect_update(1, &update).await;
    }
    slow.expect_update(1, &1_i64).await;
    flushed.await;

    for update in 0..100 {
        group.write(&update).unwrap();
    }
    let mut flushed = group.write_with_pushback(&1).unwrap();
    settle().await;
    assert!(now(&mut flushed).is_pending());
    slow_writer.close();
    flushed.await;
}

/// Updates so large that a connection's members are not all written to under one lock.
#[tokio::test(start_paused = true)]
async fn large_updates_reach_all_members_in_order() {
    static BLOBS: PipeRpc<(), Vec<u8>, String> = PipeRpc::new("blobs", 1);
    let (writers, mut receiver) = mpsc::unbounded_channel::<DirectStreamWriter<Vec<u8>>>();
    let table = Implementations::builder()
        .implement_pipe_direct(&BLOBS, move |(), (), writer| {
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
    for _ in 0..10 {
        pipes.push(BLOBS.dispatch(&near, &()).await.unwrap().unwrap());
        group.add(receiver.recv().await.unwrap()).unwrap();
    }
    let sizes = [0, 1, 40_000, 70_000, 2_000_000, 5];
    for size in sizes {
        group.write(&vec![7; size]).unwrap();
    }
    drop(group);
    for pipe in &mut pipes {
        let updates = drain(pipe).await;
        assert!(updates.iter().map(Vec::len).eq(sizes));
    }
}

/// Writers of several threads: all members see one order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_of_several_threads_reach_all_members_in_one_order() {
    let (table, mut receiver) = serving();
    let group = Arc::new(Group::new());
    let mut pipes = Vec::new();
    let mut connections = Vec::new();
    for _ in 0..3 {
        let near = (Config::default(), &Implementations::empty(), ());
        let pair = connect(CAPACITY, near, (Config::default(), &table, ())).await;
        for _ in 0..3 {
            pipes.push(FEED.dispatch(&pair.0, &()).await.unwrap().unwrap());
            group.add(receiver.recv().await.unwrap()).unwrap();
        }
        connections.push(pair);
    }
    let mut writing = Vec::new();
    for thread in 0..4 {
        let group = group.clone();
        writing.push(tokio::spawn(async move {
            for n in 0..500 {
                group.write(&(thread * 1000 + n)).unwrap();
                if n % 100 == 0 {
                    tokio::time::sleep(Duration::from_micros(10)).await;
                }
            }
        }));
    }
    for task in writing {
        task.await.unwrap();
    }
    drop(group);
    let first = drain(&mut pipes[0]).await;
    assert_eq!(first.len(), 2000);
    for pipe in &mut pipes[1..] {
        assert_eq!(drain(pipe).await, first);
    }
}
