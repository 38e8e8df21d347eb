//! `price` and its streams: whatever the two ends know of them, and what a server lacks.

use std::thread;

use super::client::{AT_ONCE, client};
use crate::process::Process;

const CASES: [&str; 6] = [
    "--only",
    "versioned",
    "--only",
    "versioned-pipe",
    "--only",
    "versioned-state",
];

/// V-RQ-1, V-SE-1, V-SE-2, V-SE-4: the client knows every version, one of them, and none, in turn; with
/// the handshake's menu, and with that of the menu RPC.
#[test]
fn every_combination_of_versions_on_every_wire_version() {
    let expected = [
        "ok versioned",
        "ok versioned-pipe",
        "ok versioned-state",
        "3 passed, 0 failed",
    ];
    for price in ["1", "2", "1,2"] {
        let (_server, address) = Process::interop_serve(&["--price", price]);
        let check = |wire: u8| {
            let wire = wire.to_string();
            let options = ["--price", price, "--wire", &wire, "--expect-wire", &wire];
            let run = client(&[&[address.as_str()], &options[..], &CASES].concat());
            assert_eq!(run.lines, expected, "price {price}, wire version {wire}");
            assert!(run.is_success);
        };
        for some in Vec::from_iter(1..=11).chunks(AT_ONCE) {
            thread::scope(|scope| {
                for wire in some {
                    scope.spawn(move || check(*wire));
                }
            });
        }
    }
}

/// A server that has only what the suite's page has: its streams are skipped, and that is said.
#[test]
fn server_without_the_streams_has_their_cases_skipped() {
    let (_server, address) = Process::interop_serve(&[]);
    for wire in ["1", "11"] {
        let options = [&address, "--wire", wire, "--price", "1,2"];
        let run = client(&[&options[..], &CASES].concat());
        let expected = [
            "ok versioned",
            "skip versioned-pipe: the server does not implement price-pipe",
            "skip versioned-state: the server does not implement price-state",
            "1 passed, 0 failed, 2 skipped",
        ];
        assert_eq!(run.lines, expected);
        assert!(run.is_success);
    }
}

/// Without `--price` either end is what the suite's page says: the streams are not asked for.
#[test]
fn cases_of_the_streams_have_to_be_asked_for() {
    let (_server, address) = Process::interop_serve(&["--price", "1,2"]);
    let names = |options: &[&str]| {
        let run = client(&[&[address.as_str()], options].concat());
        let of_streams = |line: &&String| line.contains("versioned-");
        run.lines
            .iter()
            .filter(of_streams)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert!(names(&[]).is_empty());
    let all = ["ok versioned-pipe", "ok versioned-state"];
    assert_eq!(names(&["--price", "1,2"]), all);
}

#[test]
fn other_versions_than_expected_are_a_failure() {
    let (_server, address) = Process::interop_serve(&["--price", "2"]);
    let run = client(&[&address, "--only", "versioned"]);
    assert!(!run.is_success);
    let expected = "FAIL versioned: versions of price: [2] instead of [1, 2]";
    assert_eq!(run.lines, [expected, "0 passed, 1 failed"]);
}
