//! What is sent at each of the eleven versions (*protocol* §3, §7.2, §10, §13.1).

use bin_prot::{Info, Sexp, to_vec};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{
    CloseReason, CloseReasonKind, Data, Description, DescriptionRef, Envelope, Message,
    ProtocolVersion, Query, QueryHeader, QueryId, QueryMetadata, Response, ResponseHeader,
    RpcError, Specifier,
};

const ECHO: DescriptionRef<'static> = DescriptionRef {
    name: b"echo",
    version: 1,
};

fn version(number: i64) -> ProtocolVersion {
    ProtocolVersion::new(number).unwrap()
}

#[test]
fn versions_are_1_to_11() {
    let numbers: Vec<_> = ProtocolVersion::all()
        .map(ProtocolVersion::number)
        .collect();
    assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
    for number in [i64::MIN, -1, 0, 12, 256, 257, i64::MAX] {
        assert_eq!(ProtocolVersion::new(number), None, "{number}");
    }
}

/// A row of the second table of *protocol* §3: the tags that are sent.
#[derive(Debug, PartialEq)]
struct Sent {
    query: u8,
    response: u8,
    metadata: Option<u8>,
    close_reason: Option<u8>,
    close_started: bool,
}

impl Sent {
    fn at(version: ProtocolVersion) -> Self {
        let tag = |message: &Message<'_>| to_vec(message).unwrap()[0];
        let metadata = QueryMetadata::new();
        let id = QueryId::new(1);
        let query = Query {
            header: QueryHeader::new(version, ECHO, Some(0), id, &metadata),
            data: Data::new(b""),
        };
        let response = Response {
            header: ResponseHeader::new(version, id, Some(0)),
            result: Ok(Data::new(b"")),
        };
        Self {
            query: tag(&Message::Query(query)),
            response: tag(&Message::Response(response)),
            metadata: PeerMetadata::default()
                .to_message(version)
                .as_ref()
                .map(tag),
            close_reason: CloseReason::user("bye")
                .to_message(version)
                .as_ref()
                .map(tag),
            close_started: version.has_close_started(),
        }
    }
}

/// *Protocol* §3, second table.
#[test]
fn each_version_sends_its_own_forms() {
    let row = |query, response, metadata, close_reason, close_started| Sent {
        query,
        response,
        metadata,
        close_reason,
        close_started,
    };
    let expected = [
        row(0x01, 0x02, None, None, false),
        row(0x03, 0x02, None, None, false),
        row(0x03, 0x02, Some(0x04), None, false),
        row(0x03, 0x02, Some(0x04), Some(0x05), false),
        row(0x03, 0x02, Some(0x04), Some(0x05), false),
        row(0x03, 0x02, Some(0x07), Some(0x05), false),
        row(0x03, 0x08, Some(0x07), Some(0x05), false),
        row(0x09, 0x08, Some(0x07), Some(0x05), false),
        row(0x09, 0x08, Some(0x07), Some(0x05), true),
        row(0x09, 0x08, Some(0x07), Some(0x0b), true),
        row(0x0c, 0x08, Some(0x07), Some(0x0b), true),
    ];
    for (version, expected) in ProtocolVersion::all().zip(expected) {
        assert_eq!(Sent::at(version), expected, "version {version}");
    }
}

/// Rule C-OP-5, *protocol* §11: below version 11 a rank that is known is not used.
#[test]
fn rank_is_used_at_version_11_only() {
    let metadata = QueryMetadata::new();
    for version in ProtocolVersion::all() {
        let specifier =
            |rank| QueryHeader::new(version, ECHO, rank, QueryId::new(1), &metadata).specifier();
        let by_name = Specifier::Description(ECHO);
        assert_eq!(specifier(None), by_name, "version {version}");
        let expected = match version.number() {
            11 => Specifier::Rank(7),
            _ => by_name,
        };
        assert_eq!(specifier(Some(7)), expected, "version {version}");
    }
}

/// Rule C-MD-7, *protocol* §10: nothing, one text, or all keys.
#[test]
fn metadata_that_a_version_cannot_carry_is_left_out() {
    let metadata = QueryMetadata::new().with(0, "trace").with(5, "x");
    let other_key = QueryMetadata::new().with(5, "x");
    for version in ProtocolVersion::all() {
        let header = |metadata| QueryHeader::new(version, ECHO, None, QueryId::new(1), metadata);
        let sent = [0, 5, 6].map(|key| header(&metadata).metadata(key));
        let expected = match version.number() {
            1 => [None, None, None],
            2..=7 => [Some(&b"trace"[..]), None, None],
            _ => [Some(&b"trace"[..]), Some(&b"x"[..]), None],
        };
        assert_eq!(sent, expected, "version {version}");
        let sent = header(&other_key).metadata(5);
        let expected = (version.number() >= 8).then_some(&b"x"[..]);
        assert_eq!(sent, expected, "version {version}");
    }
}

/// Rule C-MD-4.
#[test]
fn no_metadata_is_absent_rather_than_empty() {
    let metadata = QueryMetadata::new();
    for version in ProtocolVersion::all() {
        let header = QueryHeader::new(version, ECHO, None, QueryId::new(1), &metadata);
        let absent = match header.envelope {
            Envelope::V1 { .. } => true,
            Envelope::V2 { metadata, .. } => metadata.is_none(),
            Envelope::V3 { metadata, .. } | Envelope::V4 { metadata, .. } => metadata.is_none(),
        };
        assert!(absent, "version {version}");
    }
}

