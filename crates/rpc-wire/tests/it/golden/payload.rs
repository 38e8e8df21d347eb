//! The payloads inside golden frames: what an RPC's type says, and the layer of streams.

use bin_prot::{Array, BinWrite, ByteString, Info, from_slice, to_vec};
use bytes::Bytes;
use rpc_testkit::golden::Vector;
use rpc_wire::Data;
use rpc_wire::stream::{self, Initial, StreamQuery, StreamResponse};
use serde_json::Value;

use super::value::{FromGolden, get};
use crate::naive::{NaiveInitial, NaiveStreamQuery, NaiveStreamResponse};

/// Which layers a payload has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    /// The user's value alone.
    Plain,
    /// The user's value, or none, inside the layer of streams.
    Stream,
}

/// Compares the payload with the value that the vector gives for it.
#[track_caller]
pub(crate) fn check(vector: &Vector, data: &[u8]) -> Layer {
    let name = &vector.name;
    let value = vector.field("payload");
    match vector.text("payload_type") {
        "unit" => check_plain::<()>(value, data, name),
        "int" => check_plain::<i64>(value, data, name),
        "string" => check_plain::<ByteString>(value, data, name),
        "bigstring" => check_plain::<Bytes>(value, data, name),
        "int array" => check_plain::<Array<i64>>(value, data, name),
        "Menu V1 response" => check_plain::<Vec<(ByteString, i64)>>(value, data, name),
        "Stream_query(string)" => check_query::<ByteString>(value, data, name),
        "Stream_query(bigstring)" => check_query::<Bytes>(value, data, name),
        "Stream_initial_message(unit, string)" => {
            check_initial::<(), ByteString>(value, data, name)
        }
        "Stream_initial_message(int, string)" => {
            check_initial::<i64, ByteString>(value, data, name)
        }
        "Stream_initial_message(unit, Error)" => check_initial::<(), Info>(value, data, name),
        "Stream_response_data(string)" => check_response::<ByteString>(value, data, name),
        "Stream_response_data(bigstring)" => check_response::<Bytes>(value, data, name),
        other => panic!("{name}: no payloads of type {other} are known"),
    }
}

#[track_caller]
fn check_plain<T: FromGolden + BinWrite>(value: &Value, data: &[u8], name: &str) -> Layer {
    assert_eq!(to_vec(&get::<T>(value)).unwrap(), data, "{name}");
    Layer::Plain
}

/// *Protocol* §8.1.
#[track_caller]
fn check_query<T: FromGolden + BinWrite>(value: &Value, data: &[u8], name: &str) -> Layer {
    let read: StreamQuery<'_> = from_slice(data).unwrap();
    assert_eq!(to_vec(&read).unwrap(), data, "{name}");
    assert_eq!(read.bin_size(), data.len(), "{name}");
    match get::<NaiveStreamQuery<T>>(value) {
        NaiveStreamQuery::Query(query) => {
            let query = to_vec(&query).unwrap();
            assert_eq!(read, StreamQuery::Query(Data::new(&query)), "{name}");
            assert!(!stream::is_abort(data), "{name}");
            let mut written = Vec::new();
            stream::write_before_query(query.len(), &mut written);
            written.extend_from_slice(&query);
            assert_eq!(written, data, "{name}");
            assert_eq!(stream::query_size(query.len()), data.len(), "{name}");
        }
        NaiveStreamQuery::Abort => {
            assert_eq!(read, StreamQuery::Abort, "{name}");
            assert!(stream::is_abort(data), "{name}");
            assert_eq!(stream::ABORT_PAYLOAD, data, "{name}");
        }
    }
    Layer::Stream
}

/// *Protocol* §8.2.
#[track_caller]
fn check_initial<S, E>(value: &Value, data: &[u8], name: &str) -> Layer
where
    S: FromGolden + BinWrite,
    E: FromGolden + BinWrite,
{
    let initial: NaiveInitial<S, E> = get(value);
    assert_eq!(to_vec(&initial).unwrap(), data, "{name}");
    let (initial, inner) = match initial.initial {
        Ok(state) => (Initial::Ok, to_vec(&state).unwrap()),
        Err(error) => (Initial::Error, to_vec(&error).unwrap()),
    };
    assert_eq!(Initial::split(data), Ok((initial, &inner[..])), "{name}");
    let mut written = Vec::new();
    initial.write_before(&mut written);
    written.extend_from_slice(&inner);
    assert_eq!(written, data, "{name}");
    assert_eq!(Initial::payload_size(inner.len()), data.len(), "{name}");
    Layer::Stream
}

/// *Protocol* §8.3.
#[track_caller]
fn check_response<T: FromGolden + BinWrite>(value: &Value, data: &[u8], name: &str) -> Layer {
    let read: StreamResponse<'_> = from_slice(data).unwrap();
    match get::<NaiveStreamResponse<T>>(value) {
        NaiveStreamResponse::Ok(update) => {
            let update = to_vec(&update).unwrap();
            assert_eq!(read, StreamResponse::Ok(Data::new(&update)), "{name}");
            let mut written = Vec::new();
            stream::write_before_update(update.len(), &mut written);
            written.extend_from_slice(&update);
            assert_eq!(written, data, "{name}");
            assert_eq!(stream::update_size(update.len()), data.len(), "{name}");
        }
        NaiveStreamResponse::Eof => {
            assert_eq!(read, StreamResponse::Eof, "{name}");
            assert_eq!(stream::EOF_PAYLOAD, data, "{name}");
        }
    }
    Layer::Stream
}
