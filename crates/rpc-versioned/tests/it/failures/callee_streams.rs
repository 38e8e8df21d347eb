//! Pipe and state RPCs, the callee's side, in all forms.

use std::sync::{Arc, Mutex};

use rpc_core::{HandlerError, Implementation, Pipe};
use rpc_versioned::callee_converts::{PipeRpc, StateRpc, WriteError};
use rpc_versioned::{ConnectionWithMenu, Conversion};

use super::{COUNT, COUNTER, How, State, TEXT, answer, check};
use crate::pair::{Updates, assert_conversion, assert_uncaught, updates};

type Count = PipeRpc<State, i64, i64, String>;
type Counter = StateRpc<State, i64, i64, i64, String>;

/// What does not convert the query 4, the update 2, and any error.
fn count(how: How) -> Count {
    let builder = Count::builder("count").version(&COUNT, how.at(4), how.at(2), how.always());
    builder.build().unwrap()
}

fn raw_count(how: How, whole: bool) -> Count {
    Count::builder("count")
        .version_raw(
            &COUNT,
            how.at(4),
            move |updates| match whole {
                true => how.fail(),
                false => Ok(how.each(updates, 2)),
            },
            how.always(),
        )
        .build()
        .unwrap()
}

fn piping(family: &Count) -> Vec<Implementation<State>> {
    family.implement(|_, _, query| async move { Ok(answer(query)) })
}

/// The same, and not the state of the query 5.
fn counter(how: How) -> Counter {
    Counter::builder("counter")
        .version(&COUNTER, how.at(4), how.at(5), how.at(2), how.always())
        .build()
        .unwrap()
}

fn raw_counter(how: How, whole: bool) -> Counter {
    Counter::builder("counter")
        .version_raw(
            &COUNTER,
            how.at(4),
            how.at(5),
            move |_, updates| match whole {
                true => how.fail(),
                false => Ok(how.each(updates, 2)),
            },
            how.always(),
        )
        .build()
        .unwrap()
}

/// The state is the query.
fn counting(family: &Counter) -> Vec<Implementation<State>> {
    family.implement(|_, _, query| async move { Ok(answer(query).map(|updates| (query, updates))) })
}

/// V-CE-3, V-CE-4: query and error, of pipes in both forms.
#[tokio::test(start_paused = true)]
async fn query_and_error_of_a_pipe() {
    for family in [count, |how| raw_count(how, false)] {
        check(
            |how| piping(&family(how)),
            async |_, peer| {
                for (query, conversion) in [(4, "Query"), (-1, "Error")] {
                    let error = COUNT.dispatch(peer.connection(), &query).await;
                    assert_uncaught(&error.unwrap_err(), conversion, &COUNT.description());
                }
            },
        )
        .await;
    }
}

/// V-CE-3, V-CE-4: query, state and error, of states in both forms.
#[tokio::test(start_paused = true)]
async fn query_state_and_error_of_a_state() {
    for family in [counter, |how| raw_counter(how, false)] {
        check(
            |how| counting(&family(how)),
            async |_, peer| {
                for (query, conversion) in [(4, "Query"), (5, "State"), (-1, "Error")] {
                    let error = COUNTER.dispatch(peer.connection(), &query).await;
                    assert_uncaught(&error.unwrap_err(), conversion, &COUNTER.description());
                }
            },
        )
        .await;
    }
}

/// The stream has one update, and ends with *Uncaught_exn* of this conversion.
async fn assert_ends_at_the_second(pipe: Pipe<i64>, conversion: &str) {
    let mut pipe = pipe;
    assert_eq!(pipe.next().await, Some(1));
    assert_eq!(pipe.next().await, None);
    let error = pipe.close_reason().await.into_result().unwrap_err();
    let error = error.to_string();
    assert!(error.contains("type conversion failure"), "{error}");
    assert!(
        error.contains(conversion) && error.contains(TEXT),
        "{error}"
    );
}

/// V-CE-6, decision 8: what came before is sent, and the stream ends with *Uncaught_exn*.
#[tokio::test(start_paused = true)]
async fn update_of_a_pipe() {
    for family in [count, |how| raw_count(how, false)] {
        check(
            |how| piping(&family(how)),
            async |_, peer| {
                let pipe = COUNT.dispatch(peer.connection(), &0).await;
                assert_ends_at_the_second(pipe.unwrap().unwrap(), "Response").await;
            },
        )
        .await;
    }
}

