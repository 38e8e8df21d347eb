//! What happens to one process when the other one dies, freezes or vanishes.

use rustix::process::Signal;

use crate::process::Process;

#[test]
fn viewer_survives_a_killed_server() {
    let (server, address) = Process::serve();
    let mut viewer = Process::watch(&address);
    viewer.wait_for("CONNECTED (connection 1)");
    server.kill();
    viewer.wait_for("LOST connection 1");
    viewer.wait_for("failed: cannot connect");
    let (_server, _) = Process::serve_on(&address);
    viewer.wait_for("CONNECTED (connection 2)");
    // A line about a state that is not the first one: updates flow again.
    viewer.wait_for("#");
    viewer.wait_for("#");
}

/// C-HB-2: only heartbeats can tell that a frozen peer is gone; its socket stays open.
#[test]
fn viewer_notices_a_frozen_server() {
    let (server, address) = Process::serve();
    let mut viewer = Process::watch(&address);
    viewer.wait_for("CONNECTED (connection 1)");
    server.signal(Signal::STOP);
    viewer.wait_for("LOST connection 1");
    // The system still accepts for the frozen process, but nobody answers.
    viewer.wait_for("failed: handshake");
    server.signal(Signal::CONT);
    viewer.wait_for("CONNECTED (connection 2)");
}

#[test]
fn server_forgets_a_viewer_that_vanishes() {
    let (server, address) = Process::serve();
    let idle = server.sockets();
    let mut vanishing = Process::watch(&address);
    vanishing.wait_for("CONNECTED");
    let mut staying = Process::watch(&address);
    staying.wait_for("CONNECTED");
    assert_eq!(server.sockets(), idle + 2);
    vanishing.kill();
    // The other viewer is not affected: its updates go on while the server cleans up.
    while server.sockets() > idle + 1 {
        staying.wait_for("#");
    }
    staying.wait_for("#");
    let mut another = Process::watch(&address);
    another.wait_for("CONNECTED");
}

/// The server was killed and restarted while nobody looked.
#[test]
fn viewer_that_was_frozen_recovers() {
    let (server, address) = Process::serve();
    let mut viewer = Process::watch(&address);
    viewer.wait_for("CONNECTED (connection 1)");
    viewer.signal(Signal::STOP);
    server.kill();
    let (_server, _) = Process::serve_on(&address);
    viewer.signal(Signal::CONT);
    viewer.wait_for("LOST connection 1");
    viewer.wait_for("CONNECTED (connection 2)");
}

/// C-HB-2, from the other side: a frozen viewer's socket stays open, and only its silence tells.
#[test]
fn server_gives_up_a_viewer_that_is_frozen() {
    let (server, address) = Process::serve();
    let idle = server.sockets();
    let mut frozen = Process::watch(&address);
    frozen.wait_for("CONNECTED");
    let mut staying = Process::watch(&address);
    staying.wait_for("CONNECTED");
    frozen.signal(Signal::STOP);
    while server.sockets() > idle + 1 {
        staying.wait_for("#");
    }
    staying.wait_for("#");
    frozen.signal(Signal::CONT);
    frozen.wait_for("CONNECTED (connection 2)");
}

/// The demo's servers end with it, however it ends.
#[test]
fn killed_demo_leaves_no_server_behind() {
    let mut demo = Process::start(&["demo", "--plain", "--seconds", "60"]);
    let line = demo.wait_for("server process");
    let id = line.split_whitespace().nth(5).unwrap().to_owned();
    demo.kill();
    // Its entry goes away when whoever adopted it has taken note.
    let status = format!("/proc/{id}/status");
    while std::fs::read_to_string(&status).is_ok_and(|status| !status.contains("zombie")) {
        std::thread::yield_now();
    }
}
