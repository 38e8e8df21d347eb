//! The examples of the *protocol* page, byte by byte, in the order of its sections.

use std::ops::RangeInclusive;

use bin_prot::{Info, Nat0, Sexp, to_vec};
use bytes::Bytes;
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::stream::{self, Initial};
use rpc_wire::{
    CloseReason, CloseReasonKind, Data, Description, DescriptionRef, Header, Menu, Message,
    ProtocolVersion, QueryHeader, QueryId, QueryMetadata, Response, ResponseForm, ResponseHeader,
    RpcError,
};

use crate::hex::{body, framed, hex};

fn version(number: i64) -> ProtocolVersion {
    ProtocolVersion::new(number).unwrap()
}

fn rpc(name: &str, version: i64) -> Description {
    Description::new(name, version)
}

/// The message has this frame, in both directions.
#[track_caller]
fn check(message: &Message<'_>, expected: &str) {
    let expected = hex(expected);
    assert_eq!(framed(message), expected);
    assert_eq!(Message::decode(body(&expected)).as_ref(), Ok(message));
}

/// The frame whose message is a header and a payload.
fn with_payload(
    size: usize,
    write_before: impl FnOnce(&mut Vec<u8>) -> Result<(), bin_prot::WriteError>,
    payload: &[u8],
) -> Vec<u8> {
    let mut frame = Vec::new();
    rpc_wire::frame::append(&mut frame, rpc_wire::frame::DEFAULT_LIMIT, size, |buffer| {
        write_before(buffer)?;
        buffer.extend_from_slice(payload);
        Ok(())
    })
    .unwrap();
    frame
}

/// Everything of a query but its version.
struct Call<'a> {
    rpc: DescriptionRef<'a>,
    rank: Option<usize>,
    id: i64,
    metadata: QueryMetadata,
    payload: Vec<u8>,
}

impl Call<'_> {
    /// At these versions the call has this frame.
    #[track_caller]
    fn check(&self, versions: RangeInclusive<i64>, expected: &str) {
        let expected = hex(expected);
        for version in versions.map(version) {
            let id = QueryId::new(self.id);
            let header = QueryHeader::new(version, self.rpc, self.rank, id, &self.metadata);
            let size = header.message_size(self.payload.len());
            let frame = with_payload(
                size,
                |buffer| header.write_before(self.payload.len(), buffer),
                &self.payload,
            );
            assert_eq!(frame, expected, "version {version}");
            let Message::Query(query) = Message::decode(body(&expected)).unwrap() else {
                panic!("no query");
            };
            assert_eq!(query.header, header, "version {version}");
            assert_eq!(
                query.data.bytes(),
                Ok(&self.payload[..]),
                "version {version}"
            );
            assert_eq!(
                framed(&Message::Query(query)),
                expected,
                "version {version}"
            );
        }
    }
}

/// At these versions the response has this frame.
#[track_caller]
fn check_response(
    versions: RangeInclusive<i64>,
    id: i64,
    menu_index: Option<usize>,
    result: &Result<Vec<u8>, RpcError>,
    expected: &str,
) {
    let bytes = hex(expected);
    for version in versions.map(version) {
        let header = ResponseHeader::new(version, QueryId::new(id), menu_index);
        let result = match result {
            Ok(payload) => {
                let size = header.message_size(payload.len());
                let frame = with_payload(
                    size,
                    |buffer| header.write_before(payload.len(), buffer),
                    payload,
                );
                assert_eq!(frame, bytes, "version {version}");
                Ok(Data::new(payload))
            }
            Err(error) => Err(error.clone().known_to(version)),
        };
        check(&Message::Response(Response { header, result }), expected);
    }
}

fn hello() -> Vec<u8> {
    to_vec("hello").unwrap()
}

/// *Protocol* §2.1.
#[test]
fn headers() {
    let check = |header: &Header, expected: &str| {
        let expected = hex(expected);
        assert_eq!(framed(header), expected);
        assert_eq!(Header::decode(body(&expected)).as_ref(), Ok(header));
    };
    check(
        &Header::default(),
        "11 00 00 00 00 00 00 00  0c fd 52 50 43 00 01 02 03 04 05 06 07 08 09 0a 0b",
    );
    check(
        &Header::new([version(1)]),
        "07 00 00 00 00 00 00 00  02 fd 52 50 43 00 01",
    );
    check(
        &Header::new((7..=11).map(version)),
        "0b 00 00 00 00 00 00 00  06 fd 52 50 43 00 07 08 09 0a 0b",
    );
    check(
        &Header::from_entries(vec![1]),
        "02 00 00 00 00 00 00 00  01 01",
    );
}

