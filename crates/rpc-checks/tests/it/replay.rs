//! Every input that ever broke something, and every input that the fuzzer begins with.

use std::collections::BTreeSet;
use std::fs;
use std::panic;

use rpc_checks::CHECKS;

use crate::inputs::{inputs, package};

fn replay(folder: &str) -> usize {
    let mut ran = 0;
    for check in CHECKS {
        for input in inputs(folder, check) {
            let held = panic::catch_unwind(|| (check.run)(&input.bytes));
            assert!(held.is_ok(), "{}", input.path.display());
            ran += 1;
        }
    }
    ran
}

#[test]
fn what_once_broke_something_no_longer_does() {
    assert!(replay("regressions") > 0);
}

#[test]
fn corpus_holds() {
    assert!(replay("corpus") >= 10 * CHECKS.len());
}

/// A target without a check, or a folder of inputs that nobody reads, would go unnoticed.
#[test]
fn each_check_has_its_target_and_its_corpus() {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(package().join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect()
    };
    let checks: BTreeSet<_> = CHECKS.iter().map(|check| check.name.to_owned()).collect();
    assert_eq!(names("fuzz_targets"), checks);
    assert_eq!(names("corpus"), checks);
    assert!(names("regressions").is_subset(&checks));
}
