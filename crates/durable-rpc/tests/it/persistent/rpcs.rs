//! Persistent RPC connections (*durable* §4.3): in memory, and over TCP where the rule is about sockets
//! (P-TC-1), whose time is the real one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable_rpc::persistent::{self, Builder, ConnectFailure, Event, PersistentConnection};
use durable_rpc::{Dns, Endpoints};
use rpc_core::connection::{Close, Config, HandshakeError};
use rpc_core::{Connection, HandlerError, Implementations, MENU_RPC, Rpc, Server};
use rpc_versioned::{ConnectionWithMenu, caller_converts};
use rpc_wire::ProtocolVersion;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::exchange::{DELAY, LONG};
use crate::server::{settle, some_time};

static HELLO: Rpc<String, String> = Rpc::new("hello", 1);
static HELLO_LOUDLY: Rpc<String, String> = Rpc::new("hello", 2);
/// What the server asks of its clients.
static WHO: Rpc<(), String> = Rpc::new("who", 1);

/// A server in memory, and its ends of the connections.
struct Memory {
    implementations: Implementations<()>,
    ends: Mutex<Vec<Connection>>,
}

impl Memory {
    fn new(implementations: Implementations<()>) -> Arc<Self> {
        Arc::new(Self {
            implementations,
            ends: Mutex::default(),
        })
    }

    async fn connect(self: Arc<Self>) -> Result<Connection, HandshakeError> {
        self.connect_as(Config::default()).await
    }

    async fn connect_as(self: Arc<Self>, config: Config) -> Result<Connection, HandshakeError> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (far, near) = tokio::join!(
            Connection::serve(far, Config::default(), &self.implementations, |_| ()),
            Connection::create(near, config),
        );
        self.ends.lock().unwrap().push(far?);
        near
    }

    fn end(&self) -> Connection {
        self.ends.lock().unwrap().last().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.ends.lock().unwrap().len()
    }
}

fn greeting() -> Implementations<()> {
    Implementations::builder()
        .implement(&HELLO, |_: &(), name: String| async move {
            Ok(format!("hello, {name}"))
        })
        .build()
        .unwrap()
}

fn failure(error: HandshakeError) -> ConnectFailure {
    ConnectFailure::new(error)
}

/// P-TC-2, U1 (its versioned half): the events are those of any persistent connection, the menu comes
/// with each connection, and an RPC of many versions is dispatched by it.
#[tokio::test(start_paused = true)]
async fn versioned_variant_has_the_menu_of_each_connection() {
    let memory = Memory::new(greeting());
    let connecting = memory.clone();
    let connect = move |()| {
        let connecting = connecting.clone().connect();
        async move { connecting.await.map_err(failure) }
    };
    let lookup = || std::future::ready(Ok::<_, ConnectFailure>(()));
    let (telling, mut told) = mpsc::unbounded_channel();
    let builder = Builder::new("greeter", lookup, connect).with_menu();
    let builder = builder.on_event(move |event| {
        telling.send(event).unwrap();
        std::future::ready(())
    });
    let kept = builder.start();
    // The later version is one that the server does not have.
    let shout = |text: String| Ok(text.to_uppercase());
    let hello = caller_converts::Rpc::builder("hello")
        .version_from(&HELLO)
        .version(&HELLO_LOUDLY, shout, shout)
        .build()
        .unwrap();
    for round in 1..4 {
        let connection: ConnectionWithMenu = some_time(kept.connected()).await.unwrap();
        assert_eq!(connection.highest_common("hello", &[1, 2]), Ok(1));
        let answer = hello.dispatch(&connection, "you".to_owned()).await;
        assert_eq!(answer.unwrap(), "hello, you");
        assert_eq!(memory.connections(), round);
        for expected in [
            Event::AttemptingToConnect,
            Event::ObtainedAddress(()),
            Event::Connected,
        ] {
            assert_eq!(told.try_recv(), Ok(expected), "in round {round}");
        }
        memory.end().close();
        settle().await;
        assert_eq!(told.try_recv(), Ok(Event::Disconnected), "in round {round}");
    }
}

/// P-TC-2 (ZP12): no menu, no connection; and what was made is closed.
#[tokio::test(start_paused = true)]
async fn attempt_without_a_menu_has_failed() {
    let refusing = Implementations::builder()
        .implement(&MENU_RPC, |_: &(), ()| async {
            Err(HandlerError::new("ask somebody else"))
        })
        .build()
        .unwrap();
    let memory = Memory::new(refusing);
    let connecting = memory.clone();
    let connect = move |()| {
        // Before version 3 there is no menu in the handshake.
        let two = ProtocolVersion::new(2).unwrap();
        let old = Config::default().versions(ProtocolVersion::MIN..=two);
        let connecting = connecting.clone().connect_as(old);
        async move { connecting.await.map_err(failure) }
    };
    let lookup = || std::future::ready(Ok::<_, ConnectFailure>(()));
    let builder = Builder::new("greeter", lookup, connect).with_menu();
    let kept = builder.retry_delay(DELAY).start();
    for attempt in 1..4 {
        let failed = some_time(kept.connected_or_failed()).await.unwrap_err();
        assert_eq!(failed.to_string(), "cannot request the menu");
        assert_eq!(memory.connections(), attempt);
        some_time(memory.end().closed()).await;
    }
}

