//! What is made of the two directions of a captured connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use bin_prot::{BinShape, BinWrite};
use proptest::collection::vec;
use proptest::prelude::*;
use rpc_testkit::recording::{Data, Recording, Side};
use rpc_wire::conversation::{
    Awaited, Cause, Content, Conversation, Direction, Error, Event, Malformed, QueryForm,
    ResponseItem,
};
use rpc_wire::handshake::{Foreign, NegotiationError, OtherProtocol, PeerMetadata};
use rpc_wire::{Description, Menu, ProtocolVersion, QueryId, RpcDigests, ShapeDigest, frame};

use crate::hex::hex;
use Direction::{FromClient, FromServer};

fn direction(side: Side) -> Direction {
    match side {
        Side::Caller => FromClient,
        Side::Callee => FromServer,
    }
}

/// The events that are ready, up to an error.
fn drain(conversation: &mut Conversation) -> Result<Vec<Event>, Error> {
    std::iter::from_fn(|| conversation.next_event()).collect()
}

/// A recording, fed as it was captured.
#[track_caller]
fn decoded(recording: &Recording) -> Vec<Event> {
    let mut conversation = Conversation::default();
    let mut events = Vec::new();
    for chunk in &recording.chunks {
        let from = direction(chunk.from);
        match &chunk.data {
            Data::Bytes(bytes) => conversation.feed(from, bytes),
            Data::End => conversation.end(from),
        }
        events.extend(
            drain(&mut conversation).unwrap_or_else(|error| panic!("{}: {error}", recording.name)),
        );
    }
    events
}

/// Both streams whole, client first; each direction ends.
fn all_at_once(client: &[u8], server: &[u8]) -> (Vec<Event>, Vec<Error>) {
    let mut conversation = Conversation::default();
    conversation.feed(FromClient, client);
    conversation.feed(FromServer, server);
    conversation.end(FromClient);
    conversation.end(FromServer);
    let (mut events, mut errors) = (Vec::new(), Vec::new());
    while let Some(outcome) = conversation.next_event() {
        match outcome {
            Ok(event) => events.push(event),
            Err(error) => errors.push(error),
        }
    }
    (events, errors)
}

fn of(events: &[Event], from: Direction) -> Vec<&Event> {
    let mine = |event: &&Event| {
        event.direction == from && !matches!(event.content, Content::Negotiated(_))
    };
    events.iter().filter(mine).collect()
}

fn name(content: &Content) -> &'static str {
    match content {
        Content::Header(_) => "header",
        Content::Negotiated(_) => "negotiated",
        Content::Metadata(_) => "metadata",
        Content::Heartbeat => "heartbeat",
        Content::Query(query) => match query.form {
            QueryForm::Plain => "plain query",
            QueryForm::Stream => "stream query",
            QueryForm::Abort => "abort",
        },
        Content::Response(response) => match response.item {
            ResponseItem::Answer(_) => "answer",
            ResponseItem::Initial(_) => "initial",
            ResponseItem::InitialError(_) => "initial error",
            ResponseItem::Update { .. } => "update",
            ResponseItem::End => "end",
            ResponseItem::Error(_) => "error",
            ResponseItem::Malformed(_) => "malformed",
            _ => "another response",
        },
        Content::CloseStarted => "close started",
        Content::CloseReason(_) => "close reason",
        _ => "another message",
    }
}

/// Recordings may be added, but no kind of event may be lost unseen. That each conversation is
/// whole and makes sense, `rpc-conformance` checks.
#[test]
fn recordings_have_every_kind_of_event() {
    let mut counts = BTreeMap::<_, usize>::new();
    for recording in Recording::load_all() {
        for event in decoded(&recording) {
            *counts.entry(name(&event.content)).or_default() += 1;
        }
    }
    println!("{counts:?}");
    let least = [
        ("header", 334),
        ("negotiated", 167),
        ("metadata", 224),
        ("heartbeat", 361),
        ("plain query", 243),
        ("stream query", 46),
        ("abort", 6),
        ("answer", 176),
        ("initial", 23),
        ("initial error", 6),
        ("update", 109),
        ("end", 18),
        ("error", 62),
        ("close reason", 26),
    ];
    for (what, least) in least {
        let count = counts.get(what).copied().unwrap_or_default();
        assert!(count >= least, "{count} of {what}, {least} expected");
    }
    assert!(!counts.contains_key("malformed"), "{counts:?}");
}

