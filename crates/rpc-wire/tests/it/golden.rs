//! The golden vectors of the protocol: errors, messages, frames, negotiation.
//!
//! Each test tells how many vectors it ran; the counts are exact, so that none is lost unseen.

mod payload;
mod value;

use std::collections::BTreeMap;

use bin_prot::{BinReadOwned, BinWrite, from_slice, to_vec};
use rpc_testkit::golden::{Vector, items_of, of_kind, vectors};
use rpc_wire::handshake::{HeaderError, NegotiationError, PeerMetadata, negotiate};
use rpc_wire::{
    CloseReason, DescriptionRef, Envelope, Header, Message, ProtocolVersion, QueryHeader, QueryId,
    QueryMetadata, ResponseForm, ResponseHeader, RpcDigests, RpcError, ShapeDigest, Specifier,
    UnimplementedVersion,
};
use serde_json::Value;

use crate::hex::{body, framed};
use crate::naive::NaiveMessage;
use value::{FromGolden, get};

/// A frame's or message's content, from JSON.
enum Content {
    Header(Header),
    Message(Box<NaiveMessage<Vec<u8>>>),
}

impl Content {
    fn of(vector: &Vector) -> Self {
        let value = vector.value();
        match value["message"].as_str() {
            Some(name) => Self::Message(Box::new(value::message(name, &value["body"]))),
            None => Self::Header(header(&value["header"])),
        }
    }
}

fn header(entries: &Value) -> Header {
    Header::from_entries(get(entries))
}

/// The body encodes and decodes, and its payload is the one that the vector gives.
#[track_caller]
fn check_content(vector: &Vector, bytes: &[u8], ran: &mut BTreeMap<String, usize>) {
    let name = &vector.name;
    let message = match Content::of(vector) {
        Content::Header(header) => {
            assert_eq!(to_vec(&header).unwrap(), bytes, "{name}");
            assert_eq!(header.bin_size(), bytes.len(), "{name}");
            assert_eq!(Header::decode(bytes), Ok(header), "{name}");
            *ran.entry("header".to_owned()).or_default() += 1;
            return;
        }
        Content::Message(message) => message,
    };
    let data = check_message(&message, bytes, name);
    if vector.fields.contains_key("payload_type") {
        let layer = payload::check(vector, &data.expect("a payload"));
        *ran.entry(format!("payload {layer:?}")).or_default() += 1;
    }
    *ran.entry("message".to_owned()).or_default() += 1;
}

/// The message has these bytes in both directions. Returns its payload.
#[track_caller]
fn check_message(naive: &NaiveMessage<Vec<u8>>, bytes: &[u8], name: &str) -> Option<Vec<u8>> {
    assert_eq!(to_vec(naive).unwrap(), bytes, "{name}");
    let metadata = naive.sendable_metadata().unwrap();
    let message = naive.message(&metadata);
    assert_eq!(to_vec(&message).unwrap(), bytes, "{name}");
    assert_eq!(message.bin_size(), bytes.len(), "{name}");
    let read = Message::decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(read, message, "{name}");
    assert_eq!(NaiveMessage::of(&read), *naive, "{name}");
    assert_eq!(to_vec(&read).unwrap(), bytes, "{name}");
    assert_eq!(read.bin_size(), bytes.len(), "{name}");
    match read {
        Message::Query(query) => Some(query.data.bytes().unwrap().to_vec()),
        Message::Response(response) => Some(response.result.ok()?.bytes().unwrap().to_vec()),
        _ => None,
    }
}

#[track_caller]
fn check_value<T: FromGolden + BinReadOwned + BinWrite + PartialEq + std::fmt::Debug>(
    vector: &Vector,
) {
    let name = &vector.name;
    let value: T = get(vector.value());
    assert_eq!(to_vec(&value).unwrap(), vector.bytes, "{name}");
    assert_eq!(value.bin_size(), vector.bytes.len(), "{name}");
    assert_eq!(from_slice::<T>(&vector.bytes).unwrap(), value, "{name}");
}

/// No kind of vector appears that nobody runs.
#[test]
fn every_kind_of_vector_has_its_tests() {
    let mut kinds = BTreeMap::<_, usize>::new();
    for vector in vectors() {
        *kinds.entry(vector.kind.as_str()).or_default() += 1;
    }
    println!("{kinds:?}");
    // The others are of the encoding alone, and run in its crate.
    let here = [
        "frame",
        "message",
        "message_bare_unit",
        "message_error",
        "negotiation",
        "rpc_error",
    ];
    let elsewhere = [
        "bin_prot",
        "bin_prot_decode",
        "bin_prot_error",
        "digest",
        "variant_hash",
    ];
    for kind in here.iter().chain(&elsewhere) {
        assert!(kinds.remove(kind).is_some(), "no vectors of kind {kind}");
    }
    assert!(kinds.is_empty(), "{kinds:?}");
}

/// *Protocol* §7.1.
#[test]
fn errors_are_those_of_the_reference() {
    let vectors = of_kind("rpc_error");
    for vector in &vectors {
        check_value::<RpcError>(vector);
    }
    println!("ran {}", vectors.len());
    assert_eq!(vectors.len(), 10);
}

/// *Shapes* §11, *protocol* §7.1 and §11.
#[test]
fn small_wire_types_are_those_of_the_reference() {
    let mut ran = BTreeMap::<_, usize>::new();
    for vector in of_kind("bin_prot") {
        match vector.type_name.as_str() {
            "Just_digests" => check_value::<RpcDigests>(vector),
            "int63" => check_value::<QueryId>(vector),
            "md5" => check_value::<ShapeDigest>(vector),
            "[`Version of int]" => check_value::<UnimplementedVersion>(vector),
            _ => continue,
        }
        *ran.entry(vector.type_name.as_str()).or_default() += 1;
    }
    println!("ran {ran:?}");
    let expected = [
        ("Just_digests", 3),
        ("[`Version of int]", 2),
        ("int63", 39),
        ("md5", 4),
    ];
    assert_eq!(ran, BTreeMap::from(expected));
}

