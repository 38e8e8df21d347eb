//! Dispatches of a pipe RPC with a callback: what it gets, and conversions that fail there.

use std::sync::{Arc, Mutex};

use rpc_core::{Connection, Implementation, PipeCloseReason, PipeResponse, PipeRpc, Rpc, StateRpc};
use rpc_versioned::caller_converts::PipeMessage;
use rpc_versioned::convert::Unconvertible;
use rpc_versioned::{CallError, ConnectionWithMenu, Conversion, SelectionError, caller_converts};
use rpc_wire::Menu;

use crate::pair::{assert_call, endless, serving, settle, updates};

static COUNT: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1);
static COUNTER: StateRpc<i64, i64, i64, String> = StateRpc::new("counter", 1);
static ECHO: Rpc<i64, i64> = Rpc::new("echo", 1);

type Count = caller_converts::PipeRpc<i64, i64, String>;
type Counter = caller_converts::StateRpc<i64, i64, i64, String>;

/// What a callback was called with: updates, or what it was told of the end.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<Result<i64, Option<CallError>>>>>);

impl Heard {
    fn note(&self, message: PipeMessage<i64>) {
        self.0.lock().unwrap().push(match message {
            PipeMessage::Update(update) => Ok(update),
            PipeMessage::Closed(result) => Err(result.err()),
        });
    }

    /// These updates, and then the end, once.
    #[track_caller]
    fn ended_after(&self, updates: &[i64]) -> Option<CallError> {
        let heard = std::mem::take(&mut *self.0.lock().unwrap());
        let (last, before) = heard.split_last().expect("nothing was heard");
        let before: Vec<_> = before
            .iter()
            .map(|message| *message.as_ref().unwrap())
            .collect();
        assert_eq!(before, updates);
        last.clone().unwrap_err()
    }
}

async fn counting() -> (ConnectionWithMenu, Connection) {
    let count = Implementation::pipe(&COUNT, |(), until| async move {
        Ok(Ok(if until == 0 {
            endless(1..=9)
        } else {
            updates(1..=until)
        }))
    });
    let counter = Implementation::state(&COUNTER, |(), state| async move {
        Ok(Ok((state, endless(1..=9))))
    });
    let echo = Implementation::blocking(&ECHO, |(), number| Ok(number));
    serving([count, counter, echo], ()).await
}

/// Fails of 3, panics of 4.
fn unlucky(number: i64) -> Result<i64, Unconvertible> {
    match number {
        3 => Err(Unconvertible::new("three")),
        4 => panic!("four"),
        _ => Ok(10 * number),
    }
}

fn caller() -> Count {
    Count::builder("count")
        .version(&COUNT, Ok, unlucky, Ok)
        .build()
        .unwrap()
}

/// V-CA-8, ZV8: converted updates, and the end.
#[tokio::test(start_paused = true)]
async fn callback_gets_converted_updates_and_the_end() {
    let (connection, _callee) = counting().await;
    let heard = Heard::default();
    let noted = heard.clone();
    let opening = caller().dispatch_with(&connection, 2, move |message| noted.note(message));
    let metadata = opening.await.unwrap().unwrap();
    let reason = metadata.close_reason().await;
    assert!(matches!(reason, PipeCloseReason::ClosedRemotely));
    assert!(heard.ended_after(&[10, 20]).is_none());
}

/// V-CA-8 as we have it (decision 4): a conversion that fails, or panics, ends its stream with that
/// error; the connection and its other calls go on.
#[tokio::test(start_paused = true)]
async fn bad_update_breaks_off_its_stream_alone() {
    let (connection, callee) = counting().await;
    let panics_only = Count::builder("count")
        .version(
            &COUNT,
            Ok,
            |number| if number == 3 { Ok(30) } else { unlucky(number) },
            Ok,
        )
        .build()
        .unwrap();
    for (caller, before, text) in [
        (caller(), vec![10, 20], "three"),
        (panics_only, vec![10, 20, 30], "four"),
    ] {
        let heard = Heard::default();
        let noted = heard.clone();
        let opening = caller.dispatch_with(&connection, 0, move |message| noted.note(message));
        let metadata = opening.await.unwrap().unwrap();
        let reason = metadata.close_reason().await;
        let error = reason.into_result().unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        let error = heard.ended_after(&before).unwrap();
        assert_call(error, Conversion::Response, &COUNT.description(), text);
        settle().await;
        assert_eq!(callee.served_streams(), 0);
        let connection = connection.connection();
        assert_eq!(connection.open_queries(), 0);
        assert_eq!(ECHO.dispatch(connection, &1).await.unwrap(), 1);
    }
}

