//! Pipe and state RPCs, the caller's side, in all forms.

use rpc_versioned::Conversion::{Error, Query, Response, State, Update};
use rpc_versioned::caller_converts::{PipeMessage, PipeRpc, StateRpc};
use rpc_versioned::convert::Convert;
use rpc_versioned::{Conversion, ConversionError, caller_converts};
use rpc_wire::Description;

use super::{COUNT, COUNTER, How, REFUSAL, TEXT, check_caller, not_called, without_sending};
use crate::pair::{assert_call, assert_conversion};

type Count = PipeRpc<i64, i64, String>;
type Counter = StateRpc<i64, i64, i64, String>;

fn count(
    query: impl Convert<i64, i64>,
    update: impl Convert<i64, i64>,
    error: impl Convert<String, String>,
) -> Count {
    let builder = Count::builder("count").version(&COUNT, query, update, error);
    builder.build().unwrap()
}

fn counter(
    query: impl Convert<i64, i64>,
    state: impl Convert<i64, i64>,
    update: impl Convert<i64, i64>,
    error: impl Convert<String, String>,
) -> Counter {
    let builder = Counter::builder("counter").version(&COUNTER, query, state, update, error);
    builder.build().unwrap()
}

/// The whole pipe: of what `how` does at 2, or at the start.
fn raw_count(how: How, whole: bool) -> Count {
    Count::builder("count")
        .version_raw(
            &COUNT,
            how.at(4),
            move |pipe| match whole {
                true => how.fail(),
                false => Ok(how.each(pipe, 2)),
            },
            how.always(),
        )
        .build()
        .unwrap()
}

fn raw_counter(how: How, whole: bool) -> Counter {
    Counter::builder("counter")
        .version_raw(
            &COUNTER,
            how.at(4),
            Ok,
            move |pipe| match whole {
                true => how.fail(),
                false => Ok(how.each(pipe, 2)),
            },
            how.always(),
        )
        .build()
        .unwrap()
}

/// What is left of this stream, errors being those of this conversion.
async fn rest(
    mut pipe: caller_converts::Pipe<i64>,
    conversion: Conversion,
    rpc: &Description,
) -> Vec<Option<i64>> {
    let told = |error: ConversionError| assert_conversion(&error, conversion, rpc, TEXT);
    let mut seen = Vec::new();
    while let Some(update) = pipe.next().await {
        seen.push(update.map_err(told).ok());
    }
    seen
}

/// V-CA-1, of both kinds, their raw forms, and with a callback.
#[tokio::test(start_paused = true)]
async fn query() {
    check_caller(async |how, peer| {
        for caller in [count(how.at(4), Ok, Ok), raw_count(how, false)] {
            let error = without_sending(peer, || caller.dispatch(peer, 4)).await;
            assert_call(error.unwrap_err(), Query, &COUNT.description(), TEXT);
        }
        for caller in [counter(how.at(4), Ok, Ok, Ok), raw_counter(how, false)] {
            let error = without_sending(peer, || caller.dispatch(peer, 4)).await;
            assert_call(error.unwrap_err(), Query, &COUNTER.description(), TEXT);
        }
        let caller = count(how.at(4), Ok, Ok);
        let dispatch = || caller.dispatch_with(peer, 4, not_called);
        let error = without_sending(peer, dispatch).await.unwrap_err();
        assert_call(error, Query, &COUNT.description(), TEXT);
    })
    .await;
}

/// V-CA-3, likewise.
#[tokio::test(start_paused = true)]
async fn error() {
    check_caller(async |how, peer| {
        for caller in [count(Ok, Ok, how.always()), raw_count(how, false)] {
            let error = caller.dispatch(peer, -1).await.unwrap_err();
            assert_call(error, Error, &COUNT.description(), TEXT);
        }
        for caller in [counter(Ok, Ok, Ok, how.always()), raw_counter(how, false)] {
            let error = caller.dispatch(peer, -1).await.unwrap_err();
            assert_call(error, Error, &COUNTER.description(), TEXT);
        }
        let caller = count(Ok, Ok, how.always());
        let dispatch = caller.dispatch_with(peer, -1, not_called);
        let error = dispatch.await.unwrap_err();
        assert_call(error, Error, &COUNT.description(), TEXT);
        let caller = count(Ok, Ok, how.at("other".to_owned()));
        let refusal = caller.dispatch(peer, -1).await.unwrap().unwrap_err();
        assert_eq!(refusal, REFUSAL);
    })
    .await;
}

/// V-CA-4: an error in its place, and the stream goes on.
#[tokio::test(start_paused = true)]
async fn update() {
    check_caller(async |how, peer| {
        let expected = [Some(1), None, Some(3), Some(4), Some(5)];
        let pipe = count(Ok, how.at(2), Ok).dispatch(peer, 5).await;
        let pipe = pipe.unwrap().unwrap();
        assert_eq!(rest(pipe, Response, &COUNT.description()).await, expected);
        let opened = counter(Ok, Ok, how.at(2), Ok).dispatch(peer, 5).await;
        let (_, pipe) = opened.unwrap().unwrap();
        assert_eq!(rest(pipe, Update, &COUNTER.description()).await, expected);
    })
    .await;
}

/// V-CA-4, V-CA-7: in a raw form, too; a panic of what it made is the last that comes of it.
#[tokio::test(start_paused = true)]
async fn update_in_a_raw_form() {
    check_caller(async |how, peer| {
        let expected = match how {
            How::Fails => vec![Some(1), None, Some(3), Some(4), Some(5)],
            How::Panics => vec![Some(1), None],
        };
        let pipe = raw_count(how, false).dispatch(peer, 5).await;
        let pipe = pipe.unwrap().unwrap();
        assert_eq!(rest(pipe, Response, &COUNT.description()).await, expected);
        let opened = raw_counter(how, false).dispatch(peer, 5).await;
        let (_, pipe) = opened.unwrap().unwrap();
        assert_eq!(rest(pipe, Update, &COUNTER.description()).await, expected);
    })
    .await;
}

/// V-CA-7: the dispatch fails, and the stream is closed.
#[tokio::test(start_paused = true)]
async fn whole_pipe() {
    check_caller(async |how, peer| {
        let error = raw_count(how, true).dispatch(peer, 0).await.unwrap_err();
        assert_call(error, Response, &COUNT.description(), TEXT);
        let error = raw_counter(how, true).dispatch(peer, 0).await.unwrap_err();
        assert_call(error, Update, &COUNTER.description(), TEXT);
    })
    .await;
}

/// V-CA-6: the dispatch fails, and the stream is closed; in the raw form, too.
#[tokio::test(start_paused = true)]
async fn state() {
    check_caller(async |how, peer| {
        let raw = Counter::builder("counter")
            .version_raw(
                &COUNTER,
                Ok,
                how.at(100),
                move |pipe| Ok(how.each(pipe, 2)),
                Ok,
            )
            .build()
            .unwrap();
        for caller in [counter(Ok, how.at(100), Ok, Ok), raw] {
            let error = caller.dispatch(peer, 0).await.unwrap_err();
            assert_call(error, State, &COUNTER.description(), TEXT);
        }
    })
    .await;
}

/// V-CA-8: the stream is broken off, and the callback is told why.
#[tokio::test(start_paused = true)]
async fn update_for_a_callback() {
    check_caller(async |how, peer| {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let caller = count(Ok, how.at(2), Ok);
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
