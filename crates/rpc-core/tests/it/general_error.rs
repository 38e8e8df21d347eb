//! Errors that say what they are about.

use bin_prot::Sexp;
use rpc_core::connection::Config;
use rpc_core::{DispatchError, DispatchResult, ExpertRpc, GeneralError, PipeCloseReason};
use rpc_wire::{Message, QueryId, RpcError, UnimplementedVersion};
use tokio::time::{Duration, sleep};

use crate::pair::{pair, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, ECHO, HOLD, MISSING, NOTE, SLEEP};

fn sexp(text: &str) -> Sexp {
    text.parse().unwrap()
}

/// The record of R-ER-10 with this error in it.
fn record(error: &str, connection: &str, name: &str, version: i64) -> Sexp {
    sexp(&format!(
        "((rpc_error {error}) (connection_description {connection})
          (rpc_name {name}) (rpc_version {version}))"
    ))
}

/// H1, R-ER-10, R-ER-11, C-CL-24, decision 27: the peer has closed.
#[tokio::test(start_paused = true)]
async fn closed_connection_is_shown_with_its_reason() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let call = SLEEP.dispatch(&near, &3_600_000);
    sleep(Duration::from_secs(1)).await;
    far.close();
    let error = call.await.concerning(&SLEEP, &near).unwrap_err();
    let closed = r#"(Connection_closed
        (("EOF or connection closed" (connection_description near))))"#;
    assert_eq!(error.to_sexp(), record(closed, "near", "sleep", 1));
    assert_eq!(error.to_string(), error.to_sexp().to_string());
    assert_eq!(*error.rpc(), SLEEP.description());
    assert_eq!(error.connection(), "near");
    assert!(matches!(error.error(), DispatchError::ConnectionClosed(_)));
}

/// H15: this side has closed; the description stands there twice.
#[tokio::test(start_paused = true)]
async fn own_close_is_shown_in_the_errors_of_own_calls() {
    let (near, _far, _) = pair(Config::default(), Config::default()).await;
    let call = SLEEP.dispatch(&near, &3_600_000);
    near.close();
    let error = call.await.concerning(&SLEEP, &near).unwrap_err();
    let closed = r#"(Connection_closed
        ((("Connection closed by local side:" Rpc.Connection.close)
          (connection_description near))))"#;
    assert_eq!(error.to_sexp(), record(closed, "near", "sleep", 1));
}

/// R-ER-11: close has not started; and, once it has, the reason at that moment.
#[tokio::test(start_paused = true)]
async fn connection_that_takes_no_more_queries_has_no_reason_yet() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    peer.send(&Message::CloseStarted).await;
    settle().await;
    let refused = ECHO.dispatch(&connection, &"x".to_owned()).await;
    let error = refused.clone().concerning(&ECHO, &connection).unwrap_err();
    let description = "<created-directly>";
    let expected = record("(Connection_closed ())", description, "echo", 1);
    assert_eq!(error.to_sexp(), expected);
    assert_eq!(
        refused.as_ref().unwrap_err().to_sexp(),
        sexp("(Connection_closed ())")
    );
    connection.close_with_reason("bye");
    let error = refused.concerning(&ECHO, &connection).unwrap_err();
    assert!(error.to_string().contains("bye"), "{error}");
}

