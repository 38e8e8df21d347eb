//! What is accepted as header and as connection metadata (*protocol* §2.2, §2.3, §9.3, §14).

use bin_prot::{Info, OrNull, ReadErrorKind, to_vec};
use bytes::Bytes;
use rpc_wire::handshake::{
    AwaitingHeader, HeaderError, MAX_ENTRIES, MetadataError, Negotiated, NegotiationError,
    OtherProtocol, PeerMetadata, negotiate,
};
use rpc_wire::{
    CloseReason, Data, Description, DescriptionRef, Header, Menu, MenuError, MenuV3, Message,
    MessageKind, Metadata, MetadataV2, ProtocolVersion, Query, QueryHeader, QueryId, QueryMetadata,
    Response, ResponseHeader, RpcDigests, RpcError,
};

use crate::hex::hex;

const RPC: i64 = 4_411_474;
const KRB2: i64 = 843_207_243;
const KBT: i64 = 5_521_995;
const RETIRED_KRB: i64 = 4_346_443;

#[track_caller]
fn check_negotiation(ours: &[i64], peers: &[i64], expected: Result<u8, NegotiationError>) {
    let header = |entries: &[i64]| Header::from_entries(entries.to_vec());
    let found = negotiate(&header(ours), &header(peers)).map(ProtocolVersion::number);
    assert_eq!(found, expected, "{ours:?} and {peers:?}");
}

fn no_common(ours: &[i64], peers: &[i64]) -> Result<u8, NegotiationError> {
    Err(NegotiationError::NoCommonVersion {
        ours: ours.to_vec(),
        peers: peers.to_vec(),
    })
}

/// *Protocol* §2.3, the examples.
#[test]
fn largest_common_version_is_used() {
    let default = Header::default();
    let ours = default.entries();
    let versions = &ours[1..];
    let nine: Vec<_> = std::iter::once(RPC).chain(1..=9).collect();
    check_negotiation(ours, &nine, Ok(9));
    check_negotiation(ours, &[RPC, 1, 2, 3, 50], Ok(3));
    check_negotiation(ours, &[1, 2], Ok(2));
    check_negotiation(ours, &[RPC, 11, 3, 7], Ok(11));
    check_negotiation(ours, &[], no_common(versions, &[]));
    check_negotiation(ours, &[RPC, 12, 13], no_common(versions, &[12, 13]));
    let krb = NegotiationError::OtherProtocol(OtherProtocol::Krb);
    check_negotiation(ours, &[KRB2, 1], Err(krb));
    let test = NegotiationError::OtherProtocol(OtherProtocol::KrbTest);
    check_negotiation(ours, &[KBT, 1], Err(test));
    let several = Err(NegotiationError::SeveralProtocols);
    check_negotiation(ours, &[RPC, KRB2, 1], several.clone());
    check_negotiation(ours, &[RPC, 1, RPC], several.clone());
    check_negotiation(&[RPC, KRB2, 1], ours, several);
    check_negotiation(ours, &[43_244_093, RPC, 1, 2], Ok(2));
    let new = [RPC, 7, 8, 9, 10, 11];
    let old = [RPC, 1, 2, 3, 4, 5, 6];
    check_negotiation(&new, &old, no_common(&new[1..], &old[1..]));
    check_negotiation(&[KRB2, 1, 2], &[1], Ok(1));
    check_negotiation(&[KRB2, 1], ours, Err(NegotiationError::OwnProtocolDiffers));
    check_negotiation(&[1], &[KRB2, 1], Err(NegotiationError::OwnProtocolUnknown));
}

/// *Protocol* §2.1, §2.2: the retired number is an unknown one, large unknown numbers carry
/// something else, all others are versions.
#[test]
fn numbers_above_a_million_are_no_versions() {
    let entries = [RPC, RETIRED_KRB, 1_000_001, i64::MAX, 1_000_000, 0, -1, 3];
    let header = Header::from_entries(entries.to_vec());
    let versions: Vec<_> = header.versions().collect();
    assert_eq!(versions, [1_000_000, 0, -1, 3]);
    check_negotiation(&entries, &[RETIRED_KRB, 1_000_001, 3], Ok(3));
}

