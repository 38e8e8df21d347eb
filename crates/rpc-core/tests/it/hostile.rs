//! Bad input, named: what a peer that is broken, confused or malicious gets, and that nobody else
//! notices.

mod frames;
mod header;
mod messages;
mod metadata;
mod queries;

use rpc_core::connection::{Closed, ClosedBy, Config, HandshakeError, HandshakeFailure};
use rpc_core::{Connection, DispatchError, Implementations, PipeCloseReason};
use tokio::task::JoinHandle;

use crate::pair::{CAPACITY, alive_tasks, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO, HOLD, Notes, table};

/// A table under attack, and a good connection that is served with it meanwhile.
struct Scene {
    table: Implementations<Notes>,
    bystander: (Connection, Connection, Notes),
}

impl Scene {
    async fn new() -> Self {
        Self {
            table: table(),
            bystander: pair(Config::default(), Config::default()).await,
        }
    }

    /// Somebody connects.
    fn attack(&self, config: Config) -> (Peer, JoinHandle<Result<Connection, HandshakeError>>) {
        let (peer, io) = Peer::new(CAPACITY);
        let table = self.table.clone();
        let serving =
            async move { Connection::serve(io, config, &table, |_| Notes::default()).await };
        (peer, tokio::spawn(serving))
    }

    /// Somebody connects and completes the handshake.
    async fn open(&self, version: i64) -> (Connection, Peer) {
        let config = Config::default();
        Peer::open(config, &self.table, Notes::default(), version).await
    }

    /// Nothing of the attack is left, and the good connection works.
    async fn assert_unharmed(self) {
        settle().await;
        // The good connection's two.
        assert_eq!(alive_tasks(), 2);
        let (near, far, _) = &self.bystander;
        for connection in [near, far] {
            let answer = ECHO.dispatch(connection, &"still here".to_owned()).await;
            assert_eq!(answer.unwrap(), "still here");
        }
    }
}

/// Why the handshake failed.
async fn failure(creating: JoinHandle<Result<Connection, HandshakeError>>) -> HandshakeFailure {
    creating.await.unwrap().unwrap_err().cause
}

/// How a call that was waiting ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Waiting {
    /// The connection was lost.
    Closed,
    /// The connection made no sense (rule C-RE-5).
    Failed,
}

/// Sends `bytes` over an open connection with calls in both directions. It ends, the reason
/// contains `reason`, and the peer is told it where the version can.
async fn check_ends(bytes: &[u8], waiting: Waiting, reason: &str) {
    for version in [1, 2, 4, 9, 10, 11] {
        let scene = Scene::new().await;
        let (connection, mut peer) = scene.open(version).await;
        let call = ECHO.dispatch(&connection, &"waiting".to_owned());
        let opening = HOLD.dispatch(&connection, &());
        let pipe = COUNT.dispatch(&connection, &3);
        for _ in 0..2 {
            peer.expect_query().await;
        }
        let streaming = peer.expect_query().await.id;
        peer.start(streaming, &()).await;
        let pipe = pipe.await.unwrap().unwrap();
        peer.open_stream(1, &HOLD.description(), &()).await;
        peer.expect_start(1, &()).await;
        assert_eq!(connection.open_queries(), 3);
        assert_eq!(connection.served_streams(), 1);

        peer.send_bytes(bytes).await;
        if version >= 4 {
            let told = peer.expect_close_reason().await.to_string();
            assert!(told.contains(reason), "told {told}");
        }
        peer.expect_end().await;
        drop(peer);

        let closed = connection.closed().await;
        assert_eq!(closed.by, ClosedBy::Unknown);
        assert!(closed.to_string().contains(reason), "{closed}");
        check_waiting(&call.await.unwrap_err(), waiting, &closed);
        check_waiting(&opening.await.unwrap_err(), waiting, &closed);
        match pipe.close_reason().await {
            PipeCloseReason::Error(error) => check_waiting(&error, waiting, &closed),
            other => panic!("{other:?}"),
        }
        assert_eq!(connection.open_queries(), 0);
        drop((connection, pipe));
        scene.assert_unharmed().await;
    }
}

#[track_caller]
fn check_waiting(error: &DispatchError, waiting: Waiting, closed: &Closed) {
    let told = match (error, waiting) {
        (DispatchError::ConnectionClosed(error), Waiting::Closed) => error.reason.as_deref(),
        (DispatchError::ConnectionFailed(error), Waiting::Failed) => Some(&**error),
        _ => panic!("{error:?} is not {waiting:?}"),
    };
    assert_eq!(told, Some(closed));
}

/// What is said of frames and messages that make no sense.
const FATAL: &str = "exn raised in RPC connection loop";
