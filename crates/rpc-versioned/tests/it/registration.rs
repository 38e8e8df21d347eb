//! What can be registered in one family, and what a family tells of itself.

use bin_prot::BinProt;
use rpc_core::{Implementation, Implementations, OneWay, PipeRpc, Rpc, StateRpc};
use rpc_versioned::{
    Converts, Registered, RegistrationError, both_convert, callee_converts, caller_converts,
};
use rpc_wire::Description;

use crate::families::{
    COUNT_1, COUNTER_2, NOTE_3, PRICE_1, PRICE_3, count_caller, counter_callee, note_caller,
    price_callee, price_caller,
};

static OTHER: Rpc<String, i64> = Rpc::new("prize", 4);
static ALSO_1: Rpc<(), i64> = Rpc::new("price", 1);

fn prices(versions: &[i64]) -> Vec<Description> {
    let description = |version: &i64| Description::new("price", *version);
    versions.iter().map(description).collect()
}

/// V-SE-5, ZV3: all of them at once, for callers and callees; the second of two definitions with the
/// same version need not have the same types.
#[test]
fn duplicates_are_reported_together() {
    let caller = caller_converts::Rpc::<String, i64>::builder("price")
        .version_from(&PRICE_1)
        .version_from(&Rpc::<String, i64>::new("price", 7))
        .version(&ALSO_1, |_| Ok(()), Ok)
        .version_from(&Rpc::<String, i64>::new("price", 8))
        .version_from(&Rpc::<String, i64>::new("price", 7))
        .version_from(&Rpc::<String, i64>::new("price", 7));
    let error = caller.build().unwrap_err();
    let expected = RegistrationError {
        duplicates: prices(&[1, 7]),
        misnamed: vec![],
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "multiple RPC registrations: price version 1, price version 7"
    );

    let callee = callee_converts::Rpc::<(), String, i64>::builder("price")
        .version_from(&PRICE_1)
        .version_from(&PRICE_1);
    assert_eq!(callee.build().unwrap_err().duplicates, prices(&[1]));
    let both = both_convert::Rpc::<(), String, i64, String, i64>::builder("price")
        .version_from(&PRICE_1)
        .version_from(&PRICE_1);
    assert_eq!(both.build().unwrap_err().duplicates, prices(&[1]));
    let included = caller_converts::Rpc::builder("price").include(&price_caller(&[1, 2]));
    let error = included.include(&price_caller(&[2, 3])).build();
    assert_eq!(error.unwrap_err().duplicates, prices(&[2]));
}

/// V-BA-3: what two callees answer both is reported together by the table.
#[test]
fn duplicates_of_a_table_are_reported_together() {
    let implement = |versions: &[i64]| {
        price_callee(versions).implement(|_, version, query| async move {
            Ok(crate::families::price(version, query))
        })
    };
    let table = Implementations::builder()
        .implementations(implement(&[1, 2, 3]))
        .implementations(implement(&[3, 1]));
    assert_eq!(table.build().unwrap_err().0, prices(&[1, 3]));
}

/// V-CE-10, ZV14: another name is refused, of callers too.
#[test]
fn all_versions_have_one_name() {
    let error = callee_converts::Rpc::<(), String, i64>::builder("price")
        .version_from(&PRICE_1)
        .version_from(&OTHER)
        .version_from(&PRICE_1)
        .build()
        .unwrap_err();
    assert_eq!(error.misnamed, [OTHER.description()]);
    assert_eq!(error.duplicates, prices(&[1]));
    assert_eq!(
        error.to_string(),
        "multiple RPC registrations: price version 1; RPC names don't agree: prize version 4"
    );
    let error = caller_converts::Rpc::<String, i64>::builder("price")
        .version_from(&OTHER)
        .build()
        .unwrap_err();
    assert_eq!(error.misnamed, [OTHER.description()]);
}