/// P-TC-3: a peer that announces its graceful close makes the connection of no use at once; the
/// next one is made when it has finished closing.
#[tokio::test(start_paused = true)]
async fn next_connection_is_made_when_the_last_one_has_finished_closing() {
    let gate = Arc::new(Semaphore::new(0));
    let passing = gate.clone();
    let slow = Implementations::builder()
        .implement(&HELLO, move |_: &(), name: String| {
            let passing = passing.clone();
            async move {
                drop(passing.acquire().await.unwrap());
                Ok(name)
            }
        })
        .build()
        .unwrap();
    let memory = Memory::new(slow);
    let connecting = memory.clone();
    let connect = move |()| {
        let connecting = connecting.clone().connect();
        async move { connecting.await.map_err(failure) }
    };
    let lookup = || std::future::ready(Ok::<_, ConnectFailure>(()));
    let builder = Builder::new("greeter", lookup, connect);
    let kept = builder.retry_delay(Duration::ZERO).start();
    let first = some_time(kept.connected()).await.unwrap();
    let answer = HELLO.dispatch(&first, &"you".to_owned());
    settle().await;
    memory
        .end()
        .close_with(Close::new().wait_for_open_queries(LONG));
    settle().await;
    assert!(first.is_closed(), "it takes no more queries");
    let start = Instant::now();
    let waiting = tokio::time::timeout(LONG / 2, kept.connected()).await;
    assert!(waiting.is_err());
    assert_eq!((memory.connections(), start.elapsed()), (1, LONG / 2));
    gate.add_permits(1);
    assert_eq!(answer.await.unwrap(), "you");
    some_time(kept.connected()).await.unwrap();
    assert_eq!(memory.connections(), 2);
}

async fn serve() -> (Server, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::builder(greeting(), |_, _| ())
        .serve(listener)
        .unwrap();
    let address = server.local_addr();
    (server, address)
}

async fn greet(kept: &PersistentConnection<Connection>) -> String {
    let connection = kept.connected().await.unwrap();
    HELLO
        .dispatch(&connection, &"you".to_owned())
        .await
        .unwrap()
}

/// P-TC-1 (U1): by TCP, and again when the server has moved.
#[tokio::test]
async fn server_is_found_again_wherever_it_moves() {
    let (server, address) = serve().await;
    let known = Arc::new(Mutex::new(address));
    let asking = known.clone();
    let lookup = move || {
        let address = *asking.lock().unwrap();
        std::future::ready(Ok::<_, ConnectFailure>(address))
    };
    let builder = persistent::tcp("greeter", lookup, Config::default());
    let kept = builder.retry_delay(Duration::from_millis(1)).start();
    assert_eq!(greet(&kept).await, "hello, you");
    let first = kept.current_connection().unwrap();
    let description = first.description();
    assert!(
        description.starts_with("(persistent connection to greeter ("),
        "{description}"
    );
    let (_second, address) = serve().await;
    *known.lock().unwrap() = address;
    server.shutdown().await;
    first.closed().await;
    assert_eq!(greet(&kept).await, "hello, you");
    kept.close();
    kept.closed().await;
    assert!(kept.is_closed());
}

/// P-TC-1: with implementations of this side's, and a state for each connection.
#[tokio::test]
async fn this_side_can_answer_queries_too() {
    let asked = Implementations::builder()
        .implement(&WHO, |name: &String, ()| {
            let name = name.clone();
            async move { Ok(name) }
        })
        .build()
        .unwrap();
    let (answered, mut answers) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::builder(greeting(), move |_, connection: &Connection| {
        let (connection, answered) = (connection.clone(), answered.clone());
        tokio::spawn(async move {
            answered.send(WHO.dispatch(&connection, &()).await).unwrap();
        });
    });
    let server = server.serve(listener).unwrap();
    let lookup = Dns::new("localhost", server.local_addr().port());
    let state = |connection: &Connection| connection.version().to_string();
    let builder = persistent::tcp_serving("greeter", lookup, Config::default(), asked, state);
    let kept = builder.retry_delay(Duration::from_millis(1)).start();
    let answer = answers.recv().await.unwrap().unwrap();
    let connection = kept.connected().await.unwrap();
    assert_eq!(answer, connection.version().to_string());
}

/// Addresses of which only the last one answers; that one again each time.
#[tokio::test]
async fn endpoints_have_their_turns() {
    let (server, address) = serve().await;
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let lookup = Endpoints::new([gone, address]);
    let builder = persistent::tcp("greeter", lookup, Config::default());
    let kept = builder.retry_delay(Duration::from_millis(1)).start();
    assert_eq!(greet(&kept).await, "hello, you");
    server.shutdown().await;
    let failed = async {
        loop {
            if let Err(error) = kept.connected_or_failed().await {
                break error;
            }
        }
    };
    assert!(
        failed
            .await
            .to_string()
            .starts_with("cannot connect to 127.0.0.1:")
    );
}
