//! Menus as peers of every wire version come by them.

use std::sync::{Arc, Mutex};

use bin_prot::BinShape;
use rpc_core::connection::Config;
use rpc_core::{
    Connection, DispatchError, Implementation, Implementations, OnUnknownRpc, OneWay, PipeRpc, Rpc,
    RpcShapes,
};
use rpc_versioned::{
    CallError, ConnectionWithMenu, MenuRequestError, MenuWithShapes, NoCommonVersion,
    SHAPE_MENU_RPC, caller_converts, menu_of,
};
use rpc_wire::{Description, Menu, MenuError, ProtocolVersion, RpcDigests, RpcError, menu_rpc};

use crate::pair::{pair, settle};

static ECHO_1: Rpc<String, String> = Rpc::new("echo", 1);
static ECHO_2: Rpc<String, String> = Rpc::new("echo", 2);
static MENU: Rpc<(), Vec<(String, i64)>> = Rpc::new("__Versioned_rpc.Menu", 1);

fn echoes() -> Implementations<()> {
    Implementations::builder()
        .implement_blocking(&ECHO_2, |_, text| Ok(text))
        .implement_blocking(&ECHO_1, |_, text| Ok(text))
        .build()
        .unwrap()
}

/// V-RQ-1, V-RQ-3: the same menu, whether the handshake had it or the RPC was asked.
#[tokio::test(start_paused = true)]
async fn menu_is_the_same_at_every_version() {
    for version in ProtocolVersion::all() {
        let (caller, _callee) = pair(version, &echoes(), ()).await;
        assert_eq!(
            caller.peer_menu().is_some(),
            version.has_connection_metadata()
        );
        let caller = ConnectionWithMenu::request(caller).await.unwrap();
        let expected = [Description::new("echo", 1), Description::new("echo", 2)];
        assert!(caller.menu().descriptions().eq(&expected), "at {version}");
        // The first wire form always counts as having digests, `Unknown` ones here
        // (protocol, 9.3).
        let first_form = version.has_connection_metadata() && !version.has_metadata_v2();
        assert_eq!(caller.menu().has_digests(), first_form, "at {version}");
        assert_eq!(caller.highest_common("echo", &[1, 2, 3]), Ok(2));
        assert_eq!(
            caller.highest_common("ohce", &[1]),
            Err(NoCommonVersion::NoSuchRpc)
        );
        assert_eq!(caller.connection().open_queries(), 0);
    }
}

/// V-RQ-2, V-RQ-6: a peer that answers menu queries itself, and badly.
#[tokio::test(start_paused = true)]
async fn duplicate_in_the_answer_is_an_error() {
    let implementations = Implementations::builder()
        .implement_blocking(&MENU, |_, ()| {
            Ok(vec![("a".to_owned(), 1), ("a".to_owned(), 1)])
        })
        .build()
        .unwrap();
    let (caller, _callee) = pair(ProtocolVersion::MAX, &implementations, ()).await;
    assert!(caller.peer_menu().is_none(), "C-CR-1");
    let error = ConnectionWithMenu::request(caller).await.unwrap_err();
    assert!(matches!(
        error,
        MenuRequestError::Menu(MenuError::Duplicate(_))
    ));
}

/// V-RQ-1, ZV2: with a menu in the handshake nothing is asked, not even if it is empty; without one a
/// plain RPC is, as the connection's events tell.
#[tokio::test(start_paused = true)]
async fn menu_is_asked_for_only_if_the_handshake_had_none() {
    for version in ProtocolVersion::all() {
        for table in [echoes(), Implementations::empty()] {
            let (caller, _callee) = pair(version, &table, ()).await;
            settle().await;
            let events = Arc::new(Mutex::new(Vec::new()));
            let told = events.clone();
            let subscription = caller.subscribe(move |event| {
                told.lock().unwrap().push(format!("{:?}", event.to_event()));
            });
            let before = caller.bytes_to_write() + caller.bytes_written();
            let with_menu = ConnectionWithMenu::request(caller.clone()).await.unwrap();
            assert_eq!(with_menu.menu().entries().len(), table.descriptions().len());
            drop(subscription);
            let events = std::mem::take(&mut *events.lock().unwrap());
            if version.has_connection_metadata() {
                assert!(events.is_empty(), "{events:?}");
                assert_eq!(caller.bytes_to_write() + caller.bytes_written(), before);
            } else {
                assert!(events[0].contains("__Versioned_rpc.Menu"), "{events:?}");
                assert!(events[0].contains("Query"), "{events:?}");
                assert!(
                    events.last().unwrap().contains("ResponseFinishedOk"),
                    "{events:?}"
                );
            }
        }
    }
}

/// V-RQ-1: a peer that has the RPC, and fails to answer it, is an error in the terms of the call.
#[tokio::test(start_paused = true)]
async fn menu_rpc_that_fails_is_an_error() {
    let fails = Implementation::blocking(&MENU, |(), ()| Err(crate::pair::on_purpose()));
    let table = Implementations::builder()
        .implementation(fails)
        .build()
        .unwrap();
    for version in ProtocolVersion::all() {
        let (caller, _callee) = pair(version, &table, ()).await;
        let error = ConnectionWithMenu::request(caller).await.unwrap_err();
        assert!(
            matches!(
                error,
                MenuRequestError::Dispatch(DispatchError::Rpc(RpcError::UncaughtExn(_)))
            ),
            "{error:?}"
        );
    }
}

