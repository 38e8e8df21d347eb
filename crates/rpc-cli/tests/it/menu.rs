//! `rpc menu`, as a process that asks servers.

mod guide;

use std::process::{Command, Output};

use rpc_core::connection::Config;
use rpc_core::{HandlerError, Implementation, Implementations, OneWay, PipeRpc, Rpc, Server};
use rpc_versioned::{MenuWithShapes, SHAPE_MENU_RPC};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::process::Process;

/// The digests of `string` and of `int`.
const STRING: &str = "d9a8da25d5656b016fb4dbdc2e4197fb";
const INT: &str = "698cfa4093fe5e51523842d37b92aeac";

static ECHO_1: Rpc<String, String> = Rpc::new("echo", 1);
static ECHO_2: Rpc<String, i64> = Rpc::new("echo", 2);
static ECHO_2_OF_INT: Rpc<i64, i64> = Rpc::new("echo", 2);
static NASTY: OneWay<i64> = OneWay::new("na\u{1b}sty (one)", -1);
static HIDDEN: OneWay<i64> = OneWay::new("back\\slash\u{202e}", 1);
static NASTY_PIPE: PipeRpc<i64, i64, i64> = PipeRpc::new("na\u{1b}sty (one)", -1);

#[track_caller]
fn menu(args: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_rpc"))
        .arg("menu")
        .args(args)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[track_caller]
fn printed(args: &[&str]) -> String {
    let (status, stdout, stderr) = menu(args);
    assert_eq!((status, &stderr[..]), (Some(0), ""), "{stdout}");
    stdout
}

/// Servers of these implementations, in a runtime of their own.
struct Servers(tokio::runtime::Runtime);

impl Servers {
    fn new() -> Self {
        Self(tokio::runtime::Runtime::new().unwrap())
    }

    /// Its address.
    fn start<const N: usize>(
        &self,
        shapes: bool,
        implementations: [Implementation<()>; N],
    ) -> String {
        let table = Implementations::builder().implementations(implementations);
        self.start_table(shapes, table.build().unwrap())
    }

    fn start_table(&self, shapes: bool, table: Implementations<()>) -> String {
        self.0.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server = Server::builder(table, |_, _| ())
                .config(Config::default().provide_shapes(shapes))
                .serve(listener)
                .unwrap();
            let address = server.local_addr().to_string();
            tokio::spawn(async move {
                std::future::pending::<()>().await;
                drop(server);
            });
            address
        })
    }
}

/// Any server of the suite, at a version with a menu in the handshake and at one without.
#[test]
fn table_tells_what_a_server_answers() {
    let (_server, address) = Process::interop_serve(&[]);
    let table = printed(&[&address]);
    let mut lines = table.lines();
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(lines.next().unwrap()),
        ["NAME", "VERSION", "KIND", "DIGESTS"]
    );
    let row = |name: &str| words(table.lines().find(|line| line.starts_with(name)).unwrap());
    let (string, int) = (&STRING[..8], &INT[..8]);
    assert_eq!(
        row("echo-string "),
        [
            "echo-string",
            "1",
            "Rpc",
            "query",
            string,
            "response",
            string
        ]
    );
    assert_eq!(row("log "), ["log", "1", "One_way", "msg", string]);
    let ticks = row("ticks ");
    assert_eq!(
        ticks[..6],
        [
            "ticks",
            "1",
            "Streaming_rpc",
            "query",
            int,
            "initial_response"
        ]
    );

    let table = printed(&["--wire", "1", &address]);
    let row = |name: &str| words(table.lines().find(|line| line.starts_with(name)).unwrap());
    assert_eq!(row("echo-string "), ["echo-string", "1", "Unknown"]);
}

/// Whatever a peer put into a name is escaped.
#[test]
fn names_are_escaped() {
    let servers = Servers::new();
    let nasty = Implementation::one_way(&NASTY, |(), _| async { Ok(()) });
    let address = servers.start(true, [nasty]);
    let table = printed(&[&address]);
    assert!(!table.contains('\u{1b}'), "{table:?}");
    assert!(
        table.contains("\"na\\027sty (one)\"       -1  One_way"),
        "{table}"
    );
    let json = printed(&["--json", &address]);
    let object: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(object["version"], -1);
    assert_eq!(object["name"], "na\\u{1b}sty (one)");

    let hidden = Implementation::one_way(&HIDDEN, |(), _| async { Ok(()) });
    let address = servers.start(true, [hidden]);
    let json = printed(&["--json", &address]);
    assert!(json.is_ascii(), "{json:?}");
    let object: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(object["name"], "back\\\\slash\\u{202e}");
}

