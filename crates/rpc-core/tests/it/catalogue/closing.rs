//! Catalogue H: what calls get when either side closes.

use std::time::Duration;

use rpc_core::connection::{Close, ClosedBy, Config};
use rpc_core::{
    Connection, DispatchError, ExpertQuery, Implementation, Implementations, OneWay, Reply,
    Responder, Rpc,
};
use tokio::time::{Instant, sleep};

use super::{SECOND, bytes, header};
use crate::pair::{CAPACITY, connect, now, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{ECHO, HOLD, NOTE, SLEEP};

const HOUR: i64 = 3_600_000;
const MINUTE: Duration = Duration::from_secs(60);

/// As [`SLEEP`], answered by an expert handler.
static EXPERT_SLEEP: Rpc<i64, i64> = Rpc::new("expert-sleep", 1);

/// A server that sleeps in both ways, and its client.
async fn sleepers() -> (Connection, Connection) {
    let nap = |millis: i64| sleep(Duration::from_millis(u64::try_from(millis).unwrap()));
    let expert = move |(): &(), query: ExpertQuery<'_>, responder: Responder| {
        let millis: Result<i64, _> = bin_prot::from_slice(query.bytes());
        async move {
            let millis = millis?;
            nap(millis).await;
            responder.value(&EXPERT_SLEEP, &millis)?;
            Ok(Reply::Replied)
        }
    };
    let table = Implementations::builder()
        .implementation(Implementation::expert(&EXPERT_SLEEP, expert))
        .implement(&SLEEP, move |(): &(), millis: i64| async move {
            nap(millis).await;
            Ok(millis)
        })
        .build()
        .unwrap();
    let client = (Config::default(), &Implementations::empty(), ());
    connect(CAPACITY, client, (Config::default(), &table, ())).await
}

fn graceful(at_most: Duration) -> Close {
    Close::new().wait_for_open_queries(at_most)
}

fn assert_closed(error: &DispatchError, text: &str) {
    let closed = matches!(error, DispatchError::ConnectionClosed(_));
    assert!(closed && error.to_string().contains(text), "{error:?}");
}

/// W30: nothing is written after a close but what was sent before, and the end.
#[tokio::test(start_paused = true)]
async fn only_what_was_sent_before_the_close_is_seen() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let writer = {
        let connection = connection.clone();
        move |text: &str| NOTE.dispatch(&connection, &text.to_owned())
    };
    writer("before").unwrap();
    connection.close();
    writer("after").unwrap_err();
    assert_closed(
        &ECHO
            .dispatch(&connection, &String::new())
            .await
            .unwrap_err(),
        "close",
    );
    assert_eq!(peer.expect_query().await.payload, b"\x06before");
    peer.expect_end_at_once().await;
    drop(peer);
    connection.closed().await;
    writer("long after").unwrap_err();
}

/// H1.
#[tokio::test(start_paused = true)]
async fn plain_close_ends_the_calls() {
    let (client, server) = sleepers().await;
    let call = SLEEP.dispatch(&client, &HOUR);
    sleep(SECOND).await;
    let start = Instant::now();
    server.close();
    assert_closed(&call.await.unwrap_err(), "EOF or connection closed");
    assert!(start.elapsed() < SECOND);
}

/// H6, H7, H8: an expert handler counts as any other.
#[tokio::test(start_paused = true)]
async fn expert_handlers_are_waited_for() {
    let (client, server) = sleepers().await;
    let call = EXPERT_SLEEP.dispatch(&client, &10_000);
    sleep(SECOND).await;
    server.close_with(graceful(MINUTE));
    assert_eq!(call.await.unwrap(), 10_000);

    let (client, server) = sleepers().await;
    let call = EXPERT_SLEEP.dispatch(&client, &10_000);
    sleep(SECOND).await;
    let start = Instant::now();
    server.close_with(graceful(5 * SECOND));
    assert_closed(&call.await.unwrap_err(), "EOF or connection closed");
    assert_eq!(start.elapsed().as_secs(), 5);

    let (client, server) = sleepers().await;
    let plain = SLEEP.dispatch(&client, &5_000);
    let expert = EXPERT_SLEEP.dispatch(&client, &10_000);
    sleep(SECOND).await;
    server.close_with(graceful(MINUTE));
    assert_eq!(plain.await.unwrap(), 5_000);
    assert_eq!(expert.await.unwrap(), 10_000);
    assert_eq!(server.closed().await.by, ClosedBy::Local);
}

/// H9.
#[tokio::test(start_paused = true)]
async fn connection_that_is_opened_and_closed_says_no_more_than_it_has_to() {
    let (mut peer, io) = Peer::new(CAPACITY);
    let (connection, ()) = tokio::join!(
        Connection::create(io, Config::default()),
        peer.send_handshake(11),
    );
    let connection = connection.unwrap();
    assert_eq!(peer.expect_frame().await, header(11));
    assert_eq!(peer.expect_frame().await, bytes("07 00 01 00 00"));
    peer.expect_heartbeat().await;
    connection.close();
    let closed = connection.close_reason().unwrap();
    assert_eq!(closed.by, ClosedBy::Local);
    assert!(closed.to_string().contains("Rpc.Connection.close"));
    peer.expect_end_at_once().await;
    drop(peer);
    connection.closed().await;
}

/// H15: what a call is told of our own close.
#[tokio::test(start_paused = true)]
async fn own_close_is_what_our_calls_are_told() {
    let (near, _far, _) = pair(Config::default(), Config::default()).await;
    let call = SLEEP.dispatch(&near, &HOUR);
    let stream = HOLD.dispatch(&near, &()).await.unwrap().unwrap();
    near.close();
    let error = call.await.unwrap_err();
    assert_closed(&error, "Connection closed by local side:");
    assert_closed(&error, "Rpc.Connection.close");
    assert_closed(&error, "(connection_description near)");
    drop(stream);
}

/// H16.
#[tokio::test(start_paused = true)]
async fn close_of_the_server_reaches_the_client() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let mut call = SLEEP.dispatch(&near, &HOUR);
    settle().await;
    let start = Instant::now();
    far.close();
    assert_eq!(near.closed().await.by, ClosedBy::Unknown);
    assert!(now(&mut call).is_ready());
    assert!(start.elapsed() < SECOND);
}

/// H17, R-UN-4: the answer to an unknown one-way RPC is one that the caller does not expect.
#[tokio::test(start_paused = true)]
async fn unknown_one_way_rpc_costs_the_caller_its_connection() {
    static UNKNOWN: OneWay<i64> = OneWay::new("unknown-one-way", 1);
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let call = SLEEP.dispatch(&near, &HOUR);
    UNKNOWN.dispatch(&near, &1).unwrap();
    let closed = near.closed().await;
    assert!(closed.to_string().contains("Unknown_query_id"), "{closed}");
    assert_closed(&call.await.unwrap_err(), "Unknown_query_id");
    assert_eq!(far.closed().await.by, ClosedBy::Peer);
}
