//! A small record of text, two numbers and bytes, by itself: what a payload often is.

use std::hint::black_box;

use benches::record::{Record, RecordRef};
use bin_prot::BinWrite as _;
use binprot::{BinProtRead as _, BinProtWrite as _};
use binprot_derive::{BinProtRead, BinProtWrite};
use prost::Message as _;

use crate::{
    measure::{Case, Contestant},
    names::{BINCODE, BINPROT, COPY, OURS, POSTCARD, PROST},
};

#[derive(Clone, PartialEq, prost::Message)]
struct ProtobufRecord {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "2")]
    small: i64,
    #[prost(int64, tag = "3")]
    large: i64,
    #[prost(bytes = "vec", tag = "4")]
    body: Vec<u8>,
}

#[derive(BinProtRead, BinProtWrite)]
struct BinprotRecord {
    name: String,
    small: i64,
    large: i64,
    body: binprot::Bytes,
}

fn protobuf() -> ProtobufRecord {
    let Record {
        name,
        small,
        large,
        body,
    } = Record::sample();
    ProtobufRecord {
        name,
        small,
        large,
        body,
    }
}

fn binprot() -> BinprotRecord {
    let Record {
        name,
        small,
        large,
        body,
    } = Record::sample();
    BinprotRecord {
        name,
        small,
        large,
        body: body.into(),
    }
}

/// The record in each format.
struct Encodings {
    ours: Vec<u8>,
    bincode: Vec<u8>,
    postcard: Vec<u8>,
    prost: Vec<u8>,
    binprot: Vec<u8>,
}

impl Encodings {
    fn new() -> Self {
        let record = Record::sample();
        let mut binprot_bytes = Vec::new();
        binprot()
            .binprot_write(&mut binprot_bytes)
            .expect("a vector grows");
        let encodings = Self {
            ours: bin_prot::to_vec(&record).expect("small numbers"),
            bincode: bincode::encode_to_vec(&record, bincode::config::standard())
                .expect("a vector grows"),
            postcard: postcard::to_stdvec(&record).expect("a vector grows"),
            prost: protobuf().encode_to_vec(),
            binprot: binprot_bytes,
        };
        // Two implementations of one format.
        assert_eq!(encodings.ours, encodings.binprot);
        encodings
    }
}

/// All cases of the record.
pub(crate) fn cases() -> Vec<Case> {
    vec![encode(), decode_owned(), decode_borrowed()]
}

/// Into a warm buffer: a slice where the format offers that, else a vector, which may have to grow
/// for all that the code knows.
fn encode() -> Case {
    const ROOM: usize = 256;
    let (ours, bincode_record, postcard_record) =
        (Record::sample(), Record::sample(), Record::sample());
    let (protobuf, binprot) = (protobuf(), binprot());
    let bytes = Encodings::new().ours;
    let mut ours_buffer = Vec::with_capacity(ROOM);
    let mut bincode_buffer = vec![0; ROOM];
    let mut postcard_buffer = vec![0; ROOM];
    let mut prost_buffer = Vec::with_capacity(ROOM);
    let mut binprot_buffer = Vec::with_capacity(ROOM);
    let mut copy = Vec::with_capacity(ROOM);
    let contestants = vec![
        Contestant::new(OURS, move || {
            ours_buffer.clear();
            let written = black_box(&ours).bin_write(&mut ours_buffer);
            written.expect("small numbers");
            black_box(&ours_buffer);
        }),
        Contestant::new(BINCODE, move || {
            let written = bincode::encode_into_slice(
                black_box(&bincode_record),
                &mut bincode_buffer,
                bincode::config::standard(),
            )
            .expect("room enough");
            black_box(&bincode_buffer[..written]);
        }),
        Contestant::new(POSTCARD, move || {
            let written = postcard::to_slice(black_box(&postcard_record), &mut postcard_buffer);
            black_box(written.expect("room enough"));
        }),
        Contestant::new(PROST, move || {
            prost_buffer.clear();
            let written = black_box(&protobuf).encode(&mut prost_buffer);
            written.expect("a vector grows");
            black_box(&prost_buffer);
        }),
        Contestant::new(BINPROT, move || {
            binprot_buffer.clear();
            let written = black_box(&binprot).binprot_write(&mut binprot_buffer);
            written.expect("a vector grows");
            black_box(&binprot_buffer);
        }),
        Contestant::new(COPY, move || {
            copy.clear();
            copy.extend_from_slice(black_box(&bytes));
            black_box(&copy);
        }),
    ];
    Case::new("record, encode", contestants)
}

