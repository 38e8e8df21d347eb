//! Writes to a stream that has started.

use std::time::Duration;

use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{
    Connection, DirectStreamWriter, DispatchError, Implementations, PipeCloseReason, PipeRpc,
    StreamWriteError,
};
use rpc_wire::RpcError;
use tokio::sync::mpsc;

use super::{DIRECT, ID, opened, started};
use crate::pair::{CAPACITY, connect, now, settle};
use crate::peer::Peer;
use crate::rpcs::ECHO;
use crate::streams::{SECOND, drain};
use crate::trace::Trace;

/// R-OR-5, R-DW-3, catalogue ZR3: it leaves before whatever is sent after it.
#[tokio::test(start_paused = true)]
async fn update_is_enqueued_before_the_write_returns() {
    let (connection, mut peer, writer) = started().await;
    let call = ECHO.dispatch(&connection, &"before".to_owned());
    writer.write(&1).unwrap();
    let later = ECHO.dispatch(&connection, &"after".to_owned());
    peer.expect_query().await;
    peer.expect_update(ID, &1_i64).await;
    peer.expect_query().await;
    drop((call, later));
}

/// R-DW-1, R-DW-6, R-DW-7: every form, and what it says of a stream that is over.
#[tokio::test(start_paused = true)]
async fn each_form_of_write_sends_one_update() {
    let (_connection, mut peer, writer) = started().await;
    writer.write(&1).unwrap();
    writer.write_with_pushback(&2).unwrap().await;
    let mut bytes = vec![3];
    writer.write_encoded(&bytes).unwrap();
    // Copied: what becomes of the bytes makes no difference.
    bytes[0] = 99;
    writer.write_encoded_with_pushback(&[4]).unwrap().await;
    for update in 1..=4_i64 {
        peer.expect_update(ID, &update).await;
    }
    writer.close();
    let closed = StreamWriteError::Closed;
    assert_eq!(writer.write(&5), Err(closed.clone()));
    assert_eq!(writer.write_encoded(&[5]), Err(closed.clone()));
    assert_eq!(writer.write_with_pushback(&5).unwrap_err(), closed);
    assert_eq!(
        writer.write_encoded_with_pushback(&[5]).unwrap_err(),
        closed
    );
    peer.expect_end_of_stream(ID).await;
    peer.expect_silence(SECOND).await;
}

/// T-S26, catalogue M8: kept values are told of when the stream starts, others as they are sent.
#[tokio::test(start_paused = true)]
async fn events_of_a_full_life() {
    let (connection, mut peer, running, _) = opened(Config::default()).await;
    let trace = Trace::of(&connection);
    running.writer.write(&1).unwrap();
    running.writer.write_encoded(&[2]).unwrap();
    running.writer.write_encoded(&[3]).unwrap();
    trace.expect(&[]);
    let writer = running.returns(Ok(Ok(())));
    settle().await;
    let updates = ["S Update 12"; 3];
    trace.expect(&["S Initial 9", updates[0], updates[1], updates[2]]);
    writer.write(&1).unwrap();
    trace.expect(&["S Update 12"]);
    writer.write_encoded(&[2]).unwrap();
    trace.expect(&["S Update 12"]);
    peer.abort(ID, &DIRECT.description()).await;
    writer.closed().await;
    trace.expect(&["R Abort 17", "S Closed 10"]);
    assert_eq!(writer.write(&3), Err(StreamWriteError::Closed));
    trace.expect(&[]);
}

