//! What `Connection::closed` promises.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use rpc_core::connection::Config;
use rpc_core::{Connection, Implementations};
use rpc_wire::handshake::PeerMetadata;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::pair::{CAPACITY, now, settle};
use crate::peer::Peer;

/// Notes whether the connection's end had been announced when this was dropped.
struct Witness {
    connection: Arc<OnceLock<Connection>>,
    announced: Arc<OnceLock<bool>>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let connection = self.connection.get().unwrap();
        let over = now(&mut Box::pin(connection.closed())).is_ready();
        self.announced.get_or_init(|| over);
    }
}

/// `Connection::closed`: all handlers gone, and with them what they share.
#[tokio::test(start_paused = true)]
async fn state_is_dropped_before_closed_resolves() {
    let (connection_cell, announced) = (Arc::default(), Arc::default());
    let witness = Witness {
        connection: Arc::clone(&connection_cell),
        announced: Arc::clone(&announced),
    };
    let table = Implementations::empty();
    let (connection, peer) = Peer::open(Config::default(), &table, witness, 11).await;
    connection_cell.set(connection.clone()).unwrap();
    drop(peer);
    connection.closed().await;
    settle().await;
    assert_eq!(announced.get(), Some(&false));
}

/// A transport with a witness.
struct Watched {
    io: DuplexStream,
    _witness: Witness,
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// `Connection::closed`: the transport closed.
#[tokio::test(start_paused = true)]
async fn transport_is_dropped_before_closed_resolves() {
    let (connection_cell, announced) = (Arc::default(), Arc::default());
    let (mut peer, io) = Peer::new(CAPACITY);
    let io = Watched {
        io,
        _witness: Witness {
            connection: Arc::clone(&connection_cell),
            announced: Arc::clone(&announced),
        },
    };
    let (connection, ()) = tokio::join!(
        Connection::create(io, Config::default()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    connection_cell.set(connection.clone()).unwrap();
    drop(peer);
    connection.closed().await;
    settle().await;
    assert_eq!(announced.get(), Some(&false));
}
