//! Menus compared with a list of which nothing is assumed.

use std::collections::BTreeMap;

use bin_prot::shape::Digest;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use rpc_versioned::{NoCommonVersion, highest_common};
use rpc_wire::{
    Description, DescriptionRef, InconsistentMenus, Menu, MenuError, MenuV3, RpcDigests,
    ShapeDigest,
};

type Entries = Vec<(Description, RpcDigests)>;

fn name() -> impl Strategy<Value = Vec<u8>> {
    let known = prop_oneof![
        Just("foo"),
        Just("bar"),
        Just("baz"),
        Just("FOO"),
        Just("Foo")
    ];
    prop_oneof![
        4 => known.prop_map(|name| name.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ]
}

fn digest() -> impl Strategy<Value = ShapeDigest> {
    any::<u8>().prop_map(|byte| ShapeDigest(Digest::of([byte])))
}

fn digests() -> impl Strategy<Value = RpcDigests> {
    prop_oneof![
        (digest(), digest()).prop_map(|(query, response)| RpcDigests::Rpc { query, response }),
        digest().prop_map(|msg| RpcDigests::OneWay { msg }),
        (digest(), digest(), digest(), digest()).prop_map(
            |(query, initial_response, update_response, error)| RpcDigests::StreamingRpc {
                query,
                initial_response,
                update_response,
                error,
            }
        ),
        Just(RpcDigests::Unknown),
    ]
}

/// Names with versions from −1 on, in any order, each once.
fn entries() -> impl Strategy<Value = Entries> {
    let versions = (name(), btree_set(-1_i64..20, 0..6));
    let descriptions = vec(versions, 0..6).prop_map(|names| {
        let pairs = names.into_iter().flat_map(|(name, versions)| {
            versions
                .into_iter()
                .map(move |version| Description::new(&name[..], version))
        });
        let unique: std::collections::BTreeSet<_> = pairs.collect();
        Vec::from_iter(unique)
    });
    descriptions
        .prop_shuffle()
        .prop_flat_map(|descriptions| {
            let count = descriptions.len();
            (Just(descriptions), vec(digests(), count))
        })
        .prop_map(|(descriptions, digests)| descriptions.into_iter().zip(digests).collect())
}

/// A menu that was made in one of the ways in which menus are, and what it must know.
fn menu() -> impl Strategy<Value = (Menu, BTreeMap<Description, RpcDigests>)> {
    (entries(), 0..4).prop_map(|(entries, way)| {
        let model: BTreeMap<_, _> = entries.iter().cloned().collect();
        let without = |model: &BTreeMap<Description, RpcDigests>| {
            model
                .keys()
                .map(|rpc| (rpc.clone(), RpcDigests::Unknown))
                .collect()
        };
        match way {
            0 => (Menu::with_digests(entries).unwrap(), model),
            1 => {
                let descriptions = entries.into_iter().map(|(rpc, _)| rpc);
                (Menu::new(descriptions).unwrap(), without(&model))
            }
            // As a peer sends it, sorted.
            2 => {
                let menu = Menu::from_v3(MenuV3 {
                    descriptions: Vec::from_iter(model.keys().cloned()).into(),
                    digests: bin_prot::OrNull(Some(Vec::from_iter(model.values().copied()).into())),
                });
                (menu.unwrap(), model)
            }
            _ => {
                let menu = Menu::from_v3(MenuV3 {
                    descriptions: Vec::from_iter(model.keys().cloned()).into(),
                    digests: bin_prot::OrNull(None),
                });
                (menu.unwrap(), without(&model))
            }
        }
    })
}

fn naive_highest(
    model: &BTreeMap<Description, RpcDigests>,
    name: &[u8],
    candidates: &[i64],
) -> Result<i64, NoCommonVersion> {
    let versions = model
        .keys()
        .filter(|rpc| rpc.name.as_bytes() == name)
        .map(|rpc| rpc.version);
    let versions: Vec<_> = versions.collect();
    if versions.is_empty() {
        return Err(NoCommonVersion::NoSuchRpc);
    }
    let common = candidates
        .iter()
        .filter(|candidate| versions.contains(candidate))
        .max();
    common.copied().ok_or(NoCommonVersion::NoSuchVersion)
}

proptest! {
    /// R1 to R5; V-ME-1 to V-ME-3, V-ME-6: all that a menu is asked, against the list.
    #[test]
    fn menu_knows_what_the_list_knows(
        (menu, model) in menu(),
        asked in name(),
        version in -2_i64..20,
    ) {
        prop_assert!(menu.descriptions().eq(model.keys()));
        prop_assert!(menu.entries().iter().map(|entry| entry.digests).eq(model.values().copied()));
        // Neither fails, and each name is there.
        let texts = [menu.to_string(), menu.to_sexp_with_digests().to_string()];
        for text in &texts {
            prop_assert!(text.starts_with('(') && text.ends_with(')'));
        }
        for rpc in model.keys() {
            let name = bin_prot::Sexp::atom(rpc.name.clone()).to_string();
            prop_assert!(texts.iter().all(|text| text.contains(&name)));
        }
        let names = model.keys().map(|rpc| rpc.name.as_bytes().to_vec()).chain([asked]);
        for name in Vec::from_iter(names) {
            let versions = model.keys().filter(|rpc| rpc.name.as_bytes() == name);
            let versions = Vec::from_iter(versions.map(|rpc| rpc.version));
            prop_assert_eq!(menu.has_name(&name), !versions.is_empty());
            prop_assert_eq!(Vec::from_iter(menu.versions(&name)), versions.clone());
            for version in versions.into_iter().chain([version]) {
                let rpc = DescriptionRef { name: &name, version };
                let known = model.get(&rpc.to_description());
                prop_assert_eq!(menu.contains(rpc), known.is_some());
                prop_assert_eq!(menu.digests(rpc), known.copied());
                let rank = model.keys().position(|entry| entry.as_ref() == rpc);
                prop_assert_eq!(menu.rank(rpc), rank);
            }
        }
    }

    /// R6, R9; V-ME-4, V-ME-5: candidates ascending, with duplicates, or in any order.
    #[test]
    fn highest_version_is_that_of_the_list(
        (menu, model) in menu(),
        other in name(),
        mut candidates in vec(-2_i64..20, 0..12),
        ascending: bool,
    ) {
        if ascending {
            candidates.sort_unstable();
        }
        let names = model.keys().map(|rpc| rpc.name.as_bytes().to_vec()).chain([other]);
        for name in names {
            let Ok(name) = String::from_utf8(name) else {
                continue;
            };
            let expected = naive_highest(&model, name.as_bytes(), &candidates);
            prop_assert_eq!(highest_common(&menu, &name, &candidates), expected);
        }
    }

    /// V-ME-1: a duplicate is refused, and named.
    #[test]
    fn duplicate_is_named(entries in entries(), which: prop::sample::Index) {
        prop_assume!(!entries.is_empty());
        let again = entries[which.index(entries.len())].clone();
        let rpc = again.0.clone();
        let error = Menu::with_digests(entries.into_iter().chain([again])).unwrap_err();
        prop_assert_eq!(error, MenuError::Duplicate(rpc));
    }

    /// R11, V-ME-7: a menu is consistent with itself and with any part of it, unless something in
    /// common is not known.
    #[test]
    fn menu_is_consistent_with_its_parts(entries in entries(), kept in vec(any::<bool>(), 36)) {
        let menu = Menu::with_digests(entries.clone()).unwrap();
        let part = entries.iter().zip(&kept).filter(|(_, kept)| **kept);
        let part = Vec::from_iter(part.map(|(entry, _)| entry.clone()));
        let unknown = part.iter().filter(|(_, digests)| *digests == RpcDigests::Unknown);
        let unknown = unknown.map(|(rpc, _)| rpc.clone()).min();
        let part = Menu::with_digests(part).unwrap();
        for checked in [menu.check_consistency(&part), part.check_consistency(&menu)] {
            match (&unknown, checked) {
                (None, Ok(())) => {}
                (Some(unknown), Err(InconsistentMenus::UnknownDigest { rpc, .. })) => {
                    prop_assert_eq!(&rpc, unknown);
                }
                (_, checked) => prop_assert!(false, "{checked:?}"),
            }
        }
    }
}

fn message(of: u8) -> RpcDigests {
    RpcDigests::OneWay {
        msg: ShapeDigest(Digest::of([of])),
    }
}

fn rpc(name: &str, version: i64) -> Description {
    Description::new(name, version)
}

/// R10, V-ME-2, V-ME-7: against a menu without digests, and against one that does not tell them.
#[test]
fn missing_digests_are_told() {
    let rpcs = [rpc("A", 1), rpc("A", 2), rpc("B", 1)];
    let digests = [message(1), message(2), message(3)];
    let with = Menu::with_digests(rpcs.clone().into_iter().zip(digests)).unwrap();
    let without = Menu::new(rpcs.clone()).unwrap();
    assert!(!without.has_digests());
    assert_eq!(without.digests(rpcs[0].as_ref()), Some(RpcDigests::Unknown));
    assert_eq!(without.digests(rpc("C", 1).as_ref()), None);
    let lists = (Some(digests.to_vec()), None);
    for (error, (first, second)) in [
        (with.check_consistency(&without), lists.clone()),
        (without.check_consistency(&with), (lists.1, lists.0)),
        (without.check_consistency(&without), (None, None)),
    ] {
        assert_eq!(
            error,
            Err(InconsistentMenus::MissingDigests { first, second })
        );
    }
    let unknown = rpcs.into_iter().map(|rpc| (rpc, RpcDigests::Unknown));
    let unknown = Menu::with_digests(unknown).unwrap();
    assert_eq!(
        with.check_consistency(&unknown),
        Err(InconsistentMenus::UnknownDigest {
            rpc: rpc("A", 1),
            digests: Box::new((message(1), RpcDigests::Unknown)),
        })
    );
}

/// R11, V-ME-7, V-ME-8: equal menus, one that lacks an entry, an empty one; and digests in reverse
/// order, of which the first in the order of the menu is told.
#[test]
fn differing_digests_are_told() {
    let rpcs = [rpc("A", 1), rpc("A", 2), rpc("B", 1)];
    let digests = [message(1), message(2), message(3)];
    let entries = Vec::from_iter(rpcs.into_iter().zip(digests));
    let menu = Menu::with_digests(entries.clone()).unwrap();
    let lacking = Menu::with_digests(entries[1..].to_vec()).unwrap();
    let empty = Menu::with_digests([]).unwrap();
    for (first, second) in [
        (&menu, &menu),
        (&menu, &lacking),
        (&lacking, &menu),
        (&menu, &empty),
        (&empty, &menu),
    ] {
        assert_eq!(first.check_consistency(second), Ok(()));
    }
    let rpcs = entries.iter().map(|(rpc, _)| rpc.clone());
    let reversed = digests.into_iter().rev();
    let reversed = Menu::with_digests(rpcs.zip(reversed)).unwrap();
    assert_eq!(
        menu.check_consistency(&reversed),
        Err(InconsistentMenus::Mismatch {
            rpc: rpc("A", 1),
            digests: Box::new((message(1), message(3))),
        })
    );
}

/// V-ME-6: neighbours of one name and one kind are grouped; the other form groups by name alone.
#[test]
fn text_forms_group_by_name_and_kind() {
    let digest = ShapeDigest(Digest::of([1]));
    let plain = RpcDigests::Rpc {
        query: digest,
        response: digest,
    };
    let menu = Menu::with_digests([
        (rpc("a", 1), message(1)),
        (rpc("a", 2), message(2)),
        (rpc("a", 3), plain),
        (rpc("b", 3), plain),
        (rpc("b", 4), RpcDigests::Unknown),
    ])
    .unwrap();
    assert_eq!(
        menu.to_string(),
        "((a One_way(1 2))(a Rpc(3))(b Rpc(3))(b Unknown(4)))"
    );
    let (one, two) = (digest.0, Digest::of([2]));
    assert_eq!(
        menu.to_sexp_with_digests().to_string(),
        format!(
            "((a((1(One_way(msg {one})))(2(One_way(msg {two})))\
             (3(Rpc(query {one})(response {one})))))\
             (b((3(Rpc(query {one})(response {one})))(4 Unknown))))"
        )
    );
    assert_eq!(Menu::default().to_string(), "()");
}
