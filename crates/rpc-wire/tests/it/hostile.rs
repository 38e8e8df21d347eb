//! Bytes that no honest peer sends, and values that no honest user has.

use bin_prot::{BinWrite, DEFAULT_DEPTH, ReadErrorKind, Sexp, WriteError, to_vec};
use rpc_wire::frame::{self, AppendError};
use rpc_wire::handshake::{MetadataError, PeerMetadata};
use rpc_wire::{
    Data, DescriptionRef, Header, Message, Overlong, ProtocolVersion, Query, QueryHeader, QueryId,
    QueryMetadata, RpcError,
};

/// Rule C-RD-14, decision 12: a payload that passes the end of its frame spoils its query only,
/// and is written again as it came.
#[test]
fn payload_beyond_the_frame_is_kept_as_such() {
    let bodies = [
        (&[0x01, 0x01, b'a', 0x01, 0x02, 0x05, 0xaa, 0xbb][..], 5, 2),
        (&[0x02, 0x02, 0x00, 0xfe, 0x00, 0x01], 256, 0),
    ];
    for (body, announced, left) in bodies {
        let message = Message::decode(body).unwrap();
        let data = match &message {
            Message::Query(query) => query.data,
            Message::Response(response) => response.result.clone().unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(data.bytes(), Err(Overlong { announced, left }));
        assert!(data.bytes().is_err());
        assert_eq!(to_vec(&message).unwrap(), body);
        assert_eq!(message.bin_size(), body.len());
    }
}

/// Decision 18, *protocol* §1 and §17.2.
#[test]
fn empty_body_is_no_message() {
    let error = Message::decode(&[]).unwrap_err();
    assert_eq!(error.kind.reference_name(), Some("Buffer_short"));
    assert!(Header::decode(&[]).is_err());
    assert!(matches!(
        PeerMetadata::decode(&[]),
        Err(MetadataError::Unreadable(_))
    ));
}

/// *Protocol* §5: tags `0d` and above.
#[test]
fn unknown_tags_are_refused() {
    for tag in 0x0d..=0xff {
        let error = Message::decode(&[tag, 0, 0, 0, 0, 0]).unwrap_err();
        let expected = ReadErrorKind::SumTag {
            tag: tag.into(),
            constructors: 13,
        };
        assert_eq!((error.kind, error.offset), (expected, 0));
    }
}

/// *Protocol* §13.1: the name `Other`, an empty list, a list that begins with a list or with a
/// known name are no kinds of close reason; what a newer peer may know is kept as received.
#[test]
fn kind_of_close_reason_is_checked() {
    let atom = |name: &str| Sexp::atom(name);
    let decode = |kind: &Sexp| {
        let bytes = [&[0x0b][..], &to_vec(kind).unwrap(), &[0, 0]].concat();
        Message::decode(&bytes).map(|message| to_vec(&message).unwrap() == bytes)
    };
    let refused = [
        atom("Other"),
        atom("other"),
        Sexp::list([]),
        Sexp::list([Sexp::list([atom("x")])]),
        Sexp::list([atom("Unspecified"), atom("x")]),
        Sexp::list([atom("connection_limit_reached")]),
    ];
    for kind in refused {
        assert!(decode(&kind).is_err(), "{kind}");
    }
    let kept = [
        atom("Unspecified"),
        atom("unspecified"),
        atom("Connection_validation_failed"),
        atom("UNSPECIFIED"),
        atom(""),
        atom("Newer"),
        Sexp::list([atom("Newer"), Sexp::list([])]),
    ];
    for kind in kept {
        assert_eq!(decode(&kind), Ok(true), "{kind}");
    }
}

/// Every field that a peer can nest without end, on a stack as small as a thread's (*protocol*
/// §15).
#[test]
fn nesting_is_bounded() {
    let levels = 100_000;
    let sexp = [1, 1].repeat(levels);
    let info = [5, 0].repeat(levels);
    let bodies = [
        [&[0x05][..], &info].concat(),
        [&[0x05, 3][..], &sexp].concat(),
        [&[0x06][..], &info].concat(),
        [&[0x0b][..], &sexp].concat(),
        [&[0x0b, 0, 1, b'A', 1][..], &info].concat(),
        [&[0x02, 0, 1, 8][..], &sexp].concat(),
        [&[0x08, 0, 0, 1, 9][..], &sexp].concat(),
    ];
    let decode = move || {
        for body in bodies {
            let error = Message::decode(&body).unwrap_err();
            assert_eq!(error.kind, ReadErrorKind::TooDeep(DEFAULT_DEPTH));
        }
    };
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    thread.spawn(decode).unwrap().join().unwrap();
}

/// A count beyond what the frame can hold is refused before anything is reserved for it.
#[test]
fn counts_are_compared_with_the_frame() {
    let huge = [0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f];
    let prefixes = [
        &[0x01][..],                     // name
        &[0x04, 0x01],                   // identification
        &[0x04, 0x00, 0x01],             // menu, first form
        &[0x07, 0x00, 0x01],             // menu, second form
        &[0x07, 0x00, 0x01, 0x00, 0x01], // digests
        &[0x05, 0x07, 0x00],             // list of messages for people
        &[0x02, 0x00, 0x01, 0x08, 0x01], // list in an error
        &[0x03, 0x00, 0x00, 0x00, 0x01], // metadata, one text
        &[0x09, 0x00, 0x00, 0x00, 0x01], // metadata, list
        &[0x0c, 0x01, 0x00, 0x00, 0x01], // metadata, list, by rank
    ];
    for prefix in prefixes {
        let error = Message::decode(&[prefix, &huge].concat()).unwrap_err();
        assert_eq!(
            error.kind.reference_name(),
            Some("Buffer_short"),
            "{prefix:02x?}"
        );
    }
}

/// *Protocol* §5: an id, a version, a rank or a key has 63 bits. One that has more is not sent,
/// and the frames around it are unharmed.
#[test]
fn numbers_of_more_than_63_bits_are_not_written() {
    let metadata = QueryMetadata::new().with(1 << 62, "x");
    let none = QueryMetadata::new();
    let rpc = |version| DescriptionRef {
        name: b"echo",
        version,
    };
    let header = |rpc, rank, id, metadata| {
        QueryHeader::new(ProtocolVersion::MAX, rpc, rank, QueryId::new(id), metadata)
    };
    let headers = [
        header(rpc(1), None, 1 << 62, &none),
        header(rpc(-(1 << 62) - 1), None, 1, &none),
        header(rpc(1), Some(1 << 62), 1, &none),
        header(rpc(1), None, 1, &metadata),
    ];
    let mut buffer = vec![0; 8];
    for header in headers {
        let message = Message::Query(Query {
            header,
            data: Data::new(b"payload"),
        });
        let appended = frame::append(&mut buffer, 1_000, message.bin_size(), |buffer| {
            message.bin_write(buffer)
        });
        assert!(
            matches!(
                appended,
                Err(AppendError::Write(WriteError::IntOverflow(_)))
            ),
            "{appended:?}"
        );
        assert_eq!(buffer, [0; 8]);
    }
    assert!(to_vec(&RpcError::UnknownQueryId(QueryId::new(i64::MIN))).is_err());
}

/// *Bin_prot* §2, *protocol* §17.10: a peer may write a number longer than needed; we do not.
#[test]
fn numbers_may_be_longer_than_needed() {
    let body = [
        0x01, 0xfe, 1, 0, b'a', 0xfd, 1, 0, 0, 0, 0xfe, 2, 0, 0xfe, 1, 0, 0xaa,
    ];
    let message = Message::decode(&body).unwrap();
    assert_eq!(to_vec(&message).unwrap(), [0x01, 1, b'a', 1, 2, 1, 0xaa]);
    assert_eq!(message.bin_size(), 7);
}

/// *Protocol* §1, rule C-RD-2: exactly the limit passes, one byte more does not, in both
/// directions, and that is known from the length alone.
#[test]
fn frame_of_exactly_the_limit_passes() {
    assert_eq!(frame::DEFAULT_LIMIT, 104_857_600);
    let limit = 9;
    let append = |size: usize| {
        let mut buffer = Vec::new();
        let body = vec![0xaa; size];
        let appended = frame::append(&mut buffer, limit, size, |buffer| {
            buffer.extend_from_slice(&body);
            Ok(())
        });
        (appended, buffer)
    };
    let (appended, frame) = append(limit);
    assert_eq!(appended, Ok(limit));
    assert_eq!(
        frame::split(&frame, limit),
        Ok(Some((&frame[8..], &[][..])))
    );
    assert_eq!(
        append(limit + 1),
        (Err(AppendError::TooBig { size: 10, limit }), vec![])
    );
    for length in [10, i64::MAX, -1, i64::MIN] {
        let error = frame::Error { length, limit };
        assert_eq!(frame::split(&length.to_le_bytes(), limit), Err(error));
        assert_eq!(frame::body_length(&length.to_le_bytes(), limit), Err(error));
        assert_eq!(frame::split(&length.to_le_bytes()[..7], limit), Ok(None));
    }
}