#[test]
fn objects_have_whole_digests() {
    let servers = Servers::new();
    let echo = || Implementation::blocking(&ECHO_1, |(), text| Ok(text));
    let address = servers.start(true, [echo()]);
    let object: Value = serde_json::from_str(&printed(&["--json", &address])).unwrap();
    let expected = json!({
        "name": "echo",
        "version": 1,
        "kind": "Rpc",
        "digests": { "query": STRING, "response": STRING },
    });
    assert_eq!(object, expected);
    let address = servers.start(false, [echo()]);
    let object: Value = serde_json::from_str(&printed(&["--json", &address])).unwrap();
    assert_eq!(
        object,
        json!({ "name": "echo", "version": 1, "kind": null, "digests": {} })
    );
}

/// The shapes that a server offers are a file for `rpc decode --shapes`; one that offers none says
/// so, and is not even asked.
#[test]
fn shapes_are_what_decode_reads() {
    let (_server, address) = Process::serve();
    for wire in ["1-11", "1"] {
        let shapes = printed(&["--shapes", "--wire", wire, &address]);
        // The host's state, and what the server does.
        assert_eq!(shapes.lines().count(), 2, "{shapes}");
        for line in shapes.lines() {
            assert!(line.contains("(Streaming_rpc(query"), "{line}");
        }
        let directory = tempfile(&shapes);
        let decoded = Command::new(env!("CARGO_BIN_EXE_rpc"))
            .args(["decode", "--shapes"])
            .arg(&directory)
            .arg("../../conformance/recordings/count.v6.jsonl")
            .output()
            .unwrap();
        std::fs::remove_file(directory).unwrap();
        assert!(
            decoded.status.success(),
            "{}",
            String::from_utf8_lossy(&decoded.stderr)
        );
        let objects = printed(&["--shapes", "--json", "--wire", wire, &address]);
        let with_shapes: Vec<Value> = objects
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|object: &Value| object["shapes"].is_object())
            .collect();
        assert_eq!(with_shapes.len(), 2, "{objects}");
        for object in &with_shapes {
            assert_eq!(object["kind"], "Streaming_rpc");
            assert!(object["shapes"]["update_response"].as_str().unwrap().len() > 100);
        }
    }
    let (_server, address) = Process::interop_serve(&[]);
    let (status, stdout, stderr) = menu(&["--shapes", &address]);
    assert_eq!((status, &stdout[..]), (Some(1), ""));
    assert!(stderr.contains("does not offer the shapes"), "{stderr}");
}

