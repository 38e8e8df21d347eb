//! Messages of every version, in the body of a frame.

use bin_prot::{BinRead, BinWrite, Info, InfoV1, ReadErrorKind, Reader, Sexp, from_slice, to_vec};
use bytes::{Bytes, BytesMut};
use rpc_wire::codec::{FrameCodec, MessageCodec};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::stream::{self, Initial, StreamQuery, StreamResponse};
use rpc_wire::{
    CloseReason, CloseReasonKind, Data, DescriptionRef, Message, MessageKind, OwnedMessage,
    ProtocolVersion, Query, QueryHeader, QueryMetadata, Response, ResponseHeader, RpcError,
    Specifier, UnknownKind,
};
use tokio_util::codec::{Decoder, Encoder};

use crate::chance::Chance;
use crate::memory::bounded;
use crate::naive::{
    NaiveInitial, NaiveMessage, NaiveStreamQuery, NaiveStreamResponse, QueryV3, QueryV4,
};

/// The message as *protocol* §5 declares it, read by the derive alone.
type Declared = NaiveMessage<Vec<u8>>;

/// Reads a body as a message, and as the declared type; writes what was read, whole and for peers
/// at every version.
///
/// # Panics
/// The two do not agree, or what was written is not what was read.
pub fn messages(body: &[u8]) {
    let read = bounded(body.len(), || Message::decode(body));
    let declared = Declared::bin_read(&mut Reader::new(body));
    match (&read, declared) {
        (Ok(message), Ok(declared)) => check_declared(message, &declared),
        // A payload that passes its frame spoils nothing else; the declared type has no word for it.
        (Ok(message), Err(error)) => assert!(payload(message).is_none(), "{message:?}: {error}"),
        // Which kinds of closing are acceptable is not a matter of the type.
        (Err(error), Ok(NaiveMessage::CloseReasonV2(reason))) => {
            assert!(!is_acceptable(&reason.kind), "{:?}: {error}", reason.kind);
        }
        (Err(error), Ok(declared)) => panic!("{error}, but it is {declared:?}"),
        (Err(error), Err(declared)) => {
            let is_kind = matches!(error.kind, ReadErrorKind::Invalid(_));
            assert!(is_kind || *error == declared, "{error}, but {declared}");
        }
    }
    if let Ok(message) = read {
        check_written(&message, body);
        check_owned(&message, body);
        match &message {
            Message::Query(query) => check_query(query),
            Message::Response(response) => check_response(response),
            Message::CloseReason(info) | Message::CloseReasonDuplicated(info) => {
                check_reason(&info.clone().into());
                check_info(info);
            }
            Message::CloseReasonV2(reason) => check_reason(&(**reason).clone().into()),
            Message::Heartbeat
            | Message::CloseStarted
            | Message::Metadata(_)
            | Message::MetadataV2(_) => {}
        }
    }
}

/// The payload of a message, or nothing for one that has none; `None` if it passes its frame.
fn payload<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    match message {
        Message::Query(query) => query.data.bytes().ok(),
        Message::Response(Response { result, .. }) => match result {
            Ok(data) => data.bytes().ok(),
            Err(_) => Some(&[]),
        },
        _ => Some(&[]),
    }
}

/// *Protocol* §13.1.
fn is_acceptable(kind: &Sexp) -> bool {
    const KNOWN: [&str; 3] = [
        "Unspecified",
        "Connection_limit_reached",
        "Connection_validation_failed",
    ];
    let names = |atom: &[u8], name: &str| match (atom, name.as_bytes()) {
        ([first, rest @ ..], [other, other_rest @ ..]) => {
            first.eq_ignore_ascii_case(other) && rest == other_rest
        }
        _ => false,
    };
    let is_known = |atom: &[u8]| KNOWN.iter().any(|name| names(atom, name));
    match kind {
        Sexp::Atom(atom) => is_known(atom.as_bytes()) || !names(atom.as_bytes(), "Other"),
        Sexp::List(items) => match items.first() {
            Some(Sexp::Atom(atom)) => !is_known(atom.as_bytes()),
            Some(Sexp::List(_)) | None => false,
        },
    }
}

