//! Finished callers that were mapped to another model: those conversions fail as the registered ones do.

use rpc_versioned::Conversion::{Error, Msg, Query, Response, State, Update};
use rpc_versioned::caller_converts::{OneWay, PipeMessage, PipeRpc, Rpc, StateRpc};

use super::{COUNT, COUNTER, NOTE, SQUARE, TEXT, check_caller, not_called, without_sending};
use crate::pair::{assert_call, assert_conversion};

fn square() -> Rpc<i64, i64> {
    let builder = Rpc::builder("square").version_from(&SQUARE);
    builder.build().unwrap()
}

fn count() -> PipeRpc<i64, i64, String> {
    let builder = PipeRpc::builder("count").version_from(&COUNT);
    builder.build().unwrap()
}

fn counter() -> StateRpc<i64, i64, i64, String> {
    let builder = StateRpc::builder("counter").version_from(&COUNTER);
    builder.build().unwrap()
}

/// V-CA-1: of every kind, and of a callback; nothing is sent.
#[tokio::test(start_paused = true)]
async fn query() {
    check_caller(async |how, peer| {
        let caller = square().map_query(how.at(4));
        let error = without_sending(peer, || caller.dispatch(peer, 4)).await;
        assert_call(error.unwrap_err(), Query, &SQUARE.description(), TEXT);

        let caller = OneWay::<i64>::builder("note").version_from(&NOTE);
        let caller = caller.build().unwrap().map_query(how.at(4));
        let error = without_sending(peer, async || caller.dispatch(peer, 4)).await;
        assert_call(error.unwrap_err(), Msg, &NOTE.description(), TEXT);

        let caller = count().map_query(how.at(4));
        let error = without_sending(peer, || caller.dispatch(peer, 4)).await;
        assert_call(error.unwrap_err(), Query, &COUNT.description(), TEXT);
        let dispatch = || caller.dispatch_with(peer, 4, not_called);
        let error = without_sending(peer, dispatch).await.unwrap_err();
        assert_call(error, Query, &COUNT.description(), TEXT);

        let caller = counter().map_query(how.at(4));
        let error = without_sending(peer, || caller.dispatch(peer, 4)).await;
        assert_call(error.unwrap_err(), Query, &COUNTER.description(), TEXT);
    })
    .await;
}

/// V-CA-2.
#[tokio::test(start_paused = true)]
async fn response() {
    check_caller(async |how, peer| {
        let caller = square().map_response(how.at(16));
        let error = caller.dispatch(peer, 4).await.unwrap_err();
        assert_call(error, Response, &SQUARE.description(), TEXT);
        assert_eq!(caller.dispatch(peer, 5).await.unwrap(), 25);
    })
    .await;
}

/// V-CA-3: of pipes, of callbacks, and of states.
#[tokio::test(start_paused = true)]
async fn error() {
    check_caller(async |how, peer| {
        let caller = count().map_error(how.always());
        let error = caller.dispatch(peer, -1).await.unwrap_err();
        assert_call(error, Error, &COUNT.description(), TEXT);
        let dispatch = caller.dispatch_with(peer, -1, not_called);
        let error = dispatch.await.unwrap_err();
        assert_call(error, Error, &COUNT.description(), TEXT);
        let caller = counter().map_error(how.always());
        let error = caller.dispatch(peer, -1).await.unwrap_err();
        assert_call(error, Error, &COUNTER.description(), TEXT);
    })
    .await;
}

/// V-CA-4: an error in its place; what failed before is not converted again.
#[tokio::test(start_paused = true)]
async fn update() {
    check_caller(async |how, peer| {
        let twice_bad = count().map_update(how.at(3)).map_update(how.at(2));
        let mut pipe = twice_bad.dispatch(peer, 4).await.unwrap().unwrap();
        let state_too = counter().map_update(how.at(3)).map_update(how.at(2));
        let (_, mut updates) = state_too.dispatch(peer, 4).await.unwrap().unwrap();
        for number in 1..=4 {
            let from_pipe = pipe.next().await.unwrap();
            let from_state = updates.next().await.unwrap();
            if number == 1 || number == 4 {
                assert_eq!(from_pipe.unwrap(), number);
                assert_eq!(from_state.unwrap(), number);
                continue;
            }
            let (of_pipe, of_state) = (COUNT.description(), COUNTER.description());
            assert_conversion(&from_pipe.unwrap_err(), Response, &of_pipe, TEXT);
            assert_conversion(&from_state.unwrap_err(), Update, &of_state, TEXT);
        }
        assert!(pipe.next().await.is_none());
        assert!(updates.next().await.is_none());
    })
    .await;
}

/// V-CA-8.
#[tokio::test(start_paused = true)]
async fn update_for_a_callback() {
    check_caller(async |how, peer| {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let caller = count().map_update(how.at(2));
        let opened = caller.dispatch_with(peer, 0, move |message| {
            tell.send(message).unwrap();
        });
        opened.await.unwrap().unwrap();
        assert!(matches!(told.recv().await, Some(PipeMessage::Update(1))));
        let Some(PipeMessage::Closed(Err(error))) = told.recv().await else {
            panic!("no error");
        };
        assert_call(error, Response, &COUNT.description(), TEXT);
        assert!(told.recv().await.is_none());
    })
    .await;
}

/// V-CA-6: the stream is closed.
#[tokio::test(start_paused = true)]
async fn state() {
    check_caller(async |how, peer| {
        let caller = counter().map_state(how.at(100));
        let error = caller.dispatch(peer, 0).await.unwrap_err();
        assert_call(error, State, &COUNTER.description(), TEXT);
    })
    .await;
}
