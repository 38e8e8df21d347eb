//! What the command shows of servers: pings, events, metrics.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use crate::process::Process;

fn rpc(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpc"));
    command.args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn objects(output: &Output) -> Vec<Value> {
    let lines = text(&output.stdout).lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn ping_tells_version_identification_and_round_trips() {
    let (_server, address) = Process::interop_serve(&["--wire", "1-9"]);
    let output = rpc(&["ping", &address, "--count", "3", "--interval", "0"]);
    assert_eq!(output.status.code(), Some(0));
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    let [connected, first, _, _, summary] = lines[..] else {
        panic!("{lines:#?}");
    };
    assert!(
        connected.starts_with("version 9, identification \"interop-server\", "),
        "{connected}"
    );
    assert!(
        first.starts_with("1: ") && first.ends_with(" µs"),
        "{first}"
    );
    assert!(
        summary.starts_with("3 answered, 0 failed; round trip minimum "),
        "{summary}"
    );
}

#[test]
fn ping_prints_objects_for_machines() {
    let (_server, address) = Process::interop_serve(&[]);
    let args = [
        "ping",
        &address,
        "--count",
        "4",
        "--interval",
        "0",
        "--json",
    ];
    let output = rpc(&args);
    assert_eq!(output.status.code(), Some(0));
    let objects = objects(&output);
    assert_eq!(objects.len(), 6);
    assert_eq!(objects[0]["version"], 11);
    assert_eq!(objects[0]["identification"], "interop-server");
    assert!(objects[0]["rpcs"].as_u64().unwrap() > 10);
    assert_eq!(objects[4]["number"], 4);
    let summary = &objects[5];
    assert_eq!(
        (&summary["answered"], &summary["failed"]),
        (&4.into(), &0.into())
    );
    let times = ["min_us", "p50_us", "p90_us", "p99_us", "max_us"];
    let times = times.map(|name| summary[name].as_u64().unwrap());
    assert!(times.is_sorted());
}

/// A peer of version 1 tells nothing about itself, and is asked all the same.
#[test]
fn ping_works_at_the_first_version() {
    let (_server, address) = Process::interop_serve(&["--wire", "1"]);
    let args = [
        "ping",
        &address,
        "--count",
        "2",
        "--interval",
        "0",
        "--json",
    ];
    let output = rpc(&args);
    assert_eq!(output.status.code(), Some(0));
    let objects = objects(&output);
    assert_eq!(objects[0]["version"], 1);
    assert!(objects[0]["identification"].is_null());
    assert_eq!(objects[3]["answered"], 2);
}

#[test]
fn ping_fails_without_a_server() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = rpc(&["ping", &free.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains("cannot connect"));
}

#[test]
fn ping_gives_up_a_server_that_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let output = rpc(&["ping", &address, "--timeout", "100"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("handshake"));
}

#[test]
fn events_show_what_a_server_does() {
    let (_server, address) = Process::serve();
    let mut events = Process::start(&["events", &address]);
    let mut machine = Process::start(&["events", &address, "--json"]);
    // Nobody can know when they have subscribed but by what they see.
    let subscribed = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Not for ever: the test may have failed.
            for _ in 0..500 {
                if !subscribed.load(Ordering::Relaxed) {
                    rpc(&["ping", &address, "--count", "1"]);
                }
            }
        });
        events.wait_for("connected: ");
        machine.wait_for("\"connected\"");
        subscribed.store(true, Ordering::Relaxed);
    });
    let mut viewer = Process::watch(&address);
    viewer.wait_for("CONNECTED");
    events.wait_for(" received query host version 1 (id ");
    events.wait_for(" sent initial response host version 1 (id ");
    events.wait_for(" sent update host version 1 (id ");
    viewer.kill();
    events.wait_for(" disconnected");
    let line = machine.wait_for("\"update\"");
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&object["what"], &object["rpc"]),
        (&"sent".into(), &"host".into())
    );
    assert!(object["bytes"].as_u64().unwrap() > 0);
}

#[test]
fn events_stop_after_as_many_as_were_asked_for_or_with_the_server() {
    let (server, address) = Process::serve();
    let _viewer = Process::watch(&address);
    let output = rpc(&["events", &address, "--count", "2"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout).lines().count(), 2);
    let mut endless = Process::start(&["events", &address]);
    endless.wait_for("sent update host");
    server.kill();
    assert_eq!(endless.wait().code(), Some(1));
}

#[test]
fn events_need_a_server_that_offers_them() {
    let (_server, address) = Process::interop_serve(&[]);
    let output = rpc(&["events", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("does not offer its events"));
}

/// One request, as Prometheus makes it, and the whole answer.
fn scrape(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_can_be_scraped() {
    let listen = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    let options = ["--every", "200"];
    let mut server = Process::start(&[&["host", "serve"], &listen[..], &options].concat());
    let metrics = server.wait_for("metrics on http://");
    let metrics = metrics.trim_start_matches("metrics on http://");
    let metrics = metrics.trim_end_matches("/metrics");
    let listening = server.wait_for("listening on ");
    let address = listening.trim_start_matches("listening on ");
    let mut viewer = Process::watch(address);
    viewer.wait_for("CONNECTED");
    rpc(&["ping", address, "--count", "3", "--interval", "0"]);
    viewer.wait_for("#");
    let get = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n";
    // The ping's connection is over when the server has noticed.
    let answer = loop {
        let answer = scrape(metrics, get);
        if answer.contains("\nrpc_connections 1\n") {
            break answer;
        }
    };
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let host = "side=\"callee\",rpc=\"host\",version=\"1\"";
    let menu = "side=\"callee\",rpc=\"__Versioned_rpc.Menu\",version=\"1\",outcome=\"ok\"";
    for line in [
        "# TYPE rpc_answer_seconds histogram".to_owned(),
        "rpc_connections_total 2".to_owned(),
        "rpc_limits_met_total{limit=\"silence\"} 0".to_owned(),
        format!("rpc_open_calls{{{host}}} 1"),
        format!("rpc_calls_total{{{menu}}} 3"),
        format!("rpc_answer_seconds_count{{{menu}}} 3"),
        format!("rpc_answer_seconds_count{{{host},outcome=\"ok\"}} 1"),
    ] {
        assert!(
            answer.lines().any(|other| other == line),
            "{line} in {answer}"
        );
    }
    assert!(answer.contains(&format!("rpc_stream_parts_total{{{host}}} ")));
    // What is no scrape is answered, and the server lives.
    let answers = [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "HTTP/1.1 404 "),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "),
        (b"\x00\x01\r\n\r\n", "HTTP/1.1 400 "),
        (&[b'x'; 8 * 1024], "HTTP/1.1 400 "),
    ];
    for (request, expected) in answers {
        let answer = scrape(metrics, request);
        assert!(answer.starts_with(expected), "{answer}");
    }
    assert!(scrape(metrics, get).starts_with("HTTP/1.1 200 "));
}

#[test]
fn shells_can_complete_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = rpc(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        let script = text(&output.stdout);
        for command in ["decode", "demo", "events", "host", "interop", "ping"] {
            assert!(script.contains(command), "{command} for {shell}");
        }
    }
}

/// docs/cli.md: what clap refuses.
#[test]
fn usage_errors_have_a_status_of_their_own() {
    for args in [
        &["ping"][..],
        &["ping", "there", "--count", "0"],
        &["completions", "cobol"],
    ] {
        assert_eq!(rpc(args).status.code(), Some(2));
    }
}
