//! Conversations of the reference with itself: every byte of them is understood, and written
//! again as it was.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use bin_prot::{from_slice, to_vec};
use rpc_testkit::recording::{self, Recording, Side};
use rpc_wire::frame::{self, Frames};
use rpc_wire::handshake::{PeerMetadata, negotiate};
use rpc_wire::stream::{self, Initial, StreamQuery, StreamResponse};
use rpc_wire::{Header, Message, ResponseForm};

use crate::hex::framed;
use crate::naive::NaiveMessage;

const SIDES: [Side; 2] = [Side::Caller, Side::Callee];

#[track_caller]
fn frames<'a>(stream: &'a [u8], what: &str) -> Vec<&'a [u8]> {
    let mut frames = Frames::new(stream, frame::DEFAULT_LIMIT);
    let bodies: Result<Vec<_>, _> = frames.by_ref().collect();
    assert!(
        frames.rest().is_empty(),
        "{what}: {} bytes left over",
        frames.rest().len()
    );
    bodies.unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// What a side sent: its header, and its messages with their bodies.
struct Conversation<'a> {
    header: Header,
    messages: Vec<(Message<'a>, &'a [u8])>,
}

impl<'a> Conversation<'a> {
    #[track_caller]
    fn of(stream: &'a [u8], what: &str) -> Self {
        let frames = frames(stream, what);
        let (first, others) = frames.split_first().expect("a header");
        let header = Header::decode(first).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(framed(&header), stream[..8 + first.len()], "{what}");
        let decode = |body: &&'a [u8]| match Message::decode(body) {
            Ok(message) => (message, *body),
            Err(error) => panic!("{what}: {error} in {body:02x?}"),
        };
        Self {
            header,
            messages: others.iter().map(decode).collect(),
        }
    }
}

/// The name of each recording and the stream of each side.
fn streams() -> Vec<(Recording, [Vec<u8>; 2])> {
    let recordings = Recording::load_all();
    assert!(recordings.len() >= 167, "{} recordings", recordings.len());
    let streams = |recording: Recording| {
        let streams = SIDES.map(|side| recording.stream(side));
        (recording, streams)
    };
    recordings.into_iter().map(streams).collect()
}

/// Recordings may be added, but none may be lost unseen.
#[track_caller]
fn check_counts<K: Borrow<str> + Ord>(ran: &BTreeMap<K, usize>, least: &[(&str, usize)]) {
    for (what, least) in least {
        let count = ran.get(*what).copied().unwrap_or_default();
        assert!(count >= *least, "{count} of {what}, {least} expected");
    }
}

/// *Protocol* §1, §5, and the crate's own promise: what was decoded encodes to the same bytes.
#[test]
fn every_frame_is_read_and_written_again() {
    let mut ran = BTreeMap::<_, usize>::new();
    for (recording, streams) in streams() {
        for (side, stream) in SIDES.iter().zip(&streams) {
            let what = format!("{} {side:?}", recording.name);
            for (message, body) in Conversation::of(stream, &what).messages {
                assert_eq!(to_vec(&message).unwrap(), body, "{what}");
                let frame = framed(&message);
                assert_eq!(frame[8..], *body, "{what}");
                let naive = NaiveMessage::of(&message);
                assert_eq!(to_vec(&naive).unwrap(), body, "{what}");
                *ran.entry(message.kind().to_string()).or_default() += 1;
            }
            *ran.entry("header".to_owned()).or_default() += 1;
        }
    }
    println!("{ran:?}");
    check_counts(
        &ran,
        &[
            ("header", 334),
            ("connection metadata", 224),
            ("heartbeat", 361),
            ("query", 295),
            ("response", 394),
            ("close reason", 26),
        ],
    );
}

/// *Protocol* §2.3 and §3: the negotiated version, and that nothing beyond it was sent.
#[test]
fn negotiated_version_selects_what_is_sent() {
    for (recording, streams) in streams() {
        let name = &recording.name;
        let [caller, callee] = streams
            .each_ref()
            .map(|stream| Conversation::of(stream, name));
        let version = negotiate(&caller.header, &callee.header).unwrap();
        assert_eq!(version.number(), recording.wire_version, "{name}");
        assert_eq!(
            negotiate(&callee.header, &caller.header),
            Ok(version),
            "{name}"
        );
        for (message, _) in caller.messages.iter().chain(&callee.messages) {
            match message {
                Message::Heartbeat => {}
                Message::Query(query) => {
                    let keyed = query.header.metadata(0).is_some();
                    assert!(version.has_query_metadata() || !keyed, "{name}");
                }
                Message::Response(response) => {
                    let indexed = response.header.form != ResponseForm::V1;
                    assert_eq!(indexed, version.has_menu_index(), "{name}");
                    if let Err(error) = &response.result {
                        assert_eq!(error.clone().known_to(version), *error, "{name}");
                    }
                }
                Message::Metadata(_) => assert!(
                    version.has_connection_metadata() && !version.has_metadata_v2(),
                    "{name}"
                ),
                Message::MetadataV2(_) => assert!(version.has_metadata_v2(), "{name}"),
                Message::CloseReason(_) => assert!(version.has_close_reason(), "{name}"),
                Message::CloseReasonDuplicated(_) => panic!("{name}: is never sent"),
                Message::CloseStarted => assert!(version.has_close_started(), "{name}"),
                Message::CloseReasonV2(_) => {
                    assert!(version.has_structured_close_reason(), "{name}");
                }
            }
        }
    }
}

