//! Catalogue C and W over sockets: servers with several clients, and their ends.

mod accepting;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{Client, Connection, Implementations, OneWay, Rpc, Server, ServerBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::rpcs::{COUNT, COUNTER, ECHO, NOTE, Notes, table};

/// Far more than anything takes, even on a busy machine.
async fn soon<F: Future>(future: F) -> F::Output {
    let done = timeout(Duration::from_secs(60), future).await;
    done.expect("waited in vain")
}

async fn start<S: Send + Sync + 'static>(builder: ServerBuilder<S>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    builder.serve(listener).unwrap()
}

async fn server() -> Server {
    start(Server::builder(table(), |_, _| Notes::default())).await
}

async fn client(server: &Server) -> Connection {
    soon(Client::new().connect(server.local_addr()))
        .await
        .unwrap()
}

/// W15: a handler that blocks its thread says so to tokio, and the others are served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_handlers_do_not_hold_up_other_clients() {
    static BLOCK: Rpc<(), ()> = Rpc::new("block", 1);
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = std::sync::Arc::new(std::sync::Mutex::new(blocked));
    let implementations = Implementations::<()>::builder()
        .implement(&BLOCK, move |(), ()| {
            let blocked = blocked.clone();
            async move {
                let wait = move || blocked.lock().unwrap().recv();
                tokio::task::spawn_blocking(wait).await??;
                Ok(())
            }
        })
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .build()
        .unwrap();
    let server = start(Server::builder(implementations, |_, _| ())).await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(client(&server).await);
    }
    let blocked: Vec<_> = clients
        .iter()
        .map(|client| BLOCK.dispatch(client, &()))
        .collect();
    for client in &clients {
        let echo = soon(ECHO.dispatch(client, &"served".to_owned())).await;
        assert_eq!(echo.unwrap(), "served");
    }
    for _ in &clients {
        release.send(()).unwrap();
    }
    for call in blocked {
        soon(call).await.unwrap();
    }
    soon(server.shutdown()).await;
}

/// W16, W19: several clients, several queries each, each kind at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_with_different_rpcs_at_once_get_what_is_theirs() {
    let server = server().await;
    let mut tasks = JoinSet::new();
    for n in 0..3_i64 {
        let client = client(&server).await;
        let other = client.clone();
        let third = client.clone();
        tasks.spawn(async move {
            for round in 0..10 {
                let text = format!("{n} {round}");
                assert_eq!(ECHO.dispatch(&client, &text).await.unwrap(), text);
            }
        });
        tasks.spawn(async move {
            for length in [n, 10 + n, 100 + n] {
                let mut pipe = COUNT.dispatch(&other, &length).await.unwrap().unwrap();
                for expected in 0..length {
                    assert_eq!(pipe.next().await, Some(expected));
                }
                assert_eq!(pipe.next().await, None);
            }
        });
        tasks.spawn(async move {
            let counter = COUNTER.dispatch(&third, &n).await.unwrap();
            let (state, mut pipe) = counter.unwrap();
            assert_eq!(state, n.to_string());
            for expected in 0..n {
                assert_eq!(pipe.next().await, Some(expected));
            }
            assert_eq!(pipe.next().await, None);
        });
    }
    soon(tasks.join_all()).await;
    soon(server.shutdown()).await;
}

/// W17: the totals of one connection are its own, one after another or all at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_is_that_of_its_connection() {
    static ADD: Rpc<i64, i64> = Rpc::new("add", 1);
    let implementations = Implementations::<AtomicI64>::builder()
        .implement_blocking(
            &ADD,
            |total, n| Ok(total.fetch_add(n, Ordering::SeqCst) + n),
        )
        .build()
        .unwrap();
    let server = start(Server::builder(implementations, |_, _| AtomicI64::new(0))).await;
    let total = |n: i64| n * (n + 1) / 2;
    let one_by_one = client(&server).await;
    let at_once = client(&server).await;
    let calls: Vec<_> = (1..=50).map(|n| ADD.dispatch(&at_once, &n)).collect();
    for n in 1..=50 {
        let sum = soon(ADD.dispatch(&one_by_one, &n)).await;
        assert_eq!(sum.unwrap(), total(n));
    }
    let mut greatest = 0;
    for call in calls {
        greatest = greatest.max(soon(call).await.unwrap());
    }
    assert_eq!(greatest, total(50));
    soon(server.shutdown()).await;
}

/// W21, W22: with no clients, and when all have left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_without_clients_shuts_down() {
    let server = server().await;
    let address = server.local_addr();
    soon(server.shutdown()).await;
    assert!(TcpStream::connect(address).await.is_err());

    let (sender, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let builder = Server::builder(table(), move |_, connection| {
        sender.send(connection.clone()).unwrap();
        Notes::default()
    });
    let server = start(builder).await;
    for _ in 0..3 {
        let client = client(&server).await;
        client.close();
        soon(client.closed()).await;
        let end = soon(ends.recv()).await.unwrap();
        soon(end.closed()).await;
    }
    soon(server.shutdown()).await;
}

/// C20, C21: a connection that is served by hand lives as long as somebody holds it; its end is
/// the end of input for the client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepted_socket_is_closed_with_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let table = table();
    for answers in [false, true] {
        let client = Client::new();
        let (client, accepted) = tokio::join!(client.connect(address), async {
            let (socket, peer) = listener.accept().await.unwrap();
            assert_ne!(peer, address);
            let served = Connection::serve(socket, Config::default(), &table, |_| Notes::default());
            served.await.unwrap()
        },);
        let client = client.unwrap();
        if answers {
            let echo = soon(ECHO.dispatch(&client, &"x".to_owned())).await;
            assert_eq!(echo.unwrap(), "x");
        }
        drop(accepted);
        assert_eq!(soon(client.closed()).await.by, ClosedBy::Unknown);
    }
}

/// C22: two ends flood each other, and one closes; both finish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_that_flood_each_other_can_close() {
    static FLOOD: OneWay<String> = OneWay::new("note", 1);
    for by_server in [false, true] {
        let (sender, mut ends) = tokio::sync::mpsc::unbounded_channel();
        let builder = Server::builder(table(), move |_, connection| {
            sender.send(connection.clone()).unwrap();
            Notes::default()
        });
        let server = start(builder).await;
        let (client, table) = (Client::new(), table());
        let connecting = client.connect_serving(server.local_addr(), &table, |_| Notes::default());
        let near = soon(connecting).await.unwrap();
        let far = soon(ends.recv()).await.unwrap();
        let flood = |connection: Connection| {
            tokio::spawn(async move {
                let text = "x".repeat(1000);
                let mut sent = 0;
                while FLOOD.dispatch(&connection, &text).is_ok() {
                    sent += 1;
                    if sent % 16 == 0 {
                        connection.flushed().await;
                    }
                }
                sent
            })
        };
        let floods = [flood(near.clone()), flood(far.clone())];
        while near.bytes_read() < 100_000 || far.bytes_read() < 100_000 {
            tokio::task::yield_now().await;
        }
        if by_server {
            soon(server.shutdown()).await;
        } else {
            near.close();
        }
        for end in [&near, &far] {
            soon(end.close_started()).await;
            soon(end.closed()).await;
            assert!(end.is_closed());
            assert!(NOTE.dispatch(end, &String::new()).is_err());
        }
        for flood in floods {
            assert!(soon(flood).await.unwrap() > 0);
        }
    }
}
