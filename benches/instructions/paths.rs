//! The paths that are counted.

use std::hint::black_box;

use benches::{
    frames::{self, Content, Kind},
    record::{Record, RecordRef},
};
use bin_prot::{BinRead, BinWrite};

use crate::calls;

/// Sets a path up; what it results in runs it once.
type Prepare = fn() -> Box<dyn FnMut()>;

/// Names, and how to set them up.
pub(crate) const PATHS: &[(&str, Prepare)] = &[
    ("query-encode", || encode_frame(Kind::Query)),
    ("query-decode", || decode_frame(Kind::Query)),
    ("response-encode", || encode_frame(Kind::Response)),
    ("response-decode", || decode_frame(Kind::Response)),
    ("record-encode", || encode(Record::sample())),
    ("record-decode-owned", || {
        decode(&Record::sample(), |bytes| {
            black_box(&bin_prot::from_slice::<Record>(bytes)).is_ok()
        })
    }),
    ("record-decode-borrowed", || {
        decode(&Record::sample(), |bytes| {
            black_box(&bin_prot::from_slice::<RecordRef<'_>>(bytes)).is_ok()
        })
    }),
    ("100-ints-encode", || encode(ints())),
    ("100-ints-decode", || {
        let mut room: Vec<i64> = Vec::with_capacity(ints().len());
        decode(&ints(), move |bytes| {
            // Into memory that is there: the allocator's instructions are not ours.
            room.clear();
            let mut reader = bin_prot::Reader::new(bytes);
            let count = reader.count(1).unwrap_or_default();
            room.extend((0..count).map_while(|_| i64::bin_read(&mut reader).ok()));
            black_box(&room).len() == count
        })
    }),
    ("1-call", || calls::calls(1)),
    ("64-calls", || calls::calls(64)),
    ("64-calls-converted", || calls::converted_calls(64)),
    ("64-one-way", || calls::one_way(64)),
    ("64-one-way-together", || calls::one_way_together(64)),
    ("1000-updates", || calls::updates(1000)),
    ("1000-durable-updates", || calls::durable_updates(1000)),
];

/// A frame of 32 bytes of payload.
fn encode_frame(kind: Kind) -> Box<dyn FnMut()> {
    let content = Content::new(kind, 32);
    let mut buffer = Vec::with_capacity(256);
    Box::new(move || {
        buffer.clear();
        black_box(content).put(&mut buffer);
        black_box(&buffer);
    })
}

fn decode_frame(kind: Kind) -> Box<dyn FnMut()> {
    let frame = Content::new(kind, 32).frame();
    Box::new(move || {
        black_box(frames::read(black_box(&frame)));
    })
}

/// A value into a warm buffer.
fn encode(value: impl BinWrite + 'static) -> Box<dyn FnMut()> {
    let mut buffer = Vec::with_capacity(2 * value.bin_size());
    Box::new(move || {
        buffer.clear();
        let written = black_box(&value).bin_write(&mut buffer);
        written.expect("small numbers");
        black_box(&buffer);
    })
}

/// Out of the value's encoding; `read` tells whether it worked.
fn decode(
    value: &impl BinWrite,
    mut read: impl FnMut(&[u8]) -> bool + 'static,
) -> Box<dyn FnMut()> {
    let bytes = bin_prot::to_vec(value).expect("small numbers");
    Box::new(move || assert!(read(black_box(&bytes))))
}

/// Numbers of all widths.
fn ints() -> Vec<i64> {
    (0..100)
        .map(|number: i64| number << (number % 40))
        .collect()
}
