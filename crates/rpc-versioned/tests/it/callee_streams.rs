//! Pipe and state RPCs, the callee's side.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use rpc_core::{
    Connection, HandlerError, Implementation, Implementations, OnException, PipeCloseReason,
    PipeRpc, Raised, StateRpc,
};
use rpc_versioned::ConnectionWithMenu;
use rpc_versioned::callee_converts::{PipeRpc as Pipes, RawVersions, StateRpc as States, Updates};
use rpc_versioned::convert::Unconvertible;
use rpc_wire::ProtocolVersion;

use crate::pair::{assert_uncaught, endless, on_purpose, pair, serving, settle, updates};

static COUNT: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1);
static COUNTER: StateRpc<i64, i64, i64, String> = StateRpc::new("counter", 1);

type Count = Pipes<(), i64, i64, String>;
type Counter = States<(), i64, i64, i64, String>;

/// Fails of 13, panics of 14.
fn unlucky(number: i64) -> Result<i64, Unconvertible> {
    match number {
        13 => Err(Unconvertible::new("thirteen")),
        14 => panic!("fourteen"),
        _ => Ok(number),
    }
}

fn unlucky_error(text: String) -> Result<String, Unconvertible> {
    match &text[..] {
        "fails" => Err(Unconvertible::new("no such error")),
        "panics" => panic!("{text}"),
        _ => Ok(text.to_uppercase()),
    }
}

fn count() -> Count {
    Count::builder("count")
        .version(&COUNT, unlucky, unlucky, unlucky_error)
        .build()
        .unwrap()
}

fn counter() -> Counter {
    Counter::builder("counter")
        .version(&COUNTER, unlucky, unlucky, unlucky, unlucky_error)
        .build()
        .unwrap()
}

/// A stream from 11 on, of as many as asked for, and a state of ten times that; refuses in words, if
/// asked for less than nothing.
fn answer(query: i64) -> Result<(i64, crate::pair::Updates<i64>), String> {
    let refusal = match query {
        -1 => "fails",
        -2 => "panics",
        -3 => "no",
        13 | 14 => panic!("the query was converted"),
        _ => return Ok((10 * query, updates(11..11 + query))),
    };
    Err(refusal.to_owned())
}

fn implementations() -> Vec<Implementation<()>> {
    let mut all = count().implement(|(), version, query| async move {
        assert_eq!(version, 1);
        Ok(answer(query).map(|(_, updates)| updates))
    });
    all.extend(counter().implement(|(), version, query| async move {
        assert_eq!(version, 1);
        // From 1.3 on the state is unlucky.
        let answer = answer(query);
        Ok(answer.map(|(state, updates)| (state / 10 + 8, updates)))
    }));
    all
}

async fn assert_well(connection: &Connection, callee: &Connection) {
    settle().await;
    assert_eq!(callee.served_streams(), 0);
    assert_eq!(connection.open_queries(), 0);
    let mut pipe = COUNT.dispatch(connection, &1).await.unwrap().unwrap();
    assert_eq!(pipe.next().await, Some(11));
    assert_eq!(pipe.next().await, None);
}

/// V-CE-3, V-CE-4, ZV10: queries (labelled `Query`), errors and states, failing and panicking; what
/// can be converted is.
#[tokio::test(start_paused = true)]
async fn failed_conversions_are_uncaught_exceptions() {
    let (caller, callee) = serving(implementations(), ()).await;
    let connection = caller.connection();
    for (query, conversion) in [(13, "Query"), (14, "Query"), (-1, "Error"), (-2, "Error")] {
        let error = COUNT.dispatch(connection, &query).await.unwrap_err();
        assert_uncaught(&error, conversion, &COUNT.description());
        let error = COUNTER.dispatch(connection, &query).await.unwrap_err();
        assert_uncaught(&error, conversion, &COUNTER.description());
    }
    for query in [5, 6] {
        let error = COUNTER.dispatch(connection, &query).await.unwrap_err();
        assert_uncaught(&error, "State", &COUNTER.description());
    }
    let refusal = COUNT.dispatch(connection, &-3).await.unwrap().unwrap_err();
    assert_eq!(refusal, "NO");
    let (state, mut pipe) = COUNTER.dispatch(connection, &2).await.unwrap().unwrap();
    assert_eq!(state, 10);
    assert_eq!(pipe.next().await, Some(11));
    assert_eq!(pipe.next().await, Some(12));
    assert_eq!(pipe.next().await, None);
    assert_well(connection, &callee).await;
}

