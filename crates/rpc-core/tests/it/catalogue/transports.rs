//! Catalogue X: what is peculiar to the sockets that a connection may run over.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rpc_core::connection::Config;
use rpc_core::{Client, Connection, Implementations, PipeRpc, Rpc, Server};
use tokio::net::unix::UCred;
use tokio::net::{TcpListener, UnixStream};
use tokio::time::{sleep, timeout};

use crate::rpcs::ECHO;
use crate::source;

/// Far more than anything takes, even on a busy machine.
async fn soon<F: Future>(future: F) -> F::Output {
    let done = timeout(Duration::from_secs(60), future).await;
    done.expect("waited in vain")
}

/// X1, C-SK-5: a connection's state may be made of whatever its transport knows of the peer: of a
/// Unix socket's, user, group and process. Here that is this process.
#[tokio::test]
async fn state_is_made_of_the_credentials_of_a_unix_peer() {
    static WHO_AM_I: Rpc<(), (i64, i64, i64)> = Rpc::new("who-am-i", 1);
    let table = Implementations::<UCred>::builder()
        .implement_blocking(&WHO_AM_I, |peer, ()| {
            let process = peer.pid().unwrap_or_default();
            Ok((peer.uid().into(), peer.gid().into(), process.into()))
        })
        .build()
        .unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    let credentials = far.peer_cred().unwrap();
    let (near, far) = tokio::join!(
        Connection::create(near, Config::default()),
        Connection::serve(far, Config::default(), &table, |_| credentials),
    );
    let (near, _far) = (near.unwrap(), far.unwrap());
    let (user, group, process) = soon(WHO_AM_I.dispatch(&near, &())).await.unwrap();
    assert_eq!(process, i64::from(std::process::id()));
    let ours = std::fs::metadata("/proc/self").unwrap();
    assert_eq!(user, i64::from(ours.uid()));
    assert_eq!(group, i64::from(ours.gid()));
}

/// X5, R-SC-26, C-BP-6, over TCP: a reader that never goes on stops the source, however much the
/// sockets between them take; and nothing is lost when it does go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reader_that_stops_stops_the_source_over_tcp() {
    static PUSHED: PipeRpc<(), (i64, String), String> =
        PipeRpc::new("pushed", 1).client_pushes_back();
    // Of a kilobyte each, far more than the sockets' buffers hold.
    const ENOUGH: usize = 100_000;
    let taken = Arc::new(AtomicUsize::new(0));
    let source = taken.clone();
    let table = Implementations::<()>::builder()
        .implement_pipe(&PUSHED, move |(), ()| {
            let source = source.clone();
            let updates = (0..).inspect(move |_| {
                source.fetch_add(1, Ordering::Relaxed);
            });
            let updates = updates.map(|number| (number, "x".repeat(1000)));
            async { Ok(Ok(source::iter(updates))) }
        })
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .build()
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::builder(table, |_, _| ()).serve(listener).unwrap();
    let client = Client::new().connect(server.local_addr()).await.unwrap();
    let mut pipe = soon(PUSHED.dispatch(&client, &())).await.unwrap().unwrap();
    let stopped = async {
        let mut before = 0;
        loop {
            sleep(Duration::from_millis(200)).await;
            let now = taken.load(Ordering::Relaxed);
            if now == before && now > 0 {
                return now;
            }
            before = now;
        }
    };
    let stopped = soon(stopped).await;
    assert!(stopped < ENOUGH, "{stopped}");
    // Nor is anything else of this connection read.
    let echo = ECHO.dispatch(&client, &"behind".to_owned());
    assert!(timeout(Duration::from_millis(50), echo).await.is_err());
    for expected in 0..i64::try_from(stopped).unwrap() {
        let (number, text) = soon(pipe.next()).await.unwrap();
        assert_eq!((number, text.len()), (expected, 1000));
    }
    drop(pipe);
    soon(server.shutdown()).await;
}
