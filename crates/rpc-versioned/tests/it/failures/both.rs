//! Both halves of streams in one value: each conversion fails as that of its half does, whatever the
//! other half makes of the same values.

use rpc_core::Implementation;
use rpc_versioned::both_convert::{PipeRpc, StateRpc};
use rpc_versioned::convert::Convert;
use rpc_versioned::{CallError, Conversion, caller_converts};
use rpc_wire::Description;

use super::caller_streams::rest;
use super::{COUNT, COUNTER, Each, How, REFUSAL, State, TEXT, answer, check};
use crate::pair::{assert_call, assert_uncaught};

type Count = PipeRpc<State, i64, i64, String, i64, i64, String>;
type Counter = StateRpc<State, i64, i64, i64, String, i64, i64, i64, String>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Half {
    Caller,
    Callee,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Query,
    Error,
    State,
    Update,
    /// All updates at once, by the function of a raw form.
    Updates,
}

/// The one conversion of a family that does not succeed: of the query 4, of the refusal, of the state
/// 100, of the update 2.
#[derive(Clone, Copy, Debug)]
struct Place {
    half: Half,
    value: Value,
    how: How,
}

impl Place {
    fn is(self, half: Half, value: Value) -> bool {
        self.half == half && self.value == value
    }

    /// A number's conversion, if it is this one; otherwise one that succeeds.
    fn number(self, half: Half, value: Value, bad: i64) -> impl Convert<i64, i64> {
        // Nothing here is that small.
        let bad = if self.is(half, value) { bad } else { i64::MIN };
        self.how.at(bad)
    }

    fn queries(self) -> (impl Convert<i64, i64>, impl Convert<i64, i64>) {
        let query = |half| self.number(half, Value::Query, 4);
        (query(Half::Caller), query(Half::Callee))
    }

    fn states(self) -> (impl Convert<i64, i64>, impl Convert<i64, i64>) {
        let state = |half| self.number(half, Value::State, 100);
        (state(Half::Callee), state(Half::Caller))
    }

    fn each_update(self) -> (impl Convert<i64, i64>, impl Convert<i64, i64>) {
        let update = |half| self.number(half, Value::Update, 2);
        (update(Half::Callee), update(Half::Caller))
    }

    fn errors(self) -> (impl Convert<String, String>, impl Convert<String, String>) {
        let error = |half| {
            let is_here = self.is(half, Value::Error);
            self.how.at(if is_here { REFUSAL } else { "" }.to_owned())
        };
        (error(Half::Callee), error(Half::Caller))
    }

    /// What a raw form does with a stream.
    fn updates<St: 'static>(self, half: Half) -> impl Convert<St, Each<St>> {
        let fails = self.is(half, Value::Updates);
        let bad = if self.is(half, Value::Update) {
            2
        } else {
            i64::MIN
        };
        move |updates| match fails {
            true => self.how.fail(),
            false => Ok(self.how.each(updates, bad)),
        }
    }

    fn count(self, is_raw: bool) -> Count {
        let builder = Count::builder("count");
        let builder = match is_raw {
            false => builder.version(&COUNT, self.queries(), self.each_update(), self.errors()),
            true => {
                let updates = (self.updates(Half::Callee), self.updates(Half::Caller));
                builder.version_raw(&COUNT, self.queries(), updates, self.errors())
            }
        };
        builder.build().unwrap()
    }

    fn counter(self, is_raw: bool) -> Counter {
        let builder = Counter::builder("counter");
        let (queries, states, errors) = (self.queries(), self.states(), self.errors());
        let builder = match is_raw {
            false => builder.version(&COUNTER, queries, states, self.each_update(), errors),
            true => {
                let callee = self.updates(Half::Callee);
                let updates = (
                    move |_: &_, updates| callee(updates),
                    self.updates(Half::Caller),
                );
                builder.version_raw(&COUNTER, queries, states, updates, errors)
            }
        };
        builder.build().unwrap()
    }
}

fn piping(family: &Count) -> Vec<Implementation<State>> {
    let callee = family.callee();
    callee.implement(|_, _, query| async move { Ok(answer(query)) })
}

fn counting(family: &Counter) -> Vec<Implementation<State>> {
    let callee = family.callee();
    callee.implement(|_, _, query| async move { Ok(answer(query).map(|updates| (100, updates))) })
}

/// The dispatch fails as conversions of this half do.
#[track_caller]
fn assert_fails(error: CallError, half: Half, conversion: Conversion, rpc: &Description) {
    match (half, error) {
        (Half::Caller, error) => assert_call(error, conversion, rpc, TEXT),
        (Half::Callee, CallError::Dispatch { source, .. }) => {
            assert_uncaught(&source, &conversion.to_string(), rpc);
        }
        (Half::Callee, error) => panic!("{error:?}"),
    }
}

