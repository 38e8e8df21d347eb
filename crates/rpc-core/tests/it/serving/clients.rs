//! Clients over real sockets: several addresses, their own address, credentials.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use rpc_core::connection::Config;
use rpc_core::{Client, ConnectError, Implementations, Rpc, Server};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

static WHO_AM_I: Rpc<(), String> = Rpc::new("who-am-i", 1);

async fn server() -> Server {
    let implementations = Implementations::builder()
        .implement_blocking(&WHO_AM_I, |peer: &String, ()| Ok(peer.clone()))
        .build()
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Server::builder(implementations, |peer, _| peer.to_string())
        .serve(listener)
        .unwrap()
}

/// An address at which nobody answers, neither yes nor no: its queue is full.
async fn deaf() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    loop {
        let connecting = TcpStream::connect(address);
        match tokio::time::timeout(Duration::from_millis(100), connecting).await {
            Ok(stream) => queued.push(stream.unwrap()),
            Err(_) => return (listener, queued, address),
        }
    }
}

/// C-HS-22: one address that does not answer leaves time for the others.
#[tokio::test]
async fn address_that_does_not_answer_uses_up_its_share_of_the_time() {
    let server = server().await;
    let (_listener, _queued, deaf) = deaf().await;
    let config = Config::default().handshake_timeout(Duration::from_millis(1000));
    let client = Client::new().config(config);
    let begin = Instant::now();
    let addresses = [deaf, server.local_addr()];
    let connection = client.connect(addresses.as_slice()).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(500));
    WHO_AM_I.dispatch(&connection, &()).await.unwrap();
    let begin = Instant::now();
    let error = client.connect(deaf).await.unwrap_err();
    assert!(matches!(error, ConnectError::Connect { .. }), "{error}");
    assert!(begin.elapsed() >= Duration::from_millis(1000));
    server.shutdown().await;
}

#[tokio::test]
async fn client_connects_from_the_address_that_it_was_given() {
    let server = server().await;
    let client = Client::new()
        .bind("127.0.0.2:0".parse().unwrap())
        .keepalive(Duration::from_secs(60))
        .nodelay(false);
    let connection = client.connect(server.local_addr()).await.unwrap();
    let me = WHO_AM_I.dispatch(&connection, &()).await.unwrap();
    assert!(me.starts_with("127.0.0.2:"), "{me}");
    // An address of the other family cannot be reached from there.
    let other = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], server.local_addr().port()));
    let error = client.connect(other).await.unwrap_err();
    assert!(matches!(error, ConnectError::Connect { .. }), "{error}");
    server.shutdown().await;
}

/// The system's word on who is at the other end of a Unix socket.
#[cfg(unix)]
#[tokio::test]
async fn unix_client_is_known_by_its_credentials() {
    let directory = std::env::temp_dir().join(format!("unix-client-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("socket");
    let implementations = Implementations::builder()
        .implement_blocking(&WHO_AM_I, |peer: &String, ()| Ok(peer.clone()))
        .build()
        .unwrap();
    let this = i32::try_from(std::process::id()).unwrap();
    let server = Server::unix_builder(implementations, |peer, _| peer.to_string())
        .validate(move |peer, _| async move {
            match peer.process {
                Some(process) if process == this => Ok(()),
                _ => Err("somebody else"),
            }
        })
        .serve(tokio::net::UnixListener::bind(&path).unwrap())
        .unwrap();
    let connection = Client::new().connect_unix(&path).await.unwrap();
    let me = WHO_AM_I.dispatch(&connection, &()).await.unwrap();
    assert!(me.starts_with(&format!("process {this} of user ")), "{me}");
    let path = path.display().to_string();
    assert_eq!(
        connection.description(),
        format!("Client connected via Unix to {path}")
    );
    server.shutdown().await;
    let error = Client::new().connect_unix(&path).await.unwrap_err();
    assert!(matches!(error, ConnectError::Connect { .. }), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}