/// *Protocol* §7.1 and §7.3.
#[test]
fn errors() {
    let check = |error: RpcError, expected: &str| {
        let expected = hex(expected);
        assert_eq!(to_vec(&error).unwrap(), expected);
        assert_eq!(bin_prot::from_slice(&expected), Ok(error));
    };
    check(
        RpcError::BinIoExn(Sexp::atom("atom")),
        "00 00 04 61 74 6f 6d",
    );
    check(RpcError::ConnectionClosed, "01");
    check(
        RpcError::unimplemented(rpc("nope", 3)),
        "04 04 6e 6f 70 65 f1 1d 86 94 03",
    );
    check(RpcError::UnknownQueryId(QueryId::new(300)), "05 fe 2c 01");
    let too_big = RpcError::MessageTooBig {
        size: 100,
        max_message_size: 10,
    };
    check(too_big, "07 64 0a");
    check(RpcError::Unknown(Sexp::atom("huh")), "08 00 03 68 75 68");

    let text = Sexp::record([("location", Sexp::atom("here")), ("exn", Sexp::atom("bad"))]);
    let expected = "01 02 01 02 00 08 6c 6f 63 61 74 69 6f 6e 00 04 68 65 72 65 \
                    01 02 00 03 65 78 6e 00 03 62 61 64";
    assert_eq!(to_vec(&text).unwrap(), hex(expected));
}

/// *Protocol* §8.4.
#[test]
fn a_stream() {
    let call = |payload: Vec<u8>| Call {
        rpc: DescriptionRef {
            name: b"stream",
            version: 1,
        },
        rank: Some(2),
        id: 4,
        metadata: QueryMetadata::new(),
        payload,
    };
    let mut query = Vec::new();
    stream::write_before_query(hello().len(), &mut query);
    query.extend(hello());
    call(query).check(
        11..=11,
        "11 00 00 00 00 00 00 00  0c 01 02 04 00 0b d1 f5 2f e2 06 05 68 65 6c 6c 6f",
    );
    call(stream::ABORT_PAYLOAD.to_vec()).check(
        11..=11,
        "0a 00 00 00 00 00 00 00  0c 01 02 04 00 04 21 77 4e 5c",
    );

    let respond = |payload: Vec<u8>, expected: &str| {
        check_response(11..=11, 4, Some(2), &Ok(payload), expected);
    };
    let initial = |initial: Initial, value: Vec<u8>| {
        let mut payload = Vec::new();
        initial.write_before(&mut payload);
        payload.extend(value);
        payload
    };
    respond(
        initial(Initial::Ok, to_vec(&()).unwrap()),
        "09 00 00 00 00 00 00 00  08 04 01 02 00 03 00 00 00",
    );
    respond(
        initial(Initial::Ok, to_vec(&7_i64).unwrap()),
        "09 00 00 00 00 00 00 00  08 04 01 02 00 03 00 00 07",
    );
    respond(
        initial(Initial::Error, to_vec("no").unwrap()),
        "0b 00 00 00 00 00 00 00  08 04 01 02 00 05 00 01 02 6e 6f",
    );
    let update = to_vec("upd").unwrap();
    let mut payload = Vec::new();
    stream::write_before_update(update.len(), &mut payload);
    payload.extend(update);
    respond(
        payload,
        "0f 00 00 00 00 00 00 00  08 04 01 02 00 09 79 8a 00 00 04 03 75 70 64",
    );
    respond(
        stream::EOF_PAYLOAD.to_vec(),
        "0a 00 00 00 00 00 00 00  08 04 01 02 00 04 39 79 69 00",
    );
}

