//! The reference's environment variables (*connection* §13), and what they do to the command.

use std::process::{Command, Output};

use crate::process::Process;

const HEARTBEAT_TIMEOUT: &str = "ASYNC_RPC_HEARTBEAT_TIMEOUT_OVERRIDE";
const MAX_VERSION: &str = "ASYNC_RPC_FORCE_PROTOCOL_VERSION_NUMBER_UPPER_BOUND";
const DUMP: &str = "ASYNC_RPC_DEBUG_DUMP_DESERIALIZATION_ERRORS";

fn rpc(variable: &str, value: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpc"));
    let output = command.env(variable, value).args(args).output();
    output.unwrap()
}

/// G6: nothing starts with a time span that is none.
#[test]
fn bad_time_span_is_refused_at_the_start_by_its_variable() {
    for args in [
        &["interop", "client", "127.0.0.1:1"][..],
        &["host", "serve", "--listen", "127.0.0.1:0"],
    ] {
        let output = rpc(HEARTBEAT_TIMEOUT, "invalid", args);
        assert!(!output.status.success());
        assert!(output.stdout.is_empty());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(HEARTBEAT_TIMEOUT), "{said}");
        assert!(said.contains("\"invalid\""), "{said}");
    }
}

/// C-EN-2, E2: the bound is about what is offered by default.
#[test]
fn version_is_bounded_unless_it_is_given() {
    let (_server, address) = Process::interop_serve(&[]);
    let client = |wire: &[&str]| {
        let fixed = ["interop", "client", &address, "--only", "handshake"];
        rpc(MAX_VERSION, "6", &[&fixed, wire].concat())
    };
    assert!(client(&["--expect-wire", "6"]).status.success());
    let given = ["--wire", "1-9", "--expect-wire", "9"];
    assert!(client(&given).status.success());
    assert!(!client(&["--expect-wire", "11"]).status.success());
}

/// *connection* §13: what the suite's server cannot decode is found in the directory.
#[test]
fn undecodable_payloads_are_kept_where_the_variable_says() {
    let name = format!("rpc-cli-undecodable-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    let value = directory.to_str().unwrap();
    let (_server, address) = Process::interop_serve_with(DUMP, value);
    let args = ["interop", "client", &address, "--only", "bad-query"];
    // Of the client nothing is kept: it decodes all that it gets.
    let output = Command::new(env!("CARGO_BIN_EXE_rpc"))
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success());
    let files = std::fs::read_dir(&directory).unwrap();
    let kept = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    assert!(kept.count() > 0);
    std::fs::remove_dir_all(directory).unwrap();
}
