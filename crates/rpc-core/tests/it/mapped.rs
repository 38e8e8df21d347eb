//! Plain RPCs whose ends think in other types than the definition's: responses that are mapped by who
//! awaits them, and handlers around whose results there is a step more.

use std::sync::Arc;
use std::time::Duration;

use rpc_core::connection::Config;
use rpc_core::{
    Connection, DispatchError, HandlerError, Implementation, Implementations, MappedDispatch, Rpc,
    SharedHandler,
};
use rpc_wire::RpcError;
use tokio::time::sleep;

use crate::pair::{CAPACITY, alive_tasks, connect, settle};
use crate::peer::Peer;
use crate::rpcs::{ECHO, SLEEP};
use crate::streams::assert_over;

/// Mapped as the plain form's result: the response, the callee's error, the end of the connection,
/// and a query that was not even sent.
#[tokio::test(start_paused = true)]
async fn mapped_response_is_that_of_the_plain_dispatch() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let ask = |text: &str| {
        ECHO.dispatch_map(&connection, &text.to_owned(), |answer| {
            answer.map(|text| text.len())
        })
    };
    let call: MappedDispatch<Result<usize, DispatchError>> = ask("a");
    let id = peer.expect_query().await.id;
    assert_eq!(connection.open_queries(), 1);
    peer.answer(id, &"four").await;
    assert_eq!(call.await.unwrap(), 4);

    let call = ask("b");
    let id = peer.expect_query().await.id;
    peer.answer(id, &7_i64).await;
    assert!(matches!(call.await, Err(DispatchError::Undecodable { .. })));

    // Forgotten, and answered all the same (C-DI-6).
    drop(ask("c"));
    let id = peer.expect_query().await.id;
    peer.answer(id, &"c").await;
    settle().await;
    assert_over(&connection, &mut peer).await;

    let call = ask("d");
    connection.close();
    assert!(matches!(
        call.await,
        Err(DispatchError::ConnectionClosed(_))
    ));
    assert!(matches!(
        ask("e").await,
        Err(DispatchError::ConnectionClosed(_))
    ));
}

/// A call that is mapped once more is the same call; one that is ready was never sent.
#[tokio::test(start_paused = true)]
async fn mapped_response_can_be_mapped_again() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let ask = |text: &str| {
        let call = ECHO.dispatch_map(&connection, &text.to_owned(), |answer| answer.is_ok());
        call.map(|answered| if answered { "yes" } else { "no" })
    };
    let mut call = ask("a");
    let id = peer.expect_query().await.id;
    peer.answer(id, &"a").await;
    assert_eq!((&mut call).await, "yes");
    assert!(crate::pair::now(&mut call).is_pending());

    // Forgotten, and answered all the same.
    drop(ask("b"));
    let id = peer.expect_query().await.id;
    peer.answer(id, &"b").await;
    settle().await;

    let mut ready = MappedDispatch::ready(&connection, 1).map(|number| number + 1);
    assert_eq!((&mut ready).await, 2);
    assert!(crate::pair::now(&mut ready).is_pending());
    let unwanted = Arc::new(());
    drop(MappedDispatch::ready(&connection, unwanted.clone()));
    assert_eq!(Arc::strong_count(&unwanted), 1);
    assert_over(&connection, &mut peer).await;
    connection.close();
    assert_eq!(ask("c").await, "no");
}

static TWICE: Rpc<i64, String> = Rpc::new("twice", 1);

/// Answers at once below zero, fails at once at zero, and later or in the last step above; as text.
fn twice() -> Implementation<i64> {
    let handler = SharedHandler::new(|factor: &i64, version, number: i64| {
        let factor = *factor * version;
        assert_ne!(number, 97, "on purpose");
        async move {
            if number > 10 {
                sleep(Duration::from_millis(5)).await;
            }
            assert_ne!(number, 98, "on purpose");
            if number == 96 {
                return Err(HandlerError::new("ninety-six"));
            }
            Ok(number * factor)
        }
    });
    Implementation::mapped(
        &TWICE,
        &handler,
        |number| match number {
            ..0 => Err(Ok("negative".to_owned())),
            0 => Err(Err(HandlerError::new("zero"))),
            99 => panic!("on purpose"),
            _ => Ok(number),
        },
        |product| match product? {
            14 => Err(HandlerError::new("fourteen")),
            26 => panic!("on purpose"),
            product => Ok(product.to_string()),
        },
    )
}

async fn check(connection: &Connection) {
    let ask = |number| TWICE.dispatch(connection, &number);
    for (number, expected) in [(-1, "negative"), (3, "6"), (20, "40")] {
        assert_eq!(ask(number).await.unwrap(), expected);
    }
    for (number, text) in [
        (0, "zero"),
        (7, "fourteen"),
        (13, "on purpose"),
        (96, "ninety-six"),
        (97, "on purpose"),
        (98, "on purpose"),
        (99, "on purpose"),
    ] {
        let error = ask(number).await.unwrap_err();
        let DispatchError::Rpc(RpcError::UncaughtExn(exn)) = error else {
            panic!("{error:?}");
        };
        assert!(exn.to_string().contains(text), "{exn}");
    }
    assert_eq!(connection.open_queries(), 0);
}

/// R-PL-4, R-OR-3, R-OR-4 for handlers in two steps, whose state is there, or has to be waited for.
#[tokio::test(start_paused = true)]
async fn handler_in_two_steps_answers_as_one_in_one() {
    let deferred = twice().lift_async(|factor: &i64, _| {
        let factor = *factor;
        async move {
            sleep(Duration::from_millis(1)).await;
            factor
        }
    });
    for implementation in [twice(), deferred] {
        let table = Implementations::builder().implementation(implementation);
        let table = table.implement(&SLEEP, |_, milliseconds| async move { Ok(milliseconds) });
        let near = (Config::default(), &Implementations::empty(), ());
        let far = (Config::default(), &table.build().unwrap(), 2);
        let (near, far): (Connection, Connection) = connect(CAPACITY, near, far).await;
        let before = alive_tasks();
        check(&near).await;
        settle().await;
        assert_eq!(alive_tasks(), before);
        assert!(!far.is_closed());
    }
}

/// R-OR-3: one that is ready at once answers before any later query; one that is not, in order of
/// completion.
#[tokio::test(start_paused = true)]
async fn handler_in_two_steps_keeps_the_order() {
    let table = Implementations::builder()
        .implementation(twice())
        .build()
        .unwrap();
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, _far): (Connection, Connection) =
        connect(CAPACITY, near, (Config::default(), &table, 2)).await;
    let (slow, quick) = (TWICE.dispatch(&near, &20), TWICE.dispatch(&near, &1));
    let mut slow = Box::pin(slow);
    assert_eq!(quick.await.unwrap(), "2");
    assert!(crate::pair::now(&mut slow).is_pending());
    assert_eq!(slow.await.unwrap(), "40");
}
