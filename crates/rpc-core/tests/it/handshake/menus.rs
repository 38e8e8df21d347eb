//! The menu that is offered: the table's, or one of the user's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bin_prot::{Array, ByteString, Info};
use bytes::Bytes;
use rpc_core::connection::{ClosedBy, Config, HandshakeFailure};
use rpc_core::{
    Connection, DispatchError, Implementations, MENU_RPC, OnUnknownRpc, PipeRpc, Rpc, StateRpc,
};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{Description, Menu, MenuEntry, RpcDigests, RpcError};

use super::{check_failure, creating};
use crate::pair::{CAPACITY, connect, offering};
use crate::peer::Peer;
use crate::rpcs::{ECHO, NOTE};
use crate::source;

fn rpc(name: &str, version: i64) -> Description {
    Description::new(name, version)
}

/// ECHO and NOTE; the others are unknown, and nothing more.
fn table() -> Implementations<()> {
    Implementations::builder()
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .implement_one_way(&NOTE, |(), _| async { Ok(()) })
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap()
}

/// A configuration whose menu lists these, in whatever order.
fn offering_menu<const N: usize>(config: Config, menu: [(&'static str, i64); N]) -> Config {
    config.custom_menu(move || Menu::new(menu.map(|(name, version)| rpc(name, version))))
}

/// C-CR-4: present, and without entries; at every version that has menus.
#[tokio::test(start_paused = true)]
async fn empty_table_gives_an_empty_menu() {
    for (number, body) in [
        (3, &[4, 0, 1, 0][..]),
        (6, &[7, 0, 1, 0, 0]),
        (11, &[7, 0, 1, 0, 0]),
    ] {
        let (mut peer, _creating) = creating(Config::default());
        peer.exchange_headers(number).await;
        assert_eq!(peer.expect_frame().await, body);
    }
}

/// F3, F5, C-HS-6: kinds and digests, which other implementations compute alike.
#[tokio::test(start_paused = true)]
async fn menu_with_shapes_has_the_digests_of_the_reference() {
    static SORT: Rpc<Array<i64>, Array<i64>> = Rpc::new("sort", 1);
    static PIPE: PipeRpc<Bytes, Bytes, Info> = PipeRpc::new("test-pipe-rpc", 1);
    static STATE: StateRpc<Bytes, Bytes, Bytes, Info> = StateRpc::new("test-state-rpc", 1);
    let table = Implementations::builder()
        .implement_blocking(&SORT, |(), Array(mut items)| {
            items.sort_unstable();
            Ok(Array(items))
        })
        .implement_pipe(&PIPE, |(), _| async { Ok(Ok(source::iter([]))) })
        .implement_state(&STATE, |(), text| async {
            Ok(Ok((text, source::iter([]))))
        })
        .build()
        .unwrap();
    let unit = "86ba5df747eec837f0b391dd49f33f9e";
    let array = "4c138035aa69ec9dd8b7a7119090f84a";
    let text = "e2d261c6c291b94bf6aa68ec2b08cb00";
    let error = "52966f4a49a77bfdff668e9cc61511b3";
    let shown = |digests: &RpcDigests| match digests {
        RpcDigests::Rpc { query, response } => vec![query.0.to_string(), response.0.to_string()],
        RpcDigests::StreamingRpc {
            query,
            initial_response,
            update_response,
            error,
        } => [query, initial_response, update_response, error]
            .map(|digest| digest.0.to_string())
            .to_vec(),
        other => panic!("{other:?}"),
    };
    for version in [3, 6, 11] {
        let (near, _far) = connect(
            CAPACITY,
            (offering(version), &Implementations::empty(), ()),
            (offering(version).provide_shapes(true), &table, ()),
        )
        .await;
        let menu = near.peer_menu().unwrap();
        assert!(menu.has_digests());
        let digests: Vec<_> = menu.entries().iter().map(|e| shown(&e.digests)).collect();
        let expected = [
            vec![array, array],
            vec![text, unit, text, error],
            vec![text, text, text, error],
        ];
        assert_eq!(digests, expected);
    }
}

/// F6, C-CR-2, C-CR-5: in order, whatever the table implements.
#[tokio::test(start_paused = true)]
async fn custom_menu_is_offered_in_place_of_the_table() {
    for version in [3, 6, 11] {
        let config = offering_menu(offering(version), [("custom-rpc", 2), ("custom-rpc", 1)]);
        let (near, far) = connect(
            CAPACITY,
            (offering(version), &Implementations::empty(), ()),
            (config, &table(), ()),
        )
        .await;
        let expected = [rpc("custom-rpc", 1), rpc("custom-rpc", 2)];
        assert!(near.peer_menu().unwrap().descriptions().eq(&expected));
        assert!(far.local_menu().unwrap().descriptions().eq(&expected));
        // What is not on it can be called all the same.
        let answer = ECHO.dispatch(&near, &"x".to_owned()).await;
        assert_eq!(answer.unwrap(), "x");
    }
}

/// F7, C-CR-6: called once for each connection, however often the menu is asked for.
#[tokio::test(start_paused = true)]
async fn custom_menu_is_made_once_for_each_connection() {
    let counter = Arc::new(AtomicI64::new(0));
    let calls = counter.clone();
    let config = Config::default().custom_menu(move || {
        Menu::new([rpc(
            "dynamic-rpc",
            calls.fetch_add(1, Ordering::Relaxed) + 1,
        )])
    });
    for number in 1..=3 {
        let (near, _far) = connect(
            CAPACITY,
            (Config::default(), &Implementations::empty(), ()),
            (config.clone(), &table(), ()),
        )
        .await;
        for _ in 0..2 {
            let told = MENU_RPC.dispatch(&near, &()).await.unwrap();
            assert_eq!(told, [(ByteString::from("dynamic-rpc"), number)]);
        }
        let menu = near.peer_menu().unwrap();
        assert!(menu.descriptions().eq(&[rpc("dynamic-rpc", number)]));
        assert_eq!(counter.load(Ordering::Relaxed), number);
    }
}

/// ZC12, C-CR-3: the automatic menu RPC answers with what was offered, and does not list itself;
/// also below version 3, where the handshake has no menu.
#[tokio::test(start_paused = true)]
async fn menu_rpc_answers_with_the_custom_menu() {
    for version in [1, 2, 3, 11] {
        let (near, _far) = connect(
            CAPACITY,
            (offering(version), &Implementations::empty(), ()),
            (offering_menu(offering(version), [("a", 1)]), &table(), ()),
        )
        .await;
        let told = MENU_RPC.dispatch(&near, &()).await.unwrap();
        assert_eq!(told, [(ByteString::from("a"), 1)]);
    }
}

/// ZC11, C-CR-1: whoever implements the menu RPC has no menu, and is not asked for one.
#[tokio::test(start_paused = true)]
async fn custom_menu_is_not_made_for_a_table_with_its_own_menu_rpc() {
    let own = Implementations::builder()
        .implement_blocking(&MENU_RPC, |(), ()| Ok(vec![("own".into(), 7)]))
        .build()
        .unwrap();
    let config = Config::default().custom_menu(|| panic!("asked"));
    let (near, far) = connect(
        CAPACITY,
        (Config::default(), &Implementations::empty(), ()),
        (config, &own, ()),
    )
    .await;
    assert_eq!((near.peer_menu(), far.local_menu()), (None, None));
    let told = MENU_RPC.dispatch(&near, &()).await.unwrap();
    assert_eq!(told, [(ByteString::from("own"), 7)]);
}

/// C-CR-5, C-RM-4: ranks are those of the menu that was offered, in queries and in responses.
#[tokio::test(start_paused = true)]
async fn ranks_are_those_of_the_custom_menu() {
    let config = offering_menu(
        Config::default(),
        [("aaa", 1), ("echo", 1), ("zzz", 5), ("echo", 0)],
    );
    let (_connection, mut peer) = Peer::open(config, &table(), (), 11).await;
    let echo = |rank: u8, id: u8| [0x0c, 1, rank, id, 0, 2, 1, b'x'];
    // aaa 1, echo 0, echo 1, zzz 5
    peer.send_frame(&echo(2, 1)).await;
    assert_eq!(peer.expect_frame().await, [8, 1, 1, 2, 0, 2, 1, b'x']);
    for (rank, id, description) in [
        (0, 2, rpc("aaa", 1)),
        (1, 3, rpc("echo", 0)),
        (3, 4, rpc("zzz", 5)),
    ] {
        peer.send_frame(&echo(rank, id)).await;
        let body = peer.expect_frame().await;
        assert_eq!(body[..4], [8, id, 1, rank]);
        let error: RpcError = bin_prot::from_slice(&body[5..]).unwrap();
        assert_eq!(error, RpcError::unimplemented(description));
    }
    // By name, what is implemented and not offered has no index.
    peer.query(5, &NOTE.description(), &"x").await;
    let hidden = [0x0c, 0, 4, b'e', b'c', b'h', b'o', 1, 6, 0, 2, 1, b'x'];
    peer.send_frame(&hidden).await;
    assert_eq!(peer.expect_frame().await, [8, 6, 1, 2, 0, 2, 1, b'x']);
}

/// *protocol* §11: an implementation that was not offered.
#[tokio::test(start_paused = true)]
async fn response_of_what_was_not_offered_has_no_index() {
    let config = offering_menu(Config::default(), [("aaa", 1)]);
    let (_connection, mut peer) = Peer::open(config, &table(), (), 11).await;
    peer.query(1, &ECHO.description(), &"x").await;
    assert_eq!(peer.expect_frame().await, [8, 1, 0, 0, 2, 1, b'x']);
}

/// C-RM-5: beyond the custom menu is beyond ours.
#[tokio::test(start_paused = true)]
async fn rank_beyond_the_custom_menu_ends_the_connection() {
    for rank in [1, -1] {
        let config = offering_menu(Config::default(), [("echo", 1)]);
        let (connection, mut peer) = Peer::open(config, &table(), (), 11).await;
        let rank = bin_prot::to_vec(&i64::from(rank)).unwrap();
        let query = [&[0x0c, 1], &rank[..], &[1, 0, 2, 1, b'x']].concat();
        peer.send_frame(&query).await;
        let closed = connection.close_started().await;
        assert_eq!(closed.by, ClosedBy::Unknown);
        assert!(closed.to_string().contains("which our menu does not have"));
    }
}

/// C-CR-2: digests are told if shapes are provided.
#[tokio::test(start_paused = true)]
async fn digests_of_a_custom_menu_are_told_with_shapes_only() {
    let digests = RpcDigests::Rpc {
        query: rpc_wire::ShapeDigest(bin_prot::shape::Digest([1; 16])),
        response: rpc_wire::ShapeDigest(bin_prot::shape::Digest([2; 16])),
    };
    for provide in [true, false] {
        let config = Config::default()
            .provide_shapes(provide)
            .custom_menu(move || Menu::with_digests([(rpc("a", 1), digests)]));
        let (near, _far) = connect(
            CAPACITY,
            (Config::default(), &Implementations::empty(), ()),
            (config, &table(), ()),
        )
        .await;
        let menu = near.peer_menu().unwrap();
        assert_eq!(menu.has_digests(), provide);
        let expected = MenuEntry {
            description: rpc("a", 1),
            digests: if provide {
                digests
            } else {
                RpcDigests::Unknown
            },
        };
        assert_eq!(menu.entries(), [expected]);
    }
}

/// C-CR-5, C-HF-25: a duplicate, or a panic, is a failed creation; nothing is sent.
#[tokio::test(start_paused = true)]
async fn custom_menu_that_cannot_be_made_fails_the_creation() {
    let duplicate = offering_menu(Config::default(), [("a", 1), ("b", 1), ("a", 1)]);
    let panicking = Config::default().custom_menu(|| panic!("no menu today"));
    for (config, expected) in [
        (duplicate, "a version 1 is listed twice"),
        (panicking, "no menu today"),
    ] {
        let (mut peer, io) = Peer::new(CAPACITY);
        let error = Connection::serve(io, config, &table(), |_| ()).await;
        let error = error.unwrap_err();
        check_failure(
            &error,
            |cause| matches!(cause, HandshakeFailure::CustomMenu(error) if error.to_string().contains(expected)),
        );
        peer.expect_end().await;
    }
}

/// A caller of ours uses the ranks of whatever menu it was told.
#[tokio::test(start_paused = true)]
async fn caller_uses_the_ranks_of_a_custom_menu() {
    let config = offering_menu(Config::default(), [("aaa", 1), ("echo", 1), ("missing", 1)]);
    let (near, _far) = connect(
        CAPACITY,
        (Config::default(), &Implementations::empty(), ()),
        (config, &table(), ()),
    )
    .await;
    let answer = ECHO.dispatch(&near, &"x".to_owned()).await;
    assert_eq!(answer.unwrap(), "x");
    let missing = crate::rpcs::MISSING.dispatch(&near, &"x".to_owned()).await;
    let expected = RpcError::unimplemented(crate::rpcs::MISSING.description());
    assert!(matches!(missing, Err(DispatchError::Rpc(error)) if error == expected));
}

/// `PeerMetadata` without a menu is what a peer with its own menu RPC tells.
#[tokio::test(start_paused = true)]
async fn peer_without_a_menu_is_called_by_name() {
    let (mut peer, creating) = creating(Config::default());
    peer.shake_hands(11, PeerMetadata::default()).await;
    let connection = creating.await.unwrap().unwrap();
    assert_eq!(connection.peer_menu(), None);
    drop(ECHO.dispatch(&connection, &"x".to_owned()));
    assert_eq!(peer.expect_query().await.rpc, ECHO.description());
}