/// V-CE-6 as decision 8 has it, ZV11: an update that cannot be converted ends the stream with
/// *Uncaught_exn*, after what came before it; the policy is told of a raise in the background, and
/// the connection goes on.
#[tokio::test(start_paused = true)]
async fn bad_update_ends_the_stream() {
    let skipping = Count::builder("count")
        .version(
            &COUNT,
            Ok,
            |update| unlucky(if update == 13 { 130 } else { update }),
            Ok,
        )
        .build()
        .unwrap();
    let skipping = skipping
        .implement(|(), _, query| async move { Ok(answer(query).map(|(_, updates)| updates)) });
    for (implementations, seen) in [
        (implementations(), vec![11, 12]),
        (skipping, vec![11, 12, 130]),
    ] {
        let raised = Arc::new(Mutex::new(Vec::new()));
        let noted = raised.clone();
        let policy = OnException::call(move |exception| {
            noted.lock().unwrap().push(exception.raised);
        });
        let table = Implementations::builder()
            .implementations(implementations)
            .on_exception(policy);
        let (connection, callee) = pair(ProtocolVersion::MAX, &table.build().unwrap(), ()).await;
        let mut pipe = COUNT.dispatch(&connection, &7).await.unwrap().unwrap();
        for expected in seen {
            assert_eq!(pipe.next().await, Some(expected));
        }
        assert_eq!(pipe.next().await, None);
        let PipeCloseReason::Error(error) = pipe.close_reason().await else {
            panic!("ended in the ordinary way");
        };
        assert_uncaught(&error, "Response", &COUNT.description());
        assert_eq!(*raised.lock().unwrap(), [Raised::InBackground]);
        drop(pipe);
        assert_well(&connection, &callee).await;
    }
    let (caller, callee) = serving(implementations(), ()).await;
    let opened = COUNTER.dispatch(caller.connection(), &3).await;
    let (_, mut pipe) = opened.unwrap().unwrap();
    assert_eq!(pipe.next().await, Some(11));
    assert_eq!(pipe.next().await, Some(12));
    assert_eq!(pipe.next().await, None);
    let error = pipe.close_reason().await.into_result().unwrap_err();
    assert_uncaught(&error, "Update", &COUNTER.description());
    drop(pipe);
    assert_well(caller.connection(), &callee).await;
}

/// A caller that goes away is noticed through the conversion: the handler's stream is dropped.
#[tokio::test(start_paused = true)]
async fn abort_drops_the_handlers_stream() {
    struct Noted(crate::pair::Updates<i64>, Arc<Mutex<i64>>);

    impl Stream for Noted {
        type Item = i64;

        fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<i64>> {
            Pin::new(&mut self.get_mut().0).poll_next(cx)
        }
    }

    impl Drop for Noted {
        fn drop(&mut self) {
            *self.1.lock().unwrap() += 1;
        }
    }

    let dropped = Arc::new(Mutex::new(0));
    let noted = dropped.clone();
    let implementations = count().implement(move |(), _, _| {
        let stream = Noted(endless([1]), noted.clone());
        async move { Ok(Ok(stream)) }
    });
    let (caller, callee) = serving(implementations, ()).await;
    let mut pipe = COUNT
        .dispatch(caller.connection(), &1)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(pipe.next().await, Some(1));
    assert_eq!(*dropped.lock().unwrap(), 0);
    drop(pipe);
    settle().await;
    assert_eq!(*dropped.lock().unwrap(), 1);
    assert_eq!(callee.served_streams(), 0);
}

