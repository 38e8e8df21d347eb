//! Futures of converted dispatches dropped at every poll, between two ends that both convert: nothing
//! closes, nothing leaks, late answers are swallowed.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use rpc_core::{
    Connection, Implementation, Implementations, Pipe, PipeResponse, PipeRpc, Rpc, StateRpc,
};
use rpc_versioned::convert::Unconvertible;
use rpc_versioned::{ConnectionWithMenu, MenuWithShapes, callee_converts, caller_converts};
use rpc_wire::ProtocolVersion;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::pair::{endless, pair, serving, updates};

/// The query, after that many milliseconds.
static SLEEP: Rpc<i64, i64> = Rpc::new("sleep", 1);
/// 1 to n, then the end; of 0 no end; a user error for a negative n.
static COUNT: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1);
/// The state n, then as COUNT.
static COUNTER: StateRpc<i64, i64, i64, String> = StateRpc::new("counter", 1);

type Sleep = caller_converts::Rpc<i64, i64>;
type Count = caller_converts::PipeRpc<i64, i64, String>;
type Counter = caller_converts::StateRpc<i64, i64, i64, String>;

fn implementations() -> Vec<Implementation<()>> {
    fn counted(until: i64) -> Result<crate::pair::Updates<i64>, String> {
        match until {
            0 => Ok(endless([])),
            1.. => Ok(updates(1..=until)),
            _ => Err("negative".to_owned()),
        }
    }
    let sleeping = callee_converts::Rpc::<(), i64, i64>::builder("sleep")
        .version_from(&SLEEP)
        .build()
        .unwrap();
    let counting = callee_converts::PipeRpc::<(), i64, i64, String>::builder("count")
        .version_from(&COUNT)
        .build()
        .unwrap();
    let counter = callee_converts::StateRpc::<(), i64, i64, i64, String>::builder("counter")
        .version_from(&COUNTER)
        .build()
        .unwrap();
    [
        sleeping.implement(|(), _, millis: i64| async move {
            sleep(Duration::from_millis(millis.unsigned_abs())).await;
            Ok(millis)
        }),
        counting.implement(|(), _, until| async move { Ok(counted(until)) }),
        counter.implement(|(), _, until| async move {
            Ok(counted(until).map(|updates| (until, updates)))
        }),
    ]
    .concat()
}

fn sleeping() -> Sleep {
    Sleep::builder("sleep")
        .version_from(&SLEEP)
        .build()
        .unwrap()
}

fn counting() -> Count {
    Count::builder("count")
        .version_from(&COUNT)
        .build()
        .unwrap()
}

fn counter() -> Counter {
    Counter::builder("counter")
        .version_from(&COUNTER)
        .build()
        .unwrap()
}

/// Polls the future `polls` times, and drops it if it is not ready by then.
async fn dropped_at<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        let Some(next) = left.checked_sub(1) else {
            return Poll::Ready(None);
        };
        left = next;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Drops the future that `make` makes at its first poll, its second, and so on until it is ready
/// before. After each, and after all answers have come, nothing is left on either end.
async fn check_dropped_anywhere<T>(make: impl AsyncFn(&ConnectionWithMenu) -> T) {
    let (near, far) = serving(implementations(), ()).await;
    let mut polls = 0;
    while dropped_at(polls, make(&near)).await.is_none() {
        assert_unharmed(&near, &far).await;
        polls += 1;
    }
    assert!(polls > 1, "ready without being polled twice");
    assert_unharmed(&near, &far).await;
}

async fn assert_unharmed(near: &ConnectionWithMenu, far: &Connection) {
    sleep(Duration::from_secs(1)).await;
    assert_eq!(near.connection().open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
    // Those of the two connections.
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 2);
    assert_eq!(sleeping().dispatch(near, 1).await.unwrap(), 1);
}