fn check_declared(message: &Message<'_>, declared: &Declared) {
    assert!(payload(message).is_some(), "{message:?}");
    assert_eq!(NaiveMessage::of(message), *declared);
    let canonical = to_vec(declared).expect("what was read can be written");
    let reread = Message::decode(&canonical).expect("what was written can be read");
    assert_eq!(reread, *message);
    assert_eq!(to_vec(&reread).as_ref(), Ok(&canonical));
    // Made as a sender makes it, which cannot have every form of metadata or of a kind.
    let has_kind_of_its_own = matches!(declared, NaiveMessage::CloseReasonV2(reason)
        if UnknownKind::new(reason.kind.clone()).is_none()
            && !["Unspecified", "Connection_limit_reached", "Connection_validation_failed"]
                .iter()
                .any(|name| reason.kind == Sexp::atom(*name)));
    if let Some(metadata) = declared.sendable_metadata()
        && !has_kind_of_its_own
    {
        let made = declared.message(&metadata);
        assert_eq!(made.bin_size(), canonical.len());
        assert_eq!(to_vec(&made).as_ref(), Ok(&canonical));
    }
    let keys = match declared {
        NaiveMessage::QueryV3(QueryV3 { metadata, .. })
        | NaiveMessage::QueryV4(QueryV4 { metadata, .. }) => metadata.0.as_deref(),
        _ => None,
    };
    if let (Some(keys), Message::Query(query)) = (keys, message) {
        let listed = query.header.all_metadata();
        assert!(listed.eq(keys.iter().map(|(key, text)| (*key, text.as_bytes()))));
    }
}

fn check_written(message: &Message<'_>, body: &[u8]) {
    let written = to_vec(message).expect("what was read can be written");
    assert_eq!(written.len(), message.bin_size());
    assert!(written.len() <= body.len());
    let again = Message::decode(&written).expect("what was written can be read");
    assert_eq!(again, *message);
    assert_eq!(to_vec(&again).as_ref(), Ok(&written));

    if payload(message).is_none() {
        return;
    }
    let longer = [&written[..], &[0xff]].concat();
    assert_eq!(Message::decode(&longer).as_ref(), Ok(message));
    assert!(PeerMetadata::decode(&longer).is_err());
    for length in Chance::of(body).prefixes(written.len()) {
        if let Ok(cut) = Message::decode(&written[..length]) {
            assert!(payload(&cut).is_none(), "{cut:?} of {length} bytes");
        }
    }
}

fn check_owned(message: &Message<'_>, body: &[u8]) {
    let shared = Bytes::copy_from_slice(body);
    let owned = bounded(body.len(), || OwnedMessage::decode(&shared));
    let owned = owned.expect("the borrowed form was read");
    assert_eq!(owned.to_message(), *message);
    assert_eq!(owned.bin_size(), message.bin_size());
    let mut codec = MessageCodec::new(FrameCodec::default());
    let mut stream = BytesMut::new();
    codec.encode(owned, &mut stream).expect("fits a frame");
    match codec.decode(&mut stream) {
        Ok(Some(again)) => assert_eq!(again.to_message(), *message),
        other => panic!("{other:?}"),
    }
    assert!(stream.is_empty());
}