/// A handler's stream that fails ends with its own failure, through conversions of both forms; the
/// raw form's own stream ends first.
#[tokio::test(start_paused = true)]
async fn handlers_stream_that_fails_ends_with_its_failure() {
    let plain = count().implement_fallible(|(), _, _| async { Ok(Ok(updates(failing()))) });
    let raw = Count::builder("count").version_raw(&COUNT, Ok, |updates| Ok(twice(updates)), Ok);
    let raw = raw.build().unwrap();
    let raw = raw.implement_fallible(|(), _, _| async { Ok(Ok(updates(failing()))) });
    for (implementations, seen) in [(plain, vec![1, 2]), (raw, vec![1, 1, 2, 2])] {
        let (caller, callee) = serving(implementations, ()).await;
        let mut pipe = COUNT
            .dispatch(caller.connection(), &1)
            .await
            .unwrap()
            .unwrap();
        for expected in seen {
            assert_eq!(pipe.next().await, Some(expected));
        }
        assert_eq!(pipe.next().await, None);
        let error = pipe.close_reason().await.into_result().unwrap_err();
        assert!(error.to_string().contains("on purpose"), "{error}");
        drop(pipe);
        settle().await;
        assert_eq!(callee.served_streams(), 0);
    }
    let fails = counter().implement_fallible(|(), _, _| async { Ok(Ok((1, updates(failing())))) });
    let (caller, _callee) = serving(fails, ()).await;
    let opened = COUNTER.dispatch(caller.connection(), &1).await;
    let (_, mut pipe) = opened.unwrap().unwrap();
    assert_eq!(pipe.next().await, Some(1));
    assert_eq!(pipe.next().await, Some(2));
    assert_eq!(pipe.next().await, None);
    let error = pipe.close_reason().await.into_result().unwrap_err();
    assert!(error.to_string().contains("on purpose"), "{error}");
}

fn failing() -> [Result<i64, HandlerError>; 4] {
    [Ok(1), Ok(2), Err(on_purpose()), Ok(3)]
}

/// Each update twice; fails at 13, panics at 14.
struct Twice {
    updates: Updates<i64>,
    again: Option<i64>,
}

fn twice(updates: Updates<i64>) -> Twice {
    Twice {
        updates,
        again: None,
    }
}

impl Stream for Twice {
    type Item = Result<i64, Unconvertible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(update) = this.again.take() {
            return Poll::Ready(Some(Ok(update)));
        }
        this.again = ready!(Pin::new(&mut this.updates).poll_next(cx));
        Poll::Ready(this.again.map(unlucky))
    }
}

/// The raw forms of §6: the pipe is converted as a whole; what fails in it, or panics, ends the stream
/// (V-CE-6); a state's gets the state of the model too.
#[tokio::test(start_paused = true)]
async fn raw_forms_convert_the_whole_pipe() {
    let count = Count::builder("count").version_raw(&COUNT, Ok, |updates| Ok(twice(updates)), Ok);
    let mut all = count
        .build()
        .unwrap()
        .implement(|(), _, query| async move { Ok(Ok(updates(query..query + 2))) });
    let counter = Counter::builder("counter").version_raw(
        &COUNTER,
        Ok,
        |state| Ok(-state),
        |state, updates| match *state {
            0 => Err(Unconvertible::new("no state")),
            _ => Ok(twice(updates)),
        },
        Ok,
    );
    all.extend(
        counter
            .build()
            .unwrap()
            .implement(|(), _, query| async move { Ok(Ok((query, updates(query..query + 2)))) }),
    );
    let (caller, callee) = serving(all, ()).await;
    let connection = caller.connection();
    for (first, seen, fails) in [
        (1, vec![1, 1, 2, 2], false),
        (12, vec![12, 12], true),
        (14, vec![], true),
    ] {
        let mut pipe = COUNT.dispatch(connection, &first).await.unwrap().unwrap();
        let (state, mut updates) = COUNTER.dispatch(connection, &first).await.unwrap().unwrap();
        assert_eq!(state, -first);
        for expected in seen {
            assert_eq!(pipe.next().await, Some(expected));
            assert_eq!(updates.next().await, Some(expected));
        }
        assert_eq!(pipe.next().await, None);
        assert_eq!(updates.next().await, None);
        let (count, counter) = tokio::join!(pipe.close_reason(), updates.close_reason());
        if fails {
            let error = count.into_result().unwrap_err();
            assert_uncaught(&error, "Response", &COUNT.description());
            let error = counter.into_result().unwrap_err();
            assert_uncaught(&error, "Update", &COUNTER.description());
        } else {
            count.into_result().unwrap();
            counter.into_result().unwrap();
        }
    }
    let error = COUNTER.dispatch(connection, &0).await.unwrap_err();
    assert_uncaught(&error, "Update", &COUNTER.description());
    settle().await;
    assert_eq!(callee.served_streams(), 0);
    assert_eq!(connection.open_queries(), 0);
}