/// T-S22, T-S23 to T-S26: what is closed or failed before the start, and what is too large.
#[tokio::test(start_paused = true)]
async fn events_of_what_was_kept() {
    let config = Config::default().max_message_size(200);
    let (connection, mut peer, running, _) = opened(config).await;
    let trace = Trace::of(&connection);
    running.writer.write_encoded(&[0; 200]).unwrap_err();
    running.writer.write(&1).unwrap();
    running.writer.close();
    running.returns(Ok(Ok(())));
    settle().await;
    trace.expect(&[
        "S Initial 9",
        "F Update Too_large 215",
        "S Update 12",
        "S Closed 10",
    ]);

    let (connection, _peer, running, _) = opened(Config::default()).await;
    let trace = Trace::of(&connection);
    running.writer.close_with_error(std::fmt::Error);
    running.returns(Ok(Ok(())));
    settle().await;
    let lines = trace.lines();
    assert_eq!(lines[0], "S Initial 9");
    assert!(lines[1].starts_with("S Error_or_exn"), "{lines:?}");
    assert_eq!(lines.len(), 2);
    peer.expect_start(ID, &()).await;
}

/// R-SV-10, R-DW-8: an error in its place, and the stream goes on.
#[tokio::test(start_paused = true)]
async fn update_above_the_limit_is_a_write_error_in_its_place() {
    let (_connection, mut peer, running, _) = opened(Config::default().max_message_size(200)).await;
    let writer = running.returns(Ok(Ok(())));
    peer.expect_start(ID, &()).await;
    writer.write(&1).unwrap();
    let refused = writer.write_encoded(&[0; 200]);
    assert!(matches!(
        refused,
        Err(StreamWriteError::TooLarge { limit: 200, .. })
    ));
    writer.write(&2).unwrap();
    peer.expect_update(ID, &1_i64).await;
    let error = peer.expect_error(ID).await;
    assert!(matches!(error, RpcError::WriteError(_)), "{error}");
    peer.expect_update(ID, &2_i64).await;
    assert!(!writer.is_closed());
    // What callers do about it (R-SC-2).
    peer.abort(ID, &DIRECT.description()).await;
    peer.expect_end_of_stream(ID).await;
    writer.closed().await;
}

/// A value that has no encoding is its writer's mistake alone.
#[tokio::test(start_paused = true)]
async fn update_without_an_encoding_is_refused_and_the_stream_goes_on() {
    let (_connection, mut peer, running, _) = opened(Config::default()).await;
    let too_wide = |refused| matches!(refused, Err(StreamWriteError::Unencodable(_)));
    assert!(too_wide(running.writer.write(&i64::MAX)));
    running.writer.write(&1).unwrap();
    let writer = running.returns(Ok(Ok(())));
    peer.expect_start(ID, &()).await;
    assert!(too_wide(writer.write(&i64::MAX)));
    writer.write(&2).unwrap();
    peer.expect_update(ID, &1_i64).await;
    peer.expect_update(ID, &2_i64).await;
}

static BYTES: PipeRpc<(), Vec<u8>, String> = PipeRpc::new("bytes", 1);

/// Serves BYTES; the test gets the writers.
fn serving_bytes() -> (
    Implementations<()>,
    mpsc::UnboundedReceiver<DirectStreamWriter<Vec<u8>>>,
) {
    let (writers, receiver) = mpsc::unbounded_channel();
    let table = Implementations::builder()
        .implement_pipe_direct(&BYTES, move |(), (), writer| {
            let known = writers.send(writer);
            async move {
                known?;
                Ok(Ok(()))
            }
        })
        .build()
        .unwrap();
    (table, receiver)
}

/// R-DW-1: the transport takes no more than fits in between.
#[tokio::test(start_paused = true)]
async fn pushback_waits_for_the_transport() {
    let (table, mut writers) = serving_bytes();
    let (mut peer, io) = Peer::new(1000);
    let (connection, ()) = tokio::join!(
        Connection::serve(io, Config::default(), &table, |_| ()),
        peer.shake_hands(11, Default::default()),
    );
    let _connection = connection.unwrap();
    peer.open_stream(ID, &BYTES.description(), &()).await;
    let writer = writers.recv().await.unwrap();
    let update = vec![7; 10_000];
    let mut flushed = writer.write_with_pushback(&update).unwrap();
    settle().await;
    assert!(now(&mut flushed).is_pending());
    peer.expect_start(ID, &()).await;
    peer.expect_update(ID, &update).await;
    flushed.await;

    // Or until the stream is over, whichever is first.
    let mut flushed = writer.write_with_pushback(&update).unwrap();
    settle().await;
    assert!(now(&mut flushed).is_pending());
    writer.close();
    flushed.await;
}

