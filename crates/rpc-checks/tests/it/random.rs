//! Inputs that nobody chose: kept ones with some bytes changed, and small ones out of the blue.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;
use rpc_checks::{CHECKS, Check};

use crate::inputs::inputs;

/// What happens to an input.
#[derive(Clone, Debug)]
enum Change {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index, usize),
    /// Some bytes are there once more.
    Repeat(Index, usize),
    Cut(Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match *self {
            Self::Replace(place, byte) => bytes[place.index(length)] = byte,
            Self::Insert(place, byte) => bytes.insert(place.index(length), byte),
            Self::Remove(place, count) => {
                let start = place.index(length);
                bytes.drain(start..length.min(start + count));
            }
            Self::Repeat(place, count) => {
                let start = place.index(length);
                let piece = bytes[start..length.min(start + count)].to_vec();
                bytes.splice(start..start, piece);
            }
            Self::Cut(place) => bytes.truncate(place.index(length)),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    // Bytes that are codes, tags or short counts somewhere.
    let byte = prop_oneof![any::<u8>(), 0_u8..8, 0xf8_u8..];
    let place = any::<Index>();
    prop_oneof![
        4 => (place.clone(), byte.clone()).prop_map(|(place, byte)| Change::Replace(place, byte)),
        2 => (place.clone(), byte).prop_map(|(place, byte)| Change::Insert(place, byte)),
        1 => (place.clone(), 1_usize..9).prop_map(|(place, count)| Change::Remove(place, count)),
        1 => (place.clone(), 1_usize..40).prop_map(|(place, count)| Change::Repeat(place, count)),
        1 => place.prop_map(Change::Cut),
    ]
}

/// Runs a check over changed inputs of its corpus.
fn check_changed(name: &str) {
    let check = named(name);
    let kept = inputs("corpus", check);
    assert!(!kept.is_empty(), "no corpus for {name}");
    let changed = (any::<Index>(), vec(change(), 1..6));
    let mut runner = proptest::test_runner::TestRunner::default();
    let outcome = runner.run(&changed, |(input, changes)| -> TestCaseResult {
        let mut bytes = input.get(&kept).bytes.clone();
        changes.iter().for_each(|change| change.apply(&mut bytes));
        (check.run)(&bytes);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn named(name: &str) -> &'static Check {
    let mut checks = CHECKS.iter();
    checks.find(|check| check.name == name).unwrap()
}

macro_rules! changed {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            check_changed(stringify!($name));
        }
    )*};
}

/// A test for each check: whatever is changed in an input, it holds.
mod changed_inputs {
    use super::check_changed;

    changed! { conversation frames handshake messages sexps shapes texts twins types values }
}

proptest! {
    #[test]
    fn every_check_holds_for_any_bytes(bytes in vec(any::<u8>(), 0..120)) {
        CHECKS.iter().for_each(|check| (check.run)(&bytes));
    }

    /// Small bytes are tags and short counts, so these get further before they end.
    #[test]
    fn every_check_holds_for_small_bytes(bytes in vec(0_u8..14, 0..120)) {
        CHECKS.iter().for_each(|check| (check.run)(&bytes));
    }
}
