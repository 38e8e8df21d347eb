//! Which version is used, and what is told when there is none.

use rpc_core::{Implementations, Rpc};
use rpc_versioned::{CallError, ConnectionWithMenu, SelectionError, caller_converts};
use rpc_wire::{Description, Menu, ProtocolVersion};

use crate::families::{Notes, PRICE_1, Query, answering, price_caller};
use crate::pair::{pair, serving};

fn query() -> Query {
    Query {
        symbol: "A".to_owned(),
        currency: "USD".to_owned(),
    }
}

/// A caller of these versions that tells which one answered.
fn telling(versions: &[i64]) -> caller_converts::Rpc<(), i64> {
    let mut builder = caller_converts::Rpc::<(), i64>::builder("which");
    for version in versions {
        builder = builder.version_from(&Rpc::<(), i64>::new("which", *version));
    }
    builder.build().unwrap()
}

/// A table of these versions, each of which tells which one it is.
fn which(versions: impl IntoIterator<Item = i64>) -> Implementations<()> {
    let mut builder = Implementations::builder();
    for version in versions {
        let rpc = Rpc::<(), i64>::new("which", version);
        builder = builder.implement_blocking(&rpc, move |(), ()| Ok(version));
    }
    builder.build().unwrap()
}

/// V-SE-1, ZV1; V-ME-5: negative versions are ordinary.
#[tokio::test(start_paused = true)]
async fn highest_common_version_is_used() {
    // Those of OCaml: 63 bits.
    let (least, most) = (-(1 << 62), (1 << 62) - 1);
    for (ours, theirs, expected) in [
        (vec![1, 2, 3], vec![2, 3, 4], 3),
        (vec![3, 1], vec![1, 2, 4], 1),
        (vec![-2, -1, 0], vec![-1, -2, 5], -1),
        (vec![least, most], vec![least, most], most),
    ] {
        let (connection, _callee) = serving(which(theirs).iter().cloned(), ()).await;
        let answer = telling(&ours).dispatch(&connection, ()).await;
        assert_eq!(answer.unwrap(), expected);
    }
}

/// V-SE-2, V-SE-4, ZV1: both errors with all that they have to tell, and nothing is sent.
#[tokio::test(start_paused = true)]
async fn errors_tell_what_both_sides_know() {
    let (connection, _callee) = serving(which([2, 9]).iter().cloned(), ()).await;
    let sent =
        || connection.connection().bytes_written() + connection.connection().bytes_to_write();
    let before = sent();
    let error = telling(&[3, 1])
        .dispatch(&connection, ())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "caller and callee share no common versions for RPC which: \
         caller knows [1, 3], callee knows [2, 9]"
    );
    let error = price_caller(&[1, 2])
        .dispatch(&connection, query())
        .await
        .unwrap_err();
    let CallError::Selection(SelectionError::UnknownRpc {
        name,
        caller_versions,
        callee_menu,
    }) = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!((*name, &caller_versions[..]), ("price", &[1, 2][..]));
    assert_eq!(&**callee_menu, connection.menu());
    assert_eq!(
        error.to_string(),
        "callee does not know RPC price; caller knows versions [1, 2]"
    );
    // A family without versions has nothing in common with anybody.
    let error = telling(&[]).dispatch(&connection, ()).await.unwrap_err();
    assert!(matches!(
        error,
        CallError::Selection(SelectionError::NoCommonVersion { .. })
    ));
    assert_eq!(sent(), before);
}

/// V-SE-3: the same caller, on one connection after the other, and for one connection with one menu
/// after the other (V-RQ-4).
#[tokio::test(start_paused = true)]
async fn selection_is_made_anew_at_every_dispatch() {
    let caller = telling(&[1, 2, 3]);
    let (first, _callee) = serving(which([1, 2]).iter().cloned(), ()).await;
    let (second, _callee) = serving(which([1, 2, 3]).iter().cloned(), ()).await;
    assert_eq!(caller.dispatch(&first, ()).await.unwrap(), 2);
    assert_eq!(caller.dispatch(&second, ()).await.unwrap(), 3);
    let menu = Menu::new([Description::new("which", 1)]).unwrap();
    let lesser = ConnectionWithMenu::new(second.connection().clone(), menu);
    assert_eq!(caller.dispatch(&lesser, ()).await.unwrap(), 1);
    assert_eq!(caller.dispatch(&second, ()).await.unwrap(), 3);
}

/// V-SE-7: definitions are the user's own, and can be dispatched beside the family.
#[tokio::test(start_paused = true)]
async fn definitions_of_versions_can_be_used_directly() {
    let notes = Notes::default();
    let (connection, _callee) = serving(answering(&[1, 2]), notes).await;
    let converted = price_caller(&[1])
        .dispatch(&connection, query())
        .await
        .unwrap();
    let direct = PRICE_1
        .dispatch(connection.connection(), &"A".to_owned())
        .await;
    assert_eq!(converted.px, direct.unwrap());
}

/// V-RQ-7: the menu is believed. What it lists and nobody implements is asked for; what it leaves out
/// is not, but its definition can be dispatched.
#[tokio::test(start_paused = true)]
async fn menu_is_believed() {
    let (connection, _callee) = pair(ProtocolVersion::MAX, &which([1]), ()).await;
    let menu = Menu::new([Description::new("which", 2)]).unwrap();
    let connection = ConnectionWithMenu::new(connection, menu);
    let error = telling(&[1]).dispatch(&connection, ()).await.unwrap_err();
    assert!(matches!(error, CallError::Selection(_)), "{error:?}");
    let direct = Rpc::<(), i64>::new("which", 1);
    assert_eq!(
        direct.dispatch(connection.connection(), &()).await.unwrap(),
        1
    );
    let error = telling(&[1, 2])
        .dispatch(&connection, ())
        .await
        .unwrap_err();
    let CallError::Dispatch { rpc, source } = error else {
        panic!("{error:?}");
    };
    assert_eq!(rpc, Description::new("which", 2));
    assert!(source.to_string().contains("Unimplemented_rpc"), "{source}");
}