/// *Protocol* §4 and §9: from version 3 the second frame of each side, and no other, is metadata.
#[test]
fn metadata_follows_the_header() {
    let mut menus = 0;
    let mut unsorted = 0;
    for (recording, streams) in streams() {
        let has_metadata = recording.wire_version >= 3;
        for (side, stream) in SIDES.iter().zip(&streams) {
            let what = format!("{} {side:?}", recording.name);
            let conversation = Conversation::of(stream, &what);
            for (index, (message, body)) in conversation.messages.iter().enumerate() {
                let expected = has_metadata && index == 0;
                let found = matches!(message, Message::Metadata(_) | Message::MetadataV2(_));
                assert_eq!(found, expected, "{what}: message {index}");
                if !found {
                    continue;
                }
                let peer =
                    PeerMetadata::decode(body).unwrap_or_else(|error| panic!("{what}: {error}"));
                let Some(menu) = peer.menu else { continue };
                menus += 1;
                for (rank, entry) in menu.entries().iter().enumerate() {
                    assert_eq!(menu.rank(entry.description.as_ref()), Some(rank), "{what}");
                }
                if let Message::Metadata(sent) = message {
                    let sent = sent.menu.0.as_ref().expect("a menu was found");
                    let sent: Vec<_> = sent.iter().map(|(rpc, _)| rpc).collect();
                    assert_eq!(sent.len(), menu.entries().len(), "{what}");
                    unsorted += usize::from(!sent.is_sorted());
                }
            }
        }
    }
    println!("{menus} menus, {unsorted} of them not sorted");
    assert!(
        menus >= 224 && unsorted >= 20,
        "{menus} menus, {unsorted} not sorted"
    );
}

/// *Protocol* §6 and §8: payloads end where both lengths say, and a stream is an initial response,
/// updates, an end.
#[test]
fn payloads_of_streams_are_read() {
    let mut ran = BTreeMap::<_, usize>::new();
    for (recording, streams) in streams() {
        let name = &recording.name;
        let [caller, callee] = streams
            .each_ref()
            .map(|stream| Conversation::of(stream, name));
        let mut open = BTreeSet::new();
        for (message, _) in &caller.messages {
            let Message::Query(query) = message else {
                continue;
            };
            let payload = query.data.bytes().unwrap();
            match from_slice(payload) {
                Ok(StreamQuery::Query(data)) => {
                    data.bytes().unwrap();
                    assert!(open.insert(query.header.id), "{name}");
                    *ran.entry("query").or_default() += 1;
                }
                Ok(StreamQuery::Abort) => {
                    assert!(
                        stream::is_abort(payload) && open.contains(&query.header.id),
                        "{name}"
                    );
                    *ran.entry("abort").or_default() += 1;
                }
                // The payload of a plain RPC.
                Err(_) => {}
            }
        }
        let mut initiated = BTreeSet::new();
        for (message, _) in &callee.messages {
            let Message::Response(response) = message else {
                continue;
            };
            let id = response.header.id;
            let Ok(data) = &response.result else {
                open.remove(&id);
                continue;
            };
            let payload = data.bytes().unwrap();
            if !open.contains(&id) {
                continue;
            }
            if initiated.insert(id) {
                let (initial, _) = Initial::split(payload).unwrap();
                if initial == Initial::Error {
                    open.remove(&id);
                }
                *ran.entry("initial").or_default() += 1;
                continue;
            }
            match from_slice(payload).unwrap_or_else(|error| panic!("{name}: {error}")) {
                StreamResponse::Ok(data) => {
                    data.bytes().unwrap();
                    *ran.entry("update").or_default() += 1;
                }
                StreamResponse::Eof => {
                    assert!(open.remove(&id), "{name}");
                    *ran.entry("end").or_default() += 1;
                }
            }
        }
    }
    println!("{ran:?}");
    check_counts(
        &ran,
        &[
            ("query", 46),
            ("abort", 6),
            ("initial", 29),
            ("update", 109),
            ("end", 18),
        ],
    );
}

/// *Protocol* §1: a transport may split and join frames as it likes.
#[test]
fn any_split_gives_the_same_frames() {
    for (recording, streams) in streams() {
        for (side, stream) in SIDES.iter().zip(&streams) {
            let what = format!("{} {side:?}", recording.name);
            let expected = frames(stream, &what);
            for size in [1, 2, 3, 7, 8, 9, 13, 64, 1_000, 65_536] {
                let found = received(stream.chunks(size));
                assert_eq!(found, expected, "{what}: {size} bytes at a time");
            }
            let chunks = recording.chunks.iter().filter(|chunk| chunk.from == *side);
            let as_recorded = chunks.filter_map(|chunk| match &chunk.data {
                recording::Data::Bytes(bytes) => Some(&bytes[..]),
                recording::Data::End => None,
            });
            assert_eq!(received(as_recorded), expected, "{what}: as recorded");
        }
    }
}

/// The frames that a reader finds who looks after each chunk.
fn received<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut buffer = Vec::new();
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        let mut frames = Frames::new(&buffer, frame::DEFAULT_LIMIT);
        found.extend(frames.by_ref().map(|frame| frame.unwrap().to_vec()));
        let rest = frames.rest().len();
        buffer.drain(..buffer.len() - rest);
    }
    assert!(buffer.is_empty(), "{} bytes left over", buffer.len());
    found
}
