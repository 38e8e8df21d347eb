//! Events of pipe and state RPCs, against a scripted peer (catalogue M).

use bin_prot::Sexp;
use rpc_core::connection::Config;
use rpc_core::{Connection, HandlerError, Implementations, PipeRpc, Rpc};
use rpc_wire::RpcError;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc::UnboundedSender;

use crate::pair::settle;
use crate::peer::Peer;
use crate::source::{Channel, Dropped};
use crate::trace::Trace;

static PIPE: PipeRpc<String, String, String> = PipeRpc::new("pipe-rpc", 1);

/// Where the test finds the producing end of the last stream.
type Producer = Arc<Mutex<Option<UnboundedSender<String>>>>;

/// A callee at version 10. The query says what becomes of it.
async fn callee(config: Config) -> (Connection, Trace, Peer, Producer) {
    let producer = Producer::default();
    let implementations = Implementations::<Producer>::builder()
        .implement_pipe(&PIPE, |producer, query: String| {
            let producer = producer.clone();
            async move {
                if query.starts_with("refuse") {
                    return Ok(Err("rpc error".to_owned()));
                }
                if query.starts_with("fail") {
                    return Err(HandlerError::new("on purpose"));
                }
                let (sender, updates) = Channel::new(&Dropped::default());
                *producer.lock().unwrap() = Some(sender);
                Ok(Ok(updates))
            }
        })
        .build()
        .unwrap();
    let (connection, peer) = Peer::open(config, &implementations, producer.clone(), 10).await;
    let trace = Trace::of(&connection);
    (connection, trace, peer, producer)
}

fn produce(producer: &Producer, update: &str) {
    let producer = producer.lock().unwrap();
    producer.as_ref().unwrap().send(update.to_owned()).unwrap();
}

/// T-S18, catalogue M1: the sizes of §15.3.
#[tokio::test(start_paused = true)]
async fn initial_user_error_is_the_only_response() {
    let (_connection, trace, mut peer, _) = callee(Config::default()).await;
    peer.open_stream(55, &PIPE.description(), &"refuse xxxxxxxxxxxxxxxx")
        .await;
    settle().await;
    // With a menu index: one byte more than in the table.
    trace.expect(&["R Query 43", "S User_defined_error 18"]);
}

/// T-S19, catalogue M2.
#[tokio::test(start_paused = true)]
async fn failing_handler_is_an_error() {
    let (_connection, trace, mut peer, _) = callee(Config::default()).await;
    peer.open_stream(55, &PIPE.description(), &"fail xxxxxxxxxxxxxxxxxx")
        .await;
    peer.expect_error(55).await;
    let lines = trace.lines();
    assert_eq!(lines[0], "R Query 43");
    assert!(lines[1].starts_with("S Error_or_exn"));
    assert_eq!(lines.len(), 2);
}

/// T-S17, catalogue M3.
#[tokio::test(start_paused = true)]
async fn stream_is_told_of_message_by_message() {
    let (_connection, trace, mut peer, producer) = callee(Config::default()).await;
    peer.open_stream(55, &PIPE.description(), &"xxxxxxxxxxxxxxxxxxxxxxx")
        .await;
    settle().await;
    trace.expect(&["R Query 43", "S Initial 9"]);
    produce(&producer, "foo");
    settle().await;
    // Tag, id, index (2), ok, length, variant (4), length, text (4).
    trace.expect(&["S Update 15"]);
    *producer.lock().unwrap() = None;
    settle().await;
    trace.expect(&["S Closed 10"]);
}

/// T-S19, catalogue M4.
#[tokio::test(start_paused = true)]
async fn malformed_stream_query_is_an_error() {
    let (_connection, trace, mut peer, _) = callee(Config::default()).await;
    peer.query(99, &PIPE.description(), &"malformed").await;
    peer.expect_error(99).await;
    let lines = trace.lines();
    assert_eq!(lines[0], "R Query 24");
    assert!(lines[1].starts_with("S Error_or_exn"));
}

/// T-S20, T-S21.
#[tokio::test(start_paused = true)]
async fn abort_is_told_of_and_acknowledged() {
    let (_connection, trace, mut peer, _producer) = callee(Config::default()).await;
    peer.open_stream(55, &PIPE.description(), &"x").await;
    settle().await;
    trace.lines();
    peer.abort(55, &PIPE.description()).await;
    settle().await;
    trace.expect(&["R Abort 18", "S Closed 10"]);
}

/// T-S20, R-SV-9, catalogue M16, ZR23: an abort of a stream that is over, or never was.
#[tokio::test(start_paused = true)]
async fn late_abort_is_only_received() {
    let (_connection, trace, mut peer, producer) = callee(Config::default()).await;
    peer.open_stream(1234, &PIPE.description(), &"xxxxxxxxxxxxxxxxxxxxxxxxx")
        .await;
    settle().await;
    *producer.lock().unwrap() = None;
    settle().await;
    trace.expect(&["R Query 47", "S Initial 11", "S Closed 12"]);
    for id in [1234, 1235] {
        peer.abort(id, &PIPE.description()).await;
        settle().await;
        trace.expect(&["R Abort 20"]);
    }
}

