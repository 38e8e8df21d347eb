//! Servers on a listener in memory and a paused clock: limits, errors of accepting, shutting down.

mod clients;
mod shutdown;

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpc_core::connection::{ClosedBy, Config, Limit};
use rpc_core::{Connection, Listener, Origin, Server, ServerBuilder};
use rpc_wire::CloseReasonKind;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::pair::{CAPACITY, alive_tasks, settle};
use crate::rpcs::{ECHO, Notes, table};

type Accepted = io::Result<(DuplexStream, u32)>;

/// Clients are users with a number.
struct Memory(mpsc::UnboundedReceiver<Accepted>);

impl Listener for Memory {
    type Io = DuplexStream;
    type Peer = u32;
    type Address = ();

    async fn accept(&mut self) -> Accepted {
        match self.0.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn address(&self) -> io::Result<()> {
        Ok(())
    }

    fn describe(_: &DuplexStream, user: &u32) -> String {
        format!("memory server serving {user}")
    }

    fn origin(user: &u32) -> Option<Origin> {
        Some(Origin::User(*user))
    }
}

/// What clients reach the server by.
#[derive(Clone)]
struct Network(mpsc::UnboundedSender<Accepted>);

impl Network {
    fn fail(&self, error: io::Error) {
        assert!(self.0.send(Err(error)).is_ok());
    }

    /// A client's transport before its handshake.
    fn dial(&self, user: u32) -> DuplexStream {
        let (near, far) = tokio::io::duplex(CAPACITY);
        self.accept(far, user);
        near
    }

    /// The server's end of a client's transport.
    fn accept(&self, io: DuplexStream, user: u32) {
        assert!(self.0.send(Ok((io, user))).is_ok());
    }

    async fn connect(&self, user: u32) -> Connection {
        let io = self.dial(user);
        Connection::create(io, Config::default()).await.unwrap()
    }
}

fn builder() -> ServerBuilder<Notes, u32> {
    ServerBuilder::new(table(), |_, _| Notes::default())
}

fn start(builder: ServerBuilder<Notes, u32>) -> (Server<()>, Network) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let server = builder.serve(Memory(receiver)).unwrap();
    (server, Network(sender))
}

