//! `rpc interop client --durable`.

use crate::process::Process;

/// The client, and its lines as events.
struct Events {
    client: Process,
    last: f64,
}

impl Events {
    fn of(address: &str) -> Self {
        let options = ["--durable", "--seconds", "60"];
        let arguments = [&["interop", "client", address], &options[..]].concat();
        Self {
            client: Process::start(&arguments),
            last: 0.0,
        }
    }

    /// The next line's event, after its number of seconds.
    #[track_caller]
    fn next(&mut self) -> String {
        let line = self.client.next_line();
        let (seconds, event) = line.split_once(' ').unwrap();
        let seconds: f64 = seconds.parse().unwrap();
        assert!(seconds >= self.last, "{line} after {} s", self.last);
        self.last = seconds;
        event.to_owned()
    }

    #[track_caller]
    fn expect(&mut self, expected: &[&str]) {
        for expected in expected {
            assert_eq!(self.next(), *expected);
        }
    }
}

/// An attempt that failed, and why.
fn is_failure(event: &str) -> bool {
    let why = event.strip_prefix("Failed_to_connect ");
    why.is_some_and(|why| !why.trim().is_empty())
}

/// As `interop.md` says of `--durable`: *Lost*, as many *Attempting* and *Failed* as it takes, then
/// *Attempting*, *Success* and *State* anew; and each state is followed by the updates that extend
/// it, in order and without a gap.
#[test]
fn durable_subscription_survives_its_server() {
    let (server, address) = Process::interop_serve(&[]);
    let mut events = Events::of(&address);
    let connected = [
        "Attempting_new_connection",
        "Connection_success",
        "State 100",
    ];
    events.expect(&connected);
    events.expect(&["Update 1", "Update 2"]);

    server.kill();
    // It may have sent some more.
    let lost = (3..).find_map(|number| {
        let event = events.next();
        (event != format!("Update {number}")).then_some(event)
    });
    assert_eq!(lost.as_deref(), Some("Lost_connection"));
    // There is no server until an attempt has failed.
    events.expect(&["Attempting_new_connection"]);
    let failed = events.next();
    assert!(is_failure(&failed), "{failed}");

    let (_server, _) = Process::interop_serve_on(&address, &[]);
    // Others may fail before it listens.
    let success = loop {
        events.expect(&["Attempting_new_connection"]);
        let event = events.next();
        if !is_failure(&event) {
            break event;
        }
    };
    assert_eq!(success, "Connection_success");
    events.expect(&["State 100"]);
    // All that there are; then the callee ends the stream, which is a loss like any other.
    let updates: Vec<_> = (1..=10).map(|number| format!("Update {number}")).collect();
    events.expect(&updates.iter().map(String::as_str).collect::<Vec<_>>());
    events.expect(&["Lost_connection"]);
    events.expect(&connected);
}