/// T-S24, T-S22: an update too large does not end the stream, a panic of the source does.
#[tokio::test(start_paused = true)]
async fn update_too_large_is_a_failure_and_the_stream_goes_on() {
    let config = Config::default().max_message_size(250);
    let (_connection, trace, mut peer, producer) = callee(config).await;
    peer.open_stream(55, &PIPE.description(), &"x").await;
    settle().await;
    trace.lines();
    produce(&producer, &"x".repeat(300));
    produce(&producer, "foo");
    settle().await;
    // 303 bytes of text with its length, 3 of its own length, 4, 3, and a header of 5.
    trace.expect(&["F Update Too_large 318", "S Update 15"]);
}

/// T-S23.
#[tokio::test(start_paused = true)]
async fn initial_response_too_large_is_a_failure() {
    static STATE: rpc_core::StateRpc<(), String, String, String> =
        rpc_core::StateRpc::new("state", 1);
    let implementations = Implementations::<()>::builder()
        .implement_state(&STATE, |(), ()| async {
            let (_sender, updates) = Channel::<String>::new(&Dropped::default());
            Ok(Ok(("x".repeat(300), updates)))
        })
        .build()
        .unwrap();
    let config = Config::default().max_message_size(250);
    let (connection, mut peer) = Peer::open(config, &implementations, (), 10).await;
    let trace = Trace::of(&connection);
    peer.open_stream(5, &STATE.description(), &()).await;
    assert!(matches!(
        peer.expect_error(5).await,
        RpcError::WriteError(_)
    ));
    let lines = trace.lines();
    assert_eq!(lines[1..], ["F Initial Too_large 313"]);
}

/// T-S25.
#[tokio::test(start_paused = true)]
async fn stream_that_the_connection_ends_has_no_end_of_its_own() {
    let (connection, trace, mut peer, producer) = callee(Config::default()).await;
    peer.open_stream(55, &PIPE.description(), &"x").await;
    settle().await;
    trace.lines();
    connection.close();
    connection.closed().await;
    drop(producer);
    trace.expect(&[]);
}

/// A caller whose peer is a script, at version 10.
async fn caller() -> (Connection, Trace, Peer) {
    let (connection, peer) = Peer::called_by_us(10).await;
    let trace = Trace::of(&connection);
    (connection, trace, peer)
}

fn injected() -> RpcError {
    RpcError::UncaughtExn(Sexp::atom("injected error"))
}

/// T-C1, T-C17, catalogue M11.
#[tokio::test(start_paused = true)]
async fn error_response_finishes_the_stream() {
    let (connection, trace, mut peer) = caller().await;
    let pipe = PIPE.dispatch(&connection, &"query".to_owned());
    let id = peer.expect_query().await.id;
    peer.respond(id, Err(injected())).await;
    pipe.await.unwrap_err();
    trace.expect(&["S Query 25", "R Finished_error 21"]);
}

/// T-C16, catalogue M12.
#[tokio::test(start_paused = true)]
async fn initial_user_error_finishes_the_stream() {
    let (connection, trace, mut peer) = caller().await;
    let pipe = PIPE.dispatch(&connection, &"query".to_owned());
    let id = peer.expect_query().await.id;
    peer.refuse(id, &"rpc error").await;
    assert_eq!(pipe.await.unwrap().unwrap_err(), "rpc error");
    trace.expect(&["S Query 25", "R Finished_user_error 17"]);
}

/// T-C10, catalogue M13: the caller takes a pipe RPC for a plain one.
#[tokio::test(start_paused = true)]
async fn error_response_finishes_a_plain_call() {
    static PLAIN: Rpc<String, String> = Rpc::new("pipe-rpc", 1);
    let (connection, trace, mut peer) = caller().await;
    let call = PLAIN.dispatch(&connection, &"query".to_owned());
    let id = peer.expect_query().await.id;
    peer.respond(id, Err(injected())).await;
    call.await.unwrap_err();
    trace.expect(&["S Query 20", "R Finished_error 21"]);
}

/// T-C11, catalogue ZR10.
#[tokio::test(start_paused = true)]
async fn undecodable_response_finishes_a_plain_call() {
    static PLAIN: Rpc<String, String> = Rpc::new("plain", 1);
    let (connection, trace, mut peer) = caller().await;
    let call = PLAIN.dispatch(&connection, &"query".to_owned());
    let id = peer.expect_query().await.id;
    peer.respond(id, Ok(&[0xff])).await;
    call.await.unwrap_err();
    trace.expect(&["S Query 17", "R Finished_error 6"]);
}