/// What the callback says to an update holds for the connection, and its own panic is its own.
#[tokio::test(start_paused = true)]
async fn callback_decides_how_to_go_on() {
    let (connection, callee) = counting().await;
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let mut released = Some(released);
    let opening = caller().dispatch_with(&connection, 1, move |message| match message {
        PipeMessage::Update(_) => {
            let released = released.take().unwrap();
            PipeResponse::wait(async move { released.await.unwrap() })
        }
        PipeMessage::Closed(_) => PipeResponse::Continue,
    });
    let metadata = opening.await.unwrap().unwrap();
    settle().await;
    assert_eq!(connection.connection().open_queries(), 1);
    release.send(()).unwrap();
    metadata.close_reason().await.into_result().unwrap();

    let heard = Heard::default();
    let noted = heard.clone();
    let opening = caller().dispatch_with(&connection, 0, move |message| {
        assert!(!matches!(message, PipeMessage::Update(20)), "on purpose");
        noted.note(message);
    });
    opening.await.unwrap().unwrap();
    settle().await;
    let error = heard.ended_after(&[10]).unwrap();
    assert!(
        error
            .dispatch_error()
            .unwrap()
            .to_string()
            .contains("on purpose")
    );
    assert_eq!(callee.served_streams(), 0);
}

/// V-CA-9, ZV8: not of a version in raw form; nothing is sent.
#[tokio::test(start_paused = true)]
async fn raw_versions_have_no_callback() {
    let (connection, _callee) = counting().await;
    let caller = Count::builder("count")
        .version_raw(&COUNT, Ok, |_| Ok(updates([Ok(1)])), Ok)
        .build()
        .unwrap();
    let before = connection.connection().bytes_written();
    let opening = caller.dispatch_with(&connection, 2, |message| -> PipeResponse {
        panic!("heard {message:?}")
    });
    let error = opening.await.unwrap_err();
    assert!(
        matches!(&error, CallError::Raw(rpc) if *rpc == COUNT.description()),
        "{error:?}"
    );
    settle().await;
    assert_eq!(connection.connection().bytes_written(), before);
    assert_eq!(connection.connection().open_queries(), 0);
}

/// V-CA-10, ZV8: abort by id ends the stream, of pipes and of states; without a version in the menu it
/// is an error, and does nothing.
#[tokio::test(start_paused = true)]
async fn abort_by_id_selects_anew() {
    let (connection, callee) = counting().await;
    let heard = Heard::default();
    let noted = heard.clone();
    let caller = Count::builder("count")
        .version_from(&COUNT)
        .build()
        .unwrap();
    let opening = caller.dispatch_with(&connection, 0, move |message| noted.note(message));
    let id = opening.await.unwrap().unwrap().id();
    settle().await;
    let none = ConnectionWithMenu::new(connection.connection().clone(), Menu::default());
    let error = caller.abort(&none, id).unwrap_err();
    assert!(matches!(error, SelectionError::UnknownRpc { .. }));
    settle().await;
    assert_eq!(callee.served_streams(), 1);
    caller.abort(&connection, id).unwrap();
    settle().await;
    assert_eq!(callee.served_streams(), 0);
    assert!(heard.ended_after(&[1, 2, 3, 4, 5, 6, 7, 8, 9]).is_none());

    let caller = Counter::builder("counter")
        .version_from(&COUNTER)
        .build()
        .unwrap();
    let opened = caller.dispatch(&connection, 5).await;
    let (state, mut pipe) = opened.unwrap().unwrap();
    assert_eq!(state, 5);
    let error = caller.abort(&none, pipe.id()).unwrap_err();
    assert!(matches!(error, SelectionError::UnknownRpc { .. }));
    settle().await;
    assert_eq!(callee.served_streams(), 1);
    caller.abort(&connection, pipe.id()).unwrap();
    settle().await;
    assert_eq!(callee.served_streams(), 0);
    for expected in 1..=9 {
        assert_eq!(pipe.next().await.unwrap().unwrap(), expected);
    }
    assert!(pipe.next().await.is_none());
    pipe.close_reason().await.into_result().unwrap();
}
