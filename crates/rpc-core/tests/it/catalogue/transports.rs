//! Catalogue X: what is peculiar to the sockets that a connection may run over.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rpc_core::connection::Config;
use rpc_core::{Connection, Implementations, PipeRpc, Rpc};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::UCred;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::pair::now;
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

/// A socket that tells when it takes nothing more.
struct Telling {
    io: TcpStream,
    full: Arc<Notify>,
}

impl AsyncRead for Telling {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Telling {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        if written.is_pending() {
            self.full.notify_one();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// X5, R-SC-26, C-BP-6, over TCP: a reader that never goes on stops the source, however much the
/// sockets between them take; and nothing is lost when it does go on. Time is measured in what
/// somebody else's connection does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reader_that_stops_stops_the_source_over_tcp() {
    static PUSHED: PipeRpc<(), (i64, String), String> =
        PipeRpc::new("pushed", 1).client_pushes_back();
    // Of a kilobyte each, far more than the sockets' buffers hold.
    const ENOUGH: usize = 100_000;
    // Calls of somebody else, which take longer than a source that nothing stops takes for that.
    const MEANWHILE: usize = 2000;
    // Updates that have been taken from the source, and that the client reads ahead, at most.
    const UNDERWAY: usize = 64 + 1000;
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
    let full = Arc::new(Notify::new());
    let connect = async || {
        let near = TcpStream::connect(listener.local_addr().unwrap());
        let (near, far) = tokio::join!(near, listener.accept());
        let (io, full) = (far.unwrap().0, full.clone());
        let (near, far) = tokio::join!(
            Connection::create(near.unwrap(), Config::default()),
            Connection::serve(Telling { io, full }, Config::default(), &table, |_| ()),
        );
        (near.unwrap(), far.unwrap())
    };
    let (other, _far) = soon(connect()).await;
    let (client, _far) = soon(connect()).await;
    let mut pipe = soon(PUSHED.dispatch(&client, &())).await.unwrap().unwrap();
    // Whether for good or not: whatever has been taken is before what is asked from now on.
    soon(full.notified()).await;
    let before = taken.load(Ordering::Relaxed);
    assert!(before > UNDERWAY, "the sockets take {before} updates");
    let mut echo = ECHO.dispatch(&client, &"behind".to_owned());
    for _ in 0..MEANWHILE {
        let answer = soon(ECHO.dispatch(&other, &"meanwhile".to_owned())).await;
        assert_eq!(answer.unwrap(), "meanwhile");
    }
    let stopped = taken.load(Ordering::Relaxed);
    assert!(stopped < ENOUGH, "{stopped}");
    // Nothing else of this connection is read before what is before it has been taken.
    for expected in 0..before - UNDERWAY {
        assert!(now(&mut echo).is_pending(), "{expected} of {before}");
        let (number, text) = soon(pipe.next()).await.unwrap();
        assert_eq!((usize::try_from(number), text.len()), (Ok(expected), 1000));
    }
    let (answer, ()) = tokio::join!(soon(echo), async {
        for expected in before - UNDERWAY..stopped {
            let (number, text) = soon(pipe.next()).await.unwrap();
            assert_eq!((usize::try_from(number), text.len()), (Ok(expected), 1000));
        }
        drop(pipe);
    });
    assert_eq!(answer.unwrap(), "behind");
}
