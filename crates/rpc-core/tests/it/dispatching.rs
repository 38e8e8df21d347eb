//! What every dispatch has in common: ids, the table of who waits, and order (*connection* §5).

use std::collections::HashSet;
use std::time::Duration;

use bin_prot::{Sexp, WriteError};
use rpc_core::connection::Config;
use rpc_core::payload::{Codec, Undecodable};
use rpc_core::{
    Connection, DispatchError, DispatchResult, ExpertRpc, Implementations, OneWay, Rpc,
};
use rpc_wire::{QueryMetadata, RpcError};
use tokio::time::timeout;

use crate::pair::{now, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, ECHO, NOTE};
use crate::streams::{SECOND, assert_over, drain};
use crate::trace::Trace;

/// C-DI-1: no id is used twice, whatever it was for and whatever became of it.
#[tokio::test(start_paused = true)]
async fn ids_are_never_used_twice() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let mut seen = HashSet::new();
    for _ in 0..100 {
        let call = ECHO.dispatch(&connection, &"x".to_owned());
        let asked = peer.expect_query().await;
        assert!(seen.insert(asked.id));
        peer.answer(asked.id, &"y").await;
        assert_eq!(call.await.unwrap(), "y");
        NOTE.dispatch(&connection, &"z".to_owned()).unwrap();
        assert!(seen.insert(peer.expect_query().await.id));
        let opening = COUNT.dispatch(&connection, &1);
        let id = peer.expect_query().await.id;
        assert!(seen.insert(id));
        peer.refuse(id, &"no").await;
        opening.await.unwrap().unwrap_err();
    }
}

/// Units, of which none can be written.
enum Unwritable {}

impl Codec<()> for Unwritable {
    fn size((): &()) -> usize {
        1
    }

    fn write((): &(), _: &mut Vec<u8>) -> Result<(), WriteError> {
        Err(WriteError::Invalid("no"))
    }

    fn read(_: &[u8]) -> Result<(), Undecodable> {
        Ok(())
    }
}

/// C-DI-4: nothing waits for a query that was not sent.
#[tokio::test(start_paused = true)]
async fn query_that_was_not_sent_leaves_no_entry() {
    static UNWRITABLE: Rpc<(), (), Unwritable> = Rpc::new("unwritable", 1);
    let config = Config::default().max_message_size(100);
    let (connection, mut peer) = Peer::open(config, &Implementations::empty(), (), 11).await;
    let refused = ECHO.dispatch(&connection, &"x".repeat(200)).await;
    assert!(matches!(refused, Err(DispatchError::MessageTooBig { .. })));
    let refused = UNWRITABLE.dispatch(&connection, &()).await;
    assert!(matches!(refused, Err(DispatchError::Unencodable(_))));
    assert_over(&connection, &mut peer).await;
}

/// C-DI-6, C-DI-7, R-OW-20: sent means accepted. A one-way message and an abort have no entry.
#[tokio::test(start_paused = true)]
async fn only_what_is_answered_has_an_entry() {
    let (mut peer, io) = Peer::new(100);
    let (connection, ()) = tokio::join!(
        Connection::create(io, Config::default()),
        peer.shake_hands(11, Default::default()),
    );
    let connection = connection.unwrap();
    // The transport has room for few of them, and nobody reads.
    for _ in 0..100 {
        NOTE.dispatch(&connection, &"x".repeat(100)).unwrap();
    }
    assert_eq!(connection.open_queries(), 0);
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    let opening = COUNT.dispatch(&connection, &1);
    assert_eq!(connection.open_queries(), 2);
    drop(opening);
    assert_eq!(connection.open_queries(), 2);
    drop(call);
    assert_eq!(connection.open_queries(), 2);
}

/// C-DI-8, C-DI-9, R-OR-2, R-PL-22, catalogue W1, ZR1: queries arrive in the order of their
/// dispatches, also behind a large one; answers may come in any.
#[tokio::test(start_paused = true)]
async fn ten_calls_answered_in_reverse_get_their_own_answers() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let mut calls = Vec::new();
    for n in 0..10 {
        let size = if n == 0 { 500_000 } else { n };
        calls.push(ECHO.dispatch(&connection, &"x".repeat(size)));
    }
    let mut asked = Vec::new();
    for n in 0..10 {
        let query = peer.expect_query().await;
        let text: String = bin_prot::from_slice(&query.payload).unwrap();
        assert_eq!(text.len(), if n == 0 { 500_000 } else { n });
        asked.push(query.id);
    }
    for (n, id) in asked.iter().enumerate().rev() {
        peer.answer(*id, &n.to_string()).await;
    }
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap(), n.to_string());
    }
    assert_eq!(connection.open_queries(), 0);
}