/// *Protocol* §2.1, §15, rule C-HF-4.
#[test]
fn header_of_more_than_100_entries_is_refused_by_its_count() {
    let header = |count: usize| to_vec(&Header::from_entries(vec![1; count])).unwrap();
    let most = usize::try_from(MAX_ENTRIES).unwrap();
    assert_eq!(Header::decode(&header(most)).unwrap().entries().len(), most);
    assert_eq!(
        Header::decode(&header(most + 1)),
        Err(HeaderError::TooLong(101))
    );
    // Not one of the entries is there.
    assert_eq!(Header::decode(&[0x65]), Err(HeaderError::TooLong(101)));
    let huge = hex("fc ff ff ff ff ff ff ff 3f");
    assert_eq!(
        Header::decode(&huge),
        Err(HeaderError::TooLong((1 << 62) - 1))
    );
}

/// *Protocol* §17.10.
#[test]
fn header_count_may_be_longer_than_needed() {
    let header = Header::decode(&hex("fe 02 00 fd 52 50 43 00 01")).unwrap();
    assert_eq!(header.entries(), [RPC, 1]);
}

/// *Protocol* §2.3, rule C-HS-12.
#[test]
fn header_has_to_end_with_its_frame() {
    let mut header = to_vec(&Header::default()).unwrap();
    let whole = header.len();
    for cut in 0..whole {
        let error = Header::decode(&header[..cut]).unwrap_err();
        assert!(matches!(error, HeaderError::Unreadable(_)), "{error}");
    }
    header.push(0);
    let Err(HeaderError::Unreadable(error)) = Header::decode(&header) else {
        panic!("was read");
    };
    assert_eq!(
        (error.kind, error.offset),
        (ReadErrorKind::TrailingBytes(1), whole)
    );
}

fn rpc(name: &str, version: i64) -> Description {
    Description::new(name, version)
}

fn first_form(menu: Option<Vec<(Description, RpcDigests)>>) -> Vec<u8> {
    let message = Message::Metadata(Metadata {
        identification: OrNull(None),
        menu: OrNull(menu),
    });
    to_vec(&message).unwrap()
}

fn second_form(descriptions: Vec<Description>, digests: Option<usize>) -> Vec<u8> {
    let digests = digests.map(|count| vec![RpcDigests::Unknown; count].into());
    let message = Message::MetadataV2(MetadataV2 {
        identification: OrNull(None),
        menu: OrNull(Some(MenuV3 {
            descriptions: descriptions.into(),
            digests: OrNull(digests),
        })),
    });
    to_vec(&message).unwrap()
}

/// Rule C-HS-8, *protocol* §9.3.
#[test]
fn menu_of_the_first_form_is_sorted_by_the_reader() {
    let unknown = |description| (description, RpcDigests::Unknown);
    let unsorted = [rpc("b", 2), rpc("b", 1), rpc("a", 10), rpc("a", 9)].map(unknown);
    let metadata = PeerMetadata::decode(&first_form(Some(unsorted.to_vec()))).unwrap();
    let menu = metadata.menu.unwrap();
    let sorted = [rpc("a", 9), rpc("a", 10), rpc("b", 1), rpc("b", 2)];
    assert!(menu.descriptions().eq(&sorted));
    assert!(menu.has_digests());

    let twice = [rpc("a", 1), rpc("b", 1), rpc("a", 1)].map(unknown);
    assert_eq!(
        PeerMetadata::decode(&first_form(Some(twice.to_vec()))),
        Err(MetadataError::Menu(MenuError::Duplicate(rpc("a", 1))))
    );
}

/// Decision 20, *protocol* §9.3.
#[test]
fn menu_of_the_second_form_has_to_be_sorted_and_complete() {
    let sorted = vec![rpc("B", 3), rpc("a", 1), rpc("a", 2)];
    let check = |descriptions: Vec<Description>, digests, expected: Result<bool, MenuError>| {
        let found = PeerMetadata::decode(&second_form(descriptions, digests));
        let found = found.map(|metadata| metadata.menu.unwrap().has_digests());
        assert_eq!(found, expected.map_err(MetadataError::Menu));
    };
    check(sorted.clone(), None, Ok(false));
    check(sorted.clone(), Some(3), Ok(true));
    for digests in [0, 2, 4] {
        let mismatch = MenuError::CountMismatch {
            descriptions: 3,
            digests,
        };
        check(sorted.clone(), Some(digests), Err(mismatch));
    }
    let unsorted = vec![rpc("a", 2), rpc("a", 1)];
    check(unsorted, None, Err(MenuError::Unsorted(rpc("a", 1))));
    let twice = vec![rpc("a", 1), rpc("a", 1)];
    check(twice, Some(2), Err(MenuError::Duplicate(rpc("a", 1))));
}