/// *Protocol* §9.4.
#[test]
fn connection_metadata() {
    let check = |versions: RangeInclusive<i64>, metadata: &PeerMetadata, expected: &str| {
        for version in versions.map(version) {
            check(&metadata.to_message(version).unwrap(), expected);
        }
    };
    let nothing = PeerMetadata::default();
    check(3..=5, &nothing, "03 00 00 00 00 00 00 00  04 00 00");
    check(6..=11, &nothing, "03 00 00 00 00 00 00 00  07 00 00");
    let empty = PeerMetadata {
        identification: None,
        menu: Some(Menu::default()),
    };
    check(6..=11, &empty, "05 00 00 00 00 00 00 00  07 00 01 00 00");
    let full = PeerMetadata {
        identification: Some(Bytes::from_static(b"me")),
        menu: Some(Menu::new([rpc("stream", 1), rpc("echo", 2), rpc("echo", 1)]).unwrap()),
    };
    check(
        3..=5,
        &full,
        "1e 00 00 00 00 00 00 00  04 01 02 6d 65 01 03 04 65 63 68 6f 01 03 \
         04 65 63 68 6f 02 03 06 73 74 72 65 61 6d 01 03",
    );
    check(
        6..=11,
        &full,
        "1c 00 00 00 00 00 00 00  07 01 02 6d 65 01 03 04 65 63 68 6f 01 \
         04 65 63 68 6f 02 06 73 74 72 65 61 6d 01 00",
    );
}

/// *Protocol* §10.
#[test]
fn query_metadata() {
    let call = Call {
        rpc: DescriptionRef {
            name: b"echo",
            version: 2,
        },
        rank: None,
        id: 200,
        metadata: QueryMetadata::new().with(0, "trace").with(5, "x"),
        payload: hello(),
    };
    call.check(
        1..=1,
        "11 00 00 00 00 00 00 00  01 04 65 63 68 6f 02 fe c8 00 06 05 68 65 6c 6c 6f",
    );
    call.check(
        2..=7,
        "18 00 00 00 00 00 00 00  03 04 65 63 68 6f 02 fe c8 00 01 05 74 72 61 63 65 \
         06 05 68 65 6c 6c 6f",
    );
    call.check(
        8..=10,
        "1d 00 00 00 00 00 00 00  09 04 65 63 68 6f 02 fe c8 00 01 02 00 05 74 72 61 63 65 \
         05 01 78 06 05 68 65 6c 6c 6f",
    );
    call.check(
        11..=11,
        "1e 00 00 00 00 00 00 00  0c 00 04 65 63 68 6f 02 fe c8 00 01 02 00 05 74 72 61 63 65 \
         05 01 78 06 05 68 65 6c 6c 6f",
    );
}

/// *Protocol* §11.
#[test]
fn menu_indices() {
    let rows = [
        (None, "00"),
        (Some(0), "01 00"),
        (Some(0x7f), "01 7f"),
        (Some(0x80), "01 fe 80 00"),
    ];
    for (index, expected) in rows {
        let header = ResponseHeader::new(version(7), QueryId::new(1), index);
        let menu_index = index.map(|index| Nat0(index as u64));
        assert_eq!(header.form, ResponseForm::V2 { menu_index });
        let mut bytes = Vec::new();
        header.write_before(0, &mut bytes).unwrap();
        assert_eq!(bytes, hex(&format!("08 01 {expected} 00 00")));
    }
}

/// *Protocol* §12.
#[test]
fn menu_rpc() {
    let call = Call {
        rpc: DescriptionRef {
            name: b"__Versioned_rpc.Menu",
            version: 1,
        },
        rank: None,
        id: 2,
        metadata: QueryMetadata::new(),
        payload: to_vec(&()).unwrap(),
    };
    call.check(
        11..=11,
        "1c 00 00 00 00 00 00 00  0c 00 14 5f 5f 56 65 72 73 69 6f 6e 65 64 5f 72 70 63 2e \
         4d 65 6e 75 01 02 00 01 00",
    );
    let menu = to_vec(&vec![rpc("echo", 1), rpc("echo", 2), rpc("stream", 1)]).unwrap();
    check_response(
        11..=11,
        2,
        None,
        &Ok(menu),
        "1a 00 00 00 00 00 00 00  08 02 00 00 15 03 04 65 63 68 6f 01 04 65 63 68 6f 02 \
         06 73 74 72 65 61 6d 01",
    );
}