/// R-ER-10, R-ER-11: other errors show their own text. Of whatever kind the RPC is, and whether
/// its dispatch is awaited or not.
#[tokio::test(start_paused = true)]
async fn every_form_of_dispatch_has_it() {
    fn check<T: std::fmt::Debug>(result: Result<T, GeneralError>, expected: &str) {
        let text = result.unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
    let (near, _far, _) = pair(Config::default().max_message_size(1000), Config::default()).await;
    let long = "x".repeat(2000);
    let echo = ECHO.dispatch(&near, &long).await.concerning(&ECHO, &near);
    check(echo, "(Message_too_big((size 20");
    let note = NOTE.dispatch(&near, &long).concerning(&NOTE, &near);
    check(note, "(rpc_name note)");
    let missing = MISSING.dispatch(&near, &"x".to_owned()).await;
    let missing = missing.concerning(&MISSING, &near).unwrap_err();
    let unimplemented = "(Unimplemented_rpc missing (Version 1))";
    assert_eq!(
        missing.to_sexp(),
        record(unimplemented, "near", "missing", 1)
    );
    let expert = ExpertRpc::new("missing", 7);
    let missing = expert.dispatch(&near, b"\x01x").await;
    let missing = missing.concerning(&expert, &near).unwrap_err();
    assert_eq!(missing.rpc().version, 7);

    near.close();
    let pipe = COUNT.dispatch(&near, &1).await.concerning(&COUNT, &near);
    check(pipe, "(rpc_name count)");
    let state = COUNTER.dispatch(&near, &1).await;
    check(state.concerning(&COUNTER, &near), "(rpc_name counter)");
    let echo = ECHO.dispatch(&near, &long).await;
    let by_name = ECHO.description();
    check(echo.concerning(&by_name, &near), "(rpc_name echo)");
}

/// ZR38, R-ER-10: the record of each error that a callee answers with, and of those of this side.
#[tokio::test(start_paused = true)]
async fn record_of_each_error() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let told = sexp("(its text)");
    for (answer, expected) in [
        (RpcError::BinIoExn(told.clone()), "(Bin_io_exn (its text))"),
        (RpcError::ConnectionClosed, "Connection_closed"),
        (
            RpcError::WriteError(told.clone()),
            "(Write_error (its text))",
        ),
        (
            RpcError::UncaughtExn(told.clone()),
            "(Uncaught_exn (its text))",
        ),
        (
            RpcError::UnimplementedRpc("missing".into(), UnimplementedVersion::Version(7)),
            "(Unimplemented_rpc missing (Version 7))",
        ),
        (
            RpcError::UnknownQueryId(QueryId::new(5)),
            "(Unknown_query_id 5)",
        ),
        (
            RpcError::AuthorizationFailure(told.clone()),
            "(Authorization_failure (its text))",
        ),
        (
            RpcError::MessageTooBig {
                size: 2,
                max_message_size: 1,
            },
            "(Message_too_big ((size 2) (max_message_size 1)))",
        ),
        (RpcError::Unknown(told.clone()), "(Unknown (its text))"),
        (RpcError::LiftError(told), "(Lift_error (its text))"),
    ] {
        let call = ECHO.dispatch(&connection, &String::new());
        let id = peer.expect_query().await.id;
        peer.respond(id, Err(answer)).await;
        let error = call.await.concerning(&ECHO, &connection).unwrap_err();
        let expected = record(expected, "<created-directly>", "echo", 1);
        assert_eq!(error.to_sexp(), expected);
    }
    // An undecodable answer is an error of this side's, in the same words.
    let call = ECHO.dispatch(&connection, &String::new());
    let id = peer.expect_query().await.id;
    peer.respond(id, Ok(b"\x02he!")).await;
    let error = call.await.concerning(&ECHO, &connection).unwrap_err();
    let undecodable = r#"(Bin_io_exn
        ((location "client-side rpc response un-bin-io'ing")
         (exn (Failure "message length (3) did not match expected length (4)"))))"#;
    let expected = record(undecodable, "<created-directly>", "echo", 1);
    assert_eq!(error.to_sexp(), expected);
    // What makes no sense ends the connection, and is an exception to those who wait.
    let call = ECHO.dispatch(&connection, &String::new());
    peer.expect_query().await;
    peer.send_bytes(&[0xff; 8]).await;
    let error = call.await.concerning(&ECHO, &connection).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("((rpc_error(Uncaught_exn"), "{text}");
    assert!(text.contains("exn raised in RPC connection loop"), "{text}");
}

/// R-ER-12: the end of a stream has the error's text alone.
#[tokio::test(start_paused = true)]
async fn end_of_a_stream_says_nothing_of_rpc_and_connection() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let pipe = HOLD.dispatch(&near, &()).await.unwrap().unwrap();
    far.close_with_reason("bye");
    let PipeCloseReason::Error(error) = pipe.close_reason().await else {
        panic!();
    };
    let expected = r#"(Connection_closed
        ((("Connection closed by remote side:" bye) (connection_description near))))"#;
    assert_eq!(error.to_sexp(), sexp(expected));
    let error = DispatchError::Rpc(RpcError::UncaughtExn(sexp("(Failure x)")));
    assert_eq!(error.to_sexp(), sexp("(Uncaught_exn (Failure x))"));
}
