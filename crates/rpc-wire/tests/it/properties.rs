//! What holds for all messages and all bytes. What holds for single nasty ones is in `hostile`.

use std::collections::BTreeSet;

use bin_prot::{BinWrite, OrNull, Sexp, from_slice, to_vec};
use bytes::Bytes;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use rpc_wire::frame::{self, Frames};
use rpc_wire::handshake::{NegotiationError, PeerMetadata, negotiate};
use rpc_wire::stream::{self, Initial, StreamQuery, StreamResponse};
use rpc_wire::{
    Data, Header, Menu, Message, OwnedMessage, ProtocolVersion, Query, QueryId, Response,
};

use crate::arbitrary::{
    byte_string, description, digests, entries, identification, int, message, payload,
};
use crate::naive::{NaiveInitial, NaiveMessage, NaiveStreamQuery, NaiveStreamResponse, QueryV3};

/// Whether the message names a known kind with a small letter, as only a peer would.
fn has_kind_of_other_case(message: &NaiveMessage<Vec<u8>>) -> bool {
    matches!(message, NaiveMessage::CloseReasonV2(reason) if reason.kind == Sexp::atom("unspecified"))
}

/// Whether a message that was read has all of the payload that it announces.
fn payload_is_whole(message: &Message<'_>) -> bool {
    match message {
        Message::Query(query) => query.data.bytes().is_ok(),
        Message::Response(response) => match &response.result {
            Ok(data) => data.bytes().is_ok(),
            Err(_) => true,
        },
        _ => true,
    }
}

/// Whatever was read is written, with its exact size.
fn written<T: BinWrite>(value: &T) -> Result<Vec<u8>, TestCaseError> {
    let written = to_vec(value).unwrap();
    prop_assert_eq!(written.len(), value.bin_size());
    Ok(written)
}

/// The ways past [`Message::decode`] see in `bytes` what it does, or nothing.
fn check_shortcuts(bytes: &[u8]) -> Result<(), TestCaseError> {
    let message = Message::decode(bytes);
    if let Some(query) = Query::split(bytes) {
        prop_assert_eq!(&message, &Ok(Message::Query(query)));
    }
    if let Some((id, payload)) = Response::split_ok(bytes) {
        let Ok(Message::Response(response)) = message else {
            return Err(TestCaseError::fail(format!("{message:?}")));
        };
        prop_assert_eq!(response.header.id, id);
        prop_assert_eq!(response.result, Ok(Data::new(payload)));
        if let Some(update) = stream::split_update(payload) {
            let whole = StreamResponse::Ok(Data::new(update));
            prop_assert_eq!(from_slice::<StreamResponse<'_>>(payload), Ok(whole));
        }
    }
    Ok(())
}

fn check_no_panic(bytes: &[u8]) -> Result<(), TestCaseError> {
    check_shortcuts(bytes)?;
    if let Ok(message) = Message::decode(bytes) {
        let written = written(&message)?;
        prop_assert_eq!(&Message::decode(&written).unwrap(), &message);
        match &message {
            Message::CloseReason(info) => drop(info.to_string()),
            Message::CloseReasonV2(reason) => drop(reason.kind()),
            Message::Response(response) => {
                if let Err(error) = &response.result {
                    drop(error.to_string());
                }
            }
            _ => {}
        }
    }
    if let Ok(header) = Header::decode(bytes) {
        prop_assert_eq!(&Header::decode(&written(&header)?).unwrap(), &header);
        let _ = negotiate(&Header::default(), &header);
    }
    if let Ok(metadata) = PeerMetadata::decode(bytes) {
        prop_assert!(metadata.to_message(ProtocolVersion::MAX).is_some());
    }
    if let Ok(query) = from_slice::<StreamQuery<'_>>(bytes) {
        let written = written(&query)?;
        prop_assert_eq!(from_slice(&written), Ok(query));
    }
    let _ = from_slice::<StreamResponse<'_>>(bytes);
    let _ = Initial::split(bytes);
    if let Ok(Some((body, rest))) = frame::split(bytes, 64) {
        prop_assert!(body.len() <= 64);
        prop_assert_eq!([&bytes[..8], body, rest].concat(), bytes);
    }
    let mut frames = Frames::new(bytes, 64);
    while let Some(frame) = frames.next() {
        prop_assert!(frame.is_ok() || frames.next().is_none());
    }
    Ok(())
}

