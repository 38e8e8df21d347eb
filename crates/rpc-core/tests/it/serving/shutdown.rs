//! A server that finishes what is open before it goes.

use std::time::Duration;

use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{Connection, DispatchError, PipeCloseReason};
use rpc_wire::handshake::PeerMetadata;
use tokio::time::{Instant, timeout};

use super::{builder, start};
use crate::pair::{alive_tasks, offering, settle};
use crate::peer::Peer;
use crate::rpcs::{ECHO, HOLD, SLEEP};

/// For ever.
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn open_query_is_answered_and_streams_end_with_the_reason() {
    let (server, network) = start(builder());
    let busy = network.connect(1).await;
    let streaming = network.connect(2).await;
    let asked = SLEEP.dispatch(&busy, &3000);
    let mut held = HOLD.dispatch(&streaming, &()).await.unwrap().unwrap();
    settle().await;
    let begin = Instant::now();
    let over = tokio::spawn(server.shutdown_within(Duration::from_secs(10)));
    settle().await;
    // Whoever asks now is refused on this side already.
    let late = ECHO.dispatch(&busy, &"late".to_owned()).await;
    assert!(matches!(late, Err(DispatchError::ConnectionClosed(_))));
    assert_eq!(held.next().await, None);
    let PipeCloseReason::Error(lost) = held.close_reason().await else {
        panic!("an ordinary end");
    };
    let text = format!("{lost:?}");
    assert!(text.contains("server is shutting down"), "{text}");
    assert!(begin.elapsed() < Duration::from_secs(1), "nothing was open");
    assert_eq!(asked.await.unwrap(), 3000);
    over.await.unwrap();
    let lasted = begin.elapsed().as_millis();
    assert!(
        (2990..3010).contains(&lasted),
        "as long as needed: {lasted}"
    );
    let closed = busy.closed().await;
    assert_eq!(closed.by, ClosedBy::Peer);
    settle().await;
    assert_eq!(alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_than_the_grace_is_dropped() {
    let (server, network) = start(builder());
    let busy = network.connect(1).await;
    let asked = SLEEP.dispatch(&busy, &60_000);
    settle().await;
    let begin = Instant::now();
    server.shutdown_within(Duration::from_secs(10)).await;
    assert_eq!(begin.elapsed().as_secs(), 10);
    let error = asked.await.unwrap_err();
    assert!(
        matches!(error, DispatchError::ConnectionClosed(_)),
        "{error:?}"
    );
    busy.closed().await;
    settle().await;
    assert_eq!(alive_tasks(), 0);
}

/// Peers that cannot be asked for no more queries are not waited for.
#[tokio::test(start_paused = true)]
async fn peer_below_version_9_is_closed_at_once() {
    let (server, network) = start(builder());
    let old = Connection::create(network.dial(1), offering(8))
        .await
        .unwrap();
    let asked = SLEEP.dispatch(&old, &3000);
    settle().await;
    let begin = Instant::now();
    server.shutdown_within(Duration::from_secs(10)).await;
    assert!(begin.elapsed() < Duration::from_secs(1));
    asked.await.unwrap_err();
}

/// A client that never reads, so that its answer does not fit between the two, cannot make the end
/// wait for ever. Behind the grace, which its open query takes, comes what flushing may take, and
/// then the second in which it might read the rest (decision 21).
#[tokio::test(start_paused = true)]
async fn client_that_does_not_read_is_waited_for_no_longer_than_flushing_may_take() {
    let flush = Duration::from_secs(2);
    let config = Config::default().flush_timeout(flush);
    let (server, network) = start(builder().config(config));
    let (mut client, io) = Peer::new(1000);
    network.accept(io, 1);
    client.shake_hands(11, PeerMetadata::default()).await;
    client
        .query(1, &ECHO.description(), &"x".repeat(10_000))
        .await;
    client.query(2, &SLEEP.description(), &60_000_i64).await;
    settle().await;
    let begin = Instant::now();
    let over = timeout(HOUR, server.shutdown_within(Duration::from_secs(5))).await;
    over.expect("waits for ever");
    assert_eq!(begin.elapsed().as_secs(), 5 + 2 + 1);
    settle().await;
    assert_eq!(alive_tasks(), 0);
    drop(client);
}

/// Nor can one that is silent in its handshake: that is cut short at once.
#[tokio::test(start_paused = true)]
async fn client_in_its_handshake_is_not_waited_for() {
    let (server, network) = start(builder());
    let silent = network.dial(1);
    settle().await;
    let begin = Instant::now();
    server.shutdown_within(Duration::from_secs(5)).await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
    drop(silent);
}

/// What was begun does not end with whoever waits for it: the open query keeps its time.
#[tokio::test(start_paused = true)]
async fn shutdown_goes_on_when_nobody_waits_for_it() {
    let (server, network) = start(builder());
    let (busy, busier) = (network.connect(1).await, network.connect(2).await);
    let asked = SLEEP.dispatch(&busy, &3000);
    let asked_too_much = SLEEP.dispatch(&busier, &60_000);
    settle().await;
    let begin = Instant::now();
    let stopping = server.shutdown_within(Duration::from_secs(10));
    let given_up = timeout(Duration::ZERO, stopping).await;
    given_up.unwrap_err();
    assert_eq!(asked.await.unwrap(), 3000);
    asked_too_much.await.unwrap_err();
    assert_eq!(begin.elapsed().as_secs(), 10);
    busy.closed().await;
    busier.closed().await;
    settle().await;
    assert_eq!(alive_tasks(), 0);
}

/// The same of a server that is only to accept nobody any more.
#[tokio::test(start_paused = true)]
async fn accepting_stops_when_nobody_waits_for_it() {
    let (server, network) = start(builder());
    let client = network.connect(1).await;
    let given_up = timeout(Duration::ZERO, server.stop_accepting()).await;
    given_up.unwrap_err();
    settle().await;
    assert!(network.0.is_closed());
    let answer = ECHO.dispatch(&client, &"still here".to_owned()).await;
    assert_eq!(answer.unwrap(), "still here");
    server.shutdown().await;
}
