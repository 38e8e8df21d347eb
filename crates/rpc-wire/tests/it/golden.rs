//! The golden vectors through the types as they are declared: their digests prove the structure,
//! and the vectors' bytes are theirs. What the vectors say of the bytes, value by value,
//! `rpc-conformance` compares.
//!
//! Each test tells how many vectors it ran; the counts are exact, so that none is lost unseen.

use std::collections::BTreeMap;

use bin_prot::{BinReadOwned, BinWrite, from_slice, to_vec};
use rpc_testkit::golden::{Vector, of_kind};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{
    CloseReason, DescriptionRef, Envelope, Message, ProtocolVersion, QueryHeader, QueryId,
    QueryMetadata, ResponseForm, ResponseHeader, RpcDigests, RpcError, ShapeDigest, Specifier,
    UnimplementedVersion,
};

use crate::hex::body;
use crate::naive::NaiveMessage;

/// The message in a `frame` or `message` vector; `None` for a header.
fn message_body(vector: &Vector) -> Option<Vec<u8>> {
    vector.value().unwrap().get("message")?;
    let bytes = vector.bytes().unwrap();
    Some(match vector.kind.as_str() {
        "frame" => body(&bytes).to_vec(),
        _ => bytes,
    })
}

/// The declared message and the crate's own are the same, in both directions.
#[track_caller]
fn check_message(bytes: &[u8], name: &str) {
    let naive: NaiveMessage<Vec<u8>> =
        from_slice(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(to_vec(&naive).unwrap(), bytes, "{name}");
    let metadata = naive.sendable_metadata().unwrap();
    let message = naive.message(&metadata);
    assert_eq!(to_vec(&message).unwrap(), bytes, "{name}");
    assert_eq!(message.bin_size(), bytes.len(), "{name}");
    let read = Message::decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(read, message, "{name}");
    assert_eq!(NaiveMessage::of(&read), naive, "{name}");
}

/// *Protocol* §5, §6 (catalogue A3): with and without a length before the payload. The one byte of a unit, `00`,
/// is also the length of no payload.
#[test]
fn messages_are_those_of_the_reference() {
    let mut ran = BTreeMap::<_, usize>::new();
    for kind in ["message", "frame"] {
        for vector in of_kind(kind) {
            if let Some(body) = message_body(vector) {
                check_message(&body, &vector.name);
                *ran.entry(kind).or_default() += 1;
            }
        }
    }
    for vector in of_kind("message_bare_unit") {
        let bytes = vector.bytes().unwrap();
        let bare: NaiveMessage<()> = from_slice(&bytes).unwrap();
        assert_eq!(to_vec(&bare).unwrap(), bytes, "{}", vector.name);
        check_message(&bytes, &vector.name);
        *ran.entry("message_bare_unit").or_default() += 1;
    }
    println!("ran {ran:?}");
    let expected = [("frame", 350), ("message", 6), ("message_bare_unit", 14)];
    assert_eq!(ran, BTreeMap::from(expected));
}

#[track_caller]
fn check_bytes<T: BinReadOwned + BinWrite>(vector: &Vector) {
    let name = &vector.name;
    let bytes = vector.bytes().unwrap();
    let value: T = from_slice(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(to_vec(&value).unwrap(), bytes, "{name}");
    assert_eq!(value.bin_size(), bytes.len(), "{name}");
}

/// *Shapes* §11, *protocol* §7.1 and §11 (catalogue A2).
#[test]
fn small_wire_types_are_those_of_the_reference() {
    let mut ran = BTreeMap::<_, usize>::new();
    for vector in of_kind("bin_prot").into_iter().chain(of_kind("rpc_error")) {
        match vector.type_name.as_str() {
            "Just_digests" => check_bytes::<RpcDigests>(vector),
            "Rpc_error" => check_bytes::<RpcError>(vector),
            "int63" => check_bytes::<QueryId>(vector),
            "md5" => check_bytes::<ShapeDigest>(vector),
            "[`Version of int]" => check_bytes::<UnimplementedVersion>(vector),
            _ => continue,
        }
        *ran.entry(vector.type_name.as_str()).or_default() += 1;
    }
    println!("ran {ran:?}");
    let expected = [
        ("Just_digests", 3),
        ("Rpc_error", 10),
        ("[`Version of int]", 2),
        ("int63", 39),
        ("md5", 4),
    ];
    assert_eq!(ran, BTreeMap::from(expected));
}

/// *Protocol* §3: the constructors of the crate choose, from a version, what the reference chose.
#[test]
fn frames_are_what_their_version_sends() {
    let mut ran = 0;
    let mut skipped = BTreeMap::<_, usize>::new();
    for vector in of_kind("frame") {
        let Some(body) = message_body(vector) else {
            *skipped.entry("header").or_default() += 1;
            continue;
        };
        let number = vector.field("protocol_version").unwrap().as_i64().unwrap();
        let version = ProtocolVersion::new(number).unwrap();
        let message = Message::decode(&body).unwrap();
        if matches!(message, Message::CloseReasonDuplicated(_)) {
            *skipped.entry("never sent").or_default() += 1;
            continue;
        }
        check_version(version, &message, &vector.name);
        ran += 1;
    }
    println!("ran {ran}, skipped {skipped:?}");
    assert_eq!(ran, 349);
    assert_eq!(skipped, BTreeMap::from([("header", 39), ("never sent", 1)]));
}

#[track_caller]
fn check_version(version: ProtocolVersion, message: &Message<'_>, name: &str) {
    match message {
        Message::Heartbeat => {}
        Message::Query(query) => {
            let (rpc, rank) = match query.header.specifier() {
                Specifier::Description(rpc) => (rpc, None),
                Specifier::Rank(rank) => {
                    let unused = DescriptionRef {
                        name: b"",
                        version: 0,
                    };
                    (unused, Some(usize::try_from(rank).unwrap()))
                }
            };
            let metadata = match query.header.envelope {
                Envelope::V1 { .. } => QueryMetadata::new(),
                Envelope::V2 { metadata, .. } => metadata
                    .into_iter()
                    .fold(QueryMetadata::new(), |all, payload| all.with(0, payload)),
                Envelope::V3 { metadata, .. } | Envelope::V4 { metadata, .. } => metadata
                    .into_iter()
                    .flat_map(|metadata| metadata.iter())
                    .fold(QueryMetadata::new(), |all, (key, payload)| {
                        all.with(key, payload)
                    }),
            };
            let header = QueryHeader::new(version, rpc, rank, query.header.id, &metadata);
            assert_eq!(header, query.header, "{name}");
        }
        Message::Response(response) => {
            let menu_index = match response.header.form {
                ResponseForm::V1 => None,
                ResponseForm::V2 { menu_index } => {
                    menu_index.map(|index| usize::try_from(index.0).unwrap())
                }
            };
            let header = ResponseHeader::new(version, response.header.id, menu_index);
            assert_eq!(header, response.header, "{name}");
            if let Err(error) = &response.result {
                assert_eq!(error.clone().known_to(version), *error, "{name}");
            }
        }
        Message::Metadata(_) | Message::MetadataV2(_) => {
            let peer = PeerMetadata::decode(&to_vec(message).unwrap()).unwrap();
            assert_eq!(peer.to_message(version).as_ref(), Some(message), "{name}");
        }
        Message::CloseReason(info) | Message::CloseReasonDuplicated(info) => {
            let reason = CloseReason::from(info.clone());
            assert_eq!(reason.to_message(version).as_ref(), Some(message), "{name}");
        }
        Message::CloseReasonV2(reason) => {
            let reason = CloseReason::from((**reason).clone());
            assert_eq!(reason.to_message(version).as_ref(), Some(message), "{name}");
        }
        Message::CloseStarted => assert!(version.has_close_started(), "{name}"),
    }
}