/// *Protocol* §6, *Test dumps*: the payload is a unit without length. Its one byte, `00`, is also
/// the length of no payload, so that the types here have these bytes too.
#[test]
fn messages_with_a_bare_unit_have_the_layout_of_the_reference() {
    let vectors = of_kind("message_bare_unit");
    for vector in &vectors {
        let name = &vector.name;
        let bare: NaiveMessage<()> = get(vector.value());
        assert_eq!(to_vec(&bare).unwrap(), vector.bytes, "{name}");
        assert_eq!(
            from_slice::<NaiveMessage<()>>(&vector.bytes),
            Ok(bare),
            "{name}"
        );
        let empty: NaiveMessage<Vec<u8>> = from_slice(&vector.bytes).unwrap();
        check_message(&empty, &vector.bytes, name);
    }
    println!("ran {}", vectors.len());
    assert_eq!(vectors.len(), 14);
}

/// *Protocol* §5.
#[test]
fn messages_are_those_of_the_reference() {
    let mut ran = BTreeMap::new();
    for vector in of_kind("message") {
        check_content(vector, &vector.bytes, &mut ran);
    }
    println!("ran {ran:?}");
    let expected = [("header", 1), ("message", 6)];
    assert_eq!(
        ran,
        expected
            .map(|(what, count)| (what.to_owned(), count))
            .into()
    );
}

/// *Protocol* §1, §2, §5, §6, §8.
#[test]
fn frames_are_those_of_the_reference() {
    let mut ran = BTreeMap::new();
    for vector in of_kind("frame") {
        let content = Content::of(vector);
        let frame = match &content {
            Content::Header(header) => framed(header),
            Content::Message(naive) => framed(&naive.message(&naive.sendable_metadata().unwrap())),
        };
        assert_eq!(frame, vector.bytes, "{}", vector.name);
        check_content(vector, body(&vector.bytes), &mut ran);
    }
    println!("ran {ran:?}");
    let expected = [
        ("header", 39),
        ("message", 350),
        ("payload Plain", 138),
        ("payload Stream", 68),
    ];
    assert_eq!(
        ran,
        expected
            .map(|(what, count)| (what.to_owned(), count))
            .into()
    );
}

/// *Protocol* §3: the constructors of the crate choose, from a version, what the reference chose.
#[test]
fn frames_are_what_their_version_sends() {
    let mut ran = 0;
    let mut skipped = BTreeMap::<_, usize>::new();
    for vector in of_kind("frame") {
        let Content::Message(naive) = Content::of(vector) else {
            *skipped.entry("header").or_default() += 1;
            continue;
        };
        let number = vector.field("protocol_version").as_i64().unwrap();
        let version = ProtocolVersion::new(number).unwrap();
        if matches!(*naive, NaiveMessage::CloseReasonDuplicated(_)) {
            *skipped.entry("never sent").or_default() += 1;
            continue;
        }
        check_version(
            version,
            &Message::decode(body(&vector.bytes)).unwrap(),
            &vector.name,
        );
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
            let reason = CloseReason::from(reason.clone());
            assert_eq!(reason.to_message(version).as_ref(), Some(message), "{name}");
        }
        Message::CloseStarted => assert!(version.has_close_started(), "{name}"),
    }
}

/// *Protocol* §14, *bin_prot* §12.
#[test]
fn malformed_messages_are_refused_for_the_reason_of_the_reference() {
    let vectors = of_kind("message_error");
    for vector in &vectors {
        let error = Message::decode(&vector.bytes).unwrap_err();
        let expected = Some(vector.text("error"));
        assert_eq!(error.kind.reference_name(), expected, "{}", vector.name);
    }
    println!("ran {}", vectors.len());
    assert_eq!(vectors.len(), 11);
}

/// *Protocol* §2.3.
#[test]
fn negotiation_ends_as_in_the_reference() {
    let vectors = of_kind("negotiation");
    for vector in &vectors {
        let name = &vector.name;
        let ours = header(&vector.value()["us"]);
        let entries = items_of(&vector.value()["peer"]);
        let peers = to_vec(&header(&vector.value()["peer"])).unwrap();
        let result = &vector.value()["result"];
        let expected = (result["version"].as_i64(), result["error"].as_str());
        let peers = match Header::decode(&peers) {
            Ok(peers) => peers,
            Err(error) => {
                assert_eq!(expected, (None, Some("header_too_long")), "{name}");
                assert_eq!(error, HeaderError::TooLong(entries.len() as u64), "{name}");
                continue;
            }
        };
        let found = match negotiate(&ours, &peers) {
            Ok(version) => (Some(version.number().into()), None),
            Err(error) => (None, Some(reference_name(&error))),
        };
        assert_eq!(found, expected, "{name}");
    }
    println!("ran {}", vectors.len());
    assert_eq!(vectors.len(), 26);
}

fn reference_name(error: &NegotiationError) -> &'static str {
    match error {
        NegotiationError::SeveralProtocols => "multiple_protocols",
        NegotiationError::OwnProtocolUnknown => "own_protocol_unknown",
        NegotiationError::OtherProtocol(_) | NegotiationError::OwnProtocolDiffers => {
            "different_protocol"
        }
        NegotiationError::NoCommonVersion { .. } => "no_common_version",
        other => panic!("{other} has no name in the vectors"),
    }
}