/// V-CE-8: a family with a version in raw form has no direct form; all of them are told.
#[tokio::test(start_paused = true)]
async fn raw_versions_have_no_direct_form() {
    static LATER: PipeRpc<i64, i64, String> = PipeRpc::new("count", 2);
    let family = Count::builder("count")
        .version_raw(&COUNT, Ok, |updates| Ok(twice(updates)), Ok)
        .version_from(&LATER)
        .build()
        .unwrap();
    let error = family
        .implement_direct(|(), _, _, _| async { Ok(Ok(())) })
        .unwrap_err();
    assert_eq!(error, RawVersions(vec![COUNT.description()]));
    assert_eq!(
        error.to_string(),
        "cannot use the direct interface with versions in raw form: count version 1"
    );
    let implementations = family.implement(|(), _, _| async { Ok(Ok(updates([1]))) });
    let (caller, _callee) = serving(implementations, ()).await;
    for (rpc, expected) in [(&COUNT, vec![1, 1]), (&LATER, vec![1])] {
        let mut pipe = rpc
            .dispatch(caller.connection(), &1)
            .await
            .unwrap()
            .unwrap();
        for expected in expected {
            assert_eq!(pipe.next().await, Some(expected));
        }
        assert_eq!(pipe.next().await, None);
    }
}

/// V-CE-2 as the page mends it: every form tells of new versions, the direct one too.
#[tokio::test(start_paused = true)]
async fn new_versions_of_streams_are_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listen = || {
        let told = told.clone();
        move |rpc: &rpc_versioned::Registered| told.lock().unwrap().push(rpc.description())
    };
    let count = count().on_new_version(listen());
    let raw = Count::builder("count").version_raw(&COUNT, Ok, |updates| Ok(twice(updates)), Ok);
    let raw = raw.build().unwrap().on_new_version(listen());
    for implementations in [
        count.implement(|(), _, _| async { Ok(Ok(updates([1]))) }),
        count
            .implement_direct(|(), _, _, _| async { Ok(Ok(())) })
            .unwrap(),
        raw.implement(|(), _, _| async { Ok(Ok(updates([1]))) }),
    ] {
        let (caller, _callee) = serving(implementations, ()).await;
        for _ in 0..2 {
            drop(
                COUNT
                    .dispatch(caller.connection(), &1)
                    .await
                    .unwrap()
                    .unwrap(),
            );
        }
        assert_eq!(
            std::mem::take(&mut *told.lock().unwrap()),
            [COUNT.description()]
        );
    }
    let counter = counter().on_new_version(listen());
    let implementations = counter.implement(|(), _, _| async { Ok(Ok((1, updates([1])))) });
    let (caller, _callee): (ConnectionWithMenu, _) = serving(implementations, ()).await;
    for _ in 0..2 {
        drop(
            COUNTER
                .dispatch(caller.connection(), &1)
                .await
                .unwrap()
                .unwrap(),
        );
    }
    assert_eq!(*told.lock().unwrap(), [COUNTER.description()]);
}
