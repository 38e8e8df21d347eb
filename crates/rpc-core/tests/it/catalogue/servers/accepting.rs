//! Whom a server lets in, how many, and until when.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use rpc_core::connection::{ClosedBy, Config, HandshakeFailure, Step};
use rpc_core::{Client, ConnectError, Connection, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::{client, server, soon, start};
use crate::rpcs::{COUNT, ECHO, HOLD, Notes, table};

async fn assert_works(connection: &Connection) {
    let answer = soon(ECHO.dispatch(connection, &"fine".to_owned())).await;
    assert_eq!(answer.unwrap(), "fine");
}

/// W18: connections that are there live on, with what they have open; new ones are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_has_stopped_accepting_serves_the_connections_it_has() {
    let server = server().await;
    let address = server.local_addr();
    let client = client(&server).await;
    let mut held = HOLD.dispatch(&client, &()).await.unwrap().unwrap();
    soon(server.stop_accepting()).await;
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert_works(&client).await;
    let mut counted = COUNT.dispatch(&client, &3).await.unwrap().unwrap();
    for expected in 0..3 {
        assert_eq!(soon(counted.next()).await, Some(expected));
    }
    // Asking twice is asking once.
    soon(server.stop_accepting()).await;
    assert_works(&client).await;
    // Shutting down goes further.
    soon(server.shutdown()).await;
    let closed = soon(client.closed()).await;
    assert_eq!(closed.by, ClosedBy::Peer);
    assert_eq!(soon(held.next()).await, None);
}

/// W18: a handshake that has begun is a connection that is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshake_that_has_begun_goes_on_when_accepting_stops() {
    let (asked, mut asking) = mpsc::unbounded_channel();
    let builder = Server::builder(table(), |_, _| Notes::default()).accept_if(move |_| {
        let (decide, decision) = oneshot::channel();
        asked.send(decide).unwrap();
        async move { decision.await.unwrap() }
    });
    let server = start(builder).await;
    let address = server.local_addr();
    let connecting = tokio::spawn(async move { Client::new().connect(address).await });
    let decide = soon(asking.recv()).await.unwrap();
    soon(server.stop_accepting()).await;
    decide.send(true).unwrap();
    let client = soon(connecting).await.unwrap().unwrap();
    assert_works(&client).await;
    soon(server.shutdown()).await;
}

/// C-SK-1: a client that is not let in sees the end, without a byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_whose_address_is_refused_sees_the_end() {
    let (sender, mut seen) = mpsc::unbounded_channel();
    let builder = Server::builder(table(), |_, _| Notes::default()).accept_if(move |peer| {
        sender.send(peer).unwrap();
        async { false }
    });
    let server = start(builder).await;
    let mut socket = TcpStream::connect(server.local_addr()).await.unwrap();
    let mut bytes = Vec::new();
    assert_eq!(soon(socket.read_to_end(&mut bytes)).await.unwrap(), 0);
    let peer: SocketAddr = soon(seen.recv()).await.unwrap();
    assert_eq!(peer, socket.local_addr().unwrap());
    soon(server.shutdown()).await;
}

/// C-SK-1: one that panics about a client concerns nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panic_about_an_address_is_a_refusal() {
    let (sender, mut first) = mpsc::channel(1);
    let builder = Server::builder(table(), |_, _| Notes::default()).accept_if(move |_| {
        let is_first = sender.try_send(()).is_ok();
        async move {
            assert!(!is_first, "no idea");
            true
        }
    });
    let server = start(builder).await;
    let address = server.local_addr();
    soon(Client::new().connect(address)).await.unwrap_err();
    assert_works(&client(&server).await).await;
    first.recv().await.unwrap();
    soon(server.shutdown()).await;
}

/// C-SK-2: the function gets the error and who made it, and its panic concerns nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_handshakes_are_told_with_the_address() {
    let (sender, mut errors) = mpsc::unbounded_channel();
    let builder =
        Server::builder(table(), |_, _| Notes::default()).on_handshake_error(move |peer, error| {
            let step = match error.cause {
                HandshakeFailure::Frame { step, .. } => step,
                ref other => panic!("{other}"),
            };
            sender.send((peer, step)).unwrap();
            panic!("told");
        });
    let server = start(builder).await;
    for _ in 0..2 {
        let mut socket = TcpStream::connect(server.local_addr()).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let told = (socket.local_addr().unwrap(), Step::Header);
        assert_eq!(soon(errors.recv()).await, Some(told));
    }
    assert_works(&client(&server).await).await;
    soon(server.shutdown()).await;
    assert_eq!(errors.recv().await, None);
}

/// C-SK-3: further clients wait until another one has left; their handshake may time out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_beyond_the_most_wait_in_the_backlog() {
    let most = NonZeroUsize::new(2).unwrap();
    let builder = Server::builder(table(), |_, _| Notes::default()).max_connections(most);
    let server = start(builder).await;
    let address = server.local_addr();
    let first = client(&server).await;
    let second = client(&server).await;
    let config = Config::default().handshake_timeout(Duration::from_millis(200));
    let impatient = soon(Client::new().config(config).connect(address)).await;
    let Err(ConnectError::Handshake(error)) = impatient else {
        panic!("{impatient:?}");
    };
    let timed_out = matches!(error.cause, HandshakeFailure::Timeout { .. });
    assert!(timed_out, "{error:?}");
    let patient = tokio::spawn(async move { Client::new().connect(address).await });
    assert_works(&first).await;
    assert_works(&second).await;
    assert!(!patient.is_finished());
    second.close();
    let third = soon(patient).await.unwrap().unwrap();
    assert_works(&third).await;
    assert_works(&first).await;
    soon(server.shutdown()).await;
}
