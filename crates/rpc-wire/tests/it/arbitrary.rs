//! Values of every type on the wire, small and at the limits.

use bin_prot::shape::Digest;
use bin_prot::{Array, ByteString, Info, Nat0, OrNull, Sexp};
use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use rpc_wire::{
    Description, MenuV3, Metadata, MetadataV2, QueryId, RpcDigests, RpcError, ShapeDigest,
};

use crate::naive::{
    NaiveCloseReason, NaiveMessage, NaiveMetadata, NaiveSpecifier, QueryV1, QueryV2, QueryV3,
    QueryV4, ResponseV1, ResponseV2, RpcNat0,
};

/// Any OCaml `int`, of every length.
pub(crate) fn int() -> impl Strategy<Value = i64> {
    (any::<i64>(), 1_u32..64).prop_map(|(number, shift)| number >> shift)
}

fn nat0() -> impl Strategy<Value = Nat0> {
    (any::<u64>(), 2_u32..64).prop_map(|(number, shift)| Nat0(number >> shift))
}

pub(crate) fn byte_string() -> impl Strategy<Value = ByteString> {
    vec(any::<u8>(), 0..8).prop_map(ByteString)
}

/// Short ones, and lengths on both sides of where the prefix grows.
pub(crate) fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(any::<u8>(), 0..40),
        1 => vec(any::<u8>(), 126..130),
        1 => any::<u8>().prop_map(|byte| vec![byte; 65_535]),
        1 => any::<u8>().prop_map(|byte| vec![byte; 65_536]),
    ]
}

fn sexp() -> impl Strategy<Value = Sexp> {
    byte_string()
        .prop_map(Sexp::Atom)
        .prop_recursive(3, 8, 3, |inner| vec(inner, 0..3).prop_map(Sexp::List))
}

fn info() -> impl Strategy<Value = Info> {
    let leaf = prop_oneof![
        byte_string().prop_map(Info::String),
        sexp().prop_map(Info::Sexp),
        sexp().prop_map(Info::Exn),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (byte_string(), inner.clone()).prop_map(|(tag, info)| info.tag(tag)),
            (option::of(int()), vec(inner, 0..3)).prop_map(|(cut, infos)| Info::OfList(cut, infos)),
        ]
    })
}

/// A kind that a reader accepts.
fn kind() -> impl Strategy<Value = Sexp> {
    prop_oneof![
        Just(Sexp::atom("Unspecified")),
        Just(Sexp::atom("unspecified")),
        Just(Sexp::atom("Connection_limit_reached")),
        Just(Sexp::atom("Connection_validation_failed")),
        Just(Sexp::atom("Newer")),
        vec(sexp(), 0..3).prop_map(|rest| {
            Sexp::list(std::iter::once(Sexp::atom("Newer_still")).chain(rest))
        }),
    ]
}

pub(crate) fn description() -> impl Strategy<Value = Description> {
    (byte_string(), int()).prop_map(|(name, version)| Description { name, version })
}

fn shape_digest() -> impl Strategy<Value = ShapeDigest> {
    any::<[u8; 16]>().prop_map(|bytes| ShapeDigest(Digest(bytes)))
}

pub(crate) fn digests() -> impl Strategy<Value = RpcDigests> {
    let digest = shape_digest;
    prop_oneof![
        Just(RpcDigests::Unknown),
        digest().prop_map(|msg| RpcDigests::OneWay { msg }),
        (digest(), digest()).prop_map(|(query, response)| RpcDigests::Rpc { query, response }),
        (digest(), digest(), digest(), digest()).prop_map(
            |(query, initial_response, update_response, error)| RpcDigests::StreamingRpc {
                query,
                initial_response,
                update_response,
                error,
            }
        ),
    ]
}

/// RPCs in the order of a menu.
pub(crate) fn entries() -> impl Strategy<Value = Vec<(Description, RpcDigests)>> {
    btree_map(description(), digests(), 0..6).prop_map(|entries| entries.into_iter().collect())
}

pub(crate) fn identification() -> impl Strategy<Value = Option<Bytes>> {
    option::of(vec(any::<u8>(), 0..8).prop_map(Bytes::from))
}

fn error() -> impl Strategy<Value = RpcError> {
    prop_oneof![
        sexp().prop_map(RpcError::BinIoExn),
        Just(RpcError::ConnectionClosed),
        sexp().prop_map(RpcError::WriteError),
        sexp().prop_map(RpcError::UncaughtExn),
        description().prop_map(RpcError::unimplemented),
        id().prop_map(RpcError::UnknownQueryId),
        sexp().prop_map(RpcError::AuthorizationFailure),
        (int(), int()).prop_map(|(size, max_message_size)| RpcError::MessageTooBig {
            size,
            max_message_size,
        }),
        sexp().prop_map(RpcError::Unknown),
        sexp().prop_map(RpcError::LiftError),
    ]
}

