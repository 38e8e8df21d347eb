//! Which version two headers agree on (*protocol* §2.3).

use thiserror::Error;

use super::header::{Header, OtherProtocol, Protocol};
use crate::ProtocolVersion;

/// Why two headers do not agree. Both sides come to the same result, so nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// A header names more than one protocol.
    #[error("a header names several protocols")]
    SeveralProtocols,
    /// Our own header names none.
    #[error("our own header names no protocol")]
    OwnProtocolUnknown,
    /// The peer speaks something else.
    #[error("peer speaks another protocol: {0}")]
    OtherProtocol(OtherProtocol),
    /// Our own header names another protocol than the peer's.
    #[error("our own header names another protocol")]
    OwnProtocolDiffers,
    /// No version is common.
    #[error("no common version: we speak {ours:?}, the peer {peers:?}")]
    NoCommonVersion {
        /// Our versions.
        ours: Vec<i64>,
        /// The peer's.
        peers: Vec<i64>,
    },
}

/// The largest version in both headers. A peer whose header names no protocol is an old one and
/// is believed to speak ours (rule C-HS-3).
///
/// ```
/// use rpc_wire::Header;
/// use rpc_wire::handshake::negotiate;
///
/// let peers = Header::decode(b"\x04\xfdRPC\0\x01\x02\x03")?;
/// assert_eq!(negotiate(&Header::default(), &peers)?.number(), 3);
///
/// let kerberos = Header::decode(b"\x02\xfdKRB2\x01")?;
/// let error = negotiate(&Header::default(), &kerberos).unwrap_err();
/// assert_eq!(error.to_string(), "peer speaks another protocol: KRB2 (Kerberos)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// See [`NegotiationError`]. A version that both headers name but that does not exist is no
/// common version.
pub fn negotiate(ours: &Header, peers: &Header) -> Result<ProtocolVersion, NegotiationError> {
    let number = common(ours, peers)?;
    ProtocolVersion::new(number).ok_or_else(|| no_common(ours, peers))
}

/// The rule itself, for any protocol that uses such headers.
pub(super) fn common(ours: &Header, peers: &Header) -> Result<i64, NegotiationError> {
    let our_protocol = only_protocol(ours)?.ok_or(NegotiationError::OwnProtocolUnknown);
    let peer_protocol = only_protocol(peers)?;
    let our_protocol = our_protocol?;
    match peer_protocol {
        Some(Protocol::Other(other)) if our_protocol != Protocol::Other(other) => {
            return Err(NegotiationError::OtherProtocol(other));
        }
        Some(Protocol::Rpc) if our_protocol != Protocol::Rpc => {
            return Err(NegotiationError::OwnProtocolDiffers);
        }
        _ => {}
    }
    ours.versions()
        .filter(|version| peers.versions().any(|other| other == *version))
        .max()
        .ok_or_else(|| no_common(ours, peers))
}

fn only_protocol(header: &Header) -> Result<Option<Protocol>, NegotiationError> {
    let mut protocols = header.protocols();
    match (protocols.next(), protocols.next()) {
        (_, Some(_)) => Err(NegotiationError::SeveralProtocols),
        (protocol, None) => Ok(protocol),
    }
}

fn no_common(ours: &Header, peers: &Header) -> NegotiationError {
    NegotiationError::NoCommonVersion {
        ours: ours.versions().collect(),
        peers: peers.versions().collect(),
    }
}