/// Rule C-HS-7: which form comes is not a question of the version. An absent menu and an empty
/// one are two things (*protocol* §9.2).
#[test]
fn both_forms_of_metadata_are_read() {
    let empty = PeerMetadata::decode(&hex("04 00 01 00")).unwrap();
    assert_eq!(empty.menu.unwrap().entries(), []);
    let empty = PeerMetadata::decode(&hex("07 00 01 00 00")).unwrap();
    assert_eq!(empty.menu, Some(Menu::default()));
    for form in ["04", "07"] {
        let absent = PeerMetadata::decode(&hex(&format!("{form} 00 00"))).unwrap();
        assert_eq!(absent, PeerMetadata::default());
        let named = PeerMetadata::decode(&hex(&format!("{form} 01 00 00"))).unwrap();
        assert_eq!(named.identification, Some(Bytes::new()));
    }
}

/// Rule C-HS-12.
#[test]
fn metadata_has_to_end_with_its_frame() {
    let bodies = [
        first_form(Some(vec![(rpc("a", 1), RpcDigests::Unknown)])),
        second_form(vec![rpc("a", 1)], Some(1)),
    ];
    for mut body in bodies {
        assert!(PeerMetadata::decode(&body).is_ok());
        let whole = body.len();
        for cut in 0..whole {
            let error = PeerMetadata::decode(&body[..cut]).unwrap_err();
            assert!(matches!(error, MetadataError::Unreadable(_)), "{error}");
        }
        body.push(0);
        let Err(MetadataError::Unreadable(error)) = PeerMetadata::decode(&body) else {
            panic!("was read");
        };
        assert_eq!(
            (error.kind, error.offset),
            (ReadErrorKind::TrailingBytes(1), whole)
        );
        // After the handshake the same bytes are a message (decision 17).
        assert!(Message::decode(&body).is_ok());
    }
}

#[track_caller]
fn check_refused(message: &Message<'_>, expected: MetadataError) {
    assert_eq!(
        PeerMetadata::decode(&to_vec(message).unwrap()),
        Err(expected)
    );
}

/// Rules C-HF-14 and, by decision 19, C-HF-15.
#[test]
fn close_reason_in_place_of_metadata_is_told() {
    let closed = |reason| MetadataError::Closed(Box::new(reason));
    let info = Info::from("full");
    let flat = || CloseReason::debug("full");
    check_refused(&Message::CloseReason(info.clone()), closed(flat()));
    check_refused(&Message::CloseReasonDuplicated(info), closed(flat()));
    let reason = CloseReason {
        kind: rpc_wire::CloseReasonKind::ConnectionLimitReached,
        ..CloseReason::user("full")
    };
    check_refused(
        &Message::CloseReasonV2(Box::new(reason.to_v2())),
        closed(reason),
    );
}

/// Rule C-HF-15, and *protocol* §14 for a query without payload and an error.
#[test]
fn other_messages_in_place_of_metadata_are_unexpected() {
    let unexpected = MetadataError::Unexpected;
    check_refused(&Message::Heartbeat, unexpected(MessageKind::Heartbeat));
    check_refused(
        &Message::CloseStarted,
        unexpected(MessageKind::CloseStarted),
    );
    let query = Message::Query(query(b""));
    check_refused(&query, unexpected(MessageKind::Query));
    let error = response(Err(RpcError::ConnectionClosed));
    check_refused(&error, unexpected(MessageKind::Response));
}

/// Rule C-HF-16: a query or response with a payload fails the handshake, as bytes left over or as
/// an unexpected message.
#[test]
fn payload_in_place_of_metadata_is_refused() {
    for message in [
        Message::Query(query(b"payload")),
        response(Ok(Data::new(b"payload"))),
    ] {
        let error = PeerMetadata::decode(&to_vec(&message).unwrap()).unwrap_err();
        assert!(
            matches!(
                error,
                MetadataError::Unreadable(_) | MetadataError::Unexpected(_)
            ),
            "{error}"
        );
    }
}

