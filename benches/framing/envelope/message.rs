//! The content of our messages as types of the others: borrowed where the format can borrow.

use bincode::{BorrowDecode, Encode};
use binprot_derive::{BinProtRead, BinProtWrite};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// For bincode and postcard.
#[derive(Debug, Encode, BorrowDecode, Serialize, Deserialize)]
pub(super) enum Message<'a> {
    Heartbeat,
    #[serde(borrow)]
    Query(Query<'a>),
    #[serde(borrow)]
    Response(Response<'a>),
}

#[derive(Debug, Encode, BorrowDecode, Serialize, Deserialize)]
pub(super) struct Query<'a> {
    #[serde(borrow)]
    pub(super) specifier: Specifier<'a>,
    pub(super) id: i64,
    #[serde(with = "serde_bytes", borrow)]
    pub(super) metadata: Option<&'a [u8]>,
    #[serde(with = "serde_bytes", borrow)]
    pub(super) payload: &'a [u8],
}

#[derive(Debug, Encode, BorrowDecode, Serialize, Deserialize)]
pub(super) enum Specifier<'a> {
    Description { name: &'a str, version: i64 },
    Rank(u64),
}

#[derive(Debug, Encode, BorrowDecode, Serialize, Deserialize)]
pub(super) struct Response<'a> {
    pub(super) id: i64,
    pub(super) menu_index: Option<u64>,
    #[serde(borrow)]
    pub(super) result: Answer<'a>,
}

/// `Result`, for which the attribute about bytes could not be given.
#[derive(Debug, Encode, BorrowDecode, Serialize, Deserialize)]
pub(super) enum Answer<'a> {
    Ok(#[serde(with = "serde_bytes", borrow)] &'a [u8]),
    Error(&'a str),
}

/// For `binprot`, which reads owned values only.
#[derive(BinProtRead, BinProtWrite)]
pub(super) enum OwnedMessage {
    Heartbeat,
    Query(OwnedQuery),
    Response(OwnedResponse),
}

#[derive(BinProtRead, BinProtWrite)]
pub(super) struct OwnedQuery {
    pub(super) specifier: OwnedSpecifier,
    pub(super) id: i64,
    pub(super) metadata: Option<binprot::Bytes>,
    pub(super) payload: binprot::Bytes,
}

#[derive(BinProtRead, BinProtWrite)]
pub(super) enum OwnedSpecifier {
    Description(String, i64),
    Rank(i64),
}

#[derive(BinProtRead, BinProtWrite)]
pub(super) struct OwnedResponse {
    pub(super) id: i64,
    pub(super) menu_index: Option<binprot::Nat0>,
    pub(super) result: OwnedAnswer,
}

#[derive(BinProtRead, BinProtWrite)]
pub(super) enum OwnedAnswer {
    Ok(binprot::Bytes),
    Error(String),
}

/// For prost, whose payloads are references to the frame.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ProtobufMessage {
    #[prost(oneof = "protobuf::Kind", tags = "1, 2")]
    pub(super) kind: Option<protobuf::Kind>,
}

/// The types that stand inside a protobuf message.
pub(super) mod protobuf {
    use super::Bytes;

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(in super::super) enum Kind {
        #[prost(message, tag = "1")]
        Query(Query),
        #[prost(message, tag = "2")]
        Response(Response),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(in super::super) struct Query {
        #[prost(oneof = "Specifier", tags = "1, 2")]
        pub(in super::super) specifier: Option<Specifier>,
        #[prost(int64, tag = "3")]
        pub(in super::super) id: i64,
        #[prost(bytes = "bytes", optional, tag = "4")]
        pub(in super::super) metadata: Option<Bytes>,
        #[prost(bytes = "bytes", tag = "5")]
        pub(in super::super) payload: Bytes,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(in super::super) enum Specifier {
        #[prost(message, tag = "1")]
        Description(Description),
        #[prost(uint64, tag = "2")]
        Rank(u64),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(in super::super) struct Description {
        #[prost(string, tag = "1")]
        pub(in super::super) name: String,
        #[prost(int64, tag = "2")]
        pub(in super::super) version: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(in super::super) struct Response {
        #[prost(int64, tag = "1")]
        pub(in super::super) id: i64,
        #[prost(uint64, optional, tag = "2")]
        pub(in super::super) menu_index: Option<u64>,
        #[prost(oneof = "Answer", tags = "3, 4")]
        pub(in super::super) result: Option<Answer>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(in super::super) enum Answer {
        #[prost(bytes = "bytes", tag = "3")]
        Ok(Bytes),
        #[prost(string, tag = "4")]
        Error(String),
    }
}