/// Nothing depends on which direction is fed first.
#[test]
fn one_direction_after_the_other_gives_the_same() {
    for recording in Recording::load_all() {
        let in_time = decoded(&recording);
        let streams = [Side::Caller, Side::Callee].map(|side| recording.stream(side));
        for order in [[0, 1], [1, 0]] {
            let mut conversation = Conversation::default();
            let mut events = Vec::new();
            for index in order {
                conversation.feed(Direction::BOTH[index], &streams[index]);
                conversation.end(Direction::BOTH[index]);
                events.extend(drain(&mut conversation).unwrap());
            }
            for from in Direction::BOTH {
                assert_eq!(of(&events, from), of(&in_time, from), "{}", recording.name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any chunks, in any interleaving.
    #[test]
    fn chunks_do_not_matter(
        which in any::<prop::sample::Index>(),
        pieces in vec((any::<bool>(), 1_usize..200), 0..200),
    ) {
        let recordings = ["count.v6", "state.v4", "abort.v1", "echo-small.v6", "zoo.v3", "fail.v2"];
        let recording = Recording::load(recordings[which.index(recordings.len())]);
        let in_time = decoded(&recording);
        let streams = [Side::Caller, Side::Callee].map(|side| recording.stream(side));
        let mut rest = streams.each_ref().map(Vec::as_slice);
        let mut conversation = Conversation::default();
        let mut events = Vec::new();
        for (second, size) in pieces {
            let index = usize::from(second);
            let (chunk, left) = rest[index].split_at(size.min(rest[index].len()));
            rest[index] = left;
            conversation.feed(Direction::BOTH[index], chunk);
            events.extend(drain(&mut conversation).unwrap());
        }
        for (from, rest) in Direction::BOTH.into_iter().zip(rest) {
            conversation.feed(from, rest);
            conversation.end(from);
        }
        events.extend(drain(&mut conversation).unwrap());
        for from in Direction::BOTH {
            prop_assert_eq!(of(&events, from), of(&in_time, from));
        }
    }

    /// No bytes panic, a direction fails at most once, and gives nothing more then.
    #[test]
    fn nothing_follows_an_error(
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        second in any::<bool>(),
    ) {
        let recording = Recording::load("count.v6");
        let mut streams = [Side::Caller, Side::Callee].map(|side| recording.stream(side));
        let damaged = &mut streams[usize::from(second)];
        for (at, byte) in damage {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        let mut conversation = Conversation::default();
        for (from, stream) in Direction::BOTH.into_iter().zip(&streams) {
            conversation.feed(from, stream);
            conversation.end(from);
        }
        let mut failed = Vec::new();
        while let Some(outcome) = conversation.next_event() {
            match outcome {
                Ok(event) => prop_assert!(!failed.contains(&event.direction)),
                Err(error) => {
                    prop_assert!(!failed.contains(&error.direction));
                    failed.push(error.direction);
                }
            }
        }
    }
}

const HEADER: &str = "11 00 00 00 00 00 00 00  0c fd 52 50 43 00 01 02 03 04 05 06 07 08 09 0a 0b";
/// *Protocol* §9.4: echo 1, echo 2, stream 1.
const MENU: &str = "1c 00 00 00 00 00 00 00  07 01 02 6d 65 01 03 04 65 63 68 6f 01 04 65 63 68 6f 02 \
                    06 73 74 72 65 61 6d 01 00";
const NO_MENU: &str = "03 00 00 00 00 00 00 00  07 00 00";

/// *Protocol* §8.4, and its abort.
#[test]
fn life_of_a_stream() {
    let client = [
        HEADER,
        NO_MENU,
        "11 00 00 00 00 00 00 00  0c 01 02 04 00 0b d1 f5 2f e2 06 05 68 65 6c 6c 6f",
        "0a 00 00 00 00 00 00 00  0c 01 02 04 00 04 21 77 4e 5c",
    ];
    let server = [
        HEADER,
        MENU,
        "09 00 00 00 00 00 00 00  08 04 01 02 00 03 00 00 07",
        "0f 00 00 00 00 00 00 00  08 04 01 02 00 09 79 8a 00 00 04 03 75 70 64",
        "0a 00 00 00 00 00 00 00  08 04 01 02 00 04 39 79 69 00",
    ];
    let (events, errors) = all_at_once(&hex(&client.concat()), &hex(&server.concat()));
    assert_eq!(errors, []);
    let queries: Vec<_> = of(&events, FromClient).split_off(2);
    let Content::Query(query) = &queries[0].content else {
        panic!("{queries:?}");
    };
    assert_eq!(query.rpc.to_string(), "stream version 1");
    assert_eq!(query.form, QueryForm::Stream);
    assert_eq!(query.payload, Ok("\x05hello".into()));
    assert_eq!(name(&queries[1].content), "abort");
    let items: Vec<_> = of(&events, FromServer).split_off(2);
    let items = items.iter().map(|event| match &event.content {
        Content::Response(response) => {
            let query = response.query.clone().unwrap();
            assert_eq!(query.rpc.to_string(), "stream version 1");
            assert_eq!(query.offset, 25 + 11);
            response.item.clone()
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(
        items.collect::<Vec<_>>(),
        [
            ResponseItem::Initial(vec![7].into()),
            ResponseItem::Update {
                number: 1,
                payload: "\x03upd".into()
            },
            ResponseItem::End
        ]
    );
}

/// The one error of a conversation.
#[track_caller]
fn check_error(client: &str, server: &str, from: Direction, offset: u64, text: &str) -> Cause {
    let (_, errors) = all_at_once(&hex(client), &hex(server));
    let [error] = &errors[..] else {
        panic!("{errors:?}");
    };
    assert_eq!((error.direction, error.offset), (from, offset), "{error:?}");
    assert_eq!(error.cause.to_string(), text);
    error.cause.clone()
}

#[test]
fn errors_say_where_and_what() {
    let both = |more: &str| [HEADER, NO_MENU, more].concat();
    let server = [HEADER, MENU].concat();
    let metadata = 25 + 11;
    // There are 13 tags; the length stands before this one.
    let tag = both("02 00 00 00 00 00 00 00 0d 00");
    let text = "unreadable message";
    check_error(&tag, &server, FromClient, metadata + 8, text);
    let length = both("ff ff ff ff 00 00 00 00");
    let text = "frame of 4294967295 bytes, allowed are 0 to 104857600";
    check_error(&length, &server, FromClient, metadata, text);
    let rank = both("0c 00 00 00 00 00 00 00  0c 01 03 01 00 06 05 68 65 6c 6c 6f");
    let text = "query for rank 3, but the callee's menu has 3 RPCs";
    check_error(&rank, &server, FromClient, metadata, text);
    let text = "query for rank 3, but the callee sent no menu";
    check_error(&rank, &both(""), FromClient, metadata, text);
    let again = both(NO_MENU);
    let text = "connection metadata after the handshake";
    check_error(&again, &server, FromClient, metadata, text);
    let cut = both("0c 00 00 00 00 00 00 00  0c 01");
    let text = "the bytes end 10 bytes into a frame";
    check_error(&server, &cut, FromServer, metadata, text);
}

#[test]
fn other_protocols_are_named() {
    let text = "peer speaks another protocol: KRB2 (Kerberos)";
    let kerberos = "07 00 00 00 00 00 00 00  02 fd 4b 52 42 32 01";
    let cause = check_error(kerberos, "", FromClient, 0, text);
    let other = NegotiationError::OtherProtocol(OtherProtocol::Krb);
    assert_eq!(cause, Cause::Negotiation(other));
    let both = "0c 00 00 00 00 00 00 00  03 fd 52 50 43 00 fd 4b 52 42 32 01";
    check_error(both, "", FromClient, 0, "a header names several protocols");
    let (_, errors) = all_at_once(b"GET / HTTP/1.1\r\n", b"HTTP/1.1 400 Bad Request\r\n");
    assert_eq!(errors.len(), 2);
    for error in errors {
        let Cause::FirstFrame(first) = error.cause else {
            panic!("{error:?}");
        };
        assert_eq!(first.looks_like, Some(Foreign::Http));
    }
}

/// *Protocol* §2.3, step 3: whoever of the two is the legacy peer.
#[test]
fn legacy_peers_are_understood() {
    let legacy = hex("02 00 00 00 00 00 00 00  01 01");
    for (client, server) in [(&legacy, &hex(HEADER)), (&hex(HEADER), &legacy)] {
        let (events, errors) = all_at_once(client, server);
        assert_eq!(errors, []);
        let version = ProtocolVersion::new(1).unwrap();
        assert_eq!(events[2].content, Content::Negotiated(version));
    }
}

/// Names stay ranks and responses stay alone, but everything is decoded.
#[test]
fn one_direction_alone_can_be_decoded() {
    for recording in Recording::load_all() {
        for side in [Side::Caller, Side::Callee] {
            let mut conversation = Conversation::default();
            conversation.end(direction(side).opposite());
            conversation.feed(direction(side), &recording.stream(side));
            let events = drain(&mut conversation).unwrap();
            let whole = decoded(&recording);
            assert_eq!(
                events.len(),
                of(&whole, direction(side)).len(),
                "{}",
                recording.name
            );
        }
    }
}

/// What a response waits for is told, and the limit of what is kept meanwhile ends the waiting.
#[test]
fn waiting_is_told_and_bounded() {
    let mut conversation = Conversation::with_version(ProtocolVersion::MIN).waiting_limit(20);
    let answer = b"\x0a\0\0\0\0\0\0\0\x02\x01\0\x06\x05hello";
    let heartbeat = [1, 0, 0, 0, 0, 0, 0, 0, 0];
    conversation.feed(FromServer, answer);
    for _ in 0..2 {
        conversation.feed(FromServer, &heartbeat);
        assert_eq!(drain(&mut conversation), Ok(vec![]));
        let awaited = Awaited::Query(QueryId::new(1));
        assert_eq!(conversation.waits_for(FromServer), Some(awaited));
    }
    conversation.feed(FromServer, &heartbeat);
    let events = drain(&mut conversation).unwrap();
    assert_eq!(events.len(), 4);
    assert_eq!(conversation.waits_for(FromServer), None);
    let Content::Response(response) = &events[0].content else {
        panic!("{events:?}");
    };
    assert_eq!(response.query, None);
    assert_eq!(response.item, ResponseItem::Answer("\x05hello".into()));
}

/// Two responses that each wait for a query behind the other: nonsense, but no standstill.
#[test]
fn both_directions_waiting_for_each_other_end() {
    let answer = b"\x0a\0\0\0\0\0\0\0\x02\x01\0\x06\x05hello";
    let mut conversation = Conversation::with_version(ProtocolVersion::MIN);
    for from in Direction::BOTH {
        conversation.feed(from, answer);
        conversation.end(from);
    }
    assert_eq!(drain(&mut conversation).unwrap().len(), 2);
}

/// *Protocol* §17.1 and decision 12: a bad payload spoils one response.
#[test]
fn malformed_payloads_spoil_one_response_only() {
    let client = [
        HEADER,
        NO_MENU,
        "11 00 00 00 00 00 00 00  0c 01 02 04 00 0b d1 f5 2f e2 06 05 68 65 6c 6c 6f",
    ];
    let server = [
        HEADER,
        MENU,
        "08 00 00 00 00 00 00 00  08 04 01 02 00 02 00 05",
        "0a 00 00 00 00 00 00 00  08 04 01 02 00 05 39 79 69 00",
        "0a 00 00 00 00 00 00 00  08 04 01 02 00 04 39 79 69 00",
    ];
    let (events, errors) = all_at_once(&hex(&client.concat()), &hex(&server.concat()));
    assert_eq!(errors, []);
    let items = of(&events, FromServer).split_off(2);
    let items: Vec<_> = items
        .iter()
        .map(|event| match &event.content {
            Content::Response(response) => &response.item,
            other => panic!("{other:?}"),
        })
        .collect();
    let [
        ResponseItem::Malformed(Malformed::Stream(_)),
        ResponseItem::Malformed(Malformed::Overlong(_)),
        ResponseItem::End,
    ] = items[..]
    else {
        panic!("{items:?}");
    };
}

/// The bound on queries that may still be answered.
#[test]
fn forgotten_queries_are_not_waited_for() {
    let mut conversation = Conversation::with_version(ProtocolVersion::MIN).open_queries_limit(1);
    for id in [1, 2] {
        let body = [1, 4, b'e', b'c', b'h', b'o', 1, id, 0];
        conversation.feed(FromClient, &[&[9, 0, 0, 0, 0, 0, 0, 0], &body[..]].concat());
        conversation.feed(
            FromServer,
            &[&[4_u8, 0, 0, 0, 0, 0, 0, 0][..], &[2, id, 0, 0]].concat(),
        );
    }
    // The first direction is understood up to its end before the second one.
    let events = drain(&mut conversation).unwrap();
    let queries: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.content {
            Content::Response(response) => Some(response.query.is_some()),
            _ => None,
        })
        .collect();
    assert_eq!(queries, [false, true]);
    assert_eq!(conversation.open_queries(FromClient), 0);
}

/// C-RD-2, at the limit and above it.
#[test]
fn frame_limit_is_kept() {
    let frame = [1, 0, 0, 0, 0, 0, 0, 0, 0];
    for (limit, expected) in [(1, None), (0, Some(1))] {
        let mut conversation = Conversation::with_version(ProtocolVersion::MIN).frame_limit(limit);
        conversation.feed(FromClient, &frame[..frame::LENGTH_BYTES]);
        let error = drain(&mut conversation).err();
        assert_eq!(error.is_some(), expected.is_some());
    }
}

/// *Protocol* §10: what each form of a query carries.
#[test]
fn query_metadata_is_kept_by_key() {
    let queries = [
        (
            "11 00 00 00 00 00 00 00  01 04 65 63 68 6f 02 fe c8 00 06 05 68 65 6c 6c 6f",
            &[][..],
        ),
        (
            "18 00 00 00 00 00 00 00  03 04 65 63 68 6f 02 fe c8 00 01 05 74 72 61 63 65 06 05 \
             68 65 6c 6c 6f",
            &[(0, "trace")],
        ),
        (
            "1d 00 00 00 00 00 00 00  09 04 65 63 68 6f 02 fe c8 00 01 02 00 05 74 72 61 63 65 05 \
             01 78 06 05 68 65 6c 6c 6f",
            &[(0, "trace"), (5, "x")],
        ),
        (
            "1e 00 00 00 00 00 00 00  0c 00 04 65 63 68 6f 02 fe c8 00 01 02 00 05 74 72 61 63 65 \
             05 01 78 06 05 68 65 6c 6c 6f",
            &[(0, "trace"), (5, "x")],
        ),
    ];
    for (query, expected) in queries {
        let mut conversation = Conversation::with_version(ProtocolVersion::MIN);
        conversation.feed(FromClient, &hex(query));
        let events = drain(&mut conversation).unwrap();
        let Content::Query(query) = &events[0].content else {
            panic!("{events:?}");
        };
        let found: Vec<_> = query
            .metadata
            .iter()
            .map(|(key, text)| (*key, &text[..]))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(key, text)| (*key, text.as_bytes()))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(query.payload, Ok("\x05hello".into()));
    }
}

/// R-SV-10, R-SV-11: a `Write_error` stands for one item; any other error ends the stream.
#[test]
fn only_write_errors_leave_a_stream_open() {
    let query = "11 00 00 00 00 00 00 00  0c 01 02 04 00 0b d1 f5 2f e2 06 05 68 65 6c 6c 6f";
    let client = [HEADER, NO_MENU, query].concat();
    let initial = "09 00 00 00 00 00 00 00  08 04 01 02 00 03 00 00 07";
    let write_error = "09 00 00 00 00 00 00 00  08 04 01 02 01 02 00 01 62";
    let uncaught = "09 00 00 00 00 00 00 00  08 04 01 02 01 03 00 01 62";
    let update = "0f 00 00 00 00 00 00 00  08 04 01 02 00 09 79 8a 00 00 04 03 75 70 64";
    let end = "0a 00 00 00 00 00 00 00  08 04 01 02 00 04 39 79 69 00";
    let check = |responses: &[&str], expected: &[(&str, bool)]| {
        let server = [&[HEADER, MENU], responses].concat().concat();
        let (events, errors) = all_at_once(&hex(&client), &hex(&server));
        assert_eq!(errors, []);
        let found = of(&events, FromServer).split_off(2);
        let found = found.iter().map(|event| match &event.content {
            Content::Response(response) => (name(&event.content), response.query.is_some()),
            other => panic!("{other:?}"),
        });
        assert_eq!(found.collect::<Vec<_>>(), expected);
    };
    check(
        &[initial, update, write_error, update, end],
        &[
            ("initial", true),
            ("update", true),
            ("error", true),
            ("update", true),
            ("end", true),
        ],
    );
    check(
        &[write_error, update, end],
        &[("error", true), ("update", true), ("end", true)],
    );
    check(
        &[initial, uncaught, end],
        &[("initial", true), ("error", true), ("answer", false)],
    );
    check(&[uncaught, end], &[("error", true), ("answer", false)]);
}

/// A plain RPC's own value may be what opens or aborts a stream elsewhere. Who knows that it is
/// plain can say so, and a menu with digests does.
#[test]
fn payload_of_a_plain_rpc_is_no_stream_query() {
    // Queries for echo 1, rank 0: `Abort, and `Query "hello".
    let abort = "0a 00 00 00 00 00 00 00  0c 01 00 04 00 04 21 77 4e 5c";
    let query = "11 00 00 00 00 00 00 00  0c 01 00 05 00 0b d1 f5 2f e2 06 05 68 65 6c 6c 6f";
    let answer = "08 00 00 00 00 00 00 00  08 04 01 00 00 02 00 00";
    let client = hex(&[HEADER, NO_MENU, abort, query].concat());

    let answered = |menu: &[u8], mut conversation: Conversation| {
        let server = [&hex(HEADER)[..], menu, &hex(answer)].concat();
        conversation.feed(FromClient, &client);
        conversation.feed(FromServer, &server);
        conversation.end(FromClient);
        conversation.end(FromServer);
        let contents = drain(&mut conversation).unwrap().into_iter();
        let contents = contents.map(|event| event.content);
        let forms = contents.clone().filter_map(|content| match content {
            Content::Query(query) => Some((query.form, query.payload.unwrap().len())),
            _ => None,
        });
        let names = contents.filter_map(|content| match content {
            Content::Response(response) => Some(response.query.is_some()),
            _ => None,
        });
        (forms.collect::<Vec<_>>(), names.collect::<Vec<_>>())
    };
    let by_looks = vec![(QueryForm::Abort, 0), (QueryForm::Stream, 6)];
    let as_plain = (
        vec![(QueryForm::Plain, 4), (QueryForm::Plain, 11)],
        vec![true],
    );
    let found = answered(&hex(MENU), Conversation::default());
    assert_eq!(found, (by_looks.clone(), vec![false]));

    let plain = |rpcs: &[Description]| {
        Conversation::default().plain_rpcs(Arc::new(rpcs.iter().cloned().collect()))
    };
    let found = answered(&hex(MENU), plain(&[Description::new("echo", 2)]));
    assert_eq!(found, (by_looks.clone(), vec![false]));
    let found = answered(&hex(MENU), plain(&[Description::new("echo", 1)]));
    assert_eq!(found, as_plain);

    let digest = ShapeDigest(i64::bin_shape().digest().unwrap());
    let menu = |digests| {
        let menu = Menu::with_digests([(Description::new("echo", 1), digests)]);
        let metadata = PeerMetadata {
            identification: None,
            menu: Some(menu.unwrap()),
        };
        let message = metadata.to_message(ProtocolVersion::MAX).unwrap();
        let mut frame = Vec::new();
        frame::append(&mut frame, usize::MAX, message.bin_size(), |buffer| {
            message.bin_write(buffer)
        })
        .unwrap();
        frame
    };
    let of_plain = menu(RpcDigests::Rpc {
        query: digest,
        response: digest,
    });
    assert_eq!(answered(&of_plain, Conversation::default()), as_plain);
    let of_stream = menu(RpcDigests::StreamingRpc {
        query: digest,
        initial_response: digest,
        update_response: digest,
        error: digest,
    });
    let found = answered(&of_stream, plain(&[Description::new("echo", 1)]));
    assert_eq!(found, (by_looks, vec![false]));
}

/// Captures are decoded on whatever thread has time.
#[test]
fn conversations_can_be_sent() {
    fn is_send_and_sync<T: Send + Sync + Unpin + 'static>() {}
    is_send_and_sync::<Conversation>();
    is_send_and_sync::<Event>();
    is_send_and_sync::<Error>();
}
