//! Messages that concern one query, or nothing at all: the connection goes on.

use bin_prot::Sexp;
use rpc_core::connection::Config;
use rpc_core::{Connection, DispatchError, Implementations, Rpc};
use rpc_wire::RpcError;

use super::Scene;
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO};

/// Decision 12, C-RD-14: the next query is answered.
#[tokio::test(start_paused = true)]
async fn payload_length_beyond_the_frame_is_an_error_of_its_query() {
    let scene = Scene::new().await;
    let (connection, mut peer) = scene.open(9).await;
    for (rpc, location) in [
        (ECHO.description(), "server-side rpc query un-bin-io'ing"),
        (
            COUNT.description(),
            "server-side pipe_rpc stream_query un-bin-io'ing",
        ),
    ] {
        let mut message = peer.query_message(3, &rpc, b"\x05hello");
        let payload_length = message.len() - 7;
        message[payload_length] = 100;
        peer.send_bytes(&message).await;
        check_bin_io(&peer.expect_error(3).await, location);
    }
    assert_serves(&connection, peer).await;
    scene.assert_unharmed().await;
}

/// C-RD-14 on the caller's side: the next call works.
#[tokio::test(start_paused = true)]
async fn response_length_beyond_the_frame_is_an_error_of_its_call() {
    let (connection, mut peer) = Peer::called_by_us(1).await;
    let call = ECHO.dispatch(&connection, &"a".to_owned());
    peer.expect_query().await;
    peer.send_frame(&[0x02, 0x01, 0x00, 100, 1, b'a']).await;
    let error = call.await.unwrap_err();
    let DispatchError::Undecodable { location, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(location, "client-side rpc response un-bin-io'ing");
    assert_eq!(connection.open_queries(), 0);
    let call = ECHO.dispatch(&connection, &"b".to_owned());
    let id = peer.expect_query().await.id;
    peer.answer(id, &"b".to_owned()).await;
    assert_eq!(call.await.unwrap(), "b");
}

/// R-PL-3: a count is compared with what is left before anything is reserved.
#[tokio::test(start_paused = true)]
async fn ten_million_elements_in_nine_bytes_are_an_error_of_their_query() {
    static SUM: Rpc<Vec<i64>, i64> = Rpc::new("sum", 1);
    let sum = |_: &(), items: Vec<i64>| Ok(items.iter().sum());
    let table = Implementations::builder()
        .implement_blocking(&SUM, sum)
        .build()
        .unwrap();
    let (_connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    let payload = [0xfd, 0x80, 0x96, 0x98, 0x00, 1, 2, 3, 4];
    let message = peer.query_message(1, &SUM.description(), &payload);
    peer.send_bytes(&message).await;
    let location = "server-side rpc query un-bin-io'ing";
    check_bin_io(&peer.expect_error(1).await, location);
    peer.query(2, &SUM.description(), &vec![1_i64, 2]).await;
    peer.expect_answer(2, &3_i64).await;
}

/// R-SV-15: neither a query nor an abort.
#[tokio::test(start_paused = true)]
async fn plain_query_to_a_pipe_is_an_error_of_its_query() {
    let scene = Scene::new().await;
    let (connection, mut peer) = scene.open(11).await;
    peer.query(3, &COUNT.description(), &"hello").await;
    let location = "server-side pipe_rpc stream_query un-bin-io'ing";
    check_bin_io(&peer.expect_error(3).await, location);
    assert_serves(&connection, peer).await;
    scene.assert_unharmed().await;
}

/// R-SV-9: an abort of nothing is nothing.
#[tokio::test(start_paused = true)]
async fn abort_of_an_unknown_stream_is_ignored() {
    let scene = Scene::new().await;
    let (connection, mut peer) = scene.open(11).await;
    peer.abort(3, &COUNT.description()).await;
    assert_serves(&connection, peer).await;
    scene.assert_unharmed().await;
}

/// C-RD-3, Decision 17: a later version may add fields.
#[tokio::test(start_paused = true)]
async fn bytes_beyond_the_message_are_tolerated() {
    let scene = Scene::new().await;
    let (connection, mut peer) = scene.open(11).await;
    peer.send_frame(&[0x00, 0xff, 0xff]).await;
    let message = peer.query_message(5, &ECHO.description(), b"\x01x");
    let body = [&message[8..], &[0xff; 3]].concat();
    peer.send_frame(&body).await;
    peer.expect_answer(5, &"x").await;
    assert_serves(&connection, peer).await;
    scene.assert_unharmed().await;
}

/// C-RD-4: what is restricted by version is what we send.
#[tokio::test(start_paused = true)]
async fn every_form_of_query_is_understood_at_every_version() {
    for number in 1..=11 {
        let scene = Scene::new().await;
        let (_connection, mut peer) = scene.open(number).await;
        for (id, form) in [(1, 1), (2, 2), (3, 8), (4, 11)] {
            let (writer, _) = Peer::at(form);
            let message = writer.query_message(id, &ECHO.description(), b"\x01x");
            peer.send_bytes(&message).await;
            peer.expect_answer(id, &"x").await;
        }
    }
}

#[track_caller]
fn check_bin_io(error: &RpcError, location: &str) {
    let RpcError::BinIoExn(Sexp::List(fields)) = error else {
        panic!("{error:?}");
    };
    let expected = Sexp::list([Sexp::atom("location"), Sexp::atom(location)]);
    assert_eq!(fields.first(), Some(&expected), "{error}");
}

/// The connection is as good as before.
async fn assert_serves(connection: &Connection, mut peer: Peer) {
    assert_eq!(connection.served_streams(), 0);
    peer.query(100, &ECHO.description(), &"fine").await;
    peer.expect_answer(100, &"fine").await;
    assert!(!connection.is_closed());
    drop(peer);
    connection.closed().await;
}
