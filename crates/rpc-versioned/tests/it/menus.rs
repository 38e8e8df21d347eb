//! Menus as peers of every wire version come by them.

use rpc_core::{Implementations, Rpc};
use rpc_versioned::{ConnectionWithMenu, MenuRequestError, NoCommonVersion};
use rpc_wire::{Description, MenuError, ProtocolVersion};

use crate::pair::pair;

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