fn most(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

async fn assert_works(connection: &Connection) {
    let answer = ECHO.dispatch(connection, &"fine".to_owned()).await;
    assert_eq!(answer.unwrap(), "fine");
}

async fn assert_refused(connection: &Connection) {
    let closed = connection.closed().await;
    assert_eq!(closed.by, ClosedBy::Peer);
    assert_eq!(closed.reason.kind, CloseReasonKind::ConnectionLimitReached);
    let text = closed.to_string();
    assert!(text.contains("connection limit reached"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn client_beyond_the_most_is_told_and_the_next_one_finds_room() {
    let (server, network) = start(builder().refuse_beyond(most(2)));
    let first = network.connect(1).await;
    let second = network.connect(2).await;
    assert_works(&first).await;
    assert_works(&second).await;
    assert_eq!(server.limits_met().times(Limit::Connections), 0);
    assert_refused(&network.connect(3).await).await;
    assert_eq!(server.limits_met().times(Limit::Connections), 1);
    let stats = server.stats();
    assert_eq!(
        (stats.accepted, stats.refused, stats.connections),
        (3, 1, 2)
    );
    second.close();
    second.closed().await;
    settle().await;
    assert_works(&network.connect(4).await).await;
    assert_works(&first).await;
    server.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn origin_with_the_most_connections_is_told_and_others_are_not() {
    let (server, network) = start(builder().max_connections_per_address(most(2)));
    let first = network.connect(7).await;
    let second = network.connect(7).await;
    assert_works(&second).await;
    assert_refused(&network.connect(7).await).await;
    assert_works(&network.connect(8).await).await;
    first.close();
    first.closed().await;
    settle().await;
    assert_works(&network.connect(7).await).await;
    assert_eq!(server.limits_met().times(Limit::ConnectionsPerAddress), 1);
    server.shutdown().await;
}

/// Clients that say nothing take up the handshakes, until these time out; then others' turn comes.
#[tokio::test(start_paused = true)]
async fn clients_beyond_the_handshakes_wait_for_their_turn() {
    let (server, network) = start(builder().max_handshakes(most(2)));
    let silent = [network.dial(1), network.dial(2)];
    settle().await;
    assert_eq!(server.stats().handshakes, 2);
    let start = Instant::now();
    let config = Config::default().handshake_timeout(Duration::from_secs(120));
    let late = Connection::create(network.dial(3), config).await.unwrap();
    assert_works(&late).await;
    assert_eq!(start.elapsed().as_secs(), 29, "the default step is 30 s");
    settle().await;
    let stats = server.stats();
    assert_eq!((stats.handshakes, stats.handshakes_failed), (0, 2));
    assert_eq!(server.limits_met().times(Limit::Handshakes), 1);
    assert_eq!(server.limits_met().times(Limit::HandshakeTime), 2);
    drop((silent, late));
    server.shutdown().await;
    settle().await;
    assert_eq!(alive_tasks(), 0);
}

/// Running out of descriptors pauses accepting, each time longer; one broken client does not.
#[tokio::test(start_paused = true)]
async fn accepting_survives_its_errors() {
    const TOO_MANY_OPEN_FILES: i32 = 24;
    let (server, network) = start(builder());
    let there = network.connect(1).await;
    let start = Instant::now();
    for _ in 0..3 {
        network.fail(io::Error::from_raw_os_error(TOO_MANY_OPEN_FILES));
    }
    assert_works(&network.connect(2).await).await;
    let pauses = start.elapsed().as_millis();
    assert!((70..80).contains(&pauses), "10, 20 and 40 ms: {pauses}");
    assert_works(&there).await;
    let start = Instant::now();
    network.fail(io::ErrorKind::ConnectionAborted.into());
    assert_works(&network.connect(3).await).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(server.stats().accept_errors, 4);
    // Nor does a pause hold up the end.
    network.fail(io::Error::from_raw_os_error(TOO_MANY_OPEN_FILES));
    settle().await;
    let start = Instant::now();
    server.shutdown().await;
    assert!(start.elapsed() < Duration::from_millis(10));
}

/// What is known of the client is there for validation, beside what it says of itself.
#[tokio::test(start_paused = true)]
async fn validation_sees_the_peer_and_its_identification() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let builder = builder().validate(move |user, identification| {
        seen.lock().unwrap().push((user, identification));
        async move {
            match user {
                0 => Err("not for the superuser"),
                _ => Ok(()),
            }
        }
    });
    let (server, network) = start(builder);
    let config = Config::default().identification("me");
    let good = Connection::create(network.dial(7), config).await.unwrap();
    assert_works(&good).await;
    let bad = network.connect(0).await;
    let closed = bad.closed().await;
    let kind = CloseReasonKind::ConnectionValidationFailed;
    assert_eq!(closed.reason.kind, kind);
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked, [(7, Some("me".into())), (0, None)]);
    server.shutdown().await;
}

/// An idle connection costs its heartbeats, and nothing else happens to it.
#[tokio::test(start_paused = true)]
async fn a_thousand_idle_connections_hold_up_nobody() {
    let (server, network) = start(builder());
    let mut idle = Vec::new();
    for user in 0..1000 {
        idle.push(network.connect(user).await);
    }
    sleep(Duration::from_secs(300)).await;
    assert!(idle.iter().all(|connection| !connection.is_closed()));
    assert_works(&network.connect(7).await).await;
    assert_eq!(server.stats().connections, 1001);
    for connection in &idle {
        connection.close();
        connection.closed().await;
    }
    server.shutdown().await;
    settle().await;
    assert_eq!(alive_tasks(), 0);
}
