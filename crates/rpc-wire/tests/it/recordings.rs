//! Conversations of the reference with itself, through the types as they are declared. What makes
//! a conversation of them, `rpc-conformance` checks.

use bin_prot::to_vec;
use rpc_testkit::recording::{self, Recording, Side};
use rpc_wire::Message;
use rpc_wire::frame::{self, Frames};
use rpc_wire::handshake::PeerMetadata;

use crate::naive::NaiveMessage;

const SIDES: [Side; 2] = [Side::Caller, Side::Callee];

/// Each recording, and the stream of each side.
fn streams() -> Vec<(Recording, [Vec<u8>; 2])> {
    let recordings = Recording::load_all();
    assert!(recordings.len() >= 167, "{} recordings", recordings.len());
    let streams = |recording: Recording| {
        let streams = SIDES.map(|side| recording.stream(side));
        (recording, streams)
    };
    recordings.into_iter().map(streams).collect()
}

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

/// The messages after the header, with their bodies.
#[track_caller]
fn messages<'a>(stream: &'a [u8], what: &str) -> Vec<(Message<'a>, &'a [u8])> {
    let decode = |body: &'a [u8]| match Message::decode(body) {
        Ok(message) => (message, body),
        Err(error) => panic!("{what}: {error} in {body:02x?}"),
    };
    frames(stream, what)
        .into_iter()
        .skip(1)
        .map(decode)
        .collect()
}

/// *Protocol* §5.
#[test]
fn messages_are_as_declared() {
    let mut ran = 0;
    for (recording, streams) in streams() {
        for (side, stream) in SIDES.iter().zip(&streams) {
            let what = format!("{} {side:?}", recording.name);
            for (message, body) in messages(stream, &what) {
                let naive = NaiveMessage::of(&message);
                assert_eq!(to_vec(&naive).unwrap(), body, "{what}");
                ran += 1;
            }
        }
    }
    println!("ran {ran}");
    assert!(ran >= 1_300, "{ran} messages");
}

/// *Protocol* §9.2: peers whose highest version is 3 do not sort their menus. Read, they are sorted.
#[test]
fn menus_are_sorted_when_read() {
    let mut menus = 0;
    let mut unsorted = 0;
    for (recording, streams) in streams() {
        for (side, stream) in SIDES.iter().zip(&streams) {
            let what = format!("{} {side:?}", recording.name);
            for (message, body) in messages(stream, &what) {
                if !matches!(message, Message::Metadata(_) | Message::MetadataV2(_)) {
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