/// V-RQ-2: what the peer answers is sorted.
#[tokio::test(start_paused = true)]
async fn answer_in_any_order_is_sorted() {
    let table = Implementations::builder()
        .implement_blocking(&MENU, |(), ()| {
            let names = [("b", 1), ("a", 3), ("a", -1), ("B", 2)];
            Ok(names
                .map(|(name, version)| (name.to_owned(), version))
                .into())
        })
        .build()
        .unwrap();
    let (caller, _callee) = pair(ProtocolVersion::MIN, &table, ()).await;
    let caller = ConnectionWithMenu::request(caller).await.unwrap();
    assert_eq!(
        caller.menu().to_string(),
        "((B Unknown(2))(a Unknown(-1 3))(b Unknown(1)))"
    );
}

/// V-RQ-7: a custom menu may list what nobody implements, and leave out what somebody does: callers
/// believe it, and definitions reach what it leaves out.
#[tokio::test(start_paused = true)]
async fn custom_menu_is_believed() {
    let table = Implementations::builder()
        .implement_blocking(&ECHO_1, |(), text| Ok(text))
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap();
    for version in ProtocolVersion::all() {
        let (near, far) = tokio::io::duplex(4096);
        let config = Config::default().versions(version..=version);
        let custom = config
            .clone()
            .custom_menu(|| Menu::new([Description::new("echo", 2)]));
        let (callee, caller) = tokio::join!(
            Connection::serve(far, custom, &table, |_| ()),
            Connection::create(near, config),
        );
        let (_callee, caller) = (callee.unwrap(), caller.unwrap());
        let caller = ConnectionWithMenu::request(caller).await.unwrap();
        let echo = caller_converts::Rpc::<String, String>::builder("echo")
            .version_from(&ECHO_1)
            .version_from(&ECHO_2)
            .build()
            .unwrap();
        let error = echo.dispatch(&caller, "well".to_owned()).await.unwrap_err();
        let CallError::Dispatch { rpc, source } = error else {
            panic!("{error:?}");
        };
        assert_eq!(rpc, ECHO_2.description());
        assert!(
            matches!(
                source,
                DispatchError::Rpc(RpcError::UnimplementedRpc { .. })
            ),
            "{source:?}"
        );
        let answer = ECHO_1
            .dispatch(caller.connection(), &"well".to_owned())
            .await;
        assert_eq!(answer.unwrap(), "well");
    }
}

static COUNT: PipeRpc<i64, String, bool> = PipeRpc::new("count", 3);
static LOG: OneWay<String> = OneWay::new("log", -1);

/// V-RQ-5, ZV15: the implementations that were given, with their shapes, and not the RPC itself; at
/// every version.
#[tokio::test(start_paused = true)]
async fn menu_with_shapes_lists_what_it_was_given() {
    let table = Implementations::<()>::builder()
        .implement_blocking(&ECHO_2, |(), text| Ok(text))
        .implement_one_way(&LOG, |(), _| async { Ok(()) })
        .implement_pipe_direct(&COUNT, |(), _, _| async { Ok(Ok(())) })
        .implement_blocking(&ECHO_1, |(), text| Ok(text))
        .build()
        .unwrap();
    let menu = MenuWithShapes::of(table.iter()).unwrap();
    let served = table.add(menu.implementation()).unwrap();
    for version in ProtocolVersion::all() {
        let (caller, _callee) = pair(version, &served, ()).await;
        let menu = MenuWithShapes::request(&caller).await.unwrap();
        let listed: Vec<_> = menu
            .entries()
            .iter()
            .map(|(rpc, _)| rpc.to_string())
            .collect();
        assert_eq!(
            listed,
            [
                "count version 3",
                "echo version 1",
                "echo version 2",
                "log version -1"
            ]
        );
        // What is told in full has the digests of what is told in short.
        assert_eq!(menu.to_menu().unwrap(), menu_of(&table));
        let Some(RpcShapes::OneWay { msg }) = menu.shapes(LOG.description().as_ref()) else {
            panic!("{menu:?}");
        };
        assert_eq!(msg.digest(), String::bin_shape().digest());
        assert!(menu.shapes(Description::new("log", 1).as_ref()).is_none());
    }
    // Its own name is on the menu that digests are told of.
    let own = SHAPE_MENU_RPC.description();
    assert_eq!(own.as_ref(), menu_rpc::SHAPE_MENU);
    assert!(menu_of(&served).contains(own.as_ref()));
}

/// V-RQ-5: a server need not have it; and one that lists something twice, or types that are none, is
/// no harm.
#[tokio::test(start_paused = true)]
async fn menu_with_shapes_may_be_missing_or_wrong() {
    let table = Implementations::builder()
        .implement_blocking(&ECHO_1, |(), text| Ok(text))
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap();
    let (caller, _callee) = pair(ProtocolVersion::MAX, &table, ()).await;
    let error = MenuWithShapes::request(&caller).await.unwrap_err();
    assert!(
        matches!(
            &error,
            MenuRequestError::Dispatch(DispatchError::Rpc(RpcError::UnimplementedRpc { .. }))
        ),
        "{error:?}"
    );
    let twice = Implementation::blocking(&SHAPE_MENU_RPC, |(), ()| {
        let entry = (ECHO_1.description(), ECHO_1.shapes());
        Ok(vec![
            entry.clone(),
            (ECHO_2.description(), RpcShapes::Unknown),
            entry,
        ])
    });
    let table = Implementations::builder()
        .implementation(twice)
        .build()
        .unwrap();
    let (caller, _callee) = pair(ProtocolVersion::MAX, &table, ()).await;
    let error = MenuWithShapes::request(&caller).await.unwrap_err();
    let MenuRequestError::Menu(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error, MenuError::Duplicate(ECHO_1.description()));
    let unknown = MenuWithShapes::new([(ECHO_2.description(), RpcShapes::Unknown)]).unwrap();
    let digests = unknown
        .to_menu()
        .unwrap()
        .digests(ECHO_2.description().as_ref());
    assert_eq!(digests, Some(RpcDigests::Unknown));
}