/// Rule C-MD-5.
#[test]
fn metadata_is_cut_in_bytes() {
    let metadata = QueryMetadata::new()
        .with(0, "é".repeat(10))
        .with(1, "short")
        .truncated(7);
    assert_eq!(metadata.get(0), Some("ééé\u{e9}".as_bytes()[..7].as_ref()));
    assert_eq!(metadata.get(1), Some(&b"short"[..]));
}

fn huh() -> Sexp {
    Sexp::atom("huh")
}

fn errors() -> [RpcError; 10] {
    [
        RpcError::BinIoExn(huh()),
        RpcError::ConnectionClosed,
        RpcError::WriteError(huh()),
        RpcError::UncaughtExn(huh()),
        RpcError::unimplemented(Description::new("nope", 3)),
        RpcError::UnknownQueryId(QueryId::new(300)),
        RpcError::AuthorizationFailure(huh()),
        RpcError::MessageTooBig {
            size: 100,
            max_message_size: 10,
        },
        RpcError::Unknown(huh()),
        RpcError::LiftError(huh()),
    ]
}

/// *Protocol* §7.2, the texts.
#[test]
fn errors_print_as_the_reference_prints_them() {
    let expected = [
        "(Bin_io_exn huh)",
        "Connection_closed",
        "(Write_error huh)",
        "(Uncaught_exn huh)",
        "(Unimplemented_rpc nope(Version 3))",
        "(Unknown_query_id 300)",
        "(Authorization_failure huh)",
        "(Message_too_big((size 100)(max_message_size 10)))",
        "(Unknown huh)",
        "(Lift_error huh)",
    ];
    for (error, expected) in errors().iter().zip(expected) {
        assert_eq!(error.to_string(), expected);
    }
}

/// *Protocol* §7.1 and §7.2, rule C-OP-6: an error newer than the version becomes one that the
/// peer knows.
#[test]
fn each_version_is_sent_errors_that_it_knows() {
    let since = [1, 1, 1, 1, 1, 1, 3, 3, 3, 5];
    for version in ProtocolVersion::all() {
        for (error, since) in errors().into_iter().zip(since) {
            let text = error.to_sexp();
            let expected = if version.number() >= since {
                error.clone()
            } else if version.number() >= 3 {
                RpcError::Unknown(text)
            } else {
                RpcError::UncaughtExn(text)
            };
            let sent = error.clone().known_to(version);
            assert_eq!(sent, expected, "{error} at version {version}");
            assert_eq!(
                sent.clone().known_to(version),
                sent,
                "{error} at version {version}"
            );
        }
    }
}

/// *Protocol* §13.1 and rule C-RS-3: what versions 4 to 9 are told, for every kind and every
/// choice of the two texts.
#[test]
fn close_reasons_are_flattened_below_version_10() {
    let limit = CloseReasonKind::ConnectionLimitReached;
    let other = CloseReasonKind::Other(
        rpc_wire::UnknownKind::new(Sexp::list([Sexp::atom("New_kind"), Sexp::atom("x")])).unwrap(),
    );
    let rows = [
        (CloseReasonKind::Unspecified, None, None, ""),
        (CloseReasonKind::Unspecified, Some("d"), None, "d"),
        (CloseReasonKind::Unspecified, None, Some("u"), "u"),
        (
            CloseReasonKind::Unspecified,
            Some("d"),
            Some("u"),
            "((debug_info d)(user_reason u))",
        ),
        (limit.clone(), None, None, r#"(Connection_limit_reached"")"#),
        (
            limit.clone(),
            Some("d"),
            None,
            "(Connection_limit_reached d)",
        ),
        (
            limit,
            Some("d"),
            Some("u"),
            "(Connection_limit_reached((debug_info d)(user_reason u)))",
        ),
        (other, None, Some("u"), "((New_kind x)u)"),
    ];
    for (kind, debug_info, user_reason, expected) in rows {
        let reason = CloseReason {
            kind,
            debug_info: debug_info.map(Info::from),
            user_reason: user_reason.map(Info::from),
        };
        for number in 4..=9 {
            let Some(Message::CloseReason(info)) = reason.to_message(version(number)) else {
                panic!("no close reason at version {number}");
            };
            assert_eq!(info.to_string(), expected, "version {number}");
        }
    }
}

/// Rules C-RS-4 and C-RS-5: the kind survives from version 10, below that its text does.
#[test]
fn close_reasons_arrive_as_the_version_can_tell_them() {
    let reason = CloseReason {
        kind: CloseReasonKind::ConnectionValidationFailed,
        debug_info: None,
        user_reason: Some(Info::from("denied")),
    };
    for version in ProtocolVersion::all() {
        let arrived = match reason.to_message(version) {
            Some(Message::CloseReason(info)) => Some(CloseReason::from(info)),
            Some(Message::CloseReasonV2(v2)) => Some(CloseReason::from(*v2)),
            None => None,
            other => panic!("{other:?}"),
        };
        let expected = match version.number() {
            1..=3 => None,
            4..=9 => Some(CloseReason::debug(Info::Sexp(Sexp::list([
                Sexp::atom("Connection_validation_failed"),
                Sexp::atom("denied"),
            ])))),
            _ => Some(reason.clone()),
        };
        assert_eq!(arrived, expected, "version {version}");
    }
}