/// R-DW-9, C-BP-7: nobody waits for a peer that does not read, so there is a bound.
#[tokio::test(start_paused = true)]
async fn writer_that_outruns_its_peer_closes_the_connection() {
    let (table, mut writers) = serving_bytes();
    let (mut peer, io) = Peer::new(1000);
    let config = Config::default().max_buffered_output(100_000);
    let (connection, ()) = tokio::join!(
        Connection::serve(io, config, &table, |_| ()),
        peer.shake_hands(11, Default::default()),
    );
    let connection = connection.unwrap();
    peer.open_stream(ID, &BYTES.description(), &()).await;
    let writer = writers.recv().await.unwrap();
    peer.expect_start(ID, &()).await;
    let update = vec![7; 9_000];
    let mut written = 0;
    while writer.write(&update).is_ok() {
        written += 1;
        assert!(written < 100, "no bound");
        settle().await;
    }
    // What the transport is taking does not count, nor does the one that passes the bound.
    assert!(written >= 12, "{written}");
    let closed = connection.closed().await;
    assert_eq!(closed.by, ClosedBy::Unknown);
    assert!(
        closed.to_string().contains("peer does not read"),
        "{closed}"
    );
    writer.closed().await;
}

/// Catalogue P1: a hundred megabytes, which nobody reads, and a connection that ends.
#[tokio::test(start_paused = true)]
async fn writes_to_a_dying_connection_resolve() {
    static PUSHING: PipeRpc<(), Vec<u8>, String> = PipeRpc::new("bytes", 1).client_pushes_back();
    let (table, mut writers) = serving_bytes();
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, _far) = connect(CAPACITY, near, (Config::default(), &table, ())).await;
    let pipe = PUSHING.dispatch(&near, &()).await.unwrap().unwrap();
    let writer = writers.recv().await.unwrap();
    let update = vec![7; 1_000_000];
    let mut last = None;
    for _ in 0..100 {
        last = Some(writer.write_with_pushback(&update).unwrap());
    }
    near.close();
    writer.closed().await;
    last.unwrap().await;
    let reason = pipe.close_reason().await;
    let PipeCloseReason::Error(DispatchError::ConnectionClosed(closed)) = reason else {
        panic!("{reason:?}");
    };
    assert_eq!(closed.reason.unwrap().by, ClosedBy::Local);
}

/// Threads write while the stream starts: nothing is lost, and each one's updates are in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_of_several_threads_keep_their_order_across_the_start() {
    const EACH: i64 = 500;
    static WRITTEN: PipeRpc<(), (i64, i64), String> = PipeRpc::new("written", 1);
    let handler = |(): &(), (), writer: DirectStreamWriter<(i64, i64)>| {
        for thread in 0..4 {
            let writer = writer.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    writer.write(&(thread, n)).unwrap();
                    if n % 50 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            });
        }
        async move {
            tokio::time::sleep(Duration::from_micros(50)).await;
            Ok(Ok(()))
        }
    };
    let table = Implementations::builder()
        .implement_pipe_direct(&WRITTEN, handler)
        .build()
        .unwrap();
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, _far) = connect(CAPACITY, near, (Config::default(), &table, ())).await;
    for _ in 0..20 {
        let mut pipe = WRITTEN.dispatch(&near, &()).await.unwrap().unwrap();
        let updates = drain(&mut pipe).await;
        for thread in 0..4 {
            let own = updates.iter().filter(|(from, _)| *from == thread);
            assert!(own.map(|(_, n)| *n).eq(0..EACH));
        }
    }
}
