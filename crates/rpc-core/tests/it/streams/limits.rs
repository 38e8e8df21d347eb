//! Messages of streams that are too large.

use rpc_core::connection::Config;
use rpc_core::{DispatchError, Implementations, PipeCloseReason, PipeRpc, StateRpc};
use rpc_wire::RpcError;

use super::{SECOND, assert_none_served};
use crate::pair::{CAPACITY, connect, settle};
use crate::peer::Peer;
use crate::rpcs::ECHO;
use crate::source;

static TEXTS: PipeRpc<(), String, String> = PipeRpc::new("texts", 1);

fn serving_texts(sizes: &'static [usize]) -> Implementations<()> {
    Implementations::builder()
        .implement_pipe(&TEXTS, |_, ()| async {
            Ok(Ok(source::iter(sizes.iter().map(|n| "x".repeat(*n)))))
        })
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap()
}

/// R-SV-10: in its place, and the stream goes on.
#[tokio::test(start_paused = true)]
async fn update_above_the_limit_is_a_write_error_in_its_place() {
    // Tag, id, menu index, result, length, update tag, two lengths.
    let overhead = 1 + 1 + 2 + 1 + 3 + 4 + 3 + 3;
    let config = Config::default().max_message_size(overhead + 300);
    let table = serving_texts(&[1, 301, 300, 302, 2]);
    let (connection, mut peer) = Peer::open(config, &table, (), 11).await;
    peer.open_stream(7, &TEXTS.description(), &()).await;
    peer.expect_start(7, &()).await;
    for size in [1, 301, 300, 302, 2] {
        if size <= 300 {
            peer.expect_update(7, &"x".repeat(size)).await;
            continue;
        }
        let RpcError::WriteError(error) = peer.expect_error(7).await else {
            panic!("another error");
        };
        let expected = format!(
            "(Message_too_big((size {})(max_message_size {})))",
            overhead + size,
            overhead + 300
        );
        assert_eq!(error.to_string(), expected);
    }
    peer.expect_end_of_stream(7).await;
    assert_none_served(&connection, &mut peer).await;
}

/// Catalogue O2.
/// R-SV-10 with R-SC-2: what the user of both our ends sees.
#[tokio::test(start_paused = true)]
async fn update_above_the_callees_limit_breaks_the_callers_pipe() {
    let table = serving_texts(&[1, 1000, 2]);
    let far = (Config::default().max_message_size(500), &table, ());
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, far) = connect(CAPACITY, near, far).await;
    let mut pipe = TEXTS.dispatch(&near, &()).await.unwrap().unwrap();
    assert_eq!(pipe.next().await.as_deref(), Some("x"));
    assert_eq!(pipe.next().await, None);
    let reason = pipe.close_reason().await;
    assert!(
        matches!(
            reason,
            PipeCloseReason::Error(DispatchError::Rpc(RpcError::WriteError(_)))
        ),
        "{reason:?}"
    );
    settle().await;
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
    assert!(!near.is_closed());
}

/// Catalogue O3.
/// Decision 9 (R-SV-11): no updates follow, and the caller's abort is answered.
#[tokio::test(start_paused = true)]
async fn initial_response_above_the_limit_ends_the_stream_and_its_abort_is_answered() {
    static BIG_STATE: StateRpc<i64, String, i64, String> = StateRpc::new("big-state", 1);
    let handler = |_: &(), n: i64| async move {
        let size = usize::try_from(n.abs())?;
        Ok(if n < 0 {
            Err("x".repeat(size))
        } else {
            Ok(("x".repeat(size), source::iter(0..3)))
        })
    };
    let table = Implementations::builder()
        .implement_state(&BIG_STATE, handler)
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap();
    let config = Config::default().max_message_size(300);
    let (connection, mut peer) = Peer::open(config.clone(), &table, (), 11).await;
    for n in [1000_i64, -1000] {
        peer.open_stream(7, &BIG_STATE.description(), &n).await;
        let error = peer.expect_error(7).await;
        assert!(matches!(error, RpcError::WriteError(_)), "{error}");
        peer.expect_silence(SECOND).await;
        peer.abort(7, &BIG_STATE.description()).await;
        peer.expect_end_of_stream(7).await;
        assert_none_served(&connection, &mut peer).await;
    }
    drop((connection, peer));

    let near = (Config::default(), &Implementations::empty(), ());
    let (near, far) = connect(CAPACITY, near, (config, &table, ())).await;
    let error = BIG_STATE.dispatch(&near, &1000).await.unwrap_err();
    assert!(matches!(error, DispatchError::Rpc(RpcError::WriteError(_))));
    settle().await;
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}

/// C-BP-6: a peer that opens streams and does not read makes none of them produce once enough waits
/// for it. Nothing is lost by that.
#[tokio::test(start_paused = true)]
async fn streams_begin_to_produce_when_there_is_room() {
    const STREAMS: i64 = 500;
    let table = serving_texts(&[10_000, 10_000]);
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    for id in 1..=STREAMS {
        peer.open_stream(id, &TEXTS.description(), &()).await;
    }
    settle().await;
    assert_eq!(connection.served_streams(), STREAMS as usize);
    // Of 10 MB: what the transport is taking, and 256 KiB behind it.
    let waiting = connection.bytes_to_write();
    assert!(waiting < 600 * 1024, "{waiting} bytes");
    let (mut updates, mut ends) = (0, 0);
    while ends < STREAMS {
        let payload = peer.expect_response().await.result.unwrap();
        match payload.len() {
            3 => {}
            4 => ends += 1,
            _ => updates += 1,
        }
    }
    assert_eq!(updates, 2 * STREAMS);
    assert_none_served(&connection, &mut peer).await;
}
