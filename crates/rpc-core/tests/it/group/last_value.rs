//! Groups that send the last value on add.

use bytes::Bytes;
use rpc_core::connection::Config;
use rpc_core::payload::Raw;
use rpc_core::{DirectStreamWriter, Group, Implementations, PipeRpc};
use tokio::sync::mpsc;

use super::{FEED, feeding};
use crate::peer::Peer;
use crate::streams::SECOND;

/// R-GR-7, R-GR-10, catalogue P4: by whichever form it was written.
#[tokio::test(start_paused = true)]
async fn added_writer_gets_what_was_written_last() {
    let (_connection, mut peer, writers) = feeding(11, Config::default(), 3).await;
    let group = Group::new().send_last_value_on_add();
    group.add(writers[0].clone()).unwrap();
    peer.expect_silence(SECOND).await;
    group.write(&0).unwrap();
    peer.expect_update(1, &0_i64).await;
    group.add(writers[1].clone()).unwrap();
    peer.expect_update(2, &0_i64).await;
    group.write_encoded(&[42]);
    peer.expect_update(1, &42_i64).await;
    peer.expect_update(2, &42_i64).await;
    group.add(writers[2].clone()).unwrap();
    peer.expect_update(3, &42_i64).await;
    peer.expect_silence(SECOND).await;
}

/// R-GR-6, R-GR-7, catalogue P5: what is written to nobody is kept.
#[tokio::test(start_paused = true)]
async fn value_written_while_there_are_no_members_is_sent_to_the_first() {
    let (_connection, mut peer, writers) = feeding(11, Config::default(), 2).await;
    let group = Group::new().send_last_value_on_add();
    group.write(&0).unwrap();
    group.add(writers[0].clone()).unwrap();
    peer.expect_update(1, &0_i64).await;
    group.write(&1).unwrap();
    peer.expect_update(1, &1_i64).await;
    peer.abort(1, &FEED.description()).await;
    peer.expect_end_of_stream(1).await;
    writers[0].closed().await;
    assert_eq!(group.len(), 0);
    group.write(&2).unwrap();
    group.add(writers[1].clone()).unwrap();
    peer.expect_update(2, &2_i64).await;
    group.write(&3).unwrap();
    peer.expect_update(2, &3_i64).await;
}

/// R-GR-6: only groups that are asked to do.
#[tokio::test(start_paused = true)]
async fn other_groups_forget_what_they_wrote() {
    let (_connection, mut peer, writers) = feeding(11, Config::default(), 1).await;
    let group = Group::new();
    group.write(&0).unwrap();
    group.add(writers[0].clone()).unwrap();
    peer.expect_silence(SECOND).await;
}

/// R-GR-7: a value that could not be encoded is none.
#[tokio::test(start_paused = true)]
async fn failed_write_leaves_the_last_value_as_it_was() {
    let (_connection, mut peer, writers) = feeding(11, Config::default(), 1).await;
    let group = Group::new().send_last_value_on_add();
    group.write(&7).unwrap();
    group.write(&i64::MAX).unwrap_err();
    group.add(writers[0].clone()).unwrap();
    peer.expect_update(1, &7_i64).await;
}

/// Catalogue P6: values that encode to nothing are values.
#[tokio::test(start_paused = true)]
async fn empty_values_are_sent_on_add() {
    static SIGNALS: PipeRpc<Bytes, Bytes, Bytes, Raw> = PipeRpc::new("signals", 1);
    let (writers, mut receiver) = mpsc::unbounded_channel::<DirectStreamWriter<Bytes, Raw>>();
    let table = Implementations::builder()
        .implement_pipe_direct(&SIGNALS, move |(), _, writer| {
            let known = writers.send(writer);
            async move {
                known?;
                Ok(Ok(()))
            }
        })
        .build()
        .unwrap();
    let (_connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    let group = Group::new().send_last_value_on_add();
    for id in 1..=2 {
        peer.open_stream(id, &SIGNALS.description(), &()).await;
        peer.expect_start(id, &()).await;
        group.add(receiver.recv().await.unwrap()).unwrap();
        if id == 1 {
            peer.expect_silence(SECOND).await;
            group.write(&Bytes::new()).unwrap();
        }
        let answered = peer.expect_response().await;
        assert_eq!(answered.id, id);
        assert_eq!(answered.result.unwrap(), b"\x79\x8a\x00\x00\x00");
    }
}