fn query(payload: &'static [u8]) -> Query<'static> {
    static NONE: QueryMetadata = QueryMetadata::new();
    let echo = DescriptionRef {
        name: b"echo",
        version: 1,
    };
    Query {
        header: QueryHeader::new(ProtocolVersion::MAX, echo, None, QueryId::new(1), &NONE),
        data: Data::new(payload),
    }
}

fn response(result: Result<Data<'static>, RpcError>) -> Message<'static> {
    Message::Response(Response {
        header: ResponseHeader::new(ProtocolVersion::MAX, QueryId::new(1), None),
        result,
    })
}

/// What a side tells of itself.
fn named(identification: &'static str) -> PeerMetadata {
    PeerMetadata {
        identification: Some(Bytes::from(identification)),
        menu: Some(Menu::new([rpc("echo", 1)]).unwrap()),
    }
}

/// A side that speaks the versions up to `newest`.
fn side(newest: i64, metadata: &PeerMetadata) -> AwaitingHeader<'_> {
    let versions = ProtocolVersion::all().filter(|version| i64::from(version.number()) <= newest);
    AwaitingHeader::new(Header::new(versions), metadata)
}

/// Rules C-HS-1 to C-HS-7, at every pair of versions.
#[test]
fn both_sides_agree_frame_by_frame() {
    let (called_a, called_b) = (named("a"), named("b"));
    for (ours, peers) in (1..=11).flat_map(|ours| (1..=11).map(move |peers| (ours, peers))) {
        let (a, b) = (side(ours, &called_a), side(peers, &called_b));
        let (from_a, from_b) = (to_vec(a.header()).unwrap(), to_vec(b.header()).unwrap());
        let (a, b) = (a.receive(&from_b).unwrap(), b.receive(&from_a).unwrap());
        assert_eq!(i64::from(a.version().number()), ours.min(peers));
        assert_eq!(a.version(), b.version());
        match (a, b) {
            (Negotiated::Complete(a), Negotiated::Complete(b)) => {
                assert!(ours.min(peers) < 3);
                assert_eq!(a, b);
                assert_eq!(a.peer, PeerMetadata::default());
            }
            (Negotiated::AwaitingMetadata(a), Negotiated::AwaitingMetadata(b)) => {
                let (from_a, from_b) = (to_vec(a.message()).unwrap(), to_vec(b.message()).unwrap());
                let (a, b) = (a.receive(&from_b).unwrap(), b.receive(&from_a).unwrap());
                assert_eq!(a.peer.identification.as_deref(), Some(&b"b"[..]));
                assert_eq!(b.peer.identification.as_deref(), Some(&b"a"[..]));
                assert_eq!(a.peer.menu.unwrap().entries().len(), 1);
            }
            (a, b) => panic!("{a:?} and {b:?}"),
        }
    }
}

/// Rule C-HS-11.
#[test]
fn headers_known_beforehand_are_not_exchanged() {
    let metadata = PeerMetadata::default();
    let ours = side(11, &metadata);
    let negotiated = ours.receive_header(side(8, &metadata).header()).unwrap();
    let Negotiated::AwaitingMetadata(next) = negotiated else {
        panic!("{negotiated:?}");
    };
    assert_eq!(next.version().number(), 8);
    let error = side(11, &metadata).receive_header(&Header::from_entries(vec![KRB2, 1]));
    let other = NegotiationError::OtherProtocol(OtherProtocol::Krb);
    assert_eq!(error.unwrap_err(), other);
}

/// Each way to fail keeps its own error, and names the other protocol.
#[test]
fn failures_say_which_frame_was_wrong() {
    let metadata = PeerMetadata::default();
    let fails = |body: &[u8]| side(11, &metadata).receive(body).unwrap_err().to_string();
    assert_eq!(fails(&[]), "unreadable header");
    let of = |entries: &[i64]| to_vec(&Header::from_entries(entries.to_vec())).unwrap();
    let other = "peer speaks another protocol: KRB2 (Kerberos)";
    assert_eq!(fails(&of(&[KRB2, 1])), other);
    let other = "peer speaks another protocol: KBT (Kerberos in test mode)";
    assert_eq!(fails(&of(&[KBT, 1])), other);

    let header = to_vec(&Header::default()).unwrap();
    let Ok(Negotiated::AwaitingMetadata(next)) = side(11, &metadata).receive(&header) else {
        panic!("no agreement with itself");
    };
    let refused = MetadataError::Unexpected(MessageKind::Heartbeat);
    assert_eq!(next.receive(&[0x00]).unwrap_err(), refused);
}