fn id() -> impl Strategy<Value = QueryId> {
    int().prop_map(QueryId::new)
}

fn metadata() -> impl Strategy<Value = NaiveMetadata> {
    option::of(vec((int(), byte_string()), 0..4)).prop_map(OrNull)
}

fn query() -> impl Strategy<Value = NaiveMessage<Vec<u8>>> {
    let v1 = |(rpc, id, data): (Description, _, _)| {
        NaiveMessage::QueryV1(QueryV1 {
            tag: rpc.name,
            version: rpc.version,
            id,
            data,
        })
    };
    let v2 = |(rpc, id, metadata, data): (Description, _, _, _)| {
        NaiveMessage::QueryV2(QueryV2 {
            tag: rpc.name,
            version: rpc.version,
            id,
            metadata: OrNull(metadata),
            data,
        })
    };
    let v3 = |(rpc, id, metadata, data): (Description, _, _, _)| {
        NaiveMessage::QueryV3(QueryV3 {
            tag: rpc.name,
            version: rpc.version,
            id,
            metadata,
            data,
        })
    };
    let v4 = |(specifier, id, metadata, data)| {
        NaiveMessage::QueryV4(QueryV4 {
            specifier,
            id,
            metadata,
            data,
        })
    };
    let specifier = prop_oneof![
        int().prop_map(NaiveSpecifier::Rank),
        description().prop_map(|rpc| NaiveSpecifier::TagAndVersion(rpc.name, rpc.version)),
    ];
    prop_oneof![
        (description(), id(), payload()).prop_map(v1),
        (description(), id(), option::of(byte_string()), payload()).prop_map(v2),
        (description(), id(), metadata(), payload()).prop_map(v3),
        (specifier, id(), metadata(), payload()).prop_map(v4),
    ]
}

fn response() -> impl Strategy<Value = NaiveMessage<Vec<u8>>> {
    let result = || prop::result::maybe_err(payload(), error());
    prop_oneof![
        (id(), result()).prop_map(|(id, data)| NaiveMessage::ResponseV1(ResponseV1 { id, data })),
        (id(), option::of(nat0()), result()).prop_map(|(id, index, data)| {
            NaiveMessage::ResponseV2(ResponseV2 {
                id,
                impl_menu_index: index.map(RpcNat0),
                data,
            })
        }),
    ]
}

/// Menus here are what a peer may send: in any order, with too many digests or too few.
fn connection_metadata() -> impl Strategy<Value = NaiveMessage<Vec<u8>>> {
    let first = option::of(vec((description(), digests()), 0..4));
    let second = option::of((vec(description(), 0..4), option::of(vec(digests(), 0..4))));
    prop_oneof![
        (identification(), first).prop_map(|(identification, menu)| {
            NaiveMessage::Metadata(Metadata {
                identification: OrNull(identification),
                menu: OrNull(menu),
            })
        }),
        (identification(), second).prop_map(|(identification, menu)| {
            let menu = menu.map(|(descriptions, digests)| MenuV3 {
                descriptions: descriptions.into(),
                digests: OrNull(digests.map(Array)),
            });
            NaiveMessage::MetadataV2(MetadataV2 {
                identification: OrNull(identification),
                menu: OrNull(menu),
            })
        }),
    ]
}

fn closing() -> impl Strategy<Value = NaiveMessage<Vec<u8>>> {
    prop_oneof![
        Just(NaiveMessage::CloseStarted),
        info().prop_map(NaiveMessage::CloseReason),
        info().prop_map(NaiveMessage::CloseReasonDuplicated),
        (kind(), option::of(info()), option::of(info())).prop_map(
            |(kind, debug_info, user_reason)| {
                NaiveMessage::CloseReasonV2(NaiveCloseReason {
                    kind,
                    debug_info,
                    user_reason,
                })
            }
        ),
    ]
}

/// Any message that a reader accepts.
pub(crate) fn message() -> impl Strategy<Value = NaiveMessage<Vec<u8>>> {
    prop_oneof![
        1 => Just(NaiveMessage::Heartbeat),
        4 => query(),
        4 => response(),
        3 => connection_metadata(),
        3 => closing(),
    ]
}
