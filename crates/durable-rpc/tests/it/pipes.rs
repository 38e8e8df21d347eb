//! The pipe form: the state form without its state (rule D-SU-1).

use std::time::Duration;

use durable_rpc::pipe::{self, Event};
use durable_rpc::{AttemptError, BuildError, Durable, Subscribed, subscribe};
use rpc_core::{Connection, PipeCloseReason};
use tokio::join;
use tokio::time::{Instant, sleep, timeout};

use crate::checked::{DELAY, LONG};
use crate::dispatched::{Counting, Dispatched, Script, intact};
use crate::server::{Feed, Server, TICKS, settle, some_time};

type Ticks = pipe::Subscription<i64, String>;

fn ticks(connection: &Durable<Connection>) -> Ticks {
    pipe::create(&TICKS, connection, 42, DELAY)
}

fn label<M>(event: &Event<i64, String, M>) -> String {
    match event {
        Event::AttemptingNewConnection => "attempting".to_owned(),
        Event::ConnectionSuccess(_) => "success".to_owned(),
        Event::Update(update) => format!("update {update}"),
        Event::LostConnection => "lost".to_owned(),
        Event::FailedToConnect(error) => format!("failed: {error}"),
        Event::RpcError(error) => format!("error {error}"),
    }
}

#[track_caller]
fn expect(ticks: &mut Ticks, expected: &[&str]) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        for expected in expected {
            let event = some_time(ticks.next()).await.unwrap();
            assert_eq!(label(&event), *expected, "at {caller}");
        }
    }
}

async fn begin(ticks: &mut Ticks, server: &mut Server) -> Feed {
    let (feed, ()) = join!(
        async { server.call().await.accept(0) },
        expect(ticks, &["attempting", "success"])
    );
    feed
}

async fn expect_silence(ticks: &mut Ticks, duration: Duration) {
    let event = timeout(duration, ticks.next()).await;
    assert!(event.is_err(), "{event:?}");
}

/// D-SU-1, D-EV-5 (ZD12): there is no state.
#[tokio::test(start_paused = true)]
async fn events_are_those_of_the_state_form_without_the_state() {
    let mut server = Server::start();
    let mut ticks = ticks(&server.durable());
    let feed = begin(&mut ticks, &mut server).await;
    expect_silence(&mut ticks, LONG).await;
    for update in 0..3 {
        feed.send(update);
    }
    expect(&mut ticks, &["update 0", "update 1", "update 2"]).await;
    feed.send(3);
    feed.end();
    expect(&mut ticks, &["update 3", "lost"]).await;
}

/// D-SU-1, D-MA-2, D-MA-6, D-EV-2: the delay, and the same connection or a new one.
#[tokio::test(start_paused = true)]
async fn lost_streams_are_made_again_after_the_delay() {
    let mut server = Server::start();
    let mut ticks = ticks(&server.durable());
    begin(&mut ticks, &mut server).await.end();
    expect(&mut ticks, &["lost"]).await;
    let lost = Instant::now();
    let feed = begin(&mut ticks, &mut server).await;
    assert_eq!((lost.elapsed(), server.connects()), (DELAY, 1));
    feed.send(1);
    settle().await;
    server.cut();
    expect(&mut ticks, &["update 1", "lost"]).await;
    let lost = Instant::now();
    let _feed = begin(&mut ticks, &mut server).await;
    assert_eq!((lost.elapsed(), server.connects()), (DELAY, 2));
}

/// D-SU-1, D-MA-2, D-MA-4.
#[tokio::test(start_paused = true)]
async fn failed_attempts_are_made_again_after_the_delay() {
    let mut server = Server::start();
    server.stop();
    let mut ticks = ticks(&server.durable());
    let start = Instant::now();
    let failure = ["attempting", "failed: connection refused"];
    expect(&mut ticks, &failure).await;
    expect(&mut ticks, &failure).await;
    server.restart();
    let ((), ()) = join!(expect(&mut ticks, &["attempting", "error no"]), async {
        server.call().await.refuse("no");
    });
    assert_eq!(start.elapsed(), 2 * DELAY);
    let _feed = begin(&mut ticks, &mut server).await;
    assert_eq!(start.elapsed(), 3 * DELAY);
}

/// D-SU-2: the same query at every attempt.
#[tokio::test(start_paused = true)]
async fn every_attempt_sends_the_same_query() {
    let mut server = Server::start();
    let mut ticks = ticks(&server.durable());
    for _ in 0..3 {
        expect(&mut ticks, &["attempting"]).await;
        let ((), ()) = join!(expect(&mut ticks, &["error no"]), async {
            let call = server.call().await;
            assert_eq!(call.query, 42);
            call.refuse("no");
        });
    }
}

/// D-EV-3: the metadata of the stream knows.
#[tokio::test(start_paused = true)]
async fn metadata_knows_why_the_stream_was_lost() {
    let mut server = Server::start();
    let mut ticks = ticks(&server.durable());
    expect(&mut ticks, &["attempting"]).await;
    let (success, feed) = join!(ticks.next(), async { server.call().await.accept(0) });
    let Some(Event::ConnectionSuccess(metadata)) = success else {
        panic!("{success:?}");
    };
    feed.end();
    expect(&mut ticks, &["lost"]).await;
    let reason = some_time(metadata.close_reason()).await;
    assert!(matches!(reason, PipeCloseReason::ClosedRemotely));
}

