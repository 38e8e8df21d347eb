//! From the vectors' JSON to Rust values.

use bin_prot::shape::Digest;
use bin_prot::{Array, ByteString, Info, Int63, Nat0, OrNull, Sexp, SourcePosition};
use bytes::Bytes;
use rpc_testkit::golden::{bytes_of, items_of};
use rpc_wire::{
    Description, MenuV3, Metadata, MetadataV2, QueryId, RpcDigests, RpcError, ShapeDigest,
    UnimplementedVersion,
};
use serde_json::Value;

use crate::naive::{
    NaiveCloseReason, NaiveInitial, NaiveMessage, NaiveSpecifier, NaiveStreamQuery,
    NaiveStreamResponse, QueryV1, QueryV2, QueryV3, QueryV4, ResponseV1, ResponseV2, RpcNat0,
};

/// A type whose values the vectors contain.
pub(crate) trait FromGolden {
    fn from_golden(value: &Value) -> Self;
}

pub(crate) fn get<T: FromGolden>(value: &Value) -> T {
    T::from_golden(value)
}

/// The constructor of a variant and its arguments.
fn constructor(value: &Value) -> (&str, Vec<Value>) {
    let arguments = match (value.get("args"), value.get("arg")) {
        (Some(arguments), _) => items_of(arguments),
        (None, Some(argument)) => vec![argument.clone()],
        (None, None) => Vec::new(),
    };
    (value["tag"].as_str().unwrap(), arguments)
}

/// A message: its constructor's name and its body.
pub(crate) fn message<D: FromGolden>(name: &str, body: &Value) -> NaiveMessage<D> {
    match name {
        "Heartbeat" => NaiveMessage::Heartbeat,
        "Query_v1" => NaiveMessage::QueryV1(get(body)),
        "Response_v1" => NaiveMessage::ResponseV1(get(body)),
        "Query_v2" => NaiveMessage::QueryV2(get(body)),
        "Metadata" => NaiveMessage::Metadata(get(body)),
        "Close_reason" => NaiveMessage::CloseReason(get(body)),
        "Close_reason_duplicated" => NaiveMessage::CloseReasonDuplicated(get(body)),
        "Metadata_v2" => NaiveMessage::MetadataV2(get(body)),
        "Response_v2" => NaiveMessage::ResponseV2(get(body)),
        "Query_v3" => NaiveMessage::QueryV3(get(body)),
        "Close_started" => NaiveMessage::CloseStarted,
        "Close_reason_v2" => NaiveMessage::CloseReasonV2(get(body)),
        "Query_v4" => NaiveMessage::QueryV4(get(body)),
        other => panic!("no message is called {other}"),
    }
}

/// As [`message()`], written as a variant.
impl<D: FromGolden> FromGolden for NaiveMessage<D> {
    fn from_golden(value: &Value) -> Self {
        let (name, arguments) = constructor(value);
        message(name, arguments.first().unwrap_or(&Value::Null))
    }
}

/// The payload of a message: its bytes after the length.
impl FromGolden for Vec<u8> {
    fn from_golden(value: &Value) -> Self {
        bytes_of(value)
    }
}

impl FromGolden for () {
    fn from_golden(value: &Value) {
        assert!(value.is_null(), "{value}");
    }
}

macro_rules! scalars {
    ($($type:ty, $value:ident => $convert:expr;)*) => {$(
        impl FromGolden for $type {
            fn from_golden($value: &Value) -> Self {
                $convert
            }
        }
    )*};
}
scalars! {
    i64, value => value.as_i64().unwrap();
    Int63, value => Self(get(value));
    Nat0, value => Self(value.as_u64().unwrap());
    RpcNat0, value => Self(get(value));
    QueryId, value => Self::new(get(value));
    ByteString, value => Self(bytes_of(value));
    Bytes, value => bytes_of(value).into();
    Digest, value => Self(bytes_of(value).try_into().unwrap());
    ShapeDigest, value => Self(get(value));
}

impl<T: FromGolden> FromGolden for Option<T> {
    fn from_golden(value: &Value) -> Self {
        value.get("some").map(get)
    }
}

impl<T: FromGolden> FromGolden for OrNull<T> {
    fn from_golden(value: &Value) -> Self {
        Self(get(value))
    }
}

impl<T: FromGolden> FromGolden for Box<T> {
    fn from_golden(value: &Value) -> Self {
        Self::new(get(value))
    }
}

macro_rules! lists {
    ($($element:ty),*) => {$(
        impl FromGolden for Vec<$element> {
            fn from_golden(value: &Value) -> Self {
                items_of(value).iter().map(get).collect()
            }
        }
    )*};
}
lists!(
    i64,
    Sexp,
    Info,
    Description,
    RpcDigests,
    (Description, RpcDigests),
    (i64, ByteString),
    (ByteString, i64)
);

impl<T> FromGolden for Array<T>
where
    Vec<T>: FromGolden,
{
    fn from_golden(value: &Value) -> Self {
        Self(get(value))
    }
}

