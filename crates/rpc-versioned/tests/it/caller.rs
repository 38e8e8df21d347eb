//! Plain and one-way RPCs, the caller's side: conversions that fail, and that panic.

use std::error::Error;
use std::num::TryFromIntError;

use rpc_core::{Implementation, OneWay, Rpc};
use rpc_versioned::convert::{Unconvertible, try_into};
use rpc_versioned::{CallError, ConnectionWithMenu, Conversion, caller_converts};

use crate::pair::{assert_call, serving, settle};

static SQUARE: Rpc<i64, i64> = Rpc::new("square", 1);
static LOG: OneWay<i64> = OneWay::new("log", 1);

async fn squaring() -> (ConnectionWithMenu, rpc_core::Connection) {
    let square = Implementation::blocking(&SQUARE, |(), number| Ok(number * number));
    let log = Implementation::one_way(&LOG, |(), _| async { Ok(()) });
    serving([square, log], ()).await
}

/// Fails of 13, panics of 14.
fn unlucky(number: i64) -> Result<i64, Unconvertible> {
    match number {
        13 => Err(Unconvertible::new("thirteen")),
        14 => panic!("fourteen"),
        _ => Ok(number),
    }
}

async fn assert_well(connection: &ConnectionWithMenu) {
    let connection = connection.connection();
    assert_eq!(SQUARE.dispatch(connection, &9).await.unwrap(), 81);
    assert_eq!(connection.open_queries(), 0);
    assert!(!connection.is_closed());
}

/// V-CA-1, ZV4, V-CF-1: a failing or panicking conversion of the query, in both forms of a plain RPC
/// and of a message; nothing is sent.
#[tokio::test(start_paused = true)]
async fn query_that_cannot_be_converted_is_not_sent() {
    let (connection, _callee) = squaring().await;
    let sent =
        || connection.connection().bytes_written() + connection.connection().bytes_to_write();
    let before = sent();
    let plain = caller_converts::Rpc::<i64, i64>::builder("square")
        .version(&SQUARE, unlucky, Ok)
        .build()
        .unwrap();
    let with_query = caller_converts::Rpc::<i64, i64>::builder("square")
        .version_with_query(&SQUARE, |query| unlucky(*query), |_, response| Ok(response))
        .build()
        .unwrap();
    let log = caller_converts::OneWay::<i64>::builder("log").version(&LOG, unlucky);
    let log = log.build().unwrap();
    for (number, text) in [(13, "thirteen"), (14, "fourteen")] {
        for caller in [&plain, &with_query] {
            let error = caller.dispatch(&connection, number).await.unwrap_err();
            assert_call(error, Conversion::Query, &SQUARE.description(), text);
        }
        let error = log.dispatch(&connection, number).unwrap_err();
        assert_call(error, Conversion::Msg, &LOG.description(), text);
    }
    settle().await;
    assert_eq!(sent(), before);
    assert_well(&connection).await;
}

/// V-CA-2, ZV4: the response's, in both forms.
#[tokio::test(start_paused = true)]
async fn response_that_cannot_be_converted_is_the_error_of_its_dispatch() {
    let (connection, _callee) = squaring().await;
    let minus = |response: i64| unlucky(response - 3);
    let plain = caller_converts::Rpc::<i64, i64>::builder("square")
        .version(&SQUARE, Ok, minus)
        .build()
        .unwrap();
    let with_query = caller_converts::Rpc::<i64, i64>::builder("square")
        .version_with_query(
            &SQUARE,
            |query| Ok(*query),
            move |_, response| minus(response),
        )
        .build()
        .unwrap();
    for caller in [&plain, &with_query] {
        let error = caller.dispatch(&connection, 4).await.unwrap_err();
        assert_call(
            error,
            Conversion::Response,
            &SQUARE.description(),
            "thirteen",
        );
        assert_eq!(caller.dispatch(&connection, 5).await.unwrap(), 22);
    }
    let panicking = caller_converts::Rpc::<i64, i64>::builder("square")
        .version(&SQUARE, Ok, |response| unlucky(response - 2))
        .build()
        .unwrap();
    let error = panicking.dispatch(&connection, 4).await.unwrap_err();
    assert_call(
        error,
        Conversion::Response,
        &SQUARE.description(),
        "fourteen",
    );
    assert_well(&connection).await;
}

/// ZV4: the second form gets the model's query.
#[tokio::test(start_paused = true)]
async fn second_form_gets_the_query() {
    let (connection, _callee) = squaring().await;
    let caller = caller_converts::Rpc::<(i64, &str), String>::builder("square")
        .version_with_query(
            &SQUARE,
            |(number, _)| Ok(*number),
            |(number, name), response| Ok(format!("{name} of {number}: {response}")),
        )
        .build()
        .unwrap();
    let answer = caller.dispatch(&connection, (12, "square")).await.unwrap();
    assert_eq!(answer, "square of 12: 144");
}

/// V-CA-11: what fails on the way is the error of the call, and tells the version that was used.
#[tokio::test(start_paused = true)]
async fn error_of_the_call_tells_the_version() {
    let (connection, callee) = squaring().await;
    let caller = caller_converts::Rpc::<i64, i64>::builder("square").version_from(&SQUARE);
    let caller = caller.build().unwrap();
    callee.close();
    callee.closed().await;
    let error = caller.dispatch(&connection, 1).await.unwrap_err();
    assert!(matches!(
        error.dispatch_error(),
        Some(rpc_core::DispatchError::ConnectionClosed(_))
    ));
    assert_eq!(error.to_string(), "square version 1");
    assert!(error.source().is_some());
}

/// The query is in the output buffer when `dispatch` returns, whatever becomes of its future.
#[tokio::test(start_paused = true)]
async fn query_is_sent_before_anybody_waits() {
    let (connection, _callee) = squaring().await;
    let caller = caller_converts::Rpc::<i64, i64>::builder("square").version_from(&SQUARE);
    let caller = caller.build().unwrap();
    drop(caller.dispatch(&connection, 1));
    assert_eq!(connection.connection().open_queries(), 1);
    settle().await;
    assert_well(&connection).await;
}

/// V-CF-1: the exception of a conversion is its error's source, with its own type, and the text is
/// that of the reference.
#[tokio::test(start_paused = true)]
async fn cause_of_a_failed_conversion_keeps_its_type() {
    static NARROW: Rpc<i32, i64> = Rpc::new("square", 1);
    let (connection, _callee) = squaring().await;
    let caller = caller_converts::Rpc::<i64, i64>::builder("square").version(&NARROW, try_into, Ok);
    let caller = caller.build().unwrap();
    let error = caller.dispatch(&connection, i64::MAX).await.unwrap_err();
    let CallError::Conversion(error) = error else {
        panic!("{error:?}");
    };
    assert!(error.source().unwrap().is::<TryFromIntError>());
    assert_eq!(
        error.to_string(),
        "(\"type conversion failure\"(Query(Rpc square)(Version 1)\
         (Failure\"out of range integral type conversion attempted\")))"
    );
}