/// V-SE-6: name, versions and RPCs, of every kind.
#[test]
fn families_tell_what_they_know() {
    fn check(family: &impl Converts, name: &str, versions: &[i64]) {
        assert_eq!(family.name(), Some(name));
        assert_eq!(family.versions(), versions);
        let mut rpcs: Vec<_> = family.rpcs().map(Registered::description).collect();
        rpcs.sort();
        let expected = versions
            .iter()
            .map(|version| Description::new(name, *version));
        assert!(rpcs.iter().cloned().eq(expected), "{rpcs:?}");
    }
    check(&price_caller(&[3, 1]), "price", &[1, 3]);
    check(&price_callee(&[2, 3]), "price", &[2, 3]);
    check(&note_caller(&[]), "note", &[]);
    check(&count_caller(&[2]), "count", &[2]);
    check(&counter_callee(&[1, 2, 3]), "counter", &[1, 2, 3]);
    assert_eq!(
        format!("{:?}", price_caller(&[1, 3])),
        "Rpc[price version 3, price version 1]"
    );
}

/// V-SE-6: the types of each version are those of its definition.
#[test]
fn registered_versions_have_their_types() {
    let of = |family: &dyn Fn() -> Vec<Registered>| family()[0].digests();
    let price = of(&|| price_caller(&[3]).rpcs().copied().collect());
    assert_eq!(price, PRICE_3.digests());
    let note = of(&|| note_caller(&[3]).rpcs().copied().collect());
    assert_eq!(note, NOTE_3.digests());
    let count = of(&|| count_caller(&[1]).rpcs().copied().collect());
    assert_eq!(count, COUNT_1.digests());
    let counter = of(&|| counter_callee(&[2]).rpcs().copied().collect());
    assert_eq!(counter, COUNTER_2.digests());
    let caller = price_caller(&[3]);
    let shapes = caller.rpcs().next().unwrap().shapes();
    assert_eq!(shapes.digests().unwrap(), PRICE_3.digests());
}

/// What the conversions of all versions have in common: `From` alone is enough, for every kind and
/// on every side.
#[test]
fn from_is_enough_for_every_kind() {
    #[derive(Clone, Debug, BinProt)]
    struct Wide(i64);

    impl From<i64> for Wide {
        fn from(number: i64) -> Self {
            Self(number)
        }
    }

    impl From<Wide> for i64 {
        fn from(wide: Wide) -> Self {
            wide.0
        }
    }

    static PLAIN: Rpc<i64, i64> = Rpc::new("rpc", 1);
    static MESSAGE: OneWay<i64> = OneWay::new("rpc", 1);
    static PIPE: PipeRpc<i64, i64, i64> = PipeRpc::new("rpc", 1);
    static STATE: StateRpc<i64, i64, i64, i64> = StateRpc::new("rpc", 1);

    type Plain = both_convert::Rpc<(), Wide, Wide, Wide, Wide>;
    let plain = Plain::builder("rpc").version_from(&PLAIN).build().unwrap();
    type Message = both_convert::OneWay<(), Wide, Wide>;
    let message = Message::builder("rpc")
        .version_from(&MESSAGE)
        .build()
        .unwrap();
    type Pipe = both_convert::PipeRpc<(), Wide, Wide, Wide, Wide, Wide, Wide>;
    let pipe = Pipe::builder("rpc").version_from(&PIPE).build().unwrap();
    type State = both_convert::StateRpc<(), Wide, Wide, Wide, Wide, Wide, Wide, Wide, Wide>;
    let state = State::builder("rpc").version_from(&STATE).build().unwrap();
    for versions in [
        plain.versions(),
        message.versions(),
        pipe.versions(),
        state.versions(),
    ] {
        assert_eq!(versions, [1]);
    }
    let implementations = plain.callee().implement_blocking(|(), _, wide| Ok(wide));
    let described: Vec<_> = implementations
        .iter()
        .map(Implementation::description)
        .collect();
    assert_eq!(described, [&Description::new("rpc", 1)]);
}