/// The same query for a peer at each version, as somebody in between sends it on.
fn check_query(query: &Query<'_>) {
    let header = query.header;
    let Ok(payload) = query.data.bytes() else {
        return;
    };
    check_stream_payload(payload);
    let mut metadata = QueryMetadata::new();
    for (key, text) in header.all_metadata() {
        if metadata.get(key).is_none() {
            assert_eq!(header.metadata(key), Some(text));
            metadata = metadata.with(key, text);
        }
    }
    let (rpc, rank) = match header.specifier() {
        Specifier::Description(rpc) => (rpc, None),
        Specifier::Rank(rank) => (
            DescriptionRef {
                name: b"name",
                version: 1,
            },
            usize::try_from(rank).ok(),
        ),
    };
    for version in ProtocolVersion::all() {
        let sent = QueryHeader::new(version, rpc, rank, header.id, &metadata);
        let mut body = Vec::new();
        sent.write_before(payload.len(), &mut body)
            .expect("its parts were read");
        body.extend_from_slice(payload);
        assert_eq!(body.len(), sent.message_size(payload.len()));
        let Ok(Message::Query(arrived)) = Message::decode(&body) else {
            panic!("no query at version {version}");
        };
        assert_eq!(arrived.header, sent);
        assert_eq!(arrived.data, Data::new(payload));
        assert_eq!(arrived.header.id, header.id);
        for (key, text) in metadata.entries() {
            let carried = match version.number() {
                1 => false,
                2..=7 => *key == rpc_wire::DEFAULT_KEY,
                _ => true,
            };
            let expected = carried.then_some(text.as_bytes());
            assert_eq!(arrived.header.metadata(*key), expected);
        }
        let by_rank = rank.filter(|_| version.number() == 11);
        match (arrived.header.specifier(), by_rank) {
            (Specifier::Rank(found), Some(rank)) => assert_eq!(usize::try_from(found), Ok(rank)),
            (Specifier::Description(found), None) => assert_eq!(found, rpc),
            other => panic!("{other:?} at version {version}"),
        }
    }
}

fn check_response(response: &Response<'_>) {
    match &response.result {
        Ok(data) => {
            let Ok(payload) = data.bytes() else { return };
            check_stream_payload(payload);
            for version in ProtocolVersion::all() {
                let header = ResponseHeader::new(version, response.header.id, Some(payload.len()));
                let mut body = Vec::new();
                header
                    .write_before(payload.len(), &mut body)
                    .expect("the id was read");
                body.extend_from_slice(payload);
                assert_eq!(body.len(), header.message_size(payload.len()));
                let expected = Message::Response(Response {
                    header,
                    result: Ok(Data::new(payload)),
                });
                assert_eq!(Message::decode(&body), Ok(expected));
            }
        }
        Err(error) => check_error(error),
    }
}

/// *Protocol* §7.2.
fn check_error(error: &RpcError) {
    let text = error.to_sexp();
    assert_eq!(text.to_string(), error.to_string());
    for version in ProtocolVersion::all() {
        let sent = error.clone().known_to(version);
        let since = match error {
            RpcError::LiftError(_) => 5,
            RpcError::AuthorizationFailure(_)
            | RpcError::MessageTooBig { .. }
            | RpcError::Unknown(_) => 3,
            _ => 1,
        };
        let expected = match version.number() {
            number if number >= since => error.clone(),
            1 | 2 => RpcError::UncaughtExn(text.clone()),
            _ => RpcError::Unknown(text.clone()),
        };
        assert_eq!(sent, expected, "at version {version}");
        check_text_fits(&text, &sent);
    }
}

/// What is wrapped for an older peer may be nested deeper than anybody reads.
fn check_text_fits(text: &Sexp, sent: &RpcError) {
    let bytes = to_vec(sent).expect("it was read, or made of what was");
    assert_eq!(bytes.len(), sent.bin_size());
    match from_slice::<RpcError>(&bytes) {
        Ok(arrived) => assert_eq!(arrived, *sent),
        Err(error) => {
            assert!(matches!(error.kind, ReadErrorKind::TooDeep(_)), "{error}");
            assert!(from_slice::<Sexp>(&to_vec(text).expect("a text")).is_err());
        }
    }
}