/// *Protocol* §13.1.
#[test]
fn close_reasons() {
    let check = |versions: RangeInclusive<i64>, reason: &CloseReason, expected: &str| {
        for version in versions.map(version) {
            check(&reason.to_message(version).unwrap(), expected);
        }
    };
    let kind = |kind| CloseReason {
        kind,
        ..CloseReason::default()
    };
    let bye_text = CloseReason::user("bye");
    let bye_sexp = CloseReason::user(Sexp::atom("bye"));
    check(
        4..=9,
        &bye_text,
        "06 00 00 00 00 00 00 00  05 01 03 62 79 65",
    );
    check(
        4..=9,
        &bye_sexp,
        "07 00 00 00 00 00 00 00  05 03 00 03 62 79 65",
    );
    check(
        10..=11,
        &bye_sexp,
        "16 00 00 00 00 00 00 00  0b 00 0b 55 6e 73 70 65 63 69 66 69 65 64 00 01 \
         03 00 03 62 79 65",
    );
    let denied = CloseReason {
        user_reason: Some(Info::from("denied")),
        ..kind(CloseReasonKind::ConnectionValidationFailed)
    };
    check(
        4..=9,
        &denied,
        "2a 00 00 00 00 00 00 00  05 03 01 02 00 1c 43 6f 6e 6e 65 63 74 69 6f 6e 5f 76 61 6c \
         69 64 61 74 69 6f 6e 5f 66 61 69 6c 65 64 00 06 64 65 6e 69 65 64",
    );
    let refused = CloseReason {
        user_reason: Some(Info::from("bye")),
        ..denied
    };
    check(
        10..=11,
        &refused,
        "26 00 00 00 00 00 00 00  0b 00 1c 43 6f 6e 6e 65 63 74 69 6f 6e 5f 76 61 6c 69 64 61 \
         74 69 6f 6e 5f 66 61 69 6c 65 64 00 01 01 03 62 79 65",
    );
    let both = CloseReason {
        debug_info: Some(Info::from("dbg")),
        ..CloseReason::user("usr")
    };
    check(
        4..=9,
        &both,
        "2b 00 00 00 00 00 00 00  05 03 01 02 01 02 00 0a 64 65 62 75 67 5f 69 6e 66 6f \
         00 03 64 62 67 01 02 00 0b 75 73 65 72 5f 72 65 61 73 6f 6e 00 03 75 73 72",
    );
    let limit = CloseReason {
        debug_info: Some(Info::from("bye")),
        ..kind(CloseReasonKind::ConnectionLimitReached)
    };
    check(
        10..=11,
        &limit,
        "22 00 00 00 00 00 00 00  0b 00 18 43 6f 6e 6e 65 63 74 69 6f 6e 5f 6c 69 6d 69 74 5f \
         72 65 61 63 68 65 64 01 01 03 62 79 65 00",
    );
    let future = Sexp::list([Sexp::atom("Some_future_kind"), Sexp::atom("x")]);
    check(
        10..=11,
        &kind(CloseReasonKind::Other(
            rpc_wire::UnknownKind::new(future).unwrap(),
        )),
        "1a 00 00 00 00 00 00 00  0b 01 02 00 10 53 6f 6d 65 5f 66 75 74 75 72 65 5f 6b 69 6e \
         64 00 01 78 00 00",
    );
    for number in 1..=3 {
        assert_eq!(bye_text.to_message(version(number)), None);
    }
}

/// *Protocol* §13.2 and §16.
#[test]
fn messages_without_fields() {
    check(&Message::Heartbeat, "01 00 00 00 00 00 00 00  00");
    check(&Message::CloseStarted, "01 00 00 00 00 00 00 00  0a");
}

/// *Protocol* §16, first table.
#[test]
fn plain_queries() {
    let call = |rank| Call {
        rpc: DescriptionRef {
            name: b"echo",
            version: 1,
        },
        rank,
        id: 1,
        metadata: QueryMetadata::new(),
        payload: hello(),
    };
    for rank in [None, Some(0)] {
        call(rank).check(
            1..=1,
            "0f 00 00 00 00 00 00 00  01 04 65 63 68 6f 01 01 06 05 68 65 6c 6c 6f",
        );
        call(rank).check(
            2..=7,
            "10 00 00 00 00 00 00 00  03 04 65 63 68 6f 01 01 00 06 05 68 65 6c 6c 6f",
        );
        call(rank).check(
            8..=10,
            "10 00 00 00 00 00 00 00  09 04 65 63 68 6f 01 01 00 06 05 68 65 6c 6c 6f",
        );
    }
    call(None).check(
        11..=11,
        "11 00 00 00 00 00 00 00  0c 00 04 65 63 68 6f 01 01 00 06 05 68 65 6c 6c 6f",
    );
    call(Some(0)).check(
        11..=11,
        "0c 00 00 00 00 00 00 00  0c 01 00 01 00 06 05 68 65 6c 6c 6f",
    );
}

