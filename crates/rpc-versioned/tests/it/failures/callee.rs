//! Plain and one-way RPCs, the callee's side.

use rpc_core::{Implementation, Rpc};
use rpc_versioned::callee_converts;
use rpc_versioned::convert::Convert;

use super::{Bystander, How, NOTE, SQUARE, State, TEXT, bystanders, check, settle};
use crate::pair::assert_uncaught;

type Square = callee_converts::Rpc<State, i64, i64>;

fn square(query: impl Convert<i64, i64>, response: impl Convert<i64, i64>) -> Square {
    let builder = Square::builder("square").version(&SQUARE, query, response);
    builder.build().unwrap()
}

/// By which handler.
#[derive(Clone, Copy)]
enum By {
    Blocking,
    Ready,
    Suspending,
}

const HANDLERS: [By; 3] = [By::Blocking, By::Ready, By::Suspending];

fn answered(family: &Square, by: By) -> Vec<Implementation<State>> {
    match by {
        By::Blocking => family.implement_blocking(|_, _, number| Ok(number * number)),
        By::Ready => family.implement(|_, _, number| async move { Ok(number * number) }),
        By::Suspending => family.implement(|_, _, number| async move {
            tokio::task::yield_now().await;
            Ok(number * number)
        }),
    }
}

/// V-CE-3, V-CE-4.
#[tokio::test(start_paused = true)]
async fn query() {
    for by in HANDLERS {
        let callee = |how: How| answered(&square(how.at(4), Ok), by);
        check(callee, async |_, peer| {
            let connection = peer.connection();
            let error = SQUARE.dispatch(connection, &4).await.unwrap_err();
            assert_uncaught(&error, "Query", &SQUARE.description());
            assert_eq!(SQUARE.dispatch(connection, &5).await.unwrap(), 25);
        })
        .await;
    }
}

/// V-CE-3, V-CE-4.
#[tokio::test(start_paused = true)]
async fn response() {
    for by in HANDLERS {
        let callee = |how: How| answered(&square(Ok, how.at(16)), by);
        check(callee, async |_, peer| {
            let connection = peer.connection();
            let error = SQUARE.dispatch(connection, &4).await.unwrap_err();
            assert_uncaught(&error, "Response", &SQUARE.description());
            assert_eq!(SQUARE.dispatch(connection, &5).await.unwrap(), 25);
        })
        .await;
    }
}

/// V-CE-10: a version whose callers expect it is answered by the text.
#[tokio::test(start_paused = true)]
async fn query_and_response_with_failure() {
    static TOLD: Rpc<i64, Result<i64, String>> = Rpc::new("square", 2);
    for by in HANDLERS {
        let callee = |how: How| {
            let family =
                Square::builder("square").version_with_failure(&TOLD, how.at(4), how.at(36));
            answered(&family.build().unwrap(), by)
        };
        check(callee, async |_, peer| {
            for (query, answer) in [(4, Err(TEXT.to_owned())), (5, Ok(25))] {
                let told = TOLD.dispatch(peer.connection(), &query).await;
                assert_eq!(told.unwrap(), answer);
            }
            let told = TOLD.dispatch(peer.connection(), &6).await;
            assert_eq!(told.unwrap(), Err(TEXT.to_owned()));
        })
        .await;
    }
}

/// V-CE-5, R-OW-4: nobody could be told, so its connection is closed; the other one goes on.
#[tokio::test(start_paused = true)]
async fn message() {
    for how in [How::Fails, How::Panics] {
        let family = callee_converts::OneWay::<State, i64>::builder("note");
        let family = family.version(&NOTE, how.at(4)).build().unwrap();
        let note = family.implement(|state, _, number| {
            state.noted.lock().unwrap().push(number);
            async { Ok(()) }
        });
        let [here, elsewhere] = bystanders(note).await;
        for number in [3, 4] {
            NOTE.dispatch(here.caller.connection(), &number).unwrap();
        }
        settle().await;
        let Bystander {
            caller,
            callee,
            state,
            ticks,
            pending,
        } = here;
        assert_eq!(*state.noted.lock().unwrap(), [3]);
        let closed = callee.closed().await;
        assert!(
            closed.to_string().contains("type conversion failure"),
            "{closed}"
        );
        assert!(ticks.close_reason().await.into_result().is_err());
        assert!(pending.await.unwrap().is_err());
        assert_eq!(caller.connection().open_queries(), 0);
        assert_eq!(callee.served_streams(), 0);
        elsewhere.assert_alone();
        elsewhere.goes_on().await;
    }
}
