//! Inputs that honest peers send, of every kind and at every version, and such with some damage.

use bin_prot::{BinWrite, to_vec};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use rpc_checks::pieces;
use rpc_wire::conversation::Direction;
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{Header, Menu, Message, ProtocolVersion, frame};

use crate::arbitrary::{entries, identification, int, message};
use crate::naive::NaiveMessage;

fn framed(value: &impl BinWrite) -> Vec<u8> {
    let mut framed = Vec::new();
    let size = value.bin_size();
    let appended = frame::append(&mut framed, frame::DEFAULT_LIMIT, size, |buffer| {
        value.bin_write(buffer)
    });
    assert_eq!(appended, Ok(size));
    framed
}

fn damaged(mut bytes: Vec<u8>, damage: &[(Index, u8)]) -> Vec<u8> {
    for (place, byte) in damage {
        if !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
    }
    bytes
}

fn damage() -> impl Strategy<Value = Vec<(Index, u8)>> {
    vec((any::<Index>(), any::<u8>()), 0..3)
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::FromClient), Just(Direction::FromServer)]
}

/// What one side tells of itself.
fn peer() -> impl Strategy<Value = PeerMetadata> {
    let menu = proptest::option::of((entries(), any::<bool>()));
    (identification(), menu).prop_map(|(identification, menu)| {
        let menu = menu.map(|(entries, has_digests)| match has_digests {
            true => Menu::with_digests(entries).unwrap(),
            false => Menu::new(entries.into_iter().map(|(rpc, _)| rpc)).unwrap(),
        });
        PeerMetadata {
            identification,
            menu,
        }
    })
}

/// The first frames of one side at a version.
fn opening(version: ProtocolVersion, peer: &PeerMetadata) -> Vec<u8> {
    let versions = ProtocolVersion::all().take_while(|other| *other <= version);
    let mut stream = framed(&Header::new(versions));
    if let Some(message) = peer.to_message(version) {
        stream.extend(framed(&message));
    }
    stream
}

fn version() -> impl Strategy<Value = ProtocolVersion> {
    (1_i64..=11).prop_map(|number| ProtocolVersion::new(number).unwrap())
}

/// A message after the handshake: metadata is none.
fn later_message() -> impl Strategy<Value = NaiveMessage<Vec<u8>>> {
    message().prop_filter("metadata", |message| {
        !matches!(
            message,
            NaiveMessage::Metadata(_) | NaiveMessage::MetadataV2(_)
        )
    })
}

proptest! {
    /// Every message of every version: see `rpc_checks::messages` for all that holds of it.
    #[test]
    fn messages_hold(naive in message(), damage in damage()) {
        let bytes = to_vec(&naive).unwrap();
        prop_assert!(Message::decode(&bytes).is_ok());
        rpc_checks::messages(&bytes);
        rpc_checks::messages(&damaged(bytes, &damage));
    }

    #[test]
    fn handshakes_hold(
        version in version(),
        peer in peer(),
        entries in vec(int(), 0..8),
        damage in damage(),
    ) {
        let bytes = opening(version, &peer);
        rpc_checks::handshake(&bytes);
        rpc_checks::handshake(&damaged(bytes, &damage));
        // Whatever its header is.
        let header = framed(&Header::from_entries(entries));
        let metadata = peer.to_message(ProtocolVersion::MAX).unwrap();
        rpc_checks::handshake(&[header, framed(&metadata)].concat());
    }

    #[test]
    fn frames_hold(messages in vec(message(), 0..6), damage in damage()) {
        let bytes: Vec<_> = messages.iter().flat_map(framed).collect();
        rpc_checks::frames(&bytes);
        rpc_checks::frames(&damaged(bytes, &damage));
    }

    /// Both sides say anything at all, in any order, after a proper handshake.
    #[test]
    fn conversations_hold(
        version in version(),
        client in peer(),
        server in peer(),
        messages in vec((direction(), later_message()), 0..10),
        damage in damage(),
    ) {
        let mut input = Vec::new();
        pieces::append(Direction::FromClient, &opening(version, &client), &mut input);
        pieces::append(Direction::FromServer, &opening(version, &server), &mut input);
        for (direction, message) in &messages {
            pieces::append(*direction, &framed(message), &mut input);
        }
        rpc_checks::conversation(&input);
        rpc_checks::conversation(&damaged(input, &damage));
    }
}
