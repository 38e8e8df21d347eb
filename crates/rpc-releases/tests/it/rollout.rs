//! What a rollout is checked by before it happens: the callers of each release against the tables of
//! the others, without a connection.

use rpc_core::{Implementations, Rpc};
use rpc_releases::{release_1, release_2, release_3};
use rpc_versioned::{Converts, Incompatible, menu_of};
use rpc_wire::{Description, Menu};

fn menus() -> [Menu; 3] {
    [
        menu_of(&release_1::table().unwrap()),
        menu_of(&release_2::table(|_| ()).unwrap()),
        menu_of(&release_3::table(|_| ()).unwrap()),
    ]
}

#[track_caller]
fn check(caller: &impl Converts, name: &str, expected: [Option<i64>; 3]) {
    for (menu, expected) in menus().iter().zip(expected) {
        let checked = caller.check(menu);
        match expected {
            Some(version) => assert_eq!(checked, Ok(Description::new(name, version))),
            None => assert!(
                matches!(checked, Err(Incompatible::NoMatch { .. })),
                "{checked:?}"
            ),
        }
    }
}

/// V-BA-5: every release finds a version at its own server and at those of the releases beside it.
#[test]
fn every_caller_finds_a_version_at_its_neighbours() {
    check(
        &*release_2::PRICE_CALLER,
        "price",
        [Some(1), Some(2), Some(2)],
    );
    check(
        &*release_3::PRICE_CALLER,
        "price",
        [Some(1), Some(2), Some(3)],
    );
    check(release_2::STOCK.caller(), "stock", [None, Some(1), Some(1)]);
    check(release_3::STOCK.caller(), "stock", [None, Some(1), Some(2)]);
}

/// The mistake that the check is for: a type was changed, and its version was not.
#[test]
fn changed_type_of_an_old_version_is_found() {
    static CHANGED: Rpc<(String, String), i64> = Rpc::new("price", 2);
    let table = Implementations::<()>::builder().implement_blocking(&CHANGED, |(), _| Ok(1));
    let menu = menu_of(&table.build().unwrap());
    let error = release_2::PRICE_CALLER.check(&menu).unwrap_err();
    let Incompatible::Types {
        rpc,
        caller,
        callee,
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(rpc, Description::new("price", 2));
    assert_eq!(*caller, release_2::PRICE_2.digests());
    assert_eq!(*callee, CHANGED.digests());
}

/// V-ME-7: what two releases have in common means the same to both.
#[test]
fn releases_agree_on_what_they_have_in_common() {
    let [first, second, third] = menus();
    first.check_consistency(&second).unwrap();
    second.check_consistency(&third).unwrap();
}
