//! Making connections: the steps of the handshake, what is told in it, and who is accepted.
//!
//! What malicious peers do instead is in `hostile`.

mod menus;
mod steps;
mod validation;

use rpc_core::Connection;
use rpc_core::connection::{Config, HandshakeError, HandshakeFailure};
use rpc_wire::handshake::PeerMetadata;
use tokio::task::JoinHandle;

use crate::peer::Peer;

/// A peer, and a connection to it that is being made and implements nothing.
fn creating(config: Config) -> (Peer, JoinHandle<Result<Connection, HandshakeError>>) {
    let (peer, io) = Peer::new(1000);
    (peer, tokio::spawn(Connection::create(io, config)))
}

/// What a peer tells that has nothing but this identification.
fn identified(identification: &'static str) -> PeerMetadata {
    PeerMetadata {
        identification: Some(identification.into()),
        menu: None,
    }
}

#[track_caller]
fn check_failure(error: &HandshakeError, is_expected: impl FnOnce(&HandshakeFailure) -> bool) {
    assert!(is_expected(&error.cause), "{error:?}");
}