/// *Protocol* §13.1, at every version.
fn check_reason(reason: &CloseReason) {
    let shown = reason.to_string();
    for version in ProtocolVersion::all() {
        let message = reason.to_message(version);
        assert_eq!(message.is_some(), version.number() >= 4);
        let Some(message) = message else { continue };
        assert_eq!(message.kind(), MessageKind::CloseReason);
        let bytes = to_vec(&message).expect("its parts were read");
        assert_eq!(bytes.len(), message.bin_size());
        let arrived = match Message::decode(&bytes) {
            Ok(Message::CloseReasonV2(arrived)) => CloseReason::from(*arrived),
            Ok(Message::CloseReason(info)) => CloseReason::from(info),
            Ok(other) => panic!("{other:?}"),
            // Flattened into one text it may be nested deeper than anybody reads.
            Err(error) => {
                assert!(matches!(error.kind, ReadErrorKind::TooDeep(_)), "{error}");
                continue;
            }
        };
        if version.number() >= 10 {
            assert_eq!(arrived, *reason);
        }
        assert_eq!(arrived.to_string(), shown, "at version {version}");
    }
    for info in [&reason.debug_info, &reason.user_reason]
        .into_iter()
        .flatten()
    {
        check_info(info);
    }
    if let CloseReasonKind::Other(kind) = &reason.kind {
        let again = UnknownKind::new(kind.as_sexp().clone());
        assert_eq!(again.as_ref(), Some(kind));
    }
}

fn check_info(info: &Info) {
    let sexp = info.to_sexp();
    let text = sexp.to_string();
    assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    let first = InfoV1(info.clone());
    let bytes = to_vec(&first).expect("an S-expression");
    assert_eq!(bytes.len(), first.bin_size());
    if let Ok(again) = from_slice::<InfoV1>(&bytes) {
        assert_eq!(again, InfoV1(Info::Sexp(sexp)));
    }
}

/// The layer of streams, beside its declared types (*protocol* §8).
fn check_stream_payload(payload: &[u8]) {
    let query = from_slice::<StreamQuery<'_>>(payload);
    match (&query, from_slice::<NaiveStreamQuery<Vec<u8>>>(payload)) {
        (Ok(StreamQuery::Abort), Ok(NaiveStreamQuery::Abort)) => {
            assert!(stream::is_abort(payload));
        }
        (Ok(StreamQuery::Query(data)), Ok(NaiveStreamQuery::Query(declared))) => {
            assert_eq!(stream::exact(*data), Ok(declared.as_slice()));
            let mut written = Vec::new();
            stream::write_before_query(declared.len(), &mut written);
            written.extend_from_slice(&declared);
            assert_eq!(written.len(), stream::query_size(declared.len()));
            assert_eq!(from_slice(&written), query);
            assert_eq!(to_vec(&StreamQuery::Query(*data)), Ok(written));
        }
        (Ok(StreamQuery::Query(data)), Err(_)) => assert!(data.bytes().is_err()),
        (Err(_), Err(_)) => {}
        other => panic!("{other:?}"),
    }
    let response = from_slice::<StreamResponse<'_>>(payload);
    match (
        &response,
        from_slice::<NaiveStreamResponse<Vec<u8>>>(payload),
    ) {
        (Ok(StreamResponse::Eof), Ok(NaiveStreamResponse::Eof)) => {
            assert_eq!(payload, stream::EOF_PAYLOAD);
        }
        (Ok(StreamResponse::Ok(data)), Ok(NaiveStreamResponse::Ok(declared))) => {
            assert_eq!(stream::exact(*data), Ok(declared.as_slice()));
            let mut written = Vec::new();
            stream::write_before_update(declared.len(), &mut written);
            written.extend_from_slice(&declared);
            assert_eq!(written.len(), stream::update_size(declared.len()));
            assert_eq!(from_slice(&written), response);
        }
        (Ok(StreamResponse::Ok(data)), Err(_)) => assert!(data.bytes().is_err()),
        (Err(_), Err(_)) => {}
        other => panic!("{other:?}"),
    }
    let declared = NaiveInitial::<Vec<u8>, Vec<u8>>::bin_read(&mut Reader::new(payload));
    match (Initial::split(payload), declared) {
        (Ok((initial, value)), declared) => {
            assert!(payload.ends_with(value));
            if let Ok(declared) = declared {
                assert_eq!(initial == Initial::Ok, declared.initial.is_ok());
            }
            let mut written = Vec::new();
            initial.write_before(&mut written);
            written.extend_from_slice(value);
            assert_eq!(written.len(), Initial::payload_size(value.len()));
            assert_eq!(Initial::split(&written), Ok((initial, value)));
        }
        (Err(error), declared) => assert!(declared.is_err(), "{declared:?}, but {error}"),
    }
}
