//! Other formats for the message inside a frame of `LengthDelimitedCodec`.

use std::hint::black_box;

use benches::frames::{Content, ID, Kind, RANK};
use binprot::{BinProtRead as _, BinProtWrite as _};
use bytes::{Bytes, BytesMut};
use prost::Message as _;

use super::message::{
    Answer, Message, OwnedAnswer, OwnedMessage, OwnedQuery, OwnedResponse, OwnedSpecifier,
    ProtobufMessage, Query, Response, Specifier, protobuf,
};
use crate::names;

/// A format, used as its documentation does where it cares about speed.
pub(super) trait Format {
    const NAME: &'static str;
    type Message: 'static;

    fn message(content: Content) -> Self::Message;

    /// Encodes into the scratch buffer, which is large enough.
    fn encode<'s>(message: &Self::Message, scratch: &'s mut Vec<u8>) -> &'s [u8];

    /// Decodes a frame's body, and tells how long the payload is.
    fn decode(body: BytesMut) -> usize;
}

pub(super) enum Bincode {}

impl Format for Bincode {
    const NAME: &'static str = names::BINCODE;
    type Message = Message<'static>;

    fn message(content: Content) -> Self::Message {
        borrowed(content)
    }

    fn encode<'s>(message: &Self::Message, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        let written = bincode::encode_into_slice(message, scratch, bincode::config::standard());
        &scratch[..written.expect("room enough")]
    }

    fn decode(body: BytesMut) -> usize {
        let read = bincode::borrow_decode_from_slice(&body, bincode::config::standard());
        let (message, _) = read.expect("a message");
        payload_bytes(&message)
    }
}

pub(super) enum Postcard {}

impl Format for Postcard {
    const NAME: &'static str = names::POSTCARD;
    type Message = Message<'static>;

    fn message(content: Content) -> Self::Message {
        borrowed(content)
    }

    fn encode<'s>(message: &Self::Message, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        postcard::to_slice(message, scratch).expect("room enough")
    }

    fn decode(body: BytesMut) -> usize {
        payload_bytes(&postcard::from_bytes(&body).expect("a message"))
    }
}

fn borrowed(content: Content) -> Message<'static> {
    let Content { kind, payload } = content;
    match kind {
        Kind::Query => Message::Query(Query {
            specifier: Specifier::Rank(RANK as u64),
            id: ID,
            metadata: None,
            payload,
        }),
        Kind::Response => Message::Response(Response {
            id: ID,
            menu_index: Some(RANK as u64),
            result: Answer::Ok(payload),
        }),
    }
}

fn payload_bytes(message: &Message<'_>) -> usize {
    match black_box(message) {
        Message::Query(query) => query.payload.len(),
        Message::Response(response) => match response.result {
            Answer::Ok(payload) => payload.len(),
            Answer::Error(text) => panic!("an answer: {text}"),
        },
        Message::Heartbeat => panic!("neither query nor response"),
    }
}

pub(super) enum Prost {}

impl Format for Prost {
    const NAME: &'static str = names::PROST;
    type Message = ProtobufMessage;

    fn message(content: Content) -> Self::Message {
        let payload = Bytes::from_static(content.payload);
        let kind = match content.kind {
            Kind::Query => protobuf::Kind::Query(protobuf::Query {
                specifier: Some(protobuf::Specifier::Rank(RANK as u64)),
                id: ID,
                metadata: None,
                payload,
            }),
            Kind::Response => protobuf::Kind::Response(protobuf::Response {
                id: ID,
                menu_index: Some(RANK as u64),
                result: Some(protobuf::Answer::Ok(payload)),
            }),
        };
        ProtobufMessage { kind: Some(kind) }
    }

    fn encode<'s>(message: &Self::Message, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        scratch.clear();
        message.encode(scratch).expect("a vector grows");
        scratch
    }

    fn decode(body: BytesMut) -> usize {
        let message = ProtobufMessage::decode(body.freeze()).expect("a message");
        match &black_box(&message).kind {
            Some(protobuf::Kind::Query(query)) => query.payload.len(),
            Some(protobuf::Kind::Response(response)) => match &response.result {
                Some(protobuf::Answer::Ok(payload)) => payload.len(),
                other => panic!("an answer: {other:?}"),
            },
            None => panic!("neither query nor response"),
        }
    }
}

pub(super) enum Binprot {}

impl Format for Binprot {
    const NAME: &'static str = names::BINPROT;
    type Message = OwnedMessage;

    fn message(content: Content) -> Self::Message {
        let payload = content.payload.to_vec().into();
        match content.kind {
            Kind::Query => OwnedMessage::Query(OwnedQuery {
                specifier: OwnedSpecifier::Rank(RANK as i64),
                id: ID,
                metadata: None,
                payload,
            }),
            Kind::Response => OwnedMessage::Response(OwnedResponse {
                id: ID,
                menu_index: Some(binprot::Nat0(RANK as u64)),
                result: OwnedAnswer::Ok(payload),
            }),
        }
    }

    fn encode<'s>(message: &Self::Message, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        scratch.clear();
        message.binprot_write(scratch).expect("a vector grows");
        scratch
    }

    fn decode(body: BytesMut) -> usize {
        let message = OwnedMessage::binprot_read(&mut &body[..]).expect("a message");
        match black_box(&message) {
            OwnedMessage::Query(query) => query.payload.0.len(),
            OwnedMessage::Response(response) => match &response.result {
                OwnedAnswer::Ok(payload) => payload.0.len(),
                OwnedAnswer::Error(text) => panic!("an answer: {text}"),
            },
            OwnedMessage::Heartbeat => panic!("neither query nor response"),
        }
    }
}