/// D-MA-5 (ZD19).
#[tokio::test(start_paused = true)]
async fn create_or_fail_has_three_outcomes() {
    let create = |connection: Durable<Connection>| async move {
        pipe::create_or_fail(&TICKS, &connection, 42, DELAY).await
    };

    let mut server = Server::start();
    server.stop();
    let failed = create(server.durable()).await;
    assert!(matches!(
        failed,
        Err(AttemptError::Build(BuildError::Failed(_)))
    ));
    server.restart();

    let (refused, ()) = join!(create(server.durable()), async {
        server.call().await.refuse("no");
    });
    assert_eq!(refused.unwrap().unwrap_err(), "no");
    sleep(LONG).await;
    assert!(!server.has_calls());

    let (created, feed) = join!(create(server.durable()), async {
        server.call().await.accept(0)
    });
    let mut ticks = created.unwrap().unwrap();
    sleep(LONG).await;
    feed.send(1);
    expect(&mut ticks, &["attempting", "success", "update 1"]).await;
    feed.end();
    let ((), ()) = join!(
        expect(&mut ticks, &["lost", "attempting", "error no"]),
        async {
            server.call().await.refuse("no");
        }
    );
}

/// D-CL-1, D-CL-2, D-CL-3 (ZD20): by `close` and by dropping.
#[tokio::test(start_paused = true)]
async fn closing_tells_the_callee_once_and_ends_the_events() {
    for drops in [false, true] {
        let mut server = Server::start();
        let connection = server.durable();
        let mut ticks = ticks(&connection);
        let feed = begin(&mut ticks, &mut server).await;
        feed.send(1);
        settle().await;
        if drops {
            drop(ticks);
        } else {
            ticks.close();
            assert!(ticks.next().await.is_none());
            ticks.close();
            assert!(ticks.next().await.is_none());
        }
        feed.aborted().await;
        sleep(LONG).await;
        assert!(!server.has_calls());
        assert_eq!((server.aborts(), server.streams()), (1, 0));
        let open = connection.with(async |connection| connection.open_queries());
        assert_eq!((open.await.unwrap(), server.connects()), (0, 1));
    }
}

/// D-BP-5: the further stage keeps nothing back, and adds nothing to wait for.
#[tokio::test(start_paused = true)]
async fn slow_consumer_holds_up_the_loss_and_the_next_attempt() {
    let mut server = Server::start();
    let mut ticks = ticks(&server.durable());
    let feed = begin(&mut ticks, &mut server).await;
    for update in 0..100 {
        feed.send(update);
    }
    feed.end();
    settle().await;
    server.cut();
    for update in 0..100 {
        sleep(DELAY / 5).await;
        expect(&mut ticks, &[&format!("update {update}")]).await;
    }
    sleep(LONG).await;
    assert_eq!(server.connects(), 1);
    expect(&mut ticks, &["lost"]).await;
    let lost = Instant::now();
    let _feed = begin(&mut ticks, &mut server).await;
    assert_eq!(lost.elapsed(), DELAY);
}

/// D-BP-5, D-BP-2 (ZD21): what has arrived together is taken without waiting in between.
#[tokio::test(start_paused = true)]
async fn updates_that_are_there_are_read_without_waiting() {
    let mut server = Server::start();
    let mut ticks = ticks(&server.durable());
    let feed = begin(&mut ticks, &mut server).await;
    for update in 0..3 {
        feed.send(update);
    }
    settle().await;
    let all = expect(&mut ticks, &["update 0", "update 1", "update 2"]);
    timeout(Duration::ZERO, all).await.unwrap();
}

/// D-SU-1: the generic core, with a state that is not told, or without any.
#[tokio::test(start_paused = true)]
async fn anything_without_a_state_can_be_a_pipe() {
    let unit = subscribe(&intact(), DELAY, |()| async {
        Ok(Ok::<_, String>(Subscribed {
            state: (),
            updates: Counting::new(2),
            metadata: "of no connection",
        }))
    });
    let mut pipe = pipe::Subscription::from(unit);
    let mut labels = Vec::new();
    for _ in 0..8 {
        let event = some_time(pipe.next()).await.unwrap();
        labels.push(label(&event.map_update(|n| n as i64 * 10)));
    }
    let round = ["attempting", "success", "update 0", "update 10", "lost"];
    let expected: Vec<_> = round.into_iter().cycle().take(8).collect();
    assert_eq!(labels, expected);
}

/// The state form's mappings touch nothing but what they are for.
#[tokio::test(start_paused = true)]
async fn updates_and_states_of_events_can_be_mapped() {
    let dispatched = Dispatched::new([Script::stream(1), Script::failure(), Script::user_error()]);
    let mut events = subscribe(&intact(), DELAY, dispatched.dispatch());
    let mut labels = Vec::new();
    for _ in 0..9 {
        let event = some_time(events.next()).await.unwrap();
        let event = event.map_state(|n| n + 100).map_update(|n| n + 1000);
        labels.push(crate::checked::label(&event));
    }
    let expected = [
        "attempting",
        "success",
        "state 100",
        "update 1000",
        "lost",
        "attempting",
        "failed: no more queries can be sent",
        "attempting",
        "error no 2",
    ];
    assert_eq!(labels, expected);
}