/// C-DI-11, R-PL-21: an error response concerns its query only.
#[tokio::test(start_paused = true)]
async fn error_response_concerns_its_query_only() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let errors = [
        RpcError::unimplemented(ECHO.description()),
        RpcError::UncaughtExn(Sexp::atom("boom")),
        RpcError::WriteError(Sexp::atom("too big")),
        RpcError::BinIoExn(Sexp::atom("undecodable")),
        RpcError::AuthorizationFailure(Sexp::atom("no")),
    ];
    let mut other = ECHO.dispatch(&connection, &"other".to_owned());
    let waiting = peer.expect_query().await;
    for error in errors {
        let call = ECHO.dispatch(&connection, &"x".to_owned());
        let asked = peer.expect_query().await;
        peer.respond(asked.id, Err(error.clone())).await;
        let found = call.await.unwrap_err();
        assert!(matches!(found, DispatchError::Rpc(found) if found == error));
        assert!(now(&mut other).is_pending());
    }
    peer.answer(waiting.id, &"fine").await;
    assert_eq!(other.await.unwrap(), "fine");
    assert_over(&connection, &mut peer).await;
}

/// R-PL-20: each kind with and without metadata, and each result as it is or as a general error.
#[tokio::test(start_paused = true)]
async fn every_kind_is_dispatched_with_metadata() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let traced = connection.with_metadata(QueryMetadata::new().with(0, "trace"));
    let trace = vec![(0, b"trace".to_vec())];
    for (handle, metadata) in [(&connection, Vec::new()), (&traced, trace)] {
        let call = ECHO.dispatch(handle, &"x".to_owned());
        let asked = peer.expect_query().await;
        assert_eq!(asked.metadata, metadata);
        peer.answer(asked.id, &"y").await;
        assert_eq!(call.await.concerning(&ECHO, handle).unwrap(), "y");

        let call = ExpertRpc::from(ECHO.description()).dispatch(handle, b"\x01x");
        let asked = peer.expect_query().await;
        assert_eq!(asked.metadata, metadata);
        peer.answer(asked.id, &"y").await;
        assert_eq!(call.await.unwrap(), b"\x01y".as_slice());

        NOTE.dispatch(handle, &"x".to_owned())
            .concerning(&NOTE, handle)
            .unwrap();
        assert_eq!(peer.expect_query().await.metadata, metadata);

        let opening = COUNT.dispatch(handle, &1);
        let asked = peer.expect_query().await;
        assert_eq!(asked.metadata, metadata);
        peer.start(asked.id, &()).await;
        peer.update(asked.id, &0_i64).await;
        peer.end_stream(asked.id).await;
        let mut pipe = opening.await.unwrap().unwrap();
        assert_eq!(drain(&mut pipe).await, [0]);

        let opening = COUNTER.dispatch(handle, &1);
        let asked = peer.expect_query().await;
        assert_eq!(asked.metadata, metadata);
        let error = RpcError::UncaughtExn(Sexp::atom("no"));
        peer.respond(asked.id, Err(error)).await;
        let error = opening.await.concerning(&COUNTER, handle).unwrap_err();
        assert!(error.to_string().contains("(rpc_name counter)"), "{error}");
    }
    assert_over(&connection, &mut peer).await;
}

/// R-PL-23, C-DI-10, catalogue ZR11: a deadline is a timeout; the late answer is swallowed.
#[tokio::test(start_paused = true)]
async fn late_answer_to_a_timed_out_call_is_swallowed() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let trace = Trace::of(&connection);
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    assert!(timeout(Duration::from_millis(1), call).await.is_err());
    let asked = peer.expect_query().await;
    assert_eq!(connection.open_queries(), 1);
    peer.answer(asked.id, &"late").await;
    settle().await;
    assert_eq!(trace.lines().len(), 2, "one finishing event");
    drop(trace);
    assert_over(&connection, &mut peer).await;
}

/// R-OW-21, R-UN-4, T-C5, T-C25, catalogue M14: a callee that answers what it takes for a call.
#[tokio::test(start_paused = true)]
async fn error_in_answer_to_a_one_way_message_closes_the_connection() {
    static PIPE: OneWay<String> = OneWay::new("pipe-rpc", 1);
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let trace = Trace::of(&connection);
    PIPE.dispatch(&connection, &"x".to_owned()).unwrap();
    trace.expect(&["S Query 17", "R One_way 17"]);
    let asked = peer.expect_query().await;
    let error = RpcError::BinIoExn(Sexp::atom("no stream query"));
    peer.respond(asked.id, Err(error)).await;
    let reason = peer.expect_close_reason().await.to_string();
    assert!(
        reason.contains("Rpc message handling loop stopped"),
        "{reason}"
    );
    assert!(reason.contains("(Unknown_query_id 1)"), "{reason}");
    trace.expect(&[]);
    drop(peer);
    timeout(SECOND, connection.closed()).await.unwrap();
}
