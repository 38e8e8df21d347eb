//! What does the envelope cost? Encoding and decoding of queries, without a socket.
//!
//! Version 11, the RPC named by its rank: what two peers of this implementation send each other.
//! The payload is a text in bin_prot, written and read in place.

use std::{hint::black_box, iter};

use bin_prot::{BinWrite as _, from_slice};
use criterion::{
    BenchmarkId, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use rpc_wire::{
    DescriptionRef, Message, ProtocolVersion, QueryHeader, QueryId, QueryMetadata,
    frame::{self, DEFAULT_LIMIT, Frames},
};

/// Frames in one buffer, as a busy socket delivers them.
const STREAM_FRAMES: usize = 1000;

fn framing(criterion: &mut Criterion<WallTime>) {
    let mut group = criterion.benchmark_group("query");
    for payload_bytes in [32, 1024] {
        let text = text(payload_bytes);
        let mut encoded = Vec::new();
        put_query(&mut encoded, &text);
        group.throughput(Throughput::Bytes(encoded.len() as u64));

        let mut buffer = Vec::with_capacity(2 * encoded.len());
        group.bench_function(BenchmarkId::new("encode", payload_bytes), |bencher| {
            bencher.iter(|| {
                buffer.clear();
                put_query(&mut buffer, black_box(&text));
                black_box(&buffer);
            });
        });
        group.bench_function(BenchmarkId::new("decode", payload_bytes), |bencher| {
            bencher.iter(|| count_text_bytes(black_box(&encoded)));
        });
        assert_eq!(count_text_bytes(&encoded), payload_bytes);
    }
    group.finish();

    let text = text(32);
    let mut stream = Vec::new();
    iter::repeat_n(&text, STREAM_FRAMES).for_each(|text| put_query(&mut stream, text));
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Elements(STREAM_FRAMES as u64));
    group.bench_function(BenchmarkId::new("decode", STREAM_FRAMES), |bencher| {
        bencher.iter(|| count_text_bytes(black_box(&stream)));
    });
    assert_eq!(count_text_bytes(&stream), STREAM_FRAMES * 32);
    group.finish();
}

criterion_group!(benches, framing);
criterion_main!(benches);

fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// Appends a query as a connection does: header, payload length and payload in place.
fn put_query(buffer: &mut Vec<u8>, text: &String) {
    let rpc = DescriptionRef {
        name: b"echo",
        version: 1,
    };
    let metadata = QueryMetadata::new();
    // The id of a connection that has been busy for a while.
    let id = QueryId::new(100_000);
    let header = QueryHeader::new(ProtocolVersion::MAX, rpc, Some(0), id, &metadata);
    let payload = text.bin_size();
    frame::append(
        buffer,
        DEFAULT_LIMIT,
        header.message_size(payload),
        |buffer| {
            header.write_before(payload, buffer)?;
            text.bin_write(buffer)
        },
    )
    .expect("a text has an encoding, and a frame has room for it");
}

/// Decodes every frame down to its text, which stays where it is.
fn count_text_bytes(bytes: &[u8]) -> usize {
    let mut count = 0;
    for body in Frames::new(bytes, DEFAULT_LIMIT) {
        let message = Message::decode(body.expect("whole frames")).expect("messages");
        let Message::Query(query) = message else {
            panic!("queries only: {message:?}")
        };
        let payload = query.data.bytes().expect("as long as announced");
        let text: &str = from_slice(payload).expect("a text");
        count += text.len();
    }
    count
}