/// R-PL-23, V-CA-2: with each form of conversion, of values that have a counterpart or none.
#[tokio::test(start_paused = true)]
async fn plain_dispatch_can_be_dropped_at_any_poll() {
    let caller = sleeping();
    check_dropped_anywhere(async |near| {
        assert_eq!(caller.dispatch(near, 20).await.unwrap(), 20);
        // One more poll.
        yield_now().await;
    })
    .await;
    let with_query = Sleep::builder("sleep").version_with_query(
        &SLEEP,
        |query| Ok(*query),
        |query, response| Ok(query + response),
    );
    let caller = with_query.build().unwrap();
    check_dropped_anywhere(async |near| {
        assert_eq!(caller.dispatch(near, 20).await.unwrap(), 40);
        yield_now().await;
    })
    .await;
    let caller = sleeping()
        .map_query(|text: String| Ok(text.parse()?))
        .map_response(|_| Err::<String, _>(Unconvertible::new("no text")));
    check_dropped_anywhere(async |near| {
        let answer = caller.dispatch(near, "20".to_owned());
        answer.await.unwrap_err();
        yield_now().await;
    })
    .await;
}

/// R-SC-7, V-CA-5: before the answer, between answer and pipe, and with the pipe.
#[tokio::test(start_paused = true)]
async fn stream_dispatch_can_be_dropped_at_any_poll() {
    let (count, counter) = (counting(), counter());
    check_dropped_anywhere(async |near| {
        let mut pipe = count.dispatch(near, 3).await.unwrap().unwrap();
        yield_now().await;
        while pipe.next().await.is_some() {
            yield_now().await;
        }
    })
    .await;
    check_dropped_anywhere(async |near| {
        let (_, pipe) = counter.dispatch(near, 3).await.unwrap().unwrap();
        yield_now().await;
        pipe.close_reason().await;
        yield_now().await;
    })
    .await;
    // Refused, and without an end.
    check_dropped_anywhere(async |near| {
        let refused = count.dispatch(near, -1).await.unwrap();
        assert_eq!(refused.err().as_deref(), Some("negative"));
        yield_now().await;
    })
    .await;
    check_dropped_anywhere(async |near| {
        drop(count.dispatch(near, 0).await.unwrap());
        yield_now().await;
    })
    .await;
}

/// What a raw form makes of a pipe: the same.
struct Whole(Pipe<i64>);

impl Stream for Whole {
    type Item = Result<i64, Unconvertible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.0).poll_next(cx);
        next.map(|update| update.map(Ok))
    }
}

/// V-CA-7: the form that converts a whole pipe.
#[tokio::test(start_paused = true)]
async fn raw_dispatch_can_be_dropped_at_any_poll() {
    let count = Count::builder("count").version_raw(&COUNT, Ok, |pipe| Ok(Whole(pipe)), Ok);
    let count = count.build().unwrap();
    check_dropped_anywhere(async |near| {
        let mut pipe = count.dispatch(near, 3).await.unwrap().unwrap();
        yield_now().await;
        while pipe.next().await.is_some() {
            yield_now().await;
        }
    })
    .await;
}

/// V-CA-8: with a callback, which keeps reading waiting for a while.
#[tokio::test(start_paused = true)]
async fn dispatch_with_a_callback_can_be_dropped_at_any_poll() {
    let count = counting();
    check_dropped_anywhere(async |near| {
        let opening = count.dispatch_with(near, 3, |_| {
            PipeResponse::wait(sleep(Duration::from_millis(10)))
        });
        let metadata = opening.await.unwrap().unwrap();
        // From here on the stream goes on by itself.
        metadata.close_reason().await;
        yield_now().await;
    })
    .await;
}

/// V-RQ-1, V-RQ-5: where menus are asked for by a query.
#[tokio::test(start_paused = true)]
async fn request_of_a_menu_can_be_dropped_at_any_poll() {
    let implementations = implementations();
    let shapes = MenuWithShapes::of(&implementations).unwrap();
    let shapes = shapes.implementation();
    let table = Implementations::builder()
        .implementations(implementations)
        .implementation(shapes)
        .build()
        .unwrap();
    let (near, far) = pair(ProtocolVersion::MIN, &table, ()).await;
    for polls in 0.. {
        let asking = async {
            let menu = ConnectionWithMenu::request(near.clone()).await.unwrap();
            assert_eq!(menu.menu().entries().len(), 4);
            let shapes = MenuWithShapes::request(&near).await.unwrap();
            assert_eq!(shapes.entries().len(), 3);
            yield_now().await;
        };
        let done = dropped_at(polls, asking).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(near.open_queries(), 0);
        assert!(!near.is_closed() && !far.is_closed());
        if done.is_some() {
            assert!(polls > 2, "{polls}");
            break;
        }
    }
}
