//! What an RPC's definition says of itself.

use bytes::Bytes;
use rpc_core::connection::Config;
use rpc_core::payload::Raw;
use rpc_core::{
    Connection, Implementation, Implementations, OneWay, PipeRpc, Reply, Rpc, RpcShapes, StateRpc,
};
use rpc_wire::{QueryId, RpcDigests, ShapeDigest};

use crate::pair::{CAPACITY, connect};
use crate::peer::Peer;

static PLAIN: Rpc<(i64, String), bool> = Rpc::new("plain", 1);
static MESSAGE: OneWay<String> = OneWay::new("message", 2);
static PIPE: PipeRpc<i64, String, bool> = PipeRpc::new("pipe", 3).client_pushes_back();
static STATE: StateRpc<i64, f64, String, bool> = StateRpc::new("state", 4);
static RAW: Rpc<Bytes, Bytes, Raw> = Rpc::new("raw", 5);

fn digest<T: bin_prot::BinShape>() -> ShapeDigest {
    ShapeDigest(T::bin_shape().digest().unwrap())
}

/// R-IM-7: by kind; of a pipe RPC the initial response is unit.
#[test]
fn digests_are_those_of_the_types() {
    let plain = RpcDigests::Rpc {
        query: digest::<(i64, String)>(),
        response: digest::<bool>(),
    };
    assert_eq!(PLAIN.digests(), plain);
    let message = RpcDigests::OneWay {
        msg: digest::<String>(),
    };
    assert_eq!(MESSAGE.digests(), message);
    let streaming = |initial_response| RpcDigests::StreamingRpc {
        query: digest::<i64>(),
        initial_response,
        update_response: digest::<String>(),
        error: digest::<bool>(),
    };
    assert_eq!(PIPE.digests(), streaming(digest::<()>()));
    assert_eq!(STATE.digests(), streaming(digest::<f64>()));
    assert_eq!(RAW.digests(), RpcDigests::Unknown);
}

/// R-IM-7: what the digests are of.
#[test]
fn shapes_have_the_digests() {
    let of = |shape: &bin_prot::shape::Shape| ShapeDigest(shape.digest().unwrap());
    let digests = |shapes: RpcShapes| match shapes {
        RpcShapes::Rpc { query, response } => RpcDigests::Rpc {
            query: of(&query),
            response: of(&response),
        },
        RpcShapes::OneWay { msg } => RpcDigests::OneWay { msg: of(&msg) },
        RpcShapes::StreamingRpc {
            query,
            initial_response,
            update_response,
            error,
        } => RpcDigests::StreamingRpc {
            query: of(&query),
            initial_response: of(&initial_response),
            update_response: of(&update_response),
            error: of(&error),
        },
        _ => RpcDigests::Unknown,
    };
    assert_eq!(digests(PLAIN.shapes()), PLAIN.digests());
    assert_eq!(digests(MESSAGE.shapes()), MESSAGE.digests());
    assert_eq!(digests(PIPE.shapes()), PIPE.digests());
    assert_eq!(digests(STATE.shapes()), STATE.digests());
    assert!(matches!(RAW.shapes(), RpcShapes::Unknown));
}

/// R-IM-7: what a peer is told of them, direct writers making no difference.
#[tokio::test(start_paused = true)]
async fn menu_carries_the_digests_of_the_definitions() {
    let table = Implementations::<()>::builder()
        .implement_blocking(&PLAIN, |(), _| Ok(true))
        .implement_one_way(&MESSAGE, |(), _| async { Ok(()) })
        .implement_pipe_direct(&PIPE, |(), _, _| async { Ok(Ok(())) })
        .implement_state_direct(&STATE, |(), _, _| async { Ok(Ok(0.5)) })
        .implement_blocking(&RAW, |(), bytes| Ok(bytes))
        .build()
        .unwrap();
    let near = (Config::default(), &Implementations::empty(), ());
    let far = (Config::default().provide_shapes(true), &table, ());
    let (near, _far): (Connection, Connection) = connect(CAPACITY, near, far).await;
    let menu = near.peer_menu().unwrap();
    let digests: Vec<_> = menu
        .entries()
        .iter()
        .map(|entry| (entry.description.name.to_string(), entry.digests))
        .collect();
    let expected = [
        ("message", MESSAGE.digests()),
        ("pipe", PIPE.digests()),
        ("plain", PLAIN.digests()),
        ("raw", RAW.digests()),
        ("state", STATE.digests()),
    ];
    assert_eq!(
        digests,
        expected.map(|(name, digests)| (name.to_owned(), digests))
    );
}

