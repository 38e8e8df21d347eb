//! Our client against our server.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::client::{AT_ONCE, Run, client};
use crate::process::Process;

/// All cases pass between ends that offer these versions and agree on this one.
#[track_caller]
fn check(server: &str, client_wire: &str, expected: &str) {
    let (_server, address) = Process::interop_serve(&["--wire", server]);
    let options = ["--wire", client_wire, "--expect-wire", expected];
    let run = client(&[&[address.as_str()], &options[..]].concat());
    let (last, cases) = run.split();
    let failures: Vec<_> = cases
        .iter()
        .filter(|line| !line.starts_with("ok "))
        .collect();
    let pair = format!("{client_wire} calls {server}");
    assert!(failures.is_empty(), "{pair}: {failures:#?}");
    assert_eq!(last, format!("{} passed, 0 failed", cases.len()), "{pair}");
    assert!(cases.len() > 25, "{pair}: {cases:?}");
    assert!(run.is_success, "{pair}");
}

/// What a server and a client offer, and what they agree on.
type Pair = [String; 3];

fn pair(server: &str, client: &str, expected: &str) -> Pair {
    [server, client, expected].map(str::to_owned)
}

fn check_all(pairs: impl IntoIterator<Item = Pair>) {
    let pairs = Vec::from_iter(pairs);
    for some in pairs.chunks(AT_ONCE) {
        thread::scope(|scope| {
            for [server, client, expected] in some {
                scope.spawn(|| check(server, client, expected));
            }
        });
    }
}

fn every_version() -> impl Iterator<Item = String> {
    (1..=11).map(|version: u8| version.to_string())
}

/// C-OP-5, C-OP-6, C-MD-7, C-CL-7: what each version has, and what it does without.
#[test]
fn every_case_passes_at_every_version() {
    check_all(every_version().map(|version| pair("1-11", &version, &version)));
}

/// The same by a server that has no other version.
#[test]
fn every_case_passes_at_every_version_of_the_server() {
    check_all(every_version().map(|version| pair(&version, "1-11", &version)));
}

/// C-HS-3: the highest version that both offer.
#[test]
fn every_case_passes_between_ends_of_different_age() {
    check_all([
        pair("1-11", "1-11", "11"),
        pair("1-3", "1-11", "3"),
        pair("1-11", "1-6", "6"),
        pair("4-9", "2-7", "7"),
    ]);
}

/// A failing case is told with its reason, and in the exit status.
#[track_caller]
fn check_fails(run: &Run, why: &str) {
    assert!(!run.is_success);
    assert_eq!(run.split().0, "0 passed, 1 failed");
    let line = &run.lines[0];
    assert!(line.starts_with("FAIL handshake: "), "{line}");
    assert!(line.contains(why), "{line}");
}

#[test]
fn another_version_than_expected_is_a_failure() {
    let (_server, address) = Process::interop_serve(&["--wire", "1-6"]);
    let run = |version| client(&[&address, "--only", "handshake", "--expect-wire", version]);
    check_fails(&run("7"), "negotiated version 6, not 7");
    assert!(run("6").is_success);
}

#[test]
fn without_a_common_version_there_is_no_connection() {
    let (_server, address) = Process::interop_serve(&["--wire", "1-3"]);
    let run = client(&[&address, "--only", "handshake", "--wire", "4-11"]);
    check_fails(&run, "no connection: ");
}

#[test]
fn without_a_server_there_is_no_connection() {
    let (server, address) = Process::interop_serve(&[]);
    server.kill();
    let run = client(&[&address, "--only", "handshake"]);
    check_fails(&run, "cannot connect to 127.0.0.1:");
}

#[test]
fn only_the_picked_cases_run_in_the_order_of_the_suite() {
    let (_server, address) = Process::interop_serve(&[]);
    let run = client(&[&address, "--only", "sum", "--only", "echo"]);
    assert_eq!(run.lines, ["ok echo", "ok sum", "2 passed, 0 failed"]);
}

#[test]
fn unknown_cases_and_versions_are_refused_with_what_there_is() {
    let check = |args: &[&str], expected: &str| {
        let run = client(&[&["127.0.0.1:1"], args].concat());
        assert!(!run.is_success);
        assert!(run.stderr.contains(expected), "{}", run.stderr);
    };
    check(&["--only", "sun"], "the cases are handshake, echo-small, ");
    check(&["--wire", "0-3"], "wire versions are 1 to 11");
    check(&["--wire", "5-4"], "5 is above 4");
    check(&["--expect-wire", "12"], "wire versions are 1 to 11");
    check(&["--price", "1,3"], "versions of price are 1, 2, and 1,2");
}

#[test]
fn server_ends_when_it_is_told_to() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut server, address) = Process::interop_serve(&[]);
        assert!(client(&[&address, "--only", "handshake"]).is_success);
        server.signal(signal);
        assert!(server.wait().success(), "{signal:?}");
    }
}

/// Whoever watches a server from outside learns that nothing of a client is left.
#[test]
fn server_says_what_it_has_when_asked() {
    let (mut server, address) = Process::interop_serve(&[]);
    let state = |server: &mut Process| {
        server.signal(Signal::USR1);
        server.wait_for("connections ")
    };
    let before = state(&mut server);
    assert!(before.starts_with("connections 0, tasks "), "{before}");
    let run = client(&[&address, "--only", "sum", "--only", "abort"]);
    assert!(run.is_success, "{:#?}", run.lines);
    // The server learns of the client's end a moment later.
    let begin = Instant::now();
    while state(&mut server) != before {
        assert!(begin.elapsed() < Duration::from_secs(60));
    }
}
