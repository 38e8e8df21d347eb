//! Servers and clients of three releases, each a process, in every combination.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

fn program(release: i64) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpc-releases"));
    command.arg(release.to_string());
    command
}

/// A server. It ends with its standard input, so with the test at the latest.
struct Server {
    process: Child,
    address: String,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn start(release: i64) -> Self {
        let mut process = program(release)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line.strip_prefix("listening on ").unwrap().to_owned();
        Self {
            process,
            address,
            lines,
        }
    }

    /// Ends the server; what it has said since it was listening.
    fn end(mut self) -> Vec<String> {
        drop(self.process.stdin.take());
        let said = self.lines.by_ref().map(Result::unwrap).collect();
        assert!(self.process.wait().unwrap().success());
        said
    }
}

/// What a client prints, or why it failed.
fn ask(release: i64, server: &Server, what: &str, args: &[&str]) -> Result<String, String> {
    let Output {
        status,
        stdout,
        stderr,
    } = program(release)
        .args([what, &server.address])
        .args(args)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
    if status.success() {
        Ok(text(stdout))
    } else {
        Err(text(stderr))
    }
}

#[track_caller]
fn check(release: i64, server: &Server, args: &[&str], expected: Result<&str, &str>) {
    let answer = ask(release, server, "price", args);
    match (&answer, expected) {
        (Ok(answer), Ok(expected)) => assert_eq!(answer, expected),
        (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
        _ => panic!("{answer:?}"),
    }
}

const DOLLARS: &[&str] = &["AB", "USD", "1"];
const EUROS: &[&str] = &["AB", "EUR", "1"];
const THREE: &[&str] = &["AB", "EUR", "3"];

/// The old server: newer clients ask as it understands, and are told what it cannot.
#[test]
fn new_callers_with_the_old_callee() {
    let server = Server::start(1);
    for release in 1..=3 {
        check(release, &server, DOLLARS, Ok("131 USD"));
    }
    check(2, &server, EUROS, Err("prices in EUR need version 2"));
    check(3, &server, EUROS, Err("prices in EUR need version 2"));
    check(
        3,
        &server,
        THREE,
        Err("prices of several pieces need version 3"),
    );
    server.end();
}

/// The server of both versions: everybody is served, and it tells which versions are in use, once
/// each; what nobody asks for any more can be dropped.
#[test]
fn old_and_new_callers_with_the_callee_of_both_versions() {
    let server = Server::start(2);
    check(2, &server, DOLLARS, Ok("131 USD"));
    check(2, &server, EUROS, Ok("117 EUR"));
    check(3, &server, EUROS, Ok("117 EUR"));
    check(
        3,
        &server,
        THREE,
        Err("prices of several pieces need version 3"),
    );
    assert_eq!(server.end(), ["price version 2 is in use"]);

    let server = Server::start(2);
    check(2, &server, EUROS, Ok("117 EUR"));
    check(1, &server, DOLLARS, Ok("131 USD"));
    check(1, &server, DOLLARS, Ok("131 USD"));
    assert_eq!(
        server.end(),
        ["price version 2 is in use", "price version 1 is in use"]
    );
}

/// The server that has dropped the first version: clients of the first release learn that it is
/// unknown, and all others go on.
#[test]
fn callee_without_the_first_version() {
    let server = Server::start(3);
    check(1, &server, DOLLARS, Err("Unimplemented_rpc"));
    check(2, &server, DOLLARS, Ok("131 USD"));
    check(2, &server, EUROS, Ok("117 EUR"));
    check(3, &server, EUROS, Ok("117 EUR"));
    check(3, &server, THREE, Ok("351 EUR"));
    assert_eq!(
        server.end(),
        ["price version 2 is in use", "price version 3 is in use"]
    );
}

/// Programs that convert on both sides, rolled out one by one: each asks each.
#[test]
fn both_sides_are_rolled_out_one_by_one() {
    for (caller, callee, expected, version) in [
        (2, 2, "14", 1),
        (2, 3, "14", 1),
        (3, 2, "14 somewhere", 1),
        (3, 3, "14 Leipzig", 2),
    ] {
        let server = Server::start(callee);
        let answer = ask(caller, &server, "stock", &["AB"]);
        assert_eq!(answer.as_deref(), Ok(expected), "{caller} asks {callee}");
        assert_eq!(server.end(), [format!("stock version {version} is in use")]);
    }
    let oldest = Server::start(1);
    let error = ask(3, &oldest, "stock", &["AB"]).unwrap_err();
    assert!(error.contains("callee does not know RPC stock"), "{error}");
    oldest.end();
}