/// T-C13, T-C14, T-C15.
#[tokio::test(start_paused = true)]
async fn every_part_of_a_stream_is_told_of() {
    let (connection, trace, mut peer) = caller().await;
    let pipe = PIPE.dispatch(&connection, &"query".to_owned());
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    peer.update(id, &"foo").await;
    peer.end_stream(id).await;
    let mut pipe = pipe.await.unwrap().unwrap();
    assert_eq!(pipe.next().await.as_deref(), Some("foo"));
    assert_eq!(pipe.next().await, None);
    trace.expect(&[
        "S Query 25",
        "R Partial 8",
        "R Partial 14",
        "R Finished_ok 9",
    ]);
}

/// T-C20, T-C14, T-C15: a pipe that the user closes, and what comes after.
#[tokio::test(start_paused = true)]
async fn abort_has_no_response_and_the_stream_ends_later() {
    let (connection, trace, mut peer) = caller().await;
    let pipe = PIPE.dispatch(&connection, &"query".to_owned());
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let mut pipe = pipe.await.unwrap().unwrap();
    trace.lines();
    pipe.close();
    trace.expect(&["S Abort 18", "R One_way 18"]);
    peer.expect_abort(id).await;
    peer.update(id, &"foo").await;
    peer.end_stream(id).await;
    settle().await;
    trace.expect(&["R Partial 14", "R Finished_ok 9"]);
}

/// T-C20, T-C17, catalogue M15.
#[tokio::test(start_paused = true)]
async fn error_after_an_abort_finishes_the_stream() {
    let (connection, trace, mut peer) = caller().await;
    let pipe = PIPE.dispatch(&connection, &"query".to_owned());
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    drop(pipe.await.unwrap().unwrap());
    peer.expect_abort(id).await;
    peer.respond(id, Err(injected())).await;
    settle().await;
    trace.expect(&[
        "S Query 25",
        "R Partial 8",
        "S Abort 18",
        "R One_way 18",
        "R Finished_error 21",
    ]);
}

/// T-C18, T-C19, R-SC-2: *Write_error* and undecodable messages make the caller end the stream.
#[tokio::test(start_paused = true)]
async fn induced_close_finishes_with_the_error_that_caused_it() {
    let too_big = || RpcError::WriteError(Sexp::atom("too big"));
    for initial_first in [true, false] {
        for write_error in [true, false] {
            let (connection, trace, mut peer) = caller().await;
            let pipe = PIPE.dispatch(&connection, &"query".to_owned());
            let id = peer.expect_query().await.id;
            let mut pipe = Box::pin(pipe);
            let mut open = None;
            if initial_first {
                peer.start(id, &()).await;
                open = Some(pipe.as_mut().await.unwrap().unwrap());
            }
            trace.lines();
            if write_error {
                peer.respond(id, Err(too_big())).await;
            } else {
                peer.respond(id, Ok(&[0xff])).await;
            }
            peer.expect_abort(id).await;
            let offending = if write_error { 14 } else { 6 };
            let partial = format!("R Partial {offending}");
            trace.expect(&["S Abort 18", "R One_way 18", &partial]);
            // A second one changes nothing (rule R-SC-4).
            peer.respond(id, Err(too_big())).await;
            peer.end_stream(id).await;
            settle().await;
            trace.expect(&["R Partial 14", "R Finished_error 9"]);
            drop(open);
        }
    }
}

/// T-C21.
#[tokio::test(start_paused = true)]
async fn abort_on_a_closing_connection_is_not_told_of() {
    let (connection, trace, mut peer) = caller().await;
    let pipe = PIPE.dispatch(&connection, &"query".to_owned());
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let pipe = pipe.await.unwrap().unwrap();
    trace.lines();
    connection.close();
    drop(pipe);
    settle().await;
    trace.expect(&[]);
}

/// R-SC-7: a dispatch that was dropped before its answer; the abort is sent twice.
#[tokio::test(start_paused = true)]
async fn dropped_dispatch_is_told_of_like_an_abort() {
    let (connection, trace, mut peer) = caller().await;
    drop(PIPE.dispatch(&connection, &"query".to_owned()));
    let id = peer.expect_query().await.id;
    trace.expect(&["S Query 25", "S Abort 18", "R One_way 18"]);
    peer.start(id, &()).await;
    settle().await;
    trace.expect(&["S Abort 18", "R One_way 18", "R Partial 8"]);
    peer.end_stream(id).await;
    settle().await;
    trace.expect(&["R Finished_ok 9"]);

    drop(PIPE.dispatch(&connection, &"query".to_owned()));
    peer.expect_abort(id).await;
    peer.expect_abort(id).await;
    let id = peer.expect_query().await.id;
    trace.lines();
    peer.refuse(id, &"no").await;
    settle().await;
    trace.expect(&["R Finished_user_error 10"]);
}
