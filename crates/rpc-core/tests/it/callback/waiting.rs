//! Callbacks that make the connection wait.

use std::sync::{Arc, Mutex};

use rpc_core::{ExpertRpc, PipeMessage, PipeResponse};
use tokio::sync::Notify;

use super::{Heard, started};
use crate::pair::{alive_tasks, now, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO};
use crate::streams::{SECOND, assert_over, closed_remotely};

/// R-SC-30, C-BP-1, C-BP-2, catalogue O14: one update at a time, and nothing else meanwhile. The
/// transport stops at once, so R-SC-31's further calls do not come.
#[tokio::test(start_paused = true)]
async fn connection_handles_nothing_while_the_callback_waits() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let (heard, proceed) = (Heard::default(), Arc::new(Notify::new()));
    let (noted, wait) = (heard.clone(), proceed.clone());
    let opening = COUNT.dispatch_with(&connection, &3, move |message| {
        let wait = wait.clone();
        let is_update = matches!(message, PipeMessage::Update(_));
        noted.note(message);
        match is_update {
            true => PipeResponse::wait(async move { wait.notified().await }),
            false => PipeResponse::Continue,
        }
    });
    let id = peer.expect_query().await.id;
    let mut call = ECHO.dispatch(&connection, &"x".to_owned());
    let asked = peer.expect_query().await;
    peer.start(id, &()).await;
    peer.update(id, &1_i64).await;
    peer.update(id, &2_i64).await;
    peer.end_stream(id).await;
    peer.answer(asked.id, &"y").await;
    let metadata = opening.await.unwrap().unwrap();
    for updates in [vec![1], vec![1, 2]] {
        settle().await;
        assert_eq!(heard.updates(), updates);
        assert!(now(&mut call).is_pending());
        proceed.notify_one();
    }
    closed_remotely(&metadata.close_reason().await);
    assert!(heard.ended_after(&[1, 2]).is_none());
    assert_eq!(call.await.unwrap(), "y");
    assert_over(&connection, &mut peer).await;
    assert_eq!(alive_tasks(), 1);
}

/// A wait that is over at once is none: no task is made for it.
#[tokio::test(start_paused = true)]
async fn ready_wait_holds_up_nothing() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let heard = Heard::default();
    let noted = heard.clone();
    let opening = COUNT.dispatch_with(&connection, &3, move |message| {
        noted.note(message);
        PipeResponse::wait(std::future::ready(()))
    });
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    for update in 0..100_i64 {
        peer.update(id, &update).await;
    }
    let metadata = opening.await.unwrap().unwrap();
    settle().await;
    assert_eq!(heard.updates().len(), 100);
    // The connection's alone.
    assert_eq!(alive_tasks(), 1);
    metadata.abort();
    peer.expect_abort(id).await;
    peer.end_stream(id).await;
    closed_remotely(&metadata.close_reason().await);
    assert_over(&connection, &mut peer).await;
}

/// C-BP-3: what is sent goes out meanwhile, heartbeats included.
#[tokio::test(start_paused = true)]
async fn connection_sends_while_a_callback_waits() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = COUNT.dispatch_with(&connection, &3, move |_| {
        PipeResponse::wait(std::future::pending())
    });
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    peer.update(id, &1_i64).await;
    let metadata = opening.await.unwrap().unwrap();
    settle().await;
    let _call = ECHO.dispatch(&connection, &"x".to_owned());
    peer.expect_query().await;
    metadata.abort();
    peer.expect_abort(id).await;
    peer.expect_heartbeat().await;
    // C-CL-14: nor does it keep a connection from closing.
    connection.close();
    peer.expect_end().await;
    drop(peer);
    connection.closed().await;
    settle().await;
    assert_eq!(alive_tasks(), 0);
}

/// A wait ends with its connection: nothing of the stream is left.
#[tokio::test(start_paused = true)]
async fn wait_is_dropped_with_its_connection() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let dropped = crate::source::Dropped::default();
    let observed = dropped.clone();
    let heard = Heard::default();
    let noted = heard.clone();
    let opening = COUNT.dispatch_with(&connection, &3, move |message| {
        let is_update = matches!(message, PipeMessage::Update(_));
        noted.note(message);
        let guard = dropped.guard();
        match is_update {
            true => PipeResponse::wait(async move {
                let _kept = guard;
                std::future::pending::<()>().await;
            }),
            false => PipeResponse::Continue,
        }
    });
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    peer.update(id, &1_i64).await;
    let _metadata = opening.await.unwrap().unwrap();
    settle().await;
    assert!(!observed.is_set());
    connection.close();
    connection.closed().await;
    assert!(observed.is_set());
    assert!(heard.ended_after(&[1]).is_some());
}

/// R-SC-34, O14, O15: the expert form waits in the same way.
#[tokio::test(start_paused = true)]
async fn expert_callback_can_make_the_connection_wait() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let proceed = Arc::new(Notify::new());
    let wait = proceed.clone();
    let rpc = ExpertRpc::from(COUNT.description());
    let opening = rpc.dispatch_stream_with(&connection, &[3], move |_| {
        let wait = wait.clone();
        PipeResponse::wait(async move { wait.notified().await })
    });
    let id = peer.expect_query().await.id;
    let mut call = ECHO.dispatch(&connection, &"x".to_owned());
    let asked = peer.expect_query().await;
    peer.start(id, &()).await;
    peer.update(id, &1_i64).await;
    peer.answer(asked.id, &"y").await;
    let (_, metadata) = opening.await.unwrap().unwrap();
    settle().await;
    assert!(now(&mut call).is_pending());
    proceed.notify_one();
    assert_eq!(call.await.unwrap(), "y");
    peer.end_stream(id).await;
    closed_remotely(&metadata.close_reason().await);
    // What it says to the end makes no difference.
    assert_over(&connection, &mut peer).await;
}

/// An abort arrives while the callback waits, and so does the end.
#[tokio::test(start_paused = true)]
async fn stream_can_be_aborted_while_its_callback_does_not_wait() {
    let (connection, mut peer, metadata, id, heard) = started(11).await;
    metadata.abort();
    peer.expect_abort(id).await;
    peer.expect_silence(SECOND).await;
    peer.end_stream(id).await;
    closed_remotely(&metadata.close_reason().await);
    assert!(heard.ended_after(&[]).is_none());
    assert_over(&connection, &mut peer).await;
}

/// A stream that its user gives up while the callback runs holds nobody up: who would have let go is
/// gone with the user.
#[tokio::test(start_paused = true)]
async fn wait_of_a_stream_that_was_given_up_meanwhile_holds_nothing() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = Arc::new(Mutex::new(None::<Box<dyn Send>>));
    let given_up = opening.clone();
    let dispatch = COUNT.dispatch_with(&connection, &3, move |_| {
        drop(given_up.lock().unwrap().take());
        PipeResponse::wait(std::future::pending())
    });
    let id = peer.expect_query().await.id;
    *opening.lock().unwrap() = Some(Box::new(dispatch));
    peer.start(id, &()).await;
    peer.update(id, &1_i64).await;
    peer.update(id, &2_i64).await;
    peer.expect_abort(id).await;
    let call = ECHO.dispatch(&connection, &"still read".to_owned());
    let call_id = peer.expect_query().await.id;
    peer.answer(call_id, &"still read").await;
    assert_eq!(call.await.unwrap(), "still read");
    peer.end_stream(id).await;
    settle().await;
    assert_over(&connection, &mut peer).await;
}
