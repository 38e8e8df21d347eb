//! `rpc interop client --durable`.

use crate::process::Process;

/// Each line is a number of seconds and an event, in the order of the events' grammar.
#[test]
fn durable_subscription_survives_its_server() {
    let (server, address) = Process::interop_serve(&[]);
    let arguments = [
        "interop",
        "client",
        &address,
        "--durable",
        "--seconds",
        "60",
    ];
    let mut client = Process::start(&arguments);
    let mut last = 0.0;
    let mut expect = |expected: &str| {
        let line = client.next_line();
        let (seconds, event) = line.split_once(' ').unwrap();
        let seconds: f64 = seconds.parse().unwrap();
        assert!(seconds >= last, "{line}");
        last = seconds;
        assert_eq!(event.get(..expected.len()), Some(expected), "{line}");
        event.to_owned()
    };
    for expected in [
        "Attempting_new_connection",
        "Connection_success",
        "State 100",
        "Update 1",
        "Update 2",
    ] {
        expect(expected);
    }
    server.kill();
    while expect("").starts_with("Update ") {}
    let mut servers = Vec::new();
    // The event after the loss is an attempt, that fails as long as there is no server.
    loop {
        expect("Attempting_new_connection");
        if expect("") == "Connection_success" {
            break;
        }
        if servers.is_empty() {
            servers.push(Process::interop_serve_on(&address, &[]));
        }
    }
    for expected in ["State 100", "Update 1"] {
        expect(expected);
    }
}
