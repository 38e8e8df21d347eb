//! Subscriptions whose first attempt must succeed (rule D-MA-5, ZD19).

use std::time::Duration;

use durable_rpc::{AttemptError, BuildError, Durable, Subscribed, state, subscribe_or_fail};
use rpc_core::{Connection, DispatchError, PipeMetadata};
use tokio::join;
use tokio::time::{Instant, sleep};

use crate::checked::{Checked, DELAY, LONG};
use crate::dispatched::{Counting, Dispatched, Outcome, Script, intact};
use crate::events::begin;
use crate::server::{COUNT, Feed, Server, settle};

type Counts = state::Subscription<i64, i64, String>;

async fn create(connection: &Durable<Connection>) -> Result<Result<Counts, String>, AttemptError> {
    state::create_or_fail(&COUNT, connection, 42, DELAY).await
}

/// A subscription that succeeded with state 7, and nothing of it read.
pub(crate) async fn established(
    connection: &Durable<Connection>,
    server: &mut Server,
) -> (Checked<i64, i64, String, PipeMetadata>, Feed) {
    let (created, feed) = join!(create(connection), async { server.call().await.accept(7) });
    (Checked::new(created.unwrap().unwrap(), DELAY), feed)
}

/// D-MA-5: nothing goes on afterwards.
#[tokio::test(start_paused = true)]
async fn failed_build_is_the_error() {
    let server = Server::start();
    server.stop();
    let error = create(&server.durable()).await.unwrap_err();
    assert_eq!(error.to_string(), "connection refused");
    server.restart();
    sleep(LONG).await;
    assert_eq!(server.connects(), 1);
    assert!(!server.has_calls());
}

/// D-MA-5.
#[tokio::test(start_paused = true)]
async fn failed_dispatch_is_the_error() {
    let mut server = Server::start();
    let connection = server.durable();
    let (created, ()) = join!(create(&connection), async {
        server.call().await.fail("boom");
    });
    let error = created.unwrap_err();
    assert!(matches!(
        error,
        AttemptError::Dispatch(DispatchError::Rpc(_))
    ));
    sleep(LONG).await;
    assert!(!server.has_calls());
    assert_eq!(server.connects(), 1);
}

/// D-MA-5.
#[tokio::test(start_paused = true)]
async fn user_error_is_an_outcome_of_its_own() {
    let mut server = Server::start();
    let connection = server.durable();
    let (created, ()) = join!(create(&connection), async {
        server.call().await.refuse("not now");
    });
    assert_eq!(created.unwrap().unwrap_err(), "not now");
    sleep(LONG).await;
    assert!(!server.has_calls());
    assert_eq!((server.aborts(), server.streams()), (0, 0));
}

/// D-MA-5, D-DU-3.
#[tokio::test(start_paused = true)]
async fn broken_value_is_the_error() {
    let server = Server::start();
    let error = create(&server.durable_unless(|_| true)).await.unwrap_err();
    assert!(matches!(
        error,
        AttemptError::Build(BuildError::BrokenAtOnce)
    ));
    assert_eq!(server.connects(), 1);
}

/// D-MA-5, D-RA-8.
#[tokio::test(start_paused = true)]
async fn panic_of_the_dispatch_is_the_error() {
    for outcome in [Outcome::Panic, Outcome::PanicAtOnce] {
        let script = Script {
            outcome,
            ..Script::failure()
        };
        let dispatched = Dispatched::new([script]);
        let error = subscribe_or_fail(&intact(), DELAY, dispatched.dispatch()).await;
        assert!(matches!(error, Err(AttemptError::Panicked(_))));
        sleep(LONG).await;
        assert_eq!(dispatched.dispatches(), 1);
    }
}

/// D-MA-5: the three are there at once, however late they are read; one attempt was made.
#[tokio::test(start_paused = true)]
async fn first_events_after_success_are_those_of_the_attempt() {
    let mut server = Server::start();
    let (mut events, feed) = established(&server.durable(), &mut server).await;
    sleep(LONG).await;
    let start = Instant::now();
    events.expect(&["attempting", "success", "state 7"]).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    feed.send(8);
    events.expect(&["update 8"]).await;
    assert!(!server.has_calls());
    assert_eq!(server.connects(), 1);
}

/// D-MA-5: updates and the loss that came before the first event was read come after the three.
#[tokio::test(start_paused = true)]
async fn what_happens_before_the_first_event_is_read_is_not_lost() {
    let mut server = Server::start();
    let (mut events, feed) = established(&server.durable(), &mut server).await;
    feed.send(8);
    feed.send(9);
    feed.end();
    settle().await;
    server.cut();
    sleep(LONG).await;
    let expected = [
        "attempting",
        "success",
        "state 7",
        "update 8",
        "update 9",
        "lost",
    ];
    events.expect(&expected).await;
    let lost = Instant::now();
    begin(&mut events, &mut server, 10).await;
    assert_eq!(lost.elapsed(), DELAY);
}

/// D-MA-5: afterwards it is a subscription like any other.
#[tokio::test(start_paused = true)]
async fn later_failures_are_events() {
    let mut server = Server::start();
    let (mut events, feed) = established(&server.durable(), &mut server).await;
    events.expect(&["attempting", "success", "state 7"]).await;
    feed.end();
    events.expect(&["lost"]).await;
    let ((), ()) = join!(events.expect(&["attempting", "error not now"]), async {
        server.call().await.refuse("not now");
    });
    server.stop();
    events
        .expect(&["attempting", "failed: connection refused"])
        .await;
    server.restart();
    let start = Instant::now();
    begin(&mut events, &mut server, 8).await;
    assert_eq!(start.elapsed(), DELAY);
}

/// D-MA-6: the first attempt goes through the durable value like the others.
#[tokio::test(start_paused = true)]
async fn attempts_of_two_subscriptions_share_a_build() {
    let mut server = Server::start();
    let connection = server.durable();
    let (first, second, feeds) = join!(create(&connection), create(&connection), async {
        [server.call().await.accept(1), server.call().await.accept(2)]
    });
    first.unwrap().unwrap();
    second.unwrap().unwrap();
    assert_eq!(server.connects(), 1);
    drop(feeds);
}

/// The metadata of the generic core is whatever the dispatch function gives.
#[tokio::test(start_paused = true)]
async fn generic_core_can_fail_too() {
    let one = Durable::new(|| async { Ok::<_, std::fmt::Error>(1) }, |_| false);
    let dispatch = |n: u64| async move {
        let updates = Counting::new(n);
        Ok(Ok::<_, String>(Subscribed {
            state: n,
            updates,
            metadata: "anything",
        }))
    };
    let subscription = subscribe_or_fail(&one, DELAY, dispatch)
        .await
        .unwrap()
        .unwrap();
    let mut events = Checked::new(subscription, DELAY);
    for _ in 0..3 {
        events
            .expect(&["attempting", "success", "state 1", "update 0", "lost"])
            .await;
    }
}
