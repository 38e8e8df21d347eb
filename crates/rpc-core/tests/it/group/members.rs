//! Who is in a group.

use rpc_core::connection::{Config, MetadataHook};
use rpc_core::{AddError, Group};

use super::{FEED, feeding, group_of};
use crate::pair::settle;
use crate::source::Dropped;
use crate::streams::SECOND;

/// R-GR-1, catalogue ZR31.
#[tokio::test(start_paused = true)]
async fn closed_writers_and_members_are_not_added() {
    let (_connection, mut peer, writers) = feeding(11, Config::default(), 2).await;
    let group = group_of([writers[0].clone()]);
    assert_eq!(group.add(writers[0].clone()), Err(AddError::AlreadyMember));
    writers[1].close();
    assert_eq!(group.add(writers[1].clone()), Err(AddError::Closed));
    peer.expect_end_of_stream(2).await;
    assert_eq!(group.len(), 1);
    group.write(&5).unwrap();
    peer.expect_update(1, &5_i64).await;
    peer.expect_silence(SECOND).await;
}

/// R-GR-2, catalogue ZR31.
#[tokio::test(start_paused = true)]
async fn writer_in_two_groups_gets_the_updates_of_both() {
    let (_connection, mut peer, writers) = feeding(11, Config::default(), 1).await;
    let (a, b) = (group_of(writers.clone()), group_of(writers));
    a.write(&1).unwrap();
    b.write(&2).unwrap();
    a.write(&3).unwrap();
    for update in 1..=3_i64 {
        peer.expect_update(1, &update).await;
    }
    // A handle of either keeps the stream open.
    drop(a);
    b.write(&4).unwrap();
    peer.expect_update(1, &4_i64).await;
    drop(b);
    peer.expect_end_of_stream(1).await;
}

/// R-GR-3: by whichever way they are closed.
#[tokio::test(start_paused = true)]
async fn closed_members_leave_by_themselves() {
    let (connection, mut peer, writers) = feeding(11, Config::default(), 3).await;
    let group = group_of(writers.clone());
    assert_eq!(group.len(), 3);
    writers[0].close();
    peer.expect_end_of_stream(1).await;
    peer.abort(2, &FEED.description()).await;
    peer.expect_end_of_stream(2).await;
    settle().await;
    group.write(&1).unwrap();
    peer.expect_update(3, &1_i64).await;
    assert_eq!(group.len(), 1);
    assert_eq!(group.members().len(), 1);
    connection.close();
    connection.closed().await;
    group.write(&2).unwrap();
    assert!(group.is_empty());
    assert!(group.members().is_empty());
}

/// R-GR-4: taken out, not closed; others are no members.
#[tokio::test(start_paused = true)]
async fn removed_members_go_on_by_themselves() {
    let (_connection, mut peer, writers) = feeding(11, Config::default(), 2).await;
    let group = group_of([writers[0].clone()]);
    group.remove(&writers[1]);
    group.remove(&writers[0]);
    group.remove(&writers[0]);
    assert!(group.is_empty());
    group.write(&1).unwrap();
    writers[0].write(&2).unwrap();
    peer.expect_update(1, &2_i64).await;
    group.add(writers[0].clone()).unwrap();
    group.write(&3).unwrap();
    peer.expect_update(1, &3_i64).await;
    peer.expect_silence(SECOND).await;
}

/// `Group`: a handle to each of its members.
#[tokio::test(start_paused = true)]
async fn dropping_the_group_ends_its_streams() {
    let (connection, mut peer, writers) = feeding(11, Config::default(), 2).await;
    let kept = writers[1].clone();
    let group = group_of(writers);
    drop(group);
    peer.expect_end_of_stream(1).await;
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.served_streams(), 1);
    kept.write(&1).unwrap();
    peer.expect_update(2, &1_i64).await;
}

/// Closed members are looked for as others come, so that a group which is never written to does not
/// keep them, and their connections, for ever.
#[tokio::test(start_paused = true)]
async fn group_that_is_not_written_to_forgets_closed_members() {
    let group = Group::new();
    let mut forgotten = Vec::new();
    for _ in 0..100 {
        let (connection, peer, writers) = feeding(11, Config::default(), 1).await;
        // What is in a hook lives as long as anything of its connection.
        let dropped = Dropped::default();
        let guard = dropped.guard();
        let hook = MetadataHook::new().when_sending(move |_, _| {
            let _kept = &guard;
            None::<String>
        });
        connection.set_metadata_hook(1, hook).unwrap();
        writers
            .into_iter()
            .for_each(|writer| group.add(writer).unwrap());
        drop(peer);
        connection.closed().await;
        forgotten.push(dropped);
    }
    let kept = forgotten.iter().filter(|dropped| !dropped.is_set()).count();
    assert!((1..=32).contains(&kept), "{kept}");
    assert_eq!(group.len(), 0);
    assert!(forgotten.iter().all(Dropped::is_set));
}