/// V-CE-6, decision 8.
#[tokio::test(start_paused = true)]
async fn update_of_a_state() {
    for family in [counter, |how| raw_counter(how, false)] {
        check(
            |how| counting(&family(how)),
            async |_, peer| {
                let opened = COUNTER.dispatch(peer.connection(), &0).await;
                let (_, pipe) = opened.unwrap().unwrap();
                assert_ends_at_the_second(pipe, "Update").await;
            },
        )
        .await;
    }
}

/// V-CE-3: the function that converts the whole pipe.
#[tokio::test(start_paused = true)]
async fn whole_pipe() {
    let callee = |how| {
        let mut all = piping(&raw_count(how, true));
        all.extend(counting(&raw_counter(how, true)));
        all
    };
    check(callee, async |_, peer| {
        let error = COUNT.dispatch(peer.connection(), &0).await.unwrap_err();
        assert_uncaught(&error, "Response", &COUNT.description());
        let error = COUNTER.dispatch(peer.connection(), &0).await.unwrap_err();
        assert_uncaught(&error, "Update", &COUNTER.description());
    })
    .await;
}

/// V-CE-3 in the direct form: query and error.
#[tokio::test(start_paused = true)]
async fn query_and_error_of_the_direct_form() {
    let callee = |how| {
        let direct = count(how)
            .implement_direct(|_, _, query, _writer| async move { Ok(answer(query).map(|_| ())) });
        direct.unwrap()
    };
    check(callee, async |_, peer: &ConnectionWithMenu| {
        for (query, conversion) in [(4, "Query"), (-1, "Error")] {
            let error = COUNT.dispatch(peer.connection(), &query).await;
            assert_uncaught(&error.unwrap_err(), conversion, &COUNT.description());
        }
    })
    .await;
}

/// V-CE-7: the error of its `write`; the stream goes on.
#[tokio::test(start_paused = true)]
async fn update_of_the_direct_form() {
    let errors = Arc::new(Mutex::new(Vec::new()));
    let callee = |how| {
        let errors = errors.clone();
        let direct = count(how).implement_direct(move |_, _, query, writer| {
            let errors = errors.clone();
            async move {
                let written = (1..=query).map(|number| writer.write(number));
                errors
                    .lock()
                    .unwrap()
                    .extend(written.filter_map(Result::err));
                Ok(Ok(()))
            }
        });
        direct.unwrap()
    };
    check(callee, async |_, peer: &ConnectionWithMenu| {
        let mut pipe = COUNT
            .dispatch(peer.connection(), &3)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(pipe.next().await, Some(1));
        assert_eq!(pipe.next().await, Some(3));
        assert_eq!(pipe.next().await, None);
        pipe.close_reason().await.into_result().unwrap();
        let errors = std::mem::take(&mut *errors.lock().unwrap());
        let [WriteError::Conversion(error)] = &errors[..] else {
            panic!("{errors:?}");
        };
        assert_conversion(error, Conversion::Response, &COUNT.description(), TEXT);
    })
    .await;
}

/// What a handler makes by itself: one number, and then a failure that no conversion has.
fn failing(how: How) -> Updates<Result<i64, HandlerError>> {
    let numbers = [3, 2].into_iter();
    updates(numbers.map(move |number| how.at(2)(number).map_err(HandlerError::new)))
}

async fn assert_fails_by_itself(mut pipe: Pipe<i64>) {
    assert_eq!(pipe.next().await, Some(3));
    assert_eq!(pipe.next().await, None);
    let error = pipe.close_reason().await.into_result().unwrap_err();
    let error = error.to_string();
    assert!(error.contains(TEXT), "{error}");
    assert!(!error.contains("type conversion failure"), "{error}");
}

/// A handler's own stream that fails or panics is no conversion: it is told as what it is, in all forms.
#[tokio::test(start_paused = true)]
async fn stream_of_the_handler() {
    for is_raw in [false, true] {
        let callee = |how: How| {
            let (pipe, state) = match is_raw {
                false => (count(how), counter(how)),
                true => (raw_count(how, false), raw_counter(how, false)),
            };
            let mut all =
                pipe.implement_fallible(move |_, _, _| async move { Ok(Ok(failing(how))) });
            all.extend(
                state.implement_fallible(move |_, _, _| async move { Ok(Ok((1, failing(how)))) }),
            );
            all
        };
        check(callee, async |_, peer| {
            let pipe = COUNT.dispatch(peer.connection(), &1).await;
            assert_fails_by_itself(pipe.unwrap().unwrap()).await;
            let opened = COUNTER.dispatch(peer.connection(), &1).await;
            let (_, pipe) = opened.unwrap().unwrap();
            assert_fails_by_itself(pipe).await;
        })
        .await;
    }
}