/// R-SC-27: two definitions that differ in nothing else have one digest, and their calls and aborts
/// the same bytes.
#[tokio::test(start_paused = true)]
async fn pushing_back_changes_nothing_on_the_wire() {
    static CALM: PipeRpc<i64, String, bool> = PipeRpc::new("pipe", 3);
    static CALM_STATE: StateRpc<i64, f64, String, bool> = StateRpc::new("state", 4);
    static PUSHING_STATE: StateRpc<i64, f64, String, bool> = CALM_STATE.client_pushes_back();
    assert!(PIPE.pushes_back() && !CALM.pushes_back());
    assert!(PUSHING_STATE.pushes_back() && !CALM_STATE.pushes_back());
    assert_eq!(PIPE.digests(), CALM.digests());
    assert_eq!(PUSHING_STATE.digests(), CALM_STATE.digests());
    for version in 1..=11 {
        let mut frames = Vec::new();
        for pushing in [false, true] {
            let (connection, mut peer) = Peer::called_by_us(version).await;
            let pipe = if pushing { &PIPE } else { &CALM };
            let state = if pushing { &PUSHING_STATE } else { &CALM_STATE };
            // Streams that are given up before their answers, each with its abort.
            let opening = (
                pipe.dispatch(&connection, &5),
                state.dispatch(&connection, &6),
            );
            drop(opening);
            for _ in 0..2 {
                frames.push(peer.expect_frame().await);
            }
            for (id, answer) in [(1, b"\x00\x00".to_vec()), (2, [[0; 5], [0; 5]].concat())] {
                peer.respond(QueryId::new(id), Ok(&answer)).await;
                frames.push(peer.expect_frame().await);
            }
        }
        let (calm, pushing) = frames.split_at(4);
        assert_eq!(calm, pushing, "version {version}");
    }
}

/// R-IM-7: an implementation has the shapes of its definition, if that has types: the digests, which
/// it has too, are those of its shapes.
#[test]
fn implementations_have_the_shapes_of_their_definitions() {
    let implementations = [
        Implementation::<()>::plain(&PLAIN, |(), _| async { Ok(true) }),
        Implementation::blocking(&RAW, |(), bytes| Ok(bytes)),
        Implementation::one_way(&MESSAGE, |(), _| async { Ok(()) }),
        Implementation::pipe_direct(&PIPE, |(), _, _| async { Ok(Ok(())) }),
        Implementation::state_direct(&STATE, |(), _, _| async { Ok(Ok(0.5)) }),
        Implementation::expert_blocking(&PLAIN, |(), _, _| Ok(Reply::Replied)),
        Implementation::expert_blocking(&PLAIN.description(), |(), _, _| Ok(Reply::Replied)),
    ];
    let expected = [
        PLAIN.digests(),
        RAW.digests(),
        MESSAGE.digests(),
        PIPE.digests(),
        STATE.digests(),
        PLAIN.digests(),
        RpcDigests::Unknown,
    ];
    for (implementation, expected) in implementations.into_iter().zip(expected) {
        let shapes = implementation.shapes().digests().unwrap();
        assert_eq!(shapes, expected, "{implementation:?}");
        assert_eq!(implementation.digests(), expected, "{implementation:?}");
        let lifted = implementation.lift(|_: &i64, _| ());
        assert_eq!(lifted.shapes().digests().unwrap(), expected, "{lifted:?}");
    }
}

/// Definitions are constants, with what modifies them.
#[test]
fn definitions_are_constants() {
    const COUNT: StateRpc<(), (), i64, ()> = StateRpc::new("count", 7).client_pushes_back();
    assert_eq!(COUNT.name(), "count");
    assert_eq!(COUNT.version(), 7);
    assert_eq!(COUNT.description().to_string(), "count version 7");
    assert_eq!(format!("{PIPE:?}"), "PipeRpc(pipe version 3)");
}
