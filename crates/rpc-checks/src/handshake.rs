//! The handshake: what one side may send in its first two frames.

use std::collections::BTreeSet;

use bin_prot::{BinRead, BinWrite, Reader, to_vec};
use rpc_wire::frame::{self, Frames};
use rpc_wire::handshake::{
    AwaitingHeader, HeaderError, HeaderFailure, MAX_ENTRIES, MetadataError, Negotiated,
    NegotiationError, PeerMetadata, negotiate,
};
use rpc_wire::{Header, Menu, Message, MessageKind, ProtocolVersion};

use crate::memory::bounded;

const RPC: i64 = 4_411_474;
const KRB2: i64 = 843_207_243;
const KBT: i64 = 5_521_995;

/// Takes a stream's first two frames as a peer's header and metadata, or all of it as either when
/// it does not begin with a frame.
///
/// # Panics
/// What is agreed is not what *protocol* §2.3 and §9 say, or what was read is not written again.
pub fn handshake(stream: &[u8]) {
    let mut frames = Frames::new(stream, frame::DEFAULT_LIMIT);
    let (first, second) = match (frames.next(), frames.next()) {
        (Some(Ok(first)), Some(Ok(second))) => (first, second),
        (Some(Ok(first)), _) => (first, frames.rest()),
        _ => (stream, stream),
    };
    let metadata = check_metadata(second);
    if let Some(peers) = check_header(first) {
        for ours in own_headers() {
            check_negotiation(&ours, &peers);
            check_states(&ours, first, &peers, second, &metadata);
        }
    } else {
        let nothing = PeerMetadata::default();
        let ours = AwaitingHeader::new(Header::default(), &nothing);
        assert!(matches!(ours.receive(first), Err(HeaderFailure::Header(_))));
    }
}

/// Headers that this side may have.
fn own_headers() -> [Header; 6] {
    let of = |entries: &[i64]| Header::from_entries(entries.to_vec());
    [
        Header::default(),
        of(&[RPC, 1]),
        of(&[RPC, 3, 4, 5]),
        of(&[9, RPC, 7, 8, 43_244_093, 7]),
        of(&[KRB2, 1, 2]),
        of(&[1, 2, 3]),
    ]
}

/// *Protocol* §2.1.
fn check_header(body: &[u8]) -> Option<Header> {
    let read = bounded(body.len(), || Header::decode(body));
    let mut reader = Reader::new(body);
    let declared =
        Vec::<i64>::bin_read(&mut reader).and_then(|entries| reader.finish().map(|()| entries));
    match (read, declared) {
        (Ok(header), Ok(entries)) => {
            assert_eq!(header.entries(), entries);
            let written = to_vec(&header).expect("what was read can be written");
            assert_eq!(written.len(), header.bin_size());
            assert_eq!(Header::decode(&written).as_ref(), Ok(&header));
            assert!(Header::decode(&[&written[..], &[0]].concat()).is_err());
            for length in 0..written.len() {
                assert!(Header::decode(&written[..length]).is_err());
            }
            Some(header)
        }
        (Err(HeaderError::TooLong(count)), declared) => {
            assert!(count > MAX_ENTRIES);
            if let Ok(entries) = declared {
                assert_eq!(entries.len() as u64, count);
            }
            None
        }
        (Err(_), Err(_)) => None,
        other => panic!("{other:?}"),
    }
}

/// What a header says, one entry at a time.
fn parts(header: &Header) -> (Vec<i64>, BTreeSet<i64>) {
    let is_protocol = |entry: &i64| matches!(*entry, RPC | KRB2 | KBT);
    let (protocols, others): (Vec<_>, Vec<_>) =
        header.entries().iter().partition(|e| is_protocol(e));
    let versions = others.into_iter().filter(|entry| *entry <= 1_000_000);
    (protocols, versions.collect())
}

/// *Protocol* §2.3, step by step.
fn check_negotiation(ours: &Header, peers: &Header) {
    let found = negotiate(ours, peers);
    let (our_protocols, our_versions) = parts(ours);
    let (peer_protocols, peer_versions) = parts(peers);
    let common = our_versions.intersection(&peer_versions).max();
    let common = common.and_then(|number| ProtocolVersion::new(*number));
    let expected = match (our_protocols.as_slice(), peer_protocols.as_slice(), common) {
        ([_, _, ..], _, _) | (_, [_, _, ..], _) => {
            matches!(found, Err(NegotiationError::SeveralProtocols))
        }
        ([], _, _) => matches!(found, Err(NegotiationError::OwnProtocolUnknown)),
        ([one], [other], _) if one != other => matches!(
            found,
            Err(NegotiationError::OtherProtocol(_) | NegotiationError::OwnProtocolDiffers)
        ),
        (_, _, None) => matches!(found, Err(NegotiationError::NoCommonVersion { .. })),
        (_, _, Some(version)) => found == Ok(version),
    };
    assert!(expected, "{ours:?} and {peers:?}: {found:?}");
    // Both sides come to the same result, but that one's own header has to name the protocol.
    if our_protocols.len() == 1 && peer_protocols.len() == 1 {
        assert_eq!(negotiate(peers, ours).ok(), found.ok());
    }
}