impl<A: FromGolden, B: FromGolden> FromGolden for (A, B) {
    fn from_golden(value: &Value) -> Self {
        (get(&value[0]), get(&value[1]))
    }
}

macro_rules! records {
    ($($name:ident$(<$($param:ident),*>)? { $($field:ident),* })*) => {$(
        impl$(<$($param: FromGolden),*>)? FromGolden for $name$(<$($param),*>)? {
            fn from_golden(value: &Value) -> Self {
                Self { $($field: get(&value[stringify!($field)]),)* }
            }
        }
    )*};
}
records! {
    QueryV1<D> { tag, version, id, data }
    QueryV2<D> { tag, version, id, metadata, data }
    QueryV3<D> { tag, version, id, metadata, data }
    QueryV4<D> { specifier, id, metadata, data }
    ResponseV1<D> { id, data }
    ResponseV2<D> { id, impl_menu_index, data }
    NaiveCloseReason { kind, debug_info, user_reason }
    NaiveInitial<S, E> { unused_query_id, initial }
    Metadata { identification, menu }
    MetadataV2 { identification, menu }
    MenuV3 { descriptions, digests }
    Description { name, version }
}

impl FromGolden for SourcePosition {
    fn from_golden(value: &Value) -> Self {
        Self {
            file: get(&value["pos_fname"]),
            line: get(&value["pos_lnum"]),
            line_start: get(&value["pos_bol"]),
            offset: get(&value["pos_cnum"]),
        }
    }
}

macro_rules! variants {
    ($($name:ident$(<$($param:ident),*>)? {
        $($tag:literal [$($argument:ident),*] => $make:expr,)*
    })*) => {$(
        impl$(<$($param: FromGolden),*>)? FromGolden for $name$(<$($param),*>)? {
            fn from_golden(value: &Value) -> Self {
                let (tag, arguments) = constructor(value);
                match (tag, &arguments[..]) {
                    $(($tag, [$($argument),*]) => $make,)*
                    other => panic!("{other:?}"),
                }
            }
        }
    )*};
}
variants! {
    NaiveSpecifier {
        "Tag_and_version" [tag, version] => Self::TagAndVersion(get(tag), get(version)),
        "Rank" [rank] => Self::Rank(get(rank)),
    }
    NaiveStreamQuery<D> {
        "Query" [query] => Self::Query(get(query)),
        "Abort" [] => Self::Abort,
    }
    NaiveStreamResponse<D> {
        "Ok" [update] => Self::Ok(get(update)),
        "Eof" [] => Self::Eof,
    }
    Result<T, E> {
        "Ok" [value] => Ok(get(value)),
        "Error" [error] => Err(get(error)),
    }
    RpcError {
        "Bin_io_exn" [sexp] => Self::BinIoExn(get(sexp)),
        "Connection_closed" [] => Self::ConnectionClosed,
        "Write_error" [sexp] => Self::WriteError(get(sexp)),
        "Uncaught_exn" [sexp] => Self::UncaughtExn(get(sexp)),
        "Unimplemented_rpc" [name, version] => Self::UnimplementedRpc(get(name), get(version)),
        "Unknown_query_id" [id] => Self::UnknownQueryId(get(id)),
        "Authorization_failure" [sexp] => Self::AuthorizationFailure(get(sexp)),
        "Message_too_big" [sizes] => Self::MessageTooBig {
            size: get(&sizes["size"]),
            max_message_size: get(&sizes["max_message_size"]),
        },
        "Unknown" [sexp] => Self::Unknown(get(sexp)),
        "Lift_error" [sexp] => Self::LiftError(get(sexp)),
    }
    UnimplementedVersion {
        "Version" [version] => Self::Version(get(version)),
    }
    RpcDigests {
        "Rpc" [digests] => Self::Rpc {
            query: get(&digests["query"]),
            response: get(&digests["response"]),
        },
        "One_way" [digests] => Self::OneWay {
            msg: get(&digests["msg"]),
        },
        "Streaming_rpc" [digests] => Self::StreamingRpc {
            query: get(&digests["query"]),
            initial_response: get(&digests["initial_response"]),
            update_response: get(&digests["update_response"]),
            error: get(&digests["error"]),
        },
        "Unknown" [] => Self::Unknown,
    }
    Sexp {
        "Atom" [text] => Self::Atom(get(text)),
        "List" [items] => Self::List(get(items)),
    }
    Info {
        "Could_not_construct" [sexp] => Self::CouldNotConstruct(get(sexp)),
        "String" [text] => Self::String(get(text)),
        "Exn" [sexp] => Self::Exn(get(sexp)),
        "Sexp" [sexp] => Self::Sexp(get(sexp)),
        "Tag_sexp" [tag, sexp, at] => Self::TagSexp(get(tag), get(sexp), get(at)),
        "Tag_t" [tag, info] => Self::TagT(get(tag), get(info)),
        "Tag_arg" [tag, sexp, info] => Self::TagArg(get(tag), get(sexp), get(info)),
        "Of_list" [cut, infos] => Self::OfList(get(cut), get(infos)),
        "With_backtrace" [info, lines] => Self::WithBacktrace(get(info), get(lines)),
    }
}