/// The second of five updates fails as updates of this half do.
async fn assert_second_fails(
    pipe: caller_converts::Pipe<i64>,
    place: Place,
    is_raw: bool,
    conversion: Conversion,
    rpc: &Description,
) {
    match (place.half, place.how) {
        (Half::Callee, _) => {
            let mut pipe = pipe;
            assert_eq!(pipe.next().await.unwrap().unwrap(), 1);
            assert!(pipe.next().await.is_none());
            let error = pipe.close_reason().await.into_result().unwrap_err();
            let error = error.to_string();
            let label = format!(
                "(\"type conversion failure\"({conversion}(Rpc {})",
                rpc.name
            );
            assert!(error.contains(&label) && error.contains(TEXT), "{error}");
        }
        // What panicked is not asked again.
        (Half::Caller, How::Panics) if is_raw => {
            assert_eq!(rest(pipe, conversion, rpc).await, [Some(1), None]);
        }
        (Half::Caller, _) => {
            let expected = [Some(1), None, Some(3), Some(4), Some(5)];
            assert_eq!(rest(pipe, conversion, rpc).await, expected);
        }
    }
}

const HALVES: [Half; 2] = [Half::Caller, Half::Callee];

/// V-BO-2, V-CA-1, V-CA-3, V-CA-7, V-CE-3, V-CE-4: a pipe's query and error, and the function of a raw
/// form.
#[tokio::test(start_paused = true)]
async fn dispatch_of_a_pipe() {
    for half in HALVES {
        for (value, query, conversion, forms) in [
            (Value::Query, 4, Conversion::Query, &[false, true][..]),
            (Value::Error, -1, Conversion::Error, &[false, true]),
            (Value::Updates, 0, Conversion::Response, &[true]),
        ] {
            for is_raw in forms {
                let family = |how| Place { half, value, how }.count(*is_raw);
                check(
                    |how| piping(&family(how)),
                    async |how, peer| {
                        let error = family(how).caller().dispatch(peer, query).await;
                        let rpc = COUNT.description();
                        assert_fails(error.unwrap_err(), half, conversion, &rpc);
                    },
                )
                .await;
            }
        }
    }
}

/// V-BO-2, V-CA-1, V-CA-3, V-CA-6, V-CA-7, V-CE-3, V-CE-4: the same of a state, and the state.
#[tokio::test(start_paused = true)]
async fn dispatch_of_a_state() {
    for half in HALVES {
        for (value, query, conversion, forms) in [
            (Value::Query, 4, Conversion::Query, &[false, true][..]),
            (Value::Error, -1, Conversion::Error, &[false, true]),
            (Value::State, 0, Conversion::State, &[false, true]),
            (Value::Updates, 0, Conversion::Update, &[true]),
        ] {
            for is_raw in forms {
                let family = |how| Place { half, value, how }.counter(*is_raw);
                check(
                    |how| counting(&family(how)),
                    async |how, peer| {
                        let error = family(how).caller().dispatch(peer, query).await;
                        let rpc = COUNTER.description();
                        assert_fails(error.unwrap_err(), half, conversion, &rpc);
                    },
                )
                .await;
            }
        }
    }
}

/// V-BO-2, V-BO-4, V-CA-4, V-CE-6, decision 8: an update of either kind, in either form: an error in its
/// place at the caller, the end of the stream at the callee.
#[tokio::test(start_paused = true)]
async fn update() {
    for half in HALVES {
        for is_raw in [false, true] {
            let place = |how| Place {
                half,
                value: Value::Update,
                how,
            };
            let callee = |how| {
                let mut both = piping(&place(how).count(is_raw));
                both.extend(counting(&place(how).counter(is_raw)));
                both
            };
            check(callee, async |how, peer| {
                let place = place(how);
                let opened = place.count(is_raw).caller().dispatch(peer, 5).await;
                let (pipe, rpc) = (opened.unwrap().unwrap(), COUNT.description());
                assert_second_fails(pipe, place, is_raw, Conversion::Response, &rpc).await;

                let opened = place.counter(is_raw).caller().dispatch(peer, 5).await;
                let ((state, pipe), rpc) = (opened.unwrap().unwrap(), COUNTER.description());
                assert_eq!(state, 100);
                assert_second_fails(pipe, place, is_raw, Conversion::Update, &rpc).await;
            })
            .await;
        }
    }
}
