//! The catalogue's cases of bytes and of negotiation that the other files do not have: pinned
//! prefixes, flexible kinds, headers as text of numbers.

use std::collections::BTreeSet;

use bin_prot::{BinRead, ByteString, Info, Reader, Sexp, from_slice, to_vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rpc_wire::handshake::{HeaderError, NegotiationError, OtherProtocol, negotiate};
use rpc_wire::stream::{EOF_PAYLOAD, Initial, StreamQuery, StreamResponse};
use rpc_wire::{
    CloseReason, CloseReasonKind, Data, Description, Header, Menu, Message, ProtocolVersion,
    QueryId,
};

use crate::arbitrary::message;
use crate::hex::hex;
use crate::naive::NaiveMessage;

const RPC: i64 = 4_411_474;
const KRB2: i64 = 843_207_243;
const KBT: i64 = 5_521_995;
const RETIRED_KRB: i64 = 4_346_443;

fn header(entries: &[i64]) -> Header {
    Header::from_entries(entries.to_vec())
}

fn negotiated(ours: &[i64], peers: &[i64]) -> Result<i64, NegotiationError> {
    let version = negotiate(&header(ours), &header(peers))?;
    Ok(version.number().into())
}

fn rpc_header(versions: &[i64]) -> Vec<i64> {
    [&[RPC], versions].concat()
}

/// A4, C-RS-6: a kind that nobody knows yet is kept, and shown with the rest.
#[test]
fn unknown_kind_of_close_reason_is_kept() {
    let mut body = b"\x0b\x00\x0dExtra_variant".to_vec();
    for text in ["debug info", "user reason"] {
        body.extend([1, 3, 0, u8::try_from(text.len()).unwrap()]);
        body.extend(text.as_bytes());
    }
    let Message::CloseReasonV2(read) = Message::decode(&body).unwrap() else {
        panic!("no close reason");
    };
    let reason = CloseReason::from(*read);
    let CloseReasonKind::Other(kind) = &reason.kind else {
        panic!("{:?}", reason.kind);
    };
    assert_eq!(*kind.as_sexp(), Sexp::atom("Extra_variant"));
    assert_eq!(
        reason.debug_info,
        Some(Info::Sexp(Sexp::atom("debug info")))
    );
    assert_eq!(
        reason.user_reason,
        Some(Info::Sexp(Sexp::atom("user reason")))
    );
    assert_eq!(
        reason.to_info().to_string(),
        r#"(Extra_variant((debug_info"debug info")(user_reason"user reason")))"#
    );
    let written = to_vec(&Message::CloseReasonV2(Box::new(reason.to_v2()))).unwrap();
    assert_eq!(written, body);
}

/// A5: a menu knows the versions of each name.
#[test]
fn menu_groups_versions_by_name() {
    let rpcs = [("foo", 1), ("foo", 2), ("bar", 5)];
    let menu = Menu::new(rpcs.map(|(name, version)| Description::new(name, version))).unwrap();
    assert!(menu.versions(b"bar").eq([5]));
    assert!(menu.versions(b"foo").eq([1, 2]));
    assert!(menu.versions(b"baz").next().is_none());
}

/// A6: an id is a number of 63 bits like any other.
#[test]
fn query_id_is_an_integer() {
    const EXTREME: i64 = 1 << 62;
    for n in [0, 1, -1, 10, 127, 128, EXTREME - 1, -EXTREME] {
        check_query_id(n);
    }
    assert!(to_vec(&QueryId::new(EXTREME)).is_err());
    assert!(to_vec(&QueryId::new(-EXTREME - 1)).is_err());
}

fn check_query_id(n: i64) {
    let bytes = to_vec(&QueryId::new(n)).unwrap();
    assert_eq!(bytes, to_vec(&n).unwrap());
    assert_eq!(from_slice::<QueryId>(&bytes).unwrap().get(), n);
}

/// A7: the tags of stream payloads, all but the abort's, are constants.
#[test]
fn payloads_of_streams_begin_with_their_constants() {
    let update = to_vec(&ByteString::from("x")).unwrap();
    let update = [hex("79 8a 00 00 02"), update].concat();
    assert_eq!(
        from_slice::<StreamResponse<'_>>(&update),
        Ok(StreamResponse::Ok(Data::new(b"\x01x")))
    );
    assert_eq!(u32::from_le_bytes([0x79, 0x8a, 0, 0]), 0x8a79);
    assert_eq!(EOF_PAYLOAD, hex("39 79 69 00"));
    let query = to_vec(&StreamQuery::Query(Data::new(b"\x01x"))).unwrap();
    assert_eq!(query, hex("d1 f5 2f e2 02 01 78"));
    let mut initial = Vec::new();
    Initial::Ok.write_before(&mut initial);
    assert_eq!(initial, hex("00 00"));
}

/// A8: bytes with a length in front are a byte string's encoding.
#[test]
fn data_with_its_length_is_a_byte_string() {
    let powers = (10..=20).flat_map(|k| [(1 << k) - 1, 1 << k, (1 << k) + 1]);
    for length in (0..=1024_usize).chain(powers) {
        let bytes: Vec<u8> = (0..length).map(|n| n.to_le_bytes()[0]).collect();
        let data = to_vec(&Data::new(&bytes)).unwrap();
        // `Data` is the length and the bytes; so is a byte string.
        let string = to_vec(&ByteString::from(&bytes[..])).unwrap();
        assert_eq!(data, string, "{length} bytes");
        assert_eq!(
            from_slice::<Data<'_>>(&string).unwrap().bytes(),
            Ok(&bytes[..])
        );
        // And the string as a payload has its own size in front.
        let payload = to_vec(&Data::new(&string)).unwrap();
        let mut reader = Reader::new(&payload);
        assert_eq!(reader.nat0().unwrap(), string.len() as u64);
        assert_eq!(reader.rest(), string);
    }
}

/// A10, B3, B4: protocol and versions are numbers like any others; the first six bytes tell the
/// protocol.
#[test]
fn first_six_bytes_of_a_header_tell_the_protocol() {
    let rows: [(&[i64], &str); 4] = [
        (&[], "01 fd 52 50 43 00"),
        (&[1], "02 fd 52 50 43 00 01"),
        (&[1, 2, 3], "04 fd 52 50 43 00 01 02 03"),
        (&[1, 2, 3, 4, 5, 6], "07 fd 52 50 43 00 01 02 03 04 05 06"),
    ];
    for (versions, bytes) in rows {
        let bytes = hex(bytes);
        let read = Header::decode(&bytes).unwrap();
        assert_eq!(read.entries(), rpc_header(versions));
        assert_eq!(to_vec(&read).unwrap(), bytes);
        let mut reader = Reader::new(&bytes);
        reader.nat0().unwrap();
        assert_eq!(i64::bin_read(&mut reader), Ok(RPC));
        assert_eq!(bytes.len() - reader.rest().len(), 6);
    }
    let magic = BTreeSet::from([RPC, KRB2, KBT, RETIRED_KRB]);
    assert_eq!(magic.len(), 4);
    for number in magic {
        assert!((1_000_001..1 << 30).contains(&number));
        assert_eq!(to_vec(&number).unwrap().len(), 5);
        let entries = header(&[number, 1]);
        assert_eq!(entries.versions().collect::<Vec<_>>(), [1], "{number}");
    }
}

/// B1. What is refused there when a header is built cannot be asked for: a header of ours is made
/// of versions that exist. B2 with the one limit that there is.
#[test]
fn header_of_ours_is_made_of_versions_that_exist() {
    assert_eq!(Header::new([]).entries(), [RPC]);
    assert_eq!(Header::default().entries().len(), 12);
    for number in [0, 12, 1_000_000, 1_000_001, RPC, i64::MAX, i64::MIN] {
        assert_eq!(ProtocolVersion::new(number), None);
    }
    // What a peer sends is another matter.
    let of = |versions: i64| to_vec(&header(&rpc_header(&(1..=versions).collect::<Vec<_>>())));
    assert!(Header::decode(&of(99).unwrap()).is_ok());
    let refused = Header::decode(&of(100).unwrap()).unwrap_err();
    assert_eq!(refused, HeaderError::TooLong(101));
    let text = "header of 101 entries, at most 100 allowed";
    assert_eq!(refused.to_string(), text);
}

/// B5, B6. Peers without a magic number are always tolerated (C-HS-3).
#[test]
fn protocols_have_to_agree_unless_the_peer_names_none() {
    let no_common = |ours: &[i64], peers: &[i64]| {
        Err(NegotiationError::NoCommonVersion {
            ours: ours.to_vec(),
            peers: peers.to_vec(),
        })
    };
    for peers in [&[RPC, 1][..], &[1]] {
        let unknown = Err(NegotiationError::OwnProtocolUnknown);
        assert_eq!(negotiated(&[1], peers), unknown);
    }
    assert_eq!(negotiated(&[RPC, 1], &[RPC, 1]), Ok(1));
    assert_eq!(negotiated(&[RPC, 1], &[RPC, 2]), no_common(&[1], &[2]));
    let other = NegotiationError::OtherProtocol(OtherProtocol::Krb);
    assert_eq!(negotiated(&[RPC, 1], &[KRB2, 1]), Err(other));
    assert_eq!(negotiated(&[RPC, 1, 2], &[1]), Ok(1));
    assert_eq!(negotiated(&[RPC, 2], &[1]), no_common(&[2], &[1]));
}

/// B8: order and repetition do not matter; what names no protocol, no version or two protocols
/// has the result that it has by the rules.
#[test]
fn unusual_headers_have_the_usual_result() {
    let ours = rpc_header(&[1, 2, 3]);
    let same = [
        &[RPC, 1, 2, 3][..],
        &[RPC, 1, 1, 2, 2, 3],
        &[RPC, 3, 2, 1],
        &[1, 2, 3],
        &[RPC, 1, 2, 3, 1_000_001],
        &[RPC, 3, 1_000_001, 1],
        &[3, RPC],
    ];
    for entries in same {
        assert_eq!(negotiated(&ours, entries), Ok(3), "{entries:?}");
    }
    assert_eq!(negotiated(&ours, &[RPC, 1]), Ok(1));
    for entries in [&[][..], &[RPC]] {
        let none = NegotiationError::NoCommonVersion {
            ours: vec![1, 2, 3],
            peers: Vec::new(),
        };
        assert_eq!(negotiated(&ours, entries), Err(none), "{entries:?}");
    }
    let several = Err(NegotiationError::SeveralProtocols);
    assert_eq!(negotiated(&ours, &[RPC, KRB2, 1]), several);
}

/// B9.
#[test]
fn highest_common_version_is_chosen() {
    let rows: [(&[i64], &[i64], Option<i64>); 7] = [
        (&[1], &[1], Some(1)),
        (&[1, 2, 3], &[1, 2, 3], Some(3)),
        (&[1, 2], &[3, 4], None),
        (&[1, 2, 3, 4], &[3, 4, 5, 6], Some(4)),
        (&[1, 2, 3, 4, 5], &[2, 4], Some(4)),
        (&[2, 4], &[1, 2, 3, 4, 5], Some(4)),
        (&[1, 3, 5, 7], &[2, 3, 6, 7], Some(7)),
    ];
    for (ours, peers, expected) in rows {
        let found = negotiated(&rpc_header(ours), &rpc_header(peers));
        assert_eq!(found.ok(), expected, "{ours:?} and {peers:?}");
    }
}

/// Versions, and numbers above a million that mean nothing to us, in any order.
fn permuted_header() -> impl Strategy<Value = Vec<i64>> {
    let versions = prop::collection::vec(1_i64..=11, 0..30);
    let others = prop::collection::vec(1_000_001_i64..RETIRED_KRB, 0..3);
    (versions, others)
        .prop_map(|(versions, others)| [&[RPC][..], &versions, &others].concat())
        .prop_shuffle()
}

proptest! {
    /// A6.
    #[test]
    fn any_query_id_is_an_integer(n in -(1_i64 << 62)..1 << 62) {
        check_query_id(n);
    }

    /// B7: the maximum of what both have, wherever it stands.
    #[test]
    fn negotiation_is_the_maximum_of_the_intersection(
        ours in permuted_header(),
        peers in permuted_header(),
    ) {
        let versions = |entries: &[i64]| -> BTreeSet<i64> {
            entries.iter().copied().filter(|n| *n <= 11).collect()
        };
        let common = versions(&ours).intersection(&versions(&peers)).copied().max();
        let found = negotiated(&ours, &peers);
        match common {
            Some(version) => prop_assert_eq!(found, Ok(version)),
            None => {
                let refused = matches!(found, Err(NegotiationError::NoCommonVersion { .. }));
                prop_assert!(refused);
            }
        }
    }
}

/// Which of the thirteen forms the message has.
fn form(message: &NaiveMessage<Vec<u8>>) -> u8 {
    to_vec(message).unwrap()[0]
}

/// A9: that the messages of `properties` are of every form.
#[test]
fn random_messages_have_every_form() {
    let mut runner = TestRunner::deterministic();
    let mut forms = BTreeSet::new();
    for _ in 0..2000 {
        let tree = message().new_tree(&mut runner).unwrap();
        forms.insert(form(&tree.current()));
    }
    assert!(forms.into_iter().eq(0x00..=0x0c));
}
