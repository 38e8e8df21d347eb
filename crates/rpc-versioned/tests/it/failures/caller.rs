//! Plain and one-way RPCs, the caller's side.

use rpc_versioned::Conversion::{Msg, Query, Response};
use rpc_versioned::caller_converts::{OneWay, Rpc};
use rpc_versioned::convert::Convert;

use super::{NOTE, SQUARE, TEXT, check_caller, without_sending};
use crate::pair::assert_call;

fn square(query: impl Convert<i64, i64>, response: impl Convert<i64, i64>) -> Rpc<i64, i64> {
    let builder = Rpc::builder("square").version(&SQUARE, query, response);
    builder.build().unwrap()
}

/// V-CA-1: nothing is sent.
#[tokio::test(start_paused = true)]
async fn query() {
    check_caller(async |how, peer| {
        let caller = square(how.at(4), Ok);
        let error = without_sending(peer, || caller.dispatch(peer, 4)).await;
        assert_call(error.unwrap_err(), Query, &SQUARE.description(), TEXT);
        assert_eq!(caller.dispatch(peer, 5).await.unwrap(), 25);
    })
    .await;
}

/// V-CA-2.
#[tokio::test(start_paused = true)]
async fn response() {
    check_caller(async |how, peer| {
        let caller = square(Ok, how.at(16));
        let error = caller.dispatch(peer, 4).await.unwrap_err();
        assert_call(error, Response, &SQUARE.description(), TEXT);
        assert_eq!(caller.dispatch(peer, 5).await.unwrap(), 25);
    })
    .await;
}

/// V-CA-1, in the second form.
#[tokio::test(start_paused = true)]
async fn query_that_its_response_is_understood_by() {
    check_caller(async |how, peer| {
        let caller = Rpc::<i64, i64>::builder("square")
            .version_with_query(
                &SQUARE,
                move |query| how.at(4)(*query),
                |_, response| Ok(response),
            )
            .build()
            .unwrap();
        let error = without_sending(peer, || caller.dispatch(peer, 4)).await;
        assert_call(error.unwrap_err(), Query, &SQUARE.description(), TEXT);
        assert_eq!(caller.dispatch(peer, 5).await.unwrap(), 25);
    })
    .await;
}

/// V-CA-2, in the second form.
#[tokio::test(start_paused = true)]
async fn response_that_is_understood_by_its_query() {
    check_caller(async |how, peer| {
        let caller = Rpc::<i64, i64>::builder("square")
            .version_with_query(
                &SQUARE,
                |query| Ok(*query),
                move |query, response| Ok(how.at(4)(*query)? + response),
            )
            .build()
            .unwrap();
        let error = caller.dispatch(peer, 4).await.unwrap_err();
        assert_call(error, Response, &SQUARE.description(), TEXT);
        assert_eq!(caller.dispatch(peer, 5).await.unwrap(), 30);
    })
    .await;
}

/// V-CA-1: of a message, too.
#[tokio::test(start_paused = true)]
async fn message() {
    check_caller(async |how, peer| {
        let caller = OneWay::builder("note").version(&NOTE, how.at(4));
        let caller = caller.build().unwrap();
        let error = without_sending(peer, async || caller.dispatch(peer, 4)).await;
        assert_call(error.unwrap_err(), Msg, &NOTE.description(), TEXT);
        caller.dispatch(peer, 5).unwrap();
    })
    .await;
}