fn tempfile(text: &str) -> std::path::PathBuf {
    let name = format!("rpc-menu-{}.shapes", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// What changes, whether it is compatible, and the exit status that says so.
#[test]
fn differences_between_two_servers() {
    let servers = Servers::new();
    let first = || Implementation::blocking(&ECHO_1, |(), text| Ok(text));
    let second = Implementation::blocking(&ECHO_2, |(), _| Ok(0));
    let changed = Implementation::blocking(&ECHO_2_OF_INT, |(), _| Ok(0));
    let message = || Implementation::one_way(&NASTY, |(), _| async { Ok(()) });
    let pipe = Implementation::pipe_direct(&NASTY_PIPE, |(), _, _| async { Ok(Ok(())) });

    let old = servers.start(true, [first(), message()]);
    let new = servers.start(true, [first(), message(), second.clone()]);
    assert_eq!(
        printed(&["--diff", &old, &old]),
        "compatible: 0 added, 0 removed, 0 changed, 2 the same, 0 not told\n"
    );
    assert_eq!(
        printed(&["--diff", &old, &new]),
        "+ echo version 2: Rpc\n\
         compatible: 1 added, 0 removed, 0 changed, 2 the same, 0 not told\n"
    );
    let (status, stdout, stderr) = menu(&["--diff", &new, &old]);
    assert_eq!((status, &stderr[..]), (Some(3), ""));
    assert_eq!(
        stdout,
        "- echo version 2: Rpc\n\
         incompatible: 0 added, 1 removed, 0 changed, 2 the same, 0 not told\n"
    );
    let other = servers.start(true, [first(), changed, pipe]);
    let (status, stdout, _) = menu(&["--diff", &new, &other]);
    assert_eq!(status, Some(3));
    assert_eq!(
        stdout,
        format!(
            "! echo version 2: query {STRING} is now {INT}\n\
             ! \"na\\027sty (one)\" version -1: One_way is now Streaming_rpc\n\
             incompatible: 0 added, 0 removed, 2 changed, 1 the same, 0 not told\n"
        )
    );
    let silent = servers.start(false, [first(), second]);
    let (status, stdout, _) = menu(&["--diff", &old, &silent]);
    assert_eq!(status, Some(3));
    assert_eq!(
        stdout,
        "? echo version 1: types are not told\n\
         + echo version 2: Unknown\n\
         - \"na\\027sty (one)\" version -1: One_way\n\
         incompatible: 1 added, 1 removed, 0 changed, 0 the same, 1 not told\n"
    );
}

/// Where the types are not told, nothing is said of them; and nothing at all is, if none are.
#[test]
fn what_is_not_told_is_not_compared() {
    let servers = Servers::new();
    let echo = || Implementation::blocking(&ECHO_2, |(), _| Ok(0));
    let changed = Implementation::blocking(&ECHO_2_OF_INT, |(), _| Ok(0));
    let old = servers.start(false, [echo()]);
    let new = servers.start(false, [changed]);
    assert_eq!(
        printed(&["--diff", &old, &new]),
        "? echo version 2: types are not told\n\
         compatible as far as told: 0 added, 0 removed, 0 changed, 0 the same, 1 not told\n"
    );
}

/// V-RQ-5: a server that tells no digests, but offers the shapes of its types, is asked for these: its
/// table is as full, and what has changed is found.
#[test]
fn digests_that_are_not_on_the_menu_are_those_of_the_shapes() {
    let servers = Servers::new();
    let echo = || Implementation::blocking(&ECHO_2, |(), _| Ok(0));
    let changed = Implementation::blocking(&ECHO_2_OF_INT, |(), _| Ok(0));
    let with_shapes = |implementation: Implementation<()>| {
        let shapes = MenuWithShapes::of([&implementation]).unwrap();
        servers.start(false, [shapes.implementation(), implementation])
    };
    let (old, new) = (with_shapes(echo()), with_shapes(changed));
    let (string, int) = (&STRING[..8], &INT[..8]);
    for wire in ["1-11", "1"] {
        let table = printed(&["--wire", wire, &old]);
        let row = table
            .lines()
            .find(|line| line.starts_with("echo "))
            .unwrap();
        let row: Vec<_> = row.split_whitespace().collect();
        assert_eq!(row, ["echo", "2", "Rpc", "query", string, "response", int]);
        assert!(!table.contains("Unknown"), "{table}");
        let objects = printed(&["--wire", wire, "--json", &old]);
        assert!(!objects.contains("shapes\":"), "{objects}");
        let same = printed(&["--wire", wire, "--diff", &old, &old]);
        let counts = "compatible: 0 added, 0 removed, 0 changed, 2 the same, 0 not told\n";
        assert_eq!(same, counts);
        let (status, stdout, _) = menu(&["--wire", wire, "--diff", &old, &new]);
        assert_eq!(status, Some(3));
        assert_eq!(
            stdout,
            format!(
                "! echo version 2: query {STRING} is now {INT}\n\
                 incompatible: 0 added, 0 removed, 1 changed, 1 the same, 0 not told\n"
            )
        );
    }
}

/// One that offers shapes and does not give them (V-RQ-7) has not told its types.
#[test]
fn shapes_that_are_refused_are_not_told() {
    let servers = Servers::new();
    let echo = Implementation::blocking(&ECHO_2, |(), _| Ok(0));
    let refusing = Implementation::blocking(&SHAPE_MENU_RPC, |(), ()| {
        Err(HandlerError::new("not today"))
    });
    let address = servers.start(false, [echo, refusing]);
    let table = printed(&[&address]);
    assert_eq!(table.matches("Unknown").count(), 2, "{table}");
    let (status, _, stderr) = menu(&["--shapes", &address]);
    assert_eq!(status, Some(1));
    assert!(stderr.contains("cannot request the menu"), "{stderr}");
}

#[test]
fn differences_as_objects() {
    let servers = Servers::new();
    let first = || Implementation::blocking(&ECHO_1, |(), text| Ok(text));
    let old = servers.start(true, [first()]);
    let new = servers.start(
        false,
        [first(), Implementation::blocking(&ECHO_2, |(), _| Ok(0))],
    );
    let objects = printed(&["--json", "--diff", &old, &new]);
    let objects: Vec<Value> = objects
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let expected = [
        json!({ "name": "echo", "version": 1, "change": "not_told" }),
        json!({
            "name": "echo",
            "version": 2,
            "change": "added",
            "after": { "kind": null, "digests": {} },
        }),
        json!({ "compatible": true, "not_told": 1 }),
    ];
    assert_eq!(objects, expected);
}

/// A server that is not there, one that says nothing, and arguments that make no sense.
#[test]
fn failures_say_whose_they_are() {
    // Bound, so that nobody else is there; and nobody answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let (status, _, stderr) = menu(&["--timeout", "100", &address]);
    assert_eq!(status, Some(1));
    assert!(stderr.contains(&address), "{stderr}");
    drop(silent);
    let (status, _, stderr) = menu(&[&address]);
    assert_eq!(status, Some(1));
    assert!(stderr.contains("cannot connect"), "{stderr}");
    for args in [
        &["a", "b"][..],
        &["--diff", "a"],
        &["--diff", "--shapes", "a", "b"],
        &[],
    ] {
        assert_eq!(menu(args).0, Some(2), "{args:?}");
    }
}