/// *Protocol* §16, second table.
#[test]
fn responses() {
    let ok = Ok(hello());
    check_response(
        1..=6,
        1,
        Some(0),
        &ok,
        "0a 00 00 00 00 00 00 00  02 01 00 06 05 68 65 6c 6c 6f",
    );
    check_response(
        7..=11,
        1,
        Some(0),
        &ok,
        "0c 00 00 00 00 00 00 00  08 01 01 00 00 06 05 68 65 6c 6c 6f",
    );
    let unimplemented = Err(RpcError::unimplemented(rpc("nope", 3)));
    check_response(
        1..=6,
        1,
        None,
        &unimplemented,
        "0e 00 00 00 00 00 00 00  02 01 01 04 04 6e 6f 70 65 f1 1d 86 94 03",
    );
    check_response(
        7..=11,
        1,
        None,
        &unimplemented,
        "0f 00 00 00 00 00 00 00  08 01 00 01 04 04 6e 6f 70 65 f1 1d 86 94 03",
    );
    check_response(
        1..=6,
        1,
        None,
        &Err(RpcError::UnknownQueryId(QueryId::new(300))),
        "07 00 00 00 00 00 00 00  02 01 01 05 fe 2c 01",
    );
    let unauthorized = RpcError::AuthorizationFailure(Sexp::record([
        ("location", Sexp::atom("server-side rpc authorization")),
        ("exn", Sexp::atom("denied")),
    ]));
    check_response(
        7..=11,
        1,
        Some(0),
        &Err(unauthorized),
        "42 00 00 00 00 00 00 00  08 01 01 00 01 06 01 02 01 02 00 08 6c 6f 63 61 74 69 6f 6e \
         00 1d 73 65 72 76 65 72 2d 73 69 64 65 20 72 70 63 20 61 75 74 68 6f 72 69 7a 61 74 69 \
         6f 6e 01 02 00 03 65 78 6e 00 06 64 65 6e 69 65 64",
    );
    check_response(
        1..=2,
        1,
        None,
        &Err(RpcError::Unknown(Sexp::atom("huh"))),
        "14 00 00 00 00 00 00 00  02 01 01 03 01 02 00 07 55 6e 6b 6e 6f 77 6e 00 03 68 75 68",
    );
}

/// *Protocol* §16, third table.
#[test]
fn one_way_messages() {
    let call = Call {
        rpc: DescriptionRef {
            name: b"log",
            version: 1,
        },
        rank: None,
        id: 3,
        metadata: QueryMetadata::new(),
        payload: to_vec(&1000_i64).unwrap(),
    };
    call.check(
        1..=1,
        "0b 00 00 00 00 00 00 00  01 03 6c 6f 67 01 03 03 fe e8 03",
    );
    call.check(
        2..=7,
        "0c 00 00 00 00 00 00 00  03 03 6c 6f 67 01 03 00 03 fe e8 03",
    );
    call.check(
        11..=11,
        "0d 00 00 00 00 00 00 00  0c 00 03 6c 6f 67 01 03 00 03 fe e8 03",
    );
}

/// *Protocol* §16, last table: the messages of rows 1 to 4, read as each side reads them.
#[test]
fn a_whole_connection() {
    let header = hex("0c fd 52 50 43 00 01 02 03 04 05 06 07 08 09 0a 0b");
    let header = Header::decode(&header).unwrap();
    let version = rpc_wire::handshake::negotiate(&header, &Header::default()).unwrap();
    assert_eq!(version, ProtocolVersion::MAX);

    let client = PeerMetadata::decode(&hex("07 00 01 00 00")).unwrap();
    assert_eq!(client.menu, Some(Menu::default()));
    let server = PeerMetadata::decode(&hex("07 00 01 01 04 65 63 68 6f 01 00")).unwrap();
    let menu = server.menu.unwrap();
    let echo = rpc("echo", 1);
    assert_eq!(menu.descriptions().collect::<Vec<_>>(), [&echo]);
    assert!(!menu.has_digests());

    let call = Call {
        rpc: echo.as_ref(),
        rank: menu.rank(echo.as_ref()),
        id: 1,
        metadata: QueryMetadata::new(),
        payload: hello(),
    };
    call.check(
        11..=11,
        "0c 00 00 00 00 00 00 00  0c 01 00 01 00 06 05 68 65 6c 6c 6f",
    );
}