fn decode_owned() -> Case {
    fn ours(bytes: &[u8]) -> Record {
        bin_prot::from_slice(bytes).expect("a record")
    }
    fn bincode(bytes: &[u8]) -> Record {
        let read = bincode::decode_from_slice(bytes, bincode::config::standard());
        read.expect("a record").0
    }
    fn postcard(bytes: &[u8]) -> Record {
        postcard::from_bytes(bytes).expect("a record")
    }
    fn prost(bytes: &[u8]) -> ProtobufRecord {
        ProtobufRecord::decode(bytes).expect("a record")
    }
    let encodings = Encodings::new();
    let expected = Record::sample();
    assert_eq!(ours(&encodings.ours), expected);
    assert_eq!(bincode(&encodings.bincode), expected);
    assert_eq!(postcard(&encodings.postcard), expected);
    assert_eq!(prost(&encodings.prost), protobuf());
    let copied = encodings.ours.clone();
    let contestants = vec![
        decoding(OURS, encodings.ours, |bytes| {
            black_box(&ours(bytes));
        }),
        decoding(BINCODE, encodings.bincode, |bytes| {
            black_box(&bincode(bytes));
        }),
        decoding(POSTCARD, encodings.postcard, |bytes| {
            black_box(&postcard(bytes));
        }),
        decoding(PROST, encodings.prost, |bytes| {
            black_box(&prost(bytes));
        }),
        decoding_binprot(encodings.binprot),
        // Into fresh memory, as the others.
        decoding(COPY, copied, |bytes| {
            black_box(&bytes.to_vec());
        }),
    ];
    Case::new("record, decode owned", contestants)
}

fn decode_borrowed() -> Case {
    fn ours(bytes: &[u8]) -> RecordRef<'_> {
        bin_prot::from_slice(bytes).expect("a record")
    }
    fn bincode(bytes: &[u8]) -> RecordRef<'_> {
        let read = bincode::borrow_decode_from_slice(bytes, bincode::config::standard());
        read.expect("a record").0
    }
    fn postcard(bytes: &[u8]) -> RecordRef<'_> {
        postcard::from_bytes(bytes).expect("a record")
    }
    let encodings = Encodings::new();
    let expected = Record::sample();
    assert_eq!(ours(&encodings.ours).to_record(), expected);
    assert_eq!(bincode(&encodings.bincode).to_record(), expected);
    assert_eq!(postcard(&encodings.postcard).to_record(), expected);
    let contestants = vec![
        decoding(OURS, encodings.ours, |bytes| {
            black_box(&ours(bytes));
        }),
        decoding(BINCODE, encodings.bincode, |bytes| {
            black_box(&bincode(bytes));
        }),
        decoding(POSTCARD, encodings.postcard, |bytes| {
            black_box(&postcard(bytes));
        }),
        // It cannot borrow: the measure is what its users have instead.
        decoding_binprot(encodings.binprot),
    ];
    Case::new("record, decode borrowed", contestants)
}

fn decoding(name: &'static str, bytes: Vec<u8>, decode: impl Fn(&[u8]) + 'static) -> Contestant {
    Contestant::new(name, move || decode(black_box(&bytes)))
}

fn decoding_binprot(bytes: Vec<u8>) -> Contestant {
    let record = |mut bytes: &[u8]| BinprotRecord::binprot_read(&mut bytes).expect("a record");
    assert_eq!(record(&bytes).body.0, Record::sample().body);
    decoding(BINPROT, bytes, move |bytes| {
        black_box(&record(bytes));
    })
}