fn check_states(
    ours: &Header,
    first: &[u8],
    peers: &Header,
    second: &[u8],
    metadata: &Result<PeerMetadata, MetadataError>,
) {
    let told = PeerMetadata {
        identification: Some("me".into()),
        menu: Some(Menu::default()),
    };
    let ours_awaiting = AwaitingHeader::new(ours.clone(), &told);
    let agreed = negotiate(ours, peers);
    let by_hand = ours_awaiting.clone().receive_header(peers);
    let negotiated = match (ours_awaiting.receive(first), &agreed, by_hand) {
        (Ok(negotiated), Ok(version), Ok(by_hand)) => {
            assert_eq!(negotiated.version(), *version);
            assert_eq!(by_hand.version(), *version);
            negotiated
        }
        (Err(HeaderFailure::Negotiation(found)), Err(expected), Err(by_hand)) => {
            assert_eq!((&found, &by_hand), (expected, expected));
            return;
        }
        other => panic!("{other:?}"),
    };
    match negotiated {
        Negotiated::Complete(agreement) => {
            assert!(agreement.version.number() <= 2);
            assert_eq!(agreement.peer, PeerMetadata::default());
        }
        Negotiated::AwaitingMetadata(next) => {
            assert!(next.version().number() >= 3);
            let sent = to_vec(next.message()).expect("our own metadata");
            assert_eq!(sent.len(), next.message().bin_size());
            let arrived = PeerMetadata::decode(&sent).expect("our own metadata");
            assert_eq!(arrived.identification, told.identification);
            let agreement = next.receive(second);
            assert_eq!(agreement.map(|agreement| agreement.peer), *metadata);
        }
    }
}

/// *Protocol* §9.3.
fn check_metadata(body: &[u8]) -> Result<PeerMetadata, MetadataError> {
    let read = bounded(body.len(), || PeerMetadata::decode(body));
    let mut reader = Reader::new(body);
    let message = Message::bin_read(&mut reader).and_then(|read| reader.finish().map(|()| read));
    match (&read, &message) {
        (Ok(metadata), Ok(message)) => {
            assert_eq!(message.kind(), MessageKind::Metadata);
            check_menu(metadata.menu.as_ref());
            check_sent(metadata);
        }
        (Err(MetadataError::Unreadable(error)), Err(expected)) => assert_eq!(error, expected),
        (Err(MetadataError::Menu(_)), Ok(Message::Metadata(metadata))) => {
            let mut names: Vec<_> = metadata
                .menu
                .0
                .iter()
                .flatten()
                .map(|(rpc, _)| rpc)
                .collect();
            names.sort();
            assert!(!names.is_sorted_by(|one, other| one < other));
        }
        (Err(MetadataError::Menu(_)), Ok(Message::MetadataV2(metadata))) => {
            let menu = metadata.menu.0.as_ref().expect("a menu");
            let digests = menu.digests.0.as_ref();
            let is_complete = digests.is_none_or(|all| all.len() == menu.descriptions.len());
            assert!(!is_complete || !menu.descriptions.is_sorted_by(|one, other| one < other));
        }
        (Err(MetadataError::Unexpected(kind)), Ok(message)) => assert_eq!(*kind, message.kind()),
        (Err(MetadataError::Closed(_)), Ok(message)) => {
            assert_eq!(message.kind(), MessageKind::CloseReason);
        }
        other => panic!("{other:?}"),
    }
    read
}

fn check_menu(menu: Option<&Menu>) {
    let Some(menu) = menu else { return };
    assert!(
        menu.entries()
            .is_sorted_by(|one, other| one.description < other.description)
    );
    for (rank, description) in menu.descriptions().enumerate() {
        assert_eq!(menu.rank(description.as_ref()), Some(rank));
        let name = description.name.as_bytes();
        assert!(
            menu.versions(name)
                .any(|version| version == description.version)
        );
    }
}

/// The same metadata for a peer at each version; the first form cannot say that there are no
/// digests (rule C-HS-6).
fn check_sent(metadata: &PeerMetadata) {
    for version in ProtocolVersion::all() {
        let Some(message) = metadata.to_message(version) else {
            assert!(version.number() < 3);
            continue;
        };
        let sent = to_vec(&message).expect("its parts were read");
        assert_eq!(sent.len(), message.bin_size());
        let arrived = PeerMetadata::decode(&sent).expect("what was sent can be read");
        assert_eq!(arrived.identification, metadata.identification);
        let entries = |metadata: &PeerMetadata| {
            let menu = metadata.menu.as_ref();
            menu.map(|menu| menu.entries().to_vec())
        };
        assert_eq!(entries(&arrived), entries(metadata));
        if version.number() >= 6 {
            assert_eq!(arrived, *metadata);
        }
    }
}
