//! Peers that have no menu: none in the handshake, and no RPC for it.

use bin_prot::BinWrite;
use rpc_core::connection::Config;
use rpc_core::{Connection, DispatchError};
use rpc_versioned::{ConnectionWithMenu, MenuRequestError};
use rpc_wire::{
    Description, Header, Message, ProtocolVersion, Response, ResponseHeader, RpcError, Specifier,
    frame,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::pair::settle;

/// The versions whose handshake has no menu.
fn versions() -> impl Iterator<Item = ProtocolVersion> {
    ProtocolVersion::all().filter(|version| !version.has_connection_metadata())
}

/// What every such peer is asked for.
fn menu_rpc() -> Description {
    Description::new("__Versioned_rpc.Menu", 1)
}

/// A peer that is scripted in bytes.
struct Peer {
    io: DuplexStream,
    unread: Vec<u8>,
    version: ProtocolVersion,
}

impl Peer {
    /// A connection, and its peer, which knows this version alone.
    async fn open(version: ProtocolVersion) -> (Connection, Self) {
        let (near, io) = tokio::io::duplex(4096);
        let mut peer = Self {
            io,
            unread: Vec::new(),
            version,
        };
        let (connection, ()) = tokio::join!(Connection::create(near, Config::default()), async {
            peer.send(&Header::new([version])).await;
            Header::decode(&peer.receive().await).unwrap();
        });
        (connection.unwrap(), peer)
    }

    async fn send(&mut self, value: &impl BinWrite) {
        let mut bytes = Vec::new();
        let write = |buffer: &mut Vec<u8>| value.bin_write(buffer);
        frame::append(&mut bytes, usize::MAX, value.bin_size(), write).unwrap();
        self.io.write_all(&bytes).await.unwrap();
    }

    /// The next frame's body, which is no heartbeat's.
    async fn receive(&mut self) -> Vec<u8> {
        loop {
            let split = frame::split(&self.unread, usize::MAX).unwrap();
            if let Some((body, rest)) = split {
                let body = body.to_vec();
                self.unread = rest.to_vec();
                if body != [0] {
                    return body;
                }
            } else {
                let read = self.io.read_buf(&mut self.unread).await.unwrap();
                assert_ne!(read, 0, "the stream ended");
            }
        }
    }

    /// Answers the query for the menu, which has to be the next message.
    async fn refuse(&mut self) {
        let body = self.receive().await;
        let Ok(Message::Query(query)) = Message::decode(&body) else {
            panic!("{body:02x?} is no query");
        };
        let expected = menu_rpc();
        assert_eq!(
            query.header.specifier(),
            Specifier::Description(expected.as_ref())
        );
        let response = Response {
            header: ResponseHeader::new(self.version, query.header.id, None),
            result: Err(RpcError::unimplemented(expected)),
        };
        self.send(&Message::Response(response)).await;
    }
}

#[track_caller]
fn assert_unimplemented(result: Result<ConnectionWithMenu, MenuRequestError>) {
    match result.unwrap_err() {
        MenuRequestError::Dispatch(DispatchError::Rpc(error)) => {
            assert_eq!(error, RpcError::unimplemented(menu_rpc()));
        }
        other => panic!("{other:?}"),
    }
}

/// V-RQ-1, ZV2: *Unimplemented_rpc* is the error, and the connection can still be used.
#[tokio::test(start_paused = true)]
async fn peer_without_menu_rpc_is_an_error() {
    for version in versions() {
        let (connection, mut peer) = Peer::open(version).await;
        let request = ConnectionWithMenu::request(connection.clone());
        let (result, ()) = tokio::join!(request, peer.refuse());
        assert_unimplemented(result);
        settle().await;
        assert_eq!(connection.open_queries(), 0);
        assert!(!connection.is_closed());
    }
}

/// V-RQ-1: so it is if the peer ends the connection after that, as peers do whose policy for unknown
/// RPCs it is.
#[tokio::test(start_paused = true)]
async fn peer_that_closes_after_refusing_the_menu_is_the_same_error() {
    for version in versions() {
        let (connection, mut peer) = Peer::open(version).await;
        let request = ConnectionWithMenu::request(connection.clone());
        let (result, ()) = tokio::join!(request, async move { peer.refuse().await });
        assert_unimplemented(result);
        connection.closed().await;
    }
}