proptest! {
    /// *Protocol* §5 (catalogue A9): the crate's messages have the bytes of the declared ones, in both
    /// directions, and know their size.
    #[test]
    fn message_reads_and_writes_as_declared(naive in message()) {
        let bytes = to_vec(&naive).unwrap();
        let read = Message::decode(&bytes).unwrap();
        prop_assert_eq!(&NaiveMessage::of(&read), &naive);
        prop_assert_eq!(to_vec(&read).unwrap(), &bytes[..]);
        prop_assert_eq!(read.bin_size(), bytes.len());
        if let Some(metadata) = naive.sendable_metadata()
            && !has_kind_of_other_case(&naive)
        {
            let message = naive.message(&metadata);
            prop_assert_eq!(&message, &read);
            prop_assert_eq!(to_vec(&message).unwrap(), &bytes[..]);
            prop_assert_eq!(message.bin_size(), bytes.len());
        }
    }

    /// *Protocol* §14: a message that was cut is never taken for a whole one.
    #[test]
    fn any_truncation_is_noticed(naive in message(), at in any::<prop::sample::Index>()) {
        let bytes = to_vec(&naive).unwrap();
        let cut = &bytes[..at.index(bytes.len())];
        if let Ok(message) = Message::decode(cut) {
            prop_assert!(!payload_is_whole(&message), "{message:?}");
        }
    }

    /// Decision 17, rule C-HS-12: bytes after a message are tolerated, but not in the handshake.
    #[test]
    fn trailing_bytes_are_refused_in_the_handshake_only(
        naive in message(),
        trailing in vec(any::<u8>(), 1..20),
    ) {
        let whole = to_vec(&naive).unwrap();
        let bytes = [&whole[..], &trailing].concat();
        let read = Message::decode(&bytes).unwrap();
        prop_assert_eq!(NaiveMessage::of(&read), naive);
        prop_assert!(PeerMetadata::decode(&bytes).is_err());
    }

    /// The owned form says the same as the borrowed one, and its payload is a part of the frame.
    #[test]
    fn owned_messages_share_their_frame(naive in message()) {
        let body = Bytes::from(to_vec(&naive).unwrap());
        let owned = OwnedMessage::decode(&body).unwrap();
        let borrowed = Message::decode(&body).unwrap();
        prop_assert_eq!(&owned.to_message(), &borrowed);
        prop_assert_eq!(written(&owned)?, &body[..]);
        let payload = match &owned {
            OwnedMessage::Query(query) => query.payload.bytes().ok(),
            OwnedMessage::Response(response) => {
                response.result.as_ref().ok().and_then(|data| data.bytes().ok())
            }
            _ => None,
        };
        if let Some(payload) = payload.filter(|payload| !payload.is_empty()) {
            prop_assert!(body.as_ptr_range().contains(&payload.as_ptr()));
        }
    }

    /// Rule C-HS-12.
    #[test]
    fn header_is_read_as_written_and_nothing_more(
        entries in vec(int(), 0..=100),
        trailing in vec(any::<u8>(), 1..20),
    ) {
        let header = Header::from_entries(entries);
        let bytes = to_vec(&header).unwrap();
        prop_assert_eq!(header.bin_size(), bytes.len());
        prop_assert_eq!(Header::decode(&bytes), Ok(header));
        prop_assert!(Header::decode(&[&bytes[..], &trailing].concat()).is_err());
    }

    /// *Protocol* §14.
    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..80)) {
        check_no_panic(&bytes)?;
    }

    /// The same for bytes that are nearly right.
    #[test]
    fn no_damaged_message_panics(
        naive in message(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = to_vec(&naive).unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check_no_panic(&bytes)?;
    }

    /// *Protocol* §1.
    #[test]
    fn any_split_gives_the_same_frames(
        bodies in vec(vec(any::<u8>(), 0..30), 0..6),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut stream = Vec::new();
        for body in &bodies {
            frame::append(&mut stream, 30, body.len(), |buffer| {
                buffer.extend_from_slice(body);
                Ok(())
            })
            .unwrap();
        }
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.push(stream.len());
        cuts.sort_unstable();
        let mut found = Vec::new();
        let mut start = 0;
        for end in cuts {
            let mut frames = Frames::new(&stream[start..end], 30);
            found.extend(frames.by_ref().map(|frame| frame.unwrap().to_vec()));
            start = end - frames.rest().len();
        }
        prop_assert_eq!(found, bodies);
    }

    /// *Protocol* §2.3: both sides come to the same result.
    #[test]
    fn negotiation_is_symmetric(
        ours in btree_set(1_i64..=11, 0..11),
        peers in btree_set(1_i64..=14, 0..14),
    ) {
        let header = |versions: &BTreeSet<i64>| {
            let rpc = std::iter::once(4_411_474);
            Header::from_entries(rpc.chain(versions.iter().copied()).collect())
        };
        let (a, b) = (header(&ours), header(&peers));
        let expected = ours.intersection(&peers).max().copied();
        for found in [negotiate(&a, &b), negotiate(&b, &a)] {
            match (found, expected) {
                (Ok(version), Some(expected)) => {
                    prop_assert_eq!(i64::from(version.number()), expected);
                }
                (Err(NegotiationError::NoCommonVersion { .. }), None) => {}
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    /// *Protocol* §9: what a side tells of itself arrives at every version that has metadata. The
    /// first form cannot say that there are no digests (rule C-HS-6).
    #[test]
    fn connection_metadata_arrives(
        identification in identification(),
        entries in proptest::option::of(entries()),
        has_digests in any::<bool>(),
    ) {
        let menu = entries.map(|entries| match has_digests {
            true => Menu::with_digests(entries).unwrap(),
            false => Menu::new(entries.into_iter().map(|(rpc, _)| rpc)).unwrap(),
        });
        let sent = PeerMetadata { identification, menu };
        for version in ProtocolVersion::all() {
            let Some(message) = sent.to_message(version) else {
                prop_assert!(version.number() < 3);
                continue;
            };
            let arrived = PeerMetadata::decode(&to_vec(&message).unwrap()).unwrap();
            prop_assert_eq!(&arrived.identification, &sent.identification);
            let entries = |metadata: &PeerMetadata| {
                metadata.menu.as_ref().map(|menu| menu.entries().to_vec())
            };
            prop_assert_eq!(entries(&arrived), entries(&sent));
            if version.number() >= 6 {
                prop_assert_eq!(&arrived, &sent);
            }
        }
    }

    /// *Protocol* §9.2: rank and versions as a search through the whole list finds them.
    #[test]
    fn menu_finds_what_a_list_has(
        entries in vec((description(), digests()), 0..12),
        other in description(),
    ) {
        let mut rpcs: Vec<_> = entries.iter().map(|(rpc, _)| rpc.clone()).collect();
        rpcs.sort_unstable();
        let listed = rpcs.len();
        rpcs.dedup();
        let menu = Menu::with_digests(entries);
        prop_assert_eq!(menu.is_ok(), rpcs.len() == listed);
        let Ok(menu) = menu else { return Ok(()) };
        for rpc in rpcs.iter().chain([&other]) {
            let rank = rpcs.iter().position(|listed| listed == rpc);
            prop_assert_eq!(menu.rank(rpc.as_ref()), rank);
            let versions: Vec<_> = rpcs
                .iter()
                .filter(|listed| listed.name == rpc.name)
                .map(|listed| listed.version)
                .collect();
            let found: Vec<_> = menu.versions(rpc.name.as_bytes()).collect();
            prop_assert_eq!(found, versions);
        }
    }

    /// *Protocol* §8: the layer of streams has the bytes of the declared types.
    #[test]
    fn stream_payloads_are_as_declared(inner in payload(), unused in int()) {
        let query = StreamQuery::Query(Data::new(&inner));
        let declared = to_vec(&NaiveStreamQuery::Query(inner.clone())).unwrap();
        prop_assert_eq!(to_vec(&query).unwrap(), &declared[..]);
        prop_assert_eq!(query.bin_size(), declared.len());
        prop_assert_eq!(stream::query_size(inner.len()), declared.len());
        prop_assert_eq!(from_slice(&declared), Ok(query));
        prop_assert!(!stream::is_abort(&declared));

        let declared = to_vec(&NaiveStreamResponse::Ok(inner.clone())).unwrap();
        let mut update = Vec::new();
        stream::write_before_update(inner.len(), &mut update);
        update.extend_from_slice(&inner);
        prop_assert_eq!(&update, &declared);
        prop_assert_eq!(stream::update_size(inner.len()), declared.len());
        prop_assert_eq!(from_slice(&declared), Ok(StreamResponse::Ok(Data::new(&inner))));

        // The receiver ignores the id (§8.2).
        let initial = NaiveInitial::<Vec<u8>, ()> {
            unused_query_id: QueryId::new(unused),
            initial: Ok(inner.clone()),
        };
        let bytes = to_vec(&initial).unwrap();
        let (initial, state) = Initial::split(&bytes).unwrap();
        prop_assert_eq!(initial, Initial::Ok);
        prop_assert_eq!(from_slice(state), Ok(inner));
    }

    /// *Protocol* §10: the first of two equal keys counts, whoever sent them.
    #[test]
    fn first_of_equal_keys_counts(listed in vec((0_i64..3, byte_string()), 0..6)) {
        let metadata = OrNull(Some(listed.clone()));
        let bytes = to_vec(&NaiveMessage::QueryV3(QueryV3 {
            tag: "echo".into(),
            version: 1,
            id: QueryId::new(1),
            metadata,
            data: Vec::<u8>::new(),
        }))
        .unwrap();
        let Message::Query(query) = Message::decode(&bytes).unwrap() else { unreachable!() };
        for key in 0..3 {
            let first = listed.iter().find(|(other, _)| *other == key);
            let first = first.map(|(_, payload)| payload.as_bytes());
            prop_assert_eq!(query.header.metadata(key), first);
        }
    }
}
